//! The closed set of error codes: what a program reads in an answer to know what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $title:literal;)+) => {
        /// A reason for a refusal, as `code` in the answer. Never renamed, only added to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $word)] $variant),+
        }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The same for a person, in a few words that never change (RFC 9457, `title`).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes!(
    /// 400: not JSON, not UTF-8, not an object, or cut short.
    MalformedJson = "malformed_json", "The body is not a JSON object";
    /// 400: an object names a member twice.
    DuplicateKey = "duplicate_key", "A member is given twice";
    /// 400: a member that must be there is not.
    MissingField = "missing_field", "A member is missing";
    /// 400: a member does not follow its syntax, or is not known.
    InvalidField = "invalid_field", "A member is not valid";
    /// 400: nested too deeply.
    DepthExceeded = "depth_exceeded", "The body is nested too deeply";
    /// 400: a version of the protocol that this manager does not speak here.
    UnsupportedVersion = "unsupported_version", "This protocol version is not supported";
    /// 400: a query or form of an operator that does not make sense, or no HTTP at all.
    BadRequest = "bad_request", "The request does not make sense";
    /// 400: a time before the history that is kept; the detail says since when there is one.
    BeforeHistory = "before_history", "The history does not go back that far";
    /// 401: the signature does not hold; the one answer to any key, agent or kid failure.
    SignatureInvalid = "signature_invalid", "The signature does not hold";
    /// 401: an operator who is not signed in.
    Unauthenticated = "unauthenticated", "Sign in first";
    /// 403: signed too long ago or too far ahead.
    TimestampSkew = "timestamp_skew", "The timestamp is too far from the manager's clock";
    /// 403: the agent has a key of its own and must use it.
    IdentityRequired = "identity_required", "This agent must sign with its own key";
    /// 403: an older scheme than this agent or this manager accepts.
    VersionDowngrade = "version_downgrade", "This agent must use a newer signature scheme";
    /// 403: taken out of service by an admin.
    AgentRevoked = "agent_revoked", "This agent has been taken out of service";
    /// 403: this sender may not relay.
    RelayNotAllowed = "relay_not_allowed", "Relaying is not allowed here";
    /// 403: signed for another fleet.
    FleetMismatch = "fleet_mismatch", "This agent belongs to another fleet";
    /// 403: new agents are not taken.
    EnrollmentClosed = "enrollment_closed", "New agents are not taken";
    /// 403: the agent waits for an admin's approval.
    PendingApproval = "pending_approval", "This agent waits for approval";
    /// 403: a role that is too small.
    Forbidden = "forbidden", "Your role does not allow this";
    /// 403: this is not given to who is given pseudonyms.
    MaskedCaller = "masked_caller", "You are given pseudonyms, and this cannot be told under them";
    /// 404: no such address.
    NotFound = "not_found", "There is nothing here";
    /// 404: no such agent.
    AgentNotFound = "agent_not_found", "There is no such agent";
    /// 404: no such key.
    KeyNotFound = "key_not_found", "There is no such key";
    /// 410: a shared link that has ended, was taken back, or never was.
    ShareOver = "share_over", "This link shows nothing any more";
    /// 405: the address exists, this method does not.
    MethodNotAllowed = "method_not_allowed", "This method is not allowed here";
    /// 408: the request took too long to arrive.
    RequestTimeout = "request_timeout", "The request took too long to arrive";
    /// 409: this nonce was used before (version 1).
    NonceReplayed = "nonce_replayed", "This report was accepted before";
    /// 409: this tick was used before, or is too old to tell (version 2).
    TickReplayed = "tick_replayed", "This tick was used before";
    /// 409: another key is pinned to this agent.
    IdentityConflict = "identity_conflict", "This agent is known under another key";
    /// 409: the thing is not in a state in which this can be done.
    Conflict = "conflict", "This cannot be done in the present state";
    /// 413: the body is larger than a report may be.
    BodyTooLarge = "body_too_large", "The body is too large";
    /// 413: `data` is larger than it may be.
    DataTooLarge = "data_too_large", "The data is too large";
    /// 415: not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", "This content type is not taken";
    /// 415: compressed.
    ContentEncoding = "content_encoding", "Content encodings are not taken";
    /// 431: the header block is larger than it may be.
    HeadersTooLarge = "headers_too_large", "The headers are too large";
    /// 422: `data` is not what a report may hold.
    DataInvalid = "data_invalid", "The data cannot be used";
    /// 422: this nonce was used before with other bytes (version 2).
    NonceReused = "nonce_reused", "This nonce was used for another report";
    /// 422: more relays than may be.
    RelayTooDeep = "relay_too_deep", "Too many relays";
    /// 422: the path of relays meets itself.
    RelayLoop = "relay_loop", "The path of relays is a loop";
    /// 422: relays are not numbered one by one.
    RelayHop = "relay_hop", "The relays are not numbered in order";
    /// 422: a compression dictionary that this manager does not know.
    DictionaryUnknown = "dictionary_unknown", "This dictionary is not known";
    /// 429: too many requests; `Retry-After` says how long to wait.
    RateLimited = "rate_limited", "Too many requests";
    /// 500: a fault of the manager.
    Internal = "internal", "The manager failed";
    /// 502: a relay did not reach the manager; the report may be there all the same.
    UpstreamUnreachable = "upstream_unreachable", "The manager cannot be reached from here";
    /// 503: more reports than can be stored at the moment.
    Overloaded = "overloaded", "The manager is overloaded";
    /// 503: the disk or the database does not answer.
    StorageUnavailable = "storage_unavailable", "Storage is not available";
    /// 503: there is no key to check signatures with.
    KeysUnavailable = "keys_unavailable", "No key is available";
    /// 503: not ready yet.
    Starting = "starting", "The manager is starting";
);

impl ErrorCode {
    /// The HTTP status that goes with it. A new code does not compile until it has one.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::MalformedJson
            | Self::DuplicateKey
            | Self::MissingField
            | Self::InvalidField
            | Self::DepthExceeded
            | Self::UnsupportedVersion
            | Self::BadRequest
            | Self::BeforeHistory => 400,
            Self::SignatureInvalid | Self::Unauthenticated => 401,
            Self::TimestampSkew
            | Self::IdentityRequired
            | Self::VersionDowngrade
            | Self::AgentRevoked
            | Self::RelayNotAllowed
            | Self::FleetMismatch
            | Self::EnrollmentClosed
            | Self::PendingApproval
            | Self::Forbidden
            | Self::MaskedCaller => 403,
            Self::NotFound | Self::AgentNotFound | Self::KeyNotFound => 404,
            Self::ShareOver => 410,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::NonceReplayed | Self::TickReplayed | Self::IdentityConflict | Self::Conflict => {
                409
            }
            Self::BodyTooLarge | Self::DataTooLarge => 413,
            Self::UnsupportedMediaType | Self::ContentEncoding => 415,
            Self::HeadersTooLarge => 431,
            Self::DataInvalid
            | Self::NonceReused
            | Self::RelayTooDeep
            | Self::RelayLoop
            | Self::RelayHop
            | Self::DictionaryUnknown => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::UpstreamUnreachable => 502,
            Self::Overloaded
            | Self::StorageUnavailable
            | Self::KeysUnavailable
            | Self::Starting => 503,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_travel() {
        let mut words: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), *code);
        }
    }
}
