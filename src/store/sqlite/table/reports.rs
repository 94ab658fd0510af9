//! The table `reports`: the audit trail and the replay memory. Rows are inserted and read,
//! never changed.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::model::id::{AgentNo, ReportId};
use crate::model::key::IdentityKey;
use crate::model::state::{CanonForm, Scheme};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::change::NewReport;
use crate::store::row::{AuditRow, ReplayRow, ReportFilter, ReportSummary, StoredReport};
use crate::store::sqlite::cells::{Cells, json, kid_bytes};
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::envelope::{ENVELOPE, Packer, unpack};
use crate::store::sqlite::error::fault;

const TABLE: &str = "reports";

macro_rules! summary_columns {
    () => {
        "r.report_id, a.agent_id, r.scheme, r.canon_form, r.kid, r.timestamp, r.collected_at, \
         r.received_at, r.tick, r.nonce, r.data_sha256, r.redacted, r.relay_path, r.source, \
         r.envelope_bytes"
    };
}

/// The envelope, and the agent's own key that the row names, if it is one.
macro_rules! proof_columns {
    () => {
        "r.encoding, r.envelope, (SELECT i.public_key FROM identities i \
         WHERE i.agent_no = r.agent_no AND i.kid = r.kid ORDER BY i.identity_no DESC LIMIT 1)"
    };
}

fn summary(cells: &mut Cells<'_, '_>) -> Result<ReportSummary, StoreError> {
    Ok(ReportSummary {
        id: ReportId(cells.take()?),
        agent_id: cells.parse()?,
        scheme: cells.text(Scheme::from_word)?,
        form: cells.text(CanonForm::from_word)?,
        kid: cells.kid()?,
        timestamp: cells.time()?,
        collected_at: cells.maybe_time()?,
        received_at: cells.time()?,
        tick: cells.take()?,
        nonce: cells.take()?,
        data_sha256: cells.take()?,
        redacted: cells.take()?,
        relay_path: cells.maybe_json()?.unwrap_or_default(),
        source: cells.maybe_parse()?,
        envelope_bytes: cells.unsigned()?,
    })
}

fn stored(row: &Row<'_>) -> Result<StoredReport, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    let summary = summary(&mut cells)?;
    let encoding: String = cells.take()?;
    let packed: Vec<u8> = cells.take()?;
    let size = usize::try_from(summary.envelope_bytes).unwrap_or(usize::MAX);
    let own_key = cells.take::<Option<[u8; 32]>>()?.map(IdentityKey);
    let envelope = unpack(&encoding, &packed, size)?;
    Ok(StoredReport { summary, envelope, own_key })
}

/// A report for a reader that must get past a damaged one: its envelope is empty then.
fn audited(row: &Row<'_>) -> Result<AuditRow, StoreError> {
    match stored(row) {
        Err(StoreError::Damaged(what)) if what == ENVELOPE => {
            let summary = summary(&mut Cells::new(TABLE, row))?;
            Ok(StoredReport { summary, envelope: Vec::new(), own_key: None })
        }
        other => other,
    }
}

/// The columns of an insert, in the order of its parameters.
const INSERT: &str = "INSERT INTO reports (report_id, agent_no, scheme, canon_form, kid,
        timestamp, collected_at, received_at, tick, nonce, data_sha256, redacted, relay_path,
        source, envelope_bytes, encoding, envelope)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

/// Appends a report.
pub(in crate::store::sqlite) fn insert(
    desk: &mut Desk<'_>,
    packer: &mut Packer,
    report: &NewReport,
) -> Result<(), StoreError> {
    let relay_path = match report.relay_path.as_slice() {
        [] => None,
        path => Some(json(TABLE, &path)?),
    };
    let (encoding, envelope) = packer.pack(&report.envelope);
    desk.write(
        TABLE,
        INSERT,
        params![
            report.id.0,
            report.agent.0,
            report.scheme.as_str(),
            report.form.as_str(),
            kid_bytes(&report.kid),
            report.timestamp.0,
            report.collected_at.map(|at| at.0),
            report.received_at.0,
            report.tick,
            report.nonce,
            report.data_sha256,
            report.redacted,
            relay_path,
            report.source.map(|source| source.to_string()),
            i64::try_from(report.envelope.len()).unwrap_or(i64::MAX),
            encoding,
            envelope,
        ],
    )?;
    Ok(())
}

