//! The head of a report taken apart: who claims to send it, how it is signed, where `data` is.
//!
//! Both generations share one entry, [`parse`]; [`super::v1`] and [`super::v2`] hold the syntax
//! of each, [`super::frame`] the second one's other shape, [`super::relay`] that of what relays put
//! around a report. Everything here is a claim
//! until `verify` has checked the signature.

use std::borrow::Cow;
use std::ops::Range;

use thiserror::Error;

use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::time::UnixSeconds;

use super::codes::ErrorCode;
use super::field::Fields;
use super::frame::{self, Frame};
use super::limits::{BODY_BYTES, DATA_BYTES, FRAME_HEAD_BYTES, RELAYS};
use super::scan::{self, Fault, ScanError};
use super::{relay, v1, v2};

/// An envelope, unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// First generation.
    V1(HeadV1<'a>),
    /// Second generation.
    V2(HeadV2<'a>),
}

/// The head of a first-generation report. The signature covers `data` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadV1<'a> {
    /// Who claims to send it.
    pub agent_id: AgentId,
    /// When it claims to be signed, rounded down to the second.
    pub timestamp: UnixSeconds,
    /// 1 to 128 printable ASCII characters.
    pub nonce: Cow<'a, str>,
    /// The signature.
    pub mac: [u8; 32],
    /// Relays it claims to have passed.
    pub relay_path: Vec<AgentId>,
    /// Where the value of `data` is in the body.
    pub data: Range<usize>,
}

/// The head of a second-generation report. The signature covers all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadV2<'a> {
    /// The signature.
    pub signature: SignatureV2,
    /// Which key signed it: a hint.
    pub kid: Kid,
    /// The fleet.
    pub fleet_id: FleetId,
    /// Who claims to send it.
    pub agent_id: AgentId,
    /// Grows with every report of the agent.
    pub tick: i64,
    /// When it was signed.
    pub timestamp: UnixSeconds,
    /// 22 to 64 characters of base64url.
    pub nonce: Cow<'a, str>,
    /// The data; of a frame as it was sent, which may be compressed.
    pub data: DataV2,
    /// How the data of a frame is encoded; `None` in the JSON shape.
    pub frame: Option<Frame>,
}

/// A second-generation signature with its algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureV2 {
    /// `hmac-sha256`.
    Hmac([u8; 32]),
    /// `ed25519`.
    Ed25519([u8; 64]),
}

impl SignatureV2 {
    /// The word in `alg` and in the signing string.
    pub const fn alg(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "hmac-sha256",
            Self::Ed25519(_) => "ed25519",
        }
    }
}

/// Where the data of a second-generation report is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataV2 {
    /// In the body, at this range.
    InBody(Range<usize>),
    /// It came as `data_b64`; these are the decoded bytes.
    Decoded(Vec<u8>),
}

/// Where the value of `data`, or of `data_b64` with its quotes, stands in an accepted JSON envelope.
pub fn data_value(body: &[u8]) -> Option<Range<usize>> {
    let fields = Fields { body, members: scan::envelope(body).ok()? };
    let member = fields.member("data").or_else(|| fields.member("data_b64"))?;
    Some(member.value.clone())
}

/// Why a body is not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Larger than any envelope may be.
    #[error("the body is {0} bytes long, the limit is {BODY_BYTES}; send less")]
    BodyTooLarge(usize),
    /// Refused by the first pass.
    #[error("{0}")]
    Scan(#[from] ScanError),
    /// A member that must be there is not.
    #[error("the member {0:?} is missing; add it")]
    Missing(&'static str),
    /// A member does not follow its syntax.
    #[error("the member {field:?} is not valid: {problem}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Its rule.
        problem: String,
    },
    /// A member that version 2 does not know.
    #[error("version 2 has no member {0:?}; remove it, or put it inside \"data\"")]
    UnknownMember(String),
    /// Neither version 1 nor 2.
    #[error("protocol version {0} is not known; send version 1 or 2")]
    UnsupportedVersion(String),
    /// A relay's envelope where a report, or an announcement, must be.
    #[error(
        "this is a relay's envelope, which may only be around a report sent to \
             POST /status/updates; send what is inside"
    )]
    NotRelayed,
    /// Too many relays.
    #[error("relay_path names {0} relays, the limit is {RELAYS}; shorten the path")]
    RelayTooDeep(usize),
    /// A relay twice, or the agent as its own relay.
    #[error("relay_path names {0} twice, or as its own relay; remove the loop")]
    RelayLoop(AgentId),
    /// `data` is too large.
    #[error("data is {0} bytes long, the limit is {DATA_BYTES}; send less")]
    DataTooLarge(usize),
    /// `data` is too large once it is decompressed.
    #[error(
        "data is longer than {DATA_BYTES} bytes when decompressed, which is the limit; send less"
    )]
    DataGrows,
    /// A frame without a head.
    #[error(
        "a framed report begins with its head, one line of JSON of at most {FRAME_HEAD_BYTES} \
         bytes, ended by a line feed"
    )]
    NoHead,
}

