//! Changes to put into a store, complete down to the last field.

use std::collections::BTreeMap;

use bytes::Bytes;
use kattila::model::access::Role;
use kattila::model::audit::{Entry, Head, Sealed};
use kattila::model::id::{
    AgentNo, AlarmId, FleetId, FrameDictId, NotificationId, ReportId, WindowId,
};
use kattila::model::key::{IdentityKey, WgKey};
use kattila::model::path::RelayPath;
use kattila::model::reach::Reach;
use kattila::model::report::{Counters, Interface, LinkState, Peer, Problem, Route};
use kattila::model::shelf::Shelved;
use kattila::model::state::{
    AgentStatus, AlarmKind, AlarmState, CanonForm, EdgeState, EndState, EventKind, IdentityState,
    LayoutAct, MessageState, PinnedHow, RelayProof, Scheme, Severity, Telling,
};
use kattila::model::time::UnixSeconds;
use kattila::model::window::{Scope, Span, Times, Window};
use kattila::sign::digest::sha256;
use kattila::store::change::{
    AgentRecord, AlarmRecord, Change, EdgeEnd, EdgeRecord, NewEvent, NewReport, PeerRecord,
};
use kattila::store::dictionary::FrameDictionary;
use kattila::store::flap::FlapRecord;
use kattila::store::identity::IdentityRecord;
use kattila::store::key::KeyRecord;
use kattila::store::layout::{LayoutRecord, LayoutStep, PlaceBefore};
use kattila::store::notice::{ChannelRecord, Facts, MessageItem, MessageRecord, TellRecord};
use kattila::store::people::{Factor, Foreign, SessionRecord, Setup, UserRecord};
use kattila::store::share::ShareRecord;

/// An entry of the audit. Stores keep hashes and do not check them.
pub(crate) fn sealed(seq: i64) -> Sealed {
    let entry = Entry::new(T.plus(seq), format!("who-{seq}"), "agent.revoke", "agent gw-1")
        .told(Some(format!("{{\"note\":\"100%_{seq}\"}}")), (seq > 1).then(|| "{}".to_owned()))
        .from(format!("192.0.2.{seq}").parse().ok());
    Sealed { entry, head: Head { seq, hash: [u8::try_from(seq).unwrap(); 32] } }
}

/// When the samples happen.
pub(crate) const T: UnixSeconds = UnixSeconds(1_795_000_000);

pub(crate) fn agent(no: i64) -> AgentRecord {
    AgentRecord {
        no: AgentNo(no),
        id: format!("agent-{no}").parse().unwrap(),
        fleet: "fleet-a".parse().unwrap(),
        hostname: Some(format!("gw-{no}.example")),
        agent_version: Some(String::from("0.9")),
        registered_at: T,
        last_seen_at: Some(T.plus(5)),
        last_tick: Some(77),
        status: AgentStatus::Online,
        status_since: T,
        scheme: Some(Scheme::V2Hmac),
        canon_form: Some(CanonForm::CompactSorted),
        kid: Some("45819852fbdfc69a".parse().unwrap()),
        boot_id: Some(String::from("b-1")),
        uptime_seconds: Some(86_400),
        load: Some([0.25, 1.5, 2.0]),
        labels: BTreeMap::from([(String::from("site"), String::from("north \"1\""))]),
        problems: vec![Problem {
            path: String::from("wg_peers[3].public_key"),
            detail: String::from("44 characters are expected"),
        }],
        clock_offset: -3,
        relay_path: RelayPath::through(vec!["relay-1".parse().unwrap()], RelayProof::Proven),
        source: Some("2001:db8::7".parse().unwrap()),
        interfaces_hash: u64::MAX,
        routes_hash: 1,
        peers_hash: 1 << 63,
        forgotten: false,
        may_relay: false,
        site_set: None,
    }
}

/// An agent of which only the name is known.
pub(crate) fn bare_agent(no: i64) -> AgentRecord {
    AgentRecord {
        fleet: FleetId::unnamed(),
        hostname: None,
        agent_version: None,
        last_seen_at: None,
        last_tick: None,
        status: AgentStatus::Pending,
        scheme: None,
        canon_form: None,
        kid: None,
        boot_id: None,
        uptime_seconds: None,
        load: None,
        labels: BTreeMap::new(),
        problems: Vec::new(),
        relay_path: RelayPath::direct(),
        source: None,
        ..agent(no)
    }
}

pub(crate) fn envelope(id: i64) -> Bytes {
    let data = format!("{{\"hostname\":\"gw\",\"uptime_seconds\":{id}}}").repeat(40);
    Bytes::from(format!("{{\"agent_id\":\"agent-1\",\"nonce\":\"n{id}\",\"data\":[{data}]}}"))
}

