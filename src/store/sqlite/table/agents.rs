//! The table `agents`.

use rusqlite::{Connection, Row, params};

use crate::model::id::{AgentId, AgentNo};
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, CanonForm, RelayProof, Scheme};
use crate::store::StoreError;
use crate::store::change::AgentRecord;
use crate::store::flush::AgentDynamic;
use crate::store::sqlite::cells::{Cells, json, kid_bytes, signed};
use crate::store::sqlite::desk::{Desk, all, one};

const TABLE: &str = "agents";

macro_rules! columns {
    () => {
        "agent_no, agent_id, fleet_id, hostname, agent_version, registered_at, last_seen_at, \
         last_tick, status, status_since, scheme, canon_form, kid, boot_id, uptime_seconds, \
         load1, load5, load15, labels, problems, clock_offset, relay_path, relay_proven, \
         source, interfaces_hash, routes_hash, peers_hash, forgotten, may_relay, site_set"
    };
}

/// The same columns for reading. When an agent was last seen is written in batches, but its last
/// report was stored before it was acknowledged: the newer of the two is the truth.
macro_rules! present {
    () => {
        "agent_no, agent_id, fleet_id, hostname, agent_version, registered_at, \
         nullif(max(coalesce(last_seen_at, 0), coalesce((SELECT received_at FROM reports \
            WHERE reports.agent_no = agents.agent_no ORDER BY report_id DESC LIMIT 1), 0)), 0), \
         nullif(max(coalesce(last_tick, 0), coalesce((SELECT tick FROM reports \
            WHERE reports.agent_no = agents.agent_no ORDER BY report_id DESC LIMIT 1), 0)), 0), \
         status, status_since, scheme, canon_form, kid, boot_id, uptime_seconds, \
         load1, load5, load15, labels, problems, clock_offset, relay_path, relay_proven, \
         source, interfaces_hash, routes_hash, peers_hash, forgotten, may_relay, site_set"
    };
}

fn from_row(row: &Row<'_>) -> Result<AgentRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(AgentRecord {
        no: AgentNo(cells.take()?),
        id: cells.parse()?,
        fleet: cells.parse()?,
        hostname: cells.take()?,
        agent_version: cells.take()?,
        registered_at: cells.time()?,
        last_seen_at: cells.maybe_time()?,
        last_tick: cells.take()?,
        status: cells.text(AgentStatus::from_word)?,
        status_since: cells.time()?,
        scheme: cells.maybe_text(Scheme::from_word)?,
        canon_form: cells.maybe_text(CanonForm::from_word)?,
        kid: cells.maybe_kid()?,
        boot_id: cells.take()?,
        uptime_seconds: cells.maybe_unsigned()?,
        load: load_of(cells.take()?, cells.take()?, cells.take()?),
        labels: cells.json()?,
        problems: cells.json()?,
        clock_offset: cells.take()?,
        relay_path: path(&mut cells)?,
        source: cells.maybe_parse()?,
        interfaces_hash: cells.take::<i64>()?.cast_unsigned(),
        routes_hash: cells.take::<i64>()?.cast_unsigned(),
        peers_hash: cells.take::<i64>()?.cast_unsigned(),
        forgotten: cells.take()?,
        may_relay: cells.take()?,
        site_set: cells.maybe_json()?,
    })
}

/// The columns `relay_path` and `relay_proven`.
fn path(cells: &mut Cells<'_, '_>) -> Result<RelayPath, StoreError> {
    let relays: Vec<AgentId> = cells.json()?;
    let proven = cells.take()?;
    Ok(RelayPath::through(relays, RelayProof::of(proven)))
}

/// Three averages or none.
fn load_of(one: Option<f64>, five: Option<f64>, fifteen: Option<f64>) -> Option<[f64; 3]> {
    Some([one?, five?, fifteen?])
}

/// All agents, by number.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<AgentRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", present!(), " FROM agents ORDER BY agent_no");
    all(conn, TABLE, SQL, [], from_row)
}

