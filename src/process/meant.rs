//! The links that operators say are meant, held against those that there are: gathered here once a
//! minute, judged by the rules. Where nobody has said anything, nothing is looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::draft::Draft;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet};
use super::raise::{self, name_of};
use crate::alarms::lifecycle::Observation;
use crate::alarms::rules::meant::{self as rules, Pair};
use crate::model::id::{AgentNo, EdgeId, FleetId};
use crate::model::state::AlarmKind;

/// A fleet in which something is meant.
struct Space<'f> {
    id: &'f FleetId,
    agents: &'f Agents,
    /// Its agents by their names and ids; a name may be several hosts'.
    named: BTreeMap<&'f str, Vec<AgentNo>>,
    /// Between which agents there are links, the lower number first.
    linked: BTreeSet<[AgentNo; 2]>,
}

fn ordered(one: AgentNo, other: AgentNo) -> [AgentNo; 2] {
    [one.min(other), one.max(other)]
}

impl<'f> Space<'f> {
    fn of(agents: &'f Agents, edges: &HashMap<EdgeId, EdgeMem>, id: &'f FleetId) -> Self {
        let mut named: BTreeMap<&str, Vec<AgentNo>> = BTreeMap::new();
        let own = |agent: &&AgentMem| agent.record.fleet == *id && !agent.record.forgotten;
        for agent in agents.values().filter(own) {
            let record = &agent.record;
            for name in BTreeSet::from([record.id.as_str(), name_of(record)]) {
                named.entry(name).or_default().push(record.no);
            }
        }
        let edges = edges.values().filter(|edge| edge.record.fleet == *id);
        let linked = edges.filter_map(|edge| {
            let [first, second] = &edge.record.ends;
            Some(ordered(first.agent?, second.agent?))
        });
        Self { id, agents, named, linked: linked.collect() }
    }

    /// The pairs of agents that a meant link may be between.
    fn pairs(&self, ends: &[String; 2]) -> Vec<[AgentNo; 2]> {
        let [ones, others] = ends.each_ref().map(|name| self.named.get(name.as_str()));
        let ones = ones.into_iter().flatten();
        let with = |one: &AgentNo| {
            let others = others.into_iter().flatten();
            others.map(|other| ordered(*one, *other)).collect::<Vec<_>>()
        };
        ones.flat_map(with).collect()
    }

    /// What is to be said of the links that should be there, and of those that may.
    fn look<'t: 'f>(
        &self,
        listed: &[&'t [String; 2]],
        accepted: &[&[String; 2]],
    ) -> Vec<Observation<'f>> {
        let missing = listed.iter().map(|ends| self.missing(ends));
        let meant: BTreeSet<[AgentNo; 2]> =
            accepted.iter().flat_map(|ends| self.pairs(ends)).collect();
        let others = self.linked.difference(&meant).filter(|_| !accepted.is_empty());
        missing.chain(others.filter_map(|pair| self.unexpected(pair))).collect()
    }

    fn missing(&self, ends: &'f [String; 2]) -> Observation<'f> {
        let names = ends.each_ref().map(String::as_str);
        let agents = names.map(|name| self.named.get(name).and_then(|all| all.first()).copied());
        let pair = Pair { fleet: self.id, names, agents };
        let is_there = self.pairs(ends).iter().any(|pair| self.linked.contains(pair));
        rules::missing(&pair, !is_there)
    }

    fn unexpected(&self, pair: &[AgentNo; 2]) -> Option<Observation<'f>> {
        let [one, other] = pair.map(|no| self.agents.get(&no).map(|agent| name_of(&agent.record)));
        let pair = Pair { fleet: self.id, names: [one?, other?], agents: pair.map(Some) };
        Some(rules::unexpected(&pair, true))
    }
}

const KINDS: [AlarmKind; 2] = [AlarmKind::EdgeExpectedMissing, AlarmKind::EdgeUnexpected];

/// Looks at all fleets in which something is meant, and at what is open.
pub(super) fn look(fleet: &mut Fleet, draft: &mut Draft) {
    let Fleet { agents, edges, book, .. } = fleet;
    let open = KINDS.iter().flat_map(|kind| book.of_kind(*kind));
    let mut over: BTreeSet<(AlarmKind, String)> =
        open.map(|alarm| (alarm.kind, alarm.subject.clone())).collect();
    let tuning = Arc::clone(book.tuning());
    let says = |kind: &AlarmKind| tuning.of_kind(*kind).any(|entry| !entry.set.links.is_empty());
    if over.is_empty() && !KINDS.iter().any(says) {
        return;
    }
    let homes: BTreeSet<&FleetId> = agents.values().map(|agent| &agent.record.fleet).collect();
    for home in homes {
        let [listed, accepted] = KINDS.map(|kind| tuning.links(kind, home));
        if listed.is_empty() && accepted.is_empty() {
            continue;
        }
        let space = Space::of(agents, edges, home);
        for seen in space.look(&listed, &accepted) {
            if over.remove(&(seen.kind, seen.subject.to_string())) || seen.holds {
                raise::observe(book, draft, &seen);
            }
        }
    }
    // What is open and was not looked at is there, is gone, or is not asked about any more.
    for (kind, subject) in &over {
        raise::observe(book, draft, &rules::over(*kind, subject));
    }
}
