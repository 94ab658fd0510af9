//! From facts to alarms: asks the rules, keeps the book, and puts every change of an alarm into
//! the same transaction as the fact behind it.

use serde_json::{Value, json};

use super::clocks;
use super::draft::{About, Draft};
use super::edges::external_alarm;
use super::fleet::{AgentMem, Agents, Fleet};
use super::handle::KeyState;
use super::ledger::row_of;
use super::links;
use super::weak::Weakness;
use crate::alarms::book::{Book, Transition};
use crate::alarms::flap::Flap;
use crate::alarms::lifecycle::{Alarm, Observation, Step};
use crate::alarms::rules::edge::{EdgeFacts, PeerFacts};
use crate::alarms::rules::manager::DnsFacts;
use crate::alarms::rules::{self, AgentFacts};
use crate::model::id::{AgentNo, EdgeId, FleetId};
use crate::model::key::WgKey;
use crate::model::report::{Interface, ReportData, Route, lists_every_interface};
use crate::model::state::{AgentStatus, AlarmKind, AlarmState, EventKind};
use crate::store::change::{AgentRecord, EdgeRecord};
use crate::store::flap::FlapRecord;
use crate::topology::edge_match::EndpointName;
use crate::topology::verdict::Verdict;

/// The name by which people know an agent.
pub(super) fn name_of(record: &AgentRecord) -> &str {
    record.hostname.as_deref().unwrap_or(record.id.as_str())
}

pub(super) fn facts<'a>(agent: &'a AgentMem, draft: &Draft) -> AgentFacts<'a> {
    AgentFacts { report: draft.report, ..facts_of(&agent.record) }
}

fn facts_of(record: &AgentRecord) -> AgentFacts<'_> {
    AgentFacts {
        no: record.no,
        id: &record.id,
        fleet: &record.fleet,
        name: name_of(record),
        report: None,
        late: false,
    }
}

/// Tells the book what a rule saw.
pub(super) fn observe(book: &mut Book, draft: &mut Draft, seen: &Observation<'_>) {
    take(draft, book.observe(seen, draft.now));
}

/// Puts what became of an alarm into the change and, if people are told, into the history.
pub(super) fn take(draft: &mut Draft, step: Option<Transition>) {
    let Some(Transition { step, alarm }) = step else { return };
    draft.effects.alarms = true;
    draft.effects.agents.extend(alarm.agent);
    if let Some(kind) = kind_of(step) {
        let about = About {
            fleet: alarm.fleet.clone(),
            agent: alarm.agent,
            subject: format!("{} {}", alarm.kind, alarm.subject),
        };
        let told = told(step, &alarm);
        draft.event(kind, about, None, Some(told));
    }
    let Flap { penalty, at } = alarm.flap;
    if at == draft.now && penalty > 0 {
        let (kind, subject) = (alarm.kind, alarm.subject.clone());
        let flap = FlapRecord { kind, subject: subject.clone(), penalty, at };
        draft.flaps.insert((kind, subject), flap);
    }
    draft.alarms.insert(alarm.id, row_of(alarm));
}

/// What the history says of an alarm.
fn told(step: Step, alarm: &Alarm) -> Value {
    let mut told = json!({
        "id": alarm.id,
        "kind": alarm.kind,
        "severity": alarm.severity,
        "state": alarm.state,
        "message": alarm.message,
        "cause": alarm.clear_cause,
        "inhibited_by": alarm.inhibited_by,
        "flapping": alarm.flapping_until.is_some(),
        "over": alarm.returned_at.is_some(),
    });
    let note = alarm.note.as_ref().filter(|_| step == Step::Acknowledged);
    let also = [
        ("note", note.map(|note| json!(note))),
        ("shelved_until", alarm.shelved.as_ref().map(|shelved| json!(shelved.until))),
        ("shelve_reason", alarm.shelved.as_ref().map(|shelved| json!(shelved.reason))),
        ("maintenance", alarm.maintenance.map(|window| json!(window))),
    ];
    let also = also.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    if let Some(members) = told.as_object_mut() {
        members.extend(also);
    }
    told
}

