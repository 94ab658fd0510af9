//! What the manager sees of itself, and of who belongs to the fleet: gathered here, judged by the
//! rules. What needs a look at every agent is done once a minute.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::chores::Chore;
use super::conflicts;
use super::draft::Draft;
use super::engine::Engine;
use super::fleet::{AgentMem, Fleet};
use super::meant;
use super::raise::{facts, name_of, observe};
use super::refusals::Observed;
use crate::alarms::book::Book;
use crate::alarms::lifecycle::Observation;
use crate::alarms::rate::Recent;
use crate::alarms::rules::manager::MANAGER;
use crate::alarms::rules::service::DiskFacts;
use crate::alarms::rules::{backup, ingest, member, relay, service};
use crate::alarms::tuning::Limits;
use crate::model::id::AgentNo;
use crate::model::state::{AgentStatus, AlarmKind};
use crate::model::time::UnixSeconds;

/// Seconds between two looks at all agents, and at the jobs.
const EVERY_S: i64 = 60;

/// What is remembered between two looks. A restart forgets minutes of counting, never an alarm.
#[derive(Debug)]
pub(super) struct Watch {
    looked_at: UnixSeconds,
    /// When a report was last turned away for want of room.
    shed_at: Option<UnixSeconds>,
    sign_ins: Recent,
    /// When the certificate of the door ends.
    pub(super) certificate: Option<UnixSeconds>,
    /// When the last backups were made, oldest first.
    pub(super) backups: Vec<UnixSeconds>,
    /// Whether allowed ips, or who may be asked about them, changed since they were looked at.
    pub(super) routes_changed: bool,
}

impl Watch {
    pub(super) fn new(now: UnixSeconds) -> Self {
        Self {
            looked_at: now,
            shed_at: None,
            sign_ins: service::sign_ins(&Limits::usual(AlarmKind::LoginBruteforce)),
            certificate: None,
            backups: Vec::new(),
            routes_changed: true,
        }
    }
}

impl Watch {
    /// Counts sign-ins as operators want it; what was counted otherwise counts no more.
    fn count_by(&mut self, fresh: Recent) {
        let same =
            |a: &Recent, b: &Recent| (a.threshold(), a.window_s()) == (b.threshold(), b.window_s());
        if !same(&self.sign_ins, &fresh) {
            self.sign_ins = fresh;
        }
    }
}

/// Tells the book what was seen, where that can change anything: the opposite counts only while an
/// alarm is open.
fn tell(book: &mut Book, draft: &mut Draft, seen: &Observation<'_>) {
    if seen.holds || book.find(seen.kind, &seen.subject).is_some() {
        observe(book, draft, seen);
    }
}

/// Takes what the doors have counted since the last tick.
pub(super) fn counted(engine: &mut Engine, draft: &mut Draft, observed: &Observed) {
    let waited_ms = engine.totals.waited_ms.load(Ordering::Relaxed);
    let Fleet { agents, by_id, book, .. } = &mut engine.fleet;
    let watch = &mut engine.sentry.watch;
    if observed.shed > 0 {
        watch.shed_at = Some(draft.now);
    }
    let shed = watch.shed_at.is_some_and(|at| draft.now.since(at) < service::SHED_FOR_S);
    let limits = book.anywhere(AlarmKind::IngestLag);
    if let Some(seen) = service::lag(waited_ms, shed, &limits) {
        tell(book, draft, &seen);
    }
    let (sign_ins, last) = observed.sign_ins;
    if sign_ins > 0 {
        let limits = book.anywhere(AlarmKind::LoginBruteforce);
        watch.count_by(service::sign_ins(&limits));
    }
    for _ in 0..sign_ins {
        if watch.sign_ins.note(draft.now) {
            observe(book, draft, &service::bruteforce(&watch.sign_ins, last));
        }
    }
    for (id, (count, why)) in &observed.unusable {
        let Some(agent) = by_id.get(id).and_then(|no| agents.get(no)) else { continue };
        for _ in 0..*count {
            let seen = ingest::unusable(&facts(agent, draft), Some(why));
            observe(book, draft, &seen);
        }
    }
}

