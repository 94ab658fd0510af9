//! The part of `/settings` about thresholds: those in force, others that somebody tries, and what
//! both make of the fleet now.

use super::text::plural;

/// One threshold.
#[derive(Debug, Clone)]
pub struct ThresholdItem {
    /// Its field's name.
    pub field: &'static str,
    /// What it is, in words.
    pub label: &'static str,
    /// What is in force, in seconds.
    pub in_force: i64,
    /// What is tried, in seconds.
    pub tried: i64,
}

/// How many are in one state.
#[derive(Debug, Clone)]
pub struct CountItem {
    /// The state in words.
    pub label: &'static str,
    /// How many are in it.
    pub now: usize,
    /// How many would be.
    pub then: usize,
}

/// What the part shows.
#[derive(Debug, Clone, Default)]
pub struct ThresholdsItem {
    /// Each threshold.
    pub limits: Vec<ThresholdItem>,
    /// Each state.
    pub counts: Vec<CountItem>,
    /// Agents that would be late, and those that would be down.
    pub agents: (usize, usize),
    /// Links whose handshakes would be too old.
    pub links: usize,
    /// Whether something else than what is in force is tried.
    pub tried: bool,
}

impl ThresholdsItem {
    /// The answer in a sentence.
    pub fn verdict(&self) -> String {
        let ((late, down), links) = (self.agents, self.links);
        let lead = if self.tried { "This would mark" } else { "In force now; it marks" };
        let late = plural(late, "agent");
        let links = match links {
            1 => "the handshake of 1 link".to_owned(),
            count => format!("the handshakes of {count} links"),
        };
        format!("{lead} {late} late, {down} down, and {links} too old.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_sentence() {
        let mut item = ThresholdsItem { agents: (7, 2), links: 1, ..ThresholdsItem::default() };
        assert!(item.verdict().starts_with("In force now; it marks 7 agents late, 2 down"));
        item.tried = true;
        assert_eq!(
            item.verdict(),
            "This would mark 7 agents late, 2 down, and the handshake of 1 link too old."
        );
    }
}