fn path() -> RelayPath {
    let relays = ["relay-1", "relay-2"].map(|id| id.parse().unwrap());
    RelayPath::through(relays.to_vec(), RelayProof::Claimed)
}

/// A dictionary of agents.
pub(crate) fn frame_dictionary(n: u8) -> FrameDictionary {
    let bytes = Bytes::from(vec![n; 64]);
    let id = FrameDictId::of_digest(&sha256(&bytes));
    FrameDictionary { id, bytes, made_at: T.plus(n.into()), sample_bytes: 1000, packed_bytes: 100 }
}

pub(crate) fn report(id: i64, agent: i64) -> NewReport {
    NewReport {
        id: ReportId(id),
        agent: AgentNo(agent),
        scheme: Scheme::V1,
        form: CanonForm::Raw,
        kid: "45819852fbdfc69a".parse().unwrap(),
        timestamp: T.plus(id),
        collected_at: Some(T.plus(id - 1)),
        received_at: T.plus(id),
        tick: Some(id),
        nonce: format!("nonce-{id}"),
        data_sha256: [u8::try_from(id % 256).unwrap(); 32],
        envelope: envelope(id),
        frame_dict: None,
        redacted: false,
        relay_path: path(),
        source: Some("192.0.2.7".parse().unwrap()),
        late: false,
    }
}

/// The change of a report that says nothing new.
pub(crate) fn only_report(id: i64, agent: i64) -> Change {
    Change { report: Some(report(id, agent)), ..Change::default() }
}

pub(crate) fn wg_key(seed: u8) -> WgKey {
    WgKey([seed; 32])
}

pub(crate) fn interface(name: &str, seed: u8) -> Interface {
    Interface {
        name: name.to_owned(),
        mac: Some(String::from("02:00:00:00:00:01")),
        mtu: Some(1420),
        state: LinkState::Up,
        flags: vec![String::from("POINTOPOINT"), String::from("UP")],
        addresses: vec![
            format!("10.0.0.{seed}/24").parse().unwrap(),
            format!("fd00::{seed}/64").parse().unwrap(),
        ],
        public_key: Some(wg_key(seed)),
        listen_port: Some(51820),
        counters: Counters {
            rx_bytes: Some(1),
            tx_bytes: Some(2),
            rx_errors: Some(3),
            tx_errors: Some(4),
            rx_dropped: Some(5),
            tx_dropped: Some(6),
        },
    }
}

/// An interface of which only the name is known.
pub(crate) fn bare_interface(name: &str) -> Interface {
    Interface {
        mac: None,
        mtu: None,
        state: LinkState::Unknown,
        flags: Vec::new(),
        addresses: Vec::new(),
        public_key: None,
        listen_port: None,
        counters: Counters::default(),
        ..interface(name, 1)
    }
}

pub(crate) fn route(dst: &str, gateway: Option<&str>) -> Route {
    Route {
        table: String::from("main"),
        dst: dst.parse().unwrap(),
        metric: 100,
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        dev: gateway.map(|_| String::from("wg0")),
        protocol: gateway.map(|_| String::from("babel")),
        kind: String::from("unicast"),
    }
}

pub(crate) fn peer(agent: i64, seed: u8) -> PeerRecord {
    PeerRecord {
        agent: AgentNo(agent),
        peer: Peer {
            interface: String::from("wg0"),
            public_key: wg_key(seed),
            endpoint: Some(String::from("[2001:db8::1]:51820")),
            allowed_ips: vec!["10.0.0.2/32".parse().unwrap()],
            latest_handshake: T,
            rx_bytes: 1 << 40,
            tx_bytes: 7,
            persistent_keepalive: 25,
            has_psk: true,
        },
        edge: edge_id(seed),
        measured_at: T.plus(4),
    }
}

pub(crate) fn edge_id(seed: u8) -> kattila::model::id::EdgeId {
    format!("{seed:016x}").parse().unwrap()
}

pub(crate) fn edge(seed: u8) -> EdgeRecord {
    EdgeRecord {
        id: edge_id(seed),
        fleet: "fleet-a".parse().unwrap(),
        ends: [
            EdgeEnd {
                agent: Some(AgentNo(1)),
                interface: Some(String::from("wg0")),
                public_key: Some(wg_key(1)),
                state: EndState::Up,
            },
            EdgeEnd { agent: None, interface: None, public_key: None, state: EndState::Unknown },
        ],
        state: EdgeState::Up,
        reason: String::from("Last handshake 12 s ago."),
        judged_at: T.plus(7),
        since: T,
        first_seen: T,
    }
}

