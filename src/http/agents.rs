//! What agents send: reports and announcements, verified before anything else is done.

use std::net::IpAddr;
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Serialize;
use tracing::{Instrument as _, debug_span};

use crate::model::id::AgentId;
use crate::model::state::Scheme;
use crate::model::time::UnixSeconds;
use crate::process::handle::Submission;
use crate::process::identity::Enrolled;
use crate::sign::digest::kid_of_public_key;
use crate::verify::arrived::{Arrived, Shape};
use crate::verify::enrol::{Enrolment, Registration, verify_registration};
use crate::verify::rejection::Rejection;
use crate::verify::{Verified, verify_report};
use crate::wire::answer::{self, Announced, Receipt, Standing, Taken};
use crate::wire::codes::ErrorCode;
use crate::wire::limits;

use super::body;
use super::error::{ApiError, status};
use super::server::Source;
use super::state::AppState;

/// `POST /status/updates`: a signed report. Answers only after the commit.
pub async fn updates(
    State(state): State<AppState>,
    Source(source): Source,
    request: Request,
) -> Result<Json<Receipt>, ApiError> {
    let door = AgentDoor { state: &state, source };
    let result = door.report(request).await;
    state.metrics.report(match &result {
        Ok(receipt) if receipt.status == Taken::Ok => "ok",
        Ok(_) => "duplicate",
        Err(error) => error.code().as_str(),
    });
    door.settle(result).map(Json)
}

/// `POST /status/register`: an agent announces itself (version 1), or asks to be known by a key
/// of its own (version 2).
pub async fn register(
    State(state): State<AppState>,
    Source(source): Source,
    request: Request,
) -> Result<Response, ApiError> {
    let door = AgentDoor { state: &state, source };
    let result = door.registration(request).await;
    door.settle(result)
}

/// The answer of `GET /status/healthcheck`.
#[derive(Debug, Serialize)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
    /// `ok`, or `none` while there is no key to check signatures with.
    pub keys: &'static str,
    /// `ok`, or `degraded` while the database lacks reports that were acknowledged.
    pub storage: &'static str,
    /// The manager's clock.
    pub server_time: UnixSeconds,
    /// The manager's version.
    pub version: &'static str,
}

/// `GET /status/healthcheck`: whether reports can be taken. Never asks DNS.
pub async fn healthcheck(State(state): State<AppState>) -> Result<Json<Health>, ApiError> {
    let processor = state.whole().status();
    if !processor.running || !processor.storage_ok {
        return Err(ApiError::new(
            ErrorCode::StorageUnavailable,
            "Reports cannot be stored at the moment; look at the manager's disk and log.",
        ));
    }
    let now = state.clock.now();
    let keys = if state.keeper.ring().usable(now).next().is_some() { "ok" } else { "none" };
    let version = env!("CARGO_PKG_VERSION");
    let storage = if state.lost_reports { "degraded" } else { "ok" };
    Ok(Json(Health { status: "ok", keys, storage, server_time: now, version }))
}

/// One request of an agent.
struct AgentDoor<'a> {
    state: &'a AppState,
    source: Option<IpAddr>,
}

