//! Maintenance windows: made and ended by people, and what they cover.
//!
//! Agents know which window covers them, so that an alarm's cover is looked up at its ends. All
//! agents are gone through when a window opens or ends; otherwise only those whose rows changed.

use super::draft::{About, Draft};
use super::fleet::Fleet;
use super::handle::{CommandError, Done};
use super::raise;
use crate::alarms::cover::Covered;
use crate::alarms::lifecycle::Alarm;
use crate::model::id::{AgentId, AgentNo, AlarmId, EdgeId, WindowId};
use crate::model::reach::Reach;
use crate::model::state::{AlarmKind, AlarmState, EventKind};
use crate::model::time::UnixSeconds;
use crate::model::window::{Scope, Span, Times, Window};

/// Windows that are kept at most, those that are over included.
const MOST_WINDOWS: usize = 1_000;

/// Name of the small value that holds the highest number ever given to a window.
pub(super) const LAST_WINDOW: &str = "last_window";

/// A wish about maintenance windows.
#[derive(Debug, Clone)]
pub enum Upkeep {
    /// Make one.
    Make {
        /// Of whom.
        scope: Scope,
        /// When.
        times: Times,
        /// Why.
        reason: String,
        /// Who asks.
        by: String,
        /// What they see.
        reach: Reach,
    },
    /// End one for good, whether it is open or will be.
    End {
        /// Which.
        window: WindowId,
        /// Who asks.
        by: String,
        /// What they see.
        reach: Reach,
    },
}

/// Carries out a wish.
pub(super) fn carry_out(
    fleet: &mut Fleet,
    draft: &mut Draft,
    wish: Upkeep,
) -> Result<Done, CommandError> {
    match wish {
        Upkeep::Make { scope, times, reason, by, reach } => {
            let agents = may_mean(fleet, &scope, &reach)?;
            make_room(fleet, draft)?;
            let id = WindowId(fleet.last_window.0 + 1);
            fleet.last_window = id;
            draft.change.meta.push((LAST_WINDOW, id.to_string()));
            let window = Window { id, scope, times, reason, by, made_at: draft.now, ended: None };
            note(fleet, draft, &window, "Maintenance of");
            put(fleet, draft, window);
            Ok(Done::Window { window: id, agents })
        }
        Upkeep::End { window, by, reach } => {
            let found = fleet
                .cover
                .get(window)
                .filter(|w| w.over_since(draft.now).is_none() && is_seen(fleet, &w.scope, &reach));
            let mut window = found.cloned().ok_or(CommandError::WindowNotFound)?;
            window.ended = Some((draft.now, by));
            note(fleet, draft, &window, "Ended the maintenance of");
            let (id, agents) = (window.id, meant(fleet, &window.scope));
            put(fleet, draft, window);
            Ok(Done::Window { window: id, agents })
        }
    }
}

fn put(fleet: &mut Fleet, draft: &mut Draft, window: Window) {
    draft.change.windows.push(window.clone());
    draft.effects.windows = true;
    fleet.cover.put(window);
}

/// How many agents a new window means; an error if its maker may not mean them.
fn may_mean(fleet: &Fleet, scope: &Scope, reach: &Reach) -> Result<u64, CommandError> {
    if matches!(scope, Scope::Label { .. }) && !reach.is_whole() {
        return Err(CommandError::NotPossible(format!(
            "a label may be of hosts beyond {}; name an agent or a fleet",
            reach.words()
        )));
    }
    // What is not seen is answered like what is not there.
    let agents = if is_seen(fleet, scope, reach) { meant(fleet, scope) } else { 0 };
    if agents == 0 { Err(nobody(scope)) } else { Ok(agents) }
}

fn is_seen(fleet: &Fleet, scope: &Scope, reach: &Reach) -> bool {
    let fleet_of = |id: &AgentId| {
        let no = fleet.by_id.get(id)?;
        Some(fleet.agents.get(no)?.record.fleet.clone())
    };
    reach.is_whole() || scope.is_within(reach, fleet_of)
}

/// How many agents a scope means as things are.
fn meant(fleet: &Fleet, scope: &Scope) -> u64 {
    let here = fleet.agents.values().map(|agent| &agent.record).filter(|row| !row.forgotten);
    let meant = here.filter(|row| scope.means(&row.id, &row.fleet, &row.labels));
    u64::try_from(meant.count()).unwrap_or(u64::MAX)
}

fn nobody(scope: &Scope) -> CommandError {
    match scope {
        Scope::Agent(_) => CommandError::AgentNotFound,
        Scope::Fleet(_) | Scope::Label { .. } => CommandError::NotPossible(format!(
            "no agent belongs to the {scope}; look at how it is spelt on an agent's page"
        )),
    }
}

/// Where there are too many windows, the one that has been over for longest goes.
fn make_room(fleet: &mut Fleet, draft: &mut Draft) -> Result<(), CommandError> {
    if fleet.cover.windows().len() < MOST_WINDOWS {
        return Ok(());
    }
    let over = fleet.cover.windows().filter_map(|w| Some((w.over_since(draft.now)?, w.id)));
    let Some((_, oldest)) = over.min() else {
        let why = format!("there are {MOST_WINDOWS} windows already; end some of them first");
        return Err(CommandError::NotPossible(why));
    };
    remove(fleet, draft, oldest);
    Ok(())
}

