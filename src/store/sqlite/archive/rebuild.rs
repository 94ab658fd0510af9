//! Makes a database again as it was at a time: a base, and the records up to then on top of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::names::{self, Base, Timeline, base_for};
use super::parts::{self, PartReader, told};
use super::record::{Front, HEAD_BYTES, Record};
use crate::model::time::UnixSeconds;
use crate::pack::Unpacker;
use crate::store::StoreError;
use crate::store::sqlite::backup::{self, Tidy};
use crate::store::sqlite::place::{Place, create_private};

/// Where in page 1 it says whether the database has a write-ahead log: 2 if so, 1 if not
/// (fileformat2.html 1.3, "file format write version" and "read version").
const JOURNAL_AT: u64 = 18;

/// A database that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The timeline that it is of.
    pub timeline: String,
    /// When its last commit was made, or, if nothing was committed since, its base.
    pub at: UnixSeconds,
    /// The number of its last commit.
    pub commit: i64,
    /// Whether the timeline goes on after it; if not, what was committed later is not archived.
    pub is_followed: bool,
    /// Bytes at the end of the archive that are no record: torn by a crash, or damaged.
    pub torn_bytes: u64,
}

/// Which state is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The archive.
    pub archive: PathBuf,
    /// The last commit by then.
    pub at: UnixSeconds,
    /// Of this timeline; without it, of the last that had begun by then.
    pub timeline: Option<String>,
}

/// The records that are applied.
struct Plan {
    /// The last of them; `None` if the base is what is wanted.
    last: Option<Front>,
    is_followed: bool,
    torn_bytes: u64,
}

/// Makes the database in an empty place. It is checked before it gets its name; nothing that is
/// there is overwritten, and what fails leaves nothing behind.
pub fn rebuild(wanted: &Wanted, to: &Path) -> Result<Rebuilt, StoreError> {
    let (timeline, base) = choose(wanted)?;
    let dir = wanted.archive.join(&timeline.name);
    let plan = plan(&dir, &timeline, (base, wanted.at))?;
    let commit = plan.last.map_or(base.commit, |last| last.commit);
    backup::put_in_place(to, |draft| {
        let path = dir.join(base.name());
        create_private(draft.db()).map_err(told(draft.db()))?;
        let tidy = Tidy(draft.db().to_owned());
        let file = OpenOptions::new().read(true).write(true).open(draft.db());
        let mut file = file.map_err(told(draft.db()))?;
        let mut from = File::open(&path).map_err(told(&path))?;
        io::copy(&mut from, &mut file).map_err(told(draft.db()))?;
        if let Some(last) = &plan.last {
            apply(&dir, &timeline, (base.from, last), &file)?;
        }
        file.sync_all().map_err(told(draft.db()))?;
        let found = backup::check_copy(draft, &Place::find(&path)?)?;
        if found != commit {
            let told = format!("gives commit {found} where {commit} was archived");
            return Err(refused(&dir, &told));
        }
        std::mem::forget(tidy);
        Ok(commit)
    })?;
    Ok(Rebuilt {
        timeline: timeline.name,
        at: plan.last.map_or(base.at, |last| last.at),
        commit,
        is_followed: plan.is_followed,
        torn_bytes: plan.torn_bytes,
    })
}

fn refused(dir: &Path, problem: &str) -> StoreError {
    StoreError::Refused {
        path: dir.display().to_string(),
        problem: problem.to_owned(),
        remedy: "see what `kattila restore --list` tells, and ask for an earlier time".to_owned(),
    }
}

fn choose(wanted: &Wanted) -> Result<(Timeline, Base), StoreError> {
    let mut all = parts::timelines(&wanted.archive)?;
    if let Some(name) = &wanted.timeline {
        all.retain(|timeline| timeline.name == *name);
    }
    match base_for(&all, wanted.at) {
        Some((timeline, base)) => Ok((timeline.clone(), base)),
        None => {
            let earliest =
                all.iter().flat_map(|timeline| &timeline.bases).map(|base| base.at).min();
            let earliest = earliest.map_or_else(
                || "it holds no base".to_owned(),
                |at| format!("it begins at {}", at.to_rfc3339()),
            );
            let problem = format!("has nothing from {}: {earliest}", wanted.at.to_rfc3339());
            Err(refused(&wanted.archive, &problem))
        }
    }
}

