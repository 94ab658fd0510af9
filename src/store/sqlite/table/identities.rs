//! The table `identities`.

use rusqlite::{Connection, Row, params};

use crate::model::id::AgentNo;
use crate::model::key::IdentityKey;
use crate::model::state::{IdentityState, PinnedHow};
use crate::store::StoreError;
use crate::store::identity::IdentityRecord;
use crate::store::sqlite::cells::{Cells, kid_bytes};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "identities";

macro_rules! columns {
    () => {
        "identity_no, agent_no, public_key, kid, how, state, registered_at, taken_until, pinned_at, \
         retired_at, revoked_at, source"
    };
}

fn from_row(row: &Row<'_>) -> Result<IdentityRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(IdentityRecord {
        no: cells.take()?,
        agent: AgentNo(cells.take()?),
        public_key: IdentityKey(cells.take()?),
        kid: cells.kid()?,
        how: cells.text(PinnedHow::from_word)?,
        state: cells.text(IdentityState::from_word)?,
        registered_at: cells.time()?,
        taken_until: cells.time()?,
        pinned_at: cells.maybe_time()?,
        retired_at: cells.maybe_time()?,
        revoked_at: cells.maybe_time()?,
        source: cells.maybe_parse()?,
    })
}

/// Every identity, past ones included, in the order they were asked for.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<IdentityRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM identities ORDER BY identity_no");
    all(conn, TABLE, SQL, [], from_row)
}

/// The identities of one agent, in the order they were asked for.
pub(in crate::store::sqlite) fn of(
    conn: &Connection,
    agent: AgentNo,
) -> Result<Vec<IdentityRecord>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM identities WHERE agent_no = ?1 ORDER BY identity_no");
    all(conn, TABLE, SQL, params![agent.0], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO identities (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (identity_no) DO UPDATE SET
        how = excluded.how,
        state = excluded.state,
        taken_until = excluded.taken_until,
        pinned_at = excluded.pinned_at,
        retired_at = excluded.retired_at,
        revoked_at = excluded.revoked_at,
        source = excluded.source
    -- A number belongs to one agent and key for ever: stored reports are proved with it.
    WHERE identities.agent_no = excluded.agent_no
        AND identities.public_key = excluded.public_key"
);

/// Inserts or updates an identity.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    identity: &IdentityRecord,
) -> Result<(), StoreError> {
    let rows = desk.write(
        TABLE,
        UPSERT,
        params![
            identity.no,
            identity.agent.0,
            identity.public_key.0,
            kid_bytes(&identity.kid),
            identity.how.as_str(),
            identity.state.as_str(),
            identity.registered_at.0,
            identity.taken_until.0,
            identity.pinned_at.map(|at| at.0),
            identity.retired_at.map(|at| at.0),
            identity.revoked_at.map(|at| at.0),
            identity.source.map(|source| source.to_string()),
        ],
    )?;
    if rows == 0 {
        let text = format!("{TABLE}: number {} belongs to another key", identity.no);
        return Err(StoreError::Constraint(text));
    }
    Ok(())
}
