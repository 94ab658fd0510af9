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
use crate::store::sqlite::table::meta;

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

/// Whether reports that the agent measured next to a time may have been pruned, or the next of
/// them was measured before the history that is kept. Its last report in turn before the kept
/// ones stays, so from that one's time on no report is missing.
pub(in crate::store::sqlite) fn is_cut(
    conn: &Connection,
    agent: AgentNo,
    at: UnixSeconds,
) -> Result<bool, StoreError> {
    const SINCE: &str = "SELECT a.registered_at < (SELECT received_at FROM reports
            WHERE report_id >= ?2 ORDER BY report_id LIMIT 1)
        FROM agents a WHERE a.agent_no = ?1";
    let since = meta::number(conn, meta::EVENTS_SINCE)?;
    let [_, in_turn_after] = if since == 0 { [None; 2] } else { in_turn_around(conn, agent, at)? };
    let late_after = if since == 0 { None } else { late_after(conn, agent, at)? };
    if in_turn_after.into_iter().chain(late_after).any(|next| next.measured_at.0 < since) {
        return Ok(true);
    }
    let below = meta::number(conn, meta::REPORTS_PRUNED_BELOW)?;
    if below == 0 {
        return Ok(false);
    }
    if let Some(first) = in_turn(conn, agent, ReportId(below - 1))? {
        return Ok(at < first.measured_at);
    }
    // None of its reports in turn is that old: either it is younger, or all were late.
    let older = one(conn, TABLE, SINCE, params![agent.0, below], |row| {
        Cells::new(TABLE, row).take::<Option<bool>>()
    })?;
    Ok(older.flatten().unwrap_or(false))
}

/// The agent's last report up to a number that was not late.
pub(in crate::store::sqlite) fn last_in_turn(
    conn: &Connection,
    agent: AgentNo,
    upto: ReportId,
) -> Result<Option<ReportId>, StoreError> {
    Ok(in_turn(conn, agent, upto)?.map(|found| found.id))
}

/// The agent's late report that was measured last of all its late ones.
pub(in crate::store::sqlite) fn last_measured(
    conn: &Connection,
    agent: AgentNo,
) -> Result<Option<ReportId>, StoreError> {
    Ok(late_before(conn, agent, UnixSeconds(i64::MAX))?.map(|found| found.id))
}

/// Forgets that a report was late.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    report: ReportId,
) -> Result<(), StoreError> {
    desk.write(TABLE, "DELETE FROM late_reports WHERE report_id = ?1", params![report.0])?;
    Ok(())
}

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
