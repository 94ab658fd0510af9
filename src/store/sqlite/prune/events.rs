//! Which lines of the history go.
//!
//! Events are taken in the order of their numbers. One that says what a thing is, or that it is
//! gone, takes the place of the one that spoke of it before. So the last event about everything
//! stays in its table, and what was true at any second of the kept time can still be read.
//!
//! What says that a thing is gone stays until every event is old that was there when it became
//! old itself: a late report may have written some that are before it in time and after it in
//! number, and without it the thing would seem to be there. Since then none has been written
//! (see `late::is_cut`).

use rusqlite::{Row, params};

use super::Line;
use super::facts::{self, Fact, Parts, Says, Word};
use crate::model::id::EventId;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::prune::{CHUNK_ROWS, Prune, Pruned};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::table::meta;
use crate::store::sqlite::table::reports::row_limit;

/// A row weighs its texts, the subject three times, and 105 bytes more: numbers, six index entries.
pub(super) const LINE: Line = Line {
    name: "events",
    first_from: "SELECT event_id, recorded_at FROM events WHERE event_id >= ?1
        ORDER BY event_id LIMIT 1",
    last: "SELECT event_id FROM events ORDER BY event_id DESC LIMIT 1",
    weight: "SELECT 3 * octet_length(subject) + coalesce(octet_length(before), 0)
            + coalesce(octet_length(after), 0) + coalesce(octet_length(cause), 0) + 105
        FROM events WHERE event_id >= ?1 ORDER BY event_id LIMIT 1",
};

const IN_FORCE: &str = "events_in_force";

/// How far ahead of the manager's clock a host's may be for its events to be waited for. What
/// tells of times further ahead is about no time that anybody will ask for.
const AHEAD_S: i64 = 86_400;

/// What one chunk looks at.
struct Old {
    id: EventId,
    at: UnixSeconds,
    recorded_at: UnixSeconds,
    fact: Fact,
}

fn line(row: &Row<'_>) -> Result<Old, StoreError> {
    let mut cells = Cells::new(LINE.name, row);
    Ok(Old {
        id: EventId(cells.take()?),
        at: cells.time()?,
        recorded_at: cells.time()?,
        fact: facts::of(&mut cells)?,
    })
}

/// Takes out one chunk. The mark is where it begins.
pub(super) fn chunk(desk: &mut Desk<'_>, chunk: &Prune) -> Result<Pruned, StoreError> {
    // The newest event stays.
    // What is told of links, agents and alarms is ordered as the past is read (`table::past`).
    const NEXT: &str = "SELECT event_id, CASE WHEN cause IS NOT 'learnt later'
                AND (kind GLOB 'edge.*' OR kind GLOB 'agent.*' OR kind GLOB 'alarm.*')
            THEN recorded_at ELSE at END, recorded_at, kind, agent_no, subject, before, after
        FROM events WHERE event_id >= ?1 AND event_id < (SELECT max(event_id) FROM events)
        ORDER BY event_id LIMIT ?2";
    let conn = desk.conn;
    let mark = meta::number(conn, meta::EVENTS_PRUNED_BELOW)?.max(1);
    let (below, since) = LINE.kept_from(conn, mark, chunk)?;
    let rows = all(conn, LINE.name, NEXT, params![mark, row_limit(CHUNK_ROWS)], line)?;
    let over = |row: &Old| row.id.0 < below && (row.at < since || is_ahead(row));
    let rows: Vec<Old> = rows.into_iter().take_while(over).collect();
    let (mut removed, looked_at) = walk(desk, mark, rows)?;
    let mut goes_on = removed >= CHUNK_ROWS || looked_at == CHUNK_ROWS;
    if !goes_on {
        let mark = meta::number(desk.conn, meta::EVENTS_PRUNED_BELOW)?;
        removed += drop_gone(desk, mark, CHUNK_ROWS - removed)?;
        goes_on = removed >= CHUNK_ROWS;
    }
    if looked_at > 0 && since.0 > meta::number(desk.conn, meta::EVENTS_SINCE)? {
        meta::put_number(desk, meta::EVENTS_SINCE, since.0)?;
    }
    let removed = u64::try_from(removed).unwrap_or(u64::MAX);
    Ok(Pruned { removed, next: goes_on.then_some(0) })
}

/// Puts rows in their places and moves the mark; tells how many events went, and how many rows
/// were looked at.
fn walk(desk: &mut Desk<'_>, mark: i64, rows: Vec<Old>) -> Result<(usize, usize), StoreError> {
    let Some(last) = rows.last().map(|row| row.id.0) else { return Ok((0, 0)) };
    meta::put_number(desk, meta::EVENTS_PRUNED_BELOW, last + 1)?;
    let (mut removed, mut looked_at, mut reached) = (0, 0, mark);
    for row in rows {
        removed += take(desk, &row)?;
        (looked_at, reached) = (looked_at + 1, row.id.0 + 1);
        if removed >= CHUNK_ROWS {
            break;
        }
    }
    if reached <= last {
        meta::put_number(desk, meta::EVENTS_PRUNED_BELOW, reached)?;
    }
    Ok((removed, looked_at))
}

