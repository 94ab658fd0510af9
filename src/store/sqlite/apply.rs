//! Applies one change to the tables, in the order that its foreign keys need.

use super::desk::Desk;
use super::envelope::Packer;
use super::table::{
    agents, alarms, audit, channels, dictionaries, edges, events, flaps, frame_dictionaries,
    identities, interfaces, keys, layout, layout_steps, meta, metrics, notifications, peers,
    reports, routes, sessions, shares, tellings, users, windows,
};
use crate::model::state::{AlarmState, IdentityState};
use crate::store::StoreError;
use crate::store::change::{AlarmRecord, Change};
use crate::store::flush::Flushed;
use crate::store::identity::IdentityRecord;

/// Writes everything the change holds.
pub(super) fn apply(
    desk: &mut Desk<'_>,
    packer: &mut Packer,
    change: &Change,
) -> Result<(), StoreError> {
    change.agents.iter().try_for_each(|agent| agents::put(desk, agent))?;
    put_identities(desk, &change.identities)?;
    if let Some(report) = &change.report {
        reports::insert(desk, packer, report)?;
    }
    remove(desk, change)?;
    set(desk, change)?;
    put_alarms(desk, &change.alarms)?;
    change.flaps.removed.iter().try_for_each(|flap| flaps::remove(desk, flap))?;
    change.flaps.set.iter().try_for_each(|flap| flaps::put(desk, flap))?;
    tell(desk, change)?;
    change.windows.iter().try_for_each(|window| windows::put(desk, window))?;
    change.windows_removed.iter().try_for_each(|id| windows::remove(desk, *id))?;
    change.events.iter().try_for_each(|event| events::append(desk, event))?;
    change.keys.iter().try_for_each(|key| keys::put(desk, key))?;
    change.layout.iter().try_for_each(|place| layout::put(desk, place))?;
    change.layout_removed.iter().try_for_each(|node| layout::remove(desk, node))?;
    let steps = &change.layout_steps;
    steps.removed.iter().try_for_each(|step| layout_steps::remove(desk, *step))?;
    steps.added.iter().try_for_each(|step| layout_steps::put(desk, step))?;
    if let Some(dictionary) = &change.dictionary {
        dictionaries::put(desk, dictionary)?;
        dictionaries::drop_unneeded(desk)?;
        packer.look_again();
    }
    if let Some(dictionary) = &change.frame_dictionary {
        frame_dictionaries::put(desk, dictionary)?;
        frame_dictionaries::drop_unneeded(desk)?;
    }
    people(desk, change)?;
    change.audit.iter().try_for_each(|entry| audit::append(desk, entry))?;
    metrics::put(desk, &change.metrics)?;
    change.meta.iter().try_for_each(|(name, value)| meta::put(desk, name, value))?;
    change.flushed.as_ref().map_or(Ok(()), |flushed| flush(desk, flushed))
}

/// Who may come in. A session that begins with the change that ends all others stays.
fn people(desk: &mut Desk<'_>, change: &Change) -> Result<(), StoreError> {
    change.users.iter().try_for_each(|user| users::put(desk, user))?;
    change.users_removed.iter().try_for_each(|name| users::remove(desk, name))?;
    change.users_ended.iter().try_for_each(|name| sessions::end_all(desk, name))?;
    change.sessions.iter().try_for_each(|session| sessions::put(desk, session))?;
    change.sessions_used.iter().try_for_each(|used| sessions::note_use(desk, used))?;
    change.sessions_removed.iter().try_for_each(|hash| sessions::remove(desk, hash))?;
    change.shares.iter().try_for_each(|share| shares::put(desk, share))?;
    change.shares_removed.iter().try_for_each(|hash| shares::remove(desk, hash))
}

fn flush(desk: &mut Desk<'_>, Flushed { state, upto }: &Flushed) -> Result<(), StoreError> {
    state.agents.iter().try_for_each(|agent| agents::move_on(desk, agent))?;
    state.peers.iter().try_for_each(|peer| peers::move_on(desk, peer))?;
    meta::put_number(desk, meta::FLUSHED_UPTO, upto.0)
}

/// Keys that went out of force come first: one is in force at a time.
fn put_identities(desk: &mut Desk<'_>, identities: &[IdentityRecord]) -> Result<(), StoreError> {
    let is_open =
        |row: &&IdentityRecord| matches!(row.state, IdentityState::Pinned | IdentityState::Pending);
    identities.iter().filter(|row| !is_open(row)).try_for_each(|row| identities::put(desk, row))?;
    identities.iter().filter(is_open).try_for_each(|row| identities::put(desk, row))
}

fn remove(desk: &mut Desk<'_>, change: &Change) -> Result<(), StoreError> {
    for agent in &change.agents_cleared {
        interfaces::clear(desk, *agent)?;
        routes::clear(desk, *agent)?;
        peers::clear(desk, *agent)?;
    }
    for (agent, name) in &change.interfaces_removed {
        interfaces::remove(desk, *agent, name)?;
    }
    for (agent, route) in &change.routes_removed {
        routes::remove(desk, *agent, route)?;
    }
    for (agent, interface, key) in &change.peers_removed {
        peers::remove(desk, *agent, interface, key)?;
    }
    change.edges_removed.iter().try_for_each(|edge| edges::remove(desk, edge))
}

fn set(desk: &mut Desk<'_>, change: &Change) -> Result<(), StoreError> {
    for (agent, interface) in &change.interfaces_set {
        interfaces::put(desk, *agent, interface)?;
    }
    for (agent, route) in &change.routes_added {
        routes::add(desk, *agent, route)?;
    }
    change.peers_set.iter().try_for_each(|peer| peers::put(desk, peer))?;
    change.edges_set.iter().try_for_each(|edge| edges::put(desk, edge))
}

/// What people are told of the alarms.
fn tell(desk: &mut Desk<'_>, change: &Change) -> Result<(), StoreError> {
    for (alarm, channel) in &change.tells_removed {
        tellings::remove(desk, *alarm, channel)?;
    }
    change.tells.iter().try_for_each(|telling| tellings::put(desk, telling))?;
    change.messages.iter().try_for_each(|message| notifications::put(desk, message))?;
    change.channels.iter().try_for_each(|channel| channels::put(desk, channel))
}

/// Cleared alarms come first, because a new alarm about the same thing may come with them and
/// only one may be open.
fn put_alarms(desk: &mut Desk<'_>, alarms: &[AlarmRecord]) -> Result<(), StoreError> {
    let cleared = |alarm: &&AlarmRecord| alarm.state == AlarmState::Cleared;
    let open = |alarm: &&AlarmRecord| alarm.state != AlarmState::Cleared;
    alarms.iter().filter(cleared).try_for_each(|alarm| alarms::put(desk, alarm))?;
    alarms.iter().filter(open).try_for_each(|alarm| alarms::put(desk, alarm))
}
