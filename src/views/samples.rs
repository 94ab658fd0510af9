//! A small made-up fleet that the tests of all pages share, and a test over every page.

pub(in crate::views) mod curves;
pub(in crate::views) mod notices;
pub(in crate::views) mod people;
pub(in crate::views) mod ways;

use std::collections::BTreeMap;

use crate::model::access::Role;
use crate::model::id::{AgentNo, AlarmId, EventId, ReportId, WindowId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::proven::Proven;
use crate::model::report::{Counters, Interface, LinkState, Peer, Problem, Route};
use crate::model::state::{
    AgentStatus, AlarmKind, AlarmState, CanonForm, EdgeState, EndState, EventKind, RelayProof,
    Scheme, Severity,
};
use crate::model::time::UnixSeconds;
use crate::model::window::{Scope, Span, Times, Window};
use crate::store::change::{AgentRecord, AlarmRecord};
use crate::store::row::{AgentDetail, AlarmRow, EventRow, ReportSummary, StoredReport};
use crate::topology::picture::{Edge, End, Node, NodeKind, Picture, Site, SiteCounts};

use super::api::{Asker, CodeItem, Looked, OperationItem, ParameterItem};
use super::list::{Hits, ListQuery};
use super::map::GettingStarted;
use super::names::Names;
use super::page::{Nav, PageContext, Theme};
use super::reports::RefusalItem;
use super::settings::{
    JobItem, KeyLine, KeySourceItem, ManagerItem, SettingItem, Stake, UsageItem,
};
use super::waiting::WaitingItem;

const NOW: UnixSeconds = UnixSeconds(1_795_226_400);
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(super) fn context(title: &str, nav: Nav) -> PageContext {
    PageContext {
        title: title.to_owned(),
        nav,
        role: Some(Role::Admin),
        signed_in: true,
        who: "admin".to_owned(),
        form_token: Some("form-token".to_owned()),
        whole: true,
        masked: false,
        theme: Theme::Auto,
        alarms_open: 2,
        channels_failing: Vec::new(),
        now: NOW,
        asset_base: super::assets::base().to_owned(),
        version: "0.1.0".to_owned(),
        request_id: "req-1".to_owned(),
        then: None,
        unheard: BTreeMap::new(),
        names: Names::default(),
        plain_http_warning: false,
        visit: None,
        share_days: 90,
    }
}

fn node(id: &str, label: &str, status: Option<AgentStatus>, role: &str, site: &str) -> Node {
    Node {
        id: id.to_owned(),
        kind: if status.is_some() { NodeKind::Agent } else { NodeKind::External },
        role: role.to_owned(),
        agent_id: id.strip_prefix("a:").and_then(|id| id.parse().ok()),
        label: label.to_owned(),
        status,
        fleet_id: "lab".parse().expect("a fleet"),
        site: site.to_owned(),
        x: 0.0,
        y: 0.0,
        seen_at: status.map(|_| NOW.minus(42)),
        alarms: 0,
        addresses: vec!["10.200.0.1".to_owned()],
        relay_path: RelayPath::direct(),
        maintenance_until: None,
    }
}

fn end(agent: Option<&str>, state: EndState) -> End {
    End {
        agent_id: agent.and_then(|id| id.parse().ok()),
        interface: agent.map(|_| "wg0".to_owned()),
        public_key: KEY.parse().ok(),
        state,
        latest_handshake: agent.map(|_| NOW.minus(50)),
        rx_bytes: agent.map(|_| 1_200_000),
        tx_bytes: agent.map(|_| 1_300_000),
        endpoint: agent.map(|_| "203.0.113.40:51820".to_owned()),
        allowed_ips: vec!["10.13.0.0/16".to_owned()],
        persistent_keepalive: agent.map(|_| 25),
        measured_at: agent.map(|_| NOW.minus(8)),
    }
}

fn edge(id: &str, ends: [(&str, EndState); 2], state: EdgeState, reason: &str) -> Edge {
    let [(a, a_state), (b, b_state)] = ends;
    Edge {
        id: id.to_owned(),
        source: a.to_owned(),
        target: b.to_owned(),
        edge_type: "wireguard",
        state,
        reason: reason.to_owned(),
        judged_at: NOW.minus(1_230),
        since: NOW.minus(5_460),
        ends: [end(a.strip_prefix("a:"), a_state), end(b.strip_prefix("a:"), b_state)],
    }
}

/// A healthy gateway, a late host, a dead gateway and a peer without an agent.
pub(super) fn picture() -> Picture {
    let site = |id: &str, label: &str| Site {
        id: id.to_owned(),
        label: label.to_owned(),
        fleet_id: "lab".parse().expect("a fleet"),
        x: 0.0,
        y: 0.0,
        r: 100.0,
        counts: SiteCounts::default(),
    };
    let mut down = edge(
        "00000000000000b2",
        [("a:hel-gw1", EndState::Down), ("a:oul-gw2", EndState::Unknown)],
        EdgeState::Down,
        "No handshake for 9 min while hel-gw1 sends.",
    );
    down.ends[0].rx_bytes = Some(0);
    Picture {
        v: 1,
        epoch: "e".to_owned(),
        sites: vec![site("lab/hel", "Helsinki DC"), site("lab/oul", "Oulu")],
        nodes: vec![
            node("a:hel-gw1", "hel-gw1", Some(AgentStatus::Online), "gateway", "lab/hel"),
            node("a:hel-nas1", "hel-nas1", Some(AgentStatus::Stale), "agent", "lab/hel"),
            node("a:oul-gw2", "oul-gw2", Some(AgentStatus::Offline), "gateway", "lab/oul"),
            node("x:lab:phone", "phone-2", None, "external", "lab/hel"),
        ],
        edges: vec![
            edge(
                "00000000000000b1",
                [("a:hel-gw1", EndState::Up), ("a:hel-nas1", EndState::Up)],
                EdgeState::Up,
                "Handshake 42 s ago.",
            ),
            down,
            edge(
                "00000000000000b3",
                [("a:hel-gw1", EndState::Never), ("x:lab:phone", EndState::Missing)],
                EdgeState::HalfConfigured,
                "The other end does not list hel-gw1.",
            ),
        ],
        ..Picture::default()
    }
}

pub(super) fn said() -> super::thing_then::Said {
    let interface = Interface {
        name: "wg0".to_owned(),
        mac: None,
        mtu: Some(1420),
        state: LinkState::Up,
        flags: Vec::new(),
        addresses: vec!["10.200.0.1/24".parse().expect("an address")],
        public_key: None,
        listen_port: Some(51_820),
        counters: Counters::default(),
    };
    let peer = Peer {
        interface: "wg0".to_owned(),
        public_key: WgKey([9; 32]),
        endpoint: Some("203.0.113.4:51820".to_owned()),
        allowed_ips: vec!["10.200.0.2/32".parse().expect("a prefix")],
        latest_handshake: NOW.minus(71),
        rx_bytes: 1_290,
        tx_bytes: 34_567_890,
        persistent_keepalive: 25,
        has_psk: false,
    };
    let (report, received_at, measured_at) = (ReportId(41), NOW.minus(9), NOW.minus(10));
    super::thing_then::Said {
        report,
        received_at,
        measured_at,
        interfaces: vec![interface],
        peers: vec![peer],
    }
}

pub(super) fn start() -> GettingStarted {
    GettingStarted {
        manager_url: "http://192.0.2.1:5086".to_owned(),
        txt_name: Some("_kattila.example.org".to_owned()),
        key_source: "the TXT record of _kattila.example.org".to_owned(),
        keys: 1,
        last_refused: Some("the agent's clock is 14 min off".to_owned()),
    }
}

fn alarm(id: i64, kind: AlarmKind, severity: Severity, state: AlarmState, text: &str) -> AlarmRow {
    let acknowledged = state == AlarmState::Acknowledged;
    AlarmRow {
        alarm: AlarmRecord {
            id: AlarmId(id),
            kind,
            subject: "oul-gw2".to_owned(),
            severity,
            state,
            fleet: "lab".parse().ok(),
            agent: Some(AgentNo(2)),
            message: text.to_owned(),
            pending_since: NOW.minus(900),
            raised_at: Some(NOW.minus(840)),
            acknowledged_at: acknowledged.then(|| NOW.minus(60)),
            acknowledged_by: acknowledged.then(|| "admin".to_owned()),
            note: acknowledged.then(|| "cable is on order".to_owned()),
            returned_at: None,
            cleared_at: None,
            clear_cause: None,
            good_since: None,
            count: 1,
            report: None,
            inhibited_by: None,
            inhibited_until: None,
            own: severity,
            flapping_until: None,
            shelved: None,
            maintenance: None,
        },
        agent_id: "oul-gw2".parse().ok(),
        children: 0,
    }
}

pub(super) fn alarms() -> Vec<AlarmRow> {
    use AlarmState::{Acknowledged, Active};
    vec![
        alarm(9, AlarmKind::PeerUnknown, Severity::Info, Active, "A key belongs to no agent."),
        alarm(8, AlarmKind::EdgeDown, Severity::Major, Acknowledged, "hel-gw1 to oul-gw2 is down."),
        alarm(
            7,
            AlarmKind::AgentOffline,
            Severity::Major,
            Active,
            "oul-gw2 has not reported for 2 h.",
        ),
    ]
}

/// One that is open, one that comes every week, one that is over.
pub(super) fn windows() -> Vec<Window> {
    let window = |id, scope, times, reason: &str| Window {
        id: WindowId(id),
        scope,
        times,
        reason: reason.to_owned(),
        by: "admin".to_owned(),
        made_at: NOW.minus(90_000),
        ended: None,
    };
    let agent = || Scope::Agent("oul-gw2".parse().expect("an agent"));
    let once = |from, until| Times::Once(Span { from: NOW.minus(from), until: NOW.plus(until) });
    let site = Scope::Label { name: "site".to_owned(), value: "Helsinki".to_owned() };
    let weekly = Times::Weekly {
        days: [false, false, false, false, false, true, true],
        start: 22 * 60,
        lasts_s: 7_200,
        utc_offset_s: 7_200,
    };
    vec![
        window(1, agent(), once(86_400, -80_000), "moved to another rack"),
        window(2, agent(), once(600, 3_000), "new disks"),
        window(3, site, weekly, "updates"),
    ]
}

/// The same with what follows from the agent's silence.
fn incidents() -> Vec<AlarmRow> {
    use AlarmState::{Acknowledged, Active};
    let told = |id, kind, severity, text: &str| alarm(id, kind, severity, Active, text);
    let mut rows = vec![
        told(12, AlarmKind::AgentStale, Severity::Warning, "oul-gw2 is late: no report for 2 h."),
        told(
            11,
            AlarmKind::EdgeDown,
            Severity::Major,
            "oul-gw2 - tre-gw1 is down: oul-gw2 is silent.",
        ),
        alarm(10, AlarmKind::EdgeDown, Severity::Major, Acknowledged, "oul-gw2 - hel-gw1 is down."),
    ];
    for row in &mut rows {
        row.alarm.inhibited_by = Some(AlarmId(7));
    }
    rows.extend(alarms());
    rows
}

pub(super) fn events() -> Vec<EventRow> {
    let event = |id, kind, subject: &str, after: &str| EventRow {
        id: EventId(id),
        at: NOW.minus(600 - id),
        recorded_at: NOW.minus(600 - id),
        kind,
        fleet: "lab".parse().ok(),
        agent_id: "oul-gw2".parse().ok(),
        subject: subject.to_owned(),
        before: None,
        after: Some(serde_json::Value::String(after.to_owned())),
        report: Some(ReportId(4)),
        cause: None,
    };
    vec![
        event(1, EventKind::AgentRegistered, "oul-gw2", "lab"),
        event(2, EventKind::EdgeState, "00000000000000b2", "down"),
    ]
}

/// Through one relay, as version 1 says it.
fn path() -> RelayPath {
    RelayPath::through("oul-relay1".parse().into_iter().collect(), RelayProof::Claimed)
}

/// The same, one of which does not prove itself.
pub(super) fn proven_reports() -> Vec<(ReportSummary, Proven)> {
    let fails = Proven::Fails("the signature does not hold".to_owned());
    let proven = std::iter::once(Proven::Holds).chain(std::iter::repeat(fails));
    reports().into_iter().zip(proven).collect()
}

pub(super) fn reports() -> Vec<ReportSummary> {
    vec![ReportSummary {
        id: ReportId(4),
        agent_id: "oul-gw2".parse().expect("an agent"),
        scheme: Scheme::V1,
        form: CanonForm::Raw,
        kid: "45819852fbdfc69a".parse().expect("a kid"),
        timestamp: NOW.minus(30),
        collected_at: Some(NOW.minus(31)),
        received_at: NOW.minus(29),
        tick: Some(17),
        nonce: "nonce-1".to_owned(),
        data_sha256: [7; 32],
        redacted: false,
        relay_path: path(),
        source: "192.0.2.7".parse().ok(),
        envelope_bytes: 2_345,
    }]
}

pub(super) fn refusals() -> Vec<RefusalItem> {
    vec![RefusalItem {
        at: NOW.minus(12),
        code: "invalid_signature".to_owned(),
        detail: "Bad signature: none of the 2 keys fits.".to_owned(),
        agent: Some("oul-gw9".to_owned()),
        source: Some("192.0.2.9".to_owned()),
    }]
}

pub(super) fn keys() -> Vec<KeyLine> {
    vec![KeyLine {
        kid: "45819852fbdfc69a".to_owned(),
        state: "current",
        source: "dns",
        first_seen: NOW.minus(86_400),
        last_seen: NOW.minus(20),
        stake: Stake {
            agents: 4,
            named: vec!["hel-gw1".to_owned(), "oul-gw2".to_owned()],
            usable: true,
            last: true,
        },
    }]
}

pub(super) fn key_source() -> KeySourceItem {
    KeySourceItem {
        source: "TXT record _kattila.example.org".to_owned(),
        healthy: true,
        detail: "The last answer held one key.".to_owned(),
        last_read_at: Some(NOW.minus(20)),
        next_read_at: Some(NOW.plus(280)),
        dnssec: Some("not signed".to_owned()),
        notices: vec!["a key is shorter than it should be".to_owned()],
    }
}

pub(super) fn settings() -> Vec<SettingItem> {
    vec![SettingItem {
        name: "KATTILA_REPORT_INTERVAL".to_owned(),
        meaning: "An agent is late after 100 s and down after 180 s.".to_owned(),
    }]
}

fn record() -> AgentRecord {
    AgentRecord {
        no: AgentNo(2),
        id: "oul-gw2".parse().expect("an agent"),
        fleet: "lab".parse().expect("a fleet"),
        hostname: Some("oul-gw2".to_owned()),
        agent_version: Some("1.4.2".to_owned()),
        registered_at: NOW.minus(864_000),
        last_seen_at: Some(NOW.minus(7_300)),
        last_tick: Some(17),
        status: AgentStatus::Offline,
        status_since: NOW.minus(7_100),
        scheme: Some(Scheme::V1),
        canon_form: Some(CanonForm::Raw),
        kid: "45819852fbdfc69a".parse().ok(),
        boot_id: Some("7b0c".to_owned()),
        uptime_seconds: Some(86_400),
        load: Some([0.5, 0.25, 0.1]),
        labels: BTreeMap::from([("site".to_owned(), "Oulu".to_owned())]),
        problems: vec![Problem {
            path: "wg_peers[3].public_key".to_owned(),
            detail: "not 32 bytes of base64".to_owned(),
        }],
        clock_offset: 1,
        relay_path: path(),
        source: "192.0.2.7".parse().ok(),
        interfaces_hash: 0,
        routes_hash: 0,
        peers_hash: 0,
        forgotten: false,
        may_relay: true,
    }
}

pub(super) fn agent() -> AgentDetail {
    let interface = Interface {
        name: "wg1".to_owned(),
        mac: None,
        mtu: Some(1_420),
        state: LinkState::Unknown,
        flags: vec!["LOWER_UP".to_owned(), "UP".to_owned()],
        addresses: vec!["10.200.0.7/24".parse().expect("an address")],
        public_key: KEY.parse().ok(),
        listen_port: Some(51_820),
        counters: Counters { rx_errors: Some(3), ..Counters::default() },
    };
    let route = Route {
        table: "main".to_owned(),
        dst: "10.200.0.0/24".parse().expect("a prefix"),
        metric: 0,
        gateway: None,
        dev: Some("wg1".to_owned()),
        protocol: Some("kernel".to_owned()),
        kind: "unicast".to_owned(),
    };
    let peer = Peer {
        interface: "wg1".to_owned(),
        public_key: KEY.parse().expect("a key"),
        endpoint: Some("198.51.100.9:51820".to_owned()),
        allowed_ips: vec!["10.11.0.0/16".parse().expect("a prefix")],
        latest_handshake: NOW.minus(7_300 + 600 - 1),
        rx_bytes: 0,
        tx_bytes: 1_200_000,
        persistent_keepalive: 25,
        has_psk: true,
    };
    AgentDetail {
        agent: record(),
        interfaces: vec![interface],
        routes: vec![route],
        peers: vec![(peer, "00000000000000b2".parse().expect("an edge"))],
        identities: Vec::new(),
    }
}

pub(super) fn waiting() -> Vec<WaitingItem> {
    let new = WaitingItem {
        id: "new-gw".to_owned(),
        label: "new-gw <1>".to_owned(),
        fingerprint: Some("56475aa75463474c0285df5dbf2bcab7".repeat(2)),
        kid: Some("56475aa75463474c".to_owned()),
        certified: false,
        reports: false,
        source: "192.0.2.9".to_owned(),
        requested_at: NOW.minus(60),
    };
    let shared =
        WaitingItem { id: "old-gw".to_owned(), fingerprint: None, kid: None, ..new.clone() };
    vec![new, shared]
}

pub(super) fn manager() -> ManagerItem {
    let job = |name, last_run, running| JobItem {
        name,
        about: "Removes what is old",
        running,
        last_run,
        duration_ms: 41,
        rows: 1024,
        next_run: NOW.plus(300),
        failed: None,
    };
    let failed = Some((NOW.minus(60), "the disk is <full>".to_owned()));
    let jobs = vec![
        job("sweep", Some(NOW), false),
        JobItem { failed, ..job("prune-reports", Some(NOW.minus(60)), false) },
        job("prune-events", None, false),
        job("vacuum", Some(NOW), true),
    ];
    ManagerItem { settings: settings(), jobs }
}

pub(super) fn usage() -> UsageItem {
    UsageItem {
        generations: vec![("current, 45819852fbdfc69a".to_owned(), "4 agents".to_owned())],
        locked_out: vec![("gw%3A1".to_owned(), "gw:1".to_owned())],
        locked_out_count: "3 agents".to_owned(),
        left_out: 2,
    }
}

/// Every page, by the name of its file.
fn every_page() -> Vec<(&'static str, String)> {
    let envelope = b"{\"data\":{}}".to_vec();
    let stored = StoredReport { summary: reports().remove(0), envelope, own_key: None };
    let mut stranger = context("Sign in", Nav::Nowhere);
    stranger.role = None;
    stranger.signed_in = false;
    let of = |title, nav| context(title, nav);
    let reports_ctx = of("Reports", Nav::Reports);
    let text = String::from_utf8_lossy(&stored.envelope).into_owned();
    let shown =
        super::report::Shown { report: &stored, proven: &Proven::Holds, text, encoding: None };
    let report = super::report::page(&of("Report 4", Nav::Reports), shown);
    let events_page = super::events::page(&of("Events", Nav::Events), &events(), None, 100);
    let settings_ctx = of("Settings", Nav::Settings);
    let settings_page =
        super::settings::page(&settings_ctx, &key_source(), &keys(), &usage(), &manager());
    let mut pages = pages_of_the_network();
    pages.extend([
        ("reports", super::reports::page(&reports_ctx, &reports(), &refusals(), None, 100)),
        ("report", report),
        ("events", events_page),
        ("settings", settings_page),
        ("audit", Ok(super::audit::tests::sample(&of("Audit", Nav::Events)))),
        ("login", super::login::page(&stranger, &login(true), None)),
        ("login-token", super::login::page(&stranger, &login(false), Some("Not accepted."))),
        ("signed-in", super::login::signed_in(&stranger, "olga", "/map")),
        ("setup", set_up(&stranger)),
        ("users", users()),
        ("account", account()),
        ("factor", factor()),
        ("recovery", recovery()),
        ("api", api_page()),
        ("error", super::error::page(&stranger, 404, "There is no such page", "Look elsewhere.")),
    ]);
    pages.into_iter().map(|(name, page)| (name, page.expect(name))).collect()
}

/// Some of the API.
pub(crate) fn api() -> (Vec<OperationItem>, Vec<CodeItem>) {
    let id = ParameterItem {
        name: "id".to_owned(),
        place: "path".to_owned(),
        about: "Its id".to_owned(),
        kind: "string".to_owned(),
    };
    let one = |method: &str, path: &str, asker, summary: &str| OperationItem {
        method: method.to_owned(),
        path: path.to_owned(),
        asker,
        summary: summary.to_owned(),
        parameters: if path.contains("{id}") { vec![id.clone()] } else { Vec::new() },
        takes: (method == "POST").then(|| "{\n  \"name\": \"kim\"\n}".to_owned()),
        status: "200".to_owned(),
        kind: "application/json".to_owned(),
        answer: "{\n  \"status\": \"ok\"\n}".to_owned(),
    };
    let operations = vec![
        one("POST", "/status/updates", Asker::Agent, "Take a signed report"),
        one("GET", "/livez", Asker::Anybody, "Whether the manager lives"),
        one(
            "GET",
            "/api/v1/agents/{id}",
            Asker::Role(Role::Viewer),
            "One agent with all it reports",
        ),
        one("POST", "/api/v1/users", Asker::Role(Role::Admin), "Add a user"),
    ];
    let code = |code, status, title| CodeItem { code, status, title };
    let codes = vec![
        code("not_found", 404, "There is nothing here"),
        code("rate_limited", 429, "Too many requests"),
    ];
    (operations, codes)
}

fn api_page() -> Result<String, askama::Error> {
    let (operations, codes) = api();
    let context = context("API", super::page::Nav::Settings);
    super::api::page(&context, (&operations, &codes), &Looked::default())
}

fn login(users: bool) -> super::login::LoginForm<'static> {
    let (name, next, vouched) = ("", "/map", users.then_some("olga"));
    let provider = users.then(|| "id.example.org".to_owned());
    super::login::LoginForm {
        users,
        setup: !users,
        with_token: false,
        name,
        next,
        vouched,
        provider,
    }
}

