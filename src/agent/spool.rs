//! Reports on disk while the manager is away: one file each, within bounds of size and age.
//!
//! A report counts as accepted when its file is synced and renamed into place. The file says
//! how its content must look, so that what a broken disk made of it is found, dropped and
//! counted, and never sent. One more file, [`DOUBT`], names the report that may have been sent
//! and the seal it was sent with; it is written before the first byte leaves. So however the
//! agent ends, it knows the one report that must be sent again as it was.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::model::time::UnixSeconds;
use crate::sign::digest::content_hash;

use super::files::{self, UNFINISHED};
use super::losses::Losses;
use super::seal::Seal;

/// The ending of a report's file, after its number and the second it tells of.
const REPORT: &str = ".report";

/// Names the report in doubt and its seal.
const DOUBT: &str = "in-doubt";

/// First word of a report's file.
const MAGIC: &str = "kattila-spool-1";

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes of all files together.
    pub bytes: u64,
    /// Most seconds a report may be old.
    pub age: i64,
}

/// The number of a spooled report; grows with every one, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SpoolNo(u64);

/// What is known of a spooled report without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    bytes: u64,
    collected_at: UnixSeconds,
}

/// The report that may have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which.
    pub number: SpoolNo,
    /// What it was sent with.
    pub seal: Seal,
    /// The compressed data of a frame, in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<String>,
}

impl Doubt {
    fn new(number: SpoolNo, seal: &Seal) -> Self {
        let packed = seal.packed.as_deref().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        Self { number, seal: seal.clone(), packed }
    }

    /// Puts what was compressed back into the seal.
    fn whole(mut self) -> Self {
        let packed = self.packed.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        self.seal.packed = packed.map(Into::into);
        self
    }
}

/// The spool's directory and what is in it.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    bounds: Bounds,
    entries: BTreeMap<SpoolNo, Entry>,
    bytes: u64,
    doubt: Option<Doubt>,
    next: u64,
    losses: Losses,
}

impl Spool {
    /// Opens the directory. What was not accepted when the last run ended is removed; a report
    /// in doubt that is gone was delivered.
    pub fn open(dir: &Path, bounds: Bounds) -> io::Result<Self> {
        files::make_private(dir)?;
        let mut spool = Self {
            dir: dir.to_owned(),
            bounds,
            entries: BTreeMap::new(),
            bytes: 0,
            doubt: None,
            next: 1,
            losses: Losses::default(),
        };
        for file in fs::read_dir(dir)? {
            let file = file?;
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(UNFINISHED) {
                fs::remove_file(file.path())?;
                spool.losses.torn += u64::from(name.contains(REPORT));
            } else if let Some((number, collected_at)) = parse(name) {
                spool.note(number, Entry { bytes: file.metadata()?.len(), collected_at });
            }
        }
        if let Some(doubt) = spool.read_doubt() {
            // Also where its report is gone: its number must never name another one.
            spool.next = spool.next.max(doubt.number.0.saturating_add(1));
            spool.doubt = Some(doubt).filter(|doubt| spool.entries.contains_key(&doubt.number));
        }
        Ok(spool)
    }

    fn note(&mut self, number: SpoolNo, entry: Entry) {
        self.next = self.next.max(number.0.saturating_add(1));
        self.bytes = self.bytes.saturating_add(entry.bytes);
        self.entries.insert(number, entry);
    }

    /// The file is written whole or not at all, so what cannot be read is a broken disk's work;
    /// the report it named is then sent as if it never was, which is the lesser evil.
    fn read_doubt(&self) -> Option<Doubt> {
        let doubt: Doubt = serde_json::from_slice(&fs::read(self.dir.join(DOUBT)).ok()?).ok()?;
        Some(doubt.whole())
    }

