//! What every store must do, whatever it is made of. A new store adds one function that makes
//! it and one test that runs the suite on it.

use std::sync::Arc;

use kattila::model::id::{AgentNo, AlarmId, EventId, NotificationId, ReportId};
use kattila::model::path::RelayPath;
use kattila::model::reach::Reach;
use kattila::model::report::{Interface, Route};
use kattila::model::state::{AgentStatus, AlarmState, EventKind, IdentityState, MessageState};
use kattila::model::time::UnixSeconds;
use kattila::store::audit::AuditFilter;
use kattila::store::carrier::{CarrierFilter, Carries};
use kattila::store::change::{Change, LEARNT_LATER, NewEvent, NewReport};
use kattila::store::earlier::{Earlier, EdgePast};
use kattila::store::flap::{FlapRecord, Flaps};
use kattila::store::flush::{AgentDynamic, DynamicState, Flushed, PeerDynamic};
use kattila::store::identity::IdentityRecord;
use kattila::store::layout::StepChanges;
use kattila::store::network::{Network, NetworkFilter};
use kattila::store::notice::MessageRecord;
use kattila::store::past::ChangesAsked;
use kattila::store::people::SessionFilter;
use kattila::store::row::{AlarmFilter, EventFilter, FleetSnapshot, InterfaceRow, ReportFilter};
use kattila::store::share::ShareRecord;
use kattila::store::sqlite::{Durability, open};
use kattila::store::{Reader, StoreError, Writer};

use crate::store_metrics;
use crate::store_notices;
use crate::store_prune;
use crate::store_samples::{
    T, agent, alarm, bare_agent, bare_interface, channel, edge, edge_id, envelope, event, flap,
    frame_dictionary, identity, interface, key, message, only_report, peer, place, report, route,
    sealed, session, share, step, telling, user, wg_key, window,
};

type Store = (Box<dyn Writer>, Arc<dyn Reader>);

#[test]
fn sqlite_file() {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::Full, Durability::Normal] {
        let count = std::cell::Cell::new(0);
        suite(|| {
            count.set(count.get() + 1);
            let db = dir.path().join(format!("{durability:?}-{}.db", count.get()));
            let opened = open(&db, durability).unwrap();
            (Box::new(opened.writer), opened.reader)
        });
    }
}

/// Runs every case on an empty store of its own.
fn suite(make: impl Fn() -> Store) {
    an_empty_store_is_empty(make());
    everything_comes_back(make());
    what_is_calm_is_forgotten(make());
    store_notices::messages_wait_in_order_and_are_found(make());
    store_notices::messages_leave_when_they_are_old(make());
    store_metrics::hours_come_back_and_are_replaced(make());
    store_metrics::reports_are_found_by_when_they_were_measured(make());
    one_key_is_in_force_and_past_ones_prove(make());
    a_second_change_replaces_values(make());
    removals_remove(make());
    one_bad_change_does_not_sink_the_batch(make());
    a_forgotten_batch_leaves_nothing(make());
    one_alarm_per_thing_is_open(make());
    flushed_values_come_back(make());
    replay_memory_is_exact(make());
    bodies_are_known_again(make());
    neighbours_in_time_are_found(make());
    the_past_of_links_is_found(make());
    the_past_of_the_map_is_found(make());
    changes_are_counted_and_told(make());
    reports_are_paged(make());
    events_are_paged(make());
    the_audit_is_found_and_paged(make());
    alarms_are_filtered(make());
    envelopes_come_back_byte_for_byte(make());
    prefixes_are_found(make());
    networks_are_gathered(make());
    numbers_keep_their_names(make());
    keys_sessions_and_notes(make());
    users_come_and_go_with_their_sessions(make());
    shared_links_are_opened_shrink_and_go(make());
    a_stop_is_orderly(make());
    store_prune::old_reports_leave_in_chunks(make());
    store_prune::reports_that_may_come_again_stay(make());
    store_prune::size_takes_the_oldest_reports(make());
    store_prune::what_is_cut_off_is_told(make());
    store_prune::dictionaries_stay_while_a_report_needs_them(make());
    store_prune::the_last_word_on_each_thing_stays(make());
    store_prune::history_leaves_in_chunks(make());
    store_prune::cleared_alarms_leave(make());
    store_prune::what_is_free_is_given_back(make());
    store_prune::a_chunk_waits_for_the_end_of_a_batch(make());
}

fn write(writer: &mut dyn Writer, changes: &[Change]) {
    writer.begin().unwrap();
    for change in changes {
        writer.record(change).unwrap();
    }
    writer.commit().unwrap();
}

/// The numbers of the reports that a filter finds.
fn numbers(reader: &dyn Reader, filter: &ReportFilter) -> Vec<i64> {
    reader.reports(filter).unwrap().iter().map(|row| row.summary.id.0).collect()
}

fn everything() -> Change {
    Change {
        agents: vec![agent(1), bare_agent(2)],
        identities: vec![
            identity(1, 1, IdentityState::Retired),
            identity(2, 1, IdentityState::Pinned),
        ],
        report: Some(report(1, 1)),
        interfaces_set: vec![
            (AgentNo(1), interface("wg0", 1)),
            (AgentNo(1), bare_interface("dummy0")),
        ],
        routes_added: vec![
            (AgentNo(1), route("0.0.0.0/0", Some("10.0.0.1"))),
            (AgentNo(1), route("10.0.0.0/24", None)),
            (AgentNo(1), route("9.0.0.0/8", None)),
        ],
        peers_set: vec![peer(1, 9), peer(1, 8)],
        edges_set: vec![edge(9), edge(8)],
        alarms: vec![alarm(1, "e9", AlarmState::Active), alarm(2, "e8", AlarmState::Cleared)],
        flaps: Flaps { set: vec![flap("e9")], removed: Vec::new() },
        tells: vec![telling(1, "chat")],
        messages: vec![message(1, MessageState::Waiting), message(2, MessageState::Dead)],
        channels: vec![channel("chat")],
        windows: vec![window(1), window(2)],
        events: vec![event(Some(1), "wg0"), event(None, "manager")],
        keys: vec![key("45819852fbdfc69a", "current")],
        layout: vec![place("a:agent-1")],
        layout_steps: StepChanges { added: vec![step(1), step(2)], removed: Vec::new() },
        frame_dictionary: Some(frame_dictionary(1)),
        sessions: vec![session(1)],
        users: vec![user("olga"), user("kim")],
        shares: vec![share(2), share(1)],
        audit: vec![sealed(1), sealed(2)],
        meta: vec![("layout_rev", String::from("3"))],
        ..Change::default()
    }
}

