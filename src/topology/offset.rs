//! How far hosts' clocks are off, by the handshakes that both ends of a link note.
//!
//! Both ends note one handshake, each by its own clock, the responder a round trip later or, where
//! the initiator's first packet was lost, with the next one. So the difference of both notes is the
//! difference of both clocks, whatever way their reports take. A pair of notes that does not come
//! again with the next handshake is none: one end may not have told of the newest yet, or may never
//! have completed it.
//!
//! A host's offset is known ([`Offset::is_known`]) if two of its links agree about it, or one does
//! with the time that the host signs.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::AgentNo;
use crate::model::time::UnixSeconds;

/// Handshakes that are kept of each end: a report that is four minutes late still has two of them
/// in common with one that is not.
const KEPT: usize = 4;

/// Seconds by which the notes of two handshakes may differ otherwise: each is cut to a second, and
/// a round trip is shorter.
const SAME_S: u64 = 2;

/// Seconds by which links may differ about one clock.
const AGREE_S: u64 = 5;

/// Seconds by which a clock may be off otherwise than its signed time says: reports are signed,
/// sent, and taken in turn.
pub const SIGNED_S: u64 = 15;

/// Rounds in which hosts take over what their peers tell; changes die out after as many as wrong
/// neighbours stand in a row.
const ROUNDS: usize = 8;

/// The last handshakes that an end was seen to note, newest first, by its own clock; 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shakes([u32; KEPT]);

impl Shakes {
    /// Another one was noted.
    pub fn note(&mut self, at: UnixSeconds) {
        self.0.rotate_right(1);
        if let Some(newest) = self.0.first_mut() {
            // Beyond 2106 there is nothing to compare.
            *newest = u32::try_from(at.0).unwrap_or_default();
        }
    }

    /// Whether two were noted: less says nothing.
    pub fn tells(&self) -> bool {
        self.0.get(1).is_some_and(|second| *second != 0)
    }

    fn noted(&self) -> impl Iterator<Item = (usize, i64)> + Clone {
        let noted = self.0.iter().enumerate().filter(|(_, at)| **at != 0);
        noted.map(|(nth, at)| (nth, i64::from(*at)))
    }
}

/// The clock of the first end minus that of the second, in seconds, if their notes tell.
///
/// Where handshakes come so regularly that several differences fit, it is the one that the signed
/// times tell (`signed`), else the smallest: one end's reports are late.
pub fn difference(ends: [&Shakes; 2], signed: i64) -> Option<i64> {
    let [first, second] = ends;
    let pairs = first.noted().flat_map(|(i, a)| second.noted().map(move |(j, b)| (i, j, a - b)));
    let others = |(i, j, d): (usize, usize, i64)| {
        let fits = move |(k, l, e): &(usize, usize, i64)| {
            (*k > i && *l > j || *k < i && *l < j) && e.abs_diff(d) <= SAME_S
        };
        pairs.clone().filter(fits).count()
    };
    let found = || pairs.clone().filter(|pair| others(*pair) > 0);
    let near = found().filter(|(.., d)| d.abs_diff(signed) <= SIGNED_S);
    let near = near.min_by_key(|pair| (std::cmp::Reverse(others(*pair)), pair.2.abs_diff(signed)));
    near.or_else(|| found().min_by_key(|(.., d)| d.unsigned_abs())).map(|(.., d)| d)
}

/// What a link tells of the clocks at its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The hosts at its ends.
    pub ends: [AgentNo; 2],
    /// The first one's clock minus the second one's, in seconds.
    pub s: i64,
}

/// A host's clock by its links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offset {
    /// Its clock minus the manager's, in seconds.
    pub s: i64,
    /// The peers whose links agree about that, one for each link.
    pub agree: Vec<AgentNo>,
    /// Whether its signed time agrees.
    pub is_signed: bool,
}

impl Offset {
    /// Whether this can be relied on: by two links, or by one and the signed time.
    pub fn is_known(&self) -> bool {
        self.agree.len() >= if self.is_signed { 1 } else { 2 }
    }
}

/// The clocks of the hosts in `free`, from what their links tell, and from what all sign:
/// timestamp minus the manager's clock, in seconds. The clocks of the others are as they sign.
///
/// Each is the middle of what its links say of it, given the clocks at their other ends; of an even
/// number its own signed time is one more. A host with one link is left with what it signs, else
/// the two would only confirm each other.
pub fn offsets(
    differences: &[Difference],
    signed: &BTreeMap<AgentNo, i64>,
    free: &BTreeSet<AgentNo>,
) -> BTreeMap<AgentNo, Offset> {
    let mut links: BTreeMap<AgentNo, Vec<(AgentNo, i64)>> = BTreeMap::new();
    for Difference { ends: [a, b], s } in differences {
        for (own, other, s) in [(*a, *b, *s), (*b, *a, -*s)] {
            if free.contains(&own) && signed.contains_key(&own) && signed.contains_key(&other) {
                links.entry(own).or_default().push((other, s));
            }
        }
    }
    let mut clocks = signed.clone();
    for _ in 0..ROUNDS {
        let mut moved = false;
        for (no, own) in links.iter().filter(|(_, own)| own.len() > 1) {
            let own_time = signed.get(no).copied().filter(|_| own.len() % 2 == 0);
            let mut votes: Vec<i64> = votes(own, &clocks).map(|(_, s)| s).chain(own_time).collect();
            let Some(middle) = middle(&mut votes) else { continue };
            moved |= clocks.insert(*no, middle) != Some(middle);
        }
        if !moved {
            break;
        }
    }
    let told = |(no, own): (&AgentNo, &Vec<(AgentNo, i64)>)| {
        let s = clocks.get(no).copied()?;
        let agree = votes(own, &clocks).filter(|(_, vote)| vote.abs_diff(s) <= AGREE_S);
        let agree = agree.map(|(other, _)| other).collect();
        let is_signed = signed.get(no)?.abs_diff(s) <= SIGNED_S;
        Some((*no, Offset { s, agree, is_signed }))
    };
    links.iter().filter_map(told).collect()
}

/// What each link of a host says of its clock.
fn votes<'a>(
    links: &'a [(AgentNo, i64)],
    clocks: &'a BTreeMap<AgentNo, i64>,
) -> impl Iterator<Item = (AgentNo, i64)> + 'a {
    links.iter().filter_map(|(other, s)| Some((*other, clocks.get(other)?.saturating_add(*s))))
}

fn middle(votes: &mut [i64]) -> Option<i64> {
    let nth = votes.len() / 2;
    (nth < votes.len()).then(|| *votes.select_nth_unstable(nth).1)
}

#[cfg(test)]
mod tests;
