//! What the network cannot lose, and what it has lost of its second ways: looks at all links at
//! once, when they have changed, and tells the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::fleet::{AgentMem, EdgeMem, Fleet};
use super::raise::{facts, name_of, observe};
use crate::alarms::rules::graph::{self as rules, SitePair, Threat};
use crate::model::id::{AgentNo, EdgeId, FleetId};
use crate::model::state::{AgentStatus, AlarmKind, EdgeState};
use crate::topology::redundancy::Network;

/// The label that names a host's site.
const SITE: &str = "site";

/// Agents and links whose loss would split the network, as it should be, and what has become so.
#[derive(Debug, Default)]
pub(super) struct Weakness {
    cut_vertices: BTreeSet<AgentNo>,
    bridges: BTreeSet<(AgentNo, AgentNo)>,
    /// Agents that carry what other ways carried before.
    pub(super) carriers: BTreeMap<AgentNo, Carrier>,
    /// Pairs of sites that lost their second link, by their names in alarms.
    pub(super) pairs: BTreeMap<String, Pair>,
    /// Agents that report and have no live link, with how many dead ones.
    isolated: BTreeMap<AgentNo, usize>,
}

/// An agent that carries what other ways carried before.
#[derive(Debug)]
pub(super) struct Carrier {
    behind: u64,
    names: Vec<String>,
    lost: Vec<String>,
    /// Dead links that led round it.
    pub(super) links: Vec<EdgeId>,
    /// Agents without live links that led round it.
    pub(super) agents: Vec<AgentNo>,
}

/// Two sites with at most one live link between them, of several.
#[derive(Debug)]
pub(super) struct Pair {
    fleet: FleetId,
    sites: [String; 2],
    left: Option<String>,
    lost: Vec<String>,
    /// The dead ones.
    pub(super) links: Vec<EdgeId>,
}

impl Weakness {
    pub(super) fn is_cut_vertex(&self, no: AgentNo) -> bool {
        self.cut_vertices.contains(&no)
    }

    pub(super) fn is_bridge(&self, a: Option<AgentNo>, b: Option<AgentNo>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => self.bridges.contains(&(a.min(b), a.max(b))),
            _ => false,
        }
    }
}

/// Whether nothing passes a link, as far as anybody knows.
pub(super) fn is_dead(state: EdgeState) -> bool {
    matches!(state, EdgeState::Down | EdgeState::HalfConfigured)
}

/// Whether an agent is meant to be there: neither forgotten nor taken out of service.
fn counts(fleet: &Fleet, no: AgentNo) -> bool {
    let record = fleet.agents.get(&no).map(|agent| &agent.record);
    record.is_some_and(|record| !record.forgotten && record.status != AgentStatus::Retired)
}

/// The agents at the ends of a link that has worked and is meant to.
fn joined(fleet: &Fleet, edge: &EdgeMem) -> Option<(AgentNo, AgentNo)> {
    let [first, second] = &edge.record.ends;
    let ends = first.agent.zip(second.agent).filter(|_| edge.worked);
    ends.filter(|(a, b)| counts(fleet, *a) && counts(fleet, *b))
}

/// Looks at the whole network.
pub(super) fn look(fleet: &Fleet) -> Weakness {
    let joined = |edge: &EdgeMem| {
        let (a, b) = joined(fleet, edge)?;
        Some((a, b, !is_dead(edge.record.state)))
    };
    let network = Network::of(fleet.edges.values().filter_map(joined), |_| 1);
    let grown = network.grown(|no| {
        let home = fleet.agents.get(&no).map(|agent| &agent.record.fleet);
        let limits = home.map(|home| fleet.book.limits(AlarmKind::SpofNew, home, [Some(no), None]));
        limits.map_or(u64::MAX, |limits| limits.get(&rules::SPOF_BEHIND).unsigned_abs())
    });
    let mut weakness = Weakness {
        cut_vertices: network.built().nodes().map(|(no, _)| no).collect(),
        bridges: network.built().links().map(|(link, _)| link).collect(),
        carriers: BTreeMap::new(),
        pairs: pairs(fleet),
        isolated: isolated(fleet),
    };
    for group in network.together(&grown) {
        for no in spokesmen(fleet, &group, &grown) {
            let behind = grown.get(&no).copied().unwrap_or_default();
            weakness.carriers.insert(no, carrier(fleet, &network, (no, behind)));
        }
    }
    weakness
}