fn remove(fleet: &mut Fleet, draft: &mut Draft, id: WindowId) {
    draft.change.windows_removed.push(id);
    draft.effects.windows = true;
    fleet.cover.remove(id);
}

/// Takes out windows that have been over for as long as cleared alarms are kept.
pub(super) fn sweep(fleet: &mut Fleet, draft: &mut Draft, age: Option<i64>) {
    let Some(age) = age else { return };
    let before = draft.now.minus(age);
    let is_old = |w: &&Window| w.over_since(draft.now).is_some_and(|at| at < before);
    let old: Vec<WindowId> = fleet.cover.windows().filter(is_old).map(|w| w.id).collect();
    for id in old {
        remove(fleet, draft, id);
    }
}

/// Puts what a person did into the history.
fn note(fleet: &Fleet, draft: &mut Draft, window: &Window, what: &str) {
    let by = window.ended.as_ref().map_or(&window.by, |(_, by)| by);
    draft.cause = Some(by.clone());
    let agent = match &window.scope {
        Scope::Agent(id) => fleet.by_id.get(id).copied(),
        Scope::Fleet(_) | Scope::Label { .. } => None,
    };
    let of = match &window.scope {
        Scope::Fleet(id) => Some(id.clone()),
        Scope::Agent(_) | Scope::Label { .. } => None,
    };
    let (id, scope, reason) = (window.id, &window.scope, &window.reason);
    let next = window.times.next(draft.now);
    let when = next.map(|Span { from, until }| {
        format!(", from {} until {}", from.to_rfc3339(), until.to_rfc3339())
    });
    let often = if matches!(window.times, Times::Weekly { .. }) { " and every week" } else { "" };
    let when = when.filter(|_| window.ended.is_none()).unwrap_or_default();
    let subject = format!("{what} {scope} (window {id}){when}{often}: {reason}");
    let about = About { fleet: of, agent, subject };
    draft.event(EventKind::AdminAction, about, None, None);
}

/// Brings agents and alarms in step with the windows that are open.
pub(super) fn follow(fleet: &mut Fleet, draft: &mut Draft) {
    let turned = fleet.cover.turn(draft.now);
    if !turned && !fleet.cover.is_open() {
        return;
    }
    let agents: Vec<AgentNo> = if turned {
        fleet.agents.keys().copied().collect()
    } else {
        draft.agents.keys().copied().collect()
    };
    let mut moved = turned;
    for no in agents {
        moved |= look_at(fleet, draft, no);
    }
    let alarms: Vec<AlarmId> = if moved {
        fleet.book.alarms().map(|alarm| alarm.id).collect()
    } else {
        draft.alarms.keys().copied().collect()
    };
    for id in alarms {
        let Some(alarm) = fleet.book.get(id) else { continue };
        if alarm.state == AlarmState::Pending {
            continue;
        }
        let window = covering(fleet, alarm).map(|covered| covered.window);
        let step = fleet.book.cover(id, window);
        raise::take(draft, step);
    }
}

/// Finds out what covers an agent; whether that is news.
fn look_at(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) -> bool {
    let Fleet { agents, cover, .. } = fleet;
    let Some(agent) = agents.get_mut(&no) else { return false };
    let row = &agent.record;
    let covered = cover.of_agent(&row.id, &row.fleet, &row.labels);
    if std::mem::replace(&mut agent.maintenance, covered) == covered {
        return false;
    }
    draft.effects.agents.insert(no);
    true
}

/// What covers an alarm: its agent, an agent at either end of its link, or its fleet where it is
/// about no agent.
fn covering(fleet: &Fleet, alarm: &Alarm) -> Option<Covered> {
    let is_link = AlarmKind::OF_LINKS.contains(&alarm.kind);
    let id = alarm.subject.parse::<EdgeId>().ok().filter(|_| is_link);
    let ends = id.and_then(|id| fleet.edges.get(&id)).map(|edge| &edge.record.ends);
    let ends = ends.into_iter().flatten().filter_map(|end| end.agent);
    let ends = ends.chain(alarm.agent).chain(alarm.also);
    let agents = ends.filter_map(|no| fleet.agents.get(&no)?.maintenance);
    let latest = agents.max_by_key(|covered| (covered.until, covered.window));
    let whole = alarm.fleet.as_ref().filter(|_| alarm.agent.is_none());
    latest.or_else(|| fleet.cover.of_fleet(whole?))
}

/// The highest number ever given to a window.
pub(super) fn last(windows: &[Window], kept: Option<&str>) -> WindowId {
    let kept = kept.and_then(|text| text.parse().ok()).map(WindowId);
    windows.iter().map(|window| window.id).chain(kept).max().unwrap_or_default()
}

/// When an agent's maintenance is over, as people are told.
pub(super) fn until(covered: Option<Covered>) -> Option<UnixSeconds> {
    covered.map(|covered| covered.until)
}