pub(crate) fn alarm(id: i64, subject: &str, state: AlarmState) -> AlarmRecord {
    let cleared = state == AlarmState::Cleared;
    AlarmRecord {
        id: AlarmId(id),
        kind: AlarmKind::EdgeDown,
        subject: subject.to_owned(),
        severity: Severity::Major,
        state,
        fleet: Some("fleet-a".parse().unwrap()),
        agent: Some(AgentNo(1)),
        message: String::from("The link is down."),
        pending_since: T.plus(id),
        raised_at: Some(T.plus(id)),
        acknowledged_at: Some(T.plus(id + 1)),
        acknowledged_by: Some(String::from("admin")),
        note: Some(String::from("known")),
        returned_at: None,
        cleared_at: cleared.then(|| T.plus(id + 2)),
        clear_cause: cleared.then(|| String::from("condition over")),
        good_since: Some(T),
        count: 2,
        report: Some(ReportId(1)),
        inhibited_by: Some(AlarmId(1)),
        inhibited_until: Some(T.plus(9)),
        own: Severity::Minor,
        flapping_until: Some(T.plus(99)),
        shelved: Some(Shelved {
            at: T,
            until: T.plus(60),
            by: String::from("admin"),
            reason: String::from("cable on order"),
        }),
        maintenance: Some(WindowId(1)),
    }
}

pub(crate) fn flap(subject: &str) -> FlapRecord {
    FlapRecord { kind: AlarmKind::EdgeDown, subject: subject.to_owned(), penalty: 4_200, at: T }
}

pub(crate) fn event(agent: Option<i64>, subject: &str) -> NewEvent {
    NewEvent {
        at: T,
        recorded_at: T.plus(1),
        kind: EventKind::InterfaceChanged,
        fleet: Some("fleet-a".parse().unwrap()),
        agent: agent.map(AgentNo),
        subject: subject.to_owned(),
        before: Some(serde_json::json!({"mtu": 1500})),
        after: None,
        report: Some(ReportId(1)),
        cause: Some(String::from("report")),
    }
}

pub(crate) fn key(kid: &str, state: &str) -> KeyRecord {
    KeyRecord {
        kid: kid.parse().unwrap(),
        secret: zeroize::Zeroizing::new(b"not a real key".to_vec()),
        source: String::from("dns"),
        first_seen: T,
        last_seen: T.plus(60),
        state: state.to_owned(),
        seq: Some(4),
        nbf: Some(UnixSeconds(1)),
        exp: Some(UnixSeconds(2_000_000_000)),
        left_at: None,
    }
}

pub(crate) fn identity(no: i64, agent: i64, state: IdentityState) -> IdentityRecord {
    let public_key = IdentityKey([u8::try_from(no).unwrap(); 32]);
    let is_past = state == IdentityState::Retired;
    IdentityRecord {
        no,
        agent: AgentNo(agent),
        public_key,
        kid: format!("{no:016x}").parse().unwrap(),
        how: if no == 1 { PinnedHow::Tofu } else { PinnedHow::Rotated },
        state,
        registered_at: T,
        taken_until: T.plus(no),
        pinned_at: Some(T.plus(1)),
        retired_at: is_past.then_some(T.plus(2)),
        revoked_at: (no == 2).then_some(T.plus(3)),
        source: Some("192.0.2.9".parse().unwrap()),
    }
}

pub(crate) fn place(node: &str) -> LayoutRecord {
    LayoutRecord {
        node: node.to_owned(),
        site: Some(String::from("fleet-a/north")),
        x: -12.5,
        y: 1e-3,
        r: 0.0,
        pinned: true,
        rev: 3,
        placed_at: T,
        gone_at: Some(T.plus(9)),
    }
}

pub(crate) fn step(number: i64) -> LayoutStep {
    let (node, site) = (String::from("a:agent-1"), Some(String::from("fleet-a/north")));
    LayoutStep {
        step: number,
        at: T,
        by: String::from("olga"),
        act: LayoutAct::Rearrange,
        count: 1,
        before: vec![PlaceBefore { node, site, x: 0.5, y: -7.25, r: 0.0, pinned: false }],
    }
}

pub(crate) fn session(seed: u8) -> SessionRecord {
    SessionRecord {
        token_hash: [seed; 32],
        name: String::from("admin"),
        role: String::from("admin"),
        kind: String::from("session"),
        form_token: Some(String::from("f0")),
        created_at: T,
        last_used_at: T.plus(3),
        expires_at: Some(T.plus(3600)),
        generation: None,
        source: None,
        made_by: None,
        reach: Reach::Whole,
        masked: true,
    }
}

