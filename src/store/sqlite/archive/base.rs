//! Bases: when a new copy of the database is made for the archive, and what then leaves it.

use std::fs::remove_file;
use std::path::Path;

use super::Archive;
use super::names::{self, Base, Timeline};
use super::parts::{self, told};
use super::scribe::sync_directory;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::sqlite::backup::{self, Tidy};
use crate::store::sqlite::place::Place;
use crate::store::sqlite::settings::open_reader;
use crate::store::sqlite::table::meta;

/// Seconds between two bases at least.
const AT_LEAST_S: i64 = 86_400;

/// Seconds between two bases at most: a week of records is read in minutes.
const AT_MOST_S: i64 = 7 * 86_400;

/// The name of a base that is not complete.
const DRAFT: &str = "base.new";

/// What an archive holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The oldest time that one can go back to.
    pub(super) oldest: Option<UnixSeconds>,
    /// When the newest base was made.
    pub(super) newest: Option<UnixSeconds>,
    /// Bytes of everything.
    pub(super) bytes: u64,
}

impl Archive {
    /// Makes a base if it is time, and takes out what nobody needs any more; answers how many
    /// bases and files that were. What is wrong with the archive is an error, so that it is told.
    pub(in crate::store::sqlite) fn tend(&self) -> Result<u64, StoreError> {
        if self.current().is_ok_and(|name| !self.terms.dir.join(name).is_dir()) {
            self.give_up("its directory is gone");
        }
        if self.lock().broken.is_some() {
            self.begin_anew();
        }
        if let Some(trouble) = self.trouble() {
            return Err(StoreError::Unavailable(trouble));
        }
        let mut done = 0;
        if self.is_due()? {
            self.make_base()?;
            done += 1;
        }
        done += self.thin_out()?;
        let all = parts::timelines(&self.terms.dir)?;
        self.lock().kept = Kept::of(&self.terms.dir, &all);
        Ok(done)
    }

    /// The directory and the name of the timeline that is written.
    fn current(&self) -> Result<String, StoreError> {
        let scribe = self.scribe();
        let name = scribe.as_ref().and_then(|scribe| scribe.dir.file_name()?.to_str());
        let gone = || StoreError::Unavailable("the archive has no timeline".to_owned());
        name.map(str::to_owned).ok_or_else(gone)
    }

    /// A base is due after a day if what was committed since is as large, and after a week.
    fn is_due(&self) -> Result<bool, StoreError> {
        let timeline = parts::timeline(&self.terms.dir, &self.current()?)?;
        let Some(base) = timeline.bases.last() else { return Ok(true) };
        let age = self.now().since(base.at).abs();
        let dir = self.terms.dir.join(&timeline.name);
        let size = |name: String| std::fs::metadata(dir.join(name)).map_or(0, |meta| meta.len());
        let parts = timeline.parts_from(base.from).iter();
        let since: u64 = parts.map(|first| size(names::part(*first))).sum();
        Ok(age >= AT_MOST_S || (age >= AT_LEAST_S && since >= size(base.name())))
    }

    fn make_base(&self) -> Result<(), StoreError> {
        let name = self.current()?;
        let dir = self.terms.dir.join(&name);
        let from = {
            let mut scribe = self.scribe();
            let Some(scribe) = scribe.as_mut() else { return Ok(()) };
            // What is before the base can then leave without what is after it.
            scribe.turn_over();
            scribe.last.number + 1
        };
        let draft = dir.join(DRAFT);
        drop(Tidy(draft.clone()));
        self.lock().copying = true;
        let copied = backup::backup(&open_reader(&self.place)?, &draft);
        self.lock().copying = false;
        copied?;
        let tidy = Tidy(draft.clone());
        let commit = meta::number(&open_reader(&Place::find(&draft)?)?, meta::COMMIT_SEQ)?;
        if self.lock().broken.is_some() || self.current()? != name {
            return Err(StoreError::Unavailable("the timeline ended while a base was made".into()));
        }
        // Everything in the copy was committed before now.
        let base = Base { at: self.now(), commit, from };
        std::fs::rename(&draft, dir.join(base.name())).map_err(told(&dir))?;
        drop(tidy);
        sync_directory(&dir)
    }

    /// Takes out bases that nobody needs, the parts before them, and timelines without any.
    fn thin_out(&self) -> Result<u64, StoreError> {
        let dir = &self.terms.dir;
        let mut all = parts::timelines(dir)?;
        let since = self.terms.keep_s.map(|keep_s| self.now().minus(keep_s));
        let mut spent = since.map_or(0, |since| names::spent(&all, since));
        let mut removed = 0;
        loop {
            let bases: usize = all.iter().map(|timeline| timeline.bases.len()).sum();
            let bytes: u64 = all.iter().map(|timeline| parts::bytes(dir, timeline)).sum();
            let too_large = self.terms.bytes.is_some_and(|most| bytes > most);
            if bases < 2 || (spent == 0 && !too_large) {
                return Ok(removed);
            }
            removed += remove_oldest(dir, &mut all)?;
            spent = spent.saturating_sub(1);
        }
    }
}

impl Kept {
    fn of(dir: &Path, all: &[Timeline]) -> Self {
        let bases = all.iter().flat_map(|timeline| &timeline.bases);
        Self {
            oldest: bases.clone().next().map(|base| base.at),
            newest: bases.last().map(|base| base.at),
            bytes: all.iter().map(|timeline| parts::bytes(dir, timeline)).sum(),
        }
    }
}

/// Removes the oldest base of all, and what was only of use with it; answers how many files.
fn remove_oldest(dir: &Path, all: &mut Vec<Timeline>) -> Result<u64, StoreError> {
    let Some(index) = all.iter().position(|timeline| !timeline.bases.is_empty()) else {
        return Ok(0);
    };
    let mut removed = 0;
    // Those before it never had a base.
    for mut timeline in all.drain(..=index).collect::<Vec<_>>() {
        let place = dir.join(&timeline.name);
        let mut files = Vec::new();
        if !timeline.bases.is_empty() {
            files.push(timeline.bases.remove(0).name());
        }
        let needed = timeline.bases.first().map(|base| base.from);
        let from = needed.map_or(timeline.parts.len(), |from| {
            timeline.parts.len() - timeline.parts_from(from).len()
        });
        files.extend(timeline.parts.drain(..from).map(names::part));
        for file in &files {
            remove_file(place.join(file)).map_err(told(&place))?;
        }
        removed += files.len() as u64;
        if needed.is_some() {
            all.insert(0, timeline);
        } else {
            drop(Tidy(place.join(DRAFT)));
            // With files of somebody else in it, it stays.
            std::fs::remove_dir(&place).unwrap_or_default();
        }
    }
    Ok(removed)
}
