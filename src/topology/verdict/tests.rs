use proptest::prelude::*;

use super::*;

/// A healthy end that saw a handshake `age` seconds before its report at 10,000.
fn end(name: &str, age: i64, keepalive: u16) -> EndEvidence<'_> {
    EndEvidence {
        name,
        has_agent: true,
        agent_status: Some(AgentStatus::Online),
        fresh: true,
        listed: true,
        latest_handshake: UnixSeconds(10_000 - age),
        measured_at: UnixSeconds(10_000),
        rx_bytes: 5_000,
        tx_bytes: 5_000,
        persistent_keepalive: keepalive,
        ..EndEvidence::default()
    }
}

fn external(name: &str) -> EndEvidence<'_> {
    EndEvidence { name, ..EndEvidence::default() }
}

fn silent<'n>(mut end: EndEvidence<'n>) -> EndEvidence<'n> {
    end.fresh = false;
    end.agent_status = Some(AgentStatus::Offline);
    end
}

fn with_traffic<'n>(mut end: EndEvidence<'n>, rx: u64, tx: u64) -> EndEvidence<'n> {
    end.d_rx = [Some(rx); 2];
    end.d_tx = [Some(tx); 2];
    end
}

fn states(v: &Verdict) -> (EdgeState, EndState, EndState) {
    (v.state, v.ends[0], v.ends[1])
}

#[test]
fn limits_follow_the_larger_keepalive() {
    assert_eq!(limits(0), Limits { t1: 210, t2: 300 });
    assert_eq!(limits(25), Limits { t1: 210, t2: 300 });
    assert_eq!(limits(26), Limits { t1: 211, t2: 301 });
    assert_eq!(limits(600), Limits { t1: 785, t2: 875 });
    assert_eq!(limits(u16::MAX).t1, 65_720);
}

#[test]
fn ages_at_each_limit() {
    for (age, keepalive, state, both) in [
        (0, 0, EdgeState::Up, EndState::Up),
        (210, 25, EdgeState::Up, EndState::Up),
        (211, 25, EdgeState::Up, EndState::Overdue),
        (300, 25, EdgeState::Up, EndState::Overdue),
        (301, 25, EdgeState::Down, EndState::Down),
        (211, 0, EdgeState::Idle, EndState::Idle),
        (9_000, 0, EdgeState::Idle, EndState::Idle),
        // A slow keepalive moves both limits.
        (500, 600, EdgeState::Up, EndState::Up),
        (800, 600, EdgeState::Up, EndState::Overdue),
        // The clock stepped back a little between handshake and reading.
        (-3, 0, EdgeState::Up, EndState::Up),
    ] {
        let v = verdict([&end("alpha", age, keepalive), &end("beta", age, 0)]);
        assert_eq!(states(&v), (state, both, both), "age {age}, keepalive {keepalive}: {v:?}");
        assert_eq!(v.past_t1, age > 210 && keepalive == 25 || age == 800, "age {age}");
    }
}

#[test]
fn reasons_carry_the_arithmetic() {
    let v = verdict([&end("beta", 415, 0), &end("alpha", 412, 25)]);
    assert_eq!(
        v.reason,
        "down: last handshake 412 s ago on alpha, more than 300 s (T2), with keepalive 25 s"
    );
    let v = verdict([&end("alpha", 41, 0), &external("Jk3v9xQz")]);
    assert_eq!(v.reason, "up: last handshake 41 s ago on alpha, within 210 s (T1)");
    let v = verdict([&end("alpha", 240, 25), &silent(end("beta", 240, 0))]);
    assert!(v.reason.contains("counts as down after 300 s (T2)"), "{}", v.reason);
}

#[test]
fn a_link_is_as_young_as_its_youngest_witness() {
    let v = verdict([&end("alpha", 1_000, 25), &end("beta", 20, 0)]);
    assert_eq!(states(&v), (EdgeState::Up, EndState::Down, EndState::Up));
    assert!(!v.past_t1);
}

