//! The table `late_reports`: reports that told of the past when they came, and the reports next
//! to a time.
//!
//! Late ones are found by an index over them alone. The others come in the order in which they
//! were measured, so they are found by halving: a report in the middle is looked at, and one that
//! is late tells which one it stands behind. Neither search gets longer by how many late reports
//! have come. Where a host's clock was set back the order is not kept, and a neighbour is found
//! that is one only by some of the clock's times.

use rusqlite::{Connection, Row, params};

use crate::model::id::{AgentNo, ReportId};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::change::NewReport;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, one};

const TABLE: &str = "late_reports";

/// A report and when it was measured. Of two measured at one time, the later to come counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    measured_at: UnixSeconds,
    id: ReportId,
}

fn found(row: &Row<'_>) -> Result<Found, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(Found { id: ReportId(cells.take()?), measured_at: cells.time()? })
}

/// Remembers that a report was late.
pub(in crate::store::sqlite) fn insert(
    desk: &mut Desk<'_>,
    report: &NewReport,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO late_reports (agent_no, measured_at, report_id, behind_id)
        VALUES (?1, ?2, ?3, coalesce(
            (SELECT coalesce(l.behind_id, r.report_id)
                FROM reports r LEFT JOIN late_reports l ON l.report_id = r.report_id
                WHERE r.agent_no = ?1 AND r.report_id < ?3
                ORDER BY r.report_id DESC LIMIT 1), 0))";
    let measured_at = report.collected_at.unwrap_or(report.timestamp);
    desk.write(TABLE, SQL, params![report.agent.0, measured_at.0, report.id.0])?;
    Ok(())
}

/// The agent's last report measured at or before a time, and its first after it.
pub(in crate::store::sqlite) fn around(
    conn: &Connection,
    agent: AgentNo,
    at: UnixSeconds,
) -> Result<Vec<ReportId>, StoreError> {
    let [before, after] = in_turn_around(conn, agent, at)?;
    let before = before.max(late_before(conn, agent, at)?);
    let late = late_after(conn, agent, at)?;
    let earlier = |a: Found, b: Found| match a.measured_at.cmp(&b.measured_at) {
        std::cmp::Ordering::Less => a,
        std::cmp::Ordering::Equal => a.max(b),
        std::cmp::Ordering::Greater => b,
    };
    let after = after.into_iter().chain(late).reduce(earlier);
    Ok(before.into_iter().chain(after).map(|found| found.id).collect())
}

/// The late report that was measured last of all the agent's reports, if it was a late one.
pub(in crate::store::sqlite) fn end(
    conn: &Connection,
    agent: AgentNo,
) -> Result<Option<ReportId>, StoreError> {
    let Some(late) = late_before(conn, agent, UnixSeconds(i64::MAX))? else { return Ok(None) };
    let last = in_turn(conn, agent, ReportId(i64::MAX))?;
    Ok(last.is_none_or(|last| last < late).then_some(late.id))
}

fn late_before(
    conn: &Connection,
    agent: AgentNo,
    at: UnixSeconds,
) -> Result<Option<Found>, StoreError> {
    const SQL: &str = "SELECT report_id, measured_at FROM late_reports
        WHERE agent_no = ?1 AND measured_at <= ?2
        ORDER BY measured_at DESC, report_id DESC LIMIT 1";
    one(conn, TABLE, SQL, params![agent.0, at.0], found)
}

fn late_after(
    conn: &Connection,
    agent: AgentNo,
    at: UnixSeconds,
) -> Result<Option<Found>, StoreError> {
    const SQL: &str = "SELECT report_id, measured_at FROM late_reports
        WHERE agent_no = ?1 AND measured_at = (SELECT min(measured_at) FROM late_reports
            WHERE agent_no = ?1 AND measured_at > ?2)
        ORDER BY report_id DESC LIMIT 1";
    one(conn, TABLE, SQL, params![agent.0, at.0], found)
}

/// The agent's last report up to a number that was not late.
fn in_turn(conn: &Connection, agent: AgentNo, upto: ReportId) -> Result<Option<Found>, StoreError> {
    const SQL: &str = "SELECT report_id, coalesce(collected_at, timestamp) FROM reports
        WHERE report_id = (SELECT coalesce(l.behind_id, r.report_id)
            FROM reports r LEFT JOIN late_reports l ON l.report_id = r.report_id
            WHERE r.agent_no = ?1 AND r.report_id <= ?2
            ORDER BY r.report_id DESC LIMIT 1)";
    one(conn, TABLE, SQL, params![agent.0, upto.0], found)
}

/// Of the reports that were not late, the last one measured at or before a time, and the first
/// one after it.
fn in_turn_around(
    conn: &Connection,
    agent: AgentNo,
    at: UnixSeconds,
) -> Result<[Option<Found>; 2], StoreError> {
    let Some(newest) = in_turn(conn, agent, ReportId(i64::MAX))? else { return Ok([None; 2]) };
    if newest.measured_at <= at {
        return Ok([Some(newest), None]);
    }
    // Up to number `low` all are measured at or before `at`, `before` is the last of them.
    let (mut low, mut before, mut after) = (0, None, newest);
    while low + 1 < after.id.0 {
        let middle = low + (after.id.0 - low) / 2;
        match in_turn(conn, agent, ReportId(middle))? {
            Some(found) if found.id.0 > low && found.measured_at > at => after = found,
            Some(found) if found.id.0 > low => (low, before) = (middle, Some(found)),
            _ => low = middle,
        }
    }
    Ok([before, Some(after)])
}