fn set_up(ctx: &PageContext) -> Result<String, askama::Error> {
    super::people::set_up(ctx, &super::people::SetupForm { first: true, name: "", failed: None })
}

fn users() -> Result<String, askama::Error> {
    let ctx = context("Users", Nav::Settings);
    let made = super::people::MadeCode {
        name: "kim".to_owned(),
        code: "setup_q9mXb1kQ2r7uJ0n4Zt5sWc8yV3hLfE6gPaDxKoIiRUE".to_owned(),
        until: NOW.plus(86_400),
    };
    let news = super::people::News::Code(made);
    super::people::users(&ctx, (&people::people(), &people::tokens()), &news)
}

fn account() -> Result<String, askama::Error> {
    let own = people::sessions();
    let account = super::people::Account {
        user: true,
        role: Role::Admin,
        fleets: "all fleets",
        masked: false,
        sessions: &own,
        factor: Some(9),
        changed: true,
        failed: None,
    };
    super::people::account(&context("Your account", Nav::Nowhere), &account)
}

fn factor() -> Result<String, askama::Error> {
    let uri = "otpauth://totp/Kattila:olga%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
               &issuer=Kattila"
        .to_owned();
    let step = super::people::FactorStep::Enrol {
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned(),
        qr: super::qr::of(&uri),
        uri,
        failed: Some("This is no code of the secret now.".to_owned()),
    };
    super::people::factor(&context("A second factor", Nav::Nowhere), &step)
}

