//! The tables of what is measured over time: `metric_5m` and `metric_1h`, whose rows are an hour
//! of one agent, `metric_names`, which says what the numbers in them stand for, and
//! `metric_hours`, which counts them.
//!
//! A row is found by its place, the hour and the agent in one number: rows are written in this
//! order, retention takes them out in it, and an hour of an agent is one step along the tree.

mod code;
mod measured;

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

pub(in crate::store::sqlite) use measured::{late, measured};

use crate::model::metric::{HOUR_S, SLOTS, Slot, Subject};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::metrics::{Grain, HourRecord, MetricsAsked, Stretch};
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, one};

const NAMES: &str = "metric_names";
const HOURS: &str = "metric_hours";

/// Hours of a day: names are kept by the day.
const DAY_HOURS: i64 = 24;

/// What a row takes besides its value.
const ROW_BYTES: i64 = 14;

/// The two tables of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::sqlite) struct Rows {
    pub(in crate::store::sqlite) name: &'static str,
    find: &'static str,
    upsert: &'static str,
    count: &'static str,
}

/// Rows of twelve slots.
pub(in crate::store::sqlite) const FINE: Rows = Rows {
    name: "metric_5m",
    find: "SELECT slots FROM metric_5m WHERE place = ?1",
    upsert: "INSERT INTO metric_5m (place, slots) VALUES (?1, ?2)
        ON CONFLICT (place) DO UPDATE SET slots = excluded.slots",
    count: "INSERT INTO metric_hours (hour, rows_5m, bytes_5m, rows_1h, bytes_1h)
        VALUES (?1, ?2, ?3, 0, 0) ON CONFLICT (hour) DO UPDATE
        SET rows_5m = rows_5m + excluded.rows_5m, bytes_5m = bytes_5m + excluded.bytes_5m",
};

/// Rows of one.
pub(in crate::store::sqlite) const HOURLY: Rows = Rows {
    name: "metric_1h",
    find: "SELECT slots FROM metric_1h WHERE place = ?1",
    upsert: "INSERT INTO metric_1h (place, slots) VALUES (?1, ?2)
        ON CONFLICT (place) DO UPDATE SET slots = excluded.slots",
    count: "INSERT INTO metric_hours (hour, rows_5m, bytes_5m, rows_1h, bytes_1h)
        VALUES (?1, 0, 0, ?2, ?3) ON CONFLICT (hour) DO UPDATE
        SET rows_1h = rows_1h + excluded.rows_1h, bytes_1h = bytes_1h + excluded.bytes_1h",
};

/// The number of an hour or a day with an agent's, in one. Numbers of agents have 32 bits for as
/// long as there are fewer than four thousand million of them.
pub(in crate::store::sqlite) const fn place(stretch: i64, agent: i64) -> i64 {
    stretch.saturating_mul(1 << 32).saturating_add(agent)
}

const fn hour_of(start: UnixSeconds) -> i64 {
    start.0.div_euclid(HOUR_S)
}

/// How many rows and bytes come to an hour.
type Counted = BTreeMap<i64, (i64, i64)>;

/// Writes hours of agents, each in place of what is there of it.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    hours: &[HourRecord],
) -> Result<(), StoreError> {
    let (mut fine, mut hourly) = (Counted::new(), Counted::new());
    for record in hours {
        let hour = hour_of(record.start);
        let numbers = numbers(desk, record, hour)?;
        let at = place(hour, record.agent.0);
        if record.series.iter().any(|series| !series.slots.is_empty()) {
            let series = record.series.iter().map(|series| series.slots.as_slice());
            let slots = code::encode(SLOTS, numbers.iter().copied().zip(series));
            replace(desk, FINE, at, (&slots, fine.entry(hour).or_default()))?;
        }
        let wholes: Vec<_> = record.series.iter().map(|series| [Some(series.whole)]).collect();
        let series = wholes.iter().map(|whole| whole.as_slice());
        let slots = code::encode(1, numbers.iter().copied().zip(series));
        replace(desk, HOURLY, at, (&slots, hourly.entry(hour).or_default()))?;
    }
    for (rows, counted) in [(FINE, fine), (HOURLY, hourly)] {
        for (hour, (count, bytes)) in counted {
            desk.write(HOURS, rows.count, params![hour, count, bytes])?;
        }
    }
    Ok(())
}

