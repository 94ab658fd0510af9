//! Retention: one chunk at a time, what has been kept for long enough leaves the tables.
//!
//! Every chunk looks at a bounded number of rows, in the order of their numbers, and goes on
//! where the one before ended. What a chunk decides it decides anew from the tables, so an end
//! between two chunks, or a restart, leaves nothing half done. Nothing here knows what is behind
//! a limit: numbers grow with time, and that is all that is used.

mod alarms;
mod events;
mod facts;
mod metrics;
mod notifications;
mod reports;

use rusqlite::{Connection, params};

use super::cells::Cells;
use super::desk::{Desk, all, one};
use super::error::fault;
use super::table::meta;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::prune::{Limits, Prunable, Prune, Pruned};

/// Rows weighed to tell the size of a table.
const SAMPLE: i64 = 64;

/// Rows below the mark that are counted at most.
const COUNTED_BELOW: i64 = 10_000;

/// Bytes of a page.
const PAGE: i64 = 4096;

/// Free pages that are left for new rows in any case: 1 MiB.
const FREE_KEPT: i64 = 256;

/// Beyond it, one page in this many of the file may be free.
const FREE_SHARE: i64 = 8;

/// Takes out one chunk, inside the open transaction.
pub(super) fn chunk(desk: &mut Desk<'_>, chunk: &Prune) -> Result<Pruned, StoreError> {
    match chunk.what {
        Prunable::Reports => reports::chunk(desk, chunk),
        Prunable::Events => events::chunk(desk, chunk),
        Prunable::Alarms => alarms::chunk(desk, chunk),
        Prunable::Notifications => notifications::chunk(desk, chunk),
        Prunable::FineMetrics => metrics::chunk(desk, &metrics::FINE, chunk),
        Prunable::HourlyMetrics => metrics::chunk(desk, &metrics::HOURLY, chunk),
        Prunable::FreePages => free_pages(desk),
    }
}

/// A table whose rows are numbered in the order of time.
struct Line {
    name: &'static str,
    /// `SELECT number, time FROM table WHERE number >= ?1 ORDER BY number LIMIT 1`.
    first_from: &'static str,
    /// `SELECT number FROM table ORDER BY number DESC LIMIT 1`; `max` with `HAVING` reads all rows.
    last: &'static str,
    /// The bytes of one row and its index entries, of the first numbered at least `?1`.
    weight: &'static str,
}

/// A row's number and time.
type Place = (i64, UnixSeconds);

impl Line {
    fn at(&self, conn: &Connection, number: i64) -> Result<Option<Place>, StoreError> {
        one(conn, self.name, self.first_from, params![number], |row| {
            let mut cells = Cells::new(self.name, row);
            Ok((cells.take()?, cells.time()?))
        })
    }

    fn last(&self, conn: &Connection) -> Result<i64, StoreError> {
        let last = one(conn, self.name, self.last, [], |row| Cells::new(self.name, row).take())?;
        Ok(last.unwrap_or(0))
    }

