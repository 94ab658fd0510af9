//! Gathers who sends which prefix to whom, and tells the rule which of them end in two places.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::draft::Draft;
use super::fleet::{AgentMem, Fleet, PeerMem};
use super::raise::{name_of, observe};
use crate::alarms::rules::graph::{self as rules, Claim};
use crate::model::id::{AgentNo, FleetId};
use crate::model::state::{AgentStatus, AlarmKind};
use crate::topology::conflict::{Conflict, Entry, Holder, conflicts};

/// Labels that say that hosts stand in for each other: one made for it, else the site.
const GROUPS: [&str; 2] = ["ha", "site"];

/// One fleet's share of the allowed ips.
#[derive(Default)]
struct Space {
    entries: Vec<Entry>,
    overlays: BTreeSet<IpNet>,
}

/// Looks at all allowed ips of hosts that report.
pub(super) fn look(fleet: &mut Fleet, draft: &mut Draft) {
    let mut found: BTreeMap<String, (FleetId, Conflict)> = BTreeMap::new();
    for (home, space) in spaces(fleet) {
        for conflict in conflicts(&space.entries, &space.overlays, |no| holder(fleet, no)) {
            found.insert(format!("{home}/{}", conflict.net), (home.clone(), conflict));
        }
    }
    let Fleet { agents, book, .. } = fleet;
    let open = book.of_kind(AlarmKind::RouteConflict);
    let over = open.filter(|alarm| !found.contains_key(&alarm.subject));
    let over: Vec<_> = over.filter_map(|a| Some((a.subject.clone(), a.fleet.clone()?))).collect();
    for (subject, home) in over {
        observe(book, draft, &rules::claimed_twice(&home, &subject, &[]));
    }
    let name = |no: &AgentNo| agents.get(no).map_or("", |agent| name_of(&agent.record));
    for (subject, (home, conflict)) in &found {
        let claim = |(owner, listers): (&AgentNo, &BTreeSet<AgentNo>)| {
            let mut by: Vec<&str> = listers.iter().map(name).collect();
            by.sort_unstable();
            Claim { owner: name(owner), by }
        };
        let mut claims: Vec<Claim<'_>> = conflict.claims.iter().map(claim).collect();
        claims.sort_unstable();
        observe(book, draft, &rules::claimed_twice(home, subject, &claims));
    }
}

/// The allowed ips by fleet.
fn spaces(fleet: &Fleet) -> BTreeMap<&FleetId, Space> {
    let mut spaces: BTreeMap<&FleetId, Space> = BTreeMap::new();
    for agent in fleet.agents.values() {
        let record = &agent.record;
        if record.forgotten || record.status != AgentStatus::Online {
            continue;
        }
        let space = spaces.entry(&record.fleet).or_default();
        let tunnels = agent.claims.values().filter(|claimed| claimed.wireguard);
        let nets = tunnels.flat_map(|claimed| &claimed.addresses);
        let nets = nets.filter(|net| net.prefix_len() < net.max_prefix_len());
        space.overlays.extend(nets.map(IpNet::trunc));
        for peer in agent.peers.values() {
            let Some(owner) = other_end(fleet, agent, peer) else { continue };
            let entry = |net: &IpNet| Entry { lister: record.no, owner, net: net.trunc() };
            space.entries.extend(peer.peer.allowed_ips.iter().map(entry));
        }
    }
    spaces
}

/// The agent that a peer entry means, if it is another one.
fn other_end(fleet: &Fleet, agent: &AgentMem, peer: &PeerMem) -> Option<AgentNo> {
    let edge = fleet.edges.get(peer.edge.as_ref()?)?;
    let other = edge.record.ends.get(1 - peer.side.min(1))?.agent?;
    (other != agent.record.no).then_some(other)
}

fn holder(fleet: &Fleet, no: AgentNo) -> Holder {
    let Some(agent) = fleet.agents.get(&no) else { return Holder::default() };
    let addresses = agent.claims.values().flat_map(|claimed| &claimed.addresses);
    let labels = &agent.record.labels;
    let group = GROUPS.iter().find_map(|name| Some(format!("{name}={}", labels.get(*name)?)));
    Holder { addresses: addresses.copied().collect(), group }
}
