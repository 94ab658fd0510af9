//! Alarms about what a host's own tables say against each other: asks the rules when a table has
//! changed, and while something is wrong. Keeps of the tables only what links are judged by.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::fleet::{Fleet, Wire};
use super::raise::{self, facts};
use super::sorted::Sorted;
use crate::alarms::lifecycle::Alarm;
use crate::alarms::rules::errors::{Growth, Tally, look as look_at_errors};
use crate::alarms::rules::tables::{self as rules, Tables};
use crate::model::id::AgentNo;
use crate::model::report::{Interface, ReportData, Route, lists_every_interface};
use crate::model::state::AlarmKind;

/// The kinds that are about a host's tables.
const KINDS: [AlarmKind; 2] = [AlarmKind::RouteMissing, AlarmKind::MtuMismatch];

/// Takes over what a report tells of the WireGuard interfaces.
pub(super) fn note_wires(wires: &mut Sorted<Box<str>, Wire>, interfaces: &[Interface]) {
    let told = || interfaces.iter().filter(|interface| interface.public_key.is_some());
    let mut count = 0;
    for interface in told() {
        count += 1;
        let rx_errors = interface.counters.rx_errors;
        let wire = wires.get_mut(interface.name.as_str());
        // A counter that is known for the first time, or began again, tells of no growth.
        let was = wire.as_ref().and_then(|wire| wire.rx_errors);
        let drops = was.zip(rx_errors).is_some_and(|(was, is)| is > was);
        let listen_port = interface.listen_port;
        let now = Wire { mtu: interface.mtu, rx_errors, drops, listen_port };
        match wire {
            Some(wire) => *wire = now,
            None => _ = wires.insert(interface.name.as_str().into(), now),
        }
    }
    if wires.len() > count {
        let names: BTreeSet<&str> = told().map(|interface| interface.name.as_str()).collect();
        wires.retain(|name| names.contains(&**name));
    }
}

/// Looks whether packets arrive broken, or cannot leave.
pub(super) fn errors(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, interfaces: &[Interface]) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get_mut(&no) else { return };
    let mut tallies = std::mem::take(&mut agent.tallies);
    tallies.retain(|name| interfaces.iter().any(|interface| *interface.name == **name));
    let facts = facts(agent, draft);
    let limits = book.limits(AlarmKind::IfaceErrors, &agent.record.fleet, [Some(no), None]);
    let mut all = Vec::new();
    for interface in interfaces {
        let Some(is) = Tally::of(interface, draft.at) else { continue };
        let name = &interface.name;
        let Some(was) = tallies.get_mut(name.as_str()) else {
            tallies.insert(name.as_str().into(), is);
            continue;
        };
        match look_at_errors(&facts, name, [was, &is], &limits) {
            Growth::Early => continue,
            Growth::Nothing => {}
            Growth::Seen(seen) => all.push(seen),
        }
        *was = is;
    }
    for seen in all {
        if seen.holds || book.find(seen.kind, &seen.subject).is_some() {
            raise::observe(book, draft, &seen);
        }
    }
    if let Some(agent) = agents.get_mut(&no) {
        agent.tallies = tallies;
    }
}

/// Looks whether a host lost its way to everything. `before`: what the last report told, if this
/// one tells something else.
pub(super) fn defaults(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    before: Option<&[Route]>,
    data: &ReportData,
) {
    let Fleet { agents, book, .. } = fleet;
    let (Some(agent), Some(now)) = (agents.get(&no), &data.routes) else { return };
    let open = book.of_agent(no).filter(|alarm| alarm.kind == AlarmKind::DefaultRouteChanged);
    let open: Vec<Alarm> = open.cloned().collect();
    if data.routes_truncated || (before.is_none() && open.is_empty()) {
        return;
    }
    let open: Vec<&Alarm> = open.iter().collect();
    for seen in rules::defaults_gone(&facts(agent, draft), before, now, &open) {
        raise::observe(book, draft, &seen);
    }
}

/// Looks at the tables of a report. Lists that are not whole say nothing.
pub(super) fn look(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    is_changed: bool,
    data: &ReportData,
) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get_mut(&no) else { return };
    let (Some(interfaces), Some(routes), Some(peers)) =
        (&data.interfaces, &data.routes, &data.peers)
    else {
        return;
    };
    if data.routes_truncated || !lists_every_interface(&data.problems) {
        return;
    }
    let is_first = !std::mem::replace(&mut agent.looked_at, true);
    let open = book.of_agent(no).filter(|alarm| KINDS.contains(&alarm.kind));
    let open: Vec<Alarm> = open.cloned().collect();
    if !is_changed && !is_first && open.is_empty() {
        return;
    }
    let open: Vec<&Alarm> = open.iter().collect();
    let facts = facts(agent, draft);
    let tables = Tables { interfaces, routes, peers };
    let mut seen = rules::routes_missing(&facts, &tables, &open);
    seen.extend(rules::mtus_too_large(&facts, &tables, &open));
    for seen in seen {
        raise::observe(book, draft, &seen);
    }
}
