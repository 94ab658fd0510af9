//! The table `alarms`.

use rusqlite::{Connection, Row, params, params_from_iter};

use crate::model::id::{AgentNo, AlarmId, ReportId, WindowId};
use crate::model::life::AlarmLife;
use crate::model::reach::Reach;
use crate::model::shelf::Shelved;
use crate::model::state::{AlarmKind, AlarmState, Severity};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::change::AlarmRecord;
use crate::store::row::{AlarmFilter, AlarmRow, Things, ToldOf};
use crate::store::sqlite::cells::{Cells, fleets_json, json};
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::table::asked::{Links, Part, Rows, Where, numbers};
use crate::store::sqlite::table::reports::row_limit;

const TABLE: &str = "alarms";

macro_rules! columns {
    () => {
        "l.alarm_id, l.kind, l.subject, l.severity, l.state, l.fleet_id, l.agent_no, l.message, \
         l.pending_since, l.raised_at, l.acknowledged_at, l.acknowledged_by, l.note, \
         l.returned_at, l.cleared_at, l.clear_cause, l.good_since, l.count, l.report_id, \
         l.inhibited_by, l.inhibited_until, coalesce(l.own_severity, l.severity), l.flapping_until, \
         l.shelved_at, l.shelved_until, l.shelved_by, l.shelve_reason, l.maintenance"
    };
}

fn record(cells: &mut Cells<'_, '_>) -> Result<AlarmRecord, StoreError> {
    Ok(AlarmRecord {
        id: AlarmId(cells.take()?),
        kind: cells.text(AlarmKind::from_word)?,
        subject: cells.take()?,
        severity: cells.text(Severity::from_word)?,
        state: cells.text(AlarmState::from_word)?,
        fleet: cells.maybe_parse()?,
        agent: cells.take::<Option<i64>>()?.map(AgentNo),
        message: cells.take()?,
        pending_since: cells.time()?,
        raised_at: cells.maybe_time()?,
        acknowledged_at: cells.maybe_time()?,
        acknowledged_by: cells.take()?,
        note: cells.take()?,
        returned_at: cells.maybe_time()?,
        cleared_at: cells.maybe_time()?,
        clear_cause: cells.take()?,
        good_since: cells.maybe_time()?,
        count: cells.take()?,
        report: cells.take::<Option<i64>>()?.map(ReportId),
        inhibited_by: cells.take::<Option<i64>>()?.map(AlarmId),
        inhibited_until: cells.maybe_time()?,
        own: cells.text(Severity::from_word)?,
        flapping_until: cells.maybe_time()?,
        shelved: shelved(cells)?,
        maintenance: cells.take::<Option<i64>>()?.map(WindowId),
    })
}

/// The four cells of the shelf; they are filled together.
fn shelved(cells: &mut Cells<'_, '_>) -> Result<Option<Shelved>, StoreError> {
    let (at, until) = (cells.maybe_time()?, cells.maybe_time()?);
    let (by, reason): (Option<String>, Option<String>) = (cells.take()?, cells.take()?);
    let times = at.zip(until);
    let words = by.zip(reason);
    Ok(times.zip(words).map(|((at, until), (by, reason))| Shelved { at, until, by, reason }))
}

fn named(row: &Row<'_>) -> Result<AlarmRow, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(AlarmRow {
        alarm: record(&mut cells)?,
        agent_id: cells.maybe_parse()?,
        children: cells.take()?,
    })
}

macro_rules! select_named {
    ($followers:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            ", a.agent_id, (SELECT count(*) FROM alarms c WHERE c.inhibited_by = l.alarm_id
                AND c.state <> 'cleared'",
            $followers,
            ") FROM alarms l LEFT JOIN agents a USING (agent_no)"
        )
    };
}