#[test]
fn a_silent_agent_neither_kills_nor_saves_a_link() {
    // Its old handshake is no evidence; the other end's is.
    let v = verdict([&silent(end("alpha", 5_000, 25)), &end("beta", 20, 0)]);
    assert_eq!(states(&v), (EdgeState::Up, EndState::Unknown, EndState::Up));
    assert!(v.witness_missing);
    let v = verdict([&silent(end("alpha", 10, 25)), &end("beta", 500, 0)]);
    assert_eq!(states(&v), (EdgeState::Down, EndState::Unknown, EndState::Down));
    assert!(v.reason.ends_with("; alpha has stopped reporting"), "{}", v.reason);
    let v = verdict([&silent(end("alpha", 10, 25)), &silent(end("beta", 10, 0))]);
    assert_eq!(states(&v), (EdgeState::Unknown, EndState::Unknown, EndState::Unknown));
    assert_eq!(v.reason, "unknown: alpha has stopped reporting, beta has stopped reporting");
    let v = verdict([&silent(end("alpha", 10, 25)), &external("key")]);
    assert_eq!(v.state, EdgeState::Unknown);
}

#[test]
fn external_peers_are_judged_from_one_end() {
    for (age, keepalive, state) in
        [(20, 0, EdgeState::Up), (452, 0, EdgeState::Idle), (452, 25, EdgeState::Down)]
    {
        let v = verdict([&end("alpha", age, keepalive), &external("key")]);
        assert_eq!((v.state, v.ends[1]), (state, EndState::Unknown));
        assert!(!v.witness_missing);
    }
}

/// An end whose interface is gone lists nobody on it.
fn gone<'n>(name: &'n str, interface: &'n str) -> EndEvidence<'n> {
    EndEvidence {
        name,
        has_agent: true,
        agent_status: Some(AgentStatus::Online),
        fresh: true,
        gone: Some(interface),
        ..EndEvidence::default()
    }
}

#[test]
fn a_link_whose_interface_is_gone_is_down_at_once() {
    for age in [3, 250, 400, 9_000] {
        let v = verdict([&gone("spoke1", "wg0"), &end("hub", age, 0)]);
        assert_eq!((v.state, v.ends[0]), (EdgeState::Down, EndState::Down), "{v:?}");
        assert_eq!(v.reason, "down: wg0 is gone on spoke1");
        assert!(v.gone && !v.witness_missing);
    }
    let v = verdict([&gone("spoke1", "wg0"), &end("hub", 3, 0)]);
    assert_eq!(v.ends[1], EndState::Up, "the other end cannot know yet");
    // Nobody is needed to confirm what a host says of itself.
    let v = verdict([&silent(end("hub", 3, 0)), &gone("spoke1", "wg0")]);
    assert_eq!(states(&v), (EdgeState::Down, EndState::Unknown, EndState::Down));
    assert!(v.gone && v.witness_missing);
    // A link that has never worked did not stop working.
    let mut never = end("hub", 3, 25);
    never.latest_handshake = UnixSeconds(0);
    let v = verdict([&gone("spoke1", "wg0"), &never]);
    assert_eq!((v.state, v.gone), (EdgeState::Never, false));
    let reason = "never: no handshake yet between hub and spoke1; wg0 is gone on spoke1";
    assert_eq!(v.reason, reason);
    // Its agent is silent by now, and nothing shows that the interface came back.
    let v = verdict([&silent(gone("spoke1", "wg0")), &end("hub", 120, 25)]);
    assert_eq!(states(&v), (EdgeState::Down, EndState::Unknown, EndState::Up));
    assert_eq!(v.reason, "down: wg0 was gone on spoke1 when it last reported");
    // Whoever reports is named before whoever does not.
    let mut both = gone("alpha", "wg3");
    both.latest_handshake = UnixSeconds(7);
    let v = verdict([&silent(both), &gone("beta", "wg0")]);
    assert_eq!(v.reason, "down: wg0 is gone on beta");
}