fn kind_of(step: Step) -> Option<EventKind> {
    match step {
        Step::Noted | Step::Dropped => None,
        Step::Raised | Step::Escalated | Step::Eased => Some(EventKind::AlarmRaised),
        Step::Acknowledged => Some(EventKind::AlarmAcknowledged),
        Step::Returned => Some(EventKind::AlarmReturned),
        Step::Cleared => Some(EventKind::AlarmCleared),
        Step::Inhibited | Step::Released => Some(EventKind::AlarmInhibited),
        Step::Flapping | Step::Flipped | Step::Steadied => Some(EventKind::AlarmFlapping),
        Step::Shelved => Some(EventKind::AlarmShelved),
        Step::Unshelved => Some(EventKind::AlarmUnshelved),
        Step::Covered | Step::Uncovered => Some(EventKind::AlarmMaintenance),
    }
}

/// What a report says of its host as a whole; `before` is `None` if it changed nothing.
pub(super) fn host(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    before: Option<&AgentRecord>,
) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let record = &agent.record;
    let facts = facts(agent, draft);
    let kind = AlarmKind::AgentVersionOld;
    let least = book.limits(kind, &record.fleet, [Some(no), None]).least_version();
    let is_old = book.find(kind, record.id.as_str()).is_some();
    if (least.is_some() || is_old)
        && let Some(seen) = rules::member::version(&facts, record.agent_version.as_deref(), least)
        && (seen.holds || is_old)
    {
        observe(book, draft, &seen);
    }
    let now = record.boot_id.as_deref();
    let was = before.map_or(now, |before| before.boot_id.as_deref());
    // The opposite of a reboot counts only while a reboot is open.
    let open = book.find(AlarmKind::AgentRebooted, record.id.as_str()).is_some();
    if (was != now || open)
        && let Some(seen) = rules::agent::rebooted(&facts, was, now)
    {
        observe(book, draft, &seen);
    }
}

/// An accepted report shows that what was wrong with earlier ones is over.
pub(super) fn accepted(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    skew: Skew,
    secrets: bool,
) {
    let Fleet { agents, edges, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let facts = facts(agent, draft);
    let id = agent.record.id.as_str();
    if book.find(AlarmKind::AgentClockSkew, id).is_some()
        && let Some(seen) = clock_skew(book, &facts, skew)
    {
        observe(book, draft, &seen);
    }
    let limits = book.limits(AlarmKind::AgentClockDrift, facts.fleet, [Some(no), None]);
    let by_peers = || clocks::by_peers(agents, edges, agent, draft.now);
    if let Some(seen) = rules::agent::clock_drift(&facts, skew.offset, by_peers, &limits)
        && (seen.holds || book.find(seen.kind, id).is_some())
    {
        observe(book, draft, &seen);
    }
    if secrets || book.find(AlarmKind::SecretInReport, id).is_some() {
        let seen = rules::ingest::secret(&facts, secrets);
        observe(book, draft, &seen);
    }
    if book.find(AlarmKind::PayloadRejected, id).is_some() {
        observe(book, draft, &rules::ingest::unusable(&facts, None));
    }
    if book.find(AlarmKind::AgentNeverReturned, id).is_some() {
        observe(book, draft, &rules::member::back(&facts));
    }
    if book.find(AlarmKind::AgentFlapping, id).is_some() {
        observe(book, draft, &rules::agent::steady(&facts));
    }
    let silent = [AlarmKind::AgentStale, AlarmKind::AgentOffline];
    if silent.into_iter().any(|kind| book.find(kind, id).is_some()) {
        for seen in rules::agent::heard(&facts) {
            observe(book, draft, &seen);
        }
    }
}

/// How far an agent's clock is off, and how far it may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skew {
    pub(super) offset: i64,
    pub(super) max: i64,
}

fn clock_skew<'a>(book: &Book, facts: &AgentFacts<'a>, skew: Skew) -> Option<Observation<'a>> {
    let limits = book.limits(AlarmKind::AgentClockSkew, facts.fleet, [Some(facts.no), None]);
    rules::agent::clock_skew(facts, skew.offset, skew.max, &limits)
}

/// An agent that was offline reports again.
pub(super) fn came_back(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get_mut(&no) else { return };
    let limits = book.limits(AlarmKind::AgentFlapping, &agent.record.fleet, [Some(no), None]);
    let often = rules::agent::note_return(&mut agent.returns, &limits, draft.now);
    let open = book.find(AlarmKind::AgentFlapping, agent.record.id.as_str()).is_some();
    if often || open {
        observe(book, draft, &rules::agent::flapping(&facts(agent, draft)));
    }
}