/// Alarms that are not cleared, pending ones included.
pub(in crate::store::sqlite) fn open(conn: &Connection) -> Result<Vec<AlarmRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM alarms l WHERE l.state <> 'cleared' ORDER BY l.alarm_id"
    );
    all(conn, TABLE, SQL, [], |row| record(&mut Cells::new(TABLE, row)))
}

const ROWS: Rows = Rows {
    name: TABLE,
    from: "alarms l LEFT JOIN agents a USING (agent_no)",
    row: "l",
    number: "alarm_id",
    links: Links::ById,
};

/// Alarms, newest first. One that was over before it was raised was never told to anybody.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    filter: &AlarmFilter,
) -> Result<Vec<AlarmRow>, StoreError> {
    let mut all_of = Where::default();
    match fleets_json(&filter.reach) {
        None => all_of.sql.push_str(select_named!("")),
        fleets @ Some(_) => {
            const SEEN: &str = select_named!(" AND c.fleet_id IN (SELECT value FROM json_each(?))");
            all_of.and(SEEN, fleets);
        }
    }
    all_of.sql.push_str(" WHERE 1");
    if filter.things.is_none() && filter.told.is_none() {
        narrow(&mut all_of, filter);
    } else if filter.cleared || filter.either {
        let numbers = json(TABLE, &those_asked(conn, filter)?)?;
        all_of.and(" AND l.alarm_id IN (SELECT value FROM json_each(?))", Some(numbers));
    } else {
        // Those that are open are few, and read whole.
        narrow(&mut all_of, filter);
        all_of.sql.push_str(" AND (0");
        if let Some(things) = &filter.things {
            all_of.sql.push_str(" OR 1");
            about(&mut all_of, things)?;
        }
        if let Some(told) = &filter.told {
            all_of.sql.push_str(" OR 1");
            in_words(&mut all_of, told);
            told.of.iter().try_for_each(|things| about(&mut all_of, things))?;
        }
        all_of.sql.push(')');
    }
    all_of.and(" ORDER BY l.alarm_id DESC LIMIT ?", Some(row_limit(filter.limit)));
    all(conn, TABLE, &all_of.sql, params_from_iter(all_of.bound()), named)
}

/// The numbers of the first that are about the things asked for, or told in the words.
fn those_asked(conn: &Connection, filter: &AlarmFilter) -> Result<Vec<i64>, StoreError> {
    let mut rest = Where::default();
    narrow(&mut rest, filter);
    let from = filter.before.map(|id| id.0);
    let part = Part { from, oldest_first: false, limit: filter.limit };
    let mut found = Vec::new();
    if let Some(things) = &filter.things {
        found = numbers(conn, &ROWS, things, (&rest, &part))?;
    }
    if let Some(told) = &filter.told {
        in_words(&mut rest, told);
        found.extend(match &told.of {
            Some(things) => numbers(conn, &ROWS, things, (&rest, &part))?,
            None => {
                let from = "SELECT l.alarm_id FROM alarms l LEFT JOIN agents a USING (agent_no)";
                let sql = format!("{from} WHERE 1{} ORDER BY l.alarm_id DESC LIMIT ?", rest.sql);
                rest.with(row_limit(filter.limit));
                let read = |row: &Row<'_>| Cells::new(TABLE, row).take();
                all(conn, TABLE, &sql, params_from_iter(rest.bound()), read)?
            }
        });
    }
    found.sort_unstable_by(|a: &i64, b| b.cmp(a));
    found.dedup();
    found.truncate(filter.limit);
    Ok(found)
}