fn recovery() -> Result<String, askama::Error> {
    let codes = (0..10).map(|n| format!("MZXW-6YTB-OI{n}7-GEZD")).collect();
    let step = super::people::FactorStep::Enrolled(codes);
    super::people::factor(&context("Recovery codes", Nav::Nowhere), &step)
}

fn pages_of_the_network() -> Vec<(&'static str, Result<String, askama::Error>)> {
    let listed = super::agents::AgentListItem::from_picture(&picture());
    let (query, all) = (ListQuery::default(), Hits::default());
    let map = context("Map", Nav::Map);
    let agents = context("Agents", Nav::Agents);
    let links = context("Links", Nav::Links);
    let alarms_ctx = context("Alarms", Nav::Alarms);
    let dead = picture().edges.remove(1);
    let open = super::alarms::Tab::Open;
    let (taken, loss) = ways::loss();
    let (paths, asked) = (context("Paths", Nav::Paths), super::paths::Asked::default());
    let (picture, told, sent) = (picture(), alarms(), reports());
    let relays_for = ["tre-gw1".parse().expect("an agent")];
    let drawn = curves::day(NOW);
    let around = super::agent::Around {
        picture: &picture,
        relays_for: &relays_for,
        alarms: &told,
        reports: &sent,
        windows: &windows(),
        curves: &drawn,
    };
    vec![
        ("paths", super::paths::page(&paths, &asked, &[ways::journey()], Some(&ways::carriers()))),
        ("what-if", super::what_if::page(&paths, "hel-gw1", Ok((&taken, &loss)))),
        ("weak-points", super::what_if::start(&paths, &ways::weakest())),
        ("map", super::map::page(&map, &picture, &start())),
        ("empty", super::map::page(&map, &Picture::default(), &start())),
        ("agents", super::agents::page(&agents, &listed, &waiting(), (&query, &all))),
        ("agent", super::agent::page(&agents, &agent(), &around)),
        ("links", super::links::page(&links, &picture, (&query, &all))),
        ("link", super::link::page(&links, &dead, ["hel-gw1", "oul-gw2"], (&events(), &drawn))),
        (
            "alarms",
            super::alarms::page(
                &alarms_ctx,
                open,
                &incidents(),
                (&Default::default(), super::alarms::Span { before: None, limit: 100 }),
            ),
        ),
        ("notifications", notifications()),
        ("rules", super::rules::page(&context("Alarm rules", Nav::Alarms), &notices::rules())),
        ("alarm", alarm_page()),
        ("quality", quality_page()),
        ("maintenance", super::maintenance::page(&alarms_ctx, &windows())),
    ]
    .into_iter()
    .chain(pages_of_the_past())
    .collect()
}

