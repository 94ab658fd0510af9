//! The table `events`, read by time.
//!
//! How the map was is read by seeking: for every link and agent the history knows, one look into
//! the index `events_of_the_map` per kind of fact. So the work follows the number of things, and
//! not how often they changed or how long the history is; that is why there is no table of
//! checkpoints.

use rusqlite::{Connection, Row, params};

use super::events::{self, event_columns, holds_from};
use super::{layout, meta};
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::past::{AlarmsThen, Changes, ChangesAsked, Past, Tally};
use crate::store::row::EventRow;
use crate::store::sqlite::cells::{Cells, fleets_json};
use crate::store::sqlite::desk::{all, one};
use crate::store::sqlite::table::reports::row_limit;

const TABLE: &str = "events";

/// The condition of the index `events_of_the_map`, word for word, and the index itself: without
/// it the statement would not compile.
macro_rules! of_the_map {
    () => {
        "events INDEXED BY events_of_the_map WHERE (kind GLOB 'edge.*' OR kind GLOB 'agent.*')"
    };
}

/// The same for `events_by_time`.
macro_rules! by_time {
    () => {
        "events e INDEXED BY events_by_time
            WHERE (kind GLOB 'edge.*' OR kind GLOB 'agent.*' OR kind GLOB 'alarm.*')"
    };
}

/// What narrows it to the fleets of a JSON array, unless that is NULL.
macro_rules! within {
    ($fleets:literal) => {
        concat!(
            " AND (",
            $fleets,
            " IS NULL OR coalesce(e.fleet_id, (SELECT g.fleet_id FROM agents g
                WHERE g.agent_no = e.agent_no)) IN (SELECT value FROM json_each(",
            $fleets,
            ")))"
        )
    };
}

/// Every subject that has an event of a kind, by hopping from one to the next.
macro_rules! subjects {
    ($name:literal, $kind:literal) => {
        concat!(
            $name,
            " (id) AS (SELECT (SELECT subject FROM ",
            of_the_map!(),
            " AND kind = '",
            $kind,
            "' ORDER BY subject LIMIT 1) UNION ALL SELECT (SELECT subject FROM ",
            of_the_map!(),
            " AND kind = '",
            $kind,
            "' AND subject > ",
            $name,
            ".id ORDER BY subject LIMIT 1) FROM ",
            $name,
            " WHERE id IS NOT NULL)"
        )
    };
}

/// The last event at or before `?1` of every kind about every link and agent.
pub(in crate::store::sqlite) const FACTS: &str = concat!(
    "WITH RECURSIVE ",
    subjects!("link", "edge.added"),
    ", ",
    subjects!("host", "agent.registered"),
    ", of_link (kind) AS (VALUES ('edge.added'), ('edge.state'), ('edge.removed')),
    of_host (kind, member) AS (VALUES ('agent.registered', NULL), ('agent.status', NULL),
        ('agent.reset', NULL), ('agent.relay_path', NULL), ('agent.changed', '$.hostname'),
        ('agent.changed', '$.labels'), ('agent.changed', '$.fleet_id')),
    asked (subject, kind, member) AS (
        SELECT id, kind, NULL FROM link CROSS JOIN of_link WHERE id IS NOT NULL
        UNION ALL
        SELECT id, kind, member FROM host CROSS JOIN of_host WHERE id IS NOT NULL)
    SELECT ",
    event_columns!(),
    " FROM asked CROSS JOIN events e ON e.event_id = (
        SELECT event_id FROM ",
    of_the_map!(),
    " AND kind = asked.kind AND subject = asked.subject AND ",
    holds_from!(),
    " <= ?1
            AND (asked.member IS NULL OR json_extract(after, asked.member) IS NOT NULL)
        ORDER BY ",
    holds_from!(),
    " DESC, event_id DESC LIMIT 1)
    LEFT JOIN agents a ON a.agent_no = e.agent_no"
);

/// What was known at a time.
pub(in crate::store::sqlite) fn at(conn: &Connection, at: UnixSeconds) -> Result<Past, StoreError> {
    Ok(Past {
        since: since(conn)?,
        facts: all(conn, TABLE, FACTS, params![at.0], events::from_row)?,
        alarms: alarms(conn, at)?,
        layout: layout::list(conn)?,
    })
}

/// Since when the past can be told: where retention has left off, else the first event.
fn since(conn: &Connection) -> Result<Option<UnixSeconds>, StoreError> {
    const FIRST: &str = "SELECT recorded_at FROM events ORDER BY event_id LIMIT 1";
    let pruned = meta::number(conn, meta::EVENTS_SINCE)?;
    if pruned > 0 {
        return Ok(Some(UnixSeconds(pruned)));
    }
    one(conn, TABLE, FIRST, [], |row| Cells::new(TABLE, row).time())
}

