//! Which alarms go to which channels, and when.

use std::collections::BTreeMap;

use super::plan::{Plan, TOLD_FROM};
use crate::model::pattern::fits;
use crate::model::state::{AlarmKind, Severity, Telling};
use crate::model::time::UnixSeconds;
use crate::store::change::AlarmRecord;

/// One rule of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The least severity it takes.
    pub severity: Severity,
    /// Patterns of kinds; empty for every kind that is worth a message.
    pub kinds: Vec<String>,
    /// Patterns of fleets; empty for all, and for alarms that are about none.
    pub fleets: Vec<String>,
    /// Patterns that labels of the alarm's agent must fit.
    pub labels: Vec<(String, String)>,
    /// When it holds; `None` for always.
    pub when: Option<When>,
    /// The channels.
    pub channels: Vec<String>,
    /// Seconds a new alarm waits for others, so that one message tells of all.
    pub group_wait_s: i64,
    /// Seconds after which an alarm that nobody acknowledges is told again; 0 for never.
    pub repeat_s: i64,
    /// Who else is told of an alarm that nobody acknowledges.
    pub escalate: Vec<Step>,
    /// Whether the routes after it are asked, too.
    pub goes_on: bool,
}

/// Who is told when nobody acknowledges an alarm in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Seconds after the raise.
    pub after_s: i64,
    /// The channels.
    pub channels: Vec<String>,
}

/// Hours of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The days, from Monday on.
    pub days: [bool; 7],
    /// From which minute of the day to before which; the second is the smaller one where the
    /// hours pass midnight, and belong to the day they begin on.
    pub hours: (u16, u16),
    /// Seconds that local time is ahead of UTC.
    pub utc_offset_s: i64,
}

impl When {
    /// Whether a time is in these hours.
    pub fn holds(&self, now: UnixSeconds) -> bool {
        let local = now.plus(self.utc_offset_s).0;
        // 1970-01-01 was a Thursday, the fourth day.
        let day = (local.div_euclid(86_400) + 3).rem_euclid(7);
        let minute = local.rem_euclid(86_400) / 60;
        let (from, until) = (i64::from(self.hours.0), i64::from(self.hours.1));
        if from < until {
            return (from..until).contains(&minute) && self.is_on(day);
        }
        (minute >= from && self.is_on(day)) || (minute < until && self.is_on((day + 6) % 7))
    }

    fn is_on(&self, day: i64) -> bool {
        usize::try_from(day).ok().and_then(|day| self.days.get(day)).copied().unwrap_or(false)
    }
}

/// One channel that will be told of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which.
    pub channel: String,
    /// What it is told.
    pub telling: Telling,
    /// When.
    pub due_at: UnixSeconds,
    /// Seconds between repeats; 0 for none.
    pub repeat_s: i64,
}

impl Route {
    /// Whether it takes an alarm now.
    pub fn takes(
        &self,
        alarm: &AlarmRecord,
        labels: &BTreeMap<String, String>,
        now: UnixSeconds,
    ) -> bool {
        let fleet = alarm.fleet.as_ref().map_or("", |fleet| fleet.as_str());
        let label_fits = |(name, pattern): &(String, String)| {
            labels.get(name).is_some_and(|value| fits(pattern, value))
        };
        alarm.severity >= self.severity
            && self.takes_kind(alarm.kind)
            && (self.fleets.is_empty() || self.fleets.iter().any(|pattern| fits(pattern, fleet)))
            && self.labels.iter().all(label_fits)
            && self.when.as_ref().is_none_or(|when| when.holds(now))
    }

    /// A late agent is not worth a message yet: only a route that names it tells of it.
    fn takes_kind(&self, kind: AlarmKind) -> bool {
        let quiet = kind == AlarmKind::AgentStale;
        let named = self.kinds.iter().any(|pattern| pattern == kind.as_str());
        let by_pattern =
            self.kinds.is_empty() || self.kinds.iter().any(|pattern| fits(pattern, kind.as_str()));
        named || (by_pattern && !quiet)
    }

    /// A route that takes everything worth a message.
    pub fn to(channels: Vec<String>) -> Self {
        Self {
            severity: TOLD_FROM,
            kinds: Vec::new(),
            fleets: Vec::new(),
            labels: Vec::new(),
            when: None,
            channels,
            group_wait_s: super::plan::GROUP_WAIT_S,
            repeat_s: 0,
            escalate: Vec::new(),
            goes_on: false,
        }
    }
}

/// Who is told of an alarm that nobody was told of yet.
pub fn orders(
    plan: &Plan,
    alarm: &AlarmRecord,
    labels: &BTreeMap<String, String>,
    now: UnixSeconds,
) -> Vec<Order> {
    let mut all: Vec<Order> = Vec::new();
    let raised = alarm.raised_at.unwrap_or(now);
    for route in plan.routes.iter() {
        if !route.takes(alarm, labels, now) {
            continue;
        }
        let repeat_s = route.repeat_s;
        for channel in &route.channels {
            let (channel, due_at) = (channel.clone(), now.plus(route.group_wait_s));
            add(&mut all, Order { channel, telling: Telling::Raised, due_at, repeat_s });
        }
        for step in &route.escalate {
            let due_at = raised.plus(step.after_s).max(now.plus(route.group_wait_s));
            for channel in step.channels.iter().cloned() {
                add(&mut all, Order { channel, telling: Telling::Escalated, due_at, repeat_s });
            }
        }
        if !route.goes_on {
            break;
        }
    }
    // A channel that fails cannot tell of it.
    all.retain(|order| alarm.kind != AlarmKind::NotifyFailing || order.channel != alarm.subject);
    all
}

/// A channel that is ordered twice is told once, at the earlier time.
fn add(all: &mut Vec<Order>, order: Order) {
    match all.iter_mut().find(|known| known.channel == order.channel) {
        Some(known) if known.due_at > order.due_at => *known = order,
        Some(_) => {}
        None => all.push(order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_of_the_week_in_local_time() {
        // 2026-11-20T22:38:06Z, a Friday; half past midnight on Saturday at +02:00.
        let friday_night = UnixSeconds(1_795_214_286);
        let on = |days: [u8; 7], hours, utc_offset_s| When {
            days: days.map(|day| day == 1),
            hours,
            utc_offset_s,
        };
        let friday = [0, 0, 0, 0, 1, 0, 0];
        assert!(on(friday, (0, 1440), 0).holds(friday_night));
        assert!(!on(friday, (0, 1440), 7_200).holds(friday_night), "Saturday there");
        assert!(on(friday, (1_320, 360), 7_200).holds(friday_night), "the night of Friday");
        assert!(!on(friday, (1_320, 360), 0).holds(friday_night.minus(7_200)), "too early");
        assert!(!on(friday, (480, 1_080), 0).holds(friday_night));
    }
}
