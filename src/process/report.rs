//! One verified report becomes one change: agent, interfaces, routes, peers, edges.
//!
//! What did not change since the last report costs a comparison of hashes and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::claims;
use super::diff;
use super::doubt;
use super::draft::{About, Draft};
use super::edges;
use super::fleet::{AgentMem, Fleet, PeerKey, PeerMem};
use super::history::{self, Whose};
use super::peers;
use super::raise;
use super::sections::SectionHashes;
use super::tables;
use crate::model::id::{AgentNo, FleetId};
use crate::model::report::{Interface, Peer, ReportData, Route, lists_every_interface};
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::change::{AgentRecord, PeerRecord};
use crate::store::{StoreError, Writer};
use crate::verify::Verified;

/// A host's clock that is so many seconds further off than at its last report was set. Reports
/// take a second or two; what a clock drifts between two of them is less.
const CLOCK_SET_S: u64 = 30;

/// What is known of a report besides its content.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    /// Whose it is.
    pub(super) no: AgentNo,
    /// Its envelope.
    pub(super) verified: &'a Verified,
    /// The fleet it is for.
    pub(super) fleet: &'a FleetId,
    /// Where it came from.
    pub(super) source: Option<IpAddr>,
    /// When its values were read, on the host's clock.
    pub(super) measured_at: UnixSeconds,
    /// Content hashes.
    pub(super) hashes: SectionHashes,
}

/// Applies a report's content to the fleet and writes down the difference.
pub(super) fn apply(
    fleet: &mut Fleet,
    writer: &mut dyn Writer,
    draft: &mut Draft,
    arrival: &Arrival<'_>,
    data: &ReportData,
) -> Result<(), StoreError> {
    let no = arrival.no;
    draft.at = arrival.measured_at;
    let Some(agent) = fleet.agents.get_mut(&no) else { return Ok(()) };
    let record = &mut agent.record;
    let was = (record.interfaces_hash, record.routes_hash, record.peers_hash);
    // Of the same row there is nothing to keep but what moves.
    let before = (!is_known(record, arrival, data)).then(|| record.clone());
    if before.is_some() {
        describe(record, arrival, data);
        fleet.book.place(no, &record.labels);
    }
    record.uptime_seconds = data.uptime_seconds;
    record.load = data.load;
    note_clock(agent, arrival, data.uptime_seconds, draft.now);
    if let Some(old) = before.as_ref().filter(|old| old.fleet != *arrival.fleet) {
        claims::change_fleet(fleet, draft, no, &old.fleet, arrival.fleet);
    }
    let (interfaces_was, routes_was, peers_was) = was;
    let interfaces_new = arrival.hashes.interfaces.is_some_and(|hash| hash != interfaces_was);
    let routes_new = arrival.hashes.routes.is_some_and(|hash| hash != routes_was);
    let stored =
        if interfaces_new || routes_new { writer.sections(no)? } else { (Vec::new(), Vec::new()) };
    raise::host(fleet, draft, no, before.as_ref());
    doubt::face(fleet, draft, no, data);
    if let Some(interfaces) = &data.interfaces {
        note_links(fleet, no, interfaces);
        if interfaces_new {
            let listing = data.peers.iter().flatten().map(|peer| peer.interface.as_str());
            change_interfaces(fleet, draft, no, [&stored.0, interfaces], &listing.collect());
            if data.peers.is_none() && lists_every_interface(&data.problems) {
                drop_orphans(fleet, draft, no, &stored.0);
            }
        }
        let before = interfaces_new.then_some(stored.0.as_slice());
        raise::interfaces(fleet, draft, no, (before, &stored.1), data);
        peers::ports(fleet, draft, no, before, interfaces);
        tables::errors(fleet, draft, no, interfaces);
    }
    if let Some(routes) = data.routes.as_ref().filter(|_| routes_new) {
        change_routes(fleet, draft, no, &stored.1, routes);
    }
    tables::defaults(fleet, draft, no, routes_new.then_some(&*stored.1), data);
    if let Some(peers) = &data.peers {
        let same = arrival.hashes.peers == Some(peers_was);
        let changed = change_peers(fleet, draft, no, peers, same);
        peers::look(fleet, draft, no, &changed);
    }
    tables::look(fleet, draft, no, before.is_some(), data);
    match &before {
        // Without peers even a link at rest may have lost a witness.
        None if data.peers.is_none() => edges::touch_all(fleet, draft, no),
        None => edges::touch_moved(fleet, draft, no),
        Some(before) => {
            note_agent(fleet, draft, no, before);
            edges::touch_all(fleet, draft, no);
        }
    }
    edges::judge_all(fleet, draft);
    Ok(())
}

