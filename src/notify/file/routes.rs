//! `[[route]]`: which alarms go where, and when.

use super::fields::Fields;
use crate::model::pattern::fits;
use crate::model::state::{AlarmKind, Severity};
use crate::notify::plan::{GROUP_WAIT_S, TOLD_FROM};
use crate::notify::route::{Route, Step, When};

/// Steps of one route at most.
const STEPS: usize = 10;

/// The days, from Monday on.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Minutes of a day.
const DAY: u16 = 1_440;

/// Reads a route to some of these channels; `None` after its mistakes were noted.
pub(super) fn read(mut fields: Fields<'_, '_>, known: &[String]) -> Option<Route> {
    let severity = severity(&mut fields);
    let kinds = kinds(&mut fields);
    let fleets = fields.texts("fleets");
    let labels = fields.pairs("labels");
    let when = when(&mut fields);
    let channels = channels(&mut fields, known);
    let group_wait_s = fields.seconds("group_wait", GROUP_WAIT_S, 0..=3_600);
    let repeat_s = if fields.has("repeat_every") {
        fields.seconds("repeat_every", 0, 60..=604_800)
    } else {
        fields.seconds("repeat_every", 0, 0..=0)
    };
    let escalate = fields.tables("escalate", STEPS);
    let escalate = escalate.into_iter().filter_map(|step| read_step(step, known)).collect();
    let goes_on = fields.flag("continue");
    fields.finish();
    Some(Route {
        severity: severity?,
        kinds,
        fleets,
        labels,
        when,
        channels: channels?,
        group_wait_s,
        repeat_s,
        escalate,
        goes_on,
    })
}

fn read_step(mut fields: Fields<'_, '_>, known: &[String]) -> Option<Step> {
    if !fields.has("after") {
        fields.wrong("after", "is missing");
    }
    let after_s = fields.seconds("after", 0, 60..=604_800);
    let channels = channels(&mut fields, known);
    fields.finish();
    Some(Step { after_s, channels: channels? })
}

fn severity(fields: &mut Fields<'_, '_>) -> Option<Severity> {
    let mut words = vec![(TOLD_FROM.as_str(), TOLD_FROM)];
    let others = Severity::ALL.iter().filter(|severity| **severity != TOLD_FROM);
    words.extend(others.map(|severity| (severity.as_str(), *severity)));
    fields.one_of("severity_at_least", &words)
}

fn kinds(fields: &mut Fields<'_, '_>) -> Vec<String> {
    let kinds = fields.texts("kinds");
    for pattern in &kinds {
        if !AlarmKind::ALL.iter().any(|kind| fits(pattern, kind.as_str())) {
            fields.wrong("kinds", format!("\"{pattern}\" fits no kind of alarm (docs/alarms.md)"));
        }
    }
    kinds
}

fn channels(fields: &mut Fields<'_, '_>, known: &[String]) -> Option<Vec<String>> {
    if !fields.has("channels") {
        fields.wrong("channels", "is missing");
        return None;
    }
    let names = fields.texts("channels");
    for name in names.iter().filter(|name| !known.contains(name)) {
        let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        fields.wrong("channels", format!("\"{name}\" is no channel; there are: {there}"));
    }
    (!names.is_empty()).then_some(names)
}

fn when(fields: &mut Fields<'_, '_>) -> Option<When> {
    let given = ["days", "hours"].into_iter().any(|key| fields.has(key));
    let days = days(fields);
    let hours = fields.text("hours").map(|text| {
        hours(&text).unwrap_or_else(|| {
            fields.wrong("hours", format!("\"{text}\" must be such as \"08:00-18:00\""));
            (0, DAY)
        })
    });
    let utc_offset_s = fields.text("utc_offset").map_or(0, |text| {
        offset(&text).unwrap_or_else(|| {
            fields.wrong("utc_offset", format!("\"{text}\" must be such as \"+02:00\""));
            0
        })
    });
    if fields.has("utc_offset") && !given {
        fields.wrong("utc_offset", "does nothing without days or hours");
    }
    given.then(|| When { days, hours: hours.unwrap_or((0, DAY)), utc_offset_s })
}

fn days(fields: &mut Fields<'_, '_>) -> [bool; 7] {
    let words = fields.texts("days");
    if words.is_empty() {
        return [true; 7];
    }
    let mut days = [false; 7];
    for word in words {
        match span_of_days(&word) {
            Some(span) => days.iter_mut().zip(span).for_each(|(day, also)| *day |= also),
            None => fields.wrong("days", format!("\"{word}\" must be such as mon or mon-fri")),
        }
    }
    days
}

/// `mon`, or `fri-mon`.
fn span_of_days(word: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name.trim());
    let (first, last) = match word.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(word)?, day(word)?),
    };
    let holds = |at: usize| {
        if first <= last { (first..=last).contains(&at) } else { at >= first || at <= last }
    };
    let mut days = [false; 7];
    days.iter_mut().enumerate().for_each(|(at, day)| *day = holds(at));
    Some(days)
}

fn hours(text: &str) -> Option<(u16, u16)> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute(from.trim())?, minute(until.trim())?);
    (from != until && from < DAY && until <= DAY).then_some((from, until))
}

/// `08:30`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let all = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && all <= DAY).then_some(all)
}

fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "UTC") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let minutes = i64::from(minute(rest)?);
    (minutes <= 14 * 60).then_some(sign * minutes * 60)
}