impl AgentDoor<'_> {
    async fn report(&self, request: Request) -> Result<Receipt, ApiError> {
        let (shape, body) = self.read(request, body::report_shape).await?;
        let verified = self.verify(|now| self.check_report((shape, &body), now)).await?;
        let relay = verified.through().cloned();
        let submission = Submission::new(verified, self.source);
        let accepted =
            self.state.whole().submit(submission).instrument(debug_span!("store")).await.map_err(
                |why| self.refuse(&relay.iter().fold(why, |why, relay| why.through(relay))),
            )?;
        Ok(Receipt {
            status: if accepted.duplicate { Taken::Duplicate } else { Taken::Ok },
            report_id: accepted.report_id,
            server_time: self.state.clock.now(),
            interval: self.state.config.interval,
            framed: true,
            dict: self.state.whole().shelf().newest(),
        })
    }

    async fn registration(&self, request: Request) -> Result<Response, ApiError> {
        let ((), body) = self.read(request, body::require_json).await?;
        match self.verify(|now| self.check_registration(&body, now)).await? {
            Registration::Announcement(announcement) => {
                let announced = self.state.whole().announce(announcement, self.source).await;
                announced.map_err(|why| self.refuse(&why))?;
                Ok(Json(Announced { status: Taken::Ok }).into_response())
            }
            Registration::Enrolment(enrolment) => self.enrolment(enrolment).await,
        }
    }

    async fn enrolment(&self, enrolment: Enrolment) -> Result<Response, ApiError> {
        let agent_id = enrolment.agent_id().clone();
        let kid = kid_of_public_key(&enrolment.public_key().0);
        let enrolled = self.state.whole().enrol(enrolment, self.source).await;
        let (code, status) = match enrolled.map_err(|why| self.refuse(&why))? {
            Enrolled::Pinned => (StatusCode::CREATED, Standing::Enrolled),
            Enrolled::Known => (StatusCode::OK, Standing::Enrolled),
            Enrolled::Pending => (StatusCode::ACCEPTED, Standing::PendingApproval),
        };
        let (server_time, interval) = (self.state.clock.now(), self.state.config.interval);
        let (framed, dict) = (true, self.state.whole().shelf().newest());
        let answer =
            answer::Enrolled { status, agent_id, kid, server_time, interval, framed, dict };
        Ok((code, Json(answer)).into_response())
    }

    /// The body, if this address may send one and it is of the right type and size.
    async fn read<T>(
        &self,
        request: Request,
        of_type: fn(&HeaderMap) -> Result<T, ApiError>,
    ) -> Result<(T, Bytes), ApiError> {
        self.state.sources.check(self.source, self.state.clock.now())?;
        let (parts, body) = request.into_parts();
        let shape = of_type(&parts.headers)?;
        Ok((shape, body::read(&parts.headers, body, limits::BODY_BYTES).await?))
    }

    /// Verifies, and once more if the keys have just been renewed because of it.
    async fn verify<T>(
        &self,
        check: impl Fn(UnixSeconds) -> Result<T, Rejection>,
    ) -> Result<T, ApiError> {
        let now = self.state.clock.now();
        let verify = debug_span!("verify");
        let mut result = verify.in_scope(|| check(now));
        if let Err(rejection) = &result
            && rejection.wants_new_keys()
            && self.state.keeper.refresh_for_unknown_key(now).await
        {
            result = check(self.state.clock.now());
        }
        result.map_err(|why| self.refuse(&why))
    }

    fn check_report(
        &self,
        (shape, body): (Shape, &Bytes),
        now: UnixSeconds,
    ) -> Result<Verified, Rejection> {
        let known = |agent: &AgentId| self.state.whole().known(agent);
        let shelf = Some(&**self.state.whole().shelf());
        let arrived = Arrived { body, shape: Some(shape), shelf };
        let begun = Instant::now();
        let ring = self.state.keeper.ring();
        let result = verify_report(arrived, &ring, &self.state.policy, known, now);
        let (scheme, refused) = match &result {
            Ok(verified) => (Some(verified.scheme()), None),
            Err(rejection) => (scheme_of(rejection), Some(rejection.code())),
        };
        self.state.metrics.checked(scheme, refused, begun.elapsed());
        result
    }

    fn check_registration(
        &self,
        body: &Bytes,
        now: UnixSeconds,
    ) -> Result<Registration, Rejection> {
        let known = |agent: &AgentId| self.state.whole().known(agent);
        verify_registration(body, &self.state.keeper.ring(), &self.state.policy, known, now)
    }

    fn refuse(&self, rejection: &Rejection) -> ApiError {
        self.state.whole().refused(rejection, self.source);
        ApiError::from(rejection)
    }

    /// Counts what was the sender's fault against its address. A relay that proved itself sends
    /// other agents' faults.
    fn settle<T>(&self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        if let Err(error) = &result
            && status(error.code()).is_client_error()
            && !error.is_relayed()
        {
            self.state.sources.refused(self.source, self.state.clock.now());
        }
        result
    }
}