/// A context of a page about the past.
fn then(title: &str, nav: Nav, path: &str) -> PageContext {
    let learnt_later = [("00000000000000b2".to_owned(), NOW)].into();
    let at = NOW.minus(3_600);
    let (previous, next) = (Some(at.minus(60)), Some(at.plus(5)));
    let keep = "q=state%3Adown&".to_owned();
    let viewing =
        super::then::Viewing { at, path: path.to_owned(), keep, previous, next, learnt_later };
    PageContext { then: Some(viewing), ..context(title, nav) }
}

fn pages_of_the_past() -> Vec<(&'static str, Result<String, askama::Error>)> {
    let picture = picture();
    let listed = super::agents::AgentListItem::from_picture(&picture);
    let query = ListQuery { at: Some(NOW.minus(3_600)), ..ListQuery::default() };
    let all = Hits::default();
    let agents = then("Agents", Nav::Agents, "/agents");
    let links = then("Links", Nav::Links, "/links");
    let agent = then("oul-gw2", Nav::Agents, "/agents/oul-gw2");
    let link = then("Link", Nav::Links, "/links/00000000000000b2");
    let gone = context("Link", Nav::Links);
    let ends = || ["hel-gw1".to_owned(), "oul-gw2".to_owned()];
    let dead = picture.edges.get(1);
    let changes = context("Changes", Nav::Events);
    let difference = super::changes::samples::told();
    let times = (NOW.minus(86_400), NOW);
    let drawn = curves::day(NOW.minus(3_600));
    use super::thing_then;
    vec![
        ("agents-then", super::agents::page(&agents, &listed, &[], (&query, &all))),
        ("links-then", super::links::page(&links, &picture, (&query, &all))),
        ("link-then", thing_then::link(&link, dead, ends(), (None, &events(), Some(&drawn)))),
        ("link-gone", thing_then::link(&gone, dead, ends(), (Some(NOW), &events(), None))),
        ("link-not-there", thing_then::link(&link, None, ends(), (None, &[], None))),
        (
            "agent-then",
            thing_then::agent(
                &agent,
                &picture,
                ("oul-gw2", Some(NOW), Some(&said())),
                (&events(), Some(&drawn)),
            ),
        ),
        ("changes", super::changes::page(&changes, times, Ok(&difference))),
        (
            "changes-refused",
            super::changes::page(&changes, times, Err("The history begins later.")),
        ),
    ]
}

