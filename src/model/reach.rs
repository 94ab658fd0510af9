//! How far somebody may see: the whole manager, or some fleets of it; and taking the names of
//! others out of what they are told.
//!
//! Values only. Must never take a thing without a fleet for one of somebody's fleets.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::id::{AgentId, FleetId};

/// Fleets that one reach names at most.
pub const MOST_FLEETS: usize = 64;

/// What stands where somebody else's name stood.
const HIDDEN: &str = "(not shown)";

/// How far somebody may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Everything, the manager itself included.
    #[default]
    Whole,
    /// These fleets, and nothing that belongs to no fleet.
    Fleets(Arc<BTreeSet<FleetId>>),
}

impl Reach {
    /// Nothing at all: strangers.
    pub fn nothing() -> Self {
        Self::only([])
    }

    /// These fleets; everything if none is named.
    pub fn of(fleets: impl IntoIterator<Item = FleetId>) -> Self {
        match Self::only(fleets) {
            Self::Fleets(own) if own.is_empty() => Self::Whole,
            some @ (Self::Whole | Self::Fleets(_)) => some,
        }
    }

    /// These fleets; nothing if none is named.
    pub fn only(fleets: impl IntoIterator<Item = FleetId>) -> Self {
        Self::Fleets(Arc::new(fleets.into_iter().collect()))
    }

    /// The fleets that people name; blanks around them and empty names are left out.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let names = names.into_iter().map(str::trim).filter(|name| !name.is_empty());
        let fleets: Result<BTreeSet<FleetId>, String> = names
            .map(|name| name.parse().map_err(|odd| format!("{name:?} is no fleet: {odd}.")))
            .collect();
        let fleets = fleets?;
        if fleets.len() > MOST_FLEETS {
            return Err(format!("At most {MOST_FLEETS} fleets can be named; leave some out."));
        }
        Ok(Self::of(fleets))
    }

    /// Whether that is everything.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// Whether a fleet is seen.
    pub fn sees(&self, fleet: &FleetId) -> bool {
        match self {
            Self::Whole => true,
            Self::Fleets(own) => own.contains(fleet),
        }
    }

    /// Whether a thing of this fleet is seen; what has none is the manager's own.
    pub fn sees_of(&self, fleet: Option<&FleetId>) -> bool {
        self.is_whole() || fleet.is_some_and(|fleet| self.sees(fleet))
    }

    /// The fleets, by name; none for everything.
    pub fn fleets(&self) -> Vec<FleetId> {
        match self {
            Self::Whole => Vec::new(),
            Self::Fleets(own) => own.iter().cloned().collect(),
        }
    }

    /// The same in words.
    pub fn words(&self) -> String {
        let names: Vec<String> = self.fleets().iter().map(ToString::to_string).collect();
        match self {
            Self::Whole => "all fleets".to_owned(),
            Self::Fleets(_) => names.join(", "),
        }
    }
}

impl Reach {
    /// What a sentence about a role goes on with: nothing for everything.
    pub fn addition(&self) -> String {
        if self.is_whole() { String::new() } else { format!(" in {}", self.words()) }
    }
}

/// The names of agents that somebody may not see: ids and host names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    names: HashSet<String>,
    /// Those that do not stand as one word in a sentence, the longest first.
    odd: Vec<String>,
}

/// Whether a letter can be part of a name that stands as one word.
fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '_' | ':' | '-')
}

impl Strangers {
    /// Of all agents, by id, host name and fleet. A name that one's own agents have, too, is no
    /// stranger's.
    pub fn of<'a>(
        agents: impl Iterator<Item = (&'a AgentId, Option<&'a str>, &'a FleetId)>,
        reach: &Reach,
    ) -> Self {
        let (mut names, mut own) = (HashSet::new(), HashSet::new());
        for (id, hostname, fleet) in agents {
            let to = if reach.sees(fleet) { &mut own } else { &mut names };
            to.extend([Some(id.as_str()), hostname].into_iter().flatten().map(str::to_owned));
        }
        names.retain(|name| !name.is_empty() && !own.contains(name));
        let is_odd = |name: &String| !name.chars().all(is_of_word);
        let mut odd: Vec<String> = names.iter().filter(|name| is_odd(name)).cloned().collect();
        odd.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Self { names, odd }
    }

