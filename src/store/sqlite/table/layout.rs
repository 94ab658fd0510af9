//! The table `layout`.

use rusqlite::{Connection, Row, params};

use crate::store::StoreError;
use crate::store::layout::LayoutRecord;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "layout";

macro_rules! columns {
    () => {
        "node, site, x, y, r, pinned, rev, placed_at, gone_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<LayoutRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(LayoutRecord {
        node: cells.take()?,
        site: cells.take()?,
        x: cells.take()?,
        y: cells.take()?,
        r: cells.take()?,
        pinned: cells.take()?,
        rev: cells.take()?,
        placed_at: cells.time()?,
        gone_at: cells.maybe_time()?,
    })
}

/// All positions, by name.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<LayoutRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM layout ORDER BY node");
    all(conn, TABLE, SQL, [], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO layout (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (node) DO UPDATE SET
        site = excluded.site,
        x = excluded.x,
        y = excluded.y,
        r = excluded.r,
        pinned = excluded.pinned,
        rev = excluded.rev,
        placed_at = excluded.placed_at,
        gone_at = excluded.gone_at"
);

/// Inserts or updates a position.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    place: &LayoutRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            place.node,
            place.site,
            place.x,
            place.y,
            place.r,
            place.pinned,
            place.rev,
            place.placed_at.0,
            place.gone_at.map(|at| at.0),
        ],
    )?;
    Ok(())
}

/// Deletes a position.
pub(in crate::store::sqlite) fn remove(desk: &mut Desk<'_>, node: &str) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM layout WHERE node = ?1";
    desk.write(TABLE, SQL, params![node])?;
    Ok(())
}