fn narrow(all_of: &mut Where, filter: &AlarmFilter) {
    // `state <> 'cleared'` is the condition of the index of open alarms, word for word.
    all_of.sql.push_str(match filter.id {
        Some(_) => "",
        None if filter.either => " AND l.state <> 'pending' AND l.raised_at IS NOT NULL",
        None if filter.cleared => " AND l.state = 'cleared' AND l.raised_at IS NOT NULL",
        None => " AND l.state <> 'cleared' AND l.state <> 'pending'",
    });
    all_of.and(" AND l.alarm_id = ?", filter.id.map(|id| id.0));
    let ended = if filter.cleared { " AND l.cleared_at >= ?" } else { " AND l.raised_at >= ?" };
    all_of.and(ended, filter.since.map(|at| at.0));
    let agent = filter.agent.as_ref().map(|agent| agent.as_str().to_owned());
    all_of.and(" AND l.agent_no = (SELECT agent_no FROM agents WHERE agent_id = ?)", agent);
    all_of.and(" AND l.kind = ?", filter.kind.map(AlarmKind::as_str));
    if let Some(least) = filter.severity {
        // Words of our own, from the least bad on.
        let words = Severity::ALL.iter().filter(|severity| **severity >= least);
        let words: Vec<String> = words.map(|severity| format!("'{severity}'")).collect();
        all_of.sql.push_str(&format!(" AND l.severity IN ({})", words.join(", ")));
    }
    all_of.and(" AND l.fleet_id = ?", filter.fleet.as_ref().map(ToString::to_string));
    all_of.and(" AND l.raised_at >= ?", filter.raised_from.map(|at| at.0));
    all_of.and(" AND l.raised_at < ?", filter.raised_to.map(|at| at.0));
    let within = " AND coalesce(l.fleet_id, a.fleet_id) IN (SELECT value FROM json_each(?))";
    all_of.and(within, fleets_json(&filter.reach));
    all_of.and(" AND l.inhibited_by = ?", filter.cause.map(|id| id.0));
    all_of.and(" AND l.alarm_id < ?", filter.before.map(|id| id.0));
}

/// Only those about one of the things.
fn about(all_of: &mut Where, things: &Things) -> Result<(), StoreError> {
    let agents = " AND (l.agent_no IN (SELECT w.agent_no FROM agents w
            WHERE w.agent_id IN (SELECT value FROM json_each(?)))";
    all_of.and(agents, Some(json(TABLE, &things.agents)?));
    let edges = " OR l.subject IN (SELECT value FROM json_each(?)))";
    all_of.and(edges, Some(json(TABLE, &things.edges)?));
    Ok(())
}

/// Only those in whose sentence or subject the words stand.
fn in_words(all_of: &mut Where, told: &ToldOf) {
    for any in &told.words {
        all_of.sql.push_str(" AND (0");
        for word in any {
            let has = " OR (l.message || ' ' || l.subject) LIKE ? ESCAPE '!'";
            all_of.and(has, Some(like(word)));
        }
        all_of.sql.push(')');
    }
}

/// A pattern of LIKE for a text that stands anywhere.
fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Alarms raised from a time to before another, newest first.
pub(in crate::store::sqlite) fn lives(
    conn: &Connection,
    (from, to): (UnixSeconds, UnixSeconds),
    reach: &Reach,
    limit: usize,
) -> Result<Vec<AlarmLife>, StoreError> {
    const SQL: &str = "SELECT kind, subject, severity, raised_at, acknowledged_at, cleared_at,
            clear_cause, inhibited_by IS NOT NULL
        FROM alarms WHERE raised_at >= ?1 AND raised_at < ?2
            AND (?4 IS NULL OR coalesce(fleet_id, (SELECT a.fleet_id FROM agents a
                WHERE a.agent_no = alarms.agent_no)) IN (SELECT value FROM json_each(?4)))
        ORDER BY raised_at DESC LIMIT ?3";
    let values = params![from.0, to.0, row_limit(limit), fleets_json(reach)];
    all(conn, TABLE, SQL, values, |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok(AlarmLife {
            kind: cells.text(AlarmKind::from_word)?,
            subject: cells.take()?,
            severity: cells.text(Severity::from_word)?,
            raised_at: cells.time()?,
            acknowledged_at: cells.maybe_time()?,
            cleared_at: cells.maybe_time()?,
            clear_cause: cells.take()?,
            follows: cells.take()?,
        })
    })
}

