use super::*;
use crate::alarms::rules::tests_support::{Sample, T};

const PATIENCE: Patience = Patience::usual(30, UnixSeconds(0));

fn since(last_seen: UnixSeconds) -> Silence<'static> {
    Silence { last_seen, critical: false, peers: Peers::CannotTell, explained: false }
}

fn sight(peer: &'static str, handshake: i64, keepalive: u16) -> Sight<'static> {
    Sight { peer, handshake_at: Some(T.plus(handshake)), keepalive, down: false }
}

/// The agent was last heard at `T`, and it is 180 s later, or as much as is said.
#[test]
fn a_clock_that_drifts_or_goes_back() {
    let sample = Sample::new();
    for (offset, expected) in [
        (61, Some(true)),
        (-61, Some(true)),
        (60, None),
        (30, None),
        (-29, Some(false)),
        (0, Some(false)),
    ] {
        let limits = Limits::usual(AlarmKind::AgentClockDrift);
        let seen = clock_drift(&sample.agent(), offset, || ByPeers::Silent, &limits);
        assert_eq!(seen.map(|seen| seen.holds), expected, "{offset}");
    }
    let limits = Limits::usual(AlarmKind::AgentClockDrift);
    let seen = |offset: i64, s: i64| {
        let known = ByPeers::Known { s, peers: 4, names: vec!["beta", "delta", "gamma"] };
        clock_drift(&sample.agent(), offset, || known, &limits)
    };
    let proven = seen(90, 88).unwrap();
    assert!(proven.holds);
    assert_eq!(
        proven.message,
        "gw1's clock is 1 min 30 s ahead of the manager's, and runs 1 min 28 s fast by 4 of its \
         peers' handshakes (beta, delta, gamma and 1 more); see why it is not kept right before \
         its reports are refused"
    );
    assert!(!seen(-90, -2).unwrap().holds, "its reports are late, its clock is right");
    assert!(seen(90, 2).unwrap().holds, "no way makes a report early");
    assert!(seen(-90, -45).unwrap().holds, "late, and not right either");
    let untold = |offset| clock_drift(&sample.agent(), offset, || ByPeers::Untold, &limits);
    assert_eq!(untold(-90), None);
    assert!(untold(90).unwrap().holds);
    for (back, expected) in [(-30, false), (0, false), (2, false), (3, true)] {
        let limits = Limits::usual(AlarmKind::AgentClockWentBack);
        assert_eq!(clock_went_back(&sample.agent(), back, &limits).holds, expected, "{back}");
    }
}

#[test]
fn peers_tell_a_stopped_agent_from_a_dead_host() {
    let at = |sights: &[Sight<'static>], now| peers_see(sights, T, &PATIENCE, T.plus(now));
    // Two intervals after the last report a handshake proves something.
    assert_eq!(at(&[sight("a", 60, 25)], 180), Peers::CannotTell);
    assert_eq!(at(&[sight("a", 61, 25)], 180), Peers::SeeIt("a"));
    assert_eq!(at(&[sight("a", 61, 0), sight("b", 99, 0)], 180), Peers::SeeIt("b"));
    // One that sees it outweighs all that do not.
    assert_eq!(at(&[sight("a", -400, 25), sight("b", 70, 25)], 250), Peers::SeeIt("b"));
    // Past T1 a handshake that keepalives would have caused is missing; nobody else's is.
    assert_eq!(at(&[sight("a", 10, 25)], 220), Peers::CannotTell);
    assert_eq!(at(&[sight("a", 10, 25)], 221), Peers::MissIt);
    assert_eq!(at(&[sight("a", 10, 0)], 9_000), Peers::CannotTell);
    assert_eq!(at(&[sight("a", 10, 25), sight("b", 10, 0)], 221), Peers::MissIt);
    assert_eq!(at(&[sight("a", 10, 25), sight("b", 20, 25)], 221), Peers::CannotTell);
    // A link that traffic expected, and which is down, tells as much.
    let down = Sight { down: true, ..sight("a", 10, 0) };
    assert_eq!(at(&[down], 311), Peers::MissIt);
    // A link that never worked tells nothing, and neither does nobody.
    let never = Sight { handshake_at: None, ..sight("a", 0, 25) };
    assert_eq!((at(&[never], 900), at(&[], 900)), (Peers::CannotTell, Peers::CannotTell));
}

#[test]
fn what_peers_say_is_in_the_message() {
    let sample = Sample::new();
    let message = |peers| {
        let about = Silence { peers, ..since(T) };
        silence(&sample.agent(), &about, &PATIENCE, T.plus(200)).pop().unwrap().message
    };
    assert!(message(Peers::CannotTell).starts_with("gw1 is down or cut off: "));
    let alive = message(Peers::SeeIt("beta"));
    assert!(alive.contains("agent stopped"), "{alive}");
    assert!(alive.contains("its peers still see handshakes (last beta)"), "{alive}");
    let dead = message(Peers::MissIt);
    assert!(dead.contains("host down") && dead.contains("see no handshakes"), "{dead}");
}

#[test]
fn silence_by_the_second() {
    let sample = Sample::new();
    let kinds = |silent: i64| -> Vec<AlarmKind> {
        silence(&sample.agent(), &since(T), &PATIENCE, T.plus(silent))
            .iter()
            .map(|o| o.kind)
            .collect()
    };
    assert!(kinds(0).is_empty() && kinds(100).is_empty());
    assert_eq!(kinds(101), [AlarmKind::AgentStale]);
    assert_eq!(kinds(179), [AlarmKind::AgentStale]);
    assert_eq!(kinds(180), [AlarmKind::AgentStale, AlarmKind::AgentOffline]);
    // Short intervals do not make a dead host out of one session's life.
    let quick = Patience { interval_s: 5, ..PATIENCE };
    assert_eq!((quick.stale_after_s(), quick.offline_after_s(), quick.grace_s()), (25, 180, 180));
    let slow = Patience { interval_s: 300, ..PATIENCE };
    assert_eq!((slow.stale_after_s(), slow.offline_after_s(), slow.grace_s()), (910, 1_800, 900));
}

#[test]
fn a_manager_that_just_started_blames_nobody() {
    let sample = Sample::new();
    let patience = Patience { started_at: T, ..PATIENCE };
    let since = Silence { critical: true, ..since(T.minus(9_999)) };
    assert!(silence(&sample.agent(), &since, &patience, T.plus(179)).is_empty());
    let seen = silence(&sample.agent(), &since, &patience, T.plus(180));
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].severity, Severity::Critical);
    assert!(seen[1].message.starts_with("gw1 is down or cut off: no report for 2 h 49 min"));
}

