//! Samples to slots of a fixed length, or to one point per report.

use std::collections::BTreeMap;

use super::sample::{Reading, Sample};
use crate::model::metric::{Age, COUNTERS, Counter, Flow, Slot, Subject};
use crate::model::time::UnixSeconds;

/// Rates from here on, in bytes or packets per second, are no rates: no host has a network of a
/// terabyte per second, but a counter may be nonsense.
const ABSURD: u64 = 1 << 40;

/// Slots, one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Where the first begins.
    pub from: UnixSeconds,
    /// Seconds of each.
    pub step_s: i64,
    /// How many.
    pub slots: usize,
}

impl Grid {
    /// Where a slot begins.
    pub fn start(&self, slot: usize) -> UnixSeconds {
        let steps = i64::try_from(slot).unwrap_or(i64::MAX);
        self.from.plus(steps.saturating_mul(self.step_s))
    }

    /// The slot of a time.
    fn slot(&self, at: UnixSeconds) -> Option<usize> {
        let step = at.since(self.from).div_euclid(self.step_s);
        usize::try_from(step).ok().filter(|slot| *slot < self.slots)
    }

    /// The slots that a stretch of time has a part in.
    fn between(&self, from: UnixSeconds, to: UnixSeconds) -> std::ops::Range<usize> {
        let last = i64::try_from(self.slots).unwrap_or(i64::MAX);
        let place = |at: UnixSeconds, up: i64| {
            let step = at.since(self.from).saturating_add(up).div_euclid(self.step_s);
            usize::try_from(step.clamp(0, last)).unwrap_or(0)
        };
        place(from, 0)..place(to, self.step_s - 1)
    }
}

/// Slots of each thing; `None` is a slot of which nothing is known.
pub type Rolled = BTreeMap<Subject, Vec<Option<Slot>>>;

/// Points of each thing: one per report, and one without a value in every gap.
pub type Points = BTreeMap<Subject, Vec<(UnixSeconds, Option<Slot>)>>;

/// Makes slots of samples in the order of their times.
///
/// What moved between two of them is shared
/// out over the slots between them by time, so that sums stay what they are. Two that are more
/// than `gap_s` apart are not compared.
pub fn roll(samples: &[Sample], grid: &Grid, gap_s: i64) -> Rolled {
    let mut rolled = Rolled::new();
    let mut before: Option<&Sample> = None;
    for sample in samples {
        for reading in &sample.readings {
            note_look(&mut rolled, grid, sample.at, reading);
            if let Some(span) = before.and_then(|before| span(before, sample, reading, gap_s)) {
                share(&mut rolled, grid, &span, &reading.subject);
            }
        }
        before = Some(sample);
    }
    rolled
}

/// One point per report measured in a stretch of time.
pub fn points(samples: &[Sample], (from, to): (UnixSeconds, UnixSeconds), gap_s: i64) -> Points {
    let mut points = Points::new();
    let mut before: Option<&Sample> = None;
    let inside = |at: UnixSeconds| at >= from && at < to;
    for sample in samples {
        for reading in sample.readings.iter().filter(|_| inside(sample.at)) {
            let line = points.entry(reading.subject.clone()).or_default();
            let known = before.filter(|before| before.reading(&reading.subject).is_some());
            if let Some((last, _)) = line.last()
                && known.is_none_or(|known| sample.at.since(known.at) > gap_s)
            {
                line.push((last.plus(1), None));
            }
            let mut slot = look(reading);
            if let Some(span) = before.and_then(|before| span(before, sample, reading, gap_s)) {
                span.put(&mut slot, span.from, span.to);
            }
            line.push((sample.at, Some(slot)));
        }
        before = Some(sample);
    }
    points
}

/// The better known of two accounts of the same slots: the one that more reports speak for.
/// Reports may have gone since the first was made, and late ones may have come.
pub fn better(before: &[Option<Slot>], now: &[Option<Slot>]) -> Vec<Option<Slot>> {
    let pick = |(before, now): (&Option<Slot>, &Option<Slot>)| match (before, now) {
        (Some(a), Some(b)) if (a.samples, a.covered_s) > (b.samples, b.covered_s) => Some(*a),
        (a, b) => b.or(*a),
    };
    before.iter().zip(now).map(pick).collect()
}