/// Of agents that carry one loss together: those with an alarm, else the one on which most hangs.
fn spokesmen(fleet: &Fleet, group: &[AgentNo], grown: &BTreeMap<AgentNo, u64>) -> Vec<AgentNo> {
    let has_alarm = |no: &&AgentNo| {
        let agent = fleet.agents.get(no);
        agent.is_some_and(|agent| {
            fleet.book.find(AlarmKind::SpofNew, agent.record.id.as_str()).is_some()
        })
    };
    let open: Vec<AgentNo> = group.iter().filter(has_alarm).copied().collect();
    if !open.is_empty() {
        return open;
    }
    let most = group.iter().max_by_key(|no| (grown.get(no), std::cmp::Reverse(**no)));
    most.copied().into_iter().collect()
}

fn carrier(fleet: &Fleet, network: &Network<AgentNo>, (no, behind): (AgentNo, u64)) -> Carrier {
    let ways = network.ways_round(no);
    let mut names: Vec<String> =
        network.live().cut_off(no).into_iter().map(|no| name(fleet, no)).collect();
    names.sort_unstable();
    let wanted: BTreeSet<(AgentNo, AgentNo)> = ways.links.iter().copied().collect();
    let ends = wanted.iter().flat_map(|(a, b)| [*a, *b]).filter_map(|no| fleet.agents.get(&no));
    let edges: BTreeSet<&EdgeId> = ends.flat_map(|agent| agent.edges.keys()).collect();
    let edges = edges.into_iter().filter_map(|id| fleet.edges.get(id));
    let links = edges.filter(|edge| {
        let pair = joined(fleet, edge).map(|(a, b)| (a.min(b), a.max(b)));
        pair.is_some_and(|pair| wanted.contains(&pair))
    });
    let links: Vec<&EdgeMem> = links.collect();
    let straight = links.iter().filter(|edge| {
        let ends = edge.record.ends.iter().filter_map(|end| end.agent);
        ends.into_iter().all(|end| !ways.nodes.contains(&end))
    });
    let mut lost: Vec<String> = ways.nodes.iter().map(|no| name(fleet, *no)).collect();
    lost.extend(straight.map(|edge| label(fleet, edge)));
    lost.sort_unstable();
    let links = links.iter().map(|edge| edge.record.id.clone()).collect();
    Carrier { behind, names, lost, links, agents: ways.nodes }
}

fn name(fleet: &Fleet, no: AgentNo) -> String {
    fleet.agents.get(&no).map(|agent| name_of(&agent.record).to_owned()).unwrap_or_default()
}

/// A link by the names of its ends.
fn label(fleet: &Fleet, edge: &EdgeMem) -> String {
    let [a, b] = edge.record.ends.each_ref().map(|end| end.agent.map(|no| name(fleet, no)));
    format!("{} ⇄ {}", a.unwrap_or_default(), b.unwrap_or_default())
}

/// Links between two sites, as they are counted.
#[derive(Default)]
struct Tally<'a> {
    all: usize,
    left: Option<&'a EdgeMem>,
    dead: Vec<&'a EdgeMem>,
}

