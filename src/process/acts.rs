//! What people do about open alarms, one or many in one transaction, each answered for itself.

use super::draft::Draft;
use super::engine::Engine;
use super::handle::Done;
use super::raise;
use crate::alarms::book::{Book, BookError, Transition};
use crate::model::id::AlarmId;
use crate::model::reach::Reach;
use crate::model::shelf::Shelved;
use crate::model::time::UnixSeconds;

/// Alarms that one wish acts on at most, whole incidents included: reports wait for it.
pub const MOST_ACTED: usize = 5_000;

/// What is done about alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Somebody knows of them.
    Acknowledge {
        /// Why, for others to read.
        note: Option<String>,
    },
    /// They are set aside.
    Shelve {
        /// When they count again.
        until: UnixSeconds,
        /// Why.
        reason: String,
    },
    /// They count again.
    Unshelve,
    /// They are ended by hand.
    Clear,
}

/// A wish about alarms.
#[derive(Debug, Clone)]
pub struct Acts {
    /// Which.
    pub alarms: Vec<AlarmId>,
    /// Causes that are meant with all that follows from them.
    pub incidents: Vec<AlarmId>,
    /// What is done.
    pub act: Act,
    /// Who does it.
    pub by: String,
    /// What they see: other alarms are not there for them.
    pub reach: Reach,
}

/// What came of a wish for one alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was so before.
    Unchanged,
    /// The alarm is over, or was never raised.
    NotOpen,
    /// More were meant than one wish acts on; ask again for this one.
    LeftOut,
}

/// Acts, and tells what came of it for each alarm, in the order of their numbers.
pub(super) fn carry_out(engine: &mut Engine, draft: &mut Draft, wish: Acts) -> Done {
    let Acts { mut alarms, incidents, act, by, reach } = wish;
    draft.cause = Some(by.clone());
    let book = &mut engine.fleet.book;
    let hidden = |book: &Book, id: AlarmId| {
        book.get(id).is_some_and(|alarm| !reach.sees_of(alarm.fleet.as_ref()))
    };
    for root in incidents {
        if !hidden(book, root) {
            alarms.extend(book.incident(root).into_iter().filter(|id| !hidden(book, *id)));
        }
    }
    alarms.sort_unstable();
    alarms.dedup();
    let mut outcomes = Vec::with_capacity(alarms.len());
    for (place, id) in alarms.into_iter().enumerate() {
        let outcome = if hidden(book, id) {
            Outcome::NotOpen
        } else if place < MOST_ACTED {
            one(book, draft, (id, &act, &by))
        } else {
            Outcome::LeftOut
        };
        outcomes.push((id, outcome));
    }
    // The graph is looked at when it changes; whether it is in one piece must be told again now.
    draft.effects.graph |= act == Act::Clear;
    Done::Acted(outcomes)
}

fn one(book: &mut Book, draft: &mut Draft, (id, act, by): (AlarmId, &Act, &str)) -> Outcome {
    let now = draft.now;
    let single = |step: Result<Option<Transition>, BookError>| step.map(Vec::from_iter);
    let steps = match act {
        Act::Acknowledge { note } => single(book.acknowledge(id, by, note.clone(), now)),
        Act::Shelve { until, reason } => {
            let (by, reason) = (by.to_owned(), reason.clone());
            single(book.shelve(id, Shelved { at: now, until: *until, by, reason }))
        }
        Act::Unshelve => single(book.unshelve(id)),
        Act::Clear => book.clear(id, by, now),
    };
    match steps {
        Err(BookError::NotOpen(_)) => Outcome::NotOpen,
        Ok(steps) if steps.is_empty() => Outcome::Unchanged,
        Ok(steps) => {
            for step in steps {
                raise::take(draft, Some(step));
            }
            Outcome::Done
        }
    }
}
