//! Rates and slots by table and by property.

use proptest::prelude::*;

use super::roll::{Grid, better, points, roll};
use super::sample::Sample;
use crate::model::metric::{Age, Counter, Flow, SLOT_S, Slot, Subject};
use crate::model::report::{Counters, Interface, LinkState, Peer, ReportData};
use crate::model::time::UnixSeconds;

const T: UnixSeconds = UnixSeconds(1_800_000_000);
const GAP_S: i64 = 180;

fn interface(rx: u64) -> Interface {
    Interface {
        name: "eth0".into(),
        mac: None,
        mtu: None,
        state: LinkState::Up,
        flags: Vec::new(),
        addresses: Vec::new(),
        public_key: None,
        listen_port: None,
        counters: Counters {
            rx_bytes: Some(rx),
            tx_bytes: Some(0),
            rx_errors: Some(rx / 1_000),
            ..Counters::default()
        },
    }
}

fn sample(after: i64, rx: u64) -> Sample {
    let data = ReportData { interfaces: Some(vec![interface(rx)]), ..ReportData::default() };
    Sample::of(T.plus(after), data)
}

fn eth0() -> Subject {
    Subject::Interface("eth0".into())
}

fn grid(slots: usize) -> Grid {
    Grid { from: T, step_s: SLOT_S, slots }
}

fn rolled(samples: &[Sample], slots: usize) -> Vec<Option<Slot>> {
    roll(samples, &grid(slots), GAP_S).remove(&eth0()).unwrap_or_default()
}

fn rx(slot: Option<Slot>) -> Option<Flow> {
    slot?.flow(Counter::RxBytes)
}

#[test]
fn what_moved_is_shared_out_by_time() {
    // 100 bytes a second over the border of two slots.
    let slots = rolled(&[sample(240, 0), sample(340, 10_000)], 2);
    let [first, second] = [slots[0], slots[1]];
    assert_eq!(rx(first), Some(Flow { sum: 6_000, min: 100, max: 100 }));
    assert_eq!(rx(second), Some(Flow { sum: 4_000, min: 100, max: 100 }));
    assert_eq!([first.unwrap().covered_s, second.unwrap().covered_s], [60, 40]);
    assert_eq!([first.unwrap().samples, second.unwrap().samples], [1, 1]);
    let errors = first.unwrap().flow(Counter::RxErrors).unwrap();
    assert_eq!((errors.sum, errors.min), (6, 100), "a tenth of a packet per second");
    assert_eq!(first.unwrap().flow(Counter::TxErrors), None, "is not told");
}

#[test]
fn a_reset_a_boot_and_a_silence_are_gaps() {
    let booted = |after, rx, boot: &str| Sample { boot: Some(boot.into()), ..sample(after, rx) };
    let table = [
        ("a counter that goes back", [sample(0, 500), sample(60, 499)]),
        ("a boot", [booted(0, 10, "a"), booted(60, 400, "b")]),
        ("a silence", [sample(0, 0), sample(GAP_S + 1, 400)]),
        ("nonsense", [sample(0, 0), sample(60, u64::MAX)]),
        ("one time twice", [sample(60, 0), sample(60, 400)]),
    ];
    for (what, samples) in table {
        let slots = rolled(&samples, 1);
        let slot = slots[0].unwrap();
        assert_eq!((slot.samples, slot.covered_s, rx(slots[0])), (2, 0, None), "{what}");
    }
    assert!(rx(rolled(&[booted(0, 10, "a"), booted(60, 400, "a")], 1)[0]).is_some());
    // What is told now and then has no rate.
    let mut untold = sample(60, 400);
    untold.readings[0].counters[1] = None;
    assert_eq!(rx(rolled(&[sample(0, 0), untold], 1)[0]), None);
}

#[test]
fn reports_rarer_than_slots_leave_no_hole() {
    let samples = [sample(0, 0), sample(900, 9_000), sample(1_800, 9_000)];
    let slots = roll(&samples, &grid(6), 2_700).remove(&eth0()).unwrap();
    let sums: Vec<_> = slots.iter().map(|slot| rx(*slot).unwrap().sum).collect();
    assert_eq!(sums, [3_000, 3_000, 3_000, 0, 0, 0]);
    assert_eq!(slots[1].unwrap().samples, 0);
}

