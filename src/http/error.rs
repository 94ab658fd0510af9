//! Every refusal of the door: one type, one code, one status; a page for browsers and
//! `application/problem+json` for programs.
//!
//! A handler returns [`ApiError`]; it tells the caller what is wrong and keeps the cause for
//! the log. [`super::observe`] writes the body, because only it knows the request's id.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::model::time::UnixSeconds;
use crate::process::handle::CommandError;
use crate::store::StoreError;
use crate::wire::answer::Problem;
use crate::wire::codes::ErrorCode;

/// Seconds after which a caller may try again when storage or a queue is the trouble.
const RETRY_SOON: u32 = 5;

/// Seconds after which an agent may try again when there is no key yet: the shortest polling
/// interval of the key source.
const RETRY_KEYS: u32 = 30;

/// A refusal. Boxed, so that results of handlers stay small.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Refused>);

/// What a refusal says and why.
#[derive(Debug, Clone)]
pub struct Refused {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub detail: String,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u32>,
    /// The manager's clock, when clocks are the problem.
    pub server_time: Option<UnixSeconds>,
    /// Seconds a timestamp may be off, when clocks are the problem.
    pub max_skew: Option<i64>,
    /// When the report that spent this nonce was taken.
    pub accepted_at: Option<UnixSeconds>,
    /// Why, for the log only; never a secret.
    pub cause: Option<String>,
    /// The agent the request claims to come from, for the log.
    pub agent: Option<String>,
    /// Whether a relay that proved itself passed the request on.
    pub relayed: bool,
    /// The user or token that is refused, where that is known.
    pub who: Option<String>,
}

impl ApiError {
    /// A refusal with a sentence for a person.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Refused {
            code,
            detail: detail.into(),
            retry_after: default_retry(code),
            server_time: None,
            max_skew: None,
            accepted_at: None,
            cause: None,
            agent: None,
            relayed: false,
            who: None,
        }))
    }

    /// The manager's own fault: the caller learns nothing, the log everything.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::Internal,
            "The manager failed; its log tells why under this request id.",
        )
        .because(cause)
    }

    /// Nothing at this address.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {what}."))
    }

    /// A query or body that makes no sense.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, detail)
    }

    /// Adds the cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Tells when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Adds who is refused, for the audit.
    #[must_use]
    pub fn of(mut self, who: &str) -> Self {
        self.0.who = Some(who.to_owned());
        self
    }

    /// Changes what it says.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Refused)) -> Self {
        change(&mut self.0);
        self
    }

    /// Whether a relay that proved itself passed the request on.
    pub fn is_relayed(&self) -> bool {
        self.0.relayed
    }

    /// What it says to a person.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }
}

impl Refused {
    /// The body for programs.
    pub fn problem(&self, request_id: &str) -> Problem {
        let mut problem = Problem::new(
            self.code,
            status(self.code).as_u16(),
            self.detail.clone(),
            request_id.to_owned(),
        );
        problem.server_time = self.server_time;
        problem.max_skew = self.max_skew;
        problem.retry_after = self.retry_after;
        problem.accepted_at = self.accepted_at;
        problem
    }
}

/// The HTTP status of a code.
pub fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn default_retry(code: ErrorCode) -> Option<u32> {
    match status(code) {
        StatusCode::TOO_MANY_REQUESTS => Some(1),
        StatusCode::SERVICE_UNAVAILABLE if code == ErrorCode::KeysUnavailable => Some(RETRY_KEYS),
        StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_SOON),
        _ => None,
    }
}