#[test]
fn any_report_is_a_sign_of_life() {
    let sample = Sample::new();
    let late = AgentFacts { late: true, ..sample.agent() };
    for seen in heard(&late) {
        assert!(!seen.holds && !seen.late, "{seen:?}");
    }
    assert!(is_late(T, T.plus(101), &PATIENCE) && !is_late(T, T.plus(100), &PATIENCE));
}

#[test]
fn boots() {
    let sample = Sample::new();
    let holds = |a, b| rebooted(&sample.agent(), a, b).map(|o| o.holds);
    assert_eq!(holds(Some("x"), Some("y")), Some(true));
    assert_eq!(holds(Some("x"), Some("x")), Some(false));
    assert_eq!(holds(None, Some("x")), None);
    assert_eq!(holds(Some("x"), None), None);
}

#[test]
fn clocks() {
    let sample = Sample::new();
    let usual = Limits::usual(AlarmKind::AgentClockSkew);
    let holds = |s| clock_skew(&sample.agent(), s, 600, &usual).map(|o| o.holds);
    assert_eq!([holds(601), holds(-601)], [Some(true), Some(true)]);
    assert_eq!([holds(600), holds(300), holds(-300)], [None, None, None]);
    assert_eq!([holds(299), holds(-299), holds(0)], [Some(false); 3]);
    let seen = clock_skew(&sample.agent(), -4_000, 600, &usual).unwrap();
    assert!(seen.message.contains("1 h 6 min behind the manager's"), "{}", seen.message);
    // A manager told to be strict does not wait for a clock better than it asks for.
    assert_eq!(clock_skew(&sample.agent(), 100, 60, &usual).map(|o| o.holds), Some(true));
    assert_eq!(clock_skew(&sample.agent(), 59, 60, &usual).map(|o| o.holds), Some(false));
}