/// How counters moved between two reports.
struct Span {
    from: UnixSeconds,
    to: UnixSeconds,
    moved: [Option<u64>; COUNTERS],
}

/// How the counters of a thing moved since the report before; `None` if that cannot be told.
fn span(before: &Sample, now: &Sample, reading: &Reading, gap_s: i64) -> Option<Span> {
    let seconds = now.at.since(before.at);
    let rebooted = matches!((&before.boot, &now.boot), (Some(a), Some(b)) if a != b);
    if seconds < 1 || seconds > gap_s || rebooted {
        return None;
    }
    let was = before.reading(&reading.subject)?;
    let most = ABSURD.saturating_mul(seconds.unsigned_abs());
    let mut moved = [None; COUNTERS];
    for (moved, pair) in moved.iter_mut().zip(was.counters.iter().zip(reading.counters)) {
        *moved = match pair {
            (Some(was), Some(is)) => Some(is.checked_sub(*was).filter(|by| *by < most)?),
            (None, None) => None,
            // What is told now and then has no rate, nor has what stands beside it.
            (Some(_), None) | (None, Some(_)) => return None,
        };
    }
    moved.iter().any(Option::is_some).then_some(Span { from: before.at, to: now.at, moved })
}

impl Span {
    /// Adds the part of it that lies between two times.
    fn put(&self, slot: &mut Slot, from: UnixSeconds, to: UnixSeconds) {
        let whole = self.to.since(self.from).max(1).unsigned_abs();
        let part = |moved: u64, at: UnixSeconds| {
            let passed = at.since(self.from).clamp(0, i64::MAX).unsigned_abs();
            u64::try_from(u128::from(moved) * u128::from(passed) / u128::from(whole))
                .unwrap_or(u64::MAX)
        };
        let rates = Counter::ALL.into_iter().zip(self.moved);
        let mut flows = [None; COUNTERS];
        for (flow, (counter, moved)) in flows.iter_mut().zip(rates) {
            let Some(moved) = moved else { continue };
            let rate = moved.saturating_mul(counter.per_second()) / whole;
            let sum = part(moved, to).saturating_sub(part(moved, from));
            *flow = Some(Flow { sum, min: rate, max: rate });
        }
        let covered_s = u32::try_from(to.since(from)).unwrap_or(0);
        slot.then(&Slot { samples: 0, covered_s, flows, age: None });
    }
}

/// What one report by itself tells of a thing.
fn look(reading: &Reading) -> Slot {
    let age = reading.age_s.map(|age| Age { last: age, max: age });
    Slot { samples: 1, age, ..Slot::default() }
}

fn note_look(rolled: &mut Rolled, grid: &Grid, at: UnixSeconds, reading: &Reading) {
    if let Some(slot) = grid.slot(at) {
        with(rolled, grid, (&reading.subject, slot), |known| known.then(&look(reading)));
    }
}

fn share(rolled: &mut Rolled, grid: &Grid, span: &Span, subject: &Subject) {
    for slot in grid.between(span.from, span.to) {
        let (from, to) = (span.from.max(grid.start(slot)), span.to.min(grid.start(slot + 1)));
        with(rolled, grid, (subject, slot), |known| span.put(known, from, to));
    }
}

/// Adds to a slot of a thing.
fn with(
    rolled: &mut Rolled,
    grid: &Grid,
    (subject, slot): (&Subject, usize),
    act: impl FnOnce(&mut Slot),
) {
    if !rolled.contains_key(subject) {
        rolled.insert(subject.clone(), vec![None; grid.slots]);
    }
    let slots = rolled.get_mut(subject);
    if let Some(known) = slots.and_then(|slots| slots.get_mut(slot)) {
        act(known.get_or_insert_default());
    }
}