/// The agent of this name.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    id: &AgentId,
) -> Result<Option<AgentRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", present!(), " FROM agents WHERE agent_id = ?1");
    one(conn, TABLE, SQL, params![id.as_str()], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO agents (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
        ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
    ON CONFLICT (agent_no) DO UPDATE SET
        fleet_id = excluded.fleet_id,
        hostname = excluded.hostname,
        agent_version = excluded.agent_version,
        registered_at = excluded.registered_at,
        last_seen_at = excluded.last_seen_at,
        last_tick = excluded.last_tick,
        status = excluded.status,
        status_since = excluded.status_since,
        scheme = excluded.scheme,
        canon_form = excluded.canon_form,
        kid = excluded.kid,
        boot_id = excluded.boot_id,
        uptime_seconds = excluded.uptime_seconds,
        load1 = excluded.load1,
        load5 = excluded.load5,
        load15 = excluded.load15,
        labels = excluded.labels,
        problems = excluded.problems,
        clock_offset = excluded.clock_offset,
        relay_path = excluded.relay_path,
        relay_proven = excluded.relay_proven,
        source = excluded.source,
        interfaces_hash = excluded.interfaces_hash,
        routes_hash = excluded.routes_hash,
        peers_hash = excluded.peers_hash,
        forgotten = excluded.forgotten,
        may_relay = excluded.may_relay,
        site_set = excluded.site_set
    -- A number belongs to one name for ever: stored reports point at it.
    WHERE agents.agent_id = excluded.agent_id"
);

/// Inserts or updates an agent.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    agent: &AgentRecord,
) -> Result<(), StoreError> {
    let [load1, load5, load15] = agent.load.map_or([None; 3], |load| load.map(Some));
    let rows = desk.write(
        TABLE,
        UPSERT,
        params![
            agent.no.0,
            agent.id.as_str(),
            agent.fleet.as_str(),
            agent.hostname,
            agent.agent_version,
            agent.registered_at.0,
            agent.last_seen_at.map(|at| at.0),
            agent.last_tick,
            agent.status.as_str(),
            agent.status_since.0,
            agent.scheme.map(Scheme::as_str),
            agent.canon_form.map(CanonForm::as_str),
            agent.kid.as_ref().map(kid_bytes),
            agent.boot_id,
            agent.uptime_seconds.map(signed),
            load1,
            load5,
            load15,
            json(TABLE, &agent.labels)?,
            json(TABLE, &agent.problems)?,
            agent.clock_offset,
            json(TABLE, &agent.relay_path.relays())?,
            agent.relay_path.is_proven(),
            agent.source.map(|source| source.to_string()),
            agent.interfaces_hash.cast_signed(),
            agent.routes_hash.cast_signed(),
            agent.peers_hash.cast_signed(),
            agent.forgotten,
            agent.may_relay,
            agent.site_set.as_ref().map(|set| json(TABLE, set)).transpose()?,
        ],
    )?;
    if rows == 0 {
        let text = format!("{TABLE}: number {} belongs to another agent", agent.no);
        return Err(StoreError::Constraint(text));
    }
    Ok(())
}

/// Writes the moving part of an agent's row; an agent that is not there is left out.
pub(in crate::store::sqlite) fn move_on(
    desk: &mut Desk<'_>,
    agent: &AgentDynamic,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE agents SET last_seen_at = ?2, last_tick = ?3, uptime_seconds = ?4,
        load1 = ?5, load5 = ?6, load15 = ?7, clock_offset = ?8 WHERE agent_no = ?1";
    let [load1, load5, load15] = agent.load.map_or([None; 3], |load| load.map(Some));
    desk.write(
        TABLE,
        SQL,
        params![
            agent.no.0,
            agent.last_seen_at.0,
            agent.last_tick,
            agent.uptime_seconds.map(signed),
            load1,
            load5,
            load15,
            agent.clock_offset,
        ],
    )?;
    Ok(())
}
