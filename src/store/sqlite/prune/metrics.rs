//! Which rows of agents' counters go: whole hours, the oldest first. How many rows and bytes an
//! hour has is counted as it is written, so nothing is sampled.

use rusqlite::{Connection, params};

use super::{in_pages, now};
use crate::model::metric::HOUR_S;
use crate::store::StoreError;
use crate::store::prune::{CHUNK_ROWS, Prune, Pruned};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::table::metrics::{self, Rows};
use crate::store::sqlite::table::reports::row_limit;

const HOURS: &str = "metric_hours";
const NAMES: &str = "metric_names";

/// One of the two tables, as retention sees it.
pub(super) struct Line {
    rows: Rows,
    /// Hour, rows and bytes, the newest first.
    hours: &'static str,
    /// Takes out rows below a place, so many at most.
    remove: &'static str,
    /// Notes that there are none before an hour.
    forget: &'static str,
}

pub(super) const FINE: Line = Line {
    rows: metrics::FINE,
    hours: "SELECT hour, rows_5m, bytes_5m FROM metric_hours WHERE rows_5m > 0 ORDER BY hour DESC",
    remove: "DELETE FROM metric_5m WHERE place IN
        (SELECT place FROM metric_5m WHERE place < ?1 ORDER BY place LIMIT ?2)",
    forget: "UPDATE metric_hours SET rows_5m = 0, bytes_5m = 0 WHERE hour < ?1 AND rows_5m > 0",
};

pub(super) const HOURLY: Line = Line {
    rows: metrics::HOURLY,
    hours: "SELECT hour, rows_1h, bytes_1h FROM metric_hours WHERE rows_1h > 0 ORDER BY hour DESC",
    remove: "DELETE FROM metric_1h WHERE place IN
        (SELECT place FROM metric_1h WHERE place < ?1 ORDER BY place LIMIT ?2)",
    forget: "UPDATE metric_hours SET rows_1h = 0, bytes_1h = 0 WHERE hour < ?1 AND rows_1h > 0",
};

/// Takes out one chunk. When no row is left to take, names that nothing uses go, a chunk at a time.
pub(super) fn chunk(desk: &mut Desk<'_>, line: &Line, chunk: &Prune) -> Result<Pruned, StoreError> {
    const NAMELESS: &str = "DELETE FROM metric_names WHERE place IN
        (SELECT place FROM metric_names WHERE place < ?1 ORDER BY place LIMIT ?2)";
    let below = first_kept(desk.conn, line, chunk)?;
    let most = row_limit(CHUNK_ROWS);
    let places = metrics::place(below, 0);
    let mut removed = desk.write(line.rows.name, line.remove, params![places, most])?;
    if removed < CHUNK_ROWS {
        desk.write(HOURS, line.forget, params![below])?;
        const EMPTY: &str = "DELETE FROM metric_hours WHERE rows_5m = 0 AND rows_1h = 0";
        desk.write(HOURS, EMPTY, [])?;
        let day = metrics::place(first_hour(desk.conn)?.div_euclid(24), 0);
        removed += desk.write(NAMES, NAMELESS, params![day, most])?;
    }
    let removed = u64::try_from(removed).unwrap_or(u64::MAX);
    // The next chunk decides anew; that it has a number only says that there is one.
    let next = (removed >= CHUNK_ROWS as u64).then(|| chunk.after.saturating_add(1));
    Ok(Pruned { removed, next })
}

/// The first hour that is kept, for its age and for the size.
fn first_kept(conn: &Connection, line: &Line, chunk: &Prune) -> Result<i64, StoreError> {
    let mut below = i64::MIN;
    if let Some(age) = chunk.limits.age {
        // An hour goes when its end is that old.
        below = now(conn, chunk)?.minus(age).0.div_euclid(HOUR_S);
    }
    let Some(most) = chunk.limits.bytes else { return Ok(below) };
    let mut room = i64::try_from(most).unwrap_or(i64::MAX);
    let hours = all(conn, HOURS, line.hours, [], |row| {
        let mut cells = Cells::new(HOURS, row);
        Ok((cells.take::<i64>()?, cells.take::<i64>()?, cells.take::<i64>()?))
    })?;
    for (hour, rows, bytes) in hours {
        room = room.saturating_sub(rows.saturating_mul(in_pages((bytes / rows.max(1)).max(1))));
        if room < 0 {
            return Ok(below.max(hour + 1));
        }
    }
    Ok(below)
}

/// The first hour of which any row is left; if none is, one that is behind all.
fn first_hour(conn: &Connection) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT hour FROM metric_hours ORDER BY hour LIMIT 1";
    let first = one(conn, HOURS, SQL, [], |row| Cells::new(HOURS, row).take())?;
    Ok(first.unwrap_or(i64::MAX >> 33))
}