/// Pairs of sites with several links, of which at most one is alive.
fn pairs(fleet: &Fleet) -> BTreeMap<String, Pair> {
    let site = |no: AgentNo| fleet.agents.get(&no)?.record.labels.get(SITE);
    let mut tallies: BTreeMap<(&FleetId, &str, &str), Tally<'_>> = BTreeMap::new();
    for edge in fleet.edges.values() {
        let Some((a, b)) = joined(fleet, edge) else { continue };
        let (Some(one), Some(other)) = (site(a), site(b)) else { continue };
        if one == other {
            continue;
        }
        let key = (&edge.record.fleet, one.min(other).as_str(), one.max(other).as_str());
        let tally = tallies.entry(key).or_default();
        tally.all += 1;
        if is_dead(edge.record.state) {
            tally.dead.push(edge);
        } else {
            tally.left = Some(edge);
        }
    }
    let lost = tallies.into_iter().filter(|(_, tally)| tally.all > 1);
    let lost = lost.filter(|(_, tally)| tally.all - tally.dead.len() <= 1);
    lost.map(|((home, one, other), tally)| {
        let mut lost: Vec<String> = tally.dead.iter().map(|edge| label(fleet, edge)).collect();
        lost.sort_unstable();
        let pair = Pair {
            fleet: home.clone(),
            sites: [one.to_owned(), other.to_owned()],
            left: tally.left.map(|edge| label(fleet, edge)),
            lost,
            links: tally.dead.iter().map(|edge| edge.record.id.clone()).collect(),
        };
        (format!("{home}/{one}|{other}"), pair)
    })
    .collect()
}

/// Agents that report and have links that have worked, none of them alive.
fn isolated(fleet: &Fleet) -> BTreeMap<AgentNo, usize> {
    let mut tallies: BTreeMap<AgentNo, (usize, usize)> = BTreeMap::new();
    for edge in fleet.edges.values().filter(|edge| edge.worked) {
        let ends = || edge.record.ends.iter().filter_map(|end| end.agent);
        if !ends().all(|no| counts(fleet, no)) {
            continue;
        }
        for no in ends() {
            let (all, dead) = tallies.entry(no).or_default();
            *all += 1;
            *dead += usize::from(is_dead(edge.record.state));
        }
    }
    let dead = tallies.into_iter().filter(|(_, (all, dead))| all == dead);
    dead.map(|(no, (all, _))| (no, all)).collect()
}

/// Tells the rules what there is, and what is open and is not any more.
pub(super) fn tell(fleet: &mut Fleet, draft: &mut Draft) {
    let Fleet { agents, book, weak, .. } = fleet;
    let open = |kind| book.of_kind(kind).filter_map(|alarm| alarm.agent).collect::<BTreeSet<_>>();
    let (carried, alone) = (open(AlarmKind::SpofNew), open(AlarmKind::NodeIsolated));
    let apart = book.of_kind(AlarmKind::RedundancyLost);
    let apart: Vec<_> = apart.filter_map(|a| Some((a.subject.clone(), a.fleet.clone()?))).collect();
    for no in carried.iter().chain(weak.carriers.keys()).collect::<BTreeSet<_>>() {
        let Some(agent) = agents.get(no) else { continue };
        let threat = weak.carriers.get(no).map(|carrier| Threat {
            behind: carrier.behind,
            names: &carrier.names,
            lost: &carrier.lost,
        });
        observe(book, draft, &rules::spof(&facts(agent, draft), threat.as_ref()));
    }
    for (subject, home) in apart.iter().filter(|(subject, _)| !weak.pairs.contains_key(subject)) {
        observe(book, draft, &rules::redundancy(home, subject, None));
    }
    for (subject, pair) in &weak.pairs {
        let [one, other] = &pair.sites;
        let left = pair.left.as_deref();
        let told = SitePair { sites: [one, other], left, dead: &pair.lost };
        observe(book, draft, &rules::redundancy(&pair.fleet, subject, Some(&told)));
    }
    let reports = |agent: &&AgentMem| agent.record.status == AgentStatus::Online;
    for no in alone.iter().chain(weak.isolated.keys()).collect::<BTreeSet<_>>() {
        // Who is silent cannot tell.
        let Some(agent) = agents.get(no).filter(reports) else { continue };
        let dead = weak.isolated.get(no).copied();
        let home = &agent.record.fleet;
        let limits = book.limits(AlarmKind::NodeIsolated, home, [Some(*no), None]);
        let enough = dead.is_none_or(|links| links >= limits.count(&rules::ISOLATED_LINKS));
        if enough || alone.contains(no) {
            observe(book, draft, &rules::isolated(&facts(agent, draft), dead));
        }
    }
}
