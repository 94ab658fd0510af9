//! The table `reports`: the audit trail and the replay memory. Rows are inserted and read,
//! never changed.

use rusqlite::{Connection, Row, params, params_from_iter};

use crate::model::id::{AgentId, ReportId};
use crate::model::key::IdentityKey;
use crate::model::path::RelayPath;
use crate::model::state::{CanonForm, RelayProof, Scheme};
use crate::store::StoreError;
use crate::store::change::NewReport;
use crate::store::row::{ReportFilter, ReportSummary, StoredReport};
use crate::store::sqlite::bases::Told;
use crate::store::sqlite::cells::{Cells, fleets_json, json, kid_bytes};
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::envelope::{ENVELOPE, Kept, Packer, Reading};
use crate::store::sqlite::table::asked::{Links, Part, Rows, Where, numbers};
use crate::store::sqlite::table::frame_dictionaries::id_bytes;
use crate::store::sqlite::table::late;

const TABLE: &str = "reports";

/// How a report is signed stands in the row of its base `b` if it is the same. Of one whose base is
/// gone, no more can be told than that it is damaged.
macro_rules! summary_columns {
    () => {
        "r.report_id, a.agent_id, coalesce(r.scheme, b.scheme, 'v2-hmac'), \
         coalesce(r.canon_form, b.canon_form, 'raw'), coalesce(r.kid, b.kid, zeroblob(8)), \
         r.timestamp, r.collected_at, \
         r.received_at, r.tick, r.nonce, r.data_sha256, r.redacted, r.relay_path, \
         r.relay_proven, r.source, r.envelope_bytes"
    };
}

/// What [`readable`] makes an envelope of: the report `r` and, as `b`, the one it is packed
/// against.
macro_rules! envelope_columns {
    () => {
        "r.encoding, r.envelope, r.envelope_bytes, r.dict, \
         r.nonce, r.timestamp, r.tick, r.collected_at, r.base, \
         b.encoding, b.envelope, b.envelope_bytes, b.dict, \
         b.nonce, b.timestamp, b.tick, b.collected_at"
    };
}

pub(in crate::store::sqlite) use envelope_columns;

/// The agent's own key that the row names, if it is one.
macro_rules! key_column {
    () => {
        "(SELECT i.public_key FROM identities i \
         WHERE i.agent_no = r.agent_no AND i.kid = coalesce(r.kid, b.kid) ORDER BY i.identity_no DESC LIMIT 1)"
    };
}

fn summary(cells: &mut Cells<'_, '_>) -> Result<ReportSummary, StoreError> {
    let (id, agent_id) = (ReportId(cells.take()?), cells.parse()?);
    let scheme = cells.text(Scheme::from_word)?;
    Ok(ReportSummary {
        id,
        agent_id,
        scheme,
        form: cells.text(CanonForm::from_word)?,
        kid: cells.kid()?,
        timestamp: cells.time()?,
        collected_at: cells.maybe_time()?,
        received_at: cells.time()?,
        tick: cells.take()?,
        nonce: cells.take()?,
        data_sha256: cells.take()?,
        redacted: cells.take()?,
        relay_path: path(cells, scheme)?,
        source: cells.maybe_parse()?,
        envelope_bytes: cells.unsigned()?,
    })
}

/// The columns `relay_path` and `relay_proven`.
fn path(cells: &mut Cells<'_, '_>, scheme: Scheme) -> Result<RelayPath, StoreError> {
    let relays: Vec<AgentId> = cells.maybe_json()?.unwrap_or_default();
    let proven: Option<bool> = cells.take()?;
    // Before relays were told apart from claims, only version 1 claimed.
    let proven = proven.unwrap_or(scheme != Scheme::V1);
    Ok(RelayPath::through(relays, RelayProof::of(proven)))
}

/// A report with its envelope.
fn whole(reading: &Reading<'_>, row: &Row<'_>) -> Result<StoredReport, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    let (summary, envelope) = (summary(&mut cells)?, readable(reading, &mut cells)?);
    let own_key = cells.take::<Option<[u8; 32]>>()?.map(IdentityKey);
    Ok(StoredReport { summary, envelope, own_key })
}

/// The envelope in the columns of [`envelope_columns`]; empty if it is damaged, so that what
/// stands around it can still be read.
pub(in crate::store::sqlite) fn readable(
    reading: &Reading<'_>,
    cells: &mut Cells<'_, '_>,
) -> Result<Vec<u8>, StoreError> {
    let report = kept(cells)?;
    let against: Option<i64> = cells.take()?;
    let base = kept(cells)?;
    // A base that is not there leaves the report unreadable, and no other.
    let Some(report) = report.filter(|_| against.is_some() == base.is_some()) else {
        return Ok(Vec::new());
    };
    match reading.unpack(report, base) {
        Err(StoreError::Damaged(what)) if what == ENVELOPE => Ok(Vec::new()),
        other => other,
    }
}

/// The columns of [`envelope_columns`] of one report; `None` if there is no row.
fn kept(cells: &mut Cells<'_, '_>) -> Result<Option<Kept>, StoreError> {
    let encoding: Option<String> = cells.take()?;
    let bytes: Option<Vec<u8>> = cells.take()?;
    let size = cells.maybe_unsigned()?;
    let dict = cells.take()?;
    let nonce: Option<String> = cells.take()?;
    let numbers = [cells.take()?, cells.take()?, cells.take()?];
    Ok(bytes.zip(size).zip(nonce).map(|((bytes, size), nonce)| {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Kept { encoding, bytes, size, dict, told: Told { nonce, numbers } }
    }))
}

