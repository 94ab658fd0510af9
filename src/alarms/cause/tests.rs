use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::alarms::catalogue::rule;
use crate::alarms::lifecycle::{Observation, Step};

const T: UnixSeconds = UnixSeconds(1_800_000_000);

fn raise(book: &mut Book, kind: AlarmKind, subject: &str, at: UnixSeconds) -> AlarmId {
    let rule = rule(kind);
    let seen = Observation {
        kind,
        subject: Cow::Borrowed(subject),
        fleet: None,
        agent: None,
        also: None,
        holds: true,
        late: false,
        severity: rule.severity,
        message: "so".into(),
        report: None,
    };
    for _ in 0..rule.raise_count {
        drop(book.observe(&seen, at));
    }
    drop(book.tick(at.plus(rule.raise_after_s)));
    book.find(kind, subject).expect("is open").id
}

fn end(agent: &str) -> End {
    End { agent: agent.into(), ..End::default() }
}

fn at(ends: Vec<End>) -> Around {
    Around { ends, interval_s: 30, ..Around::default() }
}

fn found(book: &Book, id: AlarmId, around: &Around, now: UnixSeconds) -> Option<AlarmId> {
    of(book, book.get(id).expect("is open"), around, now)
}

#[test]
fn a_network_that_falls_apart_explains_its_links_before_it_is_certain() {
    let mut book = Book::default();
    let edge = raise(&mut book, AlarmKind::EdgeDown, "e", T);
    let around = Around { split: Some("lab".into()), ..at(vec![end("a"), end("b")]) };
    // The partition's own minute has not passed.
    let seen = Observation {
        kind: AlarmKind::NetPartition,
        subject: Cow::Borrowed("lab"),
        fleet: None,
        agent: None,
        also: None,
        holds: true,
        late: false,
        severity: rule(AlarmKind::NetPartition).severity,
        message: "so".into(),
        report: None,
    };
    let pending = book.observe(&seen, T).expect("begins").alarm;
    assert_eq!(pending.state, AlarmState::Pending);
    assert_eq!(found(&book, edge, &around, T), Some(pending.id));
    // Others wait until it is.
    let mass = raise(&mut book, AlarmKind::EdgeDown, "other", T);
    assert_eq!(found(&book, mass, &at(vec![end("a")]), T), None);
}

#[test]
fn one_dead_link_between_two_parts_explains_the_partition() {
    for kind in [AlarmKind::EdgeDown, AlarmKind::EdgeHalfConfigured] {
        let mut book = Book::default();
        let split = raise(&mut book, AlarmKind::NetPartition, "lab", T);
        let around = Around { only_link: Some("e".into()), ..at(vec![]) };
        assert_eq!(found(&book, split, &around, T), None);
        let edge = raise(&mut book, kind, "e", T);
        assert_eq!(found(&book, split, &around, T), Some(edge));
        assert_eq!(found(&book, split, &at(vec![]), T), None, "there are others");
    }
}

#[test]
fn what_is_about_to_end_is_not_told_of() {
    let mut book = Book::default();
    let offline = raise(&mut book, AlarmKind::AgentOffline, "hub", T);
    let split = raise(&mut book, AlarmKind::NetPartition, "lab", T);
    drop(book.inhibit(split, Some(offline), None));
    let good = Observation {
        kind: AlarmKind::NetPartition,
        subject: Cow::Borrowed("lab"),
        fleet: None,
        agent: None,
        also: None,
        holds: false,
        late: false,
        severity: rule(AlarmKind::NetPartition).severity,
        message: String::new(),
        report: None,
    };
    let alarm = |book: &Book| book.get(split).expect("is open").clone();
    // The hub's alarm is still open, and explains nothing any more.
    let nothing = at(vec![]);
    assert_eq!(next(&book, &alarm(&book), &nothing, T), Some((None, None)));
    drop(book.observe(&good, T.plus(70)));
    assert_eq!(next(&book, &alarm(&book), &nothing, T.plus(70)), None);
    // Once it is over, a partition has its own minute on top of the two reports.
    drop(book.clear(offline, "kim", T.plus(80)));
    let until = Some(T.plus(80 + 60 + 60));
    let bad = Observation { holds: true, message: "so".into(), ..good };
    drop(book.observe(&bad, T.plus(80)));
    assert_eq!(next(&book, &alarm(&book), &nothing, T.plus(80)), Some((Some(offline), until)));
}