/// What a 401 asks for (RFC 9110 section 11.6.1): a signature from agents, a token from others.
fn challenge(code: ErrorCode) -> Option<&'static str> {
    match status(code) {
        StatusCode::UNAUTHORIZED if matches!(code, ErrorCode::SignatureInvalid) => Some("Kattila"),
        StatusCode::UNAUTHORIZED => Some("Bearer"),
        _ => None,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = challenge(self.0.code) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl std::ops::Deref for ApiError {
    type Target = Refused;
    fn deref(&self) -> &Refused {
        &self.0
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Locked { .. } => Self::new(
                ErrorCode::StorageUnavailable,
                "The database does not answer; try again soon.",
            )
            .because(error),
            StoreError::Refused { .. } | StoreError::Constraint(_) | StoreError::Damaged(_) => {
                Self::internal(error)
            }
        }
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::AgentNotFound => {
                Self::new(ErrorCode::AgentNotFound, "There is no such agent.")
            }
            CommandError::WindowNotFound => Self::not_found("maintenance window that is not over"),
            CommandError::UserNotFound => Self::not_found("user"),
            CommandError::NotPossible(why) => Self::new(ErrorCode::Conflict, why),
            CommandError::Unavailable(why) => Self::new(
                ErrorCode::StorageUnavailable,
                "Nothing was changed, because storage does not answer; try again soon.",
            )
            .because(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROTOCOL 1.7, and the operators' own codes.
    const TABLE: &[(u16, &[&str])] = &[
        (
            400,
            &[
                "malformed_json",
                "duplicate_key",
                "missing_field",
                "invalid_field",
                "depth_exceeded",
                "unsupported_version",
                "bad_request",
                "before_history",
            ],
        ),
        (401, &["signature_invalid", "unauthenticated"]),
        (
            403,
            &[
                "timestamp_skew",
                "identity_required",
                "version_downgrade",
                "agent_revoked",
                "relay_not_allowed",
                "fleet_mismatch",
                "enrollment_closed",
                "pending_approval",
                "forbidden",
                "masked_caller",
            ],
        ),
        (404, &["not_found", "agent_not_found", "key_not_found"]),
        (410, &["share_over"]),
        (405, &["method_not_allowed"]),
        (408, &["request_timeout"]),
        (409, &["nonce_replayed", "tick_replayed", "identity_conflict", "conflict"]),
        (413, &["body_too_large", "data_too_large"]),
        (415, &["unsupported_media_type", "content_encoding"]),
        (
            422,
            &[
                "data_invalid",
                "nonce_reused",
                "relay_too_deep",
                "relay_loop",
                "relay_hop",
                "dictionary_unknown",
            ],
        ),
        (429, &["rate_limited"]),
        (431, &["headers_too_large"]),
        (500, &["internal"]),
        (502, &["upstream_unreachable"]),
        (503, &["overloaded", "storage_unavailable", "keys_unavailable", "starting"]),
    ];

    #[test]
    fn every_code_has_the_status_of_the_protocol() {
        let mut listed = 0;
        for (number, words) in TABLE {
            for word in *words {
                let code = ErrorCode::ALL.iter().find(|code| code.as_str() == *word).unwrap();
                assert_eq!(status(*code).as_u16(), *number, "{word}");
                listed += 1;
            }
        }
        assert_eq!(listed, ErrorCode::ALL.len(), "a code is missing from the table");
    }

    #[test]
    fn answers_carry_what_the_status_asks_for() {
        for code in ErrorCode::ALL {
            let response = ApiError::new(*code, "x").into_response();
            assert_eq!(response.status(), status(*code));
            let asks = response.headers().get(header::WWW_AUTHENTICATE);
            assert_eq!(asks.is_some(), response.status() == StatusCode::UNAUTHORIZED, "{code}");
            let waits = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(waits, matches!(response.status().as_u16(), 429 | 503), "{code}");
        }
        let unsigned = ApiError::new(ErrorCode::SignatureInvalid, "x").into_response();
        assert_eq!(unsigned.headers()[header::WWW_AUTHENTICATE], "Kattila");
    }

    #[test]
    fn causes_stay_inside() {
        let error = ApiError::from(StoreError::Damaged("row 7 of alarms".into()));
        let body = serde_json::to_string(&error.problem("r1")).unwrap();
        assert!(!body.contains("row 7"), "{body}");
        assert!(body.contains(r#""code":"internal""#) && body.contains(r#""request_id":"r1""#));
        assert_eq!(error.cause.as_deref(), Some("stored value is damaged: row 7 of alarms"));
    }
}
