//! What an upgrade leaves behind: a copy of the database as it was before its schema changed, so that
//! the older program can be put back with it.
//!
//! A copy is named `DB.schema-VERSION.COMMIT`, beside the database, and has its rights. After going
//! back, another history may come to the same commit: its copy is `DB.schema-VERSION.COMMIT-2`. The two
//! newest stay. Nothing here changes the database.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::backup::{Tidy, copy};
use super::desk::all;
use super::error::{fault, file_fault};
use super::place::Place;
use super::settings::open_reader;
use super::table::meta;
use crate::store::StoreError;

const TABLE: &str = "the copy before the upgrade";

/// Copies that are kept: of an upgrade that went on after a crash, what was there before it as well.
const KEPT: usize = 2;

/// What becomes of a database of an earlier schema before it is brought to the newest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Earlier {
    /// It is copied; without room for the copy it stays as it is, and is refused.
    #[default]
    Copied,
    /// It is changed without a copy: somebody has one elsewhere.
    GivenUp,
}

/// Copies the database, which is at schema `version`, and tells where. One that was copied before, by
/// an upgrade that did not come to its end, is not copied again; a copy of the same name counts only
/// if every row in it is the same.
pub(super) fn keep(
    conn: &Connection,
    place: &Place,
    version: usize,
) -> Result<PathBuf, StoreError> {
    let commit = meta::number(conn, meta::COMMIT_SEQ)?;
    let mut kept = place.beside(&format!(".schema-{version}.{commit}"));
    let mut histories = 1_u32;
    while kept.exists() {
        if is_copy_of(&kept, conn) {
            thin_out(place, &kept);
            return Ok(kept);
        }
        histories += 1;
        kept = place.beside(&format!(".schema-{version}.{commit}-{histories}"));
    }
    make(conn, place, &kept).map_err(|error| no_copy(place, &error))?;
    thin_out(place, &kept);
    Ok(kept)
}

/// Whether a file has the same tables with the same rows. One that cannot be read has not.
fn is_copy_of(kept: &Path, conn: &Connection) -> bool {
    let same = || -> Result<bool, StoreError> {
        let copy = open_reader(&Place::find(kept)?)?;
        let mut tables = vec!["sqlite_master".to_owned()];
        let sql =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        tables.extend(all(conn, TABLE, sql, [], |row| {
            row.get::<_, String>(0).map_err(|error| fault(TABLE, error))
        })?);
        for table in tables {
            if !same_rows(&table, conn, &copy).map_err(|error| fault(TABLE, error))? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    same().unwrap_or(false)
}

/// Whether a table has the same rows in both, row by row in the order in which they are kept.
fn same_rows(table: &str, one: &Connection, other: &Connection) -> rusqlite::Result<bool> {
    // Where a table begins in the file may differ.
    let columns = if table == "sqlite_master" { "type, name, sql" } else { "*" };
    let sql = format!("SELECT {columns} FROM \"{table}\"");
    let (mut one, mut other) = (one.prepare(&sql)?, other.prepare(&sql)?);
    let count = one.column_count();
    if count != other.column_count() {
        return Ok(false);
    }
    let (mut one, mut other) = (one.query([])?, other.query([])?);
    loop {
        match (one.next()?, other.next()?) {
            (None, None) => return Ok(true),
            (Some(one), Some(other)) => {
                for column in 0..count {
                    if one.get_ref(column)? != other.get_ref(column)? {
                        return Ok(false);
                    }
                }
            }
            _ => return Ok(false),
        }
    }
}

/// Makes the copy under another name first: what a crash leaves of it is taken for no copy.
fn make(conn: &Connection, place: &Place, to: &Path) -> Result<(), StoreError> {
    let draft = Place::find(&place.beside(".schema-copying"))?;
    drop(Tidy(draft.db().to_owned()));
    copy(conn, &draft)?;
    let tidy = Tidy(draft.db().to_owned());
    renameat_with(CWD, draft.db(), CWD, to, RenameFlags::NOREPLACE)
        .map_err(|error| file_fault(TABLE, &error.into()))?;
    drop(tidy);
    place.sync_directory()
}

fn no_copy(place: &Place, error: &StoreError) -> StoreError {
    let mib = place.db().metadata().map_or(0, |meta| meta.len()) / (1024 * 1024) + 1;
    place.refused(
        &format!("is of an earlier schema and cannot be copied before it is changed ({error})"),
        &format!(
            "make room for {mib} MiB beside it; or make a backup with the earlier program and start \
             with KATTILA_UPGRADE_COPY=off"
        ),
    )
}

/// Removes all copies but this one and the newest of the others: after going back, commits count anew
/// from an earlier number. What cannot be removed stays: it is in nobody's way.
fn thin_out(place: &Place, kept: &Path) {
    let mut others = copies(place);
    others.retain(|(_, path)| path != kept);
    others.truncate(others.len().saturating_sub(KEPT - 1));
    for (_, path) in others {
        std::fs::remove_file(path).unwrap_or_default();
    }
}

/// All copies beside the database, oldest first: schema, commit and which history, and where.
fn copies(place: &Place) -> Vec<((u64, u64, u32), PathBuf)> {
    let Some(dir) = place.db().parent() else { return Vec::new() };
    let prefix = place.beside(".schema-");
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut copies: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (version, commit) = name.strip_prefix(&prefix)?.split_once('.')?;
            let (commit, history) = commit.split_once('-').unwrap_or((commit, "1"));
            let order = (version.parse().ok()?, commit.parse().ok()?, history.parse().ok()?);
            Some((order, entry.path()))
        })
        .collect();
    copies.sort();
    copies
}
