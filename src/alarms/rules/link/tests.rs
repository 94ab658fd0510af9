use super::*;
use crate::alarms::rules::tests_support::T;
use crate::model::id::{AgentNo, FleetId};
use crate::topology::verdict::{EndEvidence, Verdict, verdict};

/// A verdict on two hosts that are well, apart from what the test says.
fn judged(passage: Passage, state: EdgeState, witness_missing: bool) -> Verdict {
    let end = |name| EndEvidence {
        name,
        has_agent: true,
        fresh: true,
        listed: true,
        latest_handshake: T,
        measured_at: T,
        ..EndEvidence::default()
    };
    let well = verdict([&end("alpha"), &end("beta")]);
    Verdict { passage, state, witness_missing, ..well }
}

fn edge<'a>(fleet: &'a FleetId, verdict: &'a Verdict) -> EdgeFacts<'a> {
    EdgeFacts {
        id: "0123456789abcdef",
        fleet,
        agent: Some(AgentNo(1)),
        also: None,
        names: ["alpha", "beta"],
        verdict,
        is_bridge: false,
        report: None,
        late: false,
    }
}

fn fleet() -> FleetId {
    "lab".parse().expect("is a fleet")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("is a prefix")
}

#[test]
fn the_direction_that_is_lost_is_named() {
    use EdgeState::{Down, Idle, OneWay, Up};
    let fleet = fleet();
    for (passage, state, missing, expected) in [
        (
            Passage::From(0),
            OneWay,
            false,
            Some("one way alpha to beta since 08:00 UTC: nothing that beta sends arrives at alpha"),
        ),
        (
            Passage::From(1),
            OneWay,
            false,
            Some("one way beta to alpha since 08:00 UTC: nothing that alpha sends arrives at beta"),
        ),
        (Passage::From(1), Down, false, Some("one way beta to alpha")),
        (Passage::Both, Up, false, Some("")),
        (Passage::Both, Down, false, Some("")),
        (Passage::Untold, Idle, false, Some("")),
        // No news is no good news.
        (Passage::Untold, Idle, true, None),
        (Passage::Untold, Up, false, None),
        (Passage::Untold, Down, false, None),
    ] {
        let verdict = judged(passage, state, missing);
        let seen = one_way(&edge(&fleet, &verdict), T);
        assert_eq!(seen.is_some(), expected.is_some(), "{passage:?} {state}");
        let (Some(seen), Some(text)) = (seen, expected) else { continue };
        assert!(seen.message.starts_with(text), "{}", seen.message);
        assert_eq!(seen.holds, !text.is_empty(), "{passage:?} {state}");
    }
}

#[test]
fn ends_disagree_only_about_what_both_must_know() {
    let fleet = fleet();
    let verdict = judged(Passage::Both, EdgeState::Up, false);
    let edge = edge(&fleet, &verdict);
    let shake = |ago: i64, read_ago: i64, steady_ago: i64| {
        Some(Shake {
            at: T.minus(ago),
            read_at: T.minus(read_ago),
            steady_since: T.minus(steady_ago),
        })
    };
    for (a, b, expected) in [
        (shake(100, 0, 900), shake(100, 9, 900), Some(false)),
        (shake(100, 0, 900), shake(160, 9, 900), Some(false)),
        (shake(100, 0, 900), shake(161, 9, 900), Some(true)),
        (shake(400, 0, 900), shake(70, 9, 900), Some(true)),
        // The older end was read before it could know of the younger handshake.
        (shake(40, 0, 900), shake(161, 0, 900), None),
        (shake(100, 0, 900), shake(300, 50, 900), None),
        // Somebody set a clock after the younger one.
        (shake(100, 0, 99), shake(300, 9, 900), None),
        (shake(100, 0, 900), shake(300, 9, 99), None),
        (shake(100, 0, 101), shake(300, 9, 900), Some(true)),
        (None, shake(300, 9, 900), None),
        (shake(300, 9, 900), None, None),
    ] {
        let seen = disagree(&edge, [a, b], &Limits::usual(AlarmKind::EdgeDisagree));
        assert_eq!(seen.map(|seen| seen.holds), expected, "{a:?} {b:?}");
    }
    let limits = Limits::usual(AlarmKind::EdgeDisagree);
    let seen = disagree(&edge, [shake(400, 0, 900), shake(70, 9, 900)], &limits).expect("holds");
    assert!(
        seen.message.starts_with("beta tells of a handshake with alpha that is 5 min 30 s"),
        "{}",
        seen.message
    );
}

