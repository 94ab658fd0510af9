//! What has had its time and is taken out of the tables: sessions and tokens that ended without
//! anybody presenting them again, shared links that ended, maintenance windows that are long over, and how restless things
//! were that are calm by now.

use super::draft::{About, Draft};
use super::engine::Engine;
use super::{shares, upkeep};
use crate::model::access::SESSION_IDLE_SECONDS;
use crate::model::state::EventKind;
use crate::store::StoreError;

/// Rows taken out in one go; the rest follow with the next. Reports wait for a transaction.
const ROWS_PER_SWEEP: usize = 200;

/// Seconds an idle session's row is kept beyond its end: the time of its last use is stored once
/// a minute, and while storage does not answer not even that.
const GRACE_S: i64 = 600;

/// The same of things that are calm.
const FLAPS_PER_SWEEP: usize = 2_000;

/// Removes what is over; tells how many rows that is. A token was made by a person and leaves a
/// line in the history; sessions come and go.
pub(super) fn run(engine: &mut Engine, draft: &mut Draft) -> Result<u64, StoreError> {
    let idle = draft.now.minus(SESSION_IDLE_SECONDS + GRACE_S);
    for over in engine.writer.ended_sessions(draft.now, idle, ROWS_PER_SWEEP)? {
        if over.kind == "token" {
            let subject = format!("the token {} with the role {} expired", over.name, over.role);
            let about = About { fleet: None, agent: None, subject };
            draft.event(EventKind::AdminAction, about, None, None);
            shares::end_of(&mut engine.fleet, draft, (&over.name, false));
        }
        draft.change.sessions_removed.push(over.token_hash);
    }
    let calm = engine.fleet.book.forget_flaps(FLAPS_PER_SWEEP, draft.now);
    let age = engine.settings.keep.alarms.age;
    upkeep::sweep(&mut engine.fleet, draft, age);
    shares::sweep(&mut engine.fleet, draft);
    let change = &mut draft.change;
    let over = change.sessions_removed.len() + change.shares_removed.len();
    let rows = over + change.windows_removed.len() + calm.len();
    change.flaps.removed.extend(calm);
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}
