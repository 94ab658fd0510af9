//! Agents' counters over time, as people and programs ask for them: from the rows where there are
//! any, and from the stored reports where there are none yet.

use std::collections::BTreeMap;

use super::{Rollup, hour_of};
use crate::meter::roll::{Grid, Rolled, points, roll};
use crate::model::id::AgentId;
use crate::model::metric::{HOUR_S, SLOT_S, SLOTS, Slot, Subject};
use crate::model::time::UnixSeconds;
use crate::store::metrics::{Grain, MetricsAsked, Of, Which, Whose};
use crate::store::{Reader, StoreError};

/// Hours that are made of stored reports on demand at most: two are not rolled up yet as a rule.
const FRESH_HOURS: i64 = 3;

/// How far apart points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// One per report.
    Raw,
    /// Slots of five minutes.
    FiveMinutes,
    /// Slots of an hour.
    Hour,
}

impl Resolution {
    /// Seconds of a slot; `None`: as reports come.
    pub const fn step_s(self) -> Option<i64> {
        match self {
            Self::Raw => None,
            Self::FiveMinutes => Some(SLOT_S),
            Self::Hour => Some(HOUR_S),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CurvesAsked {
    /// Of which agent.
    pub agent: AgentId,
    /// Of which of its things.
    pub of: Of,
    /// From this time on; slots are whole.
    pub from: UnixSeconds,
    /// To before this one.
    pub to: UnixSeconds,
    /// How far apart.
    pub resolution: Resolution,
}

/// One thing over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The thing.
    pub subject: Subject,
    /// Where each slot begins, or when each report was measured, and what is known.
    pub points: Vec<(UnixSeconds, Option<Slot>)>,
}

impl Rollup {
    /// The curves of an agent, by thing. A thing of which nothing is known in all the time has
    /// none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn curves(
        &self,
        reader: &dyn Reader,
        asked: &CurvesAsked,
    ) -> Result<Vec<Curve>, StoreError> {
        match asked.resolution.step_s() {
            None => self.raw(reader, asked),
            Some(step_s) => self.slots(reader, asked, step_s),
        }
    }

    fn raw(&self, reader: &dyn Reader, asked: &CurvesAsked) -> Result<Vec<Curve>, StoreError> {
        let span = (asked.from, asked.to);
        let whose = Whose::One(Which::Named(asked.agent.clone()));
        let (_, of_agents) = self.samples_of(reader, whose, span)?;
        let all = of_agents
            .into_values()
            .flat_map(|samples| points(&samples, span, self.terms.gap_s).into_iter());
        let meant = all.filter(|(subject, _)| asked.of.means(subject));
        Ok(meant.map(|(subject, points)| Curve { subject, points }).collect())
    }

    fn slots(
        &self,
        reader: &dyn Reader,
        asked: &CurvesAsked,
        step_s: i64,
    ) -> Result<Vec<Curve>, StoreError> {
        let from = UnixSeconds(asked.from.0.div_euclid(step_s) * step_s);
        let slots = asked.to.since(from).saturating_add(step_s - 1).div_euclid(step_s).max(0);
        let grid = Grid { from, step_s, slots: usize::try_from(slots).unwrap_or(0) };
        let grain =
            if asked.resolution == Resolution::Hour { Grain::Hour } else { Grain::FiveMinutes };
        let rows = MetricsAsked {
            agent: Which::Named(asked.agent.clone()),
            of: asked.of.clone(),
            from: hour_of(from),
            to: asked.to,
            grain,
        };
        let mut lines = Lines { grid, known: BTreeMap::new() };
        for stretch in reader.metrics(&rows)? {
            lines.put(stretch.start, stretch.series);
        }
        for (start, rolled) in self.fresh(reader, asked)? {
            let meant = rolled.into_iter().filter(|(subject, _)| asked.of.means(subject));
            let coarse = |slots: Vec<Option<Slot>>| match grain {
                Grain::FiveMinutes => slots,
                Grain::Hour => vec![Slot::whole(&slots)],
            };
            lines.put(start, meant.map(|(subject, slots)| (subject, coarse(slots))));
        }
        Ok(lines.curves())
    }

    /// The hours that are not rolled up yet, from the stored reports: the first few of them.
    fn fresh(
        &self,
        reader: &dyn Reader,
        asked: &CurvesAsked,
    ) -> Result<Vec<(UnixSeconds, Rolled)>, StoreError> {
        let last = asked.to.minus(FRESH_HOURS * HOUR_S);
        let begin = hour_of(asked.from.max(self.until().unwrap_or(last)));
        let hours = asked.to.since(begin).saturating_add(HOUR_S - 1).div_euclid(HOUR_S);
        let hours = hours.clamp(0, FRESH_HOURS);
        if hours == 0 {
            return Ok(Vec::new());
        }
        let whose = Whose::One(Which::Named(asked.agent.clone()));
        let span = (begin, begin.plus(hours * HOUR_S));
        let (_, of_agents) = self.samples_of(reader, whose, span)?;
        let samples: Vec<_> = of_agents.into_values().flatten().collect();
        let hour = |hour: i64| {
            let grid = Grid { from: begin.plus(hour * HOUR_S), step_s: SLOT_S, slots: SLOTS };
            (grid.from, roll(&samples, &grid, self.terms.gap_s))
        };
        Ok((0..hours).map(hour).collect())
    }
}

/// Slots of things, as they are gathered.
struct Lines {
    grid: Grid,
    known: BTreeMap<Subject, Vec<Option<Slot>>>,
}

impl Lines {
    /// Puts the slots of an hour where they belong.
    fn put(
        &mut self,
        start: UnixSeconds,
        series: impl IntoIterator<Item = (Subject, Vec<Option<Slot>>)>,
    ) {
        let first = start.since(self.grid.from).div_euclid(self.grid.step_s);
        for (subject, slots) in series {
            let known = self.known.entry(subject).or_insert_with(|| vec![None; self.grid.slots]);
            for (place, slot) in (first..).zip(slots) {
                let place = usize::try_from(place).ok();
                if let Some(known) = place.and_then(|place| known.get_mut(place)) {
                    *known = slot.or(*known);
                }
            }
        }
    }

    fn curves(self) -> Vec<Curve> {
        let Self { grid, known } = self;
        let told = known.into_iter().filter(|(_, slots)| slots.iter().any(Option::is_some));
        let curve = |(subject, slots): (Subject, Vec<Option<Slot>>)| {
            let points = slots.into_iter().enumerate();
            Curve { subject, points: points.map(|(n, slot)| (grid.start(n), slot)).collect() }
        };
        told.map(curve).collect()
    }
}
