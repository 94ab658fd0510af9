//! The table `events`: appended to and read.

use rusqlite::{Connection, Row, params, params_from_iter};

use crate::model::id::{AgentNo, EdgeId, EventId, ReportId};
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::change::{LEARNT_LATER, NewEvent};
use crate::store::earlier::EdgePast;
use crate::store::row::{EventFilter, EventRow};
use crate::store::sqlite::cells::{Cells, fleets_json, json};
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::table::asked::{Links, Part, Rows, Where, numbers};
use crate::store::sqlite::table::reports::row_limit;

const TABLE: &str = "events";

macro_rules! event_columns {
    () => {
        "e.event_id, e.at, e.recorded_at, e.kind, e.fleet_id, a.agent_id, e.subject, e.before, \
         e.after, e.report_id, e.cause"
    };
}
pub(super) use event_columns;

/// Since when an event of a link, an agent or an alarm holds, word for word as in the indexes.
macro_rules! holds_from {
    () => {
        "CASE WHEN cause = 'learnt later' THEN at ELSE recorded_at END"
    };
}
pub(super) use holds_from;

pub(super) fn from_row(row: &Row<'_>) -> Result<EventRow, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(EventRow {
        id: EventId(cells.take()?),
        at: cells.time()?,
        recorded_at: cells.time()?,
        kind: cells.text(EventKind::from_word)?,
        fleet: cells.maybe_parse()?,
        agent_id: cells.maybe_parse()?,
        subject: cells.take()?,
        before: cells.maybe_json()?,
        after: cells.maybe_json()?,
        report: cells.take::<Option<i64>>()?.map(ReportId),
        cause: cells.take()?,
    })
}

const ROWS: Rows = Rows {
    name: TABLE,
    from: "events e LEFT JOIN agents a USING (agent_no)",
    row: "e",
    number: "event_id",
    links: Links::ByIdOrAlarm,
};

/// Events, oldest first; with `before`, the last ones before it.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    filter: &EventFilter,
) -> Result<Vec<EventRow>, StoreError> {
    let mut asked = Where::default();
    asked.and(" AND e.event_id > ?", filter.after.map(|id| id.0));
    asked.and(" AND e.event_id < ?", filter.before.map(|id| id.0));
    let agent = filter.agent.as_ref().map(|agent| agent.as_str().to_owned());
    asked.and(" AND e.agent_no = (SELECT agent_no FROM agents WHERE agent_id = ?)", agent);
    asked.and(" AND e.subject = ?", filter.subject.clone());
    asked.and(concat!(" AND ", holds_from!(), " <= ?"), filter.until.map(|at| at.0));
    let within = " AND coalesce(e.fleet_id, a.fleet_id) IN (SELECT value FROM json_each(?))";
    asked.and(within, fleets_json(&filter.reach));
    if let Some(things) = &filter.things {
        let oldest_first = filter.before.is_none();
        let from = if oldest_first { filter.after } else { filter.before };
        let part = Part { from: from.map(|id| id.0), oldest_first, limit: filter.limit };
        let numbers = numbers(conn, &ROWS, things, (&asked, &part))?;
        asked = Where::default();
        asked.and(
            " AND e.event_id IN (SELECT value FROM json_each(?))",
            Some(json(TABLE, &numbers)?),
        );
    }
    let order = if filter.before.is_some() { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT {} FROM events e LEFT JOIN agents a USING (agent_no) WHERE 1{}
        ORDER BY e.event_id {order} LIMIT ?",
        event_columns!(),
        asked.sql
    );
    asked.with(row_limit(filter.limit));
    let mut events = all(conn, TABLE, &sql, params_from_iter(asked.bound()), from_row)?;
    if filter.before.is_some() {
        events.reverse();
    }
    Ok(events)
}

/// The lowest and highest number in use; zeros if there is none.
pub(in crate::store::sqlite) fn range(conn: &Connection) -> Result<(i64, i64), StoreError> {
    const SQL: &str = "SELECT coalesce((SELECT min(event_id) FROM events), 0),
        coalesce((SELECT max(event_id) FROM events), 0)";
    let ends = one(conn, TABLE, SQL, [], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok((cells.take()?, cells.take()?))
    })?;
    Ok(ends.unwrap_or_default())
}

/// Appends an event.
pub(in crate::store::sqlite) fn append(
    desk: &mut Desk<'_>,
    event: &NewEvent,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO events (at, recorded_at, kind, fleet_id, agent_no, subject,
            before, after, report_id, cause)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    desk.write(
        TABLE,
        SQL,
        params![
            event.at.0,
            event.recorded_at.0,
            event.kind.as_str(),
            event.fleet.as_ref().map(|fleet| fleet.as_str()),
            event.agent.map(|agent| agent.0),
            event.subject,
            event.before.as_ref().map(|value| json(TABLE, value)).transpose()?,
            event.after.as_ref().map(|value| json(TABLE, value)).transpose()?,
            event.report.map(|report| report.0),
            event.cause,
        ],
    )?;
    Ok(())
}

/// What was known of a link at a time; `None` if it was not there.
pub(in crate::store::sqlite) fn edge_at(
    conn: &Connection,
    id: &EdgeId,
    at: UnixSeconds,
) -> Result<Option<EdgePast>, StoreError> {
    // The index `events_of_edges` answers both; `kind GLOB` is its condition, word for word.
    const LAST: &str = "SELECT kind, after, agent_no, cause FROM events
        WHERE subject = ?1 AND kind GLOB 'edge.*' AND at <= ?2
        ORDER BY at DESC, event_id DESC LIMIT 1";
    const NEXT: &str = "SELECT min(at) FROM events
        WHERE subject = ?1 AND kind GLOB 'edge.*' AND at > ?2";
    let last = one(conn, TABLE, LAST, params![id.as_str(), at.0], |row| {
        let mut cells = Cells::new(TABLE, row);
        let kind = cells.text(EventKind::from_word)?;
        let value: Option<serde_json::Value> = cells.maybe_json()?;
        let agent: Option<i64> = cells.take()?;
        let cause: Option<String> = cells.take()?;
        let learnt_from = agent.map(AgentNo).filter(|_| cause.as_deref() == Some(LEARNT_LATER));
        Ok((kind, value, learnt_from))
    })?;
    let Some((EventKind::EdgeState, Some(value), learnt_from)) = last else { return Ok(None) };
    let next = one(conn, TABLE, NEXT, params![id.as_str(), at.0], |row| {
        Cells::new(TABLE, row).maybe_time()
    })?;
    Ok(Some(EdgePast { id: id.clone(), value, learnt_from, next_at: next.flatten() }))
}
