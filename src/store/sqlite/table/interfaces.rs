//! The table `agent_interfaces`.

use rusqlite::{Connection, Row, params};

use crate::model::id::AgentNo;
use crate::model::report::{Counters, Interface, LinkState};
use crate::store::StoreError;
use crate::store::row::InterfaceRow;
use crate::store::sqlite::cells::{Cells, json, signed};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "agent_interfaces";

macro_rules! columns {
    () => {
        "name, mac, mtu, state, flags, addresses, public_key, listen_port, rx_bytes, tx_bytes, \
         rx_errors, tx_errors, rx_dropped, tx_dropped"
    };
}

fn from_row(row: &Row<'_>) -> Result<Interface, StoreError> {
    interface(&mut Cells::new(TABLE, row))
}

fn interface(cells: &mut Cells<'_, '_>) -> Result<Interface, StoreError> {
    Ok(Interface {
        name: cells.take()?,
        mac: cells.take()?,
        mtu: cells.take()?,
        state: cells.text(state_of)?,
        flags: cells.json()?,
        addresses: cells.json()?,
        public_key: cells.maybe_wg_key()?,
        listen_port: cells.take()?,
        counters: Counters {
            rx_bytes: cells.maybe_unsigned()?,
            tx_bytes: cells.maybe_unsigned()?,
            rx_errors: cells.maybe_unsigned()?,
            tx_errors: cells.maybe_unsigned()?,
            rx_dropped: cells.maybe_unsigned()?,
            tx_dropped: cells.maybe_unsigned()?,
        },
    })
}

fn state_word(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::Down => "down",
        LinkState::Unknown => "unknown",
    }
}

fn state_of(word: &str) -> Option<LinkState> {
    [LinkState::Up, LinkState::Down, LinkState::Unknown]
        .into_iter()
        .find(|state| state_word(*state) == word)
}

/// An agent's interfaces, by name.
pub(in crate::store::sqlite) fn of(
    conn: &Connection,
    agent: AgentNo,
) -> Result<Vec<Interface>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM agent_interfaces WHERE agent_no = ?1 ORDER BY name");
    all(conn, TABLE, SQL, params![agent.0], from_row)
}

/// What the processor starts from of every interface.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<InterfaceRow>, StoreError> {
    const SQL: &str = "SELECT agent_no, name, state, flags, mtu, addresses, public_key
        FROM agent_interfaces ORDER BY agent_no, name";
    all(conn, TABLE, SQL, [], |row| {
        let mut cells = Cells::new(TABLE, row);
        let agent = AgentNo(cells.take()?);
        Ok(InterfaceRow {
            agent,
            name: cells.take()?,
            works: cells.text(state_of)?.works(&cells.json::<Vec<String>>()?),
            mtu: cells.take()?,
            addresses: cells.json()?,
            public_key: cells.maybe_wg_key()?,
        })
    })
}

const UPSERT: &str = concat!(
    "INSERT INTO agent_interfaces (agent_no, ",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
    ON CONFLICT (agent_no, name) DO UPDATE SET
        mac = excluded.mac,
        mtu = excluded.mtu,
        state = excluded.state,
        flags = excluded.flags,
        addresses = excluded.addresses,
        public_key = excluded.public_key,
        listen_port = excluded.listen_port,
        rx_bytes = excluded.rx_bytes,
        tx_bytes = excluded.tx_bytes,
        rx_errors = excluded.rx_errors,
        tx_errors = excluded.tx_errors,
        rx_dropped = excluded.rx_dropped,
        tx_dropped = excluded.tx_dropped"
);

/// Inserts or replaces an interface.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    agent: AgentNo,
    interface: &Interface,
) -> Result<(), StoreError> {
    let counters = interface.counters;
    desk.write(
        TABLE,
        UPSERT,
        params![
            agent.0,
            interface.name,
            interface.mac,
            interface.mtu,
            state_word(interface.state),
            json(TABLE, &interface.flags)?,
            json(TABLE, &interface.addresses)?,
            interface.public_key.map(|key| key.0),
            interface.listen_port,
            counters.rx_bytes.map(signed),
            counters.tx_bytes.map(signed),
            counters.rx_errors.map(signed),
            counters.tx_errors.map(signed),
            counters.rx_dropped.map(signed),
            counters.tx_dropped.map(signed),
        ],
    )?;
    Ok(())
}

/// Deletes an interface.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    agent: AgentNo,
    name: &str,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM agent_interfaces WHERE agent_no = ?1 AND name = ?2";
    desk.write(TABLE, SQL, params![agent.0, name])?;
    Ok(())
}

/// Deletes all interfaces of an agent.
pub(in crate::store::sqlite) fn clear(
    desk: &mut Desk<'_>,
    agent: AgentNo,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM agent_interfaces WHERE agent_no = ?1";
    desk.write(TABLE, SQL, params![agent.0])?;
    Ok(())
}