    /// Whether an agent is one of them.
    pub fn has(&self, id: &AgentId) -> bool {
        self.names.contains(id.as_str())
    }

    fn is_one(&self, word: &str) -> bool {
        let bare = word.trim_matches(|letter| matches!(letter, '.' | ':' | '-' | '_'));
        self.names.contains(word) || self.names.contains(bare)
    }

    /// A text without their names.
    pub fn wash(&self, text: &mut String) {
        if self.names.is_empty() {
            return;
        }
        for name in &self.odd {
            if text.contains(name.as_str()) {
                *text = text.replace(name.as_str(), HIDDEN);
            }
        }
        if !text.split(|letter| !is_of_word(letter)).any(|word| self.is_one(word)) {
            return;
        }
        let (mut washed, mut word) = (String::with_capacity(text.len()), String::new());
        for letter in text.chars().chain(['\0']) {
            if is_of_word(letter) {
                word.push(letter);
                continue;
            }
            washed.push_str(if self.is_one(&word) { HIDDEN } else { &word });
            washed.push(letter);
            word.clear();
        }
        // The letter that ended the last word.
        washed.pop();
        *text = washed;
    }

    /// A value without their names in its texts.
    pub fn wash_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.wash(text),
            Value::Array(all) => all.iter_mut().for_each(|one| self.wash_value(one)),
            Value::Object(all) => all.values_mut().for_each(|one| self.wash_value(one)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fleet(name: &str) -> FleetId {
        name.parse().unwrap()
    }

    #[test]
    fn what_has_no_fleet_belongs_to_the_whole_only() {
        let lab = Reach::of([fleet("lab")]);
        assert!(lab.sees(&fleet("lab")) && !lab.sees(&fleet("office")));
        assert!(!lab.sees_of(None) && Reach::Whole.sees_of(None));
        assert!(!Reach::nothing().is_whole() && !Reach::nothing().sees(&fleet("lab")));
        assert!(Reach::of([]).is_whole());
    }

    #[test]
    fn names_are_read_or_refused() {
        assert_eq!(Reach::read([" lab", "", "lab"]), Ok(Reach::of([fleet("lab")])));
        assert_eq!(Reach::read(["", " "]), Ok(Reach::Whole));
        assert!(Reach::read(["Lab Two"]).unwrap_err().contains("no fleet"));
        let many: Vec<String> = (0..=MOST_FLEETS).map(|n| format!("f{n}")).collect();
        assert!(Reach::read(many.iter().map(String::as_str)).unwrap_err().contains("At most"));
    }

    fn strangers() -> Strangers {
        let ids: Vec<AgentId> =
            ["a1", "b1", "b2", "b3"].iter().map(|id| id.parse().unwrap()).collect();
        let (lab, office) = (fleet("lab"), fleet("office"));
        let agents = [
            (&ids[0], Some("gw"), &lab),
            (&ids[1], Some("gw"), &office),
            (&ids[2], Some("db.office"), &office),
            (&ids[3], Some("the old box"), &office),
        ];
        Strangers::of(agents.into_iter(), &Reach::of([lab.clone()]))
    }

    #[test]
    fn strangers_names_leave_texts_and_ones_own_stay() {
        let washed = |text: &str| {
            let mut text = text.to_owned();
            strangers().wash(&mut text);
            text
        };
        assert_eq!(washed("gw cannot reach db.office."), "gw cannot reach (not shown)");
        assert_eq!(washed("b1, b2: both (a1 too)"), "(not shown), (not shown) both (a1 too)");
        assert_eq!(washed("the old box is silent"), "(not shown) is silent");
        assert_eq!(washed("b10 and xb1 are others"), "b10 and xb1 are others");
        assert_eq!(washed("“b1”"), "“(not shown)”");
    }

    #[test]
    fn values_are_washed_everywhere() {
        let mut value = json!({"ends": [{"agent_id": "b1"}, {"agent_id": "a1"}], "n": 7});
        strangers().wash_value(&mut value);
        assert_eq!(
            value,
            json!({"ends": [{"agent_id": "(not shown)"}, {"agent_id": "a1"}], "n": 7})
        );
    }
}
