//! The files of an archive: what there is, and the records of one part after another.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::marker::Last;
use super::names::{self, Timeline};
use super::record::{self, BEFORE_BODY, Digest, HEAD_BYTES, Head, PAGES, Record};
use crate::sign::digest::sha256;
use crate::store::StoreError;
use crate::store::sqlite::error::file_fault;

/// Room in a record for a body that does not compress.
const SLACK_BYTES: usize = 1 << 20;

/// An error with a file of the archive.
pub(super) fn told(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |error| file_fault(&path.display().to_string(), &error)
}

/// The digest that the first record of a timeline follows from.
pub(super) fn beginning(timeline: &str) -> Digest {
    sha256(timeline.as_bytes())
}

/// Every timeline in the directory, the oldest first.
pub(super) fn timelines(dir: &Path) -> Result<Vec<Timeline>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(told(dir))? {
        let path = entry.map_err(told(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|_| path.is_dir()) {
            found.push(timeline(dir, name)?);
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// One timeline.
pub(super) fn timeline(dir: &Path, name: &str) -> Result<Timeline, StoreError> {
    let place = dir.join(name);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&place).map_err(told(&place))? {
        let name = entry.map_err(told(&place))?.file_name();
        files.extend(name.to_str().map(str::to_owned));
    }
    Ok(Timeline::of(name, files.iter().map(String::as_str)))
}

/// Bytes of all files of a timeline.
pub(super) fn bytes(dir: &Path, timeline: &Timeline) -> u64 {
    let bases = timeline.bases.iter().map(names::Base::name);
    let files = bases.chain(timeline.parts.iter().map(|first| names::part(*first)));
    let size = |name| std::fs::metadata(dir.join(&timeline.name).join(name)).map_or(0, |m| m.len());
    files.map(size).sum()
}

/// Reads one part, record by record.
#[derive(Debug)]
pub(super) struct PartReader {
    file: BufReader<File>,
    path: PathBuf,
    /// Its head.
    pub(super) head: Head,
    before: Digest,
    buffer: Vec<u8>,
}

impl PartReader {
    /// Opens a part; `None` if it has no head.
    pub(super) fn open(path: PathBuf) -> Result<Option<Self>, StoreError> {
        let mut file = BufReader::new(File::open(&path).map_err(told(&path))?);
        let mut buffer = vec![0; HEAD_BYTES];
        if !fill(&mut file, &mut buffer).map_err(told(&path))? {
            return Ok(None);
        }
        let head = Head::read(&buffer);
        Ok(head.map(|head| Self { file, path, head, before: head.before, buffer }))
    }

    /// The next record; `None` behind the last one that is whole and follows from those before it.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, StoreError> {
        let page = usize::try_from(self.head.page_bytes).unwrap_or(0);
        let largest = PAGES * (page + 4) + SLACK_BYTES;
        self.buffer.resize(BEFORE_BODY, 0);
        if !fill(&mut self.file, &mut self.buffer).map_err(told(&self.path))? {
            return Ok(None);
        }
        let body = self.buffer.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        let Some(body) = usize::try_from(body).ok().filter(|body| *body <= largest) else {
            return Ok(None);
        };
        self.buffer.resize(BEFORE_BODY + body, 0);
        let behind = self.buffer.get_mut(BEFORE_BODY..).unwrap_or_default();
        if !fill(&mut self.file, behind).map_err(told(&self.path))? {
            return Ok(None);
        }
        let record = record::read(&self.buffer, &self.before).map(|(record, _rest)| record);
        if let Some(record) = &record {
            self.before = record.digest;
        }
        Ok(record)
    }
}

/// Fills the buffer; false if the file ends before.
fn fill(file: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The last whole commit of a timeline, and the digest of its record.
pub(super) fn end(dir: &Path, timeline: &Timeline) -> Result<(Last, Digest), StoreError> {
    for first in timeline.parts.iter().rev() {
        let path = dir.join(&timeline.name).join(names::part(*first));
        let Some(mut part) = PartReader::open(path)? else { continue };
        let mut found = None;
        while let Some(record) = part.next()? {
            let front = record.front;
            if front.is_last {
                let last = Last {
                    number: front.number,
                    at: front.at,
                    commit: front.commit,
                    salts: front.salts,
                    frames: front.frames,
                    sum: front.sum,
                };
                found = Some((last, record.digest));
            }
        }
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Ok((Last::default(), beginning(&timeline.name)))
}
