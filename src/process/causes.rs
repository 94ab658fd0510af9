//! What lies around each open alarm in the fleet as it is now, so that `alarms::cause` can tell
//! which alarm it follows from. Decides nothing itself.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::fleet::{EdgeMem, Fleet};
use super::peers::endpoint;
use super::raise;
use super::tick::Sentry;
use super::weak::is_dead;
use crate::alarms::book::Book;
use crate::alarms::cause::{self, Around, End};
use crate::alarms::lifecycle::Alarm;
use crate::model::id::{AgentNo, AlarmId, EdgeId};
use crate::model::state::{AlarmKind, AlarmState, Severity};
use crate::topology::graph::Split;

/// Looks at every open alarm, if anything may have changed what it follows from.
pub(super) fn look(fleet: &mut Fleet, sentry: &mut Sentry, draft: &mut Draft) {
    if !sentry.causes_changed && !draft.effects.alarms && !draft.effects.graph {
        return;
    }
    let only = sentry.splits.iter().map(|(id, split)| Some((id.clone(), only_link(fleet, split)?)));
    sentry.only_links = only.flatten().collect();
    let all: Vec<AlarmId> = fleet.book.alarms().map(|alarm| alarm.id).collect();
    judge(fleet, sentry, draft, &all);
    // Until an alarm counts for itself again, only time has to pass.
    sentry.causes_changed = fleet.book.alarms().any(|alarm| alarm.inhibited_by.is_some());
}

/// Looks at those alarms that are about to be written.
pub(super) fn attribute(fleet: &mut Fleet, sentry: &Sentry, draft: &mut Draft) {
    let changed: Vec<AlarmId> = draft.alarms.keys().copied().collect();
    judge(fleet, sentry, draft, &changed);
}

fn judge(fleet: &mut Fleet, sentry: &Sentry, draft: &mut Draft, ids: &[AlarmId]) {
    for id in ids {
        let Some(alarm) = fleet.book.get(*id) else { continue };
        if alarm.state == AlarmState::Pending {
            continue;
        }
        let around = around(fleet, sentry, alarm);
        if let Some((by, until)) = cause::next(&fleet.book, alarm, &around, draft.now) {
            let step = fleet.book.inhibit(*id, by, until);
            raise::take(draft, step);
        }
    }
}

fn around(fleet: &Fleet, sentry: &Sentry, alarm: &Alarm) -> Around {
    let (patience, interval_s) = (sentry.patience(), fleet.report_interval);
    // In its first minutes the graph is not looked at, and then takes two more reports to settle.
    let young_until = patience.started_at.plus(patience.grace_s() + 3 * interval_s);
    let mut around = Around { interval_s, young_until, ..Around::default() };
    let id = alarm.subject.parse::<EdgeId>().ok();
    let id = id.filter(|_| AlarmKind::OF_LINKS.contains(&alarm.kind));
    if let Some(id) = id {
        if let Some(edge) = fleet.edges.get(&id) {
            around.link = Some(id.to_string());
            around.ends = ends(fleet, sentry, edge);
            let split = sentry.splits.get(&edge.record.fleet);
            let is_only = sentry.only_links.get(&edge.record.fleet) == Some(&edge.record.id);
            let parts = split.filter(|split| !is_only && is_between(split, edge));
            around.split = parts.map(|_| edge.record.fleet.to_string());
        }
    } else if alarm.kind == AlarmKind::NetPartition {
        let split = alarm.fleet.as_ref().and_then(|id| sentry.splits.get(id));
        around.ends = split.map(|split| joints(fleet, split)).unwrap_or_default();
        let only = alarm.fleet.as_ref().and_then(|id| sentry.only_links.get(id));
        around.only_link = only.map(EdgeId::to_string);
    } else if matches!(alarm.kind, AlarmKind::SpofNew | AlarmKind::RedundancyLost) {
        lost(fleet, sentry, alarm, &mut around);
    } else if alarm.kind == AlarmKind::NodeIsolated {
        alone(fleet, sentry, alarm, &mut around);
    } else if alarm.kind == AlarmKind::EdgeExpectedMissing {
        // A tunnel that nobody lists any more went with its interface.
        let gone = |no: AgentNo| {
            let gone = fleet.book.of_agent(no).filter(|alarm| alarm.kind == AlarmKind::IfaceGone);
            let interfaces = gone.map(|alarm| alarm.subject.clone()).collect();
            Some(End { interfaces, ..end(fleet, sentry, no)? })
        };
        around.ends = [alarm.agent, alarm.also].into_iter().flatten().filter_map(gone).collect();
    } else {
        around.ends = alarm.agent.and_then(|no| end(fleet, sentry, no)).into_iter().collect();
        let of_interface = alarm.subject.contains('/').then(|| alarm.subject.clone());
        around.ends.iter_mut().for_each(|end| end.own.clone_from(&of_interface));
        if let Some(no) = alarm.agent.filter(|_| alarm.kind == AlarmKind::DefaultRouteChanged) {
            let kinds = [AlarmKind::IfaceDown, AlarmKind::IfaceGone];
            let lost = fleet.book.of_agent(no).filter(|alarm| kinds.contains(&alarm.kind));
            let uplinks: Vec<String> = lost.map(|alarm| alarm.subject.clone()).collect();
            around.ends.iter_mut().for_each(|end| end.interfaces.clone_from(&uplinks));
        }
        let is_address = alarm.kind == AlarmKind::OverlayIpDuplicate;
        around.key = alarm.agent.filter(|_| is_address).and_then(|no| copied_key(fleet, no));
    }
    around
}

