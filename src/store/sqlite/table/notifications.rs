//! The tables `notifications` and `notification_items`.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::model::id::{AlarmId, NotificationId};
use crate::model::state::{MessageState, Telling};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::notice::{MessageFilter, MessageItem, MessageRecord};
use crate::store::sqlite::cells::{Cells, fleets_json, json};
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::table::reports::row_limit;

const TABLE: &str = "notifications";
const ITEMS: &str = "notification_items";

macro_rules! columns {
    () => {
        "n.notification_id, n.uid, n.channel, n.state, n.created_at, n.due_at, n.attempts, \
         n.tried_at, n.ended_at, n.error, n.test_by"
    };
}

fn bare(row: &Row<'_>) -> Result<MessageRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(MessageRecord {
        id: NotificationId(cells.take()?),
        uid: cells.take()?,
        channel: cells.take()?,
        state: cells.text(MessageState::from_word)?,
        created_at: cells.time()?,
        due_at: cells.time()?,
        attempts: cells.take()?,
        tried_at: cells.maybe_time()?,
        ended_at: cells.maybe_time()?,
        error: cells.take()?,
        test_by: cells.take()?,
        items: Vec::new(),
    })
}

/// The alarms of a message, the worst first.
fn items(conn: &Connection, id: NotificationId) -> Result<Vec<MessageItem>, StoreError> {
    const SQL: &str = "SELECT alarm_id, telling, facts FROM notification_items
        WHERE notification_id = ?1 ORDER BY alarm_id";
    let mut items = all(conn, ITEMS, SQL, params![id.0], |row| {
        let mut cells = Cells::new(ITEMS, row);
        Ok(MessageItem {
            alarm: AlarmId(cells.take()?),
            telling: cells.text(Telling::from_word)?,
            facts: cells.json()?,
        })
    })?;
    items.sort_by_key(|item| std::cmp::Reverse(item.facts.severity));
    Ok(items)
}

fn with_items(
    conn: &Connection,
    mut found: Vec<MessageRecord>,
) -> Result<Vec<MessageRecord>, StoreError> {
    for message in &mut found {
        message.items = items(conn, message.id)?;
    }
    Ok(found)
}

/// What waits, by number, without its alarms.
pub(in crate::store::sqlite) fn waiting(
    conn: &Connection,
) -> Result<Vec<MessageRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM notifications n WHERE n.state = 'waiting' ORDER BY n.notification_id"
    );
    all(conn, TABLE, SQL, [], bare)
}

/// Of each channel the first that waits, if it may be sent now.
pub(in crate::store::sqlite) fn due(
    conn: &Connection,
    now: UnixSeconds,
) -> Result<Vec<MessageRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM notifications n WHERE n.notification_id IN
            (SELECT min(notification_id) FROM notifications WHERE state = 'waiting'
                GROUP BY channel)
        AND n.due_at <= ?1
        AND coalesce((SELECT c.open_until FROM channels c WHERE c.channel = n.channel), 0) <= ?1
        ORDER BY n.notification_id"
    );
    let found = all(conn, TABLE, SQL, params![now.0], bare)?;
    with_items(conn, found)
}

/// Messages, newest first; after a number, oldest first.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    filter: &MessageFilter,
) -> Result<Vec<MessageRecord>, StoreError> {
    let mut sql = String::from(concat!("SELECT ", columns!(), " FROM notifications n WHERE 1"));
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut only = |condition: &str, value: Option<Box<dyn ToSql>>| {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value);
        }
    };
    let number = |id: NotificationId| Box::new(id.0) as Box<dyn ToSql>;
    only(" AND n.notification_id = ?", filter.id.map(number));
    only(" AND n.notification_id > ?", filter.after.map(number));
    only(" AND n.notification_id < ?", filter.before.map(number));
    let channel = filter.channel.clone().map(|name| Box::new(name) as Box<dyn ToSql>);
    only(" AND n.channel = ?", channel);
    let state = filter.state.map(|state| Box::new(state.as_str()) as Box<dyn ToSql>);
    only(" AND n.state = ?", state);
    let alarm = filter.alarm.map(|alarm| Box::new(alarm.0) as Box<dyn ToSql>);
    only(
        " AND n.notification_id IN
            (SELECT notification_id FROM notification_items WHERE alarm_id = ?)",
        alarm,
    );
    let fleets = fleets_json(&filter.reach).map(|fleets| Box::new(fleets) as Box<dyn ToSql>);
    only(
        " AND EXISTS (SELECT 1 FROM notification_items i
            WHERE i.notification_id = n.notification_id
            AND json_extract(i.facts, '$.fleet_id') IN (SELECT value FROM json_each(?)))",
        fleets,
    );
    sql.push_str(" ORDER BY n.notification_id");
    if filter.after.is_none() {
        sql.push_str(" DESC");
    }
    sql.push_str(" LIMIT ?");
    values.push(Box::new(row_limit(filter.limit)));
    let found = all(conn, TABLE, &sql, params_from_iter(values), bare)?;
    with_items(conn, found)
}

/// The highest number in use; 0 if there is none.
pub(in crate::store::sqlite) fn last(conn: &Connection) -> Result<NotificationId, StoreError> {
    const SQL: &str = "SELECT coalesce(max(notification_id), 0) FROM notifications";
    let last = one(conn, TABLE, SQL, [], |row| Cells::new(TABLE, row).take())?;
    Ok(NotificationId(last.unwrap_or_default()))
}

const UPSERT: &str = "INSERT INTO notifications (notification_id, uid, channel, state, created_at,
        due_at, attempts, tried_at, ended_at, error, test_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (notification_id) DO UPDATE SET
        state = excluded.state,
        due_at = excluded.due_at,
        attempts = excluded.attempts,
        tried_at = excluded.tried_at,
        ended_at = excluded.ended_at,
        error = excluded.error";

/// Inserts or updates a message; its alarms are written once.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    message: &MessageRecord,
) -> Result<(), StoreError> {
    const ITEM: &str = "INSERT INTO notification_items (notification_id, alarm_id, telling, facts)
        VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    desk.write(
        TABLE,
        UPSERT,
        params![
            message.id.0,
            message.uid,
            message.channel,
            message.state.as_str(),
            message.created_at.0,
            message.due_at.0,
            message.attempts,
            message.tried_at.map(|at| at.0),
            message.ended_at.map(|at| at.0),
            message.error,
            message.test_by,
        ],
    )?;
    for item in &message.items {
        let facts = json(ITEMS, &item.facts)?;
        let row = params![message.id.0, item.alarm.0, item.telling.as_str(), facts];
        desk.write(ITEMS, ITEM, row)?;
    }
    Ok(())
}