#[test]
fn handshakes_are_as_old_as_their_host_says() {
    let peer = |handshake: i64| Peer {
        interface: "wg0".into(),
        public_key: crate::model::key::WgKey([7; 32]),
        endpoint: None,
        allowed_ips: Vec::new(),
        latest_handshake: UnixSeconds(handshake),
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: 0,
        has_psk: false,
    };
    let at = |after: i64, handshake: i64| {
        let data = ReportData { peers: Some(vec![peer(handshake)]), ..ReportData::default() };
        Sample::of(T.plus(after), data)
    };
    let samples = [at(0, T.0 - 170), at(30, T.0 + 20), at(60, T.0 + 61), at(300, 0)];
    let subject = Subject::Peer("wg0".into(), crate::model::key::WgKey([7; 32]));
    let slots = roll(&samples, &grid(2), GAP_S).remove(&subject).unwrap();
    assert_eq!(slots[0].unwrap().age, Some(Age { last: 0, max: 170 }));
    assert_eq!(slots[1].unwrap().age, None, "never");
}

#[test]
fn a_point_per_report_and_a_hole_per_gap() {
    let samples = [sample(-30, 0), sample(0, 300), sample(30, 900), sample(400, 0), sample(430, 3)];
    let line = points(&samples, (T, T.plus(3_600)), GAP_S).remove(&eth0()).unwrap();
    let rates: Vec<_> = line
        .iter()
        .map(|(at, slot)| (at.since(T), slot.map(|slot| slot.mean(Counter::RxBytes))))
        .collect();
    let some = |rate: f64| Some(Some(rate));
    assert_eq!(
        rates,
        [(0, some(10.0)), (30, some(20.0)), (31, None), (400, Some(None)), (430, some(0.1))]
    );
}

#[test]
fn of_two_accounts_the_better_known_one_stays() {
    let known = |samples| Some(Slot { samples, ..Slot::default() });
    let before = [known(5), known(5), None, known(5), None];
    let now = [known(4), known(6), known(1), None, None];
    assert_eq!(better(&before, &now), [known(5), known(6), known(1), known(5), None]);
}

proptest! {
    /// No sums are made up or lost, and no rate is beyond those between two reports, however
    /// counters are reset and reports are spread.
    #[test]
    fn slots_tell_what_the_counters_moved(
        steps in prop::collection::vec((0_i64..400, 0_u64..1 << 34, prop::bool::weighted(0.2)), 1..60),
    ) {
        let (mut at, mut counter, mut moved) = (0_i64, 0_u64, 0_u64);
        let mut samples = vec![sample(0, 0)];
        let (mut least, mut most) = (u64::MAX, 0);
        for (wait, by, reset) in steps {
            at += wait;
            let before = counter;
            counter = if reset { by / 2 } else { counter + by };
            if counter >= before && (1..=GAP_S).contains(&wait) && counter / 1_000 >= before / 1_000 {
                let gain = counter - before;
                moved += gain;
                least = least.min(gain / wait.unsigned_abs());
                most = most.max(gain / wait.unsigned_abs());
            }
            samples.push(sample(at, counter));
        }
        let slots = rolled(&samples, usize::try_from(at / SLOT_S).unwrap() + 1);
        let flows: Vec<Flow> = slots.iter().filter_map(|slot| rx(*slot)).collect();
        prop_assert_eq!(flows.iter().map(|flow| flow.sum).sum::<u64>(), moved);
        prop_assert!(flows.iter().all(|flow| flow.min >= least && flow.max <= most));
        let counted: u32 = slots.iter().flatten().map(|slot| slot.samples).sum();
        prop_assert_eq!(counted as usize, samples.len());
        prop_assert!(slots.iter().flatten().all(|slot| i64::from(slot.covered_s) <= SLOT_S));
        let whole = Slot::whole(&slots).unwrap();
        prop_assert_eq!(rx(Some(whole)).map_or(0, |flow| flow.sum), moved);
    }
}