impl EnvelopeError {
    /// The code of the answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::BodyTooLarge(_) => ErrorCode::BodyTooLarge,
            Self::Scan(error) => match error.fault {
                Fault::Syntax(_) => ErrorCode::MalformedJson,
                Fault::Duplicate(_) => ErrorCode::DuplicateKey,
                Fault::Depth(_) => ErrorCode::DepthExceeded,
                Fault::Members(_) | Fault::StringLength(_) => ErrorCode::InvalidField,
            },
            Self::Missing(_) => ErrorCode::MissingField,
            Self::Invalid { .. } | Self::UnknownMember(_) => ErrorCode::InvalidField,
            Self::UnsupportedVersion(_) => ErrorCode::UnsupportedVersion,
            Self::NotRelayed => ErrorCode::RelayNotAllowed,
            Self::RelayTooDeep(_) => ErrorCode::RelayTooDeep,
            Self::RelayLoop(_) => ErrorCode::RelayLoop,
            Self::DataTooLarge(_) | Self::DataGrows => ErrorCode::DataTooLarge,
            Self::NoHead => ErrorCode::MalformedJson,
        }
    }
}

/// Takes a report of either shape apart; a relay's envelope around it is
/// [`EnvelopeError::NotRelayed`]. No bytes are good in both shapes, so nothing needs to tell which
/// it is.
pub fn parse(body: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    if frame::is_frame(body) { frame::parse(body).map(Envelope::V2) } else { parse_json(body) }
}

/// Takes a report in the shape of JSON apart.
pub fn parse_json(body: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    if body.len() > BODY_BYTES {
        return Err(EnvelopeError::BodyTooLarge(body.len()));
    }
    let fields = Fields { body, members: scan::envelope(body)? };
    match version(&fields)? {
        Version::One => v1::head(&fields).map(Envelope::V1),
        Version::Two if relay::is_of_kind(&fields) => Err(EnvelopeError::NotRelayed),
        Version::Two => v2::head(&fields).map(Envelope::V2),
    }
}

enum Version {
    One,
    Two,
}

/// `v` decides; `version` is what some first-generation agents call it; neither means 1.
fn version(fields: &Fields<'_>) -> Result<Version, EnvelopeError> {
    let Some(value) = fields.get("v").or_else(|| fields.get("version")) else {
        return Ok(Version::One);
    };
    match value {
        b"1" => Ok(Version::One),
        b"2" => Ok(Version::Two),
        other => {
            let shown = String::from_utf8_lossy(other).chars().take(32).collect();
            Err(EnvelopeError::UnsupportedVersion(shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> ErrorCode {
        parse(body.as_bytes()).unwrap_err().code()
    }

    #[test]
    fn versions() {
        let v1 = |extra: &str| {
            format!(
                r#"{{{extra}"agent_id":"gw","timestamp":1,"nonce":"n","hmac":"{}","data":{{}}}}"#,
                "0".repeat(64)
            )
        };
        for extra in ["", r#""v":1,"#, r#""version":1,"#] {
            assert!(matches!(parse(v1(extra).as_bytes()), Ok(Envelope::V1(_))), "{extra}");
        }
        for extra in [r#""v":3,"#, r#""v":"1","#, r#""version":0,"#, r#""v":1.0,"#, r#""v":null,"#]
        {
            assert_eq!(code(&v1(extra)), ErrorCode::UnsupportedVersion, "{extra}");
        }
        assert_eq!(code(&v1(r#""v":2,"#)), ErrorCode::InvalidField);
    }

    #[test]
    fn the_value_of_data_is_found_in_either_member() {
        for (body, value) in [
            (r#"{"x":{"data":1},"data": {"a":[]} }"#, Some(r#"{"a":[]}"#)),
            (r#"{"data_b64":"e30","v":2}"#, Some(r#""e30""#)),
            (r#"{"d\u0061ta":7}"#, Some("7")),
            (r#"{"other":1}"#, None),
            ("{", None),
        ] {
            let found = data_value(body.as_bytes()).map(|range| &body[range]);
            assert_eq!(found, value, "{body}");
        }
    }

    #[test]
    fn bodies_that_are_no_envelopes() {
        assert_eq!(code("{}"), ErrorCode::MissingField);
        assert_eq!(code("{"), ErrorCode::MalformedJson);
        assert_eq!(code(r#"{"a":1,"a":1}"#), ErrorCode::DuplicateKey);
        assert_eq!(code(&format!("{{\"data\":{}", "[".repeat(99))), ErrorCode::DepthExceeded);
        assert_eq!(code(r#"{"v":2,"kind":"relay"}"#), ErrorCode::RelayNotAllowed);
        assert_eq!(code(r#"{"v":2,"kind":"other"}"#), ErrorCode::InvalidField);
        let large = vec![b' '; BODY_BYTES + 1];
        assert_eq!(parse(&large).unwrap_err().code(), ErrorCode::BodyTooLarge);
    }
}
