//! Alarms about who an agent is: conflicts, downgrades, copied WireGuard keys, keys that will not
//! last.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::engine::Engine;
use super::fleet::{AgentMem, Fleet};
use super::raise::{facts, name_of, observe};
use crate::alarms::rules::agent::clock_went_back;
use crate::alarms::rules::identity::{self as rules, KeyAge};
use crate::model::id::AgentNo;
use crate::model::key::WgKey;
use crate::model::report::ReportData;
use crate::model::state::{AgentStatus, AlarmKind, Scheme};
use crate::model::time::UnixSeconds;
use crate::sign::digest::content_hash;
use crate::verify::Verified;

/// An agent's key was taken as first seen.
pub(super) fn pinned(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, fingerprint: &str) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    observe(book, draft, &rules::pinned(&facts(agent, draft), fingerprint));
}

/// A second key was offered for an agent.
pub(super) fn second_key(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, offered: &str) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    observe(book, draft, &rules::second_key(&facts(agent, draft), offered));
}

/// An agent with a key of its own was spoken for with the shared one. What was signed before
/// the key was pinned may just have been on its way.
pub(super) fn downgraded(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, verified: &Verified) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let pinned_at = agent.keys.pinned().map(|row| row.taken_until).unwrap_or_default();
    if verified.scheme() == Scheme::V1 || verified.timestamp() > pinned_at {
        observe(book, draft, &rules::downgrade(&facts(agent, draft), verified.scheme()));
    }
}

/// A report was accepted: what it says for and against open alarms about its sender.
pub(super) fn accepted(engine: &mut Engine, draft: &mut Draft, no: AgentNo) {
    let Fleet { agents, book, .. } = &mut engine.fleet;
    let Some(agent) = agents.get(&no) else { return };
    for kind in
        [AlarmKind::IdentityConflict, AlarmKind::IdentityDowngrade, AlarmKind::IdentityPinned]
    {
        if book.find(kind, agent.record.id.as_str()).is_some() {
            observe(book, draft, &rules::as_it_should(&facts(agent, draft), kind));
        }
    }
}

/// Looks whether two hosts take turns in reporting under one name.
pub(super) fn face(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, data: &ReportData) {
    let Some(face) = face_of(data) else { return };
    let interval = fleet.report_interval;
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get_mut(&no) else { return };
    let (kind, fleet_id) = (AlarmKind::IdentityConflict, &agent.record.fleet);
    let limits = book.limits(kind, fleet_id, [Some(no), None]);
    if agent.faces.take_turns(face, draft.now, interval, &limits) {
        observe(book, draft, &rules::two_hosts(&facts(agent, draft)));
    }
}

/// What tells the reporting host from others: its boot id, else its WireGuard keys.
fn face_of(data: &ReportData) -> Option<u64> {
    if let Some(boot_id) = &data.boot_id {
        return Some(content_hash(boot_id.as_bytes()));
    }
    let keys = data.interfaces.iter().flatten().filter_map(|interface| interface.public_key);
    let keys: BTreeSet<WgKey> = keys.collect();
    let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
    (!bytes.is_empty()).then(|| content_hash(&bytes))
}

/// Looks whether an agent's WireGuard keys are on other hosts too, before its new report counts.
/// Another one counts if it has been heard of since this one's last report: a host that was
/// given a new name does not report under the old one any more.
pub(super) fn wg_keys(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let Fleet { agents, book, owners, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let Some(before) = agent.record.last_seen_at else { return };
    let any_open = book.of_kind(AlarmKind::WgKeyDuplicate).next().is_some();
    let told = agent.claims.values().filter_map(|claimed| claimed.key);
    // Of most reports none: they cost a lookup per key.
    let doubted = told.filter(|key| any_open || owners.is_owned_besides(key, no));
    for key in doubted.collect::<BTreeSet<WgKey>>() {
        let others = owners.owners_of(&key);
        if others.len() < 2 && book.find(AlarmKind::WgKeyDuplicate, &key.to_string()).is_none() {
            continue;
        }
        let heard = |other: &&AgentMem| is_heard(other, no, before);
        let mut hosts: Vec<&str> = others
            .iter()
            .filter_map(|other| agents.get(other))
            .filter(heard)
            .map(|other| name_of(&other.record))
            .collect();
        hosts.sort_unstable();
        observe(book, draft, &rules::shared_wg_key(&facts(agent, draft), &key, &hosts));
    }
}

/// Whether another agent counts beside this one, which was heard last then.
pub(super) fn is_heard(other: &AgentMem, no: AgentNo, since: UnixSeconds) -> bool {
    let record = &other.record;
    record.no == no
        || (!record.forgotten
            && record.status == AgentStatus::Online
            && record.last_seen_at.is_some_and(|seen| seen >= since))
}

/// Looks whether an agent signed this report before the one before it, by its own counter: then
/// its clock was set back. Version 1 has no counter, and reports may overtake each other.
pub(super) fn clock(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, verified: &Verified) {
    let Fleet { agents, book, .. } = fleet;
    let Some(agent) = agents.get_mut(&no) else { return };
    let record = &agent.record;
    if verified.tick().is_none_or(|tick| Some(tick) <= record.last_tick) {
        return;
    }
    let signed_at = verified.timestamp();
    // After a start, as it was when the last report before it came.
    let kept = record.last_seen_at.map(|seen| seen.plus(record.clock_offset));
    let before = agent.signed_at.replace(signed_at).or(kept.filter(|_| record.last_tick.is_some()));
    let Some(before) = before else { return };
    let agent = &*agent;
    let kind = AlarmKind::AgentClockWentBack;
    let limits = book.limits(kind, &agent.record.fleet, [Some(no), None]);
    let seen = clock_went_back(&facts(agent, draft), before.since(signed_at), &limits);
    if seen.holds || book.find(seen.kind, agent.record.id.as_str()).is_some() {
        observe(book, draft, &seen);
    }
}

/// Looks which shared keys agents sign with.
pub(super) fn old_keys(engine: &mut Engine, draft: &mut Draft) {
    let Some(keys) = &engine.sentry.keys else { return };
    let Fleet { agents, book, .. } = &mut engine.fleet;
    for agent in agents.values() {
        let record = &agent.record;
        let is_own = agent.keys.pinned().is_some();
        let reports = record.status == AgentStatus::Online && !record.forgotten;
        let place = record.kid.as_ref().filter(|_| reports && !is_own);
        let newer = place.and_then(|kid| keys.generations.iter().position(|key| key == kid));
        let open = book.find(AlarmKind::KeyOldInUse, record.id.as_str()).is_some();
        let newer = if is_own && open { Some(0) } else { newer };
        let Some(newer) = newer.filter(|newer| *newer > 0 || open) else { continue };
        let since_s = draft.now.since(keys.rotated_at);
        let age = KeyAge { newer, since_s, period_s: keys.interval };
        let limits = book.limits(AlarmKind::KeyOldInUse, &record.fleet, [Some(record.no), None]);
        if let Some(seen) = rules::old_key(&facts(agent, draft), &age, &limits) {
            observe(book, draft, &seen);
        }
    }
}
