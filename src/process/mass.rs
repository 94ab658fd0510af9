//! Many agents that fall silent at once: who they are, and whether they are back.

use std::collections::BTreeSet;

use serde_json::json;

use super::draft::Draft;
use super::fleet::{AgentMem, Fleet};
use super::raise;
use super::relays::is_watched;
use super::tick::{Sentry, patience};
use crate::alarms::rules::agent::Patience;
use crate::alarms::rules::manager::MANAGER;
use crate::alarms::rules::silence::{self as rules, Heard};
use crate::model::id::AgentNo;
use crate::model::state::{AgentStatus, AlarmKind};
use crate::model::time::UnixSeconds;

/// Name of the small value that holds who fell silent together.
pub(super) const FELL_SILENT: &str = "fell_silent";

/// Looks whether most fell silent at once, and whether they are back.
pub(super) fn look(fleet: &mut Fleet, sentry: &mut Sentry, draft: &mut Draft) {
    if !sentry.patience().grace_is_over(draft.now) {
        return;
    }
    let is_open = fleet.book.find(AlarmKind::ManagerMassSilence, MANAGER).is_some();
    let mut members = sentry.fell_silent.clone();
    members.retain(|no| fleet.agents.get(no).is_some_and(is_watched));
    let heard = heard(fleet, sentry, draft.now);
    if members.is_empty() {
        members = rules::fell_silent(&heard, &fleet.book.anywhere(AlarmKind::ManagerMassSilence));
    } else {
        // Those whose next report was due a little later than the first ones'.
        members.extend(heard.iter().filter(|agent| agent.is_late).map(|agent| agent.no));
    }
    if members.is_empty() && !is_open {
        return;
    }
    let back = members.iter().filter_map(|no| fleet.agents.get(no)).filter(|agent| {
        let seen = agent.record.last_seen_at;
        seen.is_some_and(|seen| !is_late(fleet, sentry, agent, (seen, draft.now)))
    });
    let limits = fleet.book.anywhere(AlarmKind::ManagerMassSilence);
    let seen = rules::mass(members.len(), back.count(), &limits);
    if !seen.holds {
        members.clear();
    }
    raise::observe(&mut fleet.book, draft, &seen);
    if members != sentry.fell_silent {
        draft.change.meta.push((FELL_SILENT, json!(members).to_string()));
        sentry.fell_silent = members;
        sentry.causes_changed = true;
    }
}

/// Whether an agent that was heard last then is late, by what holds for it.
fn is_late(
    fleet: &Fleet,
    sentry: &Sentry,
    agent: &AgentMem,
    (seen, now): (UnixSeconds, UnixSeconds),
) -> bool {
    patience(&fleet.book, sentry, agent).status(seen, now) != AgentStatus::Online
}

/// Agents not given up before that no silent relay explains, and when they were heard last. While
/// the manager was not there it heard nobody: that counts from its start. A relay that may have
/// been the first to fall silent, one report overdue, explains those behind it already.
fn heard(fleet: &Fleet, sentry: &Sentry, now: UnixSeconds) -> Vec<Heard> {
    let Patience { interval_s, started_at, .. } = *sentry.patience();
    let counts = [AgentStatus::Online, AgentStatus::Stale];
    let is_silent = |no: &AgentNo| {
        let relay = fleet.agents.get(no).map(|relay| &relay.record);
        relay.is_some_and(|relay| {
            let overdue = relay.last_seen_at.is_none_or(|seen| now.since(seen) > interval_s);
            overdue || relay.status != AgentStatus::Online
        })
    };
    let explained: BTreeSet<AgentNo> = sentry
        .ways
        .iter()
        .filter(|(_, relays)| relays.iter().any(is_silent))
        .map(|(no, _)| *no)
        .collect();
    let own = |agent: &AgentMem| {
        let record = &agent.record;
        let is_own = is_watched(agent) && counts.contains(&record.status);
        let seen = record.last_seen_at.filter(|_| is_own && !explained.contains(&record.no))?;
        let seen = seen.max(started_at);
        let is_late = is_late(fleet, sentry, agent, (seen, now));
        Some(Heard { no: record.no, seen, is_late })
    };
    fleet.agents.values().filter_map(own).collect()
}