/// Finds the last record to apply, and proves the row up to there.
fn plan(
    dir: &Path,
    timeline: &Timeline,
    (base, at): (Base, UnixSeconds),
) -> Result<Plan, StoreError> {
    let mut last = None;
    let end = walk((dir, timeline), (base.from, at), &mut |_page_bytes, record| {
        let front = record.front;
        if front.is_last && front.commit >= base.commit {
            last = Some(front);
        }
        Ok(true)
    })?;
    Ok(match end {
        End::Later => Plan { last, is_followed: true, torn_bytes: 0 },
        End::Last { torn_bytes } => Plan { last, is_followed: false, torn_bytes },
    })
}

/// Writes the pages of the records from one to another over the file.
fn apply(
    dir: &Path,
    timeline: &Timeline,
    (from, last): (u64, &Front),
    file: &File,
) -> Result<(), StoreError> {
    let mut unpacker =
        Unpacker::new().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let mut size = 0;
    walk((dir, timeline), (from, last.at), &mut |page_bytes, record| {
        if record.front.number < from {
            return Ok(true);
        }
        let front = record.front;
        let whole = record.pages(page_bytes, &mut unpacker, &mut |page, image| {
            let at = u64::from(page.saturating_sub(1)) * u64::from(page_bytes);
            file.write_all_at(image, at).map_err(told(dir))
        })?;
        if whole.is_none() {
            return Err(refused(dir, &format!("has a damaged record {}", front.number)));
        }
        size = u64::from(front.db_pages) * u64::from(page_bytes);
        Ok(front.number < last.number)
    })?;
    file.set_len(size).map_err(told(dir))?;
    // It has no log yet: like every copy, it is one file.
    file.write_all_at(&[1, 1], JOURNAL_AT).map_err(told(dir))
}

/// Where a walk ended.
enum End {
    /// Before something that was committed later than asked, or where it was told to end.
    Later,
    /// With the last record; so many bytes behind it are none.
    Last {
        /// How many.
        torn_bytes: u64,
    },
}

/// Hands out the records up to a time from the part on that holds `from`, each proven to follow from
/// the one before it, until there are no more or `each` has enough.
fn walk(
    (dir, timeline): (&Path, &Timeline),
    (from, to): (u64, UnixSeconds),
    each: &mut dyn FnMut(u32, Record<'_>) -> Result<bool, StoreError>,
) -> Result<End, StoreError> {
    let firsts = timeline.parts_from(from);
    let mut before = None;
    let mut torn_bytes = 0;
    for (index, first) in firsts.iter().enumerate() {
        let path = dir.join(names::part(*first));
        // From there on the next part counts, whatever a crash has left here.
        let until = firsts.get(index + 1).copied();
        let missing =
            |number: u64| refused(dir, &format!("lacks record {number}, or it is damaged"));
        let Some(mut part) = PartReader::open(path.clone())? else {
            if until.is_some_and(|until| until > *first) {
                return Err(missing(*first));
            }
            continue;
        };
        let mut expected = *first;
        if part.head.first != expected || before.is_some_and(|before| before != part.head.before) {
            return Err(missing(expected));
        }
        if part.head.at > to {
            return Ok(End::Later);
        }
        let mut digest = part.head.before;
        let mut read = HEAD_BYTES as u64;
        let page_bytes = part.head.page_bytes;
        while until != Some(expected) {
            let Some(record) = part.next()? else { break };
            if record.front.number != expected {
                return Err(missing(expected));
            }
            (expected, digest, read) = (expected + 1, record.digest, read + record.bytes());
            if record.front.at > to || !each(page_bytes, record)? {
                return Ok(End::Later);
            }
        }
        if until.is_some_and(|until| until != expected) {
            return Err(missing(expected));
        }
        before = Some(digest);
        torn_bytes = path.metadata().map_err(told(&path))?.len().saturating_sub(read);
    }
    Ok(End::Last { torn_bytes })
}
