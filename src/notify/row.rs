//! What one channel is told next of one alarm, as a function of what it was told and of the alarm
//! as it is now. Taking the same alarm twice changes nothing.

use crate::model::state::{AlarmState, Telling};
use crate::model::time::UnixSeconds;
use crate::store::change::AlarmRecord;
use crate::store::notice::{Facts, TellRecord};

/// Why a channel is not told now; `None` if it may be told.
///
/// The one place that mutes: an alarm that was told of is told to be over, and to be worse,
/// whatever mutes it meanwhile. Only maintenance keeps that it is worse back until its end: the
/// people at work on it know.
pub fn muted(alarm: &AlarmRecord, telling: Telling) -> Option<&'static str> {
    let again = matches!(telling, Telling::Repeated | Telling::Escalated);
    let first = again || matches!(telling, Telling::Raised | Telling::Flapping);
    if alarm.maintenance.is_some() && (first || telling == Telling::Worse) {
        return Some("a maintenance window covers it");
    }
    if first && alarm.shelved.is_some() {
        return Some("somebody has shelved it");
    }
    if first && alarm.inhibited_by.is_some() {
        return Some("it follows from another alarm");
    }
    if again && alarm.flapping_until.is_some() {
        return Some("it comes and goes");
    }
    (first && alarm.state == AlarmState::Acknowledged).then_some("somebody has acknowledged it")
}

/// Whether a telling is news, which goes along with whatever is sent; the others have their time.
pub const fn is_news(telling: Telling) -> bool {
    !matches!(telling, Telling::Repeated | Telling::Escalated)
}

/// What a row becomes with the alarm as it is now; `None` if it is of no more use.
/// `also` are tellings that the channel asked for; news is due at `news_at`.
pub fn follow(
    before: &TellRecord,
    alarm: &AlarmRecord,
    facts: Facts,
    also: &[Telling],
    news_at: UnixSeconds,
) -> Option<TellRecord> {
    let mut row = TellRecord { facts, ..before.clone() };
    let was = before.facts.state;
    let Some(told) = before.told else {
        let silent = matches!(alarm.state, AlarmState::Cleared | AlarmState::Acknowledged);
        return (!silent).then_some(row);
    };
    let worse = alarm.severity > told
        && (alarm.severity > before.facts.severity || before.next == Some(Telling::Worse));
    if before.next == Some(Telling::Worse) && !worse {
        // It got better before it was told to be worse.
        (row.next, row.due_at) = again(&row, before.told_at);
    }
    let entered = was != alarm.state;
    let next = match alarm.state {
        AlarmState::Cleared => Some(Telling::Cleared),
        _ if worse => Some(Telling::Worse),
        AlarmState::Active if row.facts.flapping && !before.facts.flapping => {
            Some(Telling::Flapping)
        }
        AlarmState::Active if was == AlarmState::Returned => Some(Telling::Raised),
        AlarmState::Acknowledged if entered => {
            let wanted = also.contains(&Telling::Acknowledged);
            (row.next, row.due_at) = (None, None);
            wanted.then_some(Telling::Acknowledged)
        }
        AlarmState::Returned if entered && also.contains(&Telling::Returned) => {
            Some(Telling::Returned)
        }
        AlarmState::Pending
        | AlarmState::Active
        | AlarmState::Acknowledged
        | AlarmState::Returned => None,
    };
    if let Some(next) = next {
        // What is news already keeps its place.
        let since = before.due_at.filter(|_| before.next.is_some_and(is_news));
        row.next = Some(next);
        row.due_at = Some(since.map_or(news_at, |at| at.min(news_at)));
    }
    Some(row)
}

/// What a row becomes once its telling is in a message; `None` if nothing will follow.
pub fn told(before: &TellRecord, telling: Telling, now: UnixSeconds) -> Option<TellRecord> {
    if telling == Telling::Cleared {
        return None;
    }
    let mut row =
        TellRecord { told: Some(before.facts.severity), told_at: Some(now), ..before.clone() };
    (row.next, row.due_at) = again(&row, Some(now));
    Some(row)
}

/// What is told next of an alarm of which there is no news, and when.
fn again(row: &TellRecord, told_at: Option<UnixSeconds>) -> (Option<Telling>, Option<UnixSeconds>) {
    let due = told_at.filter(|_| row.repeat_s > 0 && row.facts.state != AlarmState::Acknowledged);
    (due.map(|_| Telling::Repeated), due.map(|at| at.plus(row.repeat_s)))
}
