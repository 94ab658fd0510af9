//! The table `topology_edges`.

use rusqlite::{Connection, Row, params};

use crate::model::id::{AgentNo, EdgeId};
use crate::model::state::{EdgeState, EndState};
use crate::store::StoreError;
use crate::store::change::{EdgeEnd, EdgeRecord};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "topology_edges";

macro_rules! columns {
    () => {
        "edge_id, fleet_id, a_agent_no, a_interface, a_public_key, a_state, b_agent_no, \
         b_interface, b_public_key, b_state, state, reason, since, first_seen, \
         judged_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<EdgeRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(EdgeRecord {
        id: cells.parse()?,
        fleet: cells.parse()?,
        ends: [end(&mut cells)?, end(&mut cells)?],
        state: cells.text(EdgeState::from_word)?,
        reason: cells.take()?,
        since: cells.time()?,
        first_seen: cells.time()?,
        judged_at: cells.time()?,
    })
}

fn end(cells: &mut Cells<'_, '_>) -> Result<EdgeEnd, StoreError> {
    Ok(EdgeEnd {
        agent: cells.take::<Option<i64>>()?.map(AgentNo),
        interface: cells.take()?,
        public_key: cells.maybe_wg_key()?,
        state: cells.text(EndState::from_word)?,
    })
}

/// All edges.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<EdgeRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM topology_edges ORDER BY edge_id");
    all(conn, TABLE, SQL, [], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO topology_edges (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
    ON CONFLICT (edge_id) DO UPDATE SET
        fleet_id = excluded.fleet_id,
        a_agent_no = excluded.a_agent_no,
        a_interface = excluded.a_interface,
        a_public_key = excluded.a_public_key,
        a_state = excluded.a_state,
        b_agent_no = excluded.b_agent_no,
        b_interface = excluded.b_interface,
        b_public_key = excluded.b_public_key,
        b_state = excluded.b_state,
        state = excluded.state,
        reason = excluded.reason,
        since = excluded.since,
        judged_at = excluded.judged_at,
        -- An edge cannot become younger.
        first_seen = min(topology_edges.first_seen, excluded.first_seen)"
);

/// Inserts or updates an edge.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    edge: &EdgeRecord,
) -> Result<(), StoreError> {
    let [a, b] = &edge.ends;
    desk.write(
        TABLE,
        UPSERT,
        params![
            edge.id.as_str(),
            edge.fleet.as_str(),
            a.agent.map(|agent| agent.0),
            a.interface,
            a.public_key.map(|key| key.0),
            a.state.as_str(),
            b.agent.map(|agent| agent.0),
            b.interface,
            b.public_key.map(|key| key.0),
            b.state.as_str(),
            edge.state.as_str(),
            edge.reason,
            edge.since.0,
            edge.first_seen.0,
            edge.judged_at.0,
        ],
    )?;
    Ok(())
}

/// Deletes an edge.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    edge: &EdgeId,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM topology_edges WHERE edge_id = ?1";
    desk.write(TABLE, SQL, params![edge.as_str()])?;
    Ok(())
}
