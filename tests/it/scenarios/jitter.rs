//! Clocks that are right, under everything that makes them look wrong: reports that take long or
//! are lost, sessions that end at any time, restarts. Nobody's clock may be blamed, and no link.

use std::fmt::Write as _;

use super::run;
use crate::support::dice::Dice;

const HOSTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What happens to a ring with two chords in forty minutes.
fn drawn(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut text = format!("hosts {}\nlinks a-b b-c c-d d-e e-f a-f a-d b-e\n", HOSTS.join(" "));
    _ = writeln!(text, "renewing {}", seed + 1);
    for kind in ["agent.clock_drift", "edge.disagree", "manager.clock", "edge.down"] {
        _ = writeln!(text, "never {kind}");
    }
    for host in HOSTS {
        _ = writeln!(text, "00:00 clock {host} {}", i64::try_from(dice.below(21)).unwrap() - 10);
    }
    let host = |dice: &mut Dice| HOSTS[usize::try_from(dice.below(6)).unwrap()];
    for minute in (10..40).step_by(10) {
        let late = host(&mut dice);
        let delay_s = 60 + 30 * dice.below(3);
        _ = writeln!(text, "{minute}:10 delay {late} {delay_s}");
        _ = writeln!(text, "{}:20 lose {} {}", minute + 3, host(&mut dice), 1 + dice.below(2));
        _ = writeln!(text, "{}:50 delay {late} 0", minute + 9);
    }
    if dice.below(2) == 0 {
        _ = writeln!(text, "41:00 restart");
    }
    text + "45:00 only\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_right_is_never_blamed() {
    for seed in 1..=8 {
        assert_eq!(run(&format!("jitter {seed}"), &drawn(seed)).await, 1);
    }
}