/// An open alarm with everything that can be told of one.
pub(super) fn alarm_page() -> Result<String, askama::Error> {
    let ctx = context("Alarm 7", Nav::Alarms);
    let mut rows = alarms();
    let (row, follower) = (rows.remove(2), rows.remove(0));
    let cause = rows.remove(0);
    let event = |ago: i64, kind, cause: Option<&str>, more: serde_json::Value| {
        let mut after = serde_json::json!({
            "id": 7, "severity": "major", "message": row.alarm.message,
        });
        after.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        EventRow {
            id: EventId(900 - ago),
            at: NOW.minus(ago),
            recorded_at: NOW.minus(ago),
            kind,
            after: Some(after),
            cause: cause.map(str::to_owned),
            report: None,
            ..events().remove(0)
        }
    };
    use EventKind as K;
    let none = || serde_json::json!({});
    let until = NOW.plus(3_600);
    let events = [
        event(840, K::AlarmRaised, None, none()),
        event(700, K::AlarmRaised, None, serde_json::json!({"severity": "critical"})),
        event(600, K::AlarmAcknowledged, Some("olga"), serde_json::json!({"note": "on it"})),
        event(
            500,
            K::AlarmShelved,
            Some("olga"),
            serde_json::json!({"shelved_until": until, "shelve_reason": "parts ordered"}),
        ),
        event(400, K::AlarmMaintenance, None, serde_json::json!({"maintenance": 2})),
    ];
    let messages = [notices::about(AlarmId(7), NOW.minus(810))];
    super::alarm::page(
        &ctx,
        &super::alarm::Told {
            row: &row,
            events: &events,
            messages: &messages,
            cause: Some(&cause),
            followers: &[follower],
            evidence: &[("oul-gw2".to_owned(), proven_reports())],
        },
    )
}