/// An agent's clock is so far off that its reports are refused.
pub(super) fn skewed(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, skew: Skew) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    if let Some(seen) = clock_skew(book, &facts(agent, draft), skew) {
        observe(book, draft, &seen);
    }
}

/// Compares an agent's interfaces with those of its report before, and takes those for uplinks
/// that a default route of either report leads to.
pub(super) fn interfaces(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    (before, routes_before): (Option<&[Interface]>, &[Route]),
    data: &ReportData,
) {
    let Fleet { agents, book, .. } = fleet;
    let (Some(agent), Some(now)) = (agents.get(&no), &data.interfaces) else { return };
    // A list that was cut tells of what it lists.
    let tells = |alarm: &Alarm| {
        let name = alarm.subject.split_once('/').map_or("", |(_, name)| name);
        lists_every_interface(&data.problems) || now.iter().any(|i| i.name == name)
    };
    let open: Vec<Alarm> = book
        .of_agent(no)
        .filter(|alarm| matches!(alarm.kind, AlarmKind::IfaceDown | AlarmKind::IfaceGone))
        .filter(|alarm| tells(alarm))
        .cloned()
        .collect();
    if before.is_none() && open.is_empty() {
        return;
    }
    let open: Vec<&Alarm> = open.iter().collect();
    let routes = data.routes.iter().flatten().chain(routes_before);
    let routes = routes.filter(|route| route.dst.prefix_len() == 0);
    let uplinks: Vec<&str> = routes.filter_map(|route| route.dev.as_deref()).collect();
    let facts = facts(agent, draft);
    let mut seen = rules::iface::compare(&facts, before.unwrap_or(now), now, &uplinks, &open);
    if !lists_every_interface(&data.problems) {
        seen.retain(|seen| seen.kind != AlarmKind::IfaceGone || !seen.holds);
    }
    for seen in seen {
        observe(book, draft, &seen);
    }
}

/// What the verdict on an edge means for its alarms.
pub(super) fn edge(fleet: &mut Fleet, draft: &mut Draft, id: &EdgeId, verdict: &Verdict) {
    let Fleet { agents, edges, book, weak, .. } = fleet;
    let Some(edge) = edges.get(id) else { return };
    let record = &edge.record;
    let [first, second] = &record.ends;
    let facts = EdgeFacts {
        is_bridge: weak.is_bridge(first.agent, second.agent),
        ..links::facts(agents, edge, verdict, draft)
    };
    let down = rules::edge::down(&facts);
    let down = down.filter(|_| !verdict.gone || !awaits_cause(book, agents, record));
    for seen in [down, rules::edge::half_configured(&facts)] {
        if let Some(seen) = seen.filter(|s| s.holds || book.find(s.kind, id.as_str()).is_some()) {
            observe(book, draft, &seen);
        }
    }
    let ends = [(first, second, 0), (second, first, 1)];
    for (lister, other, side) in ends {
        let listed = edge.listed(side).map(|(_, key)| *key);
        let (Some(no), None, Some(key)) = (lister.agent, other.agent, listed) else { continue };
        if awaits_another(book, agents, &record.fleet, no, key) {
            continue;
        }
        let peer = PeerFacts {
            fleet: &record.fleet,
            agent: no,
            listed_by: links::end_name(agents, Some(no)),
            key,
            is_labelled: false,
            report: draft.report,
            late: false,
        };
        observe(book, draft, &rules::edge::unknown_peer(&peer, true));
    }
}

/// Whether the alarm about the interface that is gone at an end still waits for its second
/// report: people are told of the cause before they are told of the links.
fn awaits_cause(book: &Book, agents: &Agents, edge: &EdgeRecord) -> bool {
    edge.ends.iter().any(|end| {
        let agent = end.agent.and_then(|no| agents.get(&no));
        let Some((agent, interface)) = agent.zip(end.interface.as_deref()) else { return false };
        let subject = rules::iface::subject(&facts_of(&agent.record), interface);
        let cause = book.find(AlarmKind::IfaceGone, &subject);
        agent.record.status == AgentStatus::Online
            && cause.is_some_and(|cause| cause.state == AlarmState::Pending)
    })
}

