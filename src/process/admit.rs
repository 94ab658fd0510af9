//! May this verified report in? Downgrade, replay, rate; then its content.
//!
//! The stateful half of the order of checks in the protocol: everything that needs to know the
//! agent happens here, on the one thread that writes, so that nothing can slip in between.

use std::net::IpAddr;

use super::doubt;
use super::draft::Draft;
use super::engine::{Engine, Enroll};
use super::enroll::{Standing, register, standing};
use super::fleet::Fleet;
use super::handle::{Accepted, Submission};
use super::identity::{self, Enrolled};
use super::late;
use super::order::{Made, Order};
use super::overlay;
use super::raise::{self, Skew};
use super::relays::{self, Way};
use super::report::Arrival;
use super::rows::audit_row;
use super::show::may_relay;
use super::suspect::{self, Suspect};
use crate::model::id::{AgentId, AgentNo, FleetId, ReportId};
use crate::model::rate::Bucket;
use crate::model::report::ReportData;
use crate::model::state::{AgentStatus, Scheme};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::earlier::{Earlier, EarlierReport};
use crate::verify::enrol::Enrolment;
use crate::verify::rejection::Rejection;
use crate::verify::relay::ChainFault;
use crate::verify::replay::{Fresh, History, Judgement, SpentRow};
use crate::verify::{Announcement, Verified};

/// Reports kept this long answer a byte-identical retry with the first result (PROTOCOL 1.7).
const IDEMPOTENT_S: i64 = 1200;

/// Seconds for which reports answer whether one comes again: as long as a signature may be taken,
/// and as long as a retry is told the first result.
pub(super) const fn looks_back_s(max_skew: i64) -> i64 {
    2 * max_skew + IDEMPOTENT_S
}

/// What is written, and what the sender is told.
pub(super) type Decided<T> = Result<(Draft, Result<T, Rejection>), StoreError>;

/// Decides about one report.
pub(super) fn report(
    engine: &mut Engine,
    submission: &Submission,
    now: UnixSeconds,
) -> Decided<Accepted> {
    let mut draft = Draft::new(now);
    let result = admitted(engine, &mut draft, submission);
    match result {
        Ok(accepted) => Ok((draft, Ok(accepted))),
        Err(Stop::Refused(rejection)) => {
            // What was drafted for a refused report is at most its waiting registration.
            draft.change.report = None;
            Ok((draft, Err(rejection)))
        }
        Err(Stop::Storage(failure)) => Err(failure),
    }
}

/// Decides about an announcement: registers an agent that was not known.
pub(super) fn announcement(
    engine: &mut Engine,
    announcement: &Announcement,
    source: Option<IpAddr>,
    now: UnixSeconds,
) -> Decided<()> {
    let mut draft = Draft::new(now);
    let fleet = announcement.envelope().fleet_id().cloned().unwrap_or_else(FleetId::unnamed);
    let id = announcement.envelope().agent_id();
    let known = engine.fleet.by_id.get(id).and_then(|no| engine.fleet.agents.get(no));
    if known.is_some_and(|agent| agent.keys.pinned().is_some()) {
        return Ok((draft, Err(Rejection::IdentityRequired { agent: id.clone() })));
    }
    if is_forgotten(engine, id) && engine.settings.enroll != Enroll::Closed {
        // It comes back with its next report, which spends its nonce. An announcement spends
        // none, and version 1 signs neither its time nor its nonce: whoever recorded one from
        // before could undo the forgetting at any time.
        return Ok((draft, Ok(())));
    }
    match standing(engine, &mut draft, id, &fleet, source) {
        Ok(Standing::Known(_)) => Ok((draft, Ok(()))),
        Ok(Standing::New(known)) => {
            let status = AgentStatus::Stale;
            let registered = register(engine, &mut draft, known, id, &fleet, status, source);
            Ok((draft, registered.map(|_no| ())))
        }
        Err(rejection) => Ok((draft, Err(rejection))),
    }
}

