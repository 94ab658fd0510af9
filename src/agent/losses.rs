//! Reports that will never arrive, counted until a report has told of them.

/// How many, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Dropped because the spool was full.
    pub full: u64,
    /// Dropped because they had become too old.
    pub old: u64,
    /// Not whole on disk: cut off by a crash before they were accepted, or damaged.
    pub torn: u64,
    /// Refused by the manager for what they are.
    pub refused: u64,
    /// Neither sent nor written: the disk took no more.
    pub unwritten: u64,
}

impl Losses {
    /// Whether there is nothing to tell.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// Without those already told.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    fn zip(self, other: Self, by: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            full: by(self.full, other.full),
            old: by(self.old, other.old),
            torn: by(self.torn, other.torn),
            refused: by(self.refused, other.refused),
            unwritten: by(self.unwritten, other.unwritten),
        }
    }

    /// One sentence for each cause.
    pub fn sentences(self) -> Vec<String> {
        let causes = [
            (self.full, "dropped, the oldest first, because the spool was full"),
            (self.old, "dropped from the spool because they had become too old"),
            (self.torn, "dropped because their files were not whole"),
            (self.refused, "dropped because the manager refused them"),
            (self.unwritten, "lost because they could be neither sent nor written to disk"),
        ];
        let some = causes.into_iter().filter(|(count, _)| *count > 0);
        some.map(|(count, what)| format!("{count} reports were {what}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_add_up_and_are_told_by_cause() {
        let some = Losses { full: 3, torn: 1, ..Losses::default() };
        let more = some.plus(Losses { full: 2, ..Losses::default() });
        assert_eq!(more.minus(some), Losses { full: 2, ..Losses::default() });
        assert!(some.minus(some).is_empty());
        let told = more.sentences();
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("5 reports were dropped, the oldest"));
    }
}
