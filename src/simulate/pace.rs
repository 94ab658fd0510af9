//! When reports are due: arithmetic of intended times, and the thread that keeps them.

use std::cmp::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::connection::Letter;

/// How reports follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// On every connection the next report follows the last answer.
    Closed,
    /// So many reports per second, whatever the answers do. Latency counts from the intended
    /// start, so a manager that stalls is charged for everything that piled up meanwhile.
    Rate(f64),
    /// Every host on its own clock, with retries, as agents do.
    Fleet {
        /// Time between two reports of a host.
        interval: Duration,
        /// The hosts' first reports are spread over this time.
        spread: Duration,
    },
}

/// The intended starts of a constant rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timetable {
    pub(super) start: Instant,
    pub(super) per_second: f64,
}

impl Timetable {
    /// When report number `number` (from 0) is to start.
    pub(super) fn at(&self, number: u64) -> Option<Instant> {
        // Multiplied, not added up: no error accumulates over a long run.
        let after = Duration::try_from_secs_f64(number as f64 / self.per_second).ok()?;
        self.start.checked_add(after)
    }
}

/// The longest the pacing thread sleeps without looking whether to stop.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// Hands every intended start to the workers in turn until told to stop.
///
/// A thread of its own, because the runtime's timer wakes up on whole milliseconds only, which
/// would be charged to the manager.
pub(super) fn keep_time(
    timetable: Timetable,
    workers: Vec<UnboundedSender<Instant>>,
    stop: CancellationToken,
) -> std::io::Result<thread::JoinHandle<()>> {
    let run = move || {
        for (number, worker) in (0..).zip(workers.iter().cycle()) {
            let Some(at) = timetable.at(number) else { return };
            while let Some(rest) = at.checked_duration_since(Instant::now()) {
                if rest.is_zero() {
                    break;
                }
                if stop.is_cancelled() {
                    return;
                }
                thread::park_timeout(rest.min(LONGEST_NAP));
            }
            if stop.is_cancelled() || worker.send(at).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("pacer".to_owned()).spawn(run)
}

/// A host's next turn in a paced fleet; the earliest is the greatest, as a heap wants it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) at: Instant,
    pub(super) host: usize,
    pub(super) resend: Option<Resend>,
}

/// Bytes that are sent again.
#[derive(Debug)]
pub(super) struct Resend {
    pub(super) envelope: Letter,
    pub(super) signed_at: Instant,
    pub(super) attempt: u32,
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at).then(other.host.cmp(&self.host))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

/// The first regular turn after `now` of a host whose turns began at `first`.
pub(super) fn next_regular(first: Instant, interval: Duration, now: Instant) -> Instant {
    let Some(passed) = now.checked_duration_since(first) else { return first };
    let step = interval.max(Duration::from_millis(1)).as_nanos();
    let rounds = passed.as_nanos() / step + 1;
    let after = u64::try_from(rounds.saturating_mul(step)).unwrap_or(u64::MAX);
    first.checked_add(Duration::from_nanos(after)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use super::*;

    #[test]
    fn intended_times_do_not_drift() {
        let start = Instant::now();
        let timetable = Timetable { start, per_second: 3000.0 };
        assert_eq!(timetable.at(0), Some(start));
        let hour = timetable.at(3000 * 3600).unwrap().duration_since(start);
        assert!(hour.abs_diff(Duration::from_secs(3600)) < Duration::from_micros(1), "{hour:?}");
        let third = timetable.at(1).unwrap().duration_since(start);
        assert!(third.abs_diff(Duration::from_nanos(333_333)) < Duration::from_nanos(2));
        assert_eq!(Timetable { start, per_second: 0.0 }.at(1), None);
    }

    #[test]
    fn the_pacer_serves_every_worker_in_turn_and_stops() {
        let (one, mut first) = tokio::sync::mpsc::unbounded_channel();
        let (two, mut second) = tokio::sync::mpsc::unbounded_channel();
        let (start, stop) = (Instant::now(), CancellationToken::new());
        let timetable = Timetable { start, per_second: 1e6 };
        let pacer = keep_time(timetable, vec![one, two], stop.clone()).unwrap();
        for number in 0..500 {
            assert_eq!(first.blocking_recv(), timetable.at(number * 2));
            assert_eq!(second.blocking_recv(), timetable.at(number * 2 + 1));
        }
        stop.cancel();
        pacer.join().unwrap();
    }

    #[test]
    fn regular_turns_keep_their_phase() {
        let (first, second) = (Instant::now(), Duration::from_secs(1));
        let interval = second * 30;
        assert_eq!(next_regular(first, interval, first), first + interval);
        assert_eq!(next_regular(first, interval, first + second * 95), first + second * 120);
        assert_eq!(next_regular(first + second, interval, first), first + second);
    }

    #[test]
    fn the_earliest_turn_comes_first() {
        let now = Instant::now();
        let turn =
            |millis, host| Turn { at: now + Duration::from_millis(millis), host, resend: None };
        let mut heap = BinaryHeap::from([turn(5, 0), turn(1, 2), turn(1, 1), turn(9, 3)]);
        let order: Vec<_> = std::iter::from_fn(|| heap.pop().map(|turn| turn.host)).collect();
        assert_eq!(order, [1, 2, 0, 3]);
    }
}
