//! Agents' counters over time: the chore that makes rows of stored reports, hour by hour.
//!
//! Nothing of it stands in a report's way: the stored reports are the full resolution, and what
//! the rows are made of. When an hour is over, they are read back agent by agent beside the
//! processor's thread, and the rows are written with the mark that says how far this has come, a
//! few agents at a time, between two reports. So a restart goes on where the last write ended.
//! Reports that come late have the hours around them made again; of two accounts of a slot the
//! one that more reports speak for stays, since the others may be gone by then.

pub mod curves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::engine::Settings;
use super::handle::{Command, CommandError, Processor};
use crate::meter::roll::{Grid, better, roll};
use crate::meter::sample::Sample;
use crate::model::id::{AgentNo, ReportId};
use crate::model::metric::{HOUR_S, Rollups, SLOT_S, SLOTS, Slot, Subject};
use crate::model::time::UnixSeconds;
use crate::store::metrics::{
    Grain, HourRecord, LateReport, MeasuredAsked, MeasuredTo, MetricsAsked, Of, SeriesHour, Which,
    Whose,
};
use crate::store::row::ReportFilter;
use crate::store::{Reader, StoreError};
use crate::verify::shelf::Shelf;
use crate::verify::stored;

/// Name of the small value that says how far the rows reach.
const KEPT: &str = "metrics.rolled";

/// Agents of one step at most: about a thousand reports at the usual interval.
const AGENTS: usize = 8;

/// Late reports of one step.
const LATE: usize = 32;

/// How far back a database without rows is begun with.
const BEGIN_S: i64 = 86_400;

/// Seconds for which an hour waits after its end, beyond the longest gap: for reports on their
/// way, and for hosts whose clock is behind.
const GRACE_S: i64 = 300;

/// Reports within this many intervals of each other are compared.
const GAP_INTERVALS: i64 = 3;

/// And those that are so many seconds apart in any case: an agent that starts again is no gap.
const GAP_LEAST_S: i64 = 180;

/// How long the same signed report may be under way: the agent's nine minutes, and a bit.
const UNDER_WAY_S: i64 = 600;

/// Reports are kept for at most this long for their hour to be rolled up, whatever their size.
const HOLD_S: i64 = 3 * HOUR_S;

/// How far the rows reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The hour that is next.
    hour: UnixSeconds,
    /// The last agent of that hour that has its rows.
    after: AgentNo,
    /// The last late report that was looked at.
    late: ReportId,
    /// Whether this is still the first way through what was there at the beginning.
    first: bool,
}

/// What rows are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Which.
    pub rollups: Rollups,
    /// Seconds between two reports beyond which nothing is known of what lies between.
    pub gap_s: i64,
    /// By how much a report may be received before or after it was measured.
    pub slack_s: i64,
}

impl Terms {
    /// Those of a manager with this interval and skew, in seconds.
    pub const fn new(rollups: Rollups, report_interval: i64, max_skew: i64) -> Self {
        let gap = report_interval.saturating_mul(GAP_INTERVALS);
        let gap_s = if gap > GAP_LEAST_S { gap } else { GAP_LEAST_S };
        Self { rollups, gap_s, slack_s: max_skew.saturating_add(UNDER_WAY_S) }
    }
}

/// The state of it.
#[derive(Debug)]
pub struct Rollup {
    reader: Arc<dyn Reader>,
    /// What framed reports are unpacked with.
    shelf: Arc<Shelf>,
    terms: Terms,
    mark: Mutex<Option<Mark>>,
    /// When the last report was received, as of the last step: a clock that jumps ahead is no
    /// reason to leave hours behind, nor a fleet that is silent to be called behind.
    newest: AtomicI64,
    /// Agents of one step: fewer where so many could not be read in the time of one read.
    agents: AtomicUsize,
}

/// What one step makes, and how far it leads.
struct Step {
    hours: Vec<HourRecord>,
    mark: Mark,
}