fn end(fleet: &Fleet, sentry: &Sentry, no: AgentNo) -> Option<End> {
    let name = |no: &AgentNo| Some(fleet.agents.get(no)?.record.id.to_string());
    let relays = sentry.ways.get(&no);
    let silent = |no: &AgentNo| sentry.fell_silent.contains(no);
    Some(End {
        agent: name(&no)?,
        own: None,
        port: None,
        entry: None,
        interfaces: Vec::new(),
        relays: relays.into_iter().flatten().filter_map(name).collect(),
        fell_silent: silent(&no) || relays.into_iter().flatten().any(silent),
    })
}

/// The WireGuard key of an agent that others tell too.
fn copied_key(fleet: &Fleet, no: AgentNo) -> Option<String> {
    let claims = fleet.agents.get(&no)?.claims.values();
    let mut keys = claims.filter_map(|claimed| claimed.key);
    let copied = keys.find(|key| fleet.owners.owners_of(key).len() > 1);
    copied.map(|key| key.to_string())
}

/// Both ends of a link, as far as agents are there.
fn ends(fleet: &Fleet, sentry: &Sentry, edge: &EdgeMem) -> Vec<End> {
    let ends = edge.record.ends.iter().zip(&edge.listed).enumerate();
    let ends = ends.filter_map(|(side, (place, listed))| {
        let no = place.agent?;
        let interface = place.interface.as_deref().unwrap_or_default();
        let interfaces = broken(fleet, no, interface);
        let end = end(fleet, sentry, no)?;
        let entry = listed.as_ref().map(|(on, key)| format!("{}/{on}/{key}", end.agent));
        let own = format!("{}/{interface}", end.agent);
        let port = (!is_known_by_port(fleet, edge, side)).then(|| own.clone());
        Some(End { own: Some(own), port, entry, interfaces, ..end })
    });
    ends.collect()
}

/// Whether the other end sends to the port that this end's interface listens on: then nothing
/// about that port explains what becomes of the link.
fn is_known_by_port(fleet: &Fleet, edge: &EdgeMem, side: usize) -> bool {
    let agent = |side: usize| fleet.agents.get(&edge.record.ends.get(side)?.agent?);
    let listens_on = || {
        let interface = edge.record.ends.get(side)?.interface.as_deref()?;
        agent(side)?.wires.get(interface)?.listen_port
    };
    let sends_to = || {
        let entry = agent(1 - side)?.peers.get(edge.listed(1 - side)?)?;
        Some(endpoint(&entry.peer)?.port())
    };
    sends_to().zip(listens_on()).is_some_and(|(to, on)| to == on)
}

/// What an alarm about second ways that are lost tells of.
fn lost(fleet: &Fleet, sentry: &Sentry, alarm: &Alarm, around: &mut Around) {
    let weak = &fleet.weak;
    let carrier = alarm.agent.and_then(|no| weak.carriers.get(&no));
    let pair = weak.pairs.get(&alarm.subject);
    let links = carrier.map(|found| &found.links).or(pair.map(|found| &found.links));
    around.links = links.into_iter().flatten().map(ToString::to_string).collect();
    let agents = carrier.into_iter().flat_map(|carrier| &carrier.agents);
    around.ends = agents.filter_map(|no| end(fleet, sentry, *no)).collect();
    around.split = split_of(sentry, alarm);
}

/// What could leave an agent alone: an interface that all its links need, or the silence of all
/// its neighbours.
fn alone(fleet: &Fleet, sentry: &Sentry, alarm: &Alarm, around: &mut Around) {
    let Some(agent) = alarm.agent.and_then(|no| fleet.agents.get(&no)) else { return };
    let no = agent.record.no;
    let edges = || agent.edges.keys().filter_map(|id| fleet.edges.get(id)).filter(|e| e.worked);
    let own = |edge: &EdgeMem| {
        let place = edge.record.ends.iter().find(|place| place.agent == Some(no));
        let interface = place.and_then(|place| place.interface.as_deref());
        BTreeSet::from_iter(broken(fleet, no, interface.unwrap_or_default()))
    };
    let shared = edges().map(own).reduce(|a, b| a.intersection(&b).cloned().collect());
    let interfaces = shared.into_iter().flatten().collect();
    around.ends.extend(end(fleet, sentry, no).map(|end| End { interfaces, ..end }));
    let others = edges().flat_map(|edge| edge.record.ends.iter().map(|place| place.agent));
    let others: BTreeSet<Option<AgentNo>> = others.filter(|other| *other != Some(no)).collect();
    let silent: BTreeSet<AgentNo> = silent(&fleet.book).collect();
    if others.iter().all(|other| other.is_some_and(|no| silent.contains(&no))) {
        around.ends.extend(others.into_iter().flatten().filter_map(|no| end(fleet, sentry, no)));
    }
    around.split = split_of(sentry, alarm);
}

