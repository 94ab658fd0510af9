//! Who is behind the pseudonyms of one guise: which agents and fleets there are, so that a pseudonym
//! that comes back in a question leads to them, and so that their names are found in sentences.
//!
//! Made anew when names change, not when reports come. Must never answer for who is not there.

use std::collections::{HashMap, HashSet};

use super::{DIGITS, Guise};
use crate::model::id::{AgentId, EdgeId, FleetId};
use crate::model::metric::Subject;
use crate::model::report::{Interface, Peer};

/// Those who are behind pseudonyms.
#[derive(Debug)]
pub struct Faces {
    guise: Guise,
    /// Agents, by the digits of their ids.
    agents: HashMap<String, AgentId>,
    /// Fleets, by pseudonym.
    fleets: HashMap<FleetId, FleetId>,
    /// Names of hosts.
    hosts: HashSet<String>,
}

impl Faces {
    /// Of agents by id, host name and fleet, those that are gone included.
    pub fn of<'a>(
        guise: Guise,
        agents: impl Iterator<Item = (&'a AgentId, Option<&'a str>, &'a FleetId)>,
    ) -> Self {
        let (mut by_digits, mut hosts) = (HashMap::new(), HashSet::new());
        let mut fleets: HashSet<&FleetId> = HashSet::new();
        for (id, hostname, fleet) in agents {
            by_digits.insert(guise.digits(id.as_str()), id.clone());
            hosts.extend(hostname.map(str::to_owned));
            fleets.insert(fleet);
        }
        let fleets = fleets.into_iter().map(|fleet| (guise.fleet(fleet), fleet.clone())).collect();
        Self { guise, agents: by_digits, fleets, hosts }
    }

    /// Whose pseudonyms these are.
    pub fn guise(&self) -> &Guise {
        &self.guise
    }

    /// The agent behind a pseudonym.
    pub fn agent(&self, masked: &AgentId) -> Option<&AgentId> {
        let (_, digits) = masked.as_str().rsplit_once('-')?;
        let real = self.agents.get(digits).filter(|_| digits.len() == DIGITS)?;
        (self.guise.agent(real) == *masked).then_some(real)
    }

    /// The fleet behind a pseudonym.
    pub fn fleet(&self, masked: &FleetId) -> Option<&FleetId> {
        self.fleets.get(masked)
    }

    /// The node behind a pseudonym.
    pub fn node_id(&self, masked: &str) -> Option<String> {
        if let Some(agent) = masked.strip_prefix("a:") {
            return Some(format!("a:{}", self.agent(&agent.parse().ok()?)?));
        }
        let (fleet, key) = masked.strip_prefix("x:")?.split_once(':')?;
        let (fleet, key) = (self.fleet(&fleet.parse().ok()?)?, key.parse().ok()?);
        Some(format!("x:{fleet}:{}", self.guise.real_key(&key)))
    }

    /// The link behind a pseudonym, whether there is one or not.
    pub fn edge_id(&self, masked: &EdgeId) -> Option<EdgeId> {
        self.guise.real_short_id(masked.as_str())?.parse().ok()
    }

    /// What an event or an alarm is about, behind its pseudonym: a link or an agent.
    pub fn subject(&self, masked: &str) -> Option<String> {
        let agent = masked.parse().ok().and_then(|id| self.agent(&id)).map(ToString::to_string);
        agent.or_else(|| self.guise.real_short_id(masked))
    }

    /// The interface of a host behind a pseudonym.
    fn interface(&self, masked: &str, of: (&[Interface], &[Peer])) -> Option<String> {
        let own = of.0.iter().map(|interface| &interface.name);
        let mut names = own.chain(of.1.iter().map(|peer| &peer.interface));
        names.find(|name| self.guise.interface(name) == masked).cloned()
    }

    /// What a curve is about, behind its pseudonym: an interface or a peer of a host.
    pub fn measured(&self, masked: &Subject, of: (&[Interface], &[Peer])) -> Option<Subject> {
        Some(match masked {
            Subject::Interface(name) => Subject::Interface(self.interface(name, of)?),
            Subject::Peer(name, key) => {
                Subject::Peer(self.interface(name, of)?, self.guise.real_key(key))
            }
        })
    }

    /// Whether a word is the id of an agent.
    pub(super) fn is_agent(&self, word: &str) -> bool {
        let known = self.agents.get(&self.guise.digits(word));
        known.is_some_and(|id| id.as_str() == word)
    }

    /// Whether a word is the name of a fleet; the one that nobody named has none.
    pub(super) fn is_fleet(&self, word: &FleetId) -> bool {
        *word != FleetId::unnamed() && self.fleets.contains_key(&self.guise.fleet(word))
    }

    /// Whether a word is the name of a host.
    pub(super) fn is_host(&self, word: &str) -> bool {
        self.hosts.contains(word)
    }
}
