//! Which messages go: those that were taken or given up, the newest number excepted, so that
//! numbers never start again. What waits stays, however old.

use rusqlite::{Row, params};

use super::Line;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::prune::{CHUNK_ROWS, Prune, Pruned};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};
use crate::store::sqlite::table::reports::row_limit;

/// A row weighs its alarms' facts and 200 bytes more.
const LINE: Line = Line {
    name: "notifications",
    first_from: "SELECT notification_id, created_at FROM notifications
        WHERE notification_id >= ?1 ORDER BY notification_id LIMIT 1",
    last: "SELECT notification_id FROM notifications ORDER BY notification_id DESC LIMIT 1",
    weight: "SELECT 200 + coalesce((SELECT sum(octet_length(i.facts) + 60)
            FROM notification_items i WHERE i.notification_id = n.notification_id), 0)
        FROM notifications n WHERE n.notification_id >= ?1 ORDER BY n.notification_id LIMIT 1",
};

struct Candidate {
    id: i64,
    ended_at: Option<UnixSeconds>,
}

fn candidate(row: &Row<'_>) -> Result<Candidate, StoreError> {
    let mut cells = Cells::new(LINE.name, row);
    Ok(Candidate { id: cells.take()?, ended_at: cells.maybe_time()? })
}

/// Takes out one chunk: what was written before the first that all keep, and had ended by then.
pub(super) fn chunk(desk: &mut Desk<'_>, chunk: &Prune) -> Result<Pruned, StoreError> {
    const NEXT: &str = "SELECT notification_id, iif(state = 'waiting', NULL, ended_at)
        FROM notifications WHERE notification_id > ?1 AND notification_id < ?2
        ORDER BY notification_id LIMIT ?3";
    const GONE: &str = "DELETE FROM notifications WHERE notification_id = ?1";
    let conn = desk.conn;
    let first = LINE.at(conn, 1)?.map_or(1, |(first, _)| first);
    let (below, since) = LINE.kept_from(conn, first, chunk)?;
    let below = below.min(LINE.last(conn)?);
    let rows = params![chunk.after, below, row_limit(CHUNK_ROWS)];
    let rows = all(conn, LINE.name, NEXT, rows, candidate)?;
    let next = rows.last().filter(|_| rows.len() == CHUNK_ROWS).map(|row| row.id);
    let mut removed = 0;
    for row in rows.into_iter().filter(|row| row.ended_at.is_some_and(|at| at < since)) {
        desk.write(LINE.name, GONE, params![row.id])?;
        removed += 1;
    }
    Ok(Pruned { removed, next })
}
