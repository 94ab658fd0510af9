//! What passes with time: silence, partitions, clocks, delays of alarms.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;
use tracing::info;

use super::causes;
use super::clocks;
use super::doubt;
use super::draft::{About, Draft};
use super::edges;
use super::engine::Engine;
use super::fleet::{AgentMem, Fleet};
use super::handle::KeyState;
use super::mass;
use super::newcomers::Newcomers;
use super::raise::{self, Skew};
use super::relays;
use super::tell;
use super::upkeep;
use super::watch::{self, Watch};
use super::weak;
use super::witness;
use crate::alarms::book::Book;
use crate::alarms::rate::Recent;
use crate::alarms::rules;
use crate::alarms::rules::agent::{Patience, Silence};
use crate::alarms::tuning::Limits;
use crate::model::id::{AgentNo, EdgeId, FleetId};
use crate::model::state::{AgentStatus, AlarmKind, EventKind};
use crate::model::time::UnixSeconds;
use crate::topology::graph::{Components, Partition, Split, partition};

/// Seconds between two looks at the whole graph while it changes; one look at 10,000 agents
/// takes milliseconds, and the alarm it feeds waits for 60 s anyway.
const GRAPH_EVERY_S: i64 = 5;

/// Seconds between two looks at all agents' clocks, and at the keys they sign with.
const CLOCKS_EVERY_S: i64 = 60;

/// Name of the small value that holds the networks that fell apart.
pub(super) const SPLITS: &str = "splits";

/// Agents that one tick declares silent at most; the rest follow a second later. Each is a
/// handful of rows and verdicts for all its links, in one transaction that reports wait for:
/// a large fleet cut off at once would stop everything for minutes.
const DECLARED_PER_TICK: usize = 500;

/// What the timers remember between two ticks.
#[derive(Debug)]
pub(super) struct Sentry {
    patience: Patience,
    bad: HashMap<AgentNo, Recent>,
    bad_anywhere: Recent,
    /// Kept in the store as well: without it, a side that falls silent while the manager is
    /// away would look like a merger.
    pub(super) splits: BTreeMap<FleetId, Split>,
    /// The one dead link between the sides of each, where there is only one.
    pub(super) only_links: BTreeMap<FleetId, EdgeId>,
    /// Like the splits, those that fell silent together.
    pub(super) fell_silent: BTreeSet<AgentNo>,
    /// Through whom alone each agent's reports come, as of the last tick.
    pub(super) ways: BTreeMap<AgentNo, Vec<AgentNo>>,
    /// Whether alarms may follow from others than they did.
    pub(super) causes_changed: bool,
    graph_seen: UnixSeconds,
    clocks_seen: UnixSeconds,
    keys_seen: UnixSeconds,
    /// When alarms that nobody was told of were last looked at.
    pub(super) untold_seen: UnixSeconds,
    pub(super) keys: Option<KeyState>,
    /// Whether the graph changed since it was last looked at.
    pub(super) graph_changed: bool,
    pub(super) watch: Watch,
    /// From where new agents came lately.
    pub(super) newcomers: Newcomers,
}

impl Sentry {
    /// `kept` finds what was known when the manager stopped: the networks that had fallen apart,
    /// and who had fallen silent together.
    pub(super) fn new<'a>(
        now: UnixSeconds,
        interval_s: i64,
        kept: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let fell_silent = kept(mass::FELL_SILENT).and_then(|text| serde_json::from_str(text).ok());
        Self {
            patience: Patience::usual(interval_s, now),
            bad: HashMap::new(),
            bad_anywhere: rules::ingest::fleet_window(&Limits::usual(AlarmKind::IngestBadHmac)),
            splits: kept(SPLITS)
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
            only_links: BTreeMap::new(),
            fell_silent: fell_silent.unwrap_or_default(),
            ways: BTreeMap::new(),
            causes_changed: true,
            graph_seen: UnixSeconds::default(),
            clocks_seen: now,
            keys_seen: now,
            untold_seen: UnixSeconds::default(),
            keys: None,
            graph_changed: true,
            watch: Watch::new(now),
            newcomers: Newcomers::default(),
        }
    }

    /// Counts anew, by what the operator has changed.
    pub(super) fn recount(&mut self, book: &Book) {
        self.bad.clear();
        self.bad_anywhere = rules::ingest::fleet_window(&book.anywhere(AlarmKind::IngestBadHmac));
        (self.graph_changed, self.causes_changed) = (true, true);
    }

    /// When reports are late, and when they have stopped.
    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }
}

