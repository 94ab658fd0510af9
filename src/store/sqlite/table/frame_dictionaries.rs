//! The table `frame_dictionaries`: what agents compress their reports with, kept as long as a stored
//! report needs it.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use crate::model::hex;
use crate::model::id::FrameDictId;
use crate::store::StoreError;
use crate::store::dictionary::FrameDictionary;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all, one};

const TABLE: &str = "frame_dictionaries";

macro_rules! columns {
    () => {
        "dict_id, bytes, made_at, sample_bytes, packed_bytes"
    };
}

fn from_row(row: &Row<'_>) -> Result<FrameDictionary, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(FrameDictionary {
        id: FrameDictId::of_digest(&cells.take()?),
        bytes: Bytes::from(cells.take::<Vec<u8>>()?),
        made_at: cells.time()?,
        sample_bytes: cells.unsigned()?,
        packed_bytes: cells.unsigned()?,
    })
}

/// All of them, the newest last.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
) -> Result<Vec<FrameDictionary>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM frame_dictionaries ORDER BY dict_no");
    all(conn, TABLE, SQL, [], from_row)
}

/// The newest one.
pub(in crate::store::sqlite) fn newest(
    conn: &Connection,
) -> Result<Option<FrameDictionary>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM frame_dictionaries ORDER BY dict_no DESC LIMIT 1");
    one(conn, TABLE, SQL, [], from_row)
}

/// The bytes of a name in its column.
pub(in crate::store::sqlite) fn id_bytes(id: &FrameDictId) -> Vec<u8> {
    hex::decode(id.as_str()).unwrap_or_default()
}

/// Adds a dictionary. One that is there already was learnt from other reports of the same form,
/// and what it is measured by is as of now.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    record: &FrameDictionary,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO frame_dictionaries (dict_id, bytes, made_at, sample_bytes,
            packed_bytes)
        VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (dict_id) DO UPDATE
            SET made_at = excluded.made_at, sample_bytes = excluded.sample_bytes,
                packed_bytes = excluded.packed_bytes";
    let FrameDictionary { id, bytes, made_at, sample_bytes, packed_bytes } = record;
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let values =
        params![id_bytes(id), bytes.as_ref(), made_at.0, size(*sample_bytes), size(*packed_bytes)];
    desk.write(TABLE, SQL, values)?;
    Ok(())
}

/// Takes out those that no report needs, but the four newest: agents may use three of them, and a
/// report that was compressed with the fourth may be on its way here (`verify::shelf`).
pub(in crate::store::sqlite) fn drop_unneeded(desk: &mut Desk<'_>) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM frame_dictionaries
        WHERE dict_no NOT IN (SELECT dict_no FROM frame_dictionaries ORDER BY dict_no DESC LIMIT 4)
            AND NOT EXISTS (SELECT 1 FROM reports r
                WHERE r.frame_dict = frame_dictionaries.dict_no)";
    desk.write(TABLE, SQL, [])?;
    Ok(())
}