/// The report of this number, with its envelope.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    id: ReportId,
) -> Result<Option<StoredReport>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        summary_columns!(),
        ", ",
        proof_columns!(),
        " FROM reports r JOIN agents a USING (agent_no)
         WHERE r.report_id = ?1"
    );
    one(conn, TABLE, SQL, params![id.0], stored)
}

/// Reports after `after`, oldest first, with envelopes.
pub(in crate::store::sqlite) fn audit(
    conn: &Connection,
    after: ReportId,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    // CROSS JOIN keeps the order of the loops: reports first, so that no sort is needed.
    const SQL: &str = concat!(
        "SELECT ",
        summary_columns!(),
        ", ",
        proof_columns!(),
        " FROM reports r CROSS JOIN agents a USING (agent_no)
         WHERE r.report_id > ?1 ORDER BY r.report_id LIMIT ?2"
    );
    all(conn, TABLE, SQL, params![after.0, row_limit(limit)], audited)
}

/// Reports, newest first, without envelopes.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    filter: &ReportFilter,
) -> Result<Vec<ReportSummary>, StoreError> {
    let mut sql = String::from(concat!(
        "SELECT ",
        summary_columns!(),
        " FROM reports r CROSS JOIN agents a USING (agent_no) WHERE 1"
    ));
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(agent) = &filter.agent {
        sql.push_str(" AND r.agent_no = (SELECT agent_no FROM agents WHERE agent_id = ?)");
        values.push(Box::new(agent.as_str().to_owned()));
    }
    if let Some(before) = filter.before {
        sql.push_str(" AND r.report_id < ?");
        values.push(Box::new(before.0));
    }
    sql.push_str(" ORDER BY r.report_id DESC LIMIT ?");
    values.push(Box::new(row_limit(filter.limit)));
    all(conn, TABLE, &sql, params_from_iter(values), |row| summary(&mut Cells::new(TABLE, row)))
}

/// As many of one agent's reports as are ever read back into its replay memory: more than one
/// per second over the 1,200 s that a nonce must be remembered.
const REPLAY_ROWS_MAX: usize = 4096;

/// How many consecutive reports older than asked for end the search. A clock that stood wrong
/// for a while leaves old times between young ones; no more than 120 nonces of one agent are
/// alive at a time, so nothing alive hides behind more than that.
const REPLAY_ROWS_TOO_OLD: usize = 120;

/// Reports of an agent received at or after `since`, newest last.
pub(in crate::store::sqlite) fn replay_rows(
    conn: &Connection,
    agent: AgentNo,
    since: UnixSeconds,
) -> Result<Vec<ReplayRow>, StoreError> {
    const SQL: &str = "SELECT report_id, nonce, timestamp, collected_at, received_at, tick,
        data_sha256
        FROM reports WHERE agent_no = ?1 ORDER BY report_id DESC";
    let mut statement = conn.prepare_cached(SQL).map_err(|error| fault(TABLE, error))?;
    let mut rows = statement.query(params![agent.0]).map_err(|error| fault(TABLE, error))?;
    let mut found = Vec::new();
    let mut too_old = 0;
    while let Some(row) = rows.next().map_err(|error| fault(TABLE, error))? {
        let mut cells = Cells::new(TABLE, row);
        let spent = ReplayRow {
            id: ReportId(cells.take()?),
            nonce: cells.take()?,
            timestamp: cells.time()?,
            collected_at: cells.maybe_time()?,
            received_at: cells.time()?,
            tick: cells.take()?,
            data_sha256: cells.take()?,
        };
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

/// The lowest and highest number in use; zeros if there is none.
pub(in crate::store::sqlite) fn range(conn: &Connection) -> Result<(i64, i64), StoreError> {
    // Two subqueries, each one step along the tree; min and max in one query would scan it.
    const SQL: &str = "SELECT coalesce((SELECT min(report_id) FROM reports), 0),
        coalesce((SELECT max(report_id) FROM reports), 0)";
    let ends = one(conn, TABLE, SQL, [], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok((cells.take()?, cells.take()?))
    })?;
    Ok(ends.unwrap_or_default())
}

/// A limit as SQLite takes it.
pub(in crate::store::sqlite) fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