/// Takes note of how far the host's clock is off, and whether it was set.
fn note_clock(agent: &mut AgentMem, arrival: &Arrival<'_>, uptime: Option<u64>, now: UnixSeconds) {
    let offset = arrival.verified.timestamp().since(now);
    let offset_was = std::mem::replace(&mut agent.record.clock_offset, offset);
    let uptime = uptime.and_then(|uptime| i64::try_from(uptime).ok());
    let booted_at = uptime.map(|uptime| arrival.measured_at.minus(uptime));
    let booted_was = std::mem::replace(&mut agent.booted_at, booted_at);
    // A report that took long, or a clock of ours that was set, moves the offset alone.
    let is_steady =
        booted_at.zip(booted_was).is_some_and(|(is, was)| is.0.abs_diff(was.0) <= CLOCK_SET_S);
    if agent.steady_since.is_none() || !is_steady && offset.abs_diff(offset_was) > CLOCK_SET_S {
        agent.clock_was_set(now);
    }
}

/// Whether the report leaves the agent's row as it is, apart from what moves with every report.
fn is_known(record: &AgentRecord, arrival: &Arrival<'_>, data: &ReportData) -> bool {
    let Arrival { verified, hashes, .. } = arrival;
    let same = |told: Option<u64>, known: u64| told.is_none_or(|told| told == known);
    let silent = |told: &Option<String>, known: &Option<String>| told.is_none() || told == known;
    same(hashes.interfaces, record.interfaces_hash)
        && same(hashes.routes, record.routes_hash)
        && same(hashes.peers, record.peers_hash)
        && record.kid.as_ref() == Some(verified.kid())
        && (record.scheme, record.canon_form) == (Some(verified.scheme()), Some(verified.form()))
        && (&record.fleet, record.source) == (arrival.fleet, arrival.source)
        && record.relay_path == *verified.relay_path()
        && silent(&data.hostname, &record.hostname)
        && silent(&data.agent_version, &record.agent_version)
        && silent(&data.boot_id, &record.boot_id)
        && record.has_labels(&data.labels)
        && record.problems == data.problems
}

/// Takes over what the envelope says, and the content of the host itself. What it does not say
/// stays.
fn describe(record: &mut AgentRecord, arrival: &Arrival<'_>, data: &ReportData) {
    let Arrival { verified, hashes, .. } = arrival;
    record.fleet = arrival.fleet.clone();
    record.scheme = Some(verified.scheme());
    record.canon_form = Some(verified.form());
    record.kid = Some(verified.kid().clone());
    record.relay_path = verified.relay_path().clone();
    record.source = arrival.source;
    if data.hostname.is_some() {
        record.hostname.clone_from(&data.hostname);
    }
    if data.agent_version.is_some() {
        record.agent_version.clone_from(&data.agent_version);
    }
    if data.boot_id.is_some() {
        record.boot_id.clone_from(&data.boot_id);
    }
    record.take_labels(&data.labels);
    record.problems.clone_from(&data.problems);
    record.interfaces_hash = hashes.interfaces.unwrap_or(record.interfaces_hash);
    record.routes_hash = hashes.routes.unwrap_or(record.routes_hash);
    record.peers_hash = hashes.peers.unwrap_or(record.peers_hash);
}