fn an_empty_store_is_empty((mut writer, reader): Store) {
    let fleet = writer.load_fleet().unwrap();
    assert!(fleet.agents.is_empty() && fleet.alarms.is_empty() && fleet.meta.is_empty());
    assert_eq!((fleet.last_report, fleet.last_alarm), (ReportId(0), AlarmId(0)));
    assert!(reader.agent(&"nobody".parse().unwrap()).unwrap().is_none());
    assert!(reader.reports(&ReportFilter::whole(ReportId(1))).unwrap().is_empty());
    assert!(reader.alarms(&AlarmFilter::one(AlarmId(1))).unwrap().is_empty());
    assert!(reader.session(&[0; 32]).unwrap().is_none());
    let stats = reader.stats().unwrap();
    assert_eq!((stats.reports, stats.events, stats.last_event), (0, 0, EventId(0)));
}

fn shared_links_are_opened_shrink_and_go((mut writer, _reader): Store) {
    let shares = vec![share(1), share(2)];
    write(&mut *writer, &[Change { shares, ..Change::default() }]);
    let opened = ShareRecord {
        opened: 3,
        last_opened_at: Some(T.plus(10)),
        reach: Reach::only(["fleet-b".parse().unwrap()]),
        ..share(1)
    };
    let moved = ShareRecord { view: String::from("/users"), named: true, ..opened.clone() };
    write(&mut *writer, &[Change { shares: vec![moved], ..Change::default() }]);
    assert_eq!(writer.load_fleet().unwrap().shares, [opened, share(2)], "what it opens stays");
    let shares_removed = vec![[1; 32], [9; 32]];
    write(&mut *writer, &[Change { shares_removed, ..Change::default() }]);
    assert_eq!(writer.load_fleet().unwrap().shares, [share(2)]);
}

fn what_is_calm_is_forgotten((mut writer, _reader): Store) {
    let louder = FlapRecord { penalty: 9_000, ..flap("e9") };
    for (set, removed, left) in [
        (vec![flap("e9"), flap("e8")], Vec::new(), vec![flap("e8"), flap("e9")]),
        (vec![louder.clone()], vec![(louder.kind, "e8".to_owned())], vec![louder.clone()]),
        (Vec::new(), vec![(louder.kind, "e9".to_owned())], Vec::new()),
    ] {
        let flaps = Flaps { set, removed };
        write(&mut *writer, &[Change { flaps, ..Change::default() }]);
        assert_eq!(writer.load_fleet().unwrap().flaps, left);
    }
}

fn everything_comes_back((mut writer, reader): Store) {
    write(&mut *writer, &[everything()]);
    let FleetSnapshot {
        agents,
        peers,
        edges,
        interfaces,
        alarms,
        flaps,
        tells,
        waiting,
        channels,
        last_notification,
        windows,
        users,
        shares,
        keys,
        identities,
        layout,
        layout_steps,
        frame_dictionaries,
        meta,
        last_report,
        last_alarm,
        audit,
        flushed_upto,
    } = writer.load_fleet().unwrap();
    assert_eq!(agents, [agent(1), bare_agent(2)]);
    assert_eq!(peers, [peer(1, 8), peer(1, 9)]);
    assert_eq!(edges, [edge(8), edge(9)]);
    let row = |it: &Interface| InterfaceRow {
        agent: AgentNo(1),
        name: it.name.clone(),
        works: it.is_up(),
        public_key: it.public_key,
        mtu: it.mtu,
        addresses: it.addresses.clone(),
    };
    assert_eq!(interfaces, [row(&bare_interface("dummy0")), row(&interface("wg0", 1))]);
    assert_eq!(alarms, [alarm(1, "e9", AlarmState::Active)], "cleared ones stay behind");
    assert_eq!(flaps, [flap("e9")]);
    assert_eq!(tells, [telling(1, "chat")]);
    let bare = MessageRecord { items: Vec::new(), ..message(1, MessageState::Waiting) };
    assert_eq!(waiting, [bare], "without their alarms, and only what waits");
    assert_eq!((channels, last_notification), (vec![channel("chat")], NotificationId(2)));
    assert_eq!((windows, keys.len()), (vec![window(1), window(2)], 1));
    assert_eq!((users, shares), (vec![user("kim"), user("olga")], vec![share(1), share(2)]));
    let own = [identity(1, 1, IdentityState::Retired), identity(2, 1, IdentityState::Pinned)];
    assert_eq!(identities, own);
    assert_eq!((layout, layout_steps), (vec![place("a:agent-1")], vec![step(1), step(2)]));
    assert_eq!(frame_dictionaries, [frame_dictionary(1)]);
    assert_eq!(reader.frame_dictionaries().unwrap(), frame_dictionaries);
    assert_eq!(meta, [(String::from("layout_rev"), String::from("3"))]);
    assert_eq!((last_report, last_alarm, flushed_upto), (ReportId(1), AlarmId(2), ReportId(0)));

    assert_eq!(audit, sealed(2).head);
    assert_eq!(reader.stats().unwrap().audit, audit);

    one_agent_comes_back(&mut *writer, &*reader, &own);
}

/// The audit by every filter, in both directions.
fn the_audit_is_found_and_paged((mut writer, reader): Store) {
    let audit: Vec<_> = (1..=9).map(sealed).collect();
    write(&mut *writer, &[Change { audit: audit.clone(), ..Change::default() }]);
    let all = AuditFilter { limit: 100, ..AuditFilter::default() };
    let found = |filter: AuditFilter| -> Vec<i64> {
        reader.audit(&filter).unwrap().iter().map(|row| row.head.seq).collect()
    };
    assert_eq!(reader.audit(&AuditFilter::onwards(0, 100)).unwrap(), audit);
    assert_eq!(found(AuditFilter { limit: 2, ..all.clone() }), [9, 8]);
    assert_eq!(found(AuditFilter { before: Some(3), ..all.clone() }), [2, 1]);
    assert_eq!(found(AuditFilter::onwards(7, 1)), [8]);
    assert_eq!(found(AuditFilter { who: Some("who-3".into()), ..all.clone() }), [3]);
    assert_eq!(found(AuditFilter { act: Some("agent.revoke".into()), ..all.clone() }).len(), 9);
    assert_eq!(found(AuditFilter { act: Some("agent.".into()), ..all.clone() }).len(), 9);
    assert_eq!(found(AuditFilter { act: Some("agent".into()), ..all.clone() }).len(), 0);
    assert_eq!(found(AuditFilter { text: Some("100%_4".into()), ..all.clone() }), [4]);
    assert_eq!(found(AuditFilter { text: Some("192.0.2.5".into()), ..all.clone() }), [5]);
    let (from, to) = (Some(T.plus(3)), Some(T.plus(5)));
    assert_eq!(found(AuditFilter { from, to, ..all }), [4, 3]);
    // A number is given once.
    writer.begin().unwrap();
    let again = Change { audit: vec![sealed(9)], ..Change::default() };
    assert!(matches!(writer.record(&again), Err(StoreError::Constraint(_))));
    writer.rollback();
}