/// Decides about an enrolment.
pub(super) fn enrolment(
    engine: &mut Engine,
    enrolment: &Enrolment,
    source: Option<IpAddr>,
    now: UnixSeconds,
) -> Decided<Enrolled> {
    let mut draft = Draft::new(now);
    if let Some(no) = engine.fleet.by_id.get(enrolment.agent_id()).copied()
        && let Err(Stop::Refused(full)) = within_rate(engine, now, no, enrolment.agent_id())
    {
        return Ok((draft, Err(full)));
    }
    let result = identity::enrol(engine, &mut draft, enrolment, source);
    Ok((draft, result))
}

/// Whether an admin has forgotten this agent and it has not come back.
fn is_forgotten(engine: &Engine, id: &AgentId) -> bool {
    let agent = engine.fleet.by_id.get(id).and_then(|no| engine.fleet.agents.get(no));
    agent.is_some_and(|agent| agent.record.forgotten)
}

enum Stop {
    Refused(Rejection),
    Storage(StoreError),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl From<StoreError> for Stop {
    fn from(failure: StoreError) -> Self {
        Self::Storage(failure)
    }
}

fn admitted(
    engine: &mut Engine,
    draft: &mut Draft,
    submission: &Submission,
) -> Result<Accepted, Stop> {
    let &Submission { ref verified, ref data, hashes, source } = submission;
    let fleet = fleet_of(verified, data.as_ref().ok());
    may_relay_it(engine, verified)?;
    // Before a forgotten agent is put on the waiting list again.
    if is_forgotten(engine, verified.agent_id())
        && let Some(no) = engine.fleet.by_id.get(verified.agent_id()).copied()
        && let Some(first) = replayed(engine, draft, no, verified)?
    {
        return Ok(Accepted { report_id: first, duplicate: true });
    }
    let standing = standing(engine, draft, verified.agent_id(), &fleet, source)?;
    if let Some(no) = standing.number() {
        same_key(engine, draft, no, verified)?;
        downgrade(engine, no, verified)?;
        if let Some(first) = replayed(engine, draft, no, verified)? {
            return Ok(Accepted { report_id: first, duplicate: true });
        }
        within_rate(engine, draft.now, no, verified.agent_id())?;
    }
    let data = data.as_ref().map_err(|invalid| Rejection::DataInvalid {
        agent: verified.agent_id().clone(),
        detail: invalid.to_string(),
    })?;
    same_agent(verified, data)?;
    let mut suspect = None;
    if let Standing::Known(no) = standing {
        match suspect::look(engine, draft, no, verified, data)? {
            Some(Suspect::Refused(rejection)) => return Err(rejection.into()),
            Some(Suspect::Noted(why)) => suspect = Some(why),
            None => suspect = suspect::stolen_name(engine, no, verified, &fleet, data),
        }
    }
    let no = match standing {
        Standing::Known(no) => no,
        Standing::New(no) => {
            register(engine, draft, no, verified.agent_id(), &fleet, AgentStatus::Online, source)?
        }
    };
    let id = ReportId(engine.fleet.last_report.0 + 1);
    engine.fleet.last_report = id;
    draft.report = Some(id);
    draft.change.report = Some(audit_row(id, no, verified, data, source, draft.now));
    engine.replay.admit(no, &spent(verified));
    before_it_counts(&mut engine.fleet, draft, no, verified);
    seen(engine, draft, no, verified);
    suspect::note(engine, draft, no, verified, data);
    raise::replay_suspect(&mut engine.fleet, draft, no, suspect);
    let skew =
        Skew { offset: verified.timestamp().since(draft.now), max: engine.settings.max_skew };
    raise::accepted(&mut engine.fleet, draft, no, skew, data.had_secrets);
    doubt::accepted(engine, draft, no);
    let measured_at = data.collected_at.unwrap_or(verified.timestamp());
    let arrival = Arrival { no, verified, fleet: &fleet, source, measured_at, hashes };
    let is_late = is_late(engine, draft.now, &arrival)?;
    relays::came(&mut engine.fleet, draft, no, &Way { path: verified.relay_path(), is_late });
    if is_late {
        late::report(engine, draft, &arrival, data)?;
    } else {
        late::then(engine, draft, &arrival, data)?;
    }
    Ok(Accepted { report_id: id, duplicate: false })
}

/// What is compared with the agent's report before, as long as that is its last.
fn before_it_counts(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, verified: &Verified) {
    doubt::wg_keys(fleet, draft, no);
    overlay::addresses(fleet, draft, no);
    doubt::clock(fleet, draft, no, verified);
}

/// Relays may have lost their keys, or the right to relay, since their signatures were checked.
fn may_relay_it(engine: &Engine, verified: &Verified) -> Result<(), Stop> {
    for hop in verified.hops() {
        let no = engine.fleet.by_id.get(&hop.relay_id);
        let agent = no.and_then(|no| engine.fleet.agents.get(no));
        let pinned = agent.and_then(|agent| agent.keys.pinned()).map(|row| row.public_key);
        if pinned != hop.own_key || agent.is_some_and(|agent| !may_relay(agent)) {
            let relay = hop.relay_id.clone();
            let fault = ChainFault::Barred(relay.clone());
            return Err(Rejection::Chain { relay, fault }.into());
        }
    }
    Ok(())
}

/// The signed fleet, else the one in the content, else the unnamed one.
fn fleet_of(verified: &Verified, data: Option<&ReportData>) -> FleetId {
    let told = verified.fleet_id().or_else(|| data.and_then(|data| data.fleet_id.as_ref()));
    told.cloned().unwrap_or_else(FleetId::unnamed)
}

/// An agent's own key is the only one that speaks for it. The signature was checked with the key
/// pinned a moment ago: by now it may be another, or none.
fn same_key(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    verified: &Verified,
) -> Result<(), Stop> {
    let pinned = engine.fleet.agents.get(&no).and_then(|agent| agent.keys.pinned());
    let pinned = pinned.map(|row| row.public_key);
    let agent = verified.agent_id().clone();
    match (pinned, verified.own_key()) {
        (None, None) => Ok(()),
        (Some(pinned), Some(key)) if pinned == *key => Ok(()),
        (_, Some(_)) => Err(Rejection::SignatureInvalid {
            agent,
            scheme: verified.scheme(),
            kid: Some(verified.kid().clone()),
            may_be_new_key: false,
        }
        .into()),
        (Some(_), None) => {
            doubt::downgraded(&mut engine.fleet, draft, no, verified);
            Err(Rejection::IdentityRequired { agent }.into())
        }
    }
}

/// Once an agent has signed version 2, version 1 is refused: whoever can read the shared key
/// could otherwise go back to the scheme that does not sign the time.
fn downgrade(engine: &Engine, no: AgentNo, verified: &Verified) -> Result<(), Stop> {
    let before = engine.fleet.agents.get(&no).and_then(|agent| agent.record.scheme);
    match (before, verified.scheme()) {
        (Some(Scheme::V2Hmac | Scheme::V2Ed25519), Scheme::V1) => {
            let agent = verified.agent_id().clone();
            Err(Rejection::VersionDowngrade { agent, scheme: verified.scheme() }.into())
        }
        _ => Ok(()),
    }
}

fn spent(verified: &Verified) -> Fresh<'_> {
    Fresh { nonce: verified.nonce(), timestamp: verified.timestamp(), tick: verified.tick() }
}