pub(crate) fn user(name: &str) -> UserRecord {
    UserRecord {
        name: name.to_owned(),
        role: Role::Operator,
        password: Some(String::from("$argon2id$...")),
        password_at: Some(T.plus(1)),
        setup: Some(Setup { hash: [7; 32], until: T.plus(60) }),
        disabled: false,
        generation: 3,
        created_at: T,
        created_by: String::from("root"),
        last_sign_in_at: Some(T.plus(2)),
        last_sign_in_from: Some(String::from("192.0.2.7")),
        reach: Reach::of(["fleet-a".parse().unwrap(), "fleet-b".parse().unwrap()]),
        factor: Some(Factor { secret: [5; 20], step: 7, recovery: vec![[1; 32], [2; 32]] }),
        foreign: Some(Foreign {
            issuer: String::from("https://id.example.org"),
            subject: format!("subject of {name}"),
        }),
        masked: true,
    }
}

/// A link that was shared.
pub(crate) fn share(n: u8) -> ShareRecord {
    ShareRecord {
        token_hash: [n; 32],
        view: String::from("/map?q=state%3Adown"),
        reach: Reach::only(["fleet-a".parse().unwrap()]),
        made_by: String::from("olga"),
        by_user: true,
        named: false,
        created_at: T,
        expires_at: T.plus(604_800),
        opened: 2,
        mask: (n == 1).then_some([9; 32]),
        last_opened_at: Some(T.plus(9)),
    }
}

pub(crate) fn facts() -> Facts {
    Facts {
        kind: AlarmKind::EdgeDown,
        severity: Severity::Major,
        state: AlarmState::Active,
        fleet_id: Some("fleet-a".parse().unwrap()),
        agent_id: Some("agent-1".parse().unwrap()),
        hostname: Some(String::from("gw-1.example")),
        subject: String::from("e9"),
        message: String::from("no handshake for \"412\" s"),
        raised_at: Some(T),
        acknowledged_at: Some(T.plus(1)),
        acknowledged_by: Some(String::from("admin")),
        note: Some(String::from("on it")),
        returned_at: Some(T.plus(2)),
        cleared_at: Some(T.plus(3)),
        clear_cause: Some(String::from("reset")),
        flapping: true,
    }
}

pub(crate) fn telling(alarm: i64, channel: &str) -> TellRecord {
    TellRecord {
        alarm: AlarmId(alarm),
        channel: channel.to_owned(),
        told: Some(Severity::Major),
        told_at: Some(T),
        next: Some(Telling::Repeated),
        due_at: Some(T.plus(3_600)),
        repeat_s: 3_600,
        facts: facts(),
    }
}

pub(crate) fn message(id: i64, state: MessageState) -> MessageRecord {
    MessageRecord {
        id: NotificationId(id),
        uid: format!("msg_{id}"),
        channel: String::from("chat"),
        state,
        created_at: T,
        due_at: T.plus(5),
        attempts: 1,
        tried_at: Some(T),
        ended_at: (state != MessageState::Waiting).then_some(T),
        error: Some(String::from("answered 503")),
        test_by: Some(String::from("admin")),
        items: vec![MessageItem { alarm: AlarmId(1), telling: Telling::Raised, facts: facts() }],
    }
}

pub(crate) fn channel(name: &str) -> ChannelRecord {
    ChannelRecord {
        name: name.to_owned(),
        failures: 5,
        successes: 0,
        open_until: Some(T.plus(60)),
        ok_at: Some(T.minus(60)),
        failed_at: Some(T),
        error: Some(String::from("answered 503")),
        sent: 7,
        failed: 5,
        dead: 1,
    }
}

/// A window that is open once, and for a second one that comes every week.
pub(crate) fn window(id: i64) -> Window {
    let once = Times::Once(Span { from: T, until: T.plus(3_600) });
    let days = [true, false, false, false, true, false, true];
    let weekly = Times::Weekly { days, start: 1_350, lasts_s: 7_200, utc_offset_s: -12_600 };
    Window {
        id: WindowId(id),
        scope: if id == 1 {
            Scope::Agent("agent-1".parse().unwrap())
        } else {
            Scope::Label { name: String::from("site"), value: String::from("hel=1") }
        },
        times: if id == 1 { once } else { weekly },
        reason: String::from("new disks"),
        by: String::from("admin"),
        made_at: T,
        ended: (id != 1).then(|| (T.plus(9), String::from("kim"))),
    }
}