/// A report without its envelope.
fn bare(row: &Row<'_>) -> Result<StoredReport, StoreError> {
    let summary = summary(&mut Cells::new(TABLE, row))?;
    Ok(StoredReport { summary, envelope: Vec::new(), own_key: None })
}

/// The columns of an insert, in the order of its parameters.
const INSERT: &str = "INSERT INTO reports (report_id, agent_no, scheme, canon_form, kid,
        timestamp, collected_at, received_at, tick, nonce, data_sha256, redacted, relay_path,
        relay_proven, source, envelope_bytes, encoding, envelope, dict, base,
        frame_dict)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
        ?20, (SELECT dict_no FROM frame_dictionaries WHERE dict_id = ?21))";

/// Appends a report.
pub(in crate::store::sqlite) fn insert(
    desk: &mut Desk<'_>,
    packer: &mut Packer,
    report: &NewReport,
) -> Result<(), StoreError> {
    let path = &report.relay_path;
    let relay_path = if path.is_direct() { None } else { Some(json(TABLE, &path.relays())?) };
    let packed = packer.pack(desk.conn, report)?;
    let told = !packed.signed_like_base;
    desk.write(
        TABLE,
        INSERT,
        params![
            report.id.0,
            report.agent.0,
            told.then(|| report.scheme.as_str()),
            told.then(|| report.form.as_str()),
            told.then(|| kid_bytes(&report.kid)),
            report.timestamp.0,
            report.collected_at.map(|at| at.0),
            report.received_at.0,
            report.tick,
            report.nonce,
            report.data_sha256,
            report.redacted,
            relay_path,
            path.proof().map(|proof| proof == RelayProof::Proven),
            report.source.map(|source| source.to_string()),
            i64::try_from(report.envelope.len()).unwrap_or(i64::MAX),
            packed.encoding,
            packed.bytes,
            packed.dict,
            packed.base.map(|base| base.0),
            report.frame_dict.as_ref().map(id_bytes),
        ],
    )?;
    if report.late { late::insert(desk, report) } else { Ok(()) }
}

const ROWS: Rows = Rows {
    name: TABLE,
    from: "reports r CROSS JOIN agents a USING (agent_no)",
    row: "r",
    number: "report_id",
    links: Links::Never,
};

/// Reports: newest first, or oldest first after one.
pub(in crate::store::sqlite) fn list(
    reading: &Reading<'_>,
    filter: &ReportFilter,
) -> Result<Vec<StoredReport>, StoreError> {
    let mut sql = String::from(concat!("SELECT ", summary_columns!()));
    if filter.envelopes {
        sql.push_str(concat!(", ", envelope_columns!(), ", ", key_column!()));
    }
    let mut asked = Where::default();
    let agent = filter.agent.as_ref().map(|agent| agent.as_str().to_owned());
    asked.and(" AND r.agent_no = (SELECT agent_no FROM agents WHERE agent_id = ?)", agent);
    asked.and(" AND r.report_id = ?", filter.id.map(|id| id.0));
    asked.and(" AND r.report_id < ?", filter.before.map(|id| id.0));
    asked.and(" AND r.report_id > ?", filter.after.map(|id| id.0));
    asked.and(" AND a.fleet_id IN (SELECT value FROM json_each(?))", fleets_json(&filter.reach));
    let oldest_first = filter.after.is_some();
    if let Some(things) = &filter.things {
        let from = if oldest_first { filter.after } else { filter.before };
        let part = Part { from: from.map(|id| id.0), oldest_first, limit: filter.limit };
        let numbers = numbers(reading.conn, &ROWS, things, (&asked, &part))?;
        asked = Where::default();
        let chosen = " AND r.report_id IN (SELECT value FROM json_each(?))";
        asked.and(chosen, Some(json(TABLE, &numbers)?));
    }
    // CROSS JOIN keeps the order of the loops: reports first, so that no sort is needed.
    sql.push_str(&format!(
        " FROM reports r CROSS JOIN agents a USING (agent_no)
            LEFT JOIN reports b ON b.report_id = r.base WHERE 1{}
        ORDER BY r.report_id {} LIMIT ?",
        asked.sql,
        if oldest_first { "ASC" } else { "DESC" }
    ));
    asked.with(row_limit(filter.limit));
    let read = |row: &Row<'_>| if filter.envelopes { whole(reading, row) } else { bare(row) };
    all(reading.conn, TABLE, &sql, params_from_iter(asked.bound()), read)
}

/// The envelopes of the newest reports before one, newest first, and the oldest of their numbers.
pub(in crate::store::sqlite) fn samples(
    reading: &Reading<'_>,
    before: ReportId,
    limit: usize,
) -> Result<(Vec<Vec<u8>>, ReportId), StoreError> {
    const SQL: &str = concat!(
        "SELECT r.report_id, ",
        envelope_columns!(),
        " FROM reports r LEFT JOIN reports b ON b.report_id = r.base
        WHERE r.report_id < ?1 ORDER BY r.report_id DESC LIMIT ?2"
    );
    let values = params![before.0, row_limit(limit)];
    let rows = all(reading.conn, TABLE, SQL, values, |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok((ReportId(cells.take()?), readable(reading, &mut cells)?))
    })?;
    let oldest = rows.last().map_or(before, |(id, _)| *id);
    Ok((rows.into_iter().map(|(_, envelope)| envelope).collect(), oldest))
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