/// The parts of an agent's row that are facts worth a line of history.
fn facts(record: &AgentRecord) -> Map<String, Value> {
    let facts = json!({
        "hostname": record.hostname,
        "fleet_id": record.fleet,
        "agent_version": record.agent_version,
        "boot_id": record.boot_id,
        "labels": record.labels,
        "scheme": record.scheme,
        "form": record.canon_form,
    });
    if let Value::Object(map) = facts { map } else { Map::new() }
}

/// Puts the agent's changed row into the change. Moving values alone wait for the next flush;
/// the stored report has them.
pub(super) fn note_agent(fleet: &Fleet, draft: &mut Draft, no: AgentNo, before: &AgentRecord) {
    let Some(agent) = fleet.agents.get(&no) else { return };
    let record = &agent.record;
    draft.agents.insert(no, record.clone());
    draft.effects.agents.insert(no);
    // Labels say of which site it is.
    draft.effects.graph |= before.labels != record.labels;
    let (mut was, mut is) = (facts(before), facts(record));
    is.retain(|name, value| match was.get(name) {
        Some(old) if old == value => {
            was.remove(name);
            false
        }
        _ => true,
    });
    if before.forgotten {
        return;
    }
    let about = About {
        fleet: Some(record.fleet.clone()),
        agent: Some(no),
        subject: record.id.to_string(),
    };
    if !is.is_empty() {
        draft.event(EventKind::AgentChanged, about.clone(), Some(was.into()), Some(is.into()));
    }
    let (was, is) = (&before.relay_path, &record.relay_path);
    if was != is {
        draft.event(EventKind::AgentRelayPath, about, Some(json!(was)), Some(json!(is)));
    }
}

/// Remembers which interfaces there are, whether those are all, and which work.
fn note_links(fleet: &mut Fleet, no: AgentNo, interfaces: &[Interface]) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    agent.lists_all = lists_every_interface(&agent.record.problems);
    let works = interfaces.iter().filter_map(|i| i.is_up().map(|up| (i.name.as_str(), up)));
    if !agent.works.iter().map(|(name, up)| (&**name, *up)).eq(works.clone()) {
        agent.works = works.map(|(name, up)| (name.into(), up)).collect();
    }
    tables::note_wires(&mut agent.wires, interfaces);
    if !agent.interfaces.iter().map(|name| &**name).eq(interfaces.iter().map(|i| &*i.name)) {
        agent.interfaces = interfaces.iter().map(|i| i.name.as_str().into()).collect();
    }
}

fn change_interfaces(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    [before, now]: [&[Interface]; 2],
    with_peers: &BTreeSet<&str>,
) {
    let found = diff::interfaces(before, now);
    history::interfaces(draft, &Whose::of(fleet, no), &found);
    let changed = found.changed.iter().map(|change| change.after);
    let set = found.added.iter().copied().chain(changed);
    draft.change.interfaces_set.extend(set.map(|interface| (no, interface.clone())));
    let removed = found.removed.iter().map(|interface| (no, interface.name.clone()));
    draft.change.interfaces_removed.extend(removed);
    claims::renew(fleet, draft, no, now, with_peers);
}

/// Drops the peers of interfaces that are gone, where the report itself says nothing of peers:
/// what is not there has none.
fn drop_orphans(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, before: &[Interface]) {
    let Some(agent) = fleet.agents.get(&no) else { return };
    let gone = |name: &str| {
        !agent.claims.contains_key(name) && before.iter().any(|interface| interface.name == name)
    };
    let orphans: Vec<PeerKey> = agent.peers.keys().filter(|key| gone(&key.0)).cloned().collect();
    for key in &orphans {
        drop_peer(fleet, draft, no, key);
    }
}

fn change_routes(fleet: &Fleet, draft: &mut Draft, no: AgentNo, before: &[Route], now: &[Route]) {
    let found = diff::routes(before, now);
    history::routes(draft, &Whose::of(fleet, no), &found);
    draft.change.routes_added.extend(found.added.into_iter().map(|route| (no, route.clone())));
    draft.change.routes_removed.extend(found.removed.into_iter().map(|route| (no, route.clone())));
}

