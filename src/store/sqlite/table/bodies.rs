//! The table `reports` as the memory of what version 1 agents have said: whether the same body
//! was taken before.

use rusqlite::{Connection, params};

use crate::model::id::AgentNo;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::row::BodyRow;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{all, one};
use crate::store::sqlite::table::reports::row_limit;

const TABLE: &str = "reports";

/// The agent's last version 1 bodies, newest last.
pub(in crate::store::sqlite) fn last(
    conn: &Connection,
    agent: AgentNo,
    limit: usize,
) -> Result<Vec<BodyRow>, StoreError> {
    const SQL: &str = "SELECT data_sha256, collected_at, received_at FROM reports
        WHERE agent_no = ?1 AND scheme = 'v1' ORDER BY report_id DESC LIMIT ?2";
    let mut found = all(conn, TABLE, SQL, params![agent.0, row_limit(limit)], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok(BodyRow {
            data_sha256: cells.take()?,
            collected_at: cells.maybe_time()?,
            received_at: cells.time()?,
        })
    })?;
    found.reverse();
    Ok(found)
}

/// When the agent's version 1 report of one of these digests was last accepted since then.
pub(in crate::store::sqlite) fn taken(
    conn: &Connection,
    agent: AgentNo,
    digests: [[u8; 32]; 2],
    collected_at: Option<UnixSeconds>,
    since: UnixSeconds,
) -> Result<Option<UnixSeconds>, StoreError> {
    // The index `reports_v1_bodies` answers.
    const UNTOLD: &str = "SELECT max(received_at) FROM reports
        WHERE scheme = 'v1' AND collected_at IS NULL AND agent_no = ?1
            AND substr(data_sha256, 1, 8) IN (substr(?2, 1, 8), substr(?3, 1, 8))
            AND data_sha256 IN (?2, ?3) AND received_at >= ?4";
    // Asked only about a body that is not younger than the last, so seldom; 4,096 reports are
    // more than a day of them at the usual interval.
    const TOLD: &str = "SELECT max(received_at) FROM (
            SELECT scheme, collected_at, data_sha256, received_at FROM reports
            WHERE agent_no = ?1 ORDER BY report_id DESC LIMIT 4096)
        WHERE scheme = 'v1' AND data_sha256 IN (?2, ?3) AND received_at >= ?4
            AND collected_at = ?5";
    let [first, second] = digests;
    let at = |row: &rusqlite::Row<'_>| Cells::new(TABLE, row).maybe_time();
    let found = match collected_at {
        None => one(conn, TABLE, UNTOLD, params![agent.0, first, second, since.0], at)?,
        Some(told) => one(conn, TABLE, TOLD, params![agent.0, first, second, since.0, told.0], at)?,
    };
    Ok(found.flatten())
}
