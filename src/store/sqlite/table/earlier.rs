//! The table `reports` as the memory of what one agent has sent before: nonces that are spent,
//! version 1 bodies that may come again, and what was told around a time.

use rusqlite::{Connection, Row, params};

use crate::model::id::{AgentNo, ReportId};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::earlier::{Earlier, EarlierReport, Known};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{all, one};
use crate::store::sqlite::envelope::Reading;
use crate::store::sqlite::error::fault;
use crate::store::sqlite::table::reports::{envelope_columns, readable, row_limit};
use crate::store::sqlite::table::{events, late};

const TABLE: &str = "reports";

/// As many of one agent's reports as are ever read back into its replay memory: more than one
/// per second over the 1,200 s that a nonce must be remembered.
const REPLAY_ROWS_MAX: usize = 4096;

/// How many consecutive reports older than asked for end the search. A clock that stood wrong
/// for a while leaves old times between young ones; no more than 120 nonces of one agent are
/// alive at a time, so nothing alive hides behind more than that.
const REPLAY_ROWS_TOO_OLD: usize = 120;

macro_rules! columns {
    () => {
        "report_id, nonce, timestamp, collected_at, received_at, tick, data_sha256"
    };
}

/// The same of the report `r`.
macro_rules! whole_columns {
    () => {
        "r.report_id, r.nonce, r.timestamp, r.collected_at, r.received_at, r.tick, r.data_sha256"
    };
}

fn from_row(row: &Row<'_>) -> Result<EarlierReport, StoreError> {
    told(&mut Cells::new(TABLE, row))
}

fn told(cells: &mut Cells<'_, '_>) -> Result<EarlierReport, StoreError> {
    Ok(EarlierReport {
        id: ReportId(cells.take()?),
        nonce: cells.take()?,
        timestamp: cells.time()?,
        collected_at: cells.maybe_time()?,
        received_at: cells.time()?,
        tick: cells.take()?,
        data_sha256: cells.take()?,
        envelope: Vec::new(),
    })
}

/// What is asked for.
pub(in crate::store::sqlite) fn find(
    reading: &Reading<'_>,
    agent: AgentNo,
    what: &Earlier,
) -> Result<Known, StoreError> {
    let conn = reading.conn;
    let reports = match *what {
        Earlier::Since(since) => received_since(conn, agent, since)?,
        Earlier::LastV1(limit) => last_v1(conn, agent, limit)?,
        Earlier::SameV1Body { digests, collected_at, since } => {
            let last = same_body(conn, agent, digests, collected_at)?;
            last.into_iter().filter(|row| row.received_at >= since).collect()
        }
        Earlier::Around(at) => {
            let around = late::around(conn, agent, at)?;
            let whole = around.into_iter().map(|id| numbered(reading, id));
            let reports = whole.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
            let cut = late::is_cut(conn, agent, at)?;
            return Ok(Known { reports, cut, ..Known::default() });
        }
        Earlier::End => match late::end(conn, agent)? {
            Some(id) => numbered(reading, id)?.into_iter().map(without_envelope).collect(),
            None => Vec::new(),
        },
        Earlier::Edges { at, ref ids } => {
            let edges = ids.iter().filter_map(|id| events::edge_at(conn, id, at).transpose());
            return Ok(Known { edges: edges.collect::<Result<_, _>>()?, ..Known::default() });
        }
    };
    Ok(Known { reports, ..Known::default() })
}

/// The report of this number, with its envelope.
fn numbered(reading: &Reading<'_>, id: ReportId) -> Result<Option<EarlierReport>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        whole_columns!(),
        ", ",
        envelope_columns!(),
        " FROM reports r LEFT JOIN reports b ON b.report_id = r.base WHERE r.report_id = ?1"
    );
    one(reading.conn, TABLE, SQL, params![id.0], |row| {
        let mut cells = Cells::new(TABLE, row);
        let report = told(&mut cells)?;
        Ok(EarlierReport { envelope: readable(reading, &mut cells)?, ..report })
    })
}

fn without_envelope(report: EarlierReport) -> EarlierReport {
    EarlierReport { envelope: Vec::new(), ..report }
}

fn received_since(
    conn: &Connection,
    agent: AgentNo,
    since: UnixSeconds,
) -> Result<Vec<EarlierReport>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM reports WHERE agent_no = ?1 ORDER BY report_id DESC");
    let mut statement = conn.prepare_cached(SQL).map_err(|error| fault(TABLE, error))?;
    let mut rows = statement.query(params![agent.0]).map_err(|error| fault(TABLE, error))?;
    let mut found = Vec::new();
    let mut too_old = 0;
    while let Some(row) = rows.next().map_err(|error| fault(TABLE, error))? {
        let spent = from_row(row)?;
        if spent.received_at >= since {
            too_old = 0;
            found.push(spent);
        } else {
            too_old += 1;
        }
        if found.len() == REPLAY_ROWS_MAX || too_old == REPLAY_ROWS_TOO_OLD {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn last_v1(
    conn: &Connection,
    agent: AgentNo,
    limit: usize,
) -> Result<Vec<EarlierReport>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM reports WHERE agent_no = ?1 AND scheme = 'v1' ORDER BY report_id DESC LIMIT ?2"
    );
    let mut found = all(conn, TABLE, SQL, params![agent.0, row_limit(limit)], from_row)?;
    found.reverse();
    Ok(found)
}

/// The last version 1 report of one of these digests.
fn same_body(
    conn: &Connection,
    agent: AgentNo,
    digests: [[u8; 32]; 2],
    collected_at: Option<UnixSeconds>,
) -> Result<Option<EarlierReport>, StoreError> {
    // The index `reports_v1_bodies` answers.
    const UNTOLD: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM reports
        WHERE scheme = 'v1' AND collected_at IS NULL AND agent_no = ?1
            AND substr(data_sha256, 1, 8) IN (substr(?2, 1, 8), substr(?3, 1, 8))
            AND data_sha256 IN (?2, ?3)
        ORDER BY received_at DESC LIMIT 1"
    );
    // Asked only about a body that is not younger than the last, so seldom; 4,096 reports are
    // more than a day of them at the usual interval.
    const TOLD: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM (
            SELECT scheme, ",
        columns!(),
        " FROM reports WHERE agent_no = ?1 ORDER BY report_id DESC LIMIT 4096)
        WHERE scheme = 'v1' AND data_sha256 IN (?2, ?3) AND collected_at = ?4
        ORDER BY received_at DESC LIMIT 1"
    );
    let [first, second] = digests;
    match collected_at {
        None => one(conn, TABLE, UNTOLD, params![agent.0, first, second], from_row),
        Some(told) => one(conn, TABLE, TOLD, params![agent.0, first, second, told.0], from_row),
    }
}