/// Whether the alarm about this key waits for a second report of another agent. Two agents that
/// both list a host which is about to report for the first time must not pass for two reports.
fn awaits_another(book: &Book, agents: &Agents, space: &FleetId, no: AgentNo, key: WgKey) -> bool {
    let subject = EndpointName::External { fleet: space, key }.to_string();
    let pending = book.find(AlarmKind::PeerUnknown, &subject);
    let pending = pending.filter(|alarm| alarm.state == AlarmState::Pending);
    let first = pending.and_then(|alarm| alarm.agent).filter(|first| *first != no);
    first.and_then(|first| agents.get(&first)).is_some_and(|first| {
        first.record.status == AgentStatus::Online && first.peers.keys().any(|(_, k)| *k == key)
    })
}

/// An edge is gone: its alarms have no subject any more.
pub(super) fn edge_gone(fleet: &mut Fleet, draft: &mut Draft, id: &EdgeId) {
    for kind in AlarmKind::OF_LINKS {
        let step = fleet.book.close_subject(*kind, id.as_str(), "the link is gone", draft.now);
        take(draft, step);
    }
}

/// Nobody lists the external peer any more, or an agent turned out to own its key.
pub(super) fn external_gone(fleet: &mut Fleet, draft: &mut Draft, node: &str) {
    let Some(subject) = external_alarm(node) else { return };
    let kind = AlarmKind::PeerUnknown;
    let step = fleet.book.close_subject(kind, &subject, "the peer is gone or known", draft.now);
    take(draft, step);
}

/// A nonce was used again over other content.
pub(super) fn replay(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    observe(book, draft, &rules::ingest::replay(&facts(agent, draft)));
}

/// Whether an agent's report looks recorded, and why.
pub(super) fn replay_suspect(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    why: Option<String>,
) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    // An honest report counts only while an alarm is open.
    let open = book.find(AlarmKind::IngestReplaySuspect, agent.record.id.as_str()).is_some();
    if why.is_some() || open {
        observe(book, draft, &rules::ingest::replay_suspect(&facts(agent, draft), why));
    }
}

/// Closes the alarms of an agent that is reset; answers how many.
pub(super) fn reset(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) -> u64 {
    let steps = fleet.book.reset_agent(no, draft.now);
    let count = steps.iter().filter(|step| step.step == Step::Cleared).count();
    for step in steps {
        take(draft, Some(step));
    }
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Closes the alarms of an agent that was taken out of service.
pub(super) fn retired(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    for step in fleet.book.close_agent(no, "taken out of service", draft.now) {
        take(draft, Some(step));
    }
}

/// Judges the key source.
pub(super) fn keys(fleet: &mut Fleet, draft: &mut Draft, keys: &KeyState) {
    let facts = DnsFacts {
        name: &keys.source,
        failure: keys.problem.as_deref(),
        last_good: keys.last_success.unwrap_or(keys.since),
        failing_since: keys.failing_since,
        missing: keys.missing,
        period_s: keys.interval,
    };
    let limits = fleet.book.anywhere(AlarmKind::DnsPskStale);
    if let Some(seen) = rules::manager::keys_stale(&facts, &limits, draft.now) {
        observe(&mut fleet.book, draft, &seen);
    }
    let problem = keys.unexpected.as_ref().map(|(severity, text)| (*severity, text.as_str()));
    let seen = rules::manager::keys_unexpected(&keys.source, problem);
    observe(&mut fleet.book, draft, &seen);
}

/// The database is older than what was acknowledged.
pub(super) fn rolled_back(fleet: &mut Fleet, draft: &mut Draft, database: i64, acknowledged: i64) {
    let lost = acknowledged.saturating_sub(database);
    let detail = format!("{lost} commits that were acknowledged are not in it");
    observe(&mut fleet.book, draft, &rules::manager::rolled_back(&detail));
}

/// The audit does not hang together.
pub(super) fn audit_broken(fleet: &mut Fleet, draft: &mut Draft, problem: &str) {
    observe(&mut fleet.book, draft, &rules::manager::audit_broken(problem));
}

/// Whether a channel takes its messages; `why` not.
pub(super) fn notify_failing(fleet: &mut Fleet, draft: &mut Draft, name: &str, why: Option<&str>) {
    // A message that was taken counts only while an alarm is open.
    if why.is_some() || fleet.book.find(AlarmKind::NotifyFailing, name).is_some() {
        observe(&mut fleet.book, draft, &rules::manager::notify_failing(name, why));
    }
}

/// Whether an agent's silence cuts others off.
pub(super) fn is_critical(weak: &Weakness, agent: &AgentMem) -> bool {
    weak.is_cut_vertex(agent.record.no)
        || agent.record.labels.get("role").is_some_and(|role| role == "gateway" || role == "relay")
}
