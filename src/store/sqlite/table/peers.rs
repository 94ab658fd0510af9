//! The table `wg_peers`.

use rusqlite::{Connection, Row, params};

use crate::model::id::AgentNo;
use crate::model::key::WgKey;
use crate::model::report::Peer;
use crate::store::StoreError;
use crate::store::change::PeerRecord;
use crate::store::flush::PeerDynamic;
use crate::store::sqlite::cells::{Cells, json, signed};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "wg_peers";

macro_rules! columns {
    () => {
        "agent_no, interface, public_key, endpoint, allowed_ips, latest_handshake, rx_bytes, \
         tx_bytes, persistent_keepalive, has_psk, edge_id, measured_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<PeerRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(PeerRecord {
        agent: AgentNo(cells.take()?),
        peer: Peer {
            interface: cells.take()?,
            public_key: cells.wg_key()?,
            endpoint: cells.take()?,
            allowed_ips: cells.json()?,
            latest_handshake: cells.time()?,
            rx_bytes: cells.unsigned()?,
            tx_bytes: cells.unsigned()?,
            persistent_keepalive: cells.take()?,
            has_psk: cells.take()?,
        },
        edge: cells.parse()?,
        measured_at: cells.time()?,
    })
}

/// All peers of all agents.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<PeerRecord>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM wg_peers ORDER BY agent_no, interface, public_key");
    all(conn, TABLE, SQL, [], from_row)
}

/// An agent's peers, by interface and key.
pub(in crate::store::sqlite) fn of(
    conn: &Connection,
    agent: AgentNo,
) -> Result<Vec<PeerRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM wg_peers WHERE agent_no = ?1 ORDER BY interface, public_key"
    );
    all(conn, TABLE, SQL, params![agent.0], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO wg_peers (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (agent_no, interface, public_key) DO UPDATE SET
        endpoint = excluded.endpoint,
        allowed_ips = excluded.allowed_ips,
        latest_handshake = excluded.latest_handshake,
        rx_bytes = excluded.rx_bytes,
        tx_bytes = excluded.tx_bytes,
        persistent_keepalive = excluded.persistent_keepalive,
        has_psk = excluded.has_psk,
        edge_id = excluded.edge_id,
        measured_at = excluded.measured_at"
);

/// Inserts or replaces a peer.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    record: &PeerRecord,
) -> Result<(), StoreError> {
    let peer = &record.peer;
    desk.write(
        TABLE,
        UPSERT,
        params![
            record.agent.0,
            peer.interface,
            peer.public_key.0,
            peer.endpoint,
            json(TABLE, &peer.allowed_ips)?,
            peer.latest_handshake.0,
            signed(peer.rx_bytes),
            signed(peer.tx_bytes),
            peer.persistent_keepalive,
            peer.has_psk,
            record.edge.as_str(),
            record.measured_at.0,
        ],
    )?;
    Ok(())
}

/// Writes the moving part of a peer's row; a peer that is not there is left out.
pub(in crate::store::sqlite) fn move_on(
    desk: &mut Desk<'_>,
    peer: &PeerDynamic,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wg_peers
        SET latest_handshake = ?4, rx_bytes = ?5, tx_bytes = ?6, measured_at = ?7
        WHERE agent_no = ?1 AND interface = ?2 AND public_key = ?3";
    desk.write(
        TABLE,
        SQL,
        params![
            peer.agent.0,
            peer.interface,
            peer.public_key.0,
            peer.latest_handshake.0,
            signed(peer.rx_bytes),
            signed(peer.tx_bytes),
            peer.measured_at.0,
        ],
    )?;
    Ok(())
}

/// Deletes a peer.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    agent: AgentNo,
    interface: &str,
    key: &WgKey,
) -> Result<(), StoreError> {
    const SQL: &str =
        "DELETE FROM wg_peers WHERE agent_no = ?1 AND interface = ?2 AND public_key = ?3";
    desk.write(TABLE, SQL, params![agent.0, interface, key.0])?;
    Ok(())
}

/// Deletes all peers of an agent.
pub(in crate::store::sqlite) fn clear(
    desk: &mut Desk<'_>,
    agent: AgentNo,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM wg_peers WHERE agent_no = ?1";
    desk.write(TABLE, SQL, params![agent.0])?;
    Ok(())
}
