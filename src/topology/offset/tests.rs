use proptest::prelude::*;

use super::*;

const T: i64 = 1_800_000_000;

fn shakes(oldest_first: &[i64]) -> Shakes {
    let mut shakes = Shakes::default();
    oldest_first.iter().for_each(|at| shakes.note(UnixSeconds(T + at)));
    shakes
}

/// The difference of two ends that noted these, oldest first.
fn of(first: &[i64], second: &[i64], signed: i64) -> Option<i64> {
    difference([&shakes(first), &shakes(second)], signed)
}

#[test]
fn two_shared_handshakes_tell_the_difference() {
    assert_eq!(of(&[0, 122, 251], &[-42, 80, 209], 42), Some(42));
    assert_eq!(of(&[0], &[-42], 42), None, "one may be half of two");
    assert_eq!(of(&[], &[], 0), None);
    // What the second end has not told of yet, or will never complete.
    assert_eq!(of(&[0, 122, 251], &[0, 122], 0), Some(0));
    assert_eq!(of(&[0, 122, 127], &[0, 122], 0), Some(0));
    assert_eq!(of(&[0, 122, 251], &[0, 122, 251, 256], 0), Some(0));
    // The responder knows with the next packet only: that handshake does not count.
    assert_eq!(of(&[0, 122, 251], &[0, 147, 251], 0), Some(0));
    assert_eq!(of(&[0, 122], &[0, 147], 0), None, "they did not move together");
}

#[test]
fn regular_handshakes_fit_in_several_ways() {
    let regular = [0, 125, 250, 375];
    assert_eq!(of(&regular, &[-90, 35, 160, 285], 90), Some(90), "as the signed times tell");
    // The second one's reports are 90 s late and so have not told of the newest.
    assert_eq!(of(&regular, &[-125, 0, 125, 250], 90), Some(0));
    assert_eq!(of(&regular, &regular, 0), Some(0));
}

fn no(n: usize) -> AgentNo {
    AgentNo(i64::try_from(n).unwrap())
}

fn known(differences: &[Difference], signed: &[i64]) -> Vec<Option<i64>> {
    let signed: BTreeMap<_, _> = signed.iter().enumerate().map(|(n, s)| (no(n), *s)).collect();
    let free = signed.keys().copied().collect();
    let found = offsets(differences, &signed, &free);
    let of = |n: &AgentNo| found.get(n).filter(|offset| offset.is_known()).map(|offset| offset.s);
    signed.keys().map(of).collect()
}

fn link(a: usize, b: usize, s: i64) -> Difference {
    Difference { ends: [no(a), no(b)], s }
}

#[test]
fn when_an_offset_is_known() {
    // One link and the signed times agree.
    assert_eq!(known(&[link(0, 1, 90)], &[90, 0]), [Some(90), Some(0)]);
    // They do not, and one link is not enough to say who is right.
    assert_eq!(known(&[link(0, 1, 0)], &[-90, 0]), [None, None]);
    // Two are: its reports are late.
    let two = [link(0, 1, 0), link(0, 2, 1), link(1, 2, 0)];
    let found = known(&two, &[-90, 0, 0]);
    assert!(found.iter().all(|s| s.is_some_and(|s| s.abs() <= 1)), "{found:?}");
    assert_eq!(known(&[], &[-90, 0, 0]), [None; 3], "without links");
    // A hub by its spokes.
    let hub = [link(0, 1, 70), link(0, 2, 70), link(0, 3, 71)];
    assert_eq!(known(&hub, &[72, 0, 0, 0]), [Some(70), Some(0), Some(0), Some(0)]);
}

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % bound).unwrap()
    }
}

/// Hosts in a ring with chords, their clocks, and what their links tell, a second off at most.
fn made(seed: u64, hosts: usize) -> (Vec<i64>, Vec<Difference>) {
    let mut dice = Dice(seed);
    let clocks: Vec<i64> = (0..hosts).map(|_| dice.below(601) - 300).collect();
    let mut pairs: BTreeSet<(usize, usize)> = (0..hosts).map(|n| (n, (n + 1) % hosts)).collect();
    for _ in 0..hosts {
        let [a, b] = [(); 2].map(|()| usize::try_from(dice.below(hosts as u64)).unwrap());
        if a != b && !pairs.contains(&(b, a)) {
            pairs.insert((a, b));
        }
    }
    let tell = |(a, b): (usize, usize)| link(a, b, clocks[a] - clocks[b] + dice.below(3) - 1);
    let links = pairs.into_iter().map(tell).collect();
    (clocks, links)
}

proptest! {
    #[test]
    fn made_clocks_are_found(seed in 1_u64.., hosts in 3_usize..30) {
        let (clocks, links) = made(seed, hosts);
        for (found, clock) in known(&links, &clocks).into_iter().zip(clocks) {
            prop_assert!(found.is_some_and(|s| s.abs_diff(clock) <= 3), "{found:?} {clock}");
        }
    }

    #[test]
    fn late_reports_of_one_host_move_no_clock(seed in 1_u64.., hosts in 3_usize..30, late in 20_i64..600) {
        let (clocks, links) = made(seed, hosts);
        let mut signed = clocks.clone();
        signed[0] -= late;
        for (found, clock) in known(&links, &signed).into_iter().zip(clocks) {
            prop_assert!(found.is_some_and(|s| s.abs_diff(clock) <= 4), "{found:?} {clock}");
        }
    }

    #[test]
    fn a_link_that_lies_moves_no_clock(seed in 1_u64.., hosts in 3_usize..30, lie in 20_i64..600) {
        let (clocks, mut links) = made(seed, hosts);
        links[0].s += lie;
        for (found, clock) in known(&links, &clocks).into_iter().zip(clocks) {
            prop_assert!(found.is_none_or(|s| s.abs_diff(clock) <= 3), "{found:?} {clock}");
        }
    }

    /// Handshakes with their jitter, responders that note one late, notes that are not told of:
    /// as soon as both ends tell of two that they noted together, the difference is found.
    #[test]
    fn notes_under_jitter_tell_the_truth(seed in 1_u64.., ahead in -300_i64..300) {
        let mut dice = Dice(seed);
        let (mut at, mut first, mut second) = (0, Shakes::default(), Shakes::default());
        let mut both = BTreeSet::new();
        for _ in 0..40 {
            at += 120 + dice.below(26);
            first.note(UnixSeconds(T + ahead + at));
            if dice.below(10) == 0 {
                // Lost on its way, and tried again.
                at += 5;
                first.note(UnixSeconds(T + ahead + at));
            }
            let late = if dice.below(8) == 0 { dice.below(25) } else { dice.below(2) };
            if dice.below(6) > 0 {
                second.note(UnixSeconds(T + at + late));
                if late < 2 {
                    both.insert((T + ahead + at, T + at + late));
                }
            }
            let tells = |(a, b): &&(i64, i64)| {
                first.noted().any(|(_, at)| at == *a) && second.noted().any(|(_, at)| at == *b)
            };
            if both.iter().filter(tells).count() >= 2 {
                let told = difference([&first, &second], ahead + dice.below(5) - 2);
                let off = told.map(|told| told.abs_diff(ahead));
                prop_assert!(off.is_some_and(|off| off <= SIGNED_S), "{told:?} {ahead}");
            }
        }
    }
}