/// Looks at everybody and at every job, once a minute.
pub(super) fn look(engine: &mut Engine, draft: &mut Draft) {
    if draft.now.since(engine.sentry.watch.looked_at) < EVERY_S {
        return;
    }
    engine.sentry.watch.looked_at = draft.now;
    members(&mut engine.fleet, draft);
    if engine.sentry.patience().grace_is_over(draft.now) {
        relays(&mut engine.fleet, &engine.sentry.ways, draft);
        routes(engine, draft);
        meant::look(&mut engine.fleet, draft);
    }
    let book = &mut engine.fleet.book;
    let limits = book.anywhere(AlarmKind::TlsExpiring);
    let seen = service::certificate(engine.sentry.watch.certificate, &limits, draft.now);
    tell(book, draft, &seen);
    let limits = book.anywhere(AlarmKind::BackupStale);
    if let Some(seen) = backup::stale(&engine.sentry.watch.backups, &limits, draft.now) {
        tell(book, draft, &seen);
    }
    let behind_s = engine.rollup.behind_s(draft.now);
    for job in engine.chores.health(draft.now) {
        let rolls = job.name == Chore::RollUp.name();
        let job = service::JobFacts {
            behind_s: if rolls { behind_s } else { 0 },
            name: job.name,
            failures: job.failures,
            why: job.why.as_deref(),
            overdue_s: job.overdue_s,
        };
        let seen = service::job(&job, &book.anywhere(AlarmKind::JobFailed));
        tell(book, draft, &seen);
    }
}

/// Which prefixes end in two places, if that may have changed or is still to be confirmed.
fn routes(engine: &mut Engine, draft: &mut Draft) {
    let Engine { fleet, sentry, .. } = engine;
    let is_open = fleet.book.of_kind(AlarmKind::RouteConflict).next().is_some();
    if std::mem::take(&mut sentry.watch.routes_changed) || is_open {
        conflicts::look(fleet, draft);
    }
}

/// How the disk of the database is.
pub(super) fn disk(fleet: &mut Fleet, draft: &mut Draft, disk: &DiskFacts) {
    let open = fleet.book.find(AlarmKind::DbPressure, MANAGER).map(|alarm| alarm.severity);
    let limits = fleet.book.anywhere(AlarmKind::DbPressure);
    if let Some(seen) = service::pressure(disk, open, &limits) {
        tell(&mut fleet.book, draft, &seen);
    }
}

/// Who has been away for too long, and who waits to be let in.
fn members(fleet: &mut Fleet, draft: &mut Draft) {
    let Fleet { agents, book, .. } = fleet;
    let mut waiting = Vec::new();
    for agent in agents.values().filter(|agent| !agent.record.forgotten) {
        let record = &agent.record;
        let asks = record.status == AgentStatus::Pending || agent.keys.pending().is_some();
        if asks {
            waiting.push(name_of(record));
        }
        if record.status == AgentStatus::Offline
            && let Some(seen) = away(book, agent, draft)
        {
            observe(book, draft, &seen);
        }
    }
    waiting.sort_unstable();
    tell(book, draft, &member::waiting(&waiting));
}

/// Whether an agent that is offline has been so for too long.
fn away<'a>(book: &Book, agent: &'a AgentMem, draft: &Draft) -> Option<Observation<'a>> {
    let record = &agent.record;
    let kind = AlarmKind::AgentNeverReturned;
    let limits = book.limits(kind, &record.fleet, [Some(record.no), None]);
    member::away(&facts(agent, draft), record.status_since, &limits, draft.now)
}

/// On which relays many depend.
fn relays(fleet: &mut Fleet, ways: &BTreeMap<AgentNo, Vec<AgentNo>>, draft: &mut Draft) {
    let Fleet { agents, book, .. } = fleet;
    let mut behind: BTreeMap<AgentNo, usize> = BTreeMap::new();
    for relay in ways.values().flatten() {
        *behind.entry(*relay).or_default() += 1;
    }
    let open = book.of_kind(AlarmKind::RelaySpof);
    for no in open.filter_map(|alarm| alarm.agent) {
        behind.entry(no).or_default();
    }
    for (no, count) in behind {
        if let Some(agent) = agents.get(&no) {
            let home = &agent.record.fleet;
            let limits = book.limits(AlarmKind::RelaySpof, home, [Some(no), None]);
            let seen = relay::spof(&facts(agent, draft), count, &limits);
            tell(book, draft, &seen);
        }
    }
}
