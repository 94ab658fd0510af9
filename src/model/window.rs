//! Maintenance windows: of whom, when, by whom and why.
//!
//! Values only; which window covers an agent is told by `alarms::cover`.

use std::collections::BTreeMap;
use std::fmt;

use super::id::{AgentId, FleetId, WindowId};
use super::reach::Reach;
use super::time::UnixSeconds;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Seconds that a window which happens once lasts at most: ninety days.
pub const ONCE_LONGEST_S: i64 = 90 * DAY_S;

/// Seconds that each time of a weekly window lasts at most: a day. Days that touch go on.
pub const WEEKLY_LONGEST_S: i64 = DAY_S;

/// Names of the days, from Monday on.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Whom a window is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One agent.
    Agent(AgentId),
    /// A fleet's agents, and alarms about the fleet.
    Fleet(FleetId),
    /// Agents with a label of this value.
    Label {
        /// The label's name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Scope {
    /// Whether an agent is meant.
    pub fn means(&self, id: &AgentId, fleet: &FleetId, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Agent(agent) => agent == id,
            Self::Fleet(name) => name == fleet,
            Self::Label { name, value } => labels.get(name) == Some(value),
        }
    }

    /// Whether somebody sees it who sees this much: labels may be of any fleet's hosts.
    pub fn is_within(&self, reach: &Reach, fleet_of: impl Fn(&AgentId) -> Option<FleetId>) -> bool {
        match self {
            Self::Agent(id) => reach.sees_of(fleet_of(id).as_ref()),
            Self::Fleet(fleet) => reach.sees(fleet),
            Self::Label { .. } => reach.is_whole(),
        }
    }

    /// `agent`, `fleet` or `label`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agent",
            Self::Fleet(_) => "fleet",
            Self::Label { .. } => "label",
        }
    }

    /// Who, as one text: an id, or `name=value`.
    pub fn text(&self) -> String {
        match self {
            Self::Agent(id) => id.to_string(),
            Self::Fleet(id) => id.to_string(),
            Self::Label { name, value } => format!("{name}={value}"),
        }
    }

    /// The scope of a kind and a text, as [`Scope::kind`] and [`Scope::text`] give them.
    pub fn read(kind: &str, text: &str) -> Option<Self> {
        match kind {
            "agent" => text.parse().ok().map(Self::Agent),
            "fleet" => text.parse().ok().map(Self::Fleet),
            "label" => {
                let (name, value) = text.split_once('=')?;
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                (!name.is_empty() && !value.is_empty()).then_some(Self::Label { name, value })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.text())
    }
}

/// A time from one second to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first second.
    pub from: UnixSeconds,
    /// The first second after it.
    pub until: UnixSeconds,
}

impl Span {
    /// Whether a time is in it.
    pub fn holds(&self, now: UnixSeconds) -> bool {
        self.from <= now && now < self.until
    }
}

/// When a window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Once.
    Once(Span),
    /// Every week.
    Weekly {
        /// The days on which it opens, from Monday on.
        days: [bool; 7],
        /// Minutes after midnight at which it opens, in local time.
        start: u16,
        /// Seconds it stays open.
        lasts_s: i64,
        /// Seconds that local time is ahead of UTC.
        utc_offset_s: i64,
    },
}

impl Times {
    /// The time at or after which it is open: the one that holds `now`, else the next. `None`
    /// when it will not open any more.
    pub fn next(&self, now: UnixSeconds) -> Option<Span> {
        match *self {
            Self::Once(span) => (now < span.until).then_some(span),
            Self::Weekly { days, start, lasts_s, utc_offset_s } => {
                let day = now.plus(utc_offset_s).0.div_euclid(DAY_S);
                // The one that opened yesterday may be open still; one of the next seven opens.
                let spans = (-1..=7).filter(|ahead| is_on(&days, day + ahead)).map(|ahead| {
                    let midnight = (day + ahead).saturating_mul(DAY_S);
                    let from = UnixSeconds(midnight).plus(i64::from(start) * 60 - utc_offset_s);
                    Span { from, until: from.plus(lasts_s) }
                });
                spans.into_iter().find(|span| now < span.until)
            }
        }
    }
}

/// Minutes after midnight as `22:30`.
pub fn clock_text(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Seconds ahead of UTC as `+02:00`.
pub fn offset_text(seconds: i64) -> String {
    let minutes = seconds.abs() / 60;
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The names of days that are on, from Monday on.
pub fn day_names(days: &[bool; 7]) -> Vec<&'static str> {
    DAYS.into_iter().zip(days).filter(|(_, on)| **on).map(|(day, _)| day).collect()
}

/// Whether a day counted from 1970-01-01, a Thursday, is one of those.
fn is_on(days: &[bool; 7], day: i64) -> bool {
    let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
    days.get(weekday).copied().unwrap_or(false)
}

/// A maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its number.
    pub id: WindowId,
    /// Whom it is about.
    pub scope: Scope,
    /// When it is open.
    pub times: Times,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub made_at: UnixSeconds,
    /// When somebody ended it before its time, and who.
    pub ended: Option<(UnixSeconds, String)>,
}