/// Everything that time alone changes.
pub(super) fn run(engine: &mut Engine, draft: &mut Draft) {
    refused(engine, draft);
    engine.sentry.ways = relays::ways(&engine.fleet);
    relays::look(&mut engine.fleet, &engine.sentry, draft);
    mass::look(&mut engine.fleet, &mut engine.sentry, draft);
    silence(&mut engine.fleet, &engine.sentry, draft);
    edges::judge_all(&mut engine.fleet, draft);
    let grace_is_over = engine.sentry.patience.grace_is_over(draft.now);
    if engine.sentry.graph_changed
        && grace_is_over
        && draft.now.since(engine.sentry.graph_seen) >= GRAPH_EVERY_S
    {
        engine.sentry.graph_changed = false;
        engine.sentry.graph_seen = draft.now;
        graph(&mut engine.fleet, &mut engine.sentry, draft);
    }
    if grace_is_over && draft.now.since(engine.sentry.clocks_seen) >= CLOCKS_EVERY_S {
        engine.sentry.clocks_seen = draft.now;
        clocks::look(&mut engine.fleet, &engine.sentry, draft);
    }
    watch::look(engine, draft);
    if let Some(keys) = &engine.sentry.keys {
        raise::keys(&mut engine.fleet, draft, keys);
    }
    if draft.now.since(engine.sentry.keys_seen) >= CLOCKS_EVERY_S {
        engine.sentry.keys_seen = draft.now;
        doubt::old_keys(engine, draft);
    }
    for step in engine.fleet.book.tick(draft.now) {
        raise::take(draft, Some(step));
    }
    causes::look(&mut engine.fleet, &mut engine.sentry, draft);
    upkeep::follow(&mut engine.fleet, draft);
    tell::tick(engine, draft);
}

/// Counts what the door refused.
fn refused(engine: &mut Engine, draft: &mut Draft) {
    let observed = engine.refusals.take();
    watch::counted(engine, draft, &observed);
    let Engine { fleet, sentry, settings, .. } = engine;
    let keys_stale = fleet.book.alarms().any(|alarm| alarm.kind == AlarmKind::DnsPskStale);
    for (id, count) in observed.bad_hmac {
        let Some(no) = fleet.by_id.get(&id).copied() else { continue };
        let Some(agent) = fleet.agents.get(&no) else { continue };
        let recent = sentry.bad.entry(no).or_insert_with(|| {
            let (kind, fleet_id) = (AlarmKind::IngestBadHmac, &agent.record.fleet);
            rules::ingest::agent_window(&fleet.book.limits(kind, fleet_id, [Some(no), None]))
        });
        let facts = raise::facts(agent, draft);
        for _ in 0..count {
            let seen = rules::ingest::bad_signature(&facts, recent, keys_stale, draft.now);
            if let Some(seen) = seen {
                raise::observe(&mut fleet.book, draft, &seen);
            }
        }
    }
    for _ in 0..observed.bad_hmac_total {
        let recent = &mut sentry.bad_anywhere;
        let seen = rules::ingest::bad_signatures(None, recent, keys_stale, draft.now);
        if let Some(seen) = seen {
            raise::observe(&mut fleet.book, draft, &seen);
        }
    }
    sentry.bad.retain(|_, recent| !recent.is_quiet(draft.now));
    relays::bad_paths(fleet, draft, observed.bad_paths);
    for (id, offset) in observed.skewed {
        if let Some(no) = fleet.by_id.get(&id).copied() {
            let skew = Skew { offset, max: settings.max_skew };
            raise::skewed(fleet, draft, no, skew);
        }
    }
}

/// Who is late, and who has stopped.
fn silence(fleet: &mut Fleet, sentry: &Sentry, draft: &mut Draft) {
    if !sentry.patience.grace_is_over(draft.now) {
        return;
    }
    let Fleet { agents, book, .. } = &*fleet;
    let quiet: Vec<(AgentNo, UnixSeconds, AgentStatus)> = agents
        .values()
        .filter_map(|agent| silent(agent, &patience(book, sentry, agent), draft.now))
        .collect();
    let mut declared = 0;
    for (no, last_seen, status) in quiet {
        let news = fleet.agents.get(&no).is_some_and(|agent| agent.record.status != status);
        if news && declared == DECLARED_PER_TICK {
            continue;
        }
        declared += usize::from(news);
        set_status(fleet, draft, no, status);
        say(fleet, sentry, draft, (no, last_seen, status));
    }
}