#[test]
fn a_link_follows_from_the_nearest_thing_that_is_broken() {
    let mut book = Book::default();
    let edge = raise(&mut book, AlarmKind::EdgeDown, "e", T);
    let wire = End { interfaces: vec!["a/wg0".into()], ..end("a") };
    let around = Around { split: Some("lab".into()), ..at(vec![wire, end("b")]) };
    assert_eq!(found(&book, edge, &around, T), None);
    let split = raise(&mut book, AlarmKind::NetPartition, "lab", T.minus(60));
    assert_eq!(found(&book, edge, &around, T), Some(split));
    let far = raise(&mut book, AlarmKind::AgentOffline, "b", T);
    assert_eq!(found(&book, edge, &around, T), Some(far));
    let near = raise(&mut book, AlarmKind::IfaceGone, "a/wg0", T);
    assert_eq!(found(&book, edge, &around, T), Some(near));
    // Of others it does not follow.
    raise(&mut book, AlarmKind::AgentOffline, "c", T);
    assert_eq!(found(&book, edge, &at(vec![end("a"), end("d")]), T), None);
}

#[test]
fn what_is_wrong_with_a_link_follows_from_what_is_wrong_with_its_ends() {
    use AlarmKind as K;
    let wire = End {
        own: Some("a/wg0".into()),
        port: Some("a/wg0".into()),
        entry: Some("a/wg0/key".into()),
        interfaces: vec!["a/wg0".into()],
        ..end("a")
    };
    let (link, key) = (Some("e".into()), Some("key".into()));
    let around = Around { link, key, ..at(vec![wire, end("b")]) };
    for (kind, subject, causes) in [
        (K::EdgeDown, "e", &[(K::EdgeOneWay, "e"), (K::IfaceDown, "a/wg0")][..]),
        (K::EdgeDown, "e", &[(K::ListenPortChanged, "a/wg0"), (K::WgPskRemoved, "a/wg0/key")]),
        (K::EdgeOneWay, "e", &[(K::AgentOffline, "b"), (K::IfaceDown, "a/wg0")]),
        (
            K::EdgeDisagree,
            "e",
            &[(K::AgentOffline, "a"), (K::AgentClockSkew, "b"), (K::IdentityConflict, "b")],
        ),
        (
            K::AllowedIpsMismatch,
            "e",
            &[(K::AllowedIpsMoved, "a/wg0/key"), (K::EdgeHalfConfigured, "e")],
        ),
        (K::OverlayIpDuplicate, "lab|a", &[(K::WgKeyDuplicate, "key"), (K::IdentityConflict, "a")]),
        (
            K::PeerNeverUp,
            "e",
            &[(K::AgentOffline, "b"), (K::IfaceDown, "a/wg0"), (K::EdgeHalfConfigured, "e")],
        ),
        (K::EdgeDown, "e", &[(K::AgentClockWentBack, "a"), (K::AgentOffline, "b")]),
        (K::AgentClockDrift, "a", &[(K::AgentClockSkew, "a")]),
        (K::DefaultRouteChanged, "a/ipv4", &[(K::AgentRebooted, "b"), (K::IfaceDown, "a/wg0")]),
        (K::ListenPortChanged, "a/wg0", &[(K::AgentRebooted, "b")]),
        (K::RouteMissing, "a/wg0", &[(K::IfaceDown, "a/wg0"), (K::IfaceGone, "a/wg0")]),
    ] {
        let mut book = Book::default();
        let id = raise(&mut book, kind, subject, T);
        for (cause, of) in causes {
            let other = raise(&mut book, *cause, "elsewhere", T);
            assert_ne!(found(&book, id, &around, T), Some(other), "{kind} and {cause}");
            let cause = raise(&mut book, *cause, of, T);
            assert_eq!(found(&book, id, &around, T), Some(cause), "{kind}");
        }
    }
}

