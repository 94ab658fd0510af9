//! The table `layout_steps`.

use rusqlite::{Connection, Row, params};

use crate::model::state::LayoutAct;
use crate::store::StoreError;
use crate::store::layout::LayoutStep;
use crate::store::sqlite::cells::{Cells, json};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "layout_steps";

fn from_row(row: &Row<'_>) -> Result<LayoutStep, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(LayoutStep {
        step: cells.take()?,
        at: cells.time()?,
        by: cells.take()?,
        act: cells.text(LayoutAct::from_word)?,
        count: cells.take()?,
        before: cells.json()?,
    })
}

/// All changes that can be taken back, the oldest first.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<LayoutStep>, StoreError> {
    const SQL: &str = "SELECT step, at, who, act, things, before FROM layout_steps ORDER BY step";
    all(conn, TABLE, SQL, [], from_row)
}

/// Adds a change.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    step: &LayoutStep,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO layout_steps (step, at, who, act, things, before)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let before = json(TABLE, &step.before)?;
    let act = step.act.as_str();
    desk.write(TABLE, SQL, params![step.step, step.at.0, step.by, act, step.count, before])?;
    Ok(())
}

/// Deletes a change: it was taken back, or cannot be any more.
pub(in crate::store::sqlite) fn remove(desk: &mut Desk<'_>, step: i64) -> Result<(), StoreError> {
    desk.write(TABLE, "DELETE FROM layout_steps WHERE step = ?1", params![step])?;
    Ok(())
}