impl Rollup {
    /// That of a manager with these settings.
    pub(super) fn begun<'a>(
        of: &Settings,
        read: (Arc<dyn Reader>, Arc<Shelf>),
        kept: impl Fn(&str) -> Option<&'a str>,
    ) -> Arc<Self> {
        let terms = Terms::new(of.rollups, of.report_interval, of.max_skew);
        Arc::new(Self::restored(read, terms, kept))
    }

    /// Goes on from what is kept; `kept` finds a small value by its name.
    fn restored<'a>(
        (reader, shelf): (Arc<dyn Reader>, Arc<Shelf>),
        terms: Terms,
        kept: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let mark = kept(KEPT).and_then(|text| serde_json::from_str(text).ok());
        let newest = AtomicI64::new(i64::MIN);
        let agents = AtomicUsize::new(AGENTS);
        Self { reader, shelf, terms, mark: Mutex::new(mark), newest, agents }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Mark>> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What rows are made by.
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// The first hour that is not rolled up for everybody.
    pub fn until(&self) -> Option<UnixSeconds> {
        self.lock().map(|mark| mark.hour)
    }

    /// Seconds by which rows are later than they should be: 0 while they are made for the first
    /// time, and if none are made.
    pub fn behind_s(&self, now: UnixSeconds) -> i64 {
        let mark = self.lock().filter(|mark| !mark.first && self.terms.rollups != Rollups::Off);
        let now = now.min(UnixSeconds(self.newest.load(Ordering::Relaxed)));
        mark.map_or(0, |mark| now.since(mark.hour.plus(self.wait_s())).max(0))
    }

    /// The read side of the store, for what is done beside the thread.
    pub(in crate::process) fn reader(&self) -> &Arc<dyn Reader> {
        &self.reader
    }

    /// For how many seconds reports have to be kept until they are rolled up.
    pub(super) fn holds_s(&self, now: UnixSeconds) -> i64 {
        let mark = self.lock().filter(|_| self.terms.rollups != Rollups::Off);
        mark.map_or(0, |mark| now.since(mark.hour.minus(self.terms.gap_s)).clamp(0, HOLD_S))
    }

    /// Seconds from the begin of an hour until it is rolled up.
    const fn wait_s(&self) -> i64 {
        HOUR_S + GRACE_S + self.terms.gap_s
    }

    /// The next step, if there is anything to do.
    fn step(&self, now: UnixSeconds) -> Result<Option<Step>, StoreError> {
        let last = ReportFilter { limit: 1, ..ReportFilter::default() };
        let Some(last) = self.reader.reports(&last)?.pop() else { return Ok(None) };
        let now = now.min(last.summary.received_at);
        self.newest.store(now.0, Ordering::Relaxed);
        let known = *self.lock();
        let mark = match known {
            // A clock that was ahead has been set back.
            Some(mark) if mark.hour > now => Mark { hour: hour_of(now), after: AgentNo(0), ..mark },
            Some(mark) => mark,
            None => self.begin(last.summary.id, now)?,
        };
        let late = self.reader.late_reports(mark.late, LATE)?;
        if let Some(last) = late.last() {
            let hours = self.again(&late, &mark)?;
            return Ok(Some(Step { hours, mark: Mark { late: last.id, ..mark } }));
        }
        self.onwards(mark, now)
    }

    /// Where to begin with a database that has no rows: at the first report, a day back at most.
    fn begin(&self, last: ReportId, now: UnixSeconds) -> Result<Mark, StoreError> {
        let first = ReportFilter { after: Some(ReportId(0)), limit: 1, ..ReportFilter::default() };
        let first = self.reader.reports(&first)?.pop();
        let from = first.map_or(now, |row| row.summary.received_at.max(now.minus(BEGIN_S)));
        Ok(Mark { hour: hour_of(from), after: AgentNo(0), late: last, first: true })
    }

    /// The next agents of the hour that is next, if that is over; hours in which nothing came are
    /// left behind.
    fn onwards(&self, mut mark: Mark, now: UnixSeconds) -> Result<Option<Step>, StoreError> {
        let before = *self.lock();
        let mut hours = Vec::new();
        while hours.is_empty() && now.since(mark.hour) >= self.wait_s() {
            let (to, samples) = fewer(&self.agents, |agents| {
                self.samples(Whose::After(mark.after, agents), mark.hour)
            })?;
            let record =
                |(agent, samples): (&AgentNo, &Vec<Sample>)| self.hour(*agent, mark.hour, samples);
            hours.extend(samples.iter().filter_map(record));
            match to.agents.last().filter(|_| to.more) {
                Some(last) => mark.after = *last,
                None => {
                    mark = Mark { hour: mark.hour.plus(HOUR_S), after: AgentNo(0), ..mark };
                    self.agents.store(AGENTS, Ordering::Relaxed);
                }
            }
        }
        mark.first &= now.since(mark.hour) >= self.wait_s();
        Ok((before != Some(mark)).then_some(Step { hours, mark }))
    }

    /// What agents measured around an hour, by agent and time.
    fn samples(
        &self,
        whose: Whose,
        hour: UnixSeconds,
    ) -> Result<(MeasuredTo, BTreeMap<AgentNo, Vec<Sample>>), StoreError> {
        self.samples_of(self.reader.as_ref(), whose, (hour, hour.plus(HOUR_S)))
    }

    /// What agents measured between two times, with what is needed beside it to tell of all of it.
    fn samples_of(
        &self,
        reader: &dyn Reader,
        whose: Whose,
        (from, to): (UnixSeconds, UnixSeconds),
    ) -> Result<(MeasuredTo, BTreeMap<AgentNo, Vec<Sample>>), StoreError> {
        let (from, to) = (from.minus(self.terms.gap_s), to.plus(self.terms.gap_s));
        let asked = MeasuredAsked { whose, from, to, slack_s: self.terms.slack_s };
        let mut samples: BTreeMap<AgentNo, Vec<Sample>> = BTreeMap::new();
        let reached = reader.measured(&asked, &mut |one| match stored::report(
            &one.envelope,
            &self.shelf,
        ) {
            Some(told) => samples.entry(one.agent).or_default().push(Sample::of(one.at, told)),
            None => warn!(agent = %one.agent, at = %one.at, "A stored report cannot be read"),
        })?;
        samples.values_mut().for_each(|of_agent| of_agent.sort_by_key(|sample| sample.at));
        Ok((reached, samples))
    }

    /// The row of an agent, if there is anything to tell.
    fn hour(&self, agent: AgentNo, start: UnixSeconds, samples: &[Sample]) -> Option<HourRecord> {
        let grid = Grid { from: start, step_s: SLOT_S, slots: SLOTS };
        let fine = self.terms.rollups == Rollups::All;
        let series = |(subject, slots): (Subject, Vec<Option<Slot>>)| {
            let whole = Slot::whole(&slots)?;
            Some(SeriesHour { subject, slots: if fine { slots } else { Vec::new() }, whole })
        };
        let series: Vec<_> =
            roll(samples, &grid, self.terms.gap_s).into_iter().filter_map(series).collect();
        (!series.is_empty()).then_some(HourRecord { agent, start, series })
    }

    /// The hours around late reports, as far as they have rows already.
    fn again(&self, late: &[LateReport], mark: &Mark) -> Result<Vec<HourRecord>, StoreError> {
        let gap = self.terms.gap_s;
        let near = |one: &LateReport| {
            let around = [one.measured_at.minus(gap), one.measured_at, one.measured_at.plus(gap)];
            around.map(|at| (one.agent, hour_of(at)))
        };
        let touched: BTreeSet<_> = late.iter().flat_map(near).collect();
        let rolled = |(agent, hour): &(AgentNo, UnixSeconds)| {
            *hour < mark.hour || *hour == mark.hour && *agent <= mark.after
        };
        let mut hours = Vec::new();
        for (agent, hour) in touched.into_iter().filter(rolled) {
            let (_, samples) = self.samples(Whose::One(Which::Numbered(agent)), hour)?;
            let samples = samples.get(&agent).map(Vec::as_slice).unwrap_or_default();
            if let Some(record) = self.hour(agent, hour, samples) {
                hours.push(self.merged(record)?);
            }
        }
        Ok(hours)
    }

    /// An hour with what is better known of it by the rows that are there.
    fn merged(&self, record: HourRecord) -> Result<HourRecord, StoreError> {
        let mut fine = self.known(&record, Grain::FiveMinutes)?;
        let mut hourly = self.known(&record, Grain::Hour)?;
        let mut now: BTreeMap<_, _> =
            record.series.into_iter().map(|row| (row.subject, (row.slots, row.whole))).collect();
        let subjects: BTreeSet<Subject> =
            now.keys().chain(fine.keys()).chain(hourly.keys()).cloned().collect();
        let mut series = Vec::new();
        for subject in subjects {
            let (slots, whole) = now.remove(&subject).unzip();
            let slots = match (fine.remove(&subject), slots) {
                (Some(before), Some(slots)) if !slots.is_empty() => better(&before, &slots),
                (Some(before), _) => before,
                (None, slots) => slots.unwrap_or_default(),
            };
            // The twelve may be gone by now, or not be made.
            let whole = Slot::whole(&slots).or(whole);
            let before = hourly.remove(&subject).unwrap_or_else(|| vec![None]);
            if let Some(whole) = better(&before, &[whole]).into_iter().flatten().next() {
                series.push(SeriesHour { subject, slots, whole });
            }
        }
        Ok(HourRecord { series, agent: record.agent, start: record.start })
    }

    /// What is stored of the record's hour, by thing.
    fn known(
        &self,
        record: &HourRecord,
        grain: Grain,
    ) -> Result<BTreeMap<Subject, Vec<Option<Slot>>>, StoreError> {
        let asked = MetricsAsked {
            agent: Which::Numbered(record.agent),
            of: Of::Everything,
            from: record.start,
            to: record.start.plus(HOUR_S),
            grain,
        };
        let known = self.reader.metrics(&asked)?.pop().map(|stretch| stretch.series);
        Ok(known.into_iter().flatten().collect())
    }
}

