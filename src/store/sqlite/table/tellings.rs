//! The table `tellings`.

use rusqlite::{Connection, params};

use crate::model::id::AlarmId;
use crate::model::state::{Severity, Telling};
use crate::store::StoreError;
use crate::store::notice::TellRecord;
use crate::store::sqlite::cells::{Cells, json};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "tellings";

macro_rules! columns {
    () => {
        "alarm_id, channel, told, told_at, next, due_at, repeat_s, facts"
    };
}

/// Every row, by alarm and channel.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<TellRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM tellings ORDER BY alarm_id, channel");
    all(conn, TABLE, SQL, [], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok(TellRecord {
            alarm: AlarmId(cells.take()?),
            channel: cells.take()?,
            told: cells.maybe_text(Severity::from_word)?,
            told_at: cells.maybe_time()?,
            next: cells.maybe_text(Telling::from_word)?,
            due_at: cells.maybe_time()?,
            repeat_s: cells.take()?,
            facts: cells.json()?,
        })
    })
}

const UPSERT: &str = concat!(
    "INSERT INTO tellings (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (alarm_id, channel) DO UPDATE SET
        told = excluded.told,
        told_at = excluded.told_at,
        next = excluded.next,
        due_at = excluded.due_at,
        repeat_s = excluded.repeat_s,
        facts = excluded.facts"
);

/// Inserts or updates a row.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    telling: &TellRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            telling.alarm.0,
            telling.channel,
            telling.told.map(Severity::as_str),
            telling.told_at.map(|at| at.0),
            telling.next.map(Telling::as_str),
            telling.due_at.map(|at| at.0),
            telling.repeat_s,
            json(TABLE, &telling.facts)?,
        ],
    )?;
    Ok(())
}

/// Deletes a row, if it is there.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    alarm: AlarmId,
    channel: &str,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM tellings WHERE alarm_id = ?1 AND channel = ?2";
    desk.write(TABLE, SQL, params![alarm.0, channel])?;
    Ok(())
}
