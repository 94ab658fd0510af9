//! What differs between the map at one time and at a later one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::past::Then;
use super::picture::{Edge, Node};
use crate::model::id::AgentId;
use crate::model::state::{AgentStatus, EdgeState};
use crate::model::time::UnixSeconds;

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// A link that is down, or doubtful, and was not; an agent that is silent and was not.
    Lost,
    /// It is no longer there.
    Gone,
    /// It is well again.
    Restored,
    /// It was not there before.
    New,
    /// Another state, neither better nor worse.
    Changed,
}

impl Fate {
    /// Every fate, the worst first.
    pub const ALL: [Self; 5] = [Self::Lost, Self::Gone, Self::Restored, Self::New, Self::Changed];

    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Gone => "gone",
            Self::Restored => "restored",
            Self::New => "new",
            Self::Changed => "changed",
        }
    }
}

/// A link that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkChange {
    /// The link.
    pub id: String,
    /// What its ends are called.
    pub labels: [String; 2],
    /// What became of it.
    pub fate: Fate,
    /// Its state at the first time; `None` if it was not there.
    pub before: Option<EdgeState>,
    /// Its state at the second time; `None` if it is not there.
    pub after: Option<EdgeState>,
    /// When its history has events between the two times, oldest first.
    pub at: Vec<UnixSeconds>,
}

/// An agent that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentChange {
    /// The agent.
    pub agent_id: AgentId,
    /// Its host name, else its id.
    pub label: String,
    /// What became of it.
    pub fate: Fate,
    /// Its status at the first time; `None` if it was not there.
    pub before: Option<AgentStatus>,
    /// Its status at the second time; `None` if it is not there.
    pub after: Option<AgentStatus>,
    /// When its history has events between the two times, oldest first.
    pub at: Vec<UnixSeconds>,
}

/// Everything that differs, the worst first, then by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Links.
    pub links: Vec<LinkChange>,
    /// Agents.
    pub agents: Vec<AgentChange>,
}

impl Difference {
    /// All of it in one line: `3 links lost, 1 agent new`; `nothing` if there is none.
    pub fn summary(&self) -> String {
        let count = |fates: &[Fate], fate: Fate| fates.iter().filter(|f| **f == fate).count();
        let links: Vec<Fate> = self.links.iter().map(|change| change.fate).collect();
        let agents: Vec<Fate> = self.agents.iter().map(|change| change.fate).collect();
        let mut told = Vec::new();
        for (fates, one) in [(&links, "link"), (&agents, "agent")] {
            for fate in Fate::ALL {
                let some = match count(fates, fate) {
                    0 => continue,
                    1 => format!("1 {one} {}", fate.as_str()),
                    many => format!("{many} {one}s {}", fate.as_str()),
                };
                told.push(some);
            }
        }
        if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
    }
}

/// Compares two maps. `times` are those of the events between, by the id of a link or an agent.
pub fn between(
    before: &Then,
    after: &Then,
    times: &BTreeMap<String, Vec<UnixSeconds>>,
) -> Difference {
    let at = |id: &str| times.get(id).cloned().unwrap_or_default();
    let (was, is) = (edges(before), edges(after));
    let (old, new) = (names(before), names(after));
    let name = |id: &str| (*new.get(id).or_else(|| old.get(id)).unwrap_or(&id)).to_owned();
    let link = |id: &&str| {
        let (a, b) = (was.get(id).map(|edge| edge.state), is.get(id).map(|edge| edge.state));
        let edge = is.get(id).or_else(|| was.get(id))?;
        let labels = [name(&edge.source), name(&edge.target)];
        let fate = fate(a, b, |state| i32::from(link_worth(*state)))?;
        Some(LinkChange { id: (*id).to_owned(), labels, fate, before: a, after: b, at: at(id) })
    };
    let ids: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
    let mut links: Vec<LinkChange> = ids.iter().filter_map(link).collect();
    links.sort_by(|a, b| (a.fate, &a.labels).cmp(&(b.fate, &b.labels)));
    let (was, is) = (agents(before), agents(after));
    let agent = |id: &&AgentId| {
        let status = |nodes: &BTreeMap<&AgentId, &Node>| nodes.get(id).and_then(|n| n.status);
        let (a, b) = (status(&was), status(&is));
        let label = is.get(id).or_else(|| was.get(id))?.label.clone();
        let fate = fate(a, b, |status| i32::from(agent_worth(*status)))?;
        let at = at(id.as_str());
        Some(AgentChange { agent_id: (*id).clone(), label, fate, before: a, after: b, at })
    };
    let ids: BTreeSet<&AgentId> = was.keys().chain(is.keys()).copied().collect();
    let mut agents: Vec<AgentChange> = ids.iter().filter_map(agent).collect();
    agents.sort_by(|a, b| (a.fate, &a.label).cmp(&(b.fate, &b.label)));
    Difference { links, agents }
}

