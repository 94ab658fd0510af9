//! Alarms about what changed of an agent's peer entries, and about the port its peers know it by:
//! compares with what was held before and asks the rules.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use super::draft::Draft;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet, PeerKey};
use super::raise::{self, facts, name_of};
use super::witness::hosts;
use crate::alarms::book::Book;
use crate::alarms::lifecycle::{Alarm, Observation};
use crate::alarms::rules::iface;
use crate::alarms::rules::peer::{self as rules, Entry, Misled};
use crate::model::id::{AgentNo, EdgeId};
use crate::model::key::WgKey;
use crate::model::report::{Interface, Peer};
use crate::model::state::{AgentStatus, AlarmKind};

/// A peer entry as it was before a report changed it.
pub(super) type Before = (PeerKey, Arc<Peer>);

/// What an agent's links are looked up in.
#[derive(Clone, Copy)]
struct World<'f> {
    agents: &'f Agents,
    edges: &'f HashMap<EdgeId, EdgeMem>,
}

impl<'f> World<'f> {
    /// The agent at the other end of a peer entry.
    fn other_end(self, agent: &AgentMem, key: &PeerKey) -> Option<&'f AgentMem> {
        let mem = agent.peers.get(key)?;
        let edge = self.edges.get(mem.edge.as_ref()?)?;
        self.agents.get(&edge.record.ends.get(1 - mem.side)?.agent?)
    }

    /// What people call a peer: its host, else the beginning of its key.
    fn name(self, agent: &AgentMem, key: &PeerKey) -> String {
        let host = self.other_end(agent, key).map(|other| name_of(&other.record).to_owned());
        host.unwrap_or_else(|| format!("peer {}", key.1.short()))
    }
}

/// Where a peer's packets go, if that is an address and not a name.
pub(super) fn endpoint(peer: &Peer) -> Option<SocketAddr> {
    peer.endpoint.as_deref()?.parse().ok()
}

/// From which address to which a peer went. Another port of one address is its translator's doing.
fn way(was: &Peer, is: &Peer) -> Option<(IpAddr, IpAddr)> {
    let (from, to) = (endpoint(was)?.ip(), endpoint(is)?.ip());
    (from != to).then_some((from, to))
}

/// Looks at the entries that a report changed, and at those with open alarms.
pub(super) fn look(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, changed: &[Before]) {
    let Fleet { agents, edges, book, .. } = fleet;
    let world = World { agents, edges };
    let Some(agent) = agents.get(&no) else { return };
    let open = with_alarms(book, no);
    for (key, was) in changed {
        let Some(mem) = agent.peers.get(key) else { continue };
        let name = world.name(agent, key);
        let facts = facts(agent, draft);
        let entry = Entry { agent: facts, interface: &key.0, key: &key.1, name: &name };
        let lost_psk = was.has_psk && !mem.peer.has_psk;
        let seen = [
            moved(world, agent, (key, was), &entry),
            lost_psk.then(|| rules::psk_removed(&entry)),
            way(was, &mem.peer).map(|(from, to)| rules::roamed(&entry, from, to)),
        ];
        for seen in seen.into_iter().flatten() {
            raise::observe(book, draft, &seen);
        }
    }
    for alarm in &open {
        let key = key_of(alarm);
        let was = changed.iter().find(|(other, _)| Some(other) == key.as_ref());
        let facts = facts(agent, draft);
        let seen = match (key.as_ref().and_then(|key| agent.peers.get(key)), alarm.kind) {
            (None, kind) => Some(rules::well(&facts, kind, alarm)),
            (Some(mem), AlarmKind::EndpointFlapping) => {
                let roams = was.is_some_and(|(_, was)| way(was, &mem.peer).is_some());
                let limits = book.limits(alarm.kind, &agent.record.fleet, [Some(no), None]);
                if roams { None } else { rules::stayed(&facts, alarm, &limits, draft.now) }
            }
            (Some(mem), kind) if mem.peer.has_psk => Some(rules::well(&facts, kind, alarm)),
            (Some(_), _) if was.is_some_and(|(_, was)| was.has_psk) => None,
            (Some(_), kind) => Some(rules::still(&facts, kind, alarm)),
        };
        if let Some(seen) = seen {
            raise::observe(book, draft, &seen);
        }
    }
}

