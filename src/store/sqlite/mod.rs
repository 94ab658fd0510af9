//! The store's verbs on one SQLite file.
//!
//! Owns the file and everything beside it: the lock, the write-ahead log, the high-water file.
//! [`writer::SqliteWriter`] holds the only connection that writes; [`reader::SqliteReader`]
//! answers from a few read-only connections, each for at most two seconds, so that no read keeps
//! the log from being emptied. Nothing here knows what a report means, and no SQL leaves it.

mod ack;
mod apply;
mod bases;
mod cells;
pub mod desk;
mod envelope;
mod error;
mod log;
mod migrate;
mod place;
mod pool;
mod prune;
mod settings;
mod shelf;
mod table;

pub mod archive;
pub mod backup;
pub mod reader;
pub mod upgrade;
pub mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::phase::{Phase, Watch};
use crate::clock::Clock;
use crate::model::spread::{Spread, TIMES};
use ack::{AckFile, Acknowledged};
use archive::Terms;
use migrate::Identity;
use place::Place;
use reader::SqliteReader;
use shelf::Shelf;
use table::meta;
use upgrade::Earlier;
use writer::{Files, SqliteWriter};

/// What a commit survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: the log is forced to disk with every commit.
    #[default]
    Full,
    /// The end of the process; a power loss can take back what came after the last checkpoint.
    Normal,
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The write side; it holds the lock.
    pub writer: SqliteWriter,
    /// The read side.
    pub reader: Arc<SqliteReader>,
    /// Commits that were acknowledged and are not in the database: the database's last commit
    /// and the last one acknowledged. Told again at every start until something is committed.
    pub rolled_back: Option<(i64, i64)>,
    /// The last stop was not orderly.
    pub unclean: bool,
    /// The check after an unclean stop did not end in its time: run
    /// [`SqliteReader::quick_check`] beside the work.
    pub check_unfinished: bool,
    /// Where the database is as it was before this start brought it to another schema.
    pub earlier: Option<PathBuf>,
    /// What an operator should know, a sentence each.
    pub warnings: Vec<String>,
}

/// How a database is opened.
#[derive(Debug, Default)]
pub struct Opening {
    /// What a commit survives.
    pub durability: Durability,
    /// What becomes of a database of an earlier schema.
    pub earlier: Earlier,
    /// The archive of what is written; without it one that there is ends here.
    pub archived: Option<Terms>,
    /// Who wants to know how far it is.
    pub watch: Option<Arc<dyn Watch>>,
}

/// Opens the database for the one manager that may write it, without an archive.
///
/// Creates it, or copies it and brings it to the newest schema, where needed. A file that is not ours, or
/// newer, is left as it is.
pub fn open(path: &Path, durability: Durability) -> Result<Opened, StoreError> {
    open_with(path, Opening { durability, ..Opening::default() })
}

/// The same for a change while no manager runs: an archive that the database has goes on.
pub fn open_at_rest(path: &Path, clock: Clock) -> Result<Opened, StoreError> {
    let archived = archive::of_database(&Place::find(path)?, clock);
    open_with(path, Opening { archived, ..Opening::default() })
}

/// The same as the opening says.
pub fn open_with(path: &Path, opening: Opening) -> Result<Opened, StoreError> {
    let Opening { durability, earlier, archived, watch } = opening;
    let reached = |phase| watch.iter().for_each(|watch| watch.reached(phase));
    let place = Place::find(path)?;
    settings::check_version(&place, rusqlite::version_number())?;
    place.check_file_system()?;
    let lock = place.lock()?;
    place.create_if_missing()?;
    let mut conn = settings::open_writer(&place)?;
    let identity = migrate::identify(&conn, &place)?;
    if identity == Identity::New {
        settings::prepare_new(&conn)?;
    }
    settings::set_writer(&conn, durability)?;
    let (keeper, ended) = archive::begin(&place, &conn, (identity == Identity::New, archived))?;
    let unclean = match identity {
        Identity::New => false,
        Identity::Ours(_) => meta::number(&conn, meta::CLEAN_STOP)? == 0,
    };
    let checked = !unclean || backup::quick_check(&mut conn, &place, Some(pool::READ_LIMIT / 2))?;
    let earlier = match (identity, earlier) {
        (Identity::Ours(version), Earlier::Copied) if version < migrate::newest() => {
            reached(Phase::Copying { from: version });
            Some(upgrade::keep(&conn, &place, version)?)
        }
        (Identity::New | Identity::Ours(_), Earlier::Copied | Earlier::GivenUp) => None,
    };
    if let Identity::Ours(from) = identity
        && from < migrate::newest()
    {
        reached(Phase::Migrating { from, to: migrate::newest() });
    }
    migrate::migrate(&mut conn, &place, identity)?;
    place.sync_directory()?;
    let stored = meta::number(&conn, meta::COMMIT_SEQ)?;
    let (ack, said) = AckFile::open(&place.ack())?;
    let rolled_back = match said {
        Acknowledged::Upto(acknowledged) if acknowledged > stored => Some((stored, acknowledged)),
        Acknowledged::Upto(_) | Acknowledged::Nothing | Acknowledged::Unreadable => None,
    };
    let warnings = place.permission_warning().into_iter().chain(ack_warning(said, stored, &place));
    let warnings = warnings.chain(ended).collect();
    // Commit numbers go on above every number that was ever acknowledged.
    let commit_seq = rolled_back.map_or(stored, |(_, acknowledged)| acknowledged);
    let shelf = Arc::new(Shelf::default());
    let reader = SqliteReader::open(place.clone(), Arc::clone(&shelf))?;
    let archive = keeper.as_ref().map(|keeper| Arc::clone(keeper.archive()));
    let commit_times = Arc::new(Spread::new(TIMES));
    let reader = Arc::new(reader.beside(archive, &commit_times));
    let files = Files { place, lock, ack, keeper, commit_times };
    let writer = SqliteWriter::new(conn, files, commit_seq, shelf)?;
    let check_unfinished = !checked;
    Ok(Opened { writer, reader, rolled_back, unclean, check_unfinished, earlier, warnings })
}

/// Opens a database to read only, whether a manager holds it or not.
pub fn open_read_only(path: &Path) -> Result<Arc<SqliteReader>, StoreError> {
    let place = Place::find(path)?;
    settings::check_version(&place, rusqlite::version_number())?;
    if !place.db().is_file() {
        return Err(place.refused("is not there", "check KATTILA_DB"));
    }
    let conn = settings::open_reader(&place)?;
    match migrate::identify(&conn, &place)? {
        Identity::Ours(version) if version == migrate::newest() => {}
        Identity::Ours(version) => {
            return Err(place.refused(
                &format!("is still at schema {version}"),
                "start the manager once, it brings the database up to date",
            ));
        }
        Identity::New => {
            return Err(place.refused("is empty", "start the manager once, it makes the tables"));
        }
    }
    drop(conn);
    Ok(Arc::new(SqliteReader::open(place, Arc::default())?))
}

fn ack_warning(said: Acknowledged, stored: i64, place: &Place) -> Option<String> {
    let file = place.ack();
    let file = file.display();
    match said {
        Acknowledged::Upto(_) => None,
        Acknowledged::Nothing if stored == 0 => None,
        Acknowledged::Nothing => Some(format!(
            "{file} was not there, so a loss of reports before this start would not be noticed"
        )),
        Acknowledged::Unreadable => Some(format!(
            "{file} is damaged, so a loss of reports before this start would not be noticed; it is \
             written anew"
        )),
    }
}
