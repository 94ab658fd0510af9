//! Which alarms go: cleared ones, the newest number excepted, so that numbers never start again.

use rusqlite::{Row, params};

use super::Line;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::prune::{CHUNK_ROWS, Prune, Pruned};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};
use crate::store::sqlite::table::reports::row_limit;

/// A row weighs its texts and 200 bytes more.
const LINE: Line = Line {
    name: "alarms",
    first_from: "SELECT alarm_id, pending_since FROM alarms WHERE alarm_id >= ?1
        ORDER BY alarm_id LIMIT 1",
    last: "SELECT alarm_id FROM alarms ORDER BY alarm_id DESC LIMIT 1",
    weight: "SELECT octet_length(subject) + octet_length(message) + 200 FROM alarms
        WHERE alarm_id >= ?1 ORDER BY alarm_id LIMIT 1",
};

struct Candidate {
    id: i64,
    cleared_at: Option<UnixSeconds>,
}

fn candidate(row: &Row<'_>) -> Result<Candidate, StoreError> {
    let mut cells = Cells::new(LINE.name, row);
    Ok(Candidate { id: cells.take()?, cleared_at: cells.maybe_time()? })
}

/// Takes out one chunk: what began before the first that all keep, and was over by then.
pub(super) fn chunk(desk: &mut Desk<'_>, chunk: &Prune) -> Result<Pruned, StoreError> {
    const NEXT: &str = "SELECT alarm_id, iif(state = 'cleared', cleared_at, NULL) FROM alarms
        WHERE alarm_id > ?1 AND alarm_id < ?2 ORDER BY alarm_id LIMIT ?3";
    let conn = desk.conn;
    let first = LINE.at(conn, 1)?.map_or(1, |(first, _)| first);
    let (below, since) = LINE.kept_from(conn, first, chunk)?;
    let below = below.min(LINE.last(conn)?);
    let rows = params![chunk.after, below, row_limit(CHUNK_ROWS)];
    let rows = all(conn, LINE.name, NEXT, rows, candidate)?;
    let next = rows.last().filter(|_| rows.len() == CHUNK_ROWS).map(|row| row.id);
    let mut removed = 0;
    for row in rows.into_iter().filter(|row| row.cleared_at.is_some_and(|at| at < since)) {
        desk.write(LINE.name, "DELETE FROM alarms WHERE alarm_id = ?1", params![row.id])?;
        removed += 1;
    }
    Ok(Pruned { removed, next })
}
