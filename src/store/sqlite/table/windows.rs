//! The table `maintenance`.

use rusqlite::{Connection, params};

use crate::model::id::WindowId;
use crate::model::window::{Scope, Span, Times, Window};
use crate::store::StoreError;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "maintenance";

macro_rules! columns {
    () => {
        "window_id, scope, who, from_at, until_at, days, start_minute, lasts_s, utc_offset_s, \
         reason, made_by, made_at, ended_at, ended_by"
    };
}

/// Every window, by number.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<Window>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM maintenance ORDER BY window_id");
    all(conn, TABLE, SQL, [], |row| window(&mut Cells::new(TABLE, row)))
}

fn window(cells: &mut Cells<'_, '_>) -> Result<Window, StoreError> {
    let id = WindowId(cells.take()?);
    let kind: String = cells.take()?;
    let scope = cells.text(|who| Scope::read(&kind, who))?;
    let times = times(cells)?;
    let (reason, by, made_at) = (cells.take()?, cells.take()?, cells.time()?);
    let (ended_at, ended_by): (_, Option<String>) = (cells.maybe_time()?, cells.take()?);
    Ok(Window { id, scope, times, reason, by, made_at, ended: ended_at.zip(ended_by) })
}

fn times(cells: &mut Cells<'_, '_>) -> Result<Times, StoreError> {
    let (from, until) = (cells.maybe_time()?, cells.maybe_time()?);
    let days: Option<u8> = cells.take()?;
    let start: Option<u16> = cells.take()?;
    let (lasts, offset): (Option<i64>, Option<i64>) = (cells.take()?, cells.take()?);
    if let Some((from, until)) = from.zip(until) {
        return Ok(Times::Once(Span { from, until }));
    }
    let local = start.zip(lasts).zip(offset);
    let Some((days, ((start, lasts_s), utc_offset_s))) = days.zip(local) else {
        return Err(StoreError::Damaged(format!("{TABLE}.days")));
    };
    Ok(Times::Weekly { days: days_of(days), start, lasts_s, utc_offset_s })
}

/// Days from Monday on out of bits from the lowest on.
fn days_of(bits: u8) -> [bool; 7] {
    let mut days = [false; 7];
    days.iter_mut().enumerate().for_each(|(n, day)| *day = bits >> n & 1 == 1);
    days
}

fn bits_of(days: [bool; 7]) -> u8 {
    days.iter().rev().fold(0, |bits, day| bits << 1 | u8::from(*day))
}

const UPSERT: &str = concat!(
    "INSERT INTO maintenance (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (window_id) DO UPDATE SET
        ended_at = excluded.ended_at,
        ended_by = excluded.ended_by"
);

/// Inserts a window, or says that it was ended.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    window: &Window,
) -> Result<(), StoreError> {
    let (once, weekly) = match window.times {
        Times::Once(span) => (Some(span), None),
        Times::Weekly { days, start, lasts_s, utc_offset_s } => {
            (None, Some((bits_of(days), start, lasts_s, utc_offset_s)))
        }
    };
    desk.write(
        TABLE,
        UPSERT,
        params![
            window.id.0,
            window.scope.kind(),
            window.scope.text(),
            once.map(|span| span.from.0),
            once.map(|span| span.until.0),
            weekly.map(|weekly| weekly.0),
            weekly.map(|weekly| weekly.1),
            weekly.map(|weekly| weekly.2),
            weekly.map(|weekly| weekly.3),
            window.reason,
            window.by,
            window.made_at.0,
            window.ended.as_ref().map(|(at, _)| at.0),
            window.ended.as_ref().map(|(_, by)| by),
        ],
    )?;
    Ok(())
}

/// Deletes a window, if it is there.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    id: WindowId,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM maintenance WHERE window_id = ?1";
    desk.write(TABLE, SQL, params![id.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_bits() {
        assert_eq!(bits_of([true, false, false, false, false, true, true]), 97);
        for bits in 0..128 {
            assert_eq!(bits_of(days_of(bits)), bits);
        }
    }
}
