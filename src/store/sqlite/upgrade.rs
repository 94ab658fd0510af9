//! What an upgrade leaves behind: a copy of the database as it was before its schema changed, so that
//! the older program can be put back with it.
//!
//! A copy is named `DB.schema-VERSION.COMMIT`, beside the database, and has its rights. The two newest
//! stay. Nothing here changes the database.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::backup::{Tidy, copy};
use super::error::file_fault;
use super::place::Place;
use super::table::meta;
use crate::store::StoreError;

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
/// an upgrade that did not come to its end, is not copied again.
pub(super) fn keep(
    conn: &Connection,
    place: &Place,
    version: usize,
) -> Result<PathBuf, StoreError> {
    let commit = meta::number(conn, meta::COMMIT_SEQ)?;
    let kept = place.beside(&format!(".schema-{version}.{commit}"));
    if !kept.exists() {
        make(conn, place, &kept).map_err(|error| no_copy(place, &error))?;
    }
    thin_out(place);
    Ok(kept)
}

/// Makes the copy under another name first: what a crash leaves of it is taken for no copy.
fn make(conn: &Connection, place: &Place, to: &Path) -> Result<(), StoreError> {
    let draft = Place::find(&place.beside(".schema-copying"))?;
    drop(Tidy(draft.db().to_owned()));
    copy(conn, &draft)?;
    let tidy = Tidy(draft.db().to_owned());
    renameat_with(CWD, draft.db(), CWD, to, RenameFlags::NOREPLACE)
        .map_err(|error| file_fault("the copy before the upgrade", &error.into()))?;
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

/// Removes all copies but the newest. What cannot be removed stays: it is in nobody's way.
fn thin_out(place: &Place) {
    let mut copies = copies(place);
    copies.truncate(copies.len().saturating_sub(KEPT));
    for (_, path) in copies {
        std::fs::remove_file(path).unwrap_or_default();
    }
}

/// All copies beside the database, oldest first: schema and commit, and where.
fn copies(place: &Place) -> Vec<((u64, u64), PathBuf)> {
    let Some(dir) = place.db().parent() else { return Vec::new() };
    let prefix = place.beside(".schema-");
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut copies: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (version, commit) = name.strip_prefix(&prefix)?.split_once('.')?;
            Some(((version.parse().ok()?, commit.parse().ok()?), entry.path()))
        })
        .collect();
    copies.sort();
    copies
}