/// The highest number in use; 0 if there is none.
pub(in crate::store::sqlite) fn last(conn: &Connection) -> Result<AlarmId, StoreError> {
    const SQL: &str = "SELECT coalesce(max(alarm_id), 0) FROM alarms";
    let last = one(conn, TABLE, SQL, [], |row| Cells::new(TABLE, row).take())?;
    Ok(AlarmId(last.unwrap_or_default()))
}

const UPSERT: &str = "INSERT INTO alarms (alarm_id, kind, subject, severity, state, fleet_id,
        agent_no, message, pending_since, raised_at, acknowledged_at, acknowledged_by, note,
        returned_at, cleared_at, clear_cause, good_since, count, report_id,
        inhibited_by, inhibited_until, own_severity, flapping_until,
        shelved_at, shelved_until, shelved_by, shelve_reason, maintenance)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
        ?20, ?21, nullif(?22, ?4), ?23, ?24, ?25, ?26, ?27, ?28)
    ON CONFLICT (alarm_id) DO UPDATE SET
        severity = excluded.severity,
        state = excluded.state,
        fleet_id = excluded.fleet_id,
        agent_no = excluded.agent_no,
        message = excluded.message,
        pending_since = excluded.pending_since,
        raised_at = excluded.raised_at,
        acknowledged_at = excluded.acknowledged_at,
        acknowledged_by = excluded.acknowledged_by,
        note = excluded.note,
        returned_at = excluded.returned_at,
        cleared_at = excluded.cleared_at,
        clear_cause = excluded.clear_cause,
        good_since = excluded.good_since,
        count = excluded.count,
        report_id = excluded.report_id,
        inhibited_by = excluded.inhibited_by,
        inhibited_until = excluded.inhibited_until,
        own_severity = excluded.own_severity,
        flapping_until = excluded.flapping_until,
        shelved_at = excluded.shelved_at,
        shelved_until = excluded.shelved_until,
        shelved_by = excluded.shelved_by,
        shelve_reason = excluded.shelve_reason,
        maintenance = excluded.maintenance
    -- An alarm is about one thing for ever: links and notes point at its number.
    WHERE alarms.kind = excluded.kind AND alarms.subject = excluded.subject";

/// Inserts or updates an alarm.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    alarm: &AlarmRecord,
) -> Result<(), StoreError> {
    let shelf = alarm.shelved.as_ref();
    let rows = desk.write(
        TABLE,
        UPSERT,
        params![
            alarm.id.0,
            alarm.kind.as_str(),
            alarm.subject,
            alarm.severity.as_str(),
            alarm.state.as_str(),
            alarm.fleet.as_ref().map(|fleet| fleet.as_str()),
            alarm.agent.map(|agent| agent.0),
            alarm.message,
            alarm.pending_since.0,
            alarm.raised_at.map(|at| at.0),
            alarm.acknowledged_at.map(|at| at.0),
            alarm.acknowledged_by,
            alarm.note,
            alarm.returned_at.map(|at| at.0),
            alarm.cleared_at.map(|at| at.0),
            alarm.clear_cause,
            alarm.good_since.map(|at| at.0),
            alarm.count,
            alarm.report.map(|report| report.0),
            alarm.inhibited_by.map(|by| by.0),
            alarm.inhibited_until.map(|at| at.0),
            alarm.own.as_str(),
            alarm.flapping_until.map(|at| at.0),
            shelf.map(|shelved| shelved.at.0),
            shelf.map(|shelved| shelved.until.0),
            shelf.map(|shelved| &shelved.by),
            shelf.map(|shelved| &shelved.reason),
            alarm.maintenance.map(|window| window.0),
        ],
    )?;
    if rows == 0 {
        let text = format!("{TABLE}: number {} is about another thing", alarm.id);
        return Err(StoreError::Constraint(text));
    }
    Ok(())
}