fn alarms(conn: &Connection, at: UnixSeconds) -> Result<Vec<AlarmsThen>, StoreError> {
    const SQL: &str = "SELECT coalesce(l.fleet_id, a.fleet_id), a.agent_id, count(*),
            count(*) FILTER (WHERE l.acknowledged_at IS NULL OR l.acknowledged_at > ?1)
        FROM alarms l LEFT JOIN agents a USING (agent_no)
        WHERE l.raised_at <= ?1 AND (l.cleared_at IS NULL OR l.cleared_at > ?1)
            AND (l.returned_at IS NULL OR l.returned_at > ?1)
        GROUP BY 1, l.agent_no ORDER BY l.agent_no, 1";
    all(conn, "alarms", SQL, params![at.0], |row| {
        let mut cells = Cells::new("alarms", row);
        Ok(AlarmsThen {
            fleet: cells.maybe_parse()?,
            agent_id: cells.maybe_parse()?,
            active: cells.take()?,
            unacknowledged: cells.take()?,
        })
    })
}

/// What changed between two times.
pub(in crate::store::sqlite) fn changes(
    conn: &Connection,
    asked: &ChangesAsked,
) -> Result<Changes, StoreError> {
    const BEFORE: &str = concat!(
        "SELECT ",
        holds_from!(),
        " FROM ",
        by_time!(),
        " AND ",
        holds_from!(),
        " < ?1",
        within!("?2"),
        " ORDER BY ",
        holds_from!(),
        " DESC LIMIT 1"
    );
    const AFTER: &str = concat!(
        "SELECT ",
        holds_from!(),
        " FROM ",
        by_time!(),
        " AND ",
        holds_from!(),
        " > ?1",
        within!("?2"),
        " ORDER BY ",
        holds_from!(),
        " LIMIT 1"
    );
    let neighbour = |sql| match asked.around {
        Some(at) => {
            let values = params![at.0, fleets_json(&asked.reach)];
            one(conn, TABLE, sql, values, |row| Cells::new(TABLE, row).time())
        }
        None => Ok(None),
    };
    Ok(Changes {
        since: since(conn)?,
        tallies: if asked.step > 0 { tallies(conn, asked)? } else { Vec::new() },
        events: if asked.limit > 0 { between(conn, asked)? } else { Vec::new() },
        previous: neighbour(BEFORE)?,
        next: neighbour(AFTER)?,
    })
}

/// The last changes between the two times, in the order in which they held.
fn between(conn: &Connection, asked: &ChangesAsked) -> Result<Vec<EventRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        event_columns!(),
        " FROM (SELECT * FROM ",
        by_time!(),
        " AND ",
        holds_from!(),
        " BETWEEN ?1 AND ?2",
        within!("?4"),
        " ORDER BY ",
        holds_from!(),
        " DESC, event_id DESC LIMIT ?3) e LEFT JOIN agents a ON a.agent_no = e.agent_no"
    );
    let fleets = fleets_json(&asked.reach);
    let limits = params![asked.from.0, asked.to.0, row_limit(asked.limit), fleets];
    let mut events = all(conn, TABLE, SQL, limits, events::from_row)?;
    events.sort_by_key(|row| (row.holds_from(), row.id));
    Ok(events)
}

fn tallies(conn: &Connection, asked: &ChangesAsked) -> Result<Vec<Tally>, StoreError> {
    const SQL: &str = concat!(
        "SELECT (",
        holds_from!(),
        " - ?1) / ?3, kind, CASE kind WHEN 'edge.state' THEN json_extract(after, '$.state')
                WHEN 'agent.status' THEN json_extract(after, '$')
                WHEN 'alarm.raised' THEN json_extract(after, '$.severity') END, count(*)
        FROM ",
        by_time!(),
        " AND ",
        holds_from!(),
        " BETWEEN ?1 AND ?2",
        within!("?4"),
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    );
    let tally = |row: &Row<'_>| {
        let mut cells = Cells::new(TABLE, row);
        Ok(Tally {
            step: cells.take()?,
            kind: cells.text(EventKind::from_word)?,
            word: cells.take()?,
            count: cells.unsigned()?,
        })
    };
    let fleets = fleets_json(&asked.reach);
    all(conn, TABLE, SQL, params![asked.from.0, asked.to.0, asked.step, fleets], tally)
}
