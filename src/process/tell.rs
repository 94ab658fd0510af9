//! From alarms to messages: hands every alarm that a draft changes to the desk, and puts what the
//! desk decides into the same transaction.

use crate::model::state::{AlarmState, EventKind};
use crate::notify::desk::Desk;
use crate::notify::terms::{Changes, DeskError, Health, Host, Stamp};
use crate::store::change::AlarmRecord;

use super::draft::{About, Draft};
use super::engine::Engine;
use super::fleet::{Agents, Fleet};
use super::handle::{CommandError, Done};
use super::ledger;
use super::raise;
use super::wish::Wish;

/// Seconds between two looks at open alarms that nobody was told of: a route may hold by now.
const UNTOLD_EVERY_S: i64 = 60;

/// Hands the alarms that a draft changes to the desk.
pub(super) fn follow(fleet: &mut Fleet, draft: &mut Draft) {
    let Fleet { agents, desk, .. } = fleet;
    for alarm in draft.alarms.values() {
        take(desk, agents, alarm, draft.now, &mut draft.told);
    }
}

fn take(
    desk: &mut Desk,
    agents: &Agents,
    alarm: &AlarmRecord,
    now: crate::model::time::UnixSeconds,
    told: &mut Changes,
) {
    let agent = alarm.agent.and_then(|no| agents.get(&no)).map(|agent| &agent.record);
    let host = agent.map(|record| Host {
        agent_id: Some(record.id.clone()),
        hostname: record.hostname.clone(),
        labels: record.labels.clone(),
    });
    desk.alarm(alarm, &host.unwrap_or_default(), now, told);
}

/// Writes the messages that are due.
pub(super) fn tick(engine: &mut Engine, draft: &mut Draft) {
    follow(&mut engine.fleet, draft);
    if draft.now.since(engine.sentry.untold_seen).abs() >= UNTOLD_EVERY_S {
        engine.sentry.untold_seen = draft.now;
        untold(&mut engine.fleet, draft);
    }
    let stamp = Stamp { now: draft.now, seed: engine.seed };
    let Fleet { book, desk, .. } = &mut engine.fleet;
    desk.tick(stamp, |id| book.get(id).cloned().map(ledger::row_of), &mut draft.told);
}

/// Looks again at alarms that are open.
fn untold(fleet: &mut Fleet, draft: &mut Draft) {
    let Fleet { agents, desk, book, .. } = fleet;
    if desk.plan().routes.is_empty() {
        return;
    }
    let open = |state| matches!(state, AlarmState::Active | AlarmState::Returned);
    for alarm in book.alarms().filter(|alarm| open(alarm.state)) {
        let alarm = ledger::row_of(alarm.clone());
        take(desk, agents, &alarm, draft.now, &mut draft.told);
    }
}

/// Carries out a wish about messages.
pub(super) fn carry_out(
    engine: &mut Engine,
    draft: &mut Draft,
    wish: Wish,
) -> Result<Done, CommandError> {
    let (now, stamp) = (draft.now, Stamp { now: draft.now, seed: engine.seed });
    let desk = &mut engine.fleet.desk;
    match wish {
        Wish::Adopt(plan) => {
            desk.adopt(plan, now, &mut draft.told);
            untold(&mut engine.fleet, draft);
        }
        Wish::Settle { id, outcome } => {
            let settled = desk.settle(id, &outcome, now, &mut draft.told);
            match settled {
                Some((name, Health::Good)) => {
                    raise::notify_failing(&mut engine.fleet, draft, &name, None);
                }
                Some((name, Health::Failing(why))) => {
                    raise::notify_failing(&mut engine.fleet, draft, &name, Some(&why));
                }
                Some((_, Health::Unclear)) | None => {}
            }
        }
        Wish::Test { channel, by } => {
            let id = desk.test(&channel, &by, stamp, &mut draft.told).map_err(refused)?;
            note(draft, by, format!("sent a test to the channel {channel}"));
            return Ok(Done::Queued(id));
        }
        Wish::Again { message, by } => {
            let (id, channel) = (message.id, message.channel.clone());
            desk.again(*message, now, &mut draft.told).map_err(refused)?;
            note(draft, by, format!("had notification {id} to the channel {channel} sent again"));
            return Ok(Done::Queued(id));
        }
    }
    Ok(Done::Nothing)
}

fn note(draft: &mut Draft, by: String, subject: String) {
    draft.cause = Some(by);
    draft.event(EventKind::AdminAction, About { fleet: None, agent: None, subject }, None, None);
}

fn refused(error: DeskError) -> CommandError {
    CommandError::NotPossible(error.to_string())
}