impl Window {
    /// The time it is open in: the one that holds `now`, else the next; `None` once it is over.
    pub fn next(&self, now: UnixSeconds) -> Option<Span> {
        if self.ended.is_some() { None } else { self.times.next(now) }
    }

    /// The time that holds `now`, if it is open.
    pub fn open(&self, now: UnixSeconds) -> Option<Span> {
        self.next(now).filter(|span| span.holds(now))
    }

    /// Since when it is over for good, if it is.
    pub fn over_since(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        match (&self.ended, self.times) {
            (Some((at, _)), _) => Some(*at),
            (None, Times::Once(span)) => (span.until <= now).then_some(span.until),
            (None, Times::Weekly { .. }) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T22:38:06Z, a Friday.
    const FRIDAY_NIGHT: UnixSeconds = UnixSeconds(1_795_214_286);

    fn weekly(days: &[&str], start: u16, lasts_s: i64, utc_offset_s: i64) -> Times {
        let days = DAYS.map(|day| days.contains(&day));
        Times::Weekly { days, start, lasts_s, utc_offset_s }
    }

    fn told(span: Option<Span>) -> String {
        span.map_or("never".into(), |s| {
            format!("{} {}", s.from.to_rfc3339(), s.until.since(s.from))
        })
    }

    #[test]
    fn the_time_that_is_open_or_comes_next() {
        let hour = 3_600;
        for (times, now, expected) in [
            (weekly(&["fri"], 22 * 60, hour, 0), FRIDAY_NIGHT, "2026-11-20T22:00:00Z 3600"),
            // It is over at 22:30 on this day.
            (weekly(&["fri"], 21 * 60 + 30, hour, 0), FRIDAY_NIGHT, "2026-11-27T21:30:00Z 3600"),
            // Half past midnight on Saturday at +02:00: the night of Friday is open.
            (weekly(&["fri"], 23 * 60, 2 * hour, 7_200), FRIDAY_NIGHT, "2026-11-20T21:00:00Z 7200"),
            (weekly(&["sat"], 0, DAY_S, 7_200), FRIDAY_NIGHT, "2026-11-20T22:00:00Z 86400"),
            (weekly(&["sat"], 0, DAY_S, -7_200), FRIDAY_NIGHT, "2026-11-21T02:00:00Z 86400"),
            (weekly(&["thu", "mon"], 60, hour, 0), FRIDAY_NIGHT, "2026-11-23T01:00:00Z 3600"),
            (weekly(&[], 60, hour, 0), FRIDAY_NIGHT, "never"),
            (Times::Once(Span { from: FRIDAY_NIGHT, until: FRIDAY_NIGHT }), FRIDAY_NIGHT, "never"),
        ] {
            assert_eq!(told(times.next(now)), expected, "{times:?}");
        }
    }

    #[test]
    fn every_second_of_a_week_is_in_the_window_or_before_the_next() {
        let times = weekly(&["mon", "tue", "sun"], 23 * 60 + 30, 3_600, -12_600);
        let mut open = 0;
        for step in 0..7 * 24 * 60 {
            let now = FRIDAY_NIGHT.plus(step * 60);
            let span = times.next(now).unwrap();
            assert!(now < span.until && span.from.since(now) <= 7 * DAY_S);
            open += i64::from(span.holds(now));
        }
        assert_eq!(open, 3 * 60, "minutes");
    }

    #[test]
    fn scopes_are_read_as_they_are_told() {
        for scope in [
            Scope::Agent("gw-1".parse().unwrap()),
            Scope::Fleet("lab".parse().unwrap()),
            Scope::Label { name: "site".into(), value: "hel=1".into() },
        ] {
            assert_eq!(Scope::read(scope.kind(), &scope.text()), Some(scope));
        }
        for (kind, text) in [("agent", "a b"), ("label", "site"), ("label", "=x"), ("host", "a")] {
            assert_eq!(Scope::read(kind, text), None, "{kind} {text}");
        }
    }

    #[test]
    fn what_was_ended_never_opens_again() {
        let mut window = Window {
            id: WindowId(1),
            scope: Scope::Fleet("lab".parse().unwrap()),
            times: weekly(&["fri"], 22 * 60, 3_600, 0),
            reason: "updates".into(),
            by: "kim".into(),
            made_at: FRIDAY_NIGHT,
            ended: None,
        };
        assert!(window.open(FRIDAY_NIGHT).is_some() && window.over_since(FRIDAY_NIGHT).is_none());
        window.ended = Some((FRIDAY_NIGHT, "kim".into()));
        assert_eq!((window.next(FRIDAY_NIGHT), window.open(FRIDAY_NIGHT)), (None, None));
        assert_eq!(window.over_since(FRIDAY_NIGHT.plus(9)), Some(FRIDAY_NIGHT));
    }
}