/// How the refused report claims to be signed, where that is known.
fn scheme_of(rejection: &Rejection) -> Option<Scheme> {
    if let Rejection::SignatureInvalid { scheme, .. } | Rejection::VersionDowngrade { scheme, .. } =
        rejection.reason()
    {
        return Some(*scheme);
    }
    None
}

impl From<&Rejection> for ApiError {
    fn from(rejection: &Rejection) -> Self {
        let error = Self::new(rejection.code(), rejection.detail()).because(rejection);
        let error = error.with(|refused| {
            refused.agent = rejection.agent().map(ToString::to_string);
        });
        let error = error.with(|refused| refused.relayed = rejection.relay().is_some());
        match rejection.reason() {
            Rejection::TimestampSkew { now, max_skew, .. }
            | Rejection::CollectedSkew { now, max_skew, .. } => error.with(|refused| {
                refused.server_time = Some(*now);
                refused.max_skew = Some(*max_skew);
            }),
            Rejection::RegistrationStale { now, .. } => {
                error.with(|refused| refused.server_time = Some(*now))
            }
            Rejection::Replayed { accepted_at, .. }
            | Rejection::BodyRepeated { accepted_at, .. } => {
                error.with(|refused| refused.accepted_at = Some(*accepted_at))
            }
            Rejection::RateLimited { retry_after, .. } | Rejection::NoRoom { retry_after, .. } => {
                error.retry_after(*retry_after)
            }
            Rejection::Envelope(_)
            | Rejection::KeysUnavailable
            | Rejection::SignatureInvalid { .. }
            | Rejection::VersionDowngrade { .. }
            | Rejection::IdentityRequired { .. }
            | Rejection::AgentRevoked { .. }
            | Rejection::EnrollmentClosed { .. }
            | Rejection::AwaitingApproval { .. }
            | Rejection::KeyRefused { .. }
            | Rejection::IdentityConflict { .. }
            | Rejection::NotItsName { .. }
            | Rejection::FleetMismatch { .. }
            | Rejection::TickReplayed { .. }
            | Rejection::NonceReused { .. }
            | Rejection::DataInvalid { .. }
            | Rejection::FrameUnfit { .. }
            | Rejection::DictionaryUnknown { .. }
            | Rejection::Chain { .. }
            | Rejection::Relayed { .. }
            | Rejection::Overloaded
            | Rejection::StorageUnavailable
            | Rejection::Starting => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_clock_is_told_both_times() {
        let error = ApiError::from(&Rejection::TimestampSkew {
            agent: "gw-1".parse().unwrap(),
            timestamp: UnixSeconds(1),
            now: UnixSeconds(1000),
            max_skew: 600,
        });
        let problem = error.problem("r");
        assert_eq!((problem.status, problem.code), (403, ErrorCode::TimestampSkew));
        assert_eq!(problem.server_time, Some(UnixSeconds(1000)));
        assert_eq!(problem.max_skew, Some(600));
    }

    #[test]
    fn a_bad_signature_tells_the_log_more_than_the_sender() {
        let error = ApiError::from(&Rejection::SignatureInvalid {
            agent: "gw-1".parse().unwrap(),
            scheme: Scheme::V2Hmac,
            kid: Some("45819852fbdfc69a".parse().unwrap()),
            may_be_new_key: true,
        });
        assert!(!error.problem("r").detail.contains("45819852fbdfc69a"));
        assert!(error.cause.as_deref().unwrap().contains("45819852fbdfc69a"));
        assert_eq!(error.agent.as_deref(), Some("gw-1"));
    }
}