/// Two kinds over some days.
pub(super) fn quality_page() -> Result<String, askama::Error> {
    use super::quality::{Shown, TallyItem};
    let tally = |raised, followers| TallyItem {
        raised,
        open: 1,
        open_median_s: Some(150),
        open_p90_s: Some(7_300),
        standing: 1,
        acknowledged: 2,
        ack_median_s: Some(40),
        flapped: 1,
        unattended: 3,
        without_action: 1,
        followers,
    };
    let shown = Shown {
        from: NOW.minus(3 * 86_400),
        to: NOW,
        all: tally(12, 3),
        kinds: vec![("agent.offline", tally(9, 1)), ("edge.down", tally(3, 2))],
        subjects: vec![("agent.offline", "oul-gw2".to_owned(), 7)],
        per_day_hundredths: 307,
        cut: false,
    };
    super::quality::page(&context("Quality of alarms", Nav::Alarms), &shown)
}

fn notifications() -> Result<String, askama::Error> {
    let mut ctx = context("Notifications", Nav::Alarms);
    ctx.channels_failing = vec!["mail".to_owned()];
    let shown = super::notifications::Shown { limit: 100, ..Default::default() };
    super::notifications::page(&ctx, &notices::overview(), &notices::notices(), &shown)
}

/// Elements that have no end tag.
const VOID: [&str; 5] = ["meta", "link", "input", "br", "!doctype"];

fn open_elements(html: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "in <{tag}> after {open:?}");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    open
}

#[test]
fn every_page_is_well_formed_and_fits_the_content_security_policy() {
    // Kept for `tests/browser/preview.mjs`, which shows them with made-up data.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pages");
    std::fs::create_dir_all(folder).expect("a place for the pages");
    for (name, html) in every_page() {
        std::fs::write(format!("{folder}/{name}.html"), &html).expect("a page kept");
        assert_eq!(open_elements(&html), Vec::<String>::new(), "{name}");
        for banned in [" style=", "<style", "javascript:", " onclick=", " onload=", "http-equiv"] {
            assert!(!html.contains(banned), "{name} has {banned}");
        }
        for script in html.split("<script").skip(1) {
            assert!(script.contains("></script>"), "{name} has an inline script");
        }
        let posts = html.matches("method=\"post\"").count();
        let tokens = html.matches("name=\"form_token\" value=\"form-token\"").count();
        let open = name.starts_with("login") || name == "setup";
        assert!(posts == tokens || open, "{name}: a form without its token");
        assert!(html.contains("id=\"main\"") && html.matches("<h1").count() == 1, "{name}");
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name} uses an id twice");
    }
}
