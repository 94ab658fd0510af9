//! The table `audit`: appended to and read. Its triggers refuse everything else.

use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::model::audit::{Entry, Head, Sealed};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::audit::AuditFilter;
use crate::store::sqlite::desk::{Desk, all, one};
use crate::store::sqlite::error::fault;
use crate::store::sqlite::table::meta;
use crate::store::sqlite::table::reports::row_limit;

const TABLE: &str = "audit";

/// A row, whatever stands in it: one that was tampered with must not keep the others from being
/// read, and its hash tells.
fn from_row(row: &Row<'_>) -> Result<Sealed, StoreError> {
    let cell = |column: usize| row.get_ref(column).map_err(|error| fault(TABLE, error));
    let number = |column| Ok(if let ValueRef::Integer(n) = cell(column)? { n } else { 0 });
    let text = |column| {
        Ok(match cell(column)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
            ValueRef::Null => None,
            ValueRef::Integer(n) => Some(n.to_string()),
            ValueRef::Real(x) => Some(x.to_string()),
        })
    };
    let hash = match cell(8)? {
        ValueRef::Blob(bytes) => bytes.try_into().unwrap_or_default(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => [0; 32],
    };
    let words = |column| Ok::<_, StoreError>(text(column)?.unwrap_or_default());
    Ok(Sealed {
        head: Head { seq: number(0)?, hash },
        entry: Entry {
            at: UnixSeconds(number(1)?),
            who: words(2)?,
            from: text(3)?,
            act: words(4)?,
            subject: words(5)?,
            before: text(6)?,
            after: text(7)?,
        },
    })
}

/// The entries that a filter asks for.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    filter: &AuditFilter,
) -> Result<Vec<Sealed>, StoreError> {
    let mut sql = String::from(
        "SELECT seq, at, who, source, act, subject, before, after, hash FROM audit WHERE 1",
    );
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut only = |condition: &str, value: Box<dyn ToSql>| {
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(after) = filter.after {
        only(" AND seq > ?", Box::new(after));
    }
    if let Some(before) = filter.before {
        only(" AND seq < ?", Box::new(before));
    }
    if let Some(who) = &filter.who {
        only(" AND who = ?", Box::new(who.clone()));
    }
    if let Some(act) = &filter.act {
        if act.ends_with('.') {
            only(" AND act LIKE ? ESCAPE '\\'", Box::new(format!("{}%", escaped(act))));
        } else {
            only(" AND act = ?", Box::new(act.clone()));
        }
    }
    if let Some(text) = &filter.text {
        const ANYWHERE: &str = " AND who || ' ' || coalesce(source, '') || ' ' || act || ' ' || \
             subject || ' ' || coalesce(before, '') || ' ' || coalesce(after, '') LIKE ? ESCAPE '\\'";
        only(ANYWHERE, Box::new(format!("%{}%", escaped(text))));
    }
    if let Some(from) = filter.from {
        only(" AND at >= ?", Box::new(from.0));
    }
    if let Some(to) = filter.to {
        only(" AND at < ?", Box::new(to.0));
    }
    sql.push_str(if filter.after.is_some() { " ORDER BY seq" } else { " ORDER BY seq DESC" });
    sql.push_str(" LIMIT ?");
    values.push(Box::new(row_limit(filter.limit)));
    all(conn, TABLE, &sql, params_from_iter(values), from_row)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The end of the chain as it was noted with the last entry, or as the table has it where that is
/// later. Entries that were cut off at the end leave a gap before the next one for ever.
pub(in crate::store::sqlite) fn head(conn: &Connection) -> Result<Head, StoreError> {
    let (noted, last) = (noted(conn)?, last(conn)?);
    Ok(if noted.seq > last.seq { noted } else { last })
}

/// The end of the chain as it was noted with the last entry.
pub(in crate::store::sqlite) fn noted(conn: &Connection) -> Result<Head, StoreError> {
    Ok(meta::own(conn, meta::AUDIT_HEAD)?.unwrap_or_default())
}

/// The last entry of the table.
fn last(conn: &Connection) -> Result<Head, StoreError> {
    const SQL: &str = "SELECT seq, at, who, source, act, subject, before, after, hash FROM audit
        ORDER BY seq DESC LIMIT 1";
    Ok(one(conn, TABLE, SQL, [], from_row)?.map(|last| last.head).unwrap_or_default())
}

/// Appends an entry.
pub(in crate::store::sqlite) fn append(
    desk: &mut Desk<'_>,
    Sealed { entry, head }: &Sealed,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO audit (seq, at, who, source, act, subject, before, after, hash)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let Entry { at, who, from, act, subject, before, after } = entry;
    desk.write(
        TABLE,
        SQL,
        params![head.seq, at.0, who, from, act, subject, before, after, head.hash],
    )?;
    meta::put_own(desk, meta::AUDIT_HEAD, &head.to_string())
}