/// Takes an agent's peers; answers which entries differ, as they were.
fn change_peers(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    peers: &[Peer],
    same: bool,
) -> Vec<peers::Before> {
    let now = draft.now;
    let at = draft.at;
    let mut changed = Vec::new();
    let Some(agent) = fleet.agents.get_mut(&no) else { return changed };
    agent.tells_peers = true;
    if same && agent.peers.len() == peers.len() {
        // Sorted alike on both sides; nothing but the moving values differs.
        for (mem, peer) in agent.peers.values_mut().zip(peers) {
            mem.advance(peer, at, now);
        }
        return changed;
    }
    let mut gone: BTreeMap<PeerKey, ()> = agent.peers.keys().map(|key| (key.clone(), ())).collect();
    let mut moved = Vec::new();
    for peer in peers {
        let key: PeerKey = (peer.interface.as_str().into(), peer.public_key);
        gone.remove(&key);
        match change_peer(fleet, draft, no, &key, peer) {
            Taken::Same => {}
            Taken::New => moved.push(key),
            Taken::Changed(was) => {
                changed.push((key.clone(), was));
                moved.push(key);
            }
        }
    }
    for key in gone.into_keys() {
        drop_peer(fleet, draft, no, &key);
    }
    for key in &moved {
        edges::link(fleet, draft, no, key);
    }
    for key in &moved {
        store_peer(fleet, draft, no, key);
    }
    claims::reconsider(fleet, draft, no);
    changed
}

/// What a peer entry is beside what was held of it.
enum Taken {
    /// The same, apart from what moves; its row need not be written.
    Same,
    /// It was not there.
    New,
    /// It was this.
    Changed(Arc<Peer>),
}

/// Takes one peer entry.
fn change_peer(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    key: &PeerKey,
    peer: &Peer,
) -> Taken {
    let (now, at) = (draft.now, draft.at);
    let whose = Whose::of(fleet, no);
    let Some(agent) = fleet.agents.get_mut(&no) else { return Taken::Same };
    let space = agent.record.fleet.clone();
    if let Some(mem) = agent.peers.get_mut(key) {
        mem.advance(peer, at, now);
        if !history::peer(draft, &whose, Some(&mem.peer), Some(peer)) {
            return Taken::Same;
        }
        let old = std::mem::replace(&mut mem.peer, Arc::new(peer.clone()));
        if let Some(edge) = mem.edge.clone() {
            draft.effects.edges.insert(edge);
        }
        fleet.owners.remove_peer(&space, no, &old);
        fleet.owners.add_peer(&space, no, peer);
        return Taken::Changed(old);
    }
    history::peer(draft, &whose, None, Some(peer));
    fleet.owners.add_peer(&space, no, peer);
    let mut mem = PeerMem::new(Arc::new(peer.clone()));
    mem.advance(peer, at, now);
    agent.peers.insert(key.clone(), mem);
    draft.effects.agents.insert(no);
    Taken::New
}

pub(super) fn drop_peer(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, key: &PeerKey) {
    edges::unlink(fleet, draft, no, key);
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    let Some(mem) = agent.peers.remove(key) else { return };
    fleet.owners.remove_peer(&agent.record.fleet, no, &mem.peer);
    history::peer(draft, &Whose::of(fleet, no), Some(&mem.peer), None);
    draft.change.peers_removed.push((no, key.0.to_string(), key.1));
    draft.effects.agents.insert(no);
    claims::forget_unused(fleet, &key.1);
}

/// Puts the peer's row into the change.
pub(super) fn store_peer(fleet: &Fleet, draft: &mut Draft, no: AgentNo, key: &PeerKey) {
    let Some(mem) = fleet.agents.get(&no).and_then(|agent| agent.peers.get(key)) else { return };
    let Some(edge) = mem.edge.clone() else { return };
    let peer = mem.present();
    draft.change.peers_set.push(PeerRecord { agent: no, peer, edge, measured_at: draft.at });
}