#[test]
fn who_hangs_on_a_relay_follows_from_it() {
    let mut book = Book::default();
    let child = raise(&mut book, AlarmKind::AgentOffline, "child", T);
    let behind = End { relays: vec!["outer".into(), "inner".into()], ..end("child") };
    let around = at(vec![behind]);
    let inner = raise(&mut book, AlarmKind::AgentOffline, "inner", T);
    assert_eq!(found(&book, child, &around, T), Some(inner));
    let dead = raise(&mut book, AlarmKind::RelayDead, "outer", T);
    assert_eq!(found(&book, child, &around, T), Some(dead));
    // Late follows from down.
    let stale = raise(&mut book, AlarmKind::AgentStale, "child", T);
    assert_eq!(found(&book, stale, &around, T), Some(child));
}

#[test]
fn mass_silence_holds_the_rest_back_for_five_minutes() {
    let mut book = Book::default();
    let mass = raise(&mut book, AlarmKind::ManagerMassSilence, "manager", T);
    let one = raise(&mut book, AlarmKind::AgentOffline, "a", T.plus(80));
    let other = raise(&mut book, AlarmKind::AgentOffline, "b", T.plus(80));
    let around = at(vec![End { fell_silent: true, ..end("a") }]);
    assert_eq!(found(&book, one, &around, T.plus(299)), Some(mass));
    assert_eq!(found(&book, one, &around, T.plus(300)), None);
    assert_eq!(found(&book, other, &at(vec![end("b")]), T.plus(80)), None, "it was silent before");
    drop(book.inhibit(one, Some(mass), None));
    let alarm = book.get(one).unwrap();
    assert_eq!(next(&book, alarm, &around, T.plus(300)), Some((None, None)), "at once");
}

#[test]
fn a_boot_explains_interfaces_for_two_intervals() {
    let mut book = Book::default();
    let boot = raise(&mut book, AlarmKind::AgentRebooted, "a", T);
    let down = raise(&mut book, AlarmKind::IfaceDown, "a/eth0", T.plus(30));
    let around = at(vec![end("a")]);
    assert_eq!(found(&book, down, &around, T.plus(59)), Some(boot));
    assert_eq!(found(&book, down, &around, T.plus(60)), None);
}

#[test]
fn what_outlives_its_cause_counts_for_itself_after_two_intervals() {
    let mut book = Book::default();
    let cause = raise(&mut book, AlarmKind::AgentOffline, "a", T);
    let edge = raise(&mut book, AlarmKind::EdgeDown, "e", T);
    let around = at(vec![end("a"), end("b")]);
    let step = |book: &mut Book, now: i64| {
        let (by, until) = next(book, book.get(edge)?, &around, T.plus(now))?;
        book.inhibit(edge, by, until).map(|told| (told.step, by, until))
    };
    assert_eq!(step(&mut book, 0), Some((Step::Inhibited, Some(cause), None)));
    assert_eq!(step(&mut book, 1), None);
    drop(book.clear(cause, "kim", T.plus(10)));
    let until = Some(T.plus(70));
    assert_eq!(step(&mut book, 10), Some((Step::Noted, Some(cause), until)));
    assert_eq!(step(&mut book, 69), None);
    // The cause comes back in time: nothing was told in between.
    let again = raise(&mut book, AlarmKind::AgentOffline, "a", T.plus(69));
    assert_eq!(step(&mut book, 69), Some((Step::Inhibited, Some(again), None)));
    drop(book.clear(again, "kim", T.plus(80)));
    assert_eq!(step(&mut book, 80), Some((Step::Noted, Some(again), Some(T.plus(140)))));
    assert_eq!(step(&mut book, 140), Some((Step::Released, None, None)));
    assert_eq!(step(&mut book, 141), None);
}