/// Reads of so many agents, and of half as many each time that the store gives up: on a slow
/// machine, or where agents report often, a read takes longer than it may.
fn fewer<T>(
    agents: &AtomicUsize,
    mut read: impl FnMut(usize) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    loop {
        let most = agents.load(Ordering::Relaxed);
        match read(most) {
            Err(StoreError::Unavailable(_)) if most > 1 => {
                agents.store(most / 2, Ordering::Relaxed);
            }
            result => return result,
        }
    }
}

const fn hour_of(at: UnixSeconds) -> UnixSeconds {
    UnixSeconds(at.0.div_euclid(HOUR_S) * HOUR_S)
}

impl Processor {
    /// How the roll-up stands.
    pub fn rollup(&self) -> &Arc<Rollup> {
        &self.rollup
    }

    /// Makes rows of everything that is over; adds to `rows` how many hours of agents.
    pub(super) async fn roll_up(&self, rows: &mut u64) -> Result<(), CommandError> {
        if self.rollup.terms.rollups == Rollups::Off {
            return Ok(());
        }
        loop {
            let (rollup, now) = (Arc::clone(&self.rollup), self.clock.now());
            let step = tokio::task::spawn_blocking(move || rollup.step(now)).await;
            let broken = |_panicked| CommandError::Unavailable("the work broke off".into());
            let step = step.map_err(broken)?;
            let step = step.map_err(|failure| CommandError::Unavailable(failure.to_string()))?;
            let Some(Step { hours, mark }) = step else { return Ok(()) };
            *rows += hours.len() as u64;
            let kept = serde_json::to_string(&mark)
                .map_err(|error| CommandError::Unavailable(error.to_string()))?;
            self.command(Command::Ran(KEPT, kept, hours)).await?;
            *self.rollup.lock() = Some(mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{Durability, open};

    #[test]
    fn what_takes_too_long_is_read_with_fewer_agents() {
        let agents = AtomicUsize::new(AGENTS);
        let slow = || StoreError::Unavailable("it took too long".to_owned());
        let mut asked = Vec::new();
        let read = fewer(&agents, |most| {
            asked.push(most);
            if most > 2 { Err(slow()) } else { Ok(most) }
        });
        assert_eq!((read.unwrap(), asked), (2, vec![8, 4, 2]));
        assert_eq!(fewer(&agents, Ok).unwrap(), 2, "and so it goes on");
        assert!(fewer(&agents, |_| Err::<(), _>(slow())).is_err(), "one is too much");
        let mut reads = 0;
        let damaged = fewer(&agents, |_| {
            reads += 1;
            Err::<(), _>(StoreError::Damaged("a row".to_owned()))
        });
        assert!(damaged.is_err() && reads == 1, "nothing else is tried again");
    }

    #[test]
    fn rows_are_behind_by_what_has_come_since_and_reports_wait_for_them() {
        let dir = tempfile::tempdir().unwrap();
        let reader = open(&dir.path().join("k.db"), Durability::Full).unwrap().reader;
        let of = |rollups, first: bool, newest: i64| {
            let terms = Terms::new(rollups, 30, 600);
            assert_eq!((terms.gap_s, terms.slack_s), (180, 1_200));
            let text = format!(r#"{{"hour":7200,"after":3,"late":9,"first":{first}}}"#);
            let kept = |name: &str| (name == KEPT).then_some(text.as_str());
            let rollup = Rollup::restored(
                (Arc::clone(&reader) as Arc<dyn Reader>, Arc::default()),
                terms,
                kept,
            );
            rollup.newest.store(newest, Ordering::Relaxed);
            rollup
        };
        let due = 7_200 + HOUR_S + GRACE_S + 180;
        let behind = |rollup: Rollup| rollup.behind_s(UnixSeconds(due + 9_000));
        assert_eq!(behind(of(Rollups::All, false, due + 99_999)), 9_000);
        assert_eq!(behind(of(Rollups::All, false, due)), 0, "nothing has come since");
        assert_eq!(behind(of(Rollups::All, true, due + 99_999)), 0, "the first time takes long");
        assert_eq!(behind(of(Rollups::Off, false, due + 99_999)), 0);
        let holds = |rollups, now| of(rollups, false, now).holds_s(UnixSeconds(now));
        assert_eq!(holds(Rollups::All, 8_200), 1_180);
        assert_eq!(holds(Rollups::All, 99_999), HOLD_S);
        assert_eq!(holds(Rollups::Off, 8_200), 0);
    }
}
