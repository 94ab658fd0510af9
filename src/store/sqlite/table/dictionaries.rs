//! The table `dictionaries`: what reports are packed with, kept as long as one needs it.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use crate::model::hex;
use crate::store::StoreError;
use crate::store::dictionary::DictionaryRecord;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, one};

const TABLE: &str = "dictionaries";

macro_rules! columns {
    () => {
        "dict_id, bytes, made_at, sample_bytes, packed_bytes"
    };
}

fn from_row(row: &Row<'_>) -> Result<DictionaryRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    let id: [u8; 8] = cells.take()?;
    Ok(DictionaryRecord {
        id: hex::encode(&id).parse().map_err(|_invalid| cells.damaged())?,
        bytes: Bytes::from(cells.take::<Vec<u8>>()?),
        made_at: cells.time()?,
        sample_bytes: cells.unsigned()?,
        packed_bytes: cells.unsigned()?,
    })
}

/// The newest one.
pub(in crate::store::sqlite) fn newest(
    conn: &Connection,
) -> Result<Option<DictionaryRecord>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM dictionaries ORDER BY dict_no DESC LIMIT 1");
    one(conn, TABLE, SQL, [], from_row)
}

/// The number of the newest one.
pub(in crate::store::sqlite) fn last(conn: &Connection) -> Result<Option<i64>, StoreError> {
    const SQL: &str = "SELECT dict_no FROM dictionaries ORDER BY dict_no DESC LIMIT 1";
    one(conn, TABLE, SQL, [], |row| Cells::new(TABLE, row).take())
}

/// The one of a number.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    number: i64,
) -> Result<Option<DictionaryRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM dictionaries WHERE dict_no = ?1");
    one(conn, TABLE, SQL, params![number], from_row)
}

/// Adds a dictionary; one that is there is as good as new.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    record: &DictionaryRecord,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO dictionaries (dict_id, bytes, made_at, sample_bytes,
            packed_bytes)
        VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (dict_id) DO UPDATE
            SET made_at = excluded.made_at, sample_bytes = excluded.sample_bytes,
                packed_bytes = excluded.packed_bytes";
    let DictionaryRecord { id, bytes, made_at, sample_bytes, packed_bytes } = record;
    let id = hex::decode(id.as_str()).unwrap_or_default();
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let values = params![id, bytes.as_ref(), made_at.0, size(*sample_bytes), size(*packed_bytes)];
    desk.write(TABLE, SQL, values)?;
    Ok(())
}

/// Takes out those that no report needs, but the one in use.
pub(in crate::store::sqlite) fn drop_unneeded(desk: &mut Desk<'_>) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM dictionaries
        WHERE dict_no < (SELECT max(dict_no) FROM dictionaries)
            AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.dict = dictionaries.dict_no)";
    desk.write(TABLE, SQL, [])?;
    Ok(())
}