/// The scenarios measured on the real mesh: see the field notes on what faults look like.
#[test]
fn measured_faults() {
    // Never used, no keepalive: handshake 0, nothing moved.
    let unused = EndEvidence {
        latest_handshake: UnixSeconds(0),
        rx_bytes: 0,
        tx_bytes: 0,
        ..end("n1", 0, 0)
    };
    let other = EndEvidence { name: "n2", ..unused };
    let v = verdict([&unused, &other]);
    assert_eq!(states(&v), (EdgeState::Never, EndState::Never, EndState::Never));
    assert_eq!(v.reason, "never: no handshake yet between n1 and n2");
    // Idle for 452 s without keepalive, counters flat: healthy.
    let v =
        verdict([&with_traffic(end("n1", 452, 0), 0, 0), &with_traffic(end("n2", 452, 0), 0, 0)]);
    assert_eq!(v.state, EdgeState::Idle);
    // Healthy with keepalive 25: ages to 125 s, each end's counter flat in one direction.
    let v = verdict([
        &with_traffic(end("n1", 125, 25), 0, 64),
        &with_traffic(end("n2", 125, 25), 64, 0),
    ]);
    assert_eq!(states(&v), (EdgeState::Up, EndState::Up, EndState::Up));
    // Daemon killed on n1: its peers retry in vain, 148 bytes at a time.
    let dead = silent(end("n1", 300, 25));
    let v = verdict([&dead, &with_traffic(end("n2", 340, 25), 0, 148 * 6)]);
    assert_eq!(states(&v), (EdgeState::Down, EndState::Unknown, EndState::Down));
    // The daemon is back and its counters began again: growth unknown, handshake young.
    let mut back = end("n1", 2, 25);
    back.rx_bytes = 92;
    let v = verdict([&back, &end("n2", 2, 25)]);
    assert_eq!(v.state, EdgeState::Up);
    // Private key replaced on n1: n2 lists the old key, both age out.
    let mut rekeyed = end("n2", 260, 25);
    rekeyed.lists_old_key = true;
    let v = verdict([&end("n1", 260, 25), &rekeyed]);
    assert_eq!(v.state, EdgeState::HalfConfigured);
    assert_eq!(v.reason, "half configured: n2 lists a key that n1 does not use");
}

#[test]
fn a_link_someone_tries_to_use_is_expected_alive() {
    let v = verdict([&with_traffic(end("alpha", 320, 0), 0, 148), &end("beta", 320, 0)]);
    assert_eq!(v.state, EdgeState::Down);
    assert!(v.reason.contains("while alpha keeps sending"), "{}", v.reason);
    // Once is not twice, and a silent agent's last words are not the present.
    let mut once = end("alpha", 320, 0);
    once.d_tx = [Some(148), Some(0)];
    assert_eq!(verdict([&once, &end("beta", 320, 0)]).state, EdgeState::Idle);
    let gone = silent(with_traffic(end("alpha", 320, 0), 0, 148));
    let v = verdict([&gone, &end("beta", 320, 0)]);
    assert_eq!((v.state, v.witness_missing), (EdgeState::Idle, true));
}

#[test]
fn one_way_needs_both_ends() {
    let sender = with_traffic(end("alpha", 60, 0), 0, 900);
    let deaf = with_traffic(end("beta", 60, 0), 0, 0);
    let v = verdict([&deaf, &sender]);
    assert_eq!(v.state, EdgeState::OneWay);
    assert_eq!(
        v.reason,
        "one way: alpha sent 1800 bytes in its last two reports, beta received none of them"
    );
    for other in [
        with_traffic(end("beta", 60, 0), 64, 0),
        end("beta", 60, 0),
        silent(deaf),
        external("beta"),
    ] {
        assert_eq!(verdict([&sender, &other]).state, EdgeState::Up, "{other:?}");
    }
    // One report is not enough.
    let mut brief = deaf;
    brief.d_rx = [Some(0), Some(64)];
    assert_eq!(verdict([&sender, &brief]).state, EdgeState::Up);
    // Past T2 it is down, with the unanswered sender as its cause.
    let v = verdict([
        &with_traffic(end("alpha", 400, 0), 0, 900),
        &with_traffic(end("beta", 400, 0), 0, 0),
    ]);
    assert_eq!(v.state, EdgeState::Down);
    assert!(v.reason.ends_with("; alpha sends without an answer"), "{}", v.reason);
}