/// Whether the report was accepted before. `Some` if these are the same signed bytes again.
fn replayed(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    verified: &Verified,
) -> Result<Option<ReportId>, Stop> {
    let now = draft.now;
    let since = now.minus(looks_back_s(engine.settings.max_skew));
    let last_tick = engine.fleet.agents.get(&no).and_then(|agent| agent.record.last_tick);
    let writer = &mut engine.writer;
    let load = |since: UnixSeconds| -> Result<History, StoreError> {
        let rows = writer.earlier(no, &Earlier::Since(since))?.reports;
        Ok(History { rows: rows.into_iter().map(spent_row).collect(), last_tick })
    };
    let agent = verified.agent_id();
    let judgement = engine.replay.judge(no, &spent(verified), now, load)?;
    if judgement == Judgement::Fresh {
        return Ok(None);
    }
    let rows = engine.writer.earlier(no, &Earlier::Since(since))?.reports;
    let twin = rows.iter().rev().find(|row| row.nonce == verified.nonce());
    let differs = twin.is_some_and(|row| row.data_sha256 != *verified.data_sha256());
    if differs && judgement != Judgement::Full {
        raise::replay(&mut engine.fleet, draft, no);
    }
    match judgement {
        Judgement::Fresh => Ok(None),
        Judgement::NonceSeen => {
            let accepted_at = twin.map_or(now, |row| row.received_at);
            Err(match verified.scheme() {
                Scheme::V1 => Rejection::Replayed { agent: agent.clone(), accepted_at },
                Scheme::V2Hmac | Scheme::V2Ed25519 => {
                    Rejection::NonceReused { agent: agent.clone() }
                }
            }
            .into())
        }
        Judgement::TickSeen | Judgement::TickTooOld => {
            let first = rows.iter().find(|row| same_bytes(row, verified));
            match first.filter(|row| now.since(row.received_at) <= IDEMPOTENT_S) {
                Some(row) => Ok(Some(row.id)),
                None => {
                    let tick = verified.tick().unwrap_or_default();
                    Err(Rejection::TickReplayed { agent: agent.clone(), tick }.into())
                }
            }
        }
        Judgement::Full => {
            Err(Rejection::RateLimited { agent: Some(agent.clone()), retry_after: 60 }.into())
        }
    }
}