fn one_agent_comes_back(writer: &mut dyn Writer, reader: &dyn Reader, own: &[IdentityRecord]) {
    let detail = reader.agent(&"agent-1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(detail.agent, agent(1));
    assert_eq!(detail.interfaces, [bare_interface("dummy0"), interface("wg0", 1)]);
    // In the order of the values: 9.0.0.0/8 before 10.0.0.0/24.
    let mut routes = vec![
        route("0.0.0.0/0", Some("10.0.0.1")),
        route("9.0.0.0/8", None),
        route("10.0.0.0/24", None),
    ];
    routes.sort();
    assert_eq!(detail.routes, routes);
    assert_eq!(detail.peers[0], (peer(1, 8).peer, edge_id(8)));
    assert_eq!(detail.identities, own);
    let (interfaces, routes_again) = writer.sections(AgentNo(1)).unwrap();
    assert_eq!((interfaces, routes_again), (detail.interfaces, routes));
}

/// Who has an address, who routes a prefix, and who lets a peer use it; a default route says
/// nothing unless it is asked for.
fn prefixes_are_found((mut writer, reader): Store) {
    let mut other = everything();
    other.agents[1].fleet = "elsewhere".parse().unwrap();
    write(&mut *writer, &[other]);
    let find = |net: &str, addresses_only, limit| {
        let fleet = Some(agent(1).fleet);
        let net = net.parse().unwrap();
        let filter = CarrierFilter { fleet, net, addresses_only, limit };
        let found = reader.carriers(&filter).unwrap();
        assert!(found.iter().all(|row| row.agent_id == agent(1).id), "{found:?}");
        assert!(found.iter().all(|row| row.hostname == agent(1).hostname), "{found:?}");
        found.into_iter().map(|row| row.how).collect::<Vec<_>>()
    };
    let own =
        Carries::Address { interface: "wg0".to_owned(), address: interface("wg0", 1).addresses[0] };
    let routed = Carries::Route(route("10.0.0.0/24", None));
    let lets = |seed| Carries::AllowedIp {
        interface: "wg0".to_owned(),
        public_key: wg_key(seed),
        net: "10.0.0.2/32".parse().unwrap(),
    };
    assert_eq!(find("10.0.0.1/32", true, 9), std::slice::from_ref(&own));
    assert_eq!(find("10.0.0.1/32", false, 9), [own.clone(), routed.clone()]);
    let all = [own.clone(), lets(8), lets(9), routed.clone()];
    assert_eq!(find("10.0.0.0/16", false, 9), all);
    assert_eq!(find("10.0.0.0/16", false, 2), all[..2]);
    assert_eq!(find("0.0.0.0/0", false, 9), [Carries::Route(route("0.0.0.0/0", Some("10.0.0.1")))]);
    assert_eq!(find("10.0.0.11/32", true, 9), [], "10.0.0.1 is no part of it");
    assert_eq!(find("fd00::1/128", true, 9).len(), 1);
    assert_eq!(find("2001:db8::/32", false, 9), []);
    let filter = CarrierFilter {
        fleet: Some("elsewhere".parse().unwrap()),
        net: "::/1".parse().unwrap(),
        addresses_only: false,
        limit: 9,
    };
    assert_eq!(reader.carriers(&filter).unwrap(), [], "one fleet sees nothing of another");
    let all_fleets = CarrierFilter { fleet: None, ..filter };
    assert_eq!(reader.carriers(&all_fleets).unwrap(), [], "nobody has it");
}

/// What routes and allowed IPs lead to, fleet by fleet, and whether anybody has an address in it.
fn networks_are_gathered((mut writer, reader): Store) {
    let mut all = everything();
    all.agents[1].fleet = "elsewhere".parse().unwrap();
    let far =
        |protocol: &str, dst| Route { protocol: Some(protocol.to_owned()), ..route(dst, None) };
    all.routes_added.extend([
        (AgentNo(1), route("9.9.0.0/16", Some("10.0.0.1"))),
        (AgentNo(1), far("static", "10.0.0.0/16")),
        (AgentNo(2), far("static", "10.0.0.0/16")),
        (AgentNo(2), far("kernel", "10.7.0.0/16")),
        (AgentNo(2), Route { kind: "blackhole".to_owned(), ..far("static", "10.8.0.0/16") }),
    ]);
    write(&mut *writer, &[all]);
    let told = |reach: Reach, limit| {
        let found = reader.networks(&NetworkFilter { reach, after: None, limit }).unwrap();
        let line = |one: &Network| {
            let exits = one.exits.iter().map(|exit| exit.agent_id.as_str()).collect::<Vec<_>>();
            format!("{} {} {}", one.net, one.inside, exits.join(" "))
        };
        (found.networks.iter().map(line).collect::<Vec<_>>(), found.left_out)
    };
    let (own, others) = (agent(1).id, agent(2).id);
    let elsewhere = format!("10.0.0.0/16 false {others}");
    let lines =
        [elsewhere.clone(), format!("9.9.0.0/16 false {own}"), format!("10.0.0.0/16 true {own}")];
    let (mut found, left_out) = told(Reach::Whole, 9);
    found.sort();
    let mut sorted = lines.to_vec();
    sorted.sort();
    assert_eq!((found, left_out), (sorted, 0));
    let limited = Reach::Fleets(Arc::new(["elsewhere".parse().unwrap()].into()));
    assert_eq!(told(limited, 9), (vec![elsewhere], 0));
    let (first, left_out) = told(Reach::Whole, 2);
    assert_eq!((first.len(), left_out), (2, 1));
    assert!(first.iter().all(|line| line.contains("false")), "{first:?}");
}

/// A key goes out of force and the next comes in with one change; reports stay tied to theirs.
fn one_key_is_in_force_and_past_ones_prove((mut writer, reader): Store) {
    let mut first = identity(1, 1, IdentityState::Pinned);
    let mut signed = report(1, 1);
    signed.kid = first.kid.clone();
    let begin = Change {
        agents: vec![agent(1)],
        identities: vec![first.clone()],
        report: Some(signed),
        ..Change::default()
    };
    write(&mut *writer, &[begin]);
    let second = identity(2, 1, IdentityState::Pinned);
    writer.begin().unwrap();
    let both = Change { identities: vec![second.clone()], ..Change::default() };
    let refused = writer.record(&both);
    assert!(matches!(refused, Err(StoreError::Constraint(_))), "two keys in force: {refused:?}");
    first.state = IdentityState::Retired;
    first.retired_at = Some(T);
    // The new one stands first, and is still written after the old one has gone.
    let rotate = Change { identities: vec![second.clone(), first.clone()], ..Change::default() };
    writer.record(&rotate).unwrap();
    let stolen = Change {
        identities: vec![IdentityRecord { public_key: second.public_key, ..first.clone() }],
        ..Change::default()
    };
    assert!(matches!(writer.record(&stolen), Err(StoreError::Constraint(_))));
    writer.commit().unwrap();
    assert_eq!(writer.load_fleet().unwrap().identities, [first.clone(), second]);
    let proof = reader.reports(&ReportFilter::onwards(ReportId(0), 9)).unwrap();
    assert_eq!(proof[0].own_key, Some(first.public_key));
}

fn a_second_change_replaces_values((mut writer, reader): Store) {
    write(&mut *writer, &[everything()]);
    let mut changed = agent(2);
    changed.status = AgentStatus::Offline;
    let mut older_edge = edge(9);
    older_edge.first_seen = T.plus(500);
    older_edge.reason = String::from("No handshake for 300 s.");
    write(
        &mut *writer,
        &[Change {
            agents: vec![changed.clone()],
            interfaces_set: vec![(AgentNo(1), bare_interface("wg0"))],
            routes_added: vec![(AgentNo(1), route("9.0.0.0/8", None))],
            edges_set: vec![older_edge.clone()],
            alarms: vec![alarm(1, "e9", AlarmState::Cleared)],
            meta: vec![("layout_rev", String::from("4"))],
            ..Change::default()
        }],
    );
    let fleet = writer.load_fleet().unwrap();
    assert_eq!(fleet.agents, [agent(1), changed]);
    assert_eq!(fleet.edges[1].reason, older_edge.reason);
    assert_eq!(fleet.edges[1].first_seen, T, "an edge does not become younger");
    assert!(fleet.alarms.is_empty() && fleet.interfaces.iter().all(|i| i.public_key.is_none()));
    assert_eq!(fleet.meta[0].1, "4");
    assert_eq!(writer.sections(AgentNo(1)).unwrap().1.len(), 3, "the route was there already");
    let row = reader.alarms(&AlarmFilter::one(AlarmId(1))).unwrap().remove(0);
    assert_eq!(row.alarm, alarm(1, "e9", AlarmState::Cleared));
    assert_eq!(row.agent_id, Some("agent-1".parse().unwrap()));
}

fn removals_remove((mut writer, reader): Store) {
    write(&mut *writer, &[everything()]);
    write(
        &mut *writer,
        &[Change {
            interfaces_removed: vec![(AgentNo(1), String::from("dummy0"))],
            routes_removed: vec![(AgentNo(1), route("0.0.0.0/0", Some("10.0.0.1")))],
            peers_removed: vec![(AgentNo(1), String::from("wg0"), wg_key(9))],
            edges_removed: vec![edge_id(9)],
            sessions_removed: vec![[1; 32]],
            layout_removed: vec![String::from("a:agent-1"), String::from("nowhere")],
            layout_steps: StepChanges { added: vec![step(3)], removed: vec![2, 9] },
            ..Change::default()
        }],
    );
    let detail = reader.agent(&"agent-1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(detail.interfaces, [interface("wg0", 1)]);
    assert_eq!(detail.routes, [route("9.0.0.0/8", None), route("10.0.0.0/24", None)]);
    assert_eq!(detail.peers, [(peer(1, 8).peer, edge_id(8))]);
    assert_eq!(writer.load_fleet().unwrap().edges, [edge(8)]);
    assert!(reader.session(&[1; 32]).unwrap().is_none());
    assert!(writer.load_fleet().unwrap().layout.is_empty());
    assert_eq!(writer.load_fleet().unwrap().layout_steps, [step(1), step(3)]);

    // A reset clears first and inserts after, in one change.
    write(
        &mut *writer,
        &[Change {
            agents_cleared: vec![AgentNo(1)],
            interfaces_set: vec![(AgentNo(1), bare_interface("lo"))],
            ..Change::default()
        }],
    );
    let detail = reader.agent(&"agent-1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(detail.interfaces, [bare_interface("lo")]);
    assert!(detail.routes.is_empty() && detail.peers.is_empty());
    assert_eq!(reader.stats().unwrap().reports, 1, "reports stay");
}

fn one_bad_change_does_not_sink_the_batch((mut writer, reader): Store) {
    writer.begin().unwrap();
    writer.record(&Change { agents: vec![agent(1)], ..Change::default() }).unwrap();
    writer.record(&only_report(1, 1)).unwrap();
    let bad = [
        // The same number again; an agent that is not there; a rule broken at the very end.
        only_report(1, 1),
        only_report(2, 99),
        Change {
            report: Some(report(2, 1)),
            events: vec![event(Some(1), "wg0")],
            keys: vec![key("45819852fbdfc69a", "no such state")],
            ..Change::default()
        },
    ];
    for change in &bad {
        let error = writer.record(change).unwrap_err();
        assert!(matches!(error, StoreError::Constraint(_)), "{error}");
    }
    writer.record(&only_report(3, 1)).unwrap();
    writer.commit().unwrap();
    assert_eq!(numbers(&*reader, &ReportFilter { limit: 9, ..ReportFilter::default() }), [3, 1]);
    assert_eq!(reader.stats().unwrap().last_event, EventId(0), "nothing of a bad change is kept");
}

fn a_forgotten_batch_leaves_nothing((mut writer, reader): Store) {
    writer.begin().unwrap();
    writer.record(&everything()).unwrap();
    assert!(reader.agent(&"agent-1".parse().unwrap()).unwrap().is_none(), "not before the commit");
    writer.rollback();
    assert!(reader.agent(&"agent-1".parse().unwrap()).unwrap().is_none());
    write(&mut *writer, &[everything()]);
    assert!(reader.agent(&"agent-1".parse().unwrap()).unwrap().is_some());
}

fn one_alarm_per_thing_is_open((mut writer, _reader): Store) {
    write(&mut *writer, &[everything()]);
    let twin = Change { alarms: vec![alarm(3, "e9", AlarmState::Pending)], ..Change::default() };
    writer.begin().unwrap();
    assert!(matches!(writer.record(&twin), Err(StoreError::Constraint(_))));
    // In one change, in either order, the old one makes room for the new one.
    let relay = vec![alarm(3, "e9", AlarmState::Pending), alarm(1, "e9", AlarmState::Cleared)];
    writer.record(&Change { alarms: relay, ..Change::default() }).unwrap();
    writer.commit().unwrap();
    let open = writer.load_fleet().unwrap().alarms;
    assert_eq!(open, [alarm(3, "e9", AlarmState::Pending)]);
}

fn flushed_values_come_back((mut writer, _reader): Store) {
    write(&mut *writer, &[everything()]);
    let moved = AgentDynamic {
        no: AgentNo(2),
        last_seen_at: T.plus(99),
        last_tick: Some(5),
        uptime_seconds: Some(u64::MAX),
        load: Some([1.0, 2.0, 3.0]),
        clock_offset: 2,
    };
    let stranger = AgentDynamic { no: AgentNo(404), ..moved.clone() };
    let peer_moved = PeerDynamic {
        agent: AgentNo(1),
        interface: String::from("wg0"),
        public_key: wg_key(9),
        latest_handshake: T.plus(50),
        rx_bytes: 10,
        tx_bytes: 20,
        measured_at: T.plus(60),
    };
    let state = DynamicState { agents: vec![moved, stranger], peers: Vec::new() };
    let first = Change { flushed: Some(Flushed { state, upto: ReportId(0) }), ..Change::default() };
    // With something else in the same batch, and before it.
    let state = DynamicState { agents: Vec::new(), peers: vec![peer_moved] };
    let second = Change {
        flushed: Some(Flushed { state, upto: ReportId(1) }),
        meta: vec![("layout_rev", String::from("5"))],
        ..Change::default()
    };
    write(&mut *writer, &[first, second]);
    let fleet = writer.load_fleet().unwrap();
    assert_eq!((fleet.flushed_upto, fleet.meta[0].1.as_str()), (ReportId(1), "5"));
    assert_eq!(fleet.agents.len(), 2);
    let agent = &fleet.agents[1];
    assert_eq!((agent.last_seen_at, agent.last_tick), (Some(T.plus(99)), Some(5)));
    assert_eq!((agent.load, agent.clock_offset), (Some([1.0, 2.0, 3.0]), 2));
    // Counters end at the largest signed number.
    assert_eq!(agent.uptime_seconds, Some(i64::MAX.cast_unsigned()));
    assert_eq!(fleet.agents[0], crate::store_samples::agent(1), "untouched");
    let peer = &fleet.peers[1];
    assert_eq!(peer.peer.latest_handshake, T.plus(50));
    assert_eq!((peer.peer.rx_bytes, peer.peer.tx_bytes), (10, 20));
    assert_eq!(peer.measured_at, T.plus(60));
}

fn replay_memory_is_exact((mut writer, _reader): Store) {
    let agents = Change { agents: vec![agent(1), agent(2)], ..Change::default() };
    let reports = (1..=20).map(|id| only_report(id, 1 + id % 2));
    let changes: Vec<_> = std::iter::once(agents).chain(reports).collect();
    write(&mut *writer, &changes);
    let rows = writer.earlier(AgentNo(1), &Earlier::Since(T.plus(11))).unwrap().reports;
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    assert_eq!(ids, [12, 14, 16, 18, 20]);
    let row = &rows[0];
    assert_eq!((row.nonce.as_str(), row.tick), ("nonce-12", Some(12)));
    assert_eq!((row.timestamp, row.received_at), (T.plus(12), T.plus(12)));
    assert_eq!(row.data_sha256, [12; 32]);
    let all = Earlier::Since(UnixSeconds(0));
    assert_eq!(writer.earlier(AgentNo(1), &all).unwrap().reports.len(), 10);
    assert!(writer.earlier(AgentNo(3), &all).unwrap().reports.is_empty());
    // What the open batch holds belongs to it.
    writer.begin().unwrap();
    writer.record(&only_report(21, 1)).unwrap();
    assert_eq!(writer.earlier(AgentNo(1), &all).unwrap().reports.len(), 11);
    writer.rollback();
    assert_eq!(writer.earlier(AgentNo(1), &all).unwrap().reports.len(), 10);
}

fn bodies_are_known_again((mut writer, _reader): Store) {
    let agents = Change { agents: vec![agent(1), agent(2)], ..Change::default() };
    let reports = (1..=20).map(|id| {
        let untold = NewReport { collected_at: None, ..report(id, 1 + id % 2) };
        let report = if id < 10 { report(id, 1 + id % 2) } else { untold };
        Change { report: Some(report), ..Change::default() }
    });
    let changes: Vec<_> = std::iter::once(agents).chain(reports).collect();
    write(&mut *writer, &changes);
    let last = writer.earlier(AgentNo(1), &Earlier::LastV1(7)).unwrap().reports;
    let numbers: Vec<_> = last.iter().map(|body| body.data_sha256[0]).collect();
    assert_eq!(numbers, [8, 10, 12, 14, 16, 18, 20]);
    assert_eq!((last[0].collected_at, last[0].received_at), (Some(T.plus(7)), T.plus(8)));
    assert_eq!(last[1].collected_at, None);
    let mut taken = |agent, number: u8, told: Option<i64>, since| {
        let digests = [[255; 32], [number; 32]];
        let (collected_at, since) = (told.map(|at| T.plus(at)), T.plus(since));
        let same = Earlier::SameV1Body { digests, collected_at, since };
        writer.earlier(AgentNo(agent), &same).unwrap().reports.pop().map(|row| row.received_at)
    };
    assert_eq!(taken(1, 12, None, 12), Some(T.plus(12)));
    assert_eq!(taken(1, 12, None, 13), None, "too long ago");
    assert_eq!(taken(2, 12, None, 0), None, "another agent's");
    assert_eq!(taken(1, 8, Some(7), 0), Some(T.plus(8)));
    assert_eq!(taken(1, 8, Some(6), 0), None, "another time inside");
    assert_eq!(taken(1, 8, None, 0), None);
    assert_eq!(taken(1, 8, Some(7), 9), None);
}

fn neighbours_in_time_are_found((mut writer, _reader): Store) {
    let agents = Change { agents: vec![agent(1), agent(2)], ..Change::default() };
    let at = |id: i64, late: bool, at: i64| {
        let report = NewReport { late, collected_at: Some(T.plus(at)), ..report(id, 1) };
        Change { report: Some(report), ..Change::default() }
    };
    let other = only_report(4, 2);
    let ours = [at(1, false, 10), at(2, false, 20), at(3, false, 90), other];
    let late = [at(5, true, 40), at(6, true, 60), at(7, true, 60), at(8, true, 120)];
    let changes: Vec<_> = std::iter::once(agents).chain(ours).chain(late).collect();
    write(&mut *writer, &changes);
    let around = |writer: &mut dyn Writer, at: i64| -> Vec<i64> {
        let found = writer.earlier(AgentNo(1), &Earlier::Around(T.plus(at))).unwrap().reports;
        assert!(found.iter().all(|row| row.envelope == envelope(row.id.0)));
        found.iter().map(|row| row.id.0).collect()
    };
    let expected: [(i64, &[i64]); 9] = [
        (9, &[1]),
        (10, &[1, 2]),
        (39, &[2, 5]),
        (40, &[5, 7]),
        (60, &[7, 3]),
        (89, &[7, 3]),
        (90, &[3, 8]),
        (120, &[8]),
        (999, &[8]),
    ];
    for (at, ids) in expected {
        assert_eq!(around(&mut *writer, at), ids, "{at}");
    }
    let end = |writer: &mut dyn Writer| -> Vec<i64> {
        let found = writer.earlier(AgentNo(1), &Earlier::End).unwrap().reports;
        found.iter().map(|row| row.id.0).collect()
    };
    assert_eq!(end(&mut *writer), [8]);
    assert!(writer.earlier(AgentNo(2), &Earlier::End).unwrap().reports.is_empty());
    // The open batch counts, and what is forgotten with it does not.
    writer.begin().unwrap();
    writer.record(&at(9, false, 119)).unwrap();
    assert_eq!((end(&mut *writer), around(&mut *writer, 100)), (vec![8], vec![3, 9]));
    writer.record(&at(10, true, 130)).unwrap();
    writer.record(&at(11, false, 130)).unwrap();
    assert_eq!((end(&mut *writer), around(&mut *writer, 125)), (vec![], vec![8, 11]));
    writer.rollback();
    assert_eq!((end(&mut *writer), around(&mut *writer, 100)), (vec![8], vec![3, 8]));
}

fn the_past_of_links_is_found((mut writer, _reader): Store) {
    let told = |at: i64, kind, word: Option<&str>, cause: Option<&str>| {
        let after = word.map(|word| serde_json::json!({ "state": word }));
        let (at, cause) = (T.plus(at), cause.map(String::from));
        NewEvent { at, kind, after, cause, ..event(Some(1), edge_id(9).as_str()) }
    };
    let events = vec![
        told(10, EventKind::EdgeState, Some("up"), None),
        told(30, EventKind::EdgeState, Some("unknown"), None),
        told(50, EventKind::EdgeRemoved, None, None),
        told(40, EventKind::EdgeState, Some("down"), Some(LEARNT_LATER)),
        told(40, EventKind::EdgeState, Some("idle"), Some(LEARNT_LATER)),
    ];
    write(&mut *writer, &[Change { agents: vec![agent(1)], events, ..Change::default() }]);
    let mut at = |at: i64| -> Option<(String, Option<AgentNo>, Option<i64>)> {
        let edges = Earlier::Edges { at: T.plus(at), ids: vec![edge_id(8), edge_id(9)] };
        let EdgePast { id, value, learnt_from, next_at } =
            writer.earlier(AgentNo(1), &edges).unwrap().edges.pop()?;
        assert_eq!(id, edge_id(9));
        Some((value["state"].as_str()?.to_owned(), learnt_from, next_at.map(|at| at.since(T))))
    };
    assert_eq!(at(9), None);
    assert_eq!(at(10), Some((String::from("up"), None, Some(30))));
    assert_eq!(at(39), Some((String::from("unknown"), None, Some(40))));
    assert_eq!(at(40), Some((String::from("idle"), Some(AgentNo(1)), Some(50))), "the last of two");
    assert_eq!(at(50), None, "it is gone");
}

/// An event of the map: when it happened and when it was learnt.
fn of_the_map(kind: EventKind, subject: &str, times: (i64, i64), after: &str) -> NewEvent {
    NewEvent {
        at: T.plus(times.0),
        recorded_at: T.plus(times.1),
        kind,
        after: Some(serde_json::from_str(after).unwrap()),
        cause: None,
        ..event(Some(1), subject)
    }
}

/// A link, an agent and an alarm; the host's clock is ahead, and one report comes late.
fn story() -> Change {
    use EventKind as K;
    let late = NewEvent {
        cause: Some(String::from(LEARNT_LATER)),
        ..of_the_map(K::EdgeState, "e1", (30, 90), r#"{"state":"idle"}"#)
    };
    Change {
        agents: vec![agent(1)],
        events: vec![
            of_the_map(K::AgentRegistered, "agent-1", (10, 10), r#"{"status":"online"}"#),
            of_the_map(K::AgentChanged, "agent-1", (11, 11), r#"{"hostname":"gw"}"#),
            of_the_map(K::AgentChanged, "agent-1", (12, 12), r#"{"boot_id":"b"}"#),
            of_the_map(K::EdgeAdded, "e1", (60, 20), r#"{"ends":[]}"#),
            of_the_map(K::EdgeState, "e1", (60, 20), r#"{"state":"up"}"#),
            of_the_map(K::EdgeState, "e1", (40, 40), r#"{"state":"down"}"#),
            of_the_map(K::AlarmRaised, "edge.down e1", (45, 45), r#"{"severity":"major"}"#),
            late,
        ],
        alarms: vec![kattila::store::change::AlarmRecord {
            raised_at: Some(T.plus(45)),
            acknowledged_at: Some(T.plus(50)),
            returned_at: None,
            cleared_at: Some(T.plus(60)),
            ..alarm(1, "e1", AlarmState::Cleared)
        }],
        layout: vec![place("a:agent-1")],
        ..Change::default()
    }
}

fn the_past_of_the_map_is_found((mut writer, reader): Store) {
    assert_eq!(reader.past(T).unwrap().since, None);
    write(&mut *writer, &[story()]);
    let facts = |at: i64| -> Vec<i64> {
        let mut ids: Vec<_> =
            reader.past(T.plus(at)).unwrap().facts.iter().map(|row| row.id.0).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(facts(9), [0; 0]);
    assert_eq!(facts(12), [1, 2], "the name, whatever changed since");
    assert_eq!(facts(29), [1, 2, 4, 5], "since it was learnt, not since the host says");
    assert_eq!(facts(30), [1, 2, 4, 8], "what came late, since it happened");
    assert_eq!(facts(40), [1, 2, 4, 6]);
    let alarms = |at: i64| -> Vec<(u32, u32)> {
        let past = reader.past(T.plus(at)).unwrap();
        past.alarms.iter().map(|row| (row.active, row.unacknowledged)).collect()
    };
    assert_eq!([alarms(44), alarms(45), alarms(50)], [vec![], vec![(1, 1)], vec![(1, 0)]]);
    assert_eq!(alarms(60), []);
    let past = reader.past(T.plus(50)).unwrap();
    assert_eq!((past.since, past.layout.len()), (Some(T.plus(10)), 1));
}

fn changes_are_counted_and_told((mut writer, reader): Store) {
    write(&mut *writer, &[story()]);
    let asked = ChangesAsked {
        from: T.plus(20),
        to: T.plus(60),
        step: 20,
        limit: 100,
        around: Some(T.plus(40)),
        reach: Reach::Whole,
    };
    let found = reader.changes(&asked).unwrap();
    let tallies: Vec<_> = found
        .tallies
        .iter()
        .map(|t| (t.step, t.kind.as_str(), t.word.as_deref().unwrap_or_default(), t.count))
        .collect();
    let wanted = [
        (0, "edge.added", "", 1),
        (0, "edge.state", "idle", 1),
        (0, "edge.state", "up", 1),
        (1, "alarm.raised", "major", 1),
        (1, "edge.state", "down", 1),
    ];
    assert_eq!(tallies, wanted);
    let told: Vec<i64> = found.events.iter().map(|row| row.id.0).collect();
    assert_eq!(told, [4, 5, 8, 6, 7]);
    assert_eq!((found.previous, found.next), (Some(T.plus(30)), Some(T.plus(45))));
    let last = reader.changes(&ChangesAsked { step: 0, limit: 2, around: None, ..asked }).unwrap();
    assert_eq!(last.events.iter().map(|row| row.id.0).collect::<Vec<_>>(), [6, 7]);
    assert!(last.tallies.is_empty() && last.next.is_none());
    let until = EventFilter { until: Some(T.plus(30)), limit: 100, ..EventFilter::default() };
    assert_eq!(reader.events(&until).unwrap().len(), 6);
}

fn reports_are_paged((mut writer, reader): Store) {
    let agents = Change { agents: vec![agent(1), agent(2)], ..Change::default() };
    let reports = (1..=20).map(|id| only_report(id, 1 + id % 2));
    let changes: Vec<_> = std::iter::once(agents).chain(reports).collect();
    write(&mut *writer, &changes);
    let page = |agent: Option<&str>, before: Option<i64>, limit| -> Vec<i64> {
        let agent = agent.map(|agent| agent.parse().unwrap());
        let before = before.map(ReportId);
        numbers(&*reader, &ReportFilter { agent, before, limit, ..ReportFilter::default() })
    };
    assert_eq!(page(None, None, 3), [20, 19, 18]);
    assert_eq!(page(None, Some(18), 3), [17, 16, 15]);
    assert_eq!(page(Some("agent-2"), None, 3), [19, 17, 15]);
    assert_eq!(page(Some("agent-2"), Some(5), 9), [3, 1]);
    assert_eq!(page(Some("nobody"), None, 9), [0; 0]);
    assert_eq!(page(None, None, 0), [0; 0]);
    assert_eq!(numbers(&*reader, &ReportFilter::onwards(ReportId(17), 2)), [18, 19]);
    assert_eq!(numbers(&*reader, &ReportFilter::whole(ReportId(7))), [7]);
    let bare = reader.reports(&ReportFilter { limit: 1, ..ReportFilter::default() }).unwrap();
    assert!(bare[0].envelope.is_empty(), "not asked for");
}

fn events_are_paged((mut writer, reader): Store) {
    let agents = Change { agents: vec![agent(1), agent(2)], ..Change::default() };
    let events = (0..10).map(|i| event(Some(1 + i % 2), if i < 5 { "wg0" } else { "wg1" }));
    let events = Change { events: events.collect(), ..Change::default() };
    write(&mut *writer, &[agents, events]);
    let page = |filter: EventFilter| -> Vec<i64> {
        reader.events(&filter).unwrap().iter().map(|row| row.id.0).collect()
    };
    let all = EventFilter { limit: 100, ..EventFilter::default() };
    assert_eq!(page(all.clone()), (1..=10).collect::<Vec<_>>());
    assert_eq!(page(EventFilter { after: Some(EventId(3)), limit: 2, ..all.clone() }), [4, 5]);
    assert_eq!(page(EventFilter { before: Some(EventId(9)), limit: 2, ..all.clone() }), [7, 8]);
    let second = Some("agent-2".parse().unwrap());
    assert_eq!(page(EventFilter { agent: second.clone(), ..all.clone() }), [2, 4, 6, 8, 10]);
    let subject = Some(String::from("wg1"));
    assert_eq!(page(EventFilter { agent: second, subject, ..all.clone() }), [6, 8, 10]);
    assert_eq!(reader.stats().unwrap().last_event, EventId(10));

    let row = reader.events(&all).unwrap().remove(0);
    let sent = event(Some(1), "wg0");
    assert_eq!((row.at, row.recorded_at), (sent.at, sent.recorded_at));
    assert_eq!(row.kind, EventKind::InterfaceChanged);
    assert_eq!((row.fleet, row.agent_id), (sent.fleet, Some("agent-1".parse().unwrap())));
    assert_eq!((row.before, row.after), (sent.before, sent.after));
    assert_eq!((row.report, row.cause), (sent.report, sent.cause));
}

fn alarms_are_filtered((mut writer, reader): Store) {
    let mut elsewhere = alarm(6, "f", AlarmState::Active);
    elsewhere.agent = None;
    let alarms = vec![
        alarm(1, "a", AlarmState::Pending),
        alarm(2, "b", AlarmState::Active),
        alarm(3, "c", AlarmState::Acknowledged),
        alarm(4, "d", AlarmState::Cleared),
        alarm(5, "e", AlarmState::Returned),
        elsewhere,
        alarm(7, "d", AlarmState::Cleared),
    ];
    write(&mut *writer, &[Change { agents: vec![agent(1)], alarms, ..Change::default() }]);
    let page = |filter: AlarmFilter| -> Vec<i64> {
        reader.alarms(&filter).unwrap().iter().map(|row| row.alarm.id.0).collect()
    };
    let open = AlarmFilter { limit: 100, ..AlarmFilter::default() };
    assert_eq!(page(open.clone()), [6, 5, 3, 2]);
    assert_eq!(page(AlarmFilter { since: Some(T.plus(5)), ..open.clone() }), [6, 5]);
    assert_eq!(page(AlarmFilter { before: Some(AlarmId(5)), limit: 1, ..open.clone() }), [3]);
    let first = Some("agent-1".parse().unwrap());
    assert_eq!(page(AlarmFilter { agent: first, ..open.clone() }), [5, 3, 2]);
    let cleared = AlarmFilter { cleared: true, ..open };
    assert_eq!(page(cleared.clone()), [7, 4]);
    assert_eq!(page(AlarmFilter { since: Some(T.plus(7)), ..cleared }), [7]);
    assert_eq!(page(AlarmFilter::one(AlarmId(1))), [1], "in whatever state");
    assert_eq!(page(AlarmFilter::one(AlarmId(4))), [4]);
}

fn envelopes_come_back_byte_for_byte((mut writer, reader): Store) {
    let mut short = report(2, 1);
    short.envelope = bytes::Bytes::from_static(b"{}");
    short.redacted = true;
    short.relay_path = RelayPath::direct();
    (short.tick, short.collected_at, short.source) = (None, None, None);
    let agents = Change { agents: vec![agent(1)], ..Change::default() };
    let short = Change { report: Some(short), ..Change::default() };
    write(&mut *writer, &[agents, only_report(1, 1), short]);

    let stored = reader.reports(&ReportFilter::whole(ReportId(1))).unwrap().remove(0);
    assert_eq!(stored.envelope, envelope(1));
    let (row, sent) = (stored.summary, report(1, 1));
    assert_eq!(row.envelope_bytes, u64::try_from(envelope(1).len()).unwrap());
    assert_eq!(row.agent_id, "agent-1".parse().unwrap());
    assert_eq!((row.scheme, row.form, row.kid), (sent.scheme, sent.form, sent.kid));
    assert_eq!((row.timestamp, row.collected_at), (sent.timestamp, sent.collected_at));
    assert_eq!((row.received_at, row.tick), (sent.received_at, sent.tick));
    assert_eq!((row.nonce, row.data_sha256), (sent.nonce, sent.data_sha256));
    assert_eq!((row.redacted, row.relay_path), (false, sent.relay_path));
    assert_eq!(row.source, sent.source);

    let stored = reader.reports(&ReportFilter::whole(ReportId(2))).unwrap().remove(0);
    assert_eq!(stored.envelope, b"{}");
    assert!(stored.summary.redacted && stored.summary.relay_path.is_direct());
    assert_eq!((stored.summary.tick, stored.summary.source), (None, None));
}

fn numbers_keep_their_names((mut writer, _reader): Store) {
    write(&mut *writer, &[everything()]);
    let mut renamed = agent(1);
    renamed.id = "another".parse().unwrap();
    let reused = alarm(1, "another thing", AlarmState::Active);
    let mut twin = agent(3);
    twin.id = "agent-1".parse().unwrap();
    writer.begin().unwrap();
    for bad in [
        Change { agents: vec![renamed], ..Change::default() },
        Change { agents: vec![twin], ..Change::default() },
        Change { alarms: vec![reused], ..Change::default() },
    ] {
        assert!(matches!(writer.record(&bad), Err(StoreError::Constraint(_))));
    }
    writer.commit().unwrap();
}

fn keys_sessions_and_notes((mut writer, reader): Store) {
    write(&mut *writer, &[everything()]);
    let mut later = key("45819852fbdfc69a", "previous");
    (later.first_seen, later.last_seen) = (T.plus(10), T.minus(10));
    let mut used = session(1);
    used.last_used_at = T.plus(1);
    let next = Change {
        keys: vec![later, key("00000000000000ff", "current")],
        sessions: vec![used],
        ..Change::default()
    };
    write(&mut *writer, &[next]);
    let keys = reader.keys().unwrap();
    assert_eq!(keys.len(), 2);
    let old = keys.iter().find(|key| key.state == "previous").unwrap();
    assert_eq!((old.first_seen, old.last_seen), (T, T.plus(60)), "no clock takes them back");
    assert_eq!(old.secret.as_slice(), b"not a real key");
    assert_eq!((old.source.as_str(), old.seq), ("dns", Some(4)));
    assert_eq!(reader.session(&[1; 32]).unwrap(), Some(session(1)));
    over_sessions(&mut *writer);

    for state in ["revoked", "current"] {
        let keys = vec![key("45819852fbdfc69a", state)];
        write(&mut *writer, &[Change { keys, ..Change::default() }]);
        let keys = reader.keys().unwrap();
        let old = keys.iter().find(|key| key.kid.as_str() == "45819852fbdfc69a").unwrap();
        assert_eq!(old.state, "revoked", "a revocation is not taken back");
    }

    writer.begin().unwrap();
    let own = Change { meta: vec![("store.commit_seq", String::from("0"))], ..Change::default() };
    assert!(matches!(writer.record(&own), Err(StoreError::Constraint(_))));
    writer.rollback();
}

fn users_come_and_go_with_their_sessions((mut writer, reader): Store) {
    write(&mut *writer, &[everything()]);
    assert_eq!(reader.users(None).unwrap(), [user("kim"), user("olga")]);
    assert_eq!(reader.users(Some("kim")).unwrap(), [user("kim")]);
    assert_eq!(reader.users(Some("eve")).unwrap(), []);
    let of = |seed: u8, name: &str, generation: Option<i64>| {
        let mut record = session(seed);
        (record.name, record.generation) = (name.to_owned(), generation);
        (record.source, record.created_at) =
            (Some("192.0.2.7".to_owned()), T.plus(i64::from(seed)));
        record
    };
    let mut token = of(4, "kim", None);
    (token.kind, token.made_by) = ("token".to_owned(), Some("olga".to_owned()));
    let sessions =
        vec![of(2, "kim", Some(3)), of(3, "kim", None), token.clone(), of(5, "olga", Some(3))];
    write(&mut *writer, &[Change { sessions, ..Change::default() }]);
    let list = |name: Option<&str>, kind, limit| {
        let filter = SessionFilter { name: name.map(str::to_owned), kind, limit };
        let found = reader.sessions(&filter).unwrap();
        found.iter().map(|row| row.token_hash[0]).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 9), [5, 4, 3, 2, 1], "the newest first");
    assert_eq!(list(Some("kim"), Some("session"), 9), [3, 2]);
    assert_eq!(list(Some("kim"), None, 1), [4]);
    assert_eq!(reader.session(&[4; 32]).unwrap(), Some(token));

    // A change that ends a user's sessions leaves those of a token with the same name, and the
    // one that begins with it; a use is noted only where something is left.
    let mut changed = user("kim");
    (changed.disabled, changed.password, changed.setup) = (true, None, None);
    changed.factor = None;
    let next = Change {
        users: vec![changed.clone()],
        users_ended: vec!["kim".to_owned()],
        sessions: vec![of(6, "kim", Some(4))],
        sessions_used: vec![([2; 32], T.plus(50)), ([4; 32], T.plus(50)), ([4; 32], T.plus(20))],
        ..Change::default()
    };
    write(&mut *writer, &[next]);
    assert_eq!(list(Some("kim"), None, 9), [6, 4, 3]);
    assert_eq!(reader.session(&[4; 32]).unwrap().unwrap().last_used_at, T.plus(50));
    assert_eq!(reader.users(Some("kim")).unwrap(), [changed]);
    let users_removed = vec!["kim".to_owned()];
    write(&mut *writer, &[Change { users_removed, ..Change::default() }]);
    assert_eq!(reader.users(None).unwrap(), [user("olga")]);
}

/// A session is over when it expires or when nobody uses it, a token only when it expires.
fn over_sessions(writer: &mut dyn Writer) {
    let mut token = session(2);
    (token.kind, token.expires_at) = ("token".to_owned(), None);
    let mut brief = session(3);
    (brief.kind, brief.expires_at) = ("token".to_owned(), Some(T));
    write(writer, &[Change { sessions: vec![token, brief.clone()], ..Change::default() }]);
    let mut over = |now: i64, idle: i64, limit| {
        let rows = writer.ended_sessions(T.plus(now), T.plus(idle), limit).unwrap();
        rows.iter().map(|row| row.token_hash[0]).collect::<Vec<_>>()
    };
    assert_eq!(over(-1, 2, 10), [0; 0]);
    assert_eq!(over(0, 2, 10), [3]);
    assert_eq!(over(0, 3, 10), [1, 3]);
    assert_eq!(over(3600, 0, 10), [1, 3]);
    assert_eq!(over(3600, 0, 1), [1]);
    assert_eq!(writer.ended_sessions(T, T, 10).unwrap(), [brief]);
}

fn a_stop_is_orderly((mut writer, reader): Store) {
    write(&mut *writer, &[everything()]);
    writer.begin().unwrap();
    writer.record(&only_report(2, 1)).unwrap();
    writer.close().unwrap();
    assert_eq!(reader.stats().unwrap().reports, 1, "reads go on; an open batch is forgotten");
}