    /// Keeps so much from the next report on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// How many reports are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Which reports are kept, the oldest first, with the second each tells of.
    pub fn list(&self) -> impl Iterator<Item = (SpoolNo, UnixSeconds)> + '_ {
        self.entries.iter().map(|(number, entry)| (*number, entry.collected_at))
    }

    /// The newest report.
    pub fn newest(&self) -> Option<SpoolNo> {
        self.entries.keys().next_back().copied()
    }

    /// The report that may have been sent and waits for its answer.
    pub fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// What was lost since it was last settled.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// Other losses that are to be told with the spool's own.
    pub fn count(&mut self, more: Losses) {
        self.losses = self.losses.plus(more);
    }

    /// Takes off losses that a report has told which is now safe.
    pub fn settle(&mut self, told: Losses) {
        self.losses = self.losses.minus(told);
    }

    /// Accepts a report that was never sent.
    pub fn accept(&mut self, data: &[u8], collected_at: UnixSeconds) -> io::Result<SpoolNo> {
        let number = SpoolNo(self.next);
        self.put(number, data, collected_at)?;
        Ok(number)
    }

    /// Accepts a report that may have been sent with this seal. The seal is kept first: a
    /// report that is here without it would be sent as a new one.
    pub fn accept_in_doubt(
        &mut self,
        data: &[u8],
        collected_at: UnixSeconds,
        seal: &Seal,
    ) -> io::Result<SpoolNo> {
        let number = SpoolNo(self.next);
        let kept = self.set_doubt(number, seal);
        let kept = kept.and_then(|()| self.put(number, data, collected_at));
        if kept.is_err() {
            self.doubt = None;
        }
        kept.map(|()| number)
    }

    fn put(&mut self, number: SpoolNo, data: &[u8], collected_at: UnixSeconds) -> io::Result<()> {
        // A number whose file failed half-way is not given again.
        self.next = self.next.saturating_add(1);
        let digest = content_hash(data);
        let mut content = format!("{MAGIC} {} {digest:016x}\n", data.len()).into_bytes();
        content.extend_from_slice(data);
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.make_room(bytes)?;
        files::write(&self.dir, &name(number, collected_at), &content)?;
        self.note(number, Entry { bytes, collected_at });
        Ok(())
    }

    /// Drops the oldest reports until so many bytes fit, but never the one in doubt.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        while self.bytes.saturating_add(bytes) > self.bounds.bytes {
            let Some(oldest) = self.oldest_sure() else { break };
            self.remove(oldest)?;
            self.losses.full += 1;
        }
        Ok(())
    }

    fn oldest_sure(&self) -> Option<SpoolNo> {
        let in_doubt = self.doubt.as_ref().map(|doubt| doubt.number);
        self.entries.keys().copied().find(|number| Some(*number) != in_doubt)
    }

    /// Drops what has become too old, but never the one in doubt.
    pub fn expire(&mut self, now: UnixSeconds) -> io::Result<()> {
        let in_doubt = self.doubt.as_ref().map(|doubt| doubt.number);
        let old: Vec<SpoolNo> = self
            .list()
            .filter(|(number, told)| {
                now.since(*told) > self.bounds.age && Some(*number) != in_doubt
            })
            .map(|(number, _)| number)
            .collect();
        for number in old {
            self.remove(number)?;
            self.losses.old += 1;
        }
        Ok(())
    }

    /// The data of a report and the second it tells of; `None` if it is not what was written,
    /// and then it is dropped and counted.
    pub fn read(&mut self, number: SpoolNo) -> io::Result<Option<(Vec<u8>, UnixSeconds)>> {
        let Some(entry) = self.entries.get(&number).copied() else { return Ok(None) };
        let content = match fs::read(self.path(number, entry)) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        match unwrap(&content) {
            Some(data) => Ok(Some((data.to_vec(), entry.collected_at))),
            None => {
                self.remove(number)?;
                self.losses.torn += 1;
                Ok(None)
            }
        }
    }

    /// Keeps what a report is about to be sent with.
    pub fn set_doubt(&mut self, number: SpoolNo, seal: &Seal) -> io::Result<()> {
        let doubt = Doubt::new(number, seal);
        files::write(&self.dir, DOUBT, &serde_json::to_vec(&doubt)?)?;
        self.doubt = Some(doubt);
        Ok(())
    }

    /// No report is in doubt: the one that was did not leave.
    pub fn clear_doubt(&mut self) -> io::Result<()> {
        if self.doubt.take().is_some() {
            fs::remove_file(self.dir.join(DOUBT))?;
            files::sync(&self.dir)?;
        }
        Ok(())
    }

    /// Removes a report that is delivered or given up. Its doubt goes with it: without the
    /// report it means nothing.
    pub fn remove(&mut self, number: SpoolNo) -> io::Result<()> {
        let Some(entry) = self.entries.get(&number).copied() else { return Ok(()) };
        match fs::remove_file(self.path(number, entry)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.entries.remove(&number);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        if self.doubt.as_ref().is_some_and(|doubt| doubt.number == number) {
            self.doubt = None;
        }
        Ok(())
    }

    fn path(&self, number: SpoolNo, entry: Entry) -> PathBuf {
        self.dir.join(name(number, entry.collected_at))
    }
}

/// `0000000000000042-1795214286.report`.
fn name(number: SpoolNo, collected_at: UnixSeconds) -> String {
    format!("{:016}-{collected_at}{REPORT}", number.0)
}

fn parse(name: &str) -> Option<(SpoolNo, UnixSeconds)> {
    let (number, collected_at) = name.strip_suffix(REPORT)?.split_once('-')?;
    Some((SpoolNo(number.parse().ok()?), UnixSeconds(collected_at.parse().ok()?)))
}

/// The data of a file's content, if it is what was written.
fn unwrap(content: &[u8]) -> Option<&[u8]> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let (head, data) = content.split_at_checked(end)?;
    let data = data.get(1..)?;
    let mut words = std::str::from_utf8(head).ok()?.split(' ');
    let whole = words.next() == Some(MAGIC)
        && words.next()?.parse() == Ok(data.len())
        && u64::from_str_radix(words.next()?, 16) == Ok(content_hash(data));
    (whole && words.next().is_none()).then_some(data)
}

#[cfg(test)]
mod tests;