fn replace(
    desk: &mut Desk<'_>,
    rows: Rows,
    at: i64,
    (slots, counted): (&[u8], &mut (i64, i64)),
) -> Result<(), StoreError> {
    let bytes = |value: &[u8]| i64::try_from(value.len()).unwrap_or(i64::MAX);
    match value(desk.conn, rows.name, rows.find, at)? {
        Some(before) => counted.1 += bytes(slots) - bytes(&before),
        None => (counted.0, counted.1) = (counted.0 + 1, counted.1 + bytes(slots) + ROW_BYTES),
    }
    desk.write(rows.name, rows.upsert, params![at, slots])?;
    Ok(())
}

fn value(
    conn: &Connection,
    table: &'static str,
    sql: &str,
    at: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    one(conn, table, sql, params![at], |row| Cells::new(table, row).take())
}

/// The numbers that the record's things have on its day, in order; new ones are written.
fn numbers(desk: &mut Desk<'_>, record: &HourRecord, hour: i64) -> Result<Vec<u64>, StoreError> {
    const UPSERT: &str = "INSERT INTO metric_names (place, names) VALUES (?1, ?2)
        ON CONFLICT (place) DO UPDATE SET names = excluded.names";
    let at = place(hour.div_euclid(DAY_HOURS), record.agent.0);
    let mut names = names(desk.conn, at)?;
    let mut known: BTreeMap<Subject, u64> = names.iter().cloned().zip(0..).collect();
    let before = names.len();
    let mut numbers = Vec::with_capacity(record.series.len());
    for series in &record.series {
        let next = names.len() as u64;
        let number = *known.entry(series.subject.clone()).or_insert(next);
        if number == next {
            names.push(series.subject.clone());
        }
        numbers.push(number);
    }
    if names.len() > before {
        desk.write(NAMES, UPSERT, params![at, code::encode_names(&names)])?;
    }
    Ok(numbers)
}

fn names(conn: &Connection, at: i64) -> Result<Vec<Subject>, StoreError> {
    const SQL: &str = "SELECT names FROM metric_names WHERE place = ?1";
    let Some(bytes) = value(conn, NAMES, SQL, at)? else { return Ok(Vec::new()) };
    code::decode_names(&bytes).ok_or_else(|| StoreError::Damaged(format!("{NAMES}.names")))
}

/// Stored rows of one agent, by hour.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    asked: &MetricsAsked,
) -> Result<Vec<Stretch>, StoreError> {
    let Some(agent) = measured::numbered(conn, &asked.agent)? else { return Ok(Vec::new()) };
    let rows = match asked.grain {
        Grain::FiveMinutes => FINE,
        Grain::Hour => HOURLY,
    };
    let (first, last) = kept(conn)?;
    let from = (hour_of(asked.from) + i64::from(asked.from.0.rem_euclid(HOUR_S) > 0)).max(first);
    let (mut found, mut of_day) = (Vec::new(), None);
    for hour in from..asked.to.0.saturating_add(HOUR_S - 1).div_euclid(HOUR_S).min(last + 1) {
        let Some(bytes) = value(conn, rows.name, rows.find, place(hour, agent.0))? else {
            continue;
        };
        let day = hour.div_euclid(DAY_HOURS);
        if of_day.as_ref().is_none_or(|(known, _)| *known != day) {
            of_day = Some((day, names(conn, place(day, agent.0))?));
        }
        let names = of_day.as_ref().map(|(_, names)| names.as_slice()).unwrap_or_default();
        let series = named(rows, &bytes, names)?;
        let series = series.into_iter().filter(|(subject, _)| asked.of.means(subject)).collect();
        found.push(Stretch { start: UnixSeconds(hour.saturating_mul(HOUR_S)), series });
    }
    Ok(found)
}

/// The first and the last hour of which there are rows.
fn kept(conn: &Connection) -> Result<(i64, i64), StoreError> {
    const SQL: &str = "SELECT coalesce((SELECT min(hour) FROM metric_hours), 0),
        coalesce((SELECT max(hour) FROM metric_hours), -1)";
    let ends = one(conn, HOURS, SQL, [], |row| {
        let mut cells = Cells::new(HOURS, row);
        Ok((cells.take()?, cells.take()?))
    })?;
    Ok(ends.unwrap_or((0, -1)))
}

type Named = Vec<(Subject, Vec<Option<Slot>>)>;

fn named(rows: Rows, bytes: &[u8], names: &[Subject]) -> Result<Named, StoreError> {
    let damaged = || StoreError::Damaged(format!("{}.slots", rows.name));
    let series = code::decode(bytes).ok_or_else(damaged)?.into_iter();
    let named = series.map(|(number, slots)| {
        let name = usize::try_from(number).ok().and_then(|number| names.get(number));
        Ok((name.cloned().ok_or_else(damaged)?, slots))
    });
    named.collect()
}