/// An agent's alarms about peer entries that each report speaks for or against.
fn with_alarms(book: &Book, no: AgentNo) -> Vec<Alarm> {
    let kinds = [AlarmKind::EndpointFlapping, AlarmKind::WgPskRemoved];
    book.of_agent(no).filter(|alarm| kinds.contains(&alarm.kind)).cloned().collect()
}

/// The entry that an alarm is about (see [`Entry::subject`]); keys may have slashes in them.
fn key_of(alarm: &Alarm) -> Option<PeerKey> {
    let (_, rest) = alarm.subject.split_once('/')?;
    let (interface, key) = rest.split_once('/')?;
    Some((interface.into(), key.parse::<WgKey>().ok()?))
}

/// Whether a peer lost what it may use to another peer of its interface, or altogether. A host
/// that is listed under its old and its new key for a while took nothing from itself.
fn moved<'a>(
    world: World<'_>,
    agent: &AgentMem,
    (key, was): (&PeerKey, &Peer),
    entry: &Entry<'a>,
) -> Option<Observation<'a>> {
    let allowed = &agent.peers.get(key)?.peer.allowed_ips;
    let lost: Vec<IpNet> =
        was.allowed_ips.iter().filter(|net| !allowed.contains(net)).copied().collect();
    if lost.is_empty() {
        return None;
    }
    let first: PeerKey = (key.0.clone(), WgKey([0; 32]));
    let others = agent.peers.range(first..).take_while(|((on, _), _)| *on == key.0);
    let mut others = others.filter(|(other, _)| *other != key);
    let has = |mem: &Peer, net: &IpNet| mem.allowed_ips.contains(net);
    let taker = others.find(|(_, mem)| lost.iter().any(|net| has(&mem.peer, net)));
    let Some((taker, mem)) = taker else {
        return allowed.is_empty().then(|| rules::moved(entry, &lost, None));
    };
    let host = |key: &PeerKey| world.other_end(agent, key).map(|other| other.record.no);
    if host(key).is_some() && host(key) == host(taker) {
        return None;
    }
    let taken: Vec<IpNet> = lost.iter().filter(|net| has(&mem.peer, net)).copied().collect();
    Some(rules::moved(entry, &taken, Some(&world.name(agent, taker))))
}

/// Looks whether an agent's interfaces listen elsewhere than before while others still send to
/// the old port, and whether they still do where that is known. `before`: what the last report
/// told, if this one tells something else.
pub(super) fn ports(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    before: Option<&[Interface]>,
    now: &[Interface],
) {
    let Fleet { agents, edges, book, .. } = fleet;
    let world = World { agents, edges };
    let Some(agent) = agents.get(&no) else { return };
    let facts = facts(agent, draft);
    for interface in now {
        let Some(listens_on) = interface.listen_port else { continue };
        let was = before.and_then(|all| all.iter().find(|was| was.name == interface.name));
        let left = was.and_then(|was| was.listen_port).filter(|port| *port != listens_on);
        let subject = iface::subject(&facts, &interface.name);
        let is_open = || book.find(AlarmKind::ListenPortChanged, &subject).is_some();
        if left.is_none() && !is_open() {
            continue;
        }
        let mut misled = misled(world, agent, &interface.name);
        misled.retain(|one| one.port != listens_on && left.is_none_or(|left| one.port == left));
        let seen = rules::port(&facts, subject.clone(), listens_on, &misled);
        if seen.holds || is_open() {
            raise::observe(book, draft, &seen);
        }
    }
}

/// To which ports of an agent's own addresses its peers send for an interface.
fn misled<'f>(world: World<'f>, agent: &AgentMem, interface: &str) -> Vec<Misled<'f>> {
    let own: Vec<IpAddr> = agent.claims.values().flat_map(hosts).collect();
    let edges = agent.edges.keys().filter_map(|id| world.edges.get(id));
    let sends = edges.filter_map(|edge| {
        let ends = edge.record.ends.iter();
        let side = ends.clone().position(|end| {
            end.agent == Some(agent.record.no) && end.interface.as_deref() == Some(interface)
        })?;
        let other = world.agents.get(&edge.record.ends.get(1 - side)?.agent?)?;
        let reports = other.record.status == AgentStatus::Online;
        let to = endpoint(&other.peers.get(edge.listed(1 - side)?)?.peer)?;
        let is_direct = reports && own.contains(&to.ip());
        is_direct.then(|| Misled { by: name_of(&other.record), port: to.port() })
    });
    sends.collect()
}
