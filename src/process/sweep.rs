//! What has had its time and is taken out of the tables: sessions and tokens that ended without
//! anybody presenting them again, and maintenance windows that are long over.

use super::draft::{About, Draft};
use super::engine::Engine;
use super::upkeep;
use crate::model::access::SESSION_IDLE_SECONDS;
use crate::model::state::EventKind;
use crate::store::StoreError;

/// Rows taken out in one go; the rest follow with the next. Reports wait for a transaction.
const ROWS_PER_SWEEP: usize = 200;

/// Seconds an idle session's row is kept beyond its end: the time of its last use is stored once
/// a minute, and while storage does not answer not even that.
const GRACE_S: i64 = 600;

/// Removes what is over; tells how many rows that is. A token was made by a person and leaves a
/// line in the history; sessions come and go.
pub(super) fn run(engine: &mut Engine, draft: &mut Draft) -> Result<u64, StoreError> {
    let idle = draft.now.minus(SESSION_IDLE_SECONDS + GRACE_S);
    for over in engine.writer.ended_sessions(draft.now, idle, ROWS_PER_SWEEP)? {
        if over.kind == "token" {
            let subject = format!("the token {} with the role {} expired", over.name, over.role);
            let about = About { fleet: None, agent: None, subject };
            draft.event(EventKind::AdminAction, about, None, None);
        }
        draft.change.sessions_removed.push(over.token_hash);
    }
    let age = engine.settings.keep.alarms.age;
    upkeep::sweep(&mut engine.fleet, draft, age);
    let rows = draft.change.sessions_removed.len() + draft.change.windows_removed.len();
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}
