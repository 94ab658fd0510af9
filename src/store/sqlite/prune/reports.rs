//! Which stored reports go. What stays below the first one that all keep: each agent's last
//! report before it, and the last of those in turn, so that the state at the beginning can be
//! told and a late report finds its neighbours; the late one that an agent's history may end
//! with; what proves an open alarm; version 1 reports that may still come again; and what any
//! report that is left is packed against.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row, params};

use super::{Line, now};
use crate::model::id::{AgentNo, ReportId};
use crate::store::StoreError;
use crate::store::prune::{CHUNK_ROWS, Prune, Pruned};
use crate::store::sqlite::bases::USES;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::table::reports::row_limit;
use crate::store::sqlite::table::{dictionaries, frame_dictionaries, late, meta};

/// A row weighs its envelope and 150 bytes more: small columns and index entries.
pub(super) const LINE: Line = Line {
    name: "reports",
    first_from: "SELECT report_id, received_at FROM reports WHERE report_id >= ?1
        ORDER BY report_id LIMIT 1",
    last: "SELECT report_id FROM reports ORDER BY report_id DESC LIMIT 1",
    weight: "SELECT octet_length(envelope) + 150 FROM reports WHERE report_id >= ?1
        ORDER BY report_id LIMIT 1",
};

/// What one chunk looks at.
struct Candidate {
    id: ReportId,
    agent: AgentNo,
    v1: bool,
    /// Whether others may be packed against it.
    base: bool,
}

fn candidate(row: &Row<'_>) -> Result<Candidate, StoreError> {
    let mut cells = Cells::new(LINE.name, row);
    Ok(Candidate {
        id: ReportId(cells.take()?),
        agent: AgentNo(cells.take()?),
        v1: cells.take()?,
        base: cells.take()?,
    })
}

/// Takes out one chunk.
pub(super) fn chunk(desk: &mut Desk<'_>, chunk: &Prune) -> Result<Pruned, StoreError> {
    const NEXT: &str = "SELECT report_id, agent_no, scheme IS 'v1',
            base IS NULL AND encoding <> 'identity' FROM reports
        WHERE report_id > ?1 AND report_id < ?2 ORDER BY report_id LIMIT ?3";
    let conn = desk.conn;
    let mark = meta::number(conn, meta::REPORTS_PRUNED_BELOW)?;
    let (below, below_v1) = bounds(conn, mark, chunk)?;
    let rows = params![chunk.after, below, row_limit(CHUNK_ROWS)];
    let rows = all(conn, LINE.name, NEXT, rows, candidate)?;
    let next = rows.last().filter(|_| rows.len() == CHUNK_ROWS).map(|row| row.id.0);
    let agents = BTreeMap::new();
    let mut staying = Staying { proofs: proofs(conn)?, agents, below, below_v1 };
    let mut removed = 0;
    for row in rows {
        if staying.holds(conn, &row)? || staying.needs(conn, &row)? {
            continue;
        }
        late::remove(desk, row.id)?;
        desk.write(LINE.name, "DELETE FROM reports WHERE report_id = ?1", params![row.id.0])?;
        removed += 1;
    }
    if removed > 0 && below > mark {
        meta::put_number(desk, meta::REPORTS_PRUNED_BELOW, below)?;
    }
    if next.is_none() && removed > 0 {
        dictionaries::drop_unneeded(desk)?;
        frame_dictionaries::drop_unneeded(desk)?;
    }
    Ok(Pruned { removed, next })
}

/// The first report that all keep, and the first of version 1. Neither ever goes back: what is
/// left below the mark is read as what was chosen to stay.
fn bounds(conn: &Connection, mark: i64, chunk: &Prune) -> Result<(i64, i64), StoreError> {
    let from = mark.max(1);
    let now = now(conn, chunk)?;
    let (kept, _) = LINE.kept_from(conn, from, chunk)?;
    let kept = kept.min(LINE.since(conn, from, now.minus(chunk.replay_s))?);
    let v1 = LINE.since(conn, 1, now.minus(chunk.replay_v1_s))?;
    Ok((kept.max(mark), v1))
}

/// The reports that prove open alarms.
fn proofs(conn: &Connection) -> Result<BTreeSet<ReportId>, StoreError> {
    const SQL: &str =
        "SELECT report_id FROM alarms WHERE state <> 'cleared' AND report_id IS NOT NULL";
    let ids = all(conn, "alarms", SQL, [], |row| Cells::new("alarms", row).take())?;
    Ok(ids.into_iter().map(ReportId).collect())
}

/// What stays of the reports below the first that all keep.
struct Staying {
    proofs: BTreeSet<ReportId>,
    /// By agent, as far as they were asked for.
    agents: BTreeMap<AgentNo, [Option<ReportId>; 3]>,
    below: i64,
    below_v1: i64,
}

impl Staying {
    /// Whether a report stays for what it is.
    fn holds(&mut self, conn: &Connection, row: &Candidate) -> Result<bool, StoreError> {
        let young = row.id.0 >= self.below || (row.v1 && row.id.0 >= self.below_v1);
        if young || self.proofs.contains(&row.id) {
            return Ok(true);
        }
        let stays = match self.agents.get(&row.agent) {
            Some(stays) => *stays,
            None => *self.agents.entry(row.agent).or_insert(last(conn, row.agent, self.below)?),
        };
        Ok(stays.contains(&Some(row.id)))
    }

    /// Whether a report stays because one that stays is packed against it. Those that are belong
    /// to the agent's next ones; that some of them are out only brings others into view.
    fn needs(&mut self, conn: &Connection, row: &Candidate) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT report_id, agent_no, scheme IS 'v1', 0 FROM (
                SELECT report_id, agent_no, scheme, base FROM reports
                WHERE agent_no = ?1 AND report_id > ?2 ORDER BY report_id LIMIT ?3)
            WHERE base = ?2";
        if !row.base {
            return Ok(false);
        }
        let values = params![row.agent.0, row.id.0, USES];
        for packed in all(conn, LINE.name, SQL, values, candidate)? {
            if self.holds(conn, &packed)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// An agent's last report before a number, the last of those in turn, and the late one measured
/// last.
fn last(
    conn: &Connection,
    agent: AgentNo,
    below: i64,
) -> Result<[Option<ReportId>; 3], StoreError> {
    const SQL: &str = "SELECT report_id FROM reports WHERE agent_no = ?1 AND report_id < ?2
        ORDER BY report_id DESC LIMIT 1";
    let newest = one(conn, LINE.name, SQL, params![agent.0, below], |row| {
        Cells::new(LINE.name, row).take()
    })?;
    let in_turn = late::last_in_turn(conn, agent, ReportId(below - 1))?;
    Ok([newest.map(ReportId), in_turn, late::last_measured(conn, agent)?])
}