/// The alarm's fleet, if it fell apart.
fn split_of(sentry: &Sentry, alarm: &Alarm) -> Option<String> {
    let fleet = alarm.fleet.as_ref()?;
    sentry.splits.contains_key(fleet).then(|| fleet.to_string())
}

/// The interfaces with alarms that a link of this interface needs: it, and those towards the rest
/// of the world, which are the other ones whose loss is major.
fn broken(fleet: &Fleet, no: AgentNo, interface: &str) -> Vec<String> {
    let Some(agent) = fleet.agents.get(&no) else { return Vec::new() };
    let needs = |alarm: &&Alarm| {
        let name = alarm.subject.split_once('/').map_or("", |(_, name)| name);
        let is_wireguard = agent.claims.get(name).is_some_and(|claimed| claimed.wireguard);
        let is_uplink = !is_wireguard && alarm.own >= Severity::Major;
        (alarm.kind == AlarmKind::IfaceGone && name == interface)
            || (alarm.kind == AlarmKind::IfaceDown && (name == interface || is_uplink))
    };
    fleet.book.of_agent(no).filter(needs).map(|alarm| alarm.subject.clone()).collect()
}

/// The side of a split that an agent is on.
fn side(split: &Split, no: Option<AgentNo>) -> Option<usize> {
    let no = no?;
    split.sides.iter().position(|side| side.contains(&no))
}

/// Whether a link would join two sides.
fn is_between(split: &Split, edge: &EdgeMem) -> bool {
    let [first, second] = &edge.record.ends;
    let sides = side(split, first.agent).zip(side(split, second.agent));
    sides.is_some_and(|(a, b)| a != b)
}

/// The dead links between the sides of a split that have worked.
fn between<'a>(fleet: &'a Fleet, split: &'a Split) -> impl Iterator<Item = &'a EdgeMem> {
    fleet
        .edges
        .values()
        .filter(|edge| is_dead(edge.record.state) && edge.worked && is_between(split, edge))
}

/// The one dead link between the sides of a split, if there is only one.
fn only_link(fleet: &Fleet, split: &Split) -> Option<EdgeId> {
    let mut between = between(fleet, split);
    let only = between.next()?;
    between.next().is_none().then(|| only.record.id.clone())
}

/// What would join the sides of a split again: an interface that all dead links between them
/// need; several, if each of those links needs one of them; or a silent agent that has links into
/// several sides.
fn joints(fleet: &Fleet, split: &Split) -> Vec<End> {
    let needed = between(fleet, split).map(|edge| {
        let ends = edge.record.ends.iter();
        let broken = ends.filter_map(|place| {
            Some(broken(fleet, place.agent?, place.interface.as_deref().unwrap_or_default()))
        });
        broken.flatten().collect::<BTreeSet<String>>()
    });
    let needed: Vec<BTreeSet<String>> = needed.collect();
    let shared = needed.iter().cloned().reduce(|a, b| a.intersection(&b).cloned().collect());
    let together = needed.iter().all(|link| !link.is_empty());
    let interfaces = match shared {
        Some(shared) if shared.is_empty() && together => {
            BTreeSet::from_iter(needed.into_iter().flatten()).into_iter().collect()
        }
        shared => shared.into_iter().flatten().collect(),
    };
    let mut joints = vec![End { interfaces, ..End::default() }];
    let silent = silent(&fleet.book).filter_map(|no| fleet.agents.get(&no));
    joints.extend(silent.filter_map(|agent| {
        let edges = agent.edges.keys().filter_map(|id| fleet.edges.get(id));
        let others = edges.filter(|edge| edge.worked).flat_map(|edge| &edge.record.ends);
        let sides: BTreeSet<usize> = others.filter_map(|end| side(split, end.agent)).collect();
        let is_joint = sides.len() > 1;
        is_joint.then(|| End { agent: agent.record.id.to_string(), ..End::default() })
    }));
    joints
}

/// The agents that are known to be offline.
fn silent(book: &Book) -> impl Iterator<Item = AgentNo> {
    book.of_kind(AlarmKind::AgentOffline).filter(|alarm| alarm.stands()).filter_map(|a| a.agent)
}