#[test]
fn the_direction_that_passes_is_told_whatever_the_state() {
    let two_way = |name, age, rx, tx| with_traffic(end(name, age, 25), rx, tx);
    for (a, b, passage, state) in [
        // What beta sends is lost; alpha's attempts at a handshake arrive.
        (
            two_way("alpha", 120, 0, 148),
            two_way("beta", 120, 148, 92),
            Passage::From(0),
            EdgeState::OneWay,
        ),
        (
            two_way("beta", 120, 148, 92),
            two_way("alpha", 120, 0, 148),
            Passage::From(1),
            EdgeState::OneWay,
        ),
        (
            two_way("alpha", 400, 0, 148),
            two_way("beta", 400, 148, 92),
            Passage::From(0),
            EdgeState::Down,
        ),
        // Nothing passes: no direction is known to work.
        (
            two_way("alpha", 120, 0, 148),
            two_way("beta", 120, 0, 148),
            Passage::Untold,
            EdgeState::OneWay,
        ),
        (
            two_way("alpha", 400, 0, 148),
            two_way("beta", 400, 0, 0),
            Passage::Untold,
            EdgeState::Down,
        ),
        // Keepalives go one way; a handshake goes both.
        (two_way("alpha", 120, 0, 64), two_way("beta", 120, 64, 0), Passage::Untold, EdgeState::Up),
        (two_way("alpha", 60, 0, 64), two_way("beta", 60, 64, 0), Passage::Both, EdgeState::Up),
        (two_way("alpha", 120, 32, 64), two_way("beta", 120, 64, 32), Passage::Both, EdgeState::Up),
        (
            two_way("alpha", 120, 0, 148),
            silent(two_way("beta", 120, 148, 92)),
            Passage::Untold,
            EdgeState::Up,
        ),
    ] {
        let v = verdict([&a, &b]);
        assert_eq!((v.passage, v.state), (passage, state), "{a:?} {b:?}");
    }
    // One report is not enough.
    let mut heard_before = two_way("alpha", 120, 0, 148);
    heard_before.d_rx = [Some(0), Some(92)];
    let v = verdict([&heard_before, &two_way("beta", 120, 148, 92)]);
    assert_eq!((v.passage, v.state), (Passage::Untold, EdgeState::Up));
}

#[test]
fn half_configured_needs_the_other_end_to_speak() {
    let mut denies = end("beta", 0, 0);
    denies.listed = false;
    denies.latest_handshake = UnixSeconds(0);
    let v = verdict([&end("alpha", 700, 25), &denies]);
    assert_eq!(states(&v), (EdgeState::HalfConfigured, EndState::Down, EndState::Missing));
    assert_eq!(v.reason, "half configured: beta does not list alpha's key, alpha lists its");
    // It does not tell its peers at all: then only alpha's evidence counts.
    let untold = EndEvidence { peers_untold: true, ..denies };
    let v = verdict([&end("alpha", 20, 25), &untold]);
    assert_eq!(states(&v), (EdgeState::Up, EndState::Up, EndState::Unknown));
    // It is silent: what it last listed is not the present.
    let v = verdict([&end("alpha", 20, 25), &silent(denies)]);
    assert_eq!(v.state, EdgeState::Up);
    // The one that lists is silent: nobody can say.
    assert_eq!(verdict([&silent(end("alpha", 20, 25)), &denies]).state, EdgeState::Unknown);
}