#[derive(Debug, Clone)]
enum Op {
    Raise(usize, usize),
    Clear(usize),
    Wait(i64),
}

const KINDS: &[AlarmKind] = &[
    AlarmKind::AgentOffline,
    AlarmKind::AgentStale,
    AlarmKind::RelayDead,
    AlarmKind::EdgeDown,
    AlarmKind::NetPartition,
    AlarmKind::ManagerMassSilence,
    AlarmKind::IfaceGone,
    AlarmKind::EdgeOneWay,
    AlarmKind::MtuMismatch,
    AlarmKind::RouteMissing,
    AlarmKind::WgPskRemoved,
    AlarmKind::OverlayIpDuplicate,
    AlarmKind::WgKeyDuplicate,
];

const AGENTS: &[&str] = &["a", "b", "c"];

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..KINDS.len(), 0..AGENTS.len()).prop_map(|(kind, of)| Op::Raise(kind, of)),
        2 => (0_usize..12).prop_map(Op::Clear),
        1 => proptest::sample::select(vec![1_i64, 59, 60, 300]).prop_map(Op::Wait),
    ]
}

/// Everybody reports through everybody else: nothing in the graph keeps causes from going round.
fn ring(of: &str) -> Around {
    let relays: Vec<String> =
        AGENTS.iter().filter(|other| **other != of).map(|other| (*other).to_owned()).collect();
    let interfaces = AGENTS.iter().map(|agent| (*agent).to_owned()).collect();
    let [own, port, entry] = [(); 3].map(|()| Some(of.to_owned()));
    let fell_silent = true;
    let ends = vec![End { agent: of.into(), own, port, entry, interfaces, relays, fell_silent }];
    let (link, key, split) = (Some("b".into()), Some("c".into()), Some("a".into()));
    Around { ends, link, key, split, interval_s: 30, ..Around::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No alarm is its own ancestor, a cause stands or has just ended, and no state is touched.
    #[test]
    fn causes_never_go_round(history in proptest::collection::vec(any_op(), 0..80)) {
        let (mut book, mut now) = (Book::default(), T);
        for op in &history {
            match op {
                Op::Raise(kind, of) => _ = raise(&mut book, KINDS[*kind], AGENTS[*of], now),
                Op::Clear(n) => {
                    let id = book.alarms().nth(*n).map(|alarm| alarm.id);
                    drop(id.map(|id| book.clear(id, "kim", now)));
                }
                Op::Wait(seconds) => now = now.plus(*seconds),
            }
            let ids: Vec<AlarmId> = book.alarms().map(|alarm| alarm.id).collect();
            for id in ids {
                let before = book.get(id).unwrap().clone();
                if !before.stands() {
                    continue;
                }
                if let Some((by, until)) = next(&book, &before, &ring(&before.subject), now) {
                    drop(book.inhibit(id, by, until));
                }
                let after = book.get(id).unwrap();
                let unmoved = Alarm { inhibited_by: None, inhibited_until: None, ..after.clone() };
                prop_assert_eq!(unmoved, Alarm { inhibited_by: None, inhibited_until: None, ..before });
                let stands = after.inhibited_by.and_then(|by| book.get(by)).is_some_and(Alarm::stands);
                prop_assert_eq!(stands, after.inhibited_by.is_some() && after.inhibited_until.is_none());
                let up = std::iter::successors(Some(after), |alarm| book.get(alarm.inhibited_by?));
                prop_assert!(up.take(100).count() < 100, "{:?}", after);
            }
        }
    }
}