#[test]
fn an_address_that_is_not_let_in_is_a_mistake_if_it_is_meant_to_be_used() {
    let fleet = fleet();
    let verdict = judged(Passage::Both, EdgeState::Up, false);
    let edge = edge(&fleet, &verdict);
    let allowed = [net("10.8.0.6/32")];
    let misfit = |is_on_link, is_taken, is_covered, drops| {
        Fit::Misfit(Misfit {
            address: [10, 8, 0, 7].into(),
            allowed: &allowed,
            is_on_link,
            is_taken,
            is_covered,
            drops,
        })
    };
    let (odd, on_link) = (misfit(false, false, false, false), misfit(true, false, false, false));
    for (fits, is_open, expected) in [
        ([Fit::Fits, Fit::Fits], true, Some(false)),
        ([Fit::Fits, Fit::Untold], true, None),
        ([Fit::Untold, on_link], false, Some(true)),
        ([on_link, Fit::Fits], false, Some(true)),
        // Reached through a hub, so it need not be let in.
        ([misfit(true, false, true, false), Fit::Fits], false, Some(false)),
        ([misfit(true, false, true, true), Fit::Fits], false, Some(true)),
        ([misfit(false, true, true, false), Fit::Fits], false, Some(true)),
        // Nothing says that anybody wants to use it, until packets are dropped.
        ([odd, Fit::Fits], false, Some(false)),
        ([misfit(false, false, false, true), Fit::Fits], false, Some(true)),
        ([odd, Fit::Fits], true, Some(true)),
    ] {
        let seen = lets_in(&edge, fits, is_open);
        assert_eq!(seen.map(|seen| seen.holds), expected, "{fits:?} {is_open}");
    }
    let told = |fits| lets_in(&edge, fits, false).expect("holds").message;
    assert_eq!(
        told([Fit::Fits, on_link]),
        "beta drops: 10.8.0.7 is not in allowed ips (from alpha only 10.8.0.6/32)"
    );
    let nothing = Misfit {
        address: [10, 8, 0, 7].into(),
        allowed: &[],
        is_on_link: true,
        is_taken: false,
        is_covered: false,
        drops: false,
    };
    assert!(told([Fit::Misfit(nothing), Fit::Fits]).ends_with("(nothing is let in from beta)"));
}

#[test]
fn sizes_that_differ_matter_above_what_a_plain_way_carries() {
    let fleet = fleet();
    let verdict = judged(Passage::Both, EdgeState::Up, false);
    let edge = edge(&fleet, &verdict);
    for (mtus, expected) in [
        ([Some(1420), Some(1420)], Some(false)),
        ([Some(1420), Some(1380)], Some(false)),
        ([Some(1280), Some(1440)], Some(false)),
        ([Some(8920), Some(8920)], Some(false)),
        ([Some(1441), Some(1420)], Some(true)),
        ([Some(1420), Some(8920)], Some(true)),
        ([Some(1420), None], None),
        ([None, None], None),
    ] {
        let seen = mtus_differ(&edge, mtus);
        assert_eq!(seen.map(|seen| seen.holds), expected, "{mtus:?}");
    }
}

#[test]
fn a_link_that_never_worked_is_told_after_ten_minutes_if_somebody_tries() {
    use EdgeState::{Down, HalfConfigured, Idle, Never, OneWay, Unknown, Up};
    let (fleet, limits) = (fleet(), Limits::usual(AlarmKind::PeerNeverUp));
    for (state, tries, age, expected) in [
        (Never, true, 599, None),
        (Never, true, 600, Some(true)),
        // Nobody wants anything of it, such as a phone that was set up and not used yet.
        (Never, false, 9_000, Some(false)),
        (Up, true, 9_000, Some(false)),
        (Idle, true, 9_000, Some(false)),
        (Down, true, 9_000, Some(false)),
        (OneWay, true, 9_000, Some(false)),
        (HalfConfigured, true, 9_000, None),
        (Unknown, true, 9_000, None),
    ] {
        let verdict = judged(Passage::Untold, state, false);
        let seen = never_up(&edge(&fleet, &verdict), tries, age, &limits);
        assert_eq!(seen.map(|seen| seen.holds), expected, "{state} {tries} {age}");
    }
    let silent = judged(Passage::Untold, Never, true);
    assert_eq!(never_up(&edge(&fleet, &silent), false, 0, &limits), None);
}
