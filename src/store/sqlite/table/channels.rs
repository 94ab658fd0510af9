//! The table `channels`.

use rusqlite::{Connection, params};

use crate::store::StoreError;
use crate::store::notice::{ChannelRecord, ChannelRow};
use crate::store::sqlite::cells::{Cells, signed};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "channels";

macro_rules! columns {
    () => {
        "channel, failures, successes, open_until, ok_at, failed_at, error, sent, failed, dead"
    };
}

fn record(cells: &mut Cells<'_, '_>) -> Result<ChannelRecord, StoreError> {
    Ok(ChannelRecord {
        name: cells.take()?,
        failures: cells.take()?,
        successes: cells.take()?,
        open_until: cells.maybe_time()?,
        ok_at: cells.maybe_time()?,
        failed_at: cells.maybe_time()?,
        error: cells.take()?,
        sent: cells.unsigned()?,
        failed: cells.unsigned()?,
        dead: cells.unsigned()?,
    })
}

/// Every channel that was used, by name.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<ChannelRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM channels ORDER BY channel");
    all(conn, TABLE, SQL, [], |row| record(&mut Cells::new(TABLE, row)))
}

/// Every channel that was used, with what lies in front of it.
pub(in crate::store::sqlite) fn rows(conn: &Connection) -> Result<Vec<ChannelRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        ", (SELECT count(*) FROM notifications n
            WHERE n.channel = channels.channel AND n.state = 'waiting'),
        (SELECT min(n.created_at) FROM notifications n
            WHERE n.channel = channels.channel AND n.state = 'waiting'),
        (SELECT count(*) FROM notifications n
            WHERE n.channel = channels.channel AND n.state = 'dead')
        FROM channels ORDER BY channel"
    );
    all(conn, TABLE, SQL, [], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok(ChannelRow {
            channel: record(&mut cells)?,
            waiting: cells.unsigned()?,
            oldest_waiting: cells.maybe_time()?,
            dead_kept: cells.unsigned()?,
        })
    })
}

const UPSERT: &str = concat!(
    "INSERT INTO channels (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (channel) DO UPDATE SET
        failures = excluded.failures,
        successes = excluded.successes,
        open_until = excluded.open_until,
        ok_at = excluded.ok_at,
        failed_at = excluded.failed_at,
        error = excluded.error,
        sent = excluded.sent,
        failed = excluded.failed,
        dead = excluded.dead"
);

/// Inserts or updates a channel.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    channel: &ChannelRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            channel.name,
            channel.failures,
            channel.successes,
            channel.open_until.map(|at| at.0),
            channel.ok_at.map(|at| at.0),
            channel.failed_at.map(|at| at.0),
            channel.error,
            signed(channel.sent),
            signed(channel.failed),
            signed(channel.dead),
        ],
    )?;
    Ok(())
}
