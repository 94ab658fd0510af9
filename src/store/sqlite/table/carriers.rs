//! Who has, reaches or may use a prefix: read across `agent_interfaces`, `agent_routes` and
//! `wg_peers` of a fleet. A scan, for a question that a person asks; no index serves it.

use ipnet::IpNet;
use rusqlite::{Connection, Row, params};

use super::routes;
use crate::model::id::FleetId;
use crate::store::StoreError;
use crate::store::carrier::{Carrier, CarrierFilter, Carries};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::those;

/// Reads whose row it is, and leaves the rest of the cells.
fn carrier(cells: &mut Cells<'_, '_>, how: Carries) -> Result<Carrier, StoreError> {
    Ok(Carrier { agent_id: cells.parse()?, hostname: cells.take()?, fleet_id: cells.parse()?, how })
}

fn fleet(filter: &CarrierFilter) -> Option<&str> {
    filter.fleet.as_ref().map(FleetId::as_str)
}

/// Everything the filter asks for, in order.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    filter: &CarrierFilter,
) -> Result<Vec<Carrier>, StoreError> {
    let mut found = addresses(conn, filter)?;
    if !filter.addresses_only {
        found.extend(routed(conn, filter)?);
        found.extend(allowed(conn, filter)?);
    }
    Ok(filter.arrange(found))
}

fn addresses(conn: &Connection, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError> {
    const TABLE: &str = "agent_interfaces";
    const SQL: &str = "SELECT i.name, i.addresses, a.agent_id, a.hostname, a.fleet_id
        FROM agents AS a JOIN agent_interfaces AS i USING (agent_no)
        WHERE (?1 IS NULL OR a.fleet_id = ?1) AND NOT a.forgotten AND instr(i.addresses, ?2) > 0";
    let read = |row: &Row<'_>| {
        let mut cells = Cells::new(TABLE, row);
        let (interface, all): (String, Vec<IpNet>) = (cells.take()?, cells.json()?);
        let own = all.into_iter().find(|address| filter.has(address));
        own.map(|address| carrier(&mut cells, Carries::Address { interface, address })).transpose()
    };
    those(conn, TABLE, SQL, params![fleet(filter), filter.needle()], read)
}

fn routed(conn: &Connection, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError> {
    let sql = format!(
        "SELECT {}, a.agent_id, a.hostname, a.fleet_id FROM agents AS a JOIN agent_routes USING (agent_no)
        WHERE (?1 IS NULL OR a.fleet_id = ?1) AND NOT a.forgotten AND table_name <> 'local'
        AND (instr(dst, ':') > 0) = ?2",
        routes::COLUMNS
    );
    let read = |row: &Row<'_>| {
        let mut cells = Cells::new(routes::TABLE, row);
        let route = routes::read(&mut cells)?;
        filter.meets(&route.dst).then(|| carrier(&mut cells, Carries::Route(route))).transpose()
    };
    let six = matches!(filter.net, IpNet::V6(_));
    those(conn, routes::TABLE, &sql, params![fleet(filter), six], read)
}

fn allowed(conn: &Connection, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError> {
    const TABLE: &str = "wg_peers";
    const SQL: &str =
        "SELECT p.interface, p.public_key, p.allowed_ips, a.agent_id, a.hostname, a.fleet_id
        FROM agents AS a JOIN wg_peers AS p USING (agent_no)
        WHERE (?1 IS NULL OR a.fleet_id = ?1) AND NOT a.forgotten AND p.allowed_ips <> '[]'";
    let read = |row: &Row<'_>| {
        let mut cells = Cells::new(TABLE, row);
        let (interface, public_key) = (cells.take()?, cells.wg_key()?);
        let all: Vec<IpNet> = cells.json()?;
        let closest = all.into_iter().filter(|net| filter.meets(net)).max_by_key(IpNet::prefix_len);
        closest
            .map(|net| carrier(&mut cells, Carries::AllowedIp { interface, public_key, net }))
            .transpose()
    };
    those(conn, TABLE, SQL, params![fleet(filter)], read)
}