/// Everything that version 2 signs is the same.
fn same_bytes(row: &EarlierReport, verified: &Verified) -> bool {
    row.tick == verified.tick()
        && row.nonce == verified.nonce()
        && row.timestamp == verified.timestamp()
        && row.data_sha256 == *verified.data_sha256()
}

fn spent_row(row: EarlierReport) -> SpentRow {
    SpentRow {
        nonce: row.nonce,
        timestamp: row.timestamp,
        received_at: row.received_at,
        tick: row.tick,
    }
}

fn within_rate(
    engine: &mut Engine,
    now: UnixSeconds,
    no: AgentNo,
    id: &AgentId,
) -> Result<(), Stop> {
    let Some(rate) = engine.settings.rate else { return Ok(()) };
    let Some(agent) = engine.fleet.agents.get_mut(&no) else { return Ok(()) };
    let bucket = agent.bucket.get_or_insert_with(|| Bucket::new(rate, now));
    bucket.take(rate, now).map_err(|retry_after| {
        Rejection::RateLimited { agent: Some(id.clone()), retry_after }.into()
    })
}

/// Version 1 does not sign the envelope's agent id; where the content repeats it, they must
/// agree (PROTOCOL 4, A2).
fn same_agent(verified: &Verified, data: &ReportData) -> Result<(), Stop> {
    match &data.agent_id {
        Some(inner) if inner != verified.agent_id() => Err(Rejection::DataInvalid {
            agent: verified.agent_id().clone(),
            detail: "data.agent_id names another agent than the envelope".into(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// The agent is alive, whatever its report says.
fn seen(engine: &mut Engine, draft: &mut Draft, no: AgentNo, verified: &Verified) {
    let Some(agent) = engine.fleet.agents.get_mut(&no) else { return };
    let tick = verified.tick();
    agent.record.last_seen_at = Some(draft.now);
    agent.record.last_tick = tick.max(agent.record.last_tick);
    agent.live.saw(draft.now, agent.record.last_tick);
    super::tick::came_back(&mut engine.fleet, draft, no);
}

/// Whether a report tells of the past.
fn is_late(
    engine: &mut Engine,
    now: UnixSeconds,
    arrival: &Arrival<'_>,
) -> Result<bool, StoreError> {
    let patience = *engine.sentry.patience();
    let since = now.minus(looks_back_s(engine.settings.max_skew));
    let Arrival { no, verified, measured_at, .. } = *arrival;
    let Some(agent) = engine.fleet.agents.get_mut(&no) else { return Ok(false) };
    let order = if let Some(order) = &mut agent.order {
        order
    } else {
        let rows = engine.writer.earlier(no, &Earlier::Since(since))?.reports;
        agent.history_ahead = !engine.writer.earlier(no, &Earlier::End)?.reports.is_empty();
        agent.order.insert(Order::after(&rows, &patience))
    };
    let (signed_at, tick) = (verified.timestamp(), verified.tick());
    Ok(order.take(Made { measured_at, signed_at, tick }, &patience))
}
