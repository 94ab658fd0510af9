//! What the files of an archive are called, and which of them a time needs.
//!
//! Pure. The archive's directory has one directory per timeline: an unbroken row of records from one
//! beginning. In it are bases, `base-FROM-COMMIT-AT.db` (a whole database with this commit, to which
//! the records from number FROM on apply, complete at the time AT), and parts, `log-FIRST.part`.

use crate::model::time::UnixSeconds;

/// A base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Base {
    /// Everything that was committed by then is in it.
    pub(super) at: UnixSeconds,
    /// The last commit in it.
    pub(super) commit: i64,
    /// The first record that may hold something that is not in it.
    pub(super) from: u64,
}

impl Base {
    /// The name of its file.
    pub(super) fn name(&self) -> String {
        format!("base-{:012}-{}-{}.db", self.from, self.commit, self.at)
    }

    fn of(name: &str) -> Option<Self> {
        let numbers = name.strip_prefix("base-")?.strip_suffix(".db")?;
        let mut numbers = numbers.split('-');
        let base = Self {
            from: numbers.next()?.parse().ok()?,
            commit: numbers.next()?.parse().ok()?,
            at: UnixSeconds(numbers.next()?.parse().ok()?),
        };
        numbers.next().is_none().then_some(base)
    }
}

/// The name of the part that begins with this record.
pub(super) fn part(first: u64) -> String {
    format!("log-{first:012}.part")
}

fn part_of(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".part")?.parse().ok()
}

/// One timeline, by the names of its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Timeline {
    /// The name of its directory; they sort by when they began.
    pub(super) name: String,
    /// Its bases, the oldest first.
    pub(super) bases: Vec<Base>,
    /// The first records of its parts, in order.
    pub(super) parts: Vec<u64>,
}

impl Timeline {
    /// Sorts names of files into what they are; others are left alone.
    pub(super) fn of<'a>(name: &str, files: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self { name: name.to_owned(), ..Self::default() };
        for file in files {
            found.bases.extend(Base::of(file));
            found.parts.extend(part_of(file));
        }
        found.bases.sort_unstable();
        found.parts.sort_unstable();
        found
    }

    /// The parts that hold the records from this one on.
    pub(super) fn parts_from(&self, number: u64) -> &[u64] {
        let later = self.parts.partition_point(|first| *first <= number);
        self.parts.get(later.saturating_sub(1)..).unwrap_or_default()
    }
}

/// The newest base that is complete at a time, and the timeline it is of: the last one that had
/// begun by then.
pub(super) fn base_for(all: &[Timeline], at: UnixSeconds) -> Option<(&Timeline, Base)> {
    all.iter().rev().find_map(|timeline| {
        let base = timeline.bases.iter().rev().find(|base| base.at <= at)?;
        Some((timeline, *base))
    })
}

/// What nobody needs any more to go back to `since` or later: the first so many bases, counted
/// over all timelines. The newest base always stays.
pub(super) fn spent(all: &[Timeline], since: UnixSeconds) -> usize {
    let bases = all.iter().flat_map(|timeline| &timeline.bases).skip(1);
    bases.take_while(|next| next.at <= since).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(at: i64, from: u64) -> Base {
        Base { at: UnixSeconds(at), commit: at * 10, from }
    }

    #[test]
    fn names_come_back_and_others_are_left_alone() {
        let kept = base(1_800_000_000, 12);
        let names = [kept.name(), part(12), part(9), "base-1-2.db".into(), "notes.txt".into()];
        let found = Timeline::of("t", names.iter().map(String::as_str));
        assert_eq!((found.bases, found.parts), (vec![kept], vec![9, 12]));
    }

    #[test]
    fn a_time_finds_its_base_and_its_parts() {
        let one = Timeline {
            name: "a".into(),
            bases: vec![base(10, 1), base(20, 5)],
            parts: vec![1, 4, 8],
        };
        let two = Timeline { name: "b".into(), bases: vec![base(30, 1)], parts: vec![1] };
        let all = [one, two];
        let found = |at| base_for(&all, UnixSeconds(at)).map(|(of, base)| (&*of.name, base.at.0));
        assert_eq!(found(9), None);
        assert_eq!(found(10), Some(("a", 10)));
        assert_eq!(found(29), Some(("a", 20)));
        assert_eq!(found(30), Some(("b", 30)));
        assert_eq!(all[0].parts_from(5), [4, 8]);
        assert_eq!(all[0].parts_from(4), [4, 8]);
        assert_eq!(all[0].parts_from(99), [8]);
        assert_eq!(all[0].parts_from(0), [1, 4, 8]);
    }

    #[test]
    fn what_an_earlier_time_needs_stays() {
        let all = [
            Timeline { bases: vec![base(10, 1), base(20, 5)], ..Timeline::default() },
            Timeline { bases: vec![base(30, 1)], ..Timeline::default() },
        ];
        let gone = |since| spent(&all, UnixSeconds(since));
        assert_eq!(
            [gone(9), gone(19), gone(20), gone(29), gone(30), gone(999)],
            [0, 0, 1, 1, 2, 2]
        );
        assert_eq!(spent(&[], UnixSeconds(9)), 0);
    }
}