#[test]
fn causes_and_notes() {
    let mut alpha = end("alpha", 900, 25);
    alpha.interface_up = Some(false);
    let v = verdict([&alpha, &end("beta", 900, 0)]);
    assert!(v.reason.ends_with("; the interface is down on alpha"), "{}", v.reason);
    let mut alpha = end("alpha", 20, 0);
    alpha.allowed_ips_ok = Some(false);
    let v = verdict([&alpha, &end("beta", 20, 0)]);
    assert_eq!(v.state, EdgeState::Up);
    assert!(v.reason.contains("alpha drops packets from beta"), "{}", v.reason);
    let mut tried = end("alpha", 0, 0);
    (tried.latest_handshake, tried.rx_bytes, tried.tx_bytes) = (UnixSeconds(0), 0, 1_480);
    let v = verdict([&tried, &external("key")]);
    assert!(v.reason.ends_with("; alpha has sent 1480 bytes without an answer"), "{}", v.reason);
}

#[test]
fn a_clock_that_went_back_far_says_nothing() {
    let v = verdict([&end("alpha", -3_600, 25), &external("key")]);
    assert_eq!((v.state, v.ends[0]), (EdgeState::Unknown, EndState::Unknown));
    assert!(v.reason.contains("alpha"), "{}", v.reason);
    // The other end still can.
    let v = verdict([&end("alpha", -3_600, 25), &end("beta", 30, 25)]);
    assert_eq!(states(&v), (EdgeState::Up, EndState::Unknown, EndState::Up));
}

fn any_end(name: &'static str) -> impl Strategy<Value = EndEvidence<'static>> {
    let growth = || proptest::array::uniform2(proptest::option::of(0_u64..3));
    (
        proptest::array::uniform5(any::<bool>()),
        -400_i64..1_000,
        growth(),
        growth(),
        proptest::sample::select(vec![0_u16, 25, 60, 600]),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(
            move |([agent, fresh, listed, old, never], age, d_rx, d_tx, keepalive, up)| {
                let listed = agent && listed;
                EndEvidence {
                    has_agent: agent,
                    fresh: agent && fresh,
                    listed,
                    lists_old_key: listed && old,
                    latest_handshake: UnixSeconds(if never || !listed { 0 } else { 10_000 - age }),
                    d_rx,
                    d_tx,
                    persistent_keepalive: if listed { keepalive } else { 0 },
                    interface_up: up,
                    ..end(name, 0, 0)
                }
            },
        )
}

proptest! {
    #[test]
    fn swapping_the_ends_swaps_the_answer(a in any_end("alpha"), b in any_end("beta"), lost in any::<[bool; 2]>()) {
        let (mut a, mut b) = (a, b);
        for (end, lost) in [&mut a, &mut b].into_iter().zip(lost) {
            end.gone = Some("wg0").filter(|_| end.has_agent && lost);
        }
        let there = verdict([&a, &b]);
        let mut back = verdict([&b, &a]);
        back.ends.reverse();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn a_young_handshake_at_a_fresh_end_is_never_down(a in any_end("alpha"), b in any_end("beta"), age in 0_i64..=210) {
        let mut a = a;
        (a.has_agent, a.fresh, a.listed) = (true, true, true);
        a.latest_handshake = UnixSeconds(10_000 - age);
        let v = verdict([&a, &b]);
        prop_assert!(v.state != EdgeState::Down && !v.past_t1, "{:?}", v);
    }

    #[test]
    fn without_keepalive_and_traffic_age_alone_is_never_a_fault(a in any_end("alpha"), b in any_end("beta")) {
        let (mut a, mut b) = (a, b);
        for end in [&mut a, &mut b] {
            end.persistent_keepalive = 0;
            end.d_tx = [Some(0), Some(0)];
        }
        let v = verdict([&a, &b]);
        prop_assert!(v.state != EdgeState::Down && !v.past_t1, "{:?}", v);
    }

    #[test]
    fn silent_ends_decide_nothing(a in any_end("alpha"), b in any_end("beta"), age in -400_i64..2_000) {
        let mut a = a;
        a.fresh = false;
        let before = verdict([&a, &b]);
        a.latest_handshake = UnixSeconds(10_000 - age);
        prop_assert_eq!(before, verdict([&a, &b]));
    }
}