    /// The number of the first row of a time, or one more than the last; found by halving.
    fn since(&self, conn: &Connection, from: i64, time: UnixSeconds) -> Result<i64, StoreError> {
        let (mut low, mut high) = (from, self.last(conn)? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.at(conn, middle)? {
                Some((number, at)) if at < time => low = number + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The first number whose rows fit into the bytes with all that follow it.
    fn fits(&self, conn: &Connection, from: i64, bytes: u64) -> Result<i64, StoreError> {
        let last = self.last(conn)?;
        let rows = last - from + 1;
        let step = (rows / SAMPLE).max(1);
        let (mut sum, mut weighed) = (0_i64, 0_i64);
        for place in (0..SAMPLE).map(|n| from + n * step).take_while(|number| *number <= last) {
            let weight = one(conn, self.name, self.weight, params![place], |row| {
                Cells::new(self.name, row).take::<i64>()
            })?;
            sum += weight.unwrap_or(0);
            weighed += 1;
        }
        let mean = in_pages((sum / weighed.max(1)).max(1));
        let room = i64::try_from(bytes).unwrap_or(i64::MAX) / mean;
        Ok((last - room + 1).max(from))
    }

    /// The first row that is kept, for its age and for the size, and the time at which what is
    /// kept begins.
    fn kept_from(&self, conn: &Connection, from: i64, chunk: &Prune) -> Result<Place, StoreError> {
        let Limits { age, bytes } = chunk.limits;
        let mut kept = (from, UnixSeconds(i64::MIN));
        if let Some(age) = age {
            let time = now(conn, chunk)?.minus(age);
            kept = (self.since(conn, from, time)?, time);
        }
        if let Some(bytes) = bytes {
            let number = self.fits(conn, from, bytes)?;
            if number > kept.0 {
                let at = self.at(conn, number)?;
                kept = (number, at.map_or(kept.1, |(_, time)| time.max(kept.1)));
            }
        }
        Ok(kept)
    }
}

/// What rows of this mean size take in the file: a page ends where the next row does not fit, and
/// half a row stays empty at its end; what is larger than a page fills the last of its own by half.
const fn in_pages(bytes: i64) -> i64 {
    if bytes < PAGE { bytes * 2 * PAGE / (2 * PAGE - bytes) } else { bytes + PAGE / 2 }
}

/// The time from which ages count.
fn now(conn: &Connection, chunk: &Prune) -> Result<UnixSeconds, StoreError> {
    let line = &reports::LINE;
    let last = line.last(conn)?;
    Ok(line.at(conn, last)?.map_or(chunk.now, |(_, received)| chunk.now.min(received)))
}

/// How many rows there are: between the mark and the last number every one, below it some.
pub(super) fn count(
    conn: &Connection,
    what: Prunable,
    (_, last): (i64, i64),
) -> Result<u64, StoreError> {
    const REPORTS: &str = "SELECT count(*) FROM (SELECT 1 FROM reports WHERE report_id < ?1
        LIMIT ?2)";
    const EVENTS: &str = "SELECT count(*) FROM (SELECT 1 FROM events WHERE event_id < ?1
        LIMIT ?2)";
    let (table, sql, mark) = if what == Prunable::Reports {
        (reports::LINE.name, REPORTS, meta::REPORTS_PRUNED_BELOW)
    } else {
        (events::LINE.name, EVENTS, meta::EVENTS_PRUNED_BELOW)
    };
    let mark = meta::number(conn, mark)?.max(1);
    let below = one(conn, table, sql, params![mark, COUNTED_BELOW], |row| {
        Cells::new(table, row).unsigned()
    })?;
    Ok(below.unwrap_or(0) + u64::try_from(last - mark + 1).unwrap_or(0))
}

/// The number of the first report that was received at or after a time.
pub(super) fn received_since(conn: &Connection, time: UnixSeconds) -> Result<i64, StoreError> {
    let mark = meta::number(conn, meta::REPORTS_PRUNED_BELOW)?.max(1);
    let first = reports::LINE.since(conn, mark, time)?;
    // Below the mark there are few, and they may be of any time.
    if first > mark { Ok(first) } else { reports::LINE.since(conn, 1, time) }
}

/// Gives free pages back to the file system, beyond those that new rows will take.
fn free_pages(desk: &mut Desk<'_>) -> Result<Pruned, StoreError> {
    const FILE: &str = "the file's pages";
    // The pragma frees one page per step and takes no parameter; this is the size of a chunk.
    const GIVE_BACK: &str = "PRAGMA incremental_vacuum(256)";
    let number = |conn: &Connection, name: &'static str| {
        conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| fault(FILE, error))
    };
    let free = number(desk.conn, "freelist_count")?;
    let kept = FREE_KEPT.max(number(desk.conn, "page_count")? / FREE_SHARE);
    if free <= kept {
        return Ok(Pruned::default());
    }
    all(desk.conn, FILE, GIVE_BACK, [], |_| Ok(()))?;
    let left = number(desk.conn, "freelist_count")?;
    let removed = u64::try_from(free - left).unwrap_or(0);
    // A file that was not made for it gives nothing back.
    Ok(Pruned { removed, next: (removed > 0 && left > kept).then_some(0) })
}
