//! Names of agents for pages that tell of many: ids are for programs, people know host names.

use std::collections::BTreeMap;

use crate::model::id::AgentId;

use super::text::encode;

/// The host names of some agents.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// Asks `host` for the name of each of `ids`, once.
    pub fn of<'a>(
        ids: impl IntoIterator<Item = &'a AgentId>,
        host: impl Fn(&AgentId) -> Option<String>,
    ) -> Self {
        let mut names = BTreeMap::new();
        for id in ids {
            if !names.contains_key(id.as_str())
                && let Some(name) = host(id)
            {
                names.insert(id.to_string(), name);
            }
        }
        Self(names)
    }

    /// What people call an agent: its host's name, else its id.
    pub fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).filter(|name| !name.is_empty()).map_or(id, String::as_str)
    }

    /// The name and the page of an agent.
    pub(super) fn link(&self, id: &AgentId) -> (String, String) {
        (self.name(id.as_str()).to_owned(), agent_href(id))
    }
}

/// The page of an agent.
pub(super) fn agent_href(id: &AgentId) -> String {
    format!("/agents/{}", encode(id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_without_a_host_name_keeps_its_id() {
        let ids: Vec<AgentId> = ["a1", "b2", "a1"].map(|id| id.parse().unwrap()).into();
        let asked = std::cell::Cell::new(0);
        let names = Names::of(&ids, |id| {
            asked.set(asked.get() + 1);
            (id.as_str() == "a1").then(|| "hel-gw1".to_owned())
        });
        assert_eq!(asked.get(), 2, "each id is asked for once");
        assert_eq!([names.name("a1"), names.name("b2")], ["hel-gw1", "b2"]);
        assert_eq!(names.link(&ids[0]), ("hel-gw1".to_owned(), "/agents/a1".to_owned()));
    }
}
