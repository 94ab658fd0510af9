//! The networks of fleets: read across `agent_routes`, `wg_peers` and `agent_interfaces`. A scan,
//! for a question that a person asks; no index serves it.

use ipnet::IpNet;
use rusqlite::{Connection, Row, params};

use super::routes;
use crate::model::id::{AgentId, FleetId};
use crate::model::report::Route;
use crate::store::StoreError;
use crate::store::network::{Gathering, NetworkFilter, Networks, is_network, leads_on};
use crate::store::sqlite::cells::{Cells, fleets_json};
use crate::store::sqlite::desk::those;

/// Everything the filter asks for, in order.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    filter: &NetworkFilter,
) -> Result<Networks, StoreError> {
    let fleets = fleets_json(&filter.reach);
    let mut all = Gathering::default();
    for (route, agent, fleet) in routed(conn, fleets.as_deref())? {
        all.route(fleet, agent, route);
    }
    for (nets, fleet) in listed(conn, PEERS, fleets.as_deref())? {
        nets.iter().for_each(|net| all.allow(fleet.clone(), net));
    }
    for (addresses, fleet) in listed(conn, INTERFACES, fleets.as_deref())? {
        addresses.iter().for_each(|address| all.address(&fleet, address.addr()));
    }
    Ok(filter.arrange(all.networks()))
}

type Routed = (Route, AgentId, FleetId);

fn routed(conn: &Connection, fleets: Option<&str>) -> Result<Vec<Routed>, StoreError> {
    let sql = format!(
        "SELECT {}, a.agent_id, a.fleet_id FROM agents AS a JOIN agent_routes USING (agent_no)
        WHERE (?1 IS NULL OR a.fleet_id IN (SELECT value FROM json_each(?1))) AND NOT a.forgotten
        AND table_name <> 'local' AND kind = 'unicast'
        AND (gateway <> '' OR protocol NOT IN ('', 'kernel'))",
        routes::COLUMNS
    );
    let read = |row: &Row<'_>| {
        let mut cells = Cells::new(routes::TABLE, row);
        let route = routes::read(&mut cells)?;
        let whose = |cells: &mut Cells<'_, '_>| Ok((cells.parse()?, cells.parse()?));
        let found = leads_on(&route).then(|| whose(&mut cells)).transpose()?;
        Ok(found.map(|(agent, fleet)| (route, agent, fleet)))
    };
    those(conn, routes::TABLE, &sql, params![fleets], read)
}

/// A table with a list of prefixes in each row.
type Table = (&'static str, &'static str);

const PEERS: Table = (
    "wg_peers",
    "SELECT p.allowed_ips, a.fleet_id FROM agents AS a JOIN wg_peers AS p USING (agent_no)
    WHERE (?1 IS NULL OR a.fleet_id IN (SELECT value FROM json_each(?1))) AND NOT a.forgotten
    AND p.allowed_ips <> '[]'",
);

const INTERFACES: Table = (
    "agent_interfaces",
    "SELECT i.addresses, a.fleet_id FROM agents AS a JOIN agent_interfaces AS i USING (agent_no)
    WHERE (?1 IS NULL OR a.fleet_id IN (SELECT value FROM json_each(?1))) AND NOT a.forgotten
    AND i.addresses <> '[]'",
);

fn listed(
    conn: &Connection,
    (table, sql): Table,
    fleets: Option<&str>,
) -> Result<Vec<(Vec<IpNet>, FleetId)>, StoreError> {
    let read = |row: &Row<'_>| {
        let mut cells = Cells::new(table, row);
        let mut nets: Vec<IpNet> = cells.json()?;
        if table == PEERS.0 {
            nets.retain(is_network);
        }
        let any = !nets.is_empty();
        any.then(|| Ok((nets, cells.parse()?))).transpose()
    };
    those(conn, table, sql, params![fleets], read)
}
