//! Whether a version 1 report looks recorded, and what then: asks the table for what memory
//! does not hold, and raises the alarm.

use super::draft::Draft;
use super::engine::Engine;
use super::raise;
use crate::model::id::{AgentNo, FleetId};
use crate::model::report::ReportData;
use crate::model::state::Scheme;
use crate::store::StoreError;
use crate::store::earlier::Earlier;
use crate::verify::Verified;
use crate::verify::bodies::{Bodies, Body, HABIT, LOOK_BACK_S, Suspicion};
use crate::verify::rejection::Rejection;

/// Why a report looks recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Suspect {
    /// It must not be taken.
    Refused(Rejection),
    /// It is taken; the sentence for the alarm.
    Noted(String),
}

/// Looks at a report that is about to be taken. `None`: nothing strange about it.
pub(super) fn look(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    verified: &Verified,
    data: &ReportData,
) -> Result<Option<Suspect>, StoreError> {
    let mode = engine.settings.v1_repeats;
    if verified.scheme() != Scheme::V1 || mode == Suspicion::Off {
        return Ok(None);
    }
    let (now, max_skew) = (draft.now, engine.settings.max_skew);
    let bodies = remembered(engine, no)?;
    let (lost, surprise) = (
        bodies.lost_time(data.collected_at, now, max_skew),
        bodies.expects_new(data.collected_at, verified.data_sha256()),
    );
    let agent = verified.agent_id();
    let rejection = if let Some(collected_at) = data.collected_at.filter(|_| lost) {
        Rejection::CollectedSkew { agent: agent.clone(), collected_at, now, max_skew }
    } else if surprise {
        let since = now.minus(LOOK_BACK_S);
        // Under the forms tried for version 1 the same signed content may come spaced anew.
        let digests = [*verified.data_sha256(), *verified.signed_sha256()];
        let same = Earlier::SameV1Body { digests, collected_at: data.collected_at, since };
        let Some(first) = engine.writer.earlier(no, &same)?.reports.pop() else { return Ok(None) };
        Rejection::BodyRepeated { agent: agent.clone(), accepted_at: first.received_at }
    } else {
        return Ok(None);
    };
    if mode == Suspicion::Refuse {
        raise::replay_suspect(&mut engine.fleet, draft, no, Some(rejection.to_string()));
        return Ok(Some(Suspect::Refused(rejection)));
    }
    Ok(Some(Suspect::Noted(rejection.to_string())))
}

/// Remembers a version 1 report that was taken.
pub(super) fn note(
    engine: &mut Engine,
    draft: &Draft,
    no: AgentNo,
    verified: &Verified,
    data: &ReportData,
) {
    let max_skew = engine.settings.max_skew;
    if verified.scheme() != Scheme::V1 || engine.settings.v1_repeats == Suspicion::Off {
        return;
    }
    let Some(agent) = engine.fleet.agents.get_mut(&no) else { return };
    let body = Body {
        data_sha256: *verified.data_sha256(),
        collected_at: data.collected_at,
        received_at: draft.now,
    };
    agent.bodies.get_or_insert_default().note(&body, max_skew);
}

/// The agent's last bodies; read from the table once per run.
fn remembered(engine: &mut Engine, no: AgentNo) -> Result<Bodies, StoreError> {
    let max_skew = engine.settings.max_skew;
    let Some(agent) = engine.fleet.agents.get_mut(&no) else { return Ok(Bodies::default()) };
    if let Some(bodies) = &agent.bodies {
        return Ok(bodies.as_ref().clone());
    }
    let mut bodies = Bodies::default();
    for row in engine.writer.earlier(no, &Earlier::LastV1(HABIT))?.reports {
        let (data_sha256, collected_at) = (row.data_sha256, row.collected_at);
        bodies.note(&Body { data_sha256, collected_at, received_at: row.received_at }, max_skew);
    }
    agent.bodies = Some(Box::new(bodies.clone()));
    Ok(bodies)
}

/// A version 1 agent that takes the name of a host which another agent of the fleet reports:
/// its envelope may stand around data recorded there, since the agent's id is not signed
/// (PROTOCOL 4, A2). A new agent may be the same host set up again and is left alone.
pub(super) fn stolen_name(
    engine: &Engine,
    no: AgentNo,
    verified: &Verified,
    fleet: &FleetId,
    data: &ReportData,
) -> Option<String> {
    if verified.scheme() != Scheme::V1 || engine.settings.v1_repeats == Suspicion::Off {
        return None;
    }
    let new = data.hostname.as_deref()?;
    let record = &engine.fleet.agents.get(&no)?.record;
    let old = record.hostname.as_deref().filter(|old| *old != new)?;
    let owner = engine.fleet.agents.values().map(|agent| &agent.record).find(|other| {
        other.no != no
            && !other.forgotten
            && other.fleet == *fleet
            && other.hostname.as_deref() == Some(new)
    })?;
    Some(format!(
        "{} was host {old} and now reports as {new}, the name of {}; if nobody renamed the host, \
         a report of {} was recorded and sent under another agent's id",
        record.id, owner.id, owner.id
    ))
}