fn edges(then: &Then) -> BTreeMap<&str, &Edge> {
    then.picture.edges.iter().map(|edge| (edge.id.as_str(), edge)).collect()
}

fn names(then: &Then) -> BTreeMap<&str, &str> {
    then.picture.nodes.iter().map(|node| (node.id.as_str(), node.label.as_str())).collect()
}

fn agents(then: &Then) -> BTreeMap<&AgentId, &Node> {
    then.picture.nodes.iter().filter_map(|node| Some((node.agent_id.as_ref()?, node))).collect()
}

/// What became of something; `None` if nothing did.
fn fate<T: PartialEq>(
    before: Option<T>,
    after: Option<T>,
    worth: impl Fn(&T) -> i32,
) -> Option<Fate> {
    match (before, after) {
        (None, None) => None,
        (None, Some(_)) => Some(Fate::New),
        (Some(_), None) => Some(Fate::Gone),
        (Some(a), Some(b)) if a == b => None,
        (Some(a), Some(b)) => Some(match worth(&b) - worth(&a) {
            ..=-1 if worth(&b) == 0 => Fate::Lost,
            1.. if worth(&b) == 2 => Fate::Restored,
            _ => Fate::Changed,
        }),
    }
}

/// 2 for a link that carries traffic or would, 0 for one in trouble.
const fn link_worth(state: EdgeState) -> u8 {
    match state {
        EdgeState::Up | EdgeState::Idle => 2,
        EdgeState::Never | EdgeState::Unknown => 1,
        EdgeState::Down | EdgeState::OneWay | EdgeState::HalfConfigured => 0,
    }
}

/// 2 for an agent that reports, 0 for one that is silent.
const fn agent_worth(status: AgentStatus) -> u8 {
    match status {
        AgentStatus::Online => 2,
        AgentStatus::Stale | AgentStatus::Pending => 1,
        AgentStatus::Offline | AgentStatus::Retired => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::picture::samples::{edge, node};

    fn then(agents: &[(&str, AgentStatus)], links: &[(&str, EdgeState)]) -> Then {
        let mut then = Then::default();
        for (id, status) in agents {
            let mut node = node(&format!("a:{id}"));
            node.agent_id = id.parse().ok();
            node.status = Some(*status);
            then.picture.nodes.push(node);
        }
        for (id, state) in links {
            let mut edge = edge(id, ["a:gw-1", "a:gw-2"]);
            edge.state = *state;
            then.picture.edges.push(edge);
        }
        then
    }

    #[test]
    fn each_thing_is_told_by_what_became_of_it() {
        use EdgeState as E;
        let before = then(
            &[("gw-1", AgentStatus::Online), ("gw-2", AgentStatus::Offline)],
            &[
                ("same", E::Up),
                ("lost", E::Up),
                ("gone", E::Down),
                ("back", E::Down),
                ("doubt", E::Up),
            ],
        );
        let after = then(
            &[("gw-2", AgentStatus::Online), ("gw-3", AgentStatus::Pending)],
            &[
                ("same", E::Up),
                ("lost", E::Down),
                ("back", E::Up),
                ("doubt", E::Unknown),
                ("new", E::Never),
            ],
        );
        let times = BTreeMap::from([("lost".to_owned(), vec![UnixSeconds(5)])]);
        let found = between(&before, &after, &times);
        let links: Vec<_> = found.links.iter().map(|l| (l.id.as_str(), l.fate.as_str())).collect();
        let wanted = [
            ("lost", "lost"),
            ("gone", "gone"),
            ("back", "restored"),
            ("new", "new"),
            ("doubt", "changed"),
        ];
        assert_eq!(links, wanted);
        assert_eq!(found.links[0].at, [UnixSeconds(5)]);
        let agents: Vec<_> =
            found.agents.iter().map(|a| (a.agent_id.as_str(), a.fate.as_str())).collect();
        assert_eq!(agents, [("gw-1", "gone"), ("gw-2", "restored"), ("gw-3", "new")]);
        assert_eq!(
            found.summary(),
            "1 link lost, 1 link gone, 1 link restored, 1 link new, 1 link changed, \
             1 agent gone, 1 agent restored, 1 agent new"
        );
        let nothing = between(&before, &before, &times);
        assert_eq!((nothing.summary().as_str(), nothing), ("nothing", Difference::default()));
    }
}