/// Raises what an agent's silence raises, and keeps in step with what its peers say of its host.
fn say(
    fleet: &mut Fleet,
    sentry: &Sentry,
    draft: &mut Draft,
    (no, last_seen, status): (AgentNo, UnixSeconds, AgentStatus),
) {
    let Fleet { agents, edges, book, weak, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let stopped = status == AgentStatus::Offline;
    let sights = if stopped { witness::sights(agents, edges, agent) } else { Vec::new() };
    let patience = patience(book, sentry, agent);
    let peers = rules::agent::peers_see(&sights, last_seen, &patience, draft.now);
    let id = agent.record.id.as_str();
    let explained = stopped && relays::is_behind_dead(book, agent);
    let is_settled = |kind| book.is_settled(kind, &agent.record.fleet, (id, no));
    let told = is_settled(AlarmKind::AgentStale)
        && (!stopped || explained || is_settled(AlarmKind::AgentOffline));
    let kind = peers.kind();
    if told && agent.peers_say == kind {
        return;
    }
    let critical = raise::is_critical(weak, agent);
    let facts = raise::facts(agent, draft);
    let about = Silence { last_seen, critical, peers, explained };
    let seen = rules::agent::silence(&facts, &about, &patience, draft.now);
    for seen in &seen {
        raise::observe(book, draft, seen);
    }
    if let Some(agent) = agents.get_mut(&no) {
        agent.peers_say = kind;
    }
}

/// When an agent's silence means what, as far as the operator has a say in it.
pub(super) fn patience(book: &Book, sentry: &Sentry, agent: &AgentMem) -> Patience {
    if book.tuning().is_empty() {
        return sentry.patience;
    }
    let (fleet, agents) = (&agent.record.fleet, [Some(agent.record.no), None]);
    let limits = |kind| book.limits(kind, fleet, agents);
    sentry.patience.with(&limits(AlarmKind::AgentStale), &limits(AlarmKind::AgentOffline))
}

fn silent(
    agent: &AgentMem,
    patience: &Patience,
    now: UnixSeconds,
) -> Option<(AgentNo, UnixSeconds, AgentStatus)> {
    let record = &agent.record;
    let watched =
        matches!(record.status, AgentStatus::Online | AgentStatus::Stale | AgentStatus::Offline);
    let last_seen = record.last_seen_at.filter(|_| watched && !record.forgotten)?;
    let status = patience.status(last_seen, now);
    (status != AgentStatus::Online).then_some((record.no, last_seen, status))
}

/// A report arrived, so the agent is online.
pub(super) fn came_back(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let status = fleet.agents.get(&no).map(|agent| agent.record.status);
    set_status(fleet, draft, no, AgentStatus::Online);
    if status == Some(AgentStatus::Offline) {
        raise::came_back(fleet, draft, no);
    }
}

/// The agent is something else now.
pub(super) fn set_status(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, status: AgentStatus) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    let record = &mut agent.record;
    if record.status == status {
        return;
    }
    let before = std::mem::replace(&mut record.status, status);
    record.status_since = draft.now;
    info!(agent_id = %record.id, %before, %status, "Agent status changed");
    draft.to_judge.extend(agent.edges.keys().cloned());
    draft.effects.agents.insert(no);
    draft.effects.graph = true;
    let record = agent.record.clone();
    let about = About {
        fleet: Some(record.fleet.clone()),
        agent: Some(no),
        subject: record.id.to_string(),
    };
    draft.agents.insert(no, record);
    draft.event(EventKind::AgentStatus, about, Some(json!(before)), Some(json!(status)));
}

/// One network's share of the graph.
#[derive(Debug, Default)]
struct Space {
    present: Vec<AgentNo>,
    reporting: Vec<AgentNo>,
    links: Vec<(AgentNo, AgentNo)>,
    live: Vec<(AgentNo, AgentNo)>,
}

/// The graph by network, in one pass over agents and links: a pass for each network would grow
/// with the square of a large fleet.
fn spaces(fleet: &Fleet) -> BTreeMap<FleetId, Space> {
    let mut spaces: BTreeMap<&FleetId, Space> = BTreeMap::new();
    for AgentMem { record, .. } in fleet.agents.values() {
        let space = spaces.entry(&record.fleet).or_default();
        if record.forgotten {
            continue;
        }
        space.present.push(record.no);
        if matches!(record.status, AgentStatus::Online | AgentStatus::Stale) {
            space.reporting.push(record.no);
        }
    }
    for (a, b, state) in fleet.worked() {
        let home = fleet.agents.get(&a).map(|agent| &agent.record.fleet);
        let Some(space) = home.and_then(|home| spaces.get_mut(home)) else { continue };
        space.links.push((a, b));
        if !weak::is_dead(state) {
            space.live.push((a, b));
        }
    }
    spaces.into_iter().map(|(id, space)| (id.clone(), space)).collect()
}

/// Looks at the whole graph: who belongs together, who can reach whom, what cannot be lost.
fn graph(fleet: &mut Fleet, sentry: &mut Sentry, draft: &mut Draft) {
    fleet.weak = weak::look(fleet);
    let splits_before = sentry.splits.clone();
    for (id, space) in spaces(fleet) {
        let together = Components::of(space.present, space.links);
        let live = Components::of(space.reporting, space.live);
        let state = partition(&together, &live, sentry.splits.get(&id));
        let name = |no: AgentNo| {
            fleet.agents.get(&no).map(|a| raise::name_of(&a.record).to_owned()).unwrap_or_default()
        };
        if let Some(seen) = rules::manager::partition(&id, &state, name) {
            let open = fleet.book.find(seen.kind, &seen.subject).is_some();
            if seen.holds || open {
                raise::observe(&mut fleet.book, draft, &seen);
            }
        }
        match state {
            Partition::Split(split) => {
                sentry.splits.insert(id, split);
            }
            Partition::Whole => {
                sentry.splits.remove(&id);
            }
            Partition::Unclear => {}
        }
    }
    if sentry.splits != splits_before {
        draft.change.meta.push((SPLITS, json!(sentry.splits).to_string()));
    }
    weak::tell(fleet, draft);
}
