//! Stored reports by when they were measured: what rows are made of.
//!
//! Reports in turn are found among those received at about that time, late ones by their own
//! index.

use rusqlite::{Connection, params};

use crate::model::id::{AgentNo, ReportId};
use crate::store::StoreError;
use crate::store::metrics::{LateReport, Measured, MeasuredAsked, MeasuredTo, Which, Whose};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{all, one};
use crate::store::sqlite::envelope::Reading;
use crate::store::sqlite::error::fault;
use crate::store::sqlite::prune::received_since;
use crate::store::sqlite::table::reports::{envelope_columns, readable, row_limit};

const TABLE: &str = "reports";

/// Reports of one agent that are read at most: more than one per second for an hour.
const MOST: usize = 4_096;

/// When a report was measured, and its envelope.
macro_rules! columns {
    () => {
        concat!("SELECT coalesce(r.collected_at, r.timestamp), ", envelope_columns!())
    };
}

/// Those received at about the time.
const NEAR: &str = concat!(
    columns!(),
    " FROM reports r LEFT JOIN reports b ON b.report_id = r.base
    WHERE r.agent_no = ?1 AND r.report_id >= ?2 AND r.report_id < ?3
        AND coalesce(r.collected_at, r.timestamp) >= ?4
        AND coalesce(r.collected_at, r.timestamp) < ?5
    ORDER BY r.report_id LIMIT ?6"
);

/// Late ones received at another. CROSS JOIN keeps the order of the loops.
const LATE: &str = concat!(
    columns!(),
    " FROM late_reports l CROSS JOIN reports r ON r.report_id = l.report_id
        LEFT JOIN reports b ON b.report_id = r.base
    WHERE l.agent_no = ?1 AND l.measured_at >= ?4 AND l.measured_at < ?5
        AND (l.report_id < ?2 OR l.report_id >= ?3)
    ORDER BY l.measured_at LIMIT ?6"
);

/// Hands out the reports of agents that were measured between two times, agent by agent, each
/// one's in no particular order.
pub(in crate::store::sqlite) fn measured(
    reading: &Reading<'_>,
    asked: &MeasuredAsked,
    each: &mut dyn FnMut(Measured),
) -> Result<MeasuredTo, StoreError> {
    let conn = reading.conn;
    let near = (
        received_since(conn, asked.from.minus(asked.slack_s))?,
        received_since(conn, asked.to.plus(asked.slack_s))?,
    );
    let mut to = MeasuredTo { any: near.0 < near.1, ..MeasuredTo::default() };
    to.agents = agents(conn, &asked.whose, &mut to)?;
    for agent in &to.agents {
        for sql in [NEAR, LATE] {
            rows(reading, sql, (*agent, near, asked), each)?;
        }
    }
    Ok(to)
}

/// The agents that are meant. Where many are and nothing was received, there are none.
fn agents(
    conn: &Connection,
    whose: &Whose,
    to: &mut MeasuredTo,
) -> Result<Vec<AgentNo>, StoreError> {
    const NEXT: &str = "SELECT agent_no FROM agents WHERE agent_no > ?1 ORDER BY agent_no LIMIT ?2";
    let number = |row: &rusqlite::Row<'_>| Ok(AgentNo(Cells::new("agents", row).take()?));
    match whose {
        Whose::One(which) => Ok(numbered(conn, which)?.into_iter().collect()),
        Whose::After(..) if !to.any => Ok(Vec::new()),
        Whose::After(agent, most) => {
            let found = all(conn, "agents", NEXT, params![agent.0, row_limit(*most)], number)?;
            to.more = found.len() == *most;
            Ok(found)
        }
    }
}

/// The number of an agent, if it is known.
pub(super) fn numbered(conn: &Connection, which: &Which) -> Result<Option<AgentNo>, StoreError> {
    const SQL: &str = "SELECT agent_no FROM agents WHERE agent_id = ?1";
    match which {
        Which::Numbered(agent) => Ok(Some(*agent)),
        Which::Named(id) => one(conn, "agents", SQL, params![id.as_str()], |row| {
            Ok(AgentNo(Cells::new("agents", row).take()?))
        }),
    }
}

fn rows(
    reading: &Reading<'_>,
    sql: &str,
    (agent, near, asked): (AgentNo, (i64, i64), &MeasuredAsked),
    each: &mut dyn FnMut(Measured),
) -> Result<(), StoreError> {
    let values = params![agent.0, near.0, near.1, asked.from.0, asked.to.0, row_limit(MOST)];
    let mut statement = reading.conn.prepare_cached(sql).map_err(|error| fault(TABLE, error))?;
    let mut rows = statement.query(values).map_err(|error| fault(TABLE, error))?;
    while let Some(row) = rows.next().map_err(|error| fault(TABLE, error))? {
        let mut cells = Cells::new(TABLE, row);
        let at = cells.time()?;
        each(Measured { agent, at, envelope: readable(reading, &mut cells)? });
    }
    Ok(())
}

/// The late reports after one, in the order in which they came.
pub(in crate::store::sqlite) fn late(
    conn: &Connection,
    after: ReportId,
    limit: usize,
) -> Result<Vec<LateReport>, StoreError> {
    const SQL: &str = "SELECT report_id, agent_no, measured_at FROM late_reports
        WHERE report_id > ?1 ORDER BY report_id LIMIT ?2";
    all(conn, "late_reports", SQL, params![after.0, row_limit(limit)], |row| {
        let mut cells = Cells::new("late_reports", row);
        Ok(LateReport {
            id: ReportId(cells.take()?),
            agent: AgentNo(cells.take()?),
            measured_at: cells.time()?,
        })
    })
}
