//! The member names of objects that are not closed yet: how many, and none twice.

use std::ops::Range;

use super::Fault;
use super::cursor::StringToken;
use crate::wire::limits::OBJECT_MEMBERS;
use crate::wire::text::unescape;

/// Up to this many members, a name is compared with each earlier one; a map with more is
/// sorted once at its end, so that a hostile one costs `n log n`.
const COMPARE_EACH: usize = OBJECT_MEMBERS;

/// A member name.
#[derive(Clone, Copy)]
struct Name {
    /// Length and first bytes: tells most names apart without looking at them.
    tag: u64,
    start: usize,
    end: usize,
    /// Whether the range is of `Names::unescaped` instead of the body.
    is_unescaped: bool,
}

/// The names of all open objects, the innermost object's last.
pub(super) struct Names<'a> {
    bytes: &'a [u8],
    names: Vec<Name>,
    unescaped: Vec<u8>,
}

impl<'a> Names<'a> {
    /// Of objects in this body.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, names: Vec::with_capacity(2 * OBJECT_MEMBERS), unescaped: Vec::new() }
    }

    /// Where the names of an object that opens now will begin.
    pub(super) fn open(&self) -> usize {
        self.names.len()
    }

    /// Notes a name of the innermost object, whose names begin at `from`; it must be new there.
    /// The members of a map are not counted.
    pub(super) fn add(
        &mut self,
        token: &StringToken,
        from: usize,
        is_map: bool,
    ) -> Result<(), Fault> {
        let name = self.name(token);
        let known = self.names.get(from..).unwrap_or_default();
        if known.len() >= OBJECT_MEMBERS && !is_map {
            return Err(Fault::Members(OBJECT_MEMBERS));
        }
        let is_same = |k: &Name| k.tag == name.tag && self.text(k) == self.text(&name);
        if known.len() < COMPARE_EACH && known.iter().any(is_same) {
            return Err(self.duplicate(&name));
        }
        self.names.push(name);
        Ok(())
    }

    /// Forgets the names of the innermost object, which begin at `from`.
    pub(super) fn close(&mut self, from: usize) -> Result<(), Fault> {
        if self.names.len() - from > COMPARE_EACH {
            self.check_sorted(from)?;
        }
        self.names.truncate(from);
        Ok(())
    }

    /// Whether the name noted last is this one.
    pub(super) fn is_last(&self, word: &[u8]) -> bool {
        self.names.last().is_some_and(|name| self.text(name) == word)
    }

    fn name(&mut self, token: &StringToken) -> Name {
        let Range { start, end } = token.inner;
        if !token.has_escapes {
            let tag = tag(self.bytes.get(start..).unwrap_or_default(), end - start);
            return Name { tag, start, end, is_unescaped: false };
        }
        let from = self.unescaped.len();
        unescape(self.bytes.get(start..end).unwrap_or_default(), &mut self.unescaped);
        let end = self.unescaped.len();
        let tag = tag(self.unescaped.get(from..).unwrap_or_default(), end - from);
        Name { tag, start: from, end, is_unescaped: true }
    }

    fn check_sorted(&self, from: usize) -> Result<(), Fault> {
        // Any order that brings equal names together will do; the tags mostly decide.
        let mut names = self.names.get(from..).unwrap_or_default().to_vec();
        names.sort_unstable_by(|a, b| {
            a.tag.cmp(&b.tag).then_with(|| self.text(a).cmp(self.text(b)))
        });
        for pair in names.windows(2) {
            if let [a, b] = pair
                && a.tag == b.tag
                && self.text(a) == self.text(b)
            {
                return Err(self.duplicate(a));
            }
        }
        Ok(())
    }

    fn duplicate(&self, name: &Name) -> Fault {
        Fault::Duplicate(String::from_utf8_lossy(self.text(name)).chars().take(64).collect())
    }

    fn text(&self, name: &Name) -> &[u8] {
        let from = if name.is_unescaped { self.unescaped.as_slice() } else { self.bytes };
        from.get(name.start..name.end).unwrap_or_default()
    }
}

/// Length and first bytes of a name that starts at the start of `text`.
fn tag(text: &[u8], len: usize) -> u64 {
    let first = match text.first_chunk::<8>() {
        Some(chunk) if len >= 8 => u64::from_le_bytes(*chunk),
        Some(chunk) => u64::from_le_bytes(*chunk) & !(u64::MAX << (8 * len)),
        None => text.iter().take(len).rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    first ^ (u64::try_from(len).unwrap_or(u64::MAX) << 56)
}