/// Takes out what need not be told any more to be gone; tells how many events went.
fn drop_gone(desk: &mut Desk<'_>, mark: i64, limit: usize) -> Result<usize, StoreError> {
    const FIND: &str = "SELECT agent_no, subject, part, at, event_id FROM events_in_force
        WHERE gone IS NOT NULL AND gone < ?1 ORDER BY gone LIMIT ?2";
    let gone = all(desk.conn, IN_FORCE, FIND, params![mark, row_limit(limit)], |found| {
        let mut cells = Cells::new(IN_FORCE, found);
        let (agent, subject, part): (i64, String, String) =
            (cells.take()?, cells.take()?, cells.take()?);
        Ok((agent, subject, part, cells.time()?, EventId(cells.take()?)))
    })?;
    let mut removed = 0;
    for (agent, subject, part, at, id) in gone {
        let rest = if part == facts::INTERFACE { facts::of_interface() } else { Vec::new() };
        for parts in rest.into_iter().chain([(part.clone(), part)]) {
            removed += forget(desk, (agent, &subject), &parts, (at, EventId(id.0 + 1)))?;
        }
    }
    Ok(removed)
}

/// Whether an event tells of a time that was far ahead when it was learnt.
fn is_ahead(row: &Old) -> bool {
    row.at.since(row.recorded_at) > AHEAD_S
}

/// Puts an event that is over in its place; tells how many events went.
fn take(desk: &mut Desk<'_>, row: &Old) -> Result<usize, StoreError> {
    if is_ahead(row) {
        return delete(desk, row.id);
    }
    let Fact { agent, subject, says } = &row.fact;
    let Says::Of(word) = says else { return delete(desk, row.id) };
    let mut removed = put(desk, (*agent, subject), word, (row.at, row.id))?;
    for parts in &word.instead_of {
        removed += forget(desk, (*agent, subject), parts, (row.at, row.id))?;
    }
    Ok(removed)
}

/// Makes an event the last that is known of a part, unless a later one is.
fn put(
    desk: &mut Desk<'_>,
    (agent, subject): (i64, &str),
    word: &Word,
    (at, id): (UnixSeconds, EventId),
) -> Result<usize, StoreError> {
    const LAST: &str = "SELECT event_id, (at, event_id) < (?4, ?5) FROM events_in_force
        WHERE agent_no = ?1 AND subject = ?2 AND part = ?3";
    const PUT: &str = "INSERT INTO events_in_force (agent_no, subject, part, at, event_id, gone)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (agent_no, subject, part)
        DO UPDATE SET at = excluded.at, event_id = excluded.event_id, gone = excluded.gone";
    let key = params![agent, subject, word.part, at.0, id.0];
    let last = one(desk.conn, IN_FORCE, LAST, key, |found| {
        let mut cells = Cells::new(IN_FORCE, found);
        Ok((EventId(cells.take()?), cells.take::<bool>()?))
    })?;
    let gone = if word.gone { Some(LINE.last(desk.conn)?) } else { None };
    let removed = match last {
        Some((_, false)) => return delete(desk, id),
        Some((before, true)) => delete(desk, before)?,
        None => 0,
    };
    desk.write(IN_FORCE, PUT, params![agent, subject, word.part, at.0, id.0, gone])?;
    Ok(removed)
}

/// Takes out the last events of some parts, as far as they are older.
fn forget(
    desk: &mut Desk<'_>,
    (agent, subject): (i64, &str),
    (first, last): &Parts,
    (at, id): (UnixSeconds, EventId),
) -> Result<usize, StoreError> {
    const FIND: &str = "SELECT event_id, part FROM events_in_force
        WHERE agent_no = ?1 AND subject = ?2 AND part BETWEEN ?3 AND ?4
            AND (at, event_id) < (?5, ?6)";
    const FORGET: &str =
        "DELETE FROM events_in_force WHERE agent_no = ?1 AND subject = ?2 AND part = ?3";
    let key = params![agent, subject, first, last, at.0, id.0];
    let older = all(desk.conn, IN_FORCE, FIND, key, |found| {
        let mut cells = Cells::new(IN_FORCE, found);
        Ok((EventId(cells.take()?), cells.take::<String>()?))
    })?;
    let mut removed = 0;
    for (event, part) in older {
        removed += delete(desk, event)?;
        desk.write(IN_FORCE, FORGET, params![agent, subject, part])?;
    }
    Ok(removed)
}

fn delete(desk: &mut Desk<'_>, event: EventId) -> Result<usize, StoreError> {
    desk.write(LINE.name, "DELETE FROM events WHERE event_id = ?1", params![event.0])
}
