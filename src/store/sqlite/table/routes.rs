//! The table `agent_routes`: a route is its whole row.

use rusqlite::{Connection, Row, params};

use crate::model::id::AgentNo;
use crate::model::report::Route;
use crate::store::StoreError;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};

pub(super) const TABLE: &str = "agent_routes";

macro_rules! columns {
    () => {
        "dst, table_name, metric, gateway, dev, protocol, kind"
    };
}

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = columns!();

fn from_row(row: &Row<'_>) -> Result<Route, StoreError> {
    read(&mut Cells::new(TABLE, row))
}

/// A route from the next cells.
pub(super) fn read(cells: &mut Cells<'_, '_>) -> Result<Route, StoreError> {
    Ok(Route {
        dst: cells.parse()?,
        table: cells.take()?,
        metric: cells.take()?,
        gateway: cells.text(|text| match text {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        })?,
        dev: cells.text(|text| Some(filled(text)))?,
        protocol: cells.text(|text| Some(filled(text)))?,
        kind: cells.take()?,
    })
}

/// The text, unless it stands for "none".
fn filled(text: &str) -> Option<String> {
    if text.is_empty() { None } else { Some(text.to_owned()) }
}

/// An agent's routes, sorted.
pub(in crate::store::sqlite) fn of(
    conn: &Connection,
    agent: AgentNo,
) -> Result<Vec<Route>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM agent_routes WHERE agent_no = ?1");
    let mut routes = all(conn, TABLE, SQL, params![agent.0], from_row)?;
    // By the values' own order, which is not that of their texts.
    routes.sort_unstable();
    Ok(routes)
}

/// Inserts a route.
pub(in crate::store::sqlite) fn add(
    desk: &mut Desk<'_>,
    agent: AgentNo,
    route: &Route,
) -> Result<(), StoreError> {
    // A route that is already there is the same in every column.
    const SQL: &str = concat!(
        "INSERT INTO agent_routes (agent_no, ",
        columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING"
    );
    write(desk, SQL, agent, route)
}

/// Deletes a route.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    agent: AgentNo,
    route: &Route,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM agent_routes WHERE agent_no = ?1 AND dst = ?2
        AND table_name = ?3 AND metric = ?4 AND gateway = ?5 AND dev = ?6 AND protocol = ?7
        AND kind = ?8";
    write(desk, SQL, agent, route)
}

fn write(desk: &mut Desk<'_>, sql: &str, agent: AgentNo, route: &Route) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        sql,
        params![
            agent.0,
            route.dst.to_string(),
            route.table,
            route.metric,
            route.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
            route.dev.as_deref().unwrap_or_default(),
            route.protocol.as_deref().unwrap_or_default(),
            route.kind,
        ],
    )?;
    Ok(())
}

/// Deletes all routes of an agent.
pub(in crate::store::sqlite) fn clear(
    desk: &mut Desk<'_>,
    agent: AgentNo,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM agent_routes WHERE agent_no = ?1";
    desk.write(TABLE, SQL, params![agent.0])?;
    Ok(())
}
