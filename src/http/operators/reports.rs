//! Stored reports: the list, and one with the bytes that were signed.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{self, Id, Params};
use crate::http::present;
use crate::http::state::AppState;
use crate::model::hex;
use crate::model::id::{AgentId, FrameDictId, Kid, ReportId};
use crate::model::key::IdentityKey;
use crate::model::path::RelayPath;
use crate::model::proven::Proven;
use crate::model::state::{CanonForm, Scheme};
use crate::model::time::UnixSeconds;
use crate::process::prove::SharedKeys;
use crate::process::refusals::Refusal;
use crate::store::row::{ReportFilter, ReportSummary, StoredReport};
use crate::verify::shelf::Shelf;
use crate::verify::stored;
use crate::wire::canon::Forms;
use crate::wire::codes::ErrorCode;
use crate::wire::envelope::{self, Envelope};
use crate::wire::relay;
use crate::wire::signing;

use super::narrowed::Narrowed;

/// A stored report without its content.
#[derive(Debug, Serialize)]
pub struct ReportView {
    /// Its number; grows with every accepted report.
    pub id: ReportId,
    /// Who sent it.
    pub agent_id: AgentId,
    /// How it was signed.
    pub scheme: Scheme,
    /// Which bytes the signature covers.
    pub form: CanonForm,
    /// Which key verified it.
    pub kid: Kid,
    /// When it was signed, on the agent's clock.
    pub timestamp: UnixSeconds,
    /// When its values were read, on the agent's clock.
    pub collected_at: Option<UnixSeconds>,
    /// When the manager took it.
    pub received_at: UnixSeconds,
    /// Its tick.
    pub tick: Option<i64>,
    /// Its nonce; spent, so no secret any more.
    pub nonce: String,
    /// SHA-256 of its data as received, in hexadecimal.
    pub data_sha256: String,
    /// Whether secrets were removed from it, so that its signature no longer holds.
    pub redacted: bool,
    /// The way it took.
    #[serde(flatten)]
    pub relay_path: RelayPath,
    /// Where it came from.
    pub source: Option<IpAddr>,
    /// Size of the envelope, in bytes.
    pub envelope_bytes: u64,
}

impl From<ReportSummary> for ReportView {
    fn from(row: ReportSummary) -> Self {
        Self {
            id: row.id,
            agent_id: row.agent_id,
            scheme: row.scheme,
            form: row.form,
            kid: row.kid,
            timestamp: row.timestamp,
            collected_at: row.collected_at,
            received_at: row.received_at,
            tick: row.tick,
            nonce: row.nonce,
            data_sha256: hex::encode(&row.data_sha256),
            redacted: row.redacted,
            relay_path: row.relay_path,
            source: row.source,
            envelope_bytes: row.envelope_bytes,
        }
    }
}

/// A stored report with its content.
#[derive(Debug, Serialize)]
pub struct WholeReport {
    /// What is known about it.
    #[serde(flatten)]
    pub summary: ReportView,
    /// How the data of a frame is encoded, `identity` or `zstd`; `null` in the JSON shape.
    pub enc: Option<&'static str>,
    /// The dictionary that the data of a frame is compressed with.
    pub dict: Option<FrameDictId>,
    /// The envelope as verified, secrets removed; the data of a compressed frame decompressed.
    pub envelope: String,
    /// The bytes as they are kept, in base64, for who wants to check them.
    pub envelope_base64: String,
    /// The bytes that the signature covers, in base64; absent if they cannot be made any more.
    pub signed_base64: Option<String>,
    /// The agent's own key that signed them; `null` if a shared one did.
    pub public_key: Option<IdentityKey>,
    /// What came of proving it again just now: `holds`, `redacted`, `key_not_kept` or `fails`.
    pub proof: Proven,
    /// Why it fails.
    pub proof_problem: Option<String>,
}

impl WholeReport {
    fn new(report: StoredReport, proof: Proven, shelf: &Shelf) -> Self {
        let frame = stored::framed(&report.envelope);
        let signed =
            signed_bytes(&report.envelope, report.summary.form, report.summary.data_sha256);
        Self {
            enc: frame.as_ref().map(|frame| frame.encoding.as_str()),
            dict: frame.and_then(|frame| frame.dict),
            envelope: stored::text(&report.envelope, shelf),
            envelope_base64: STANDARD.encode(&report.envelope),
            signed_base64: signed.map(|bytes| STANDARD.encode(bytes)),
            public_key: report.own_key,
            summary: report.summary.into(),
            proof_problem: proof.problem().map(str::to_owned),
            proof,
        }
    }
}

/// What the origin's signature of a stored envelope covers (PROTOCOL 1.1, 1.2 and 1.10).
fn signed_bytes(stored: &[u8], form: CanonForm, data_sha256: [u8; 32]) -> Option<Vec<u8>> {
    let origin = relay::origin(stored).ok()?;
    match envelope::parse(&origin).ok()? {
        Envelope::V1(head) => Some(Forms::new(origin.get(head.data)?).get(form).into_owned()),
        Envelope::V2(head) => Some(signing::text_of(&head, data_sha256).into_bytes()),
    }
}

/// What of the reports is asked for.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// Only of this agent.
    pub agent_id: Option<AgentId>,
    /// Only of the agents that this query finds.
    #[serde(default)]
    pub q: String,
    /// Only before this report.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// `GET /api/v1/reports`.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<ReportView>>, ApiError> {
    let narrowed = Narrowed::of_agents((&state, &caller.lens), &wanted.q).await?.or_refused()?;
    let filter = ReportFilter {
        things: narrowed.things,
        agent: wanted.agent_id,
        before: wanted.before.map(ReportId),
        limit: params::rows(wanted.limit),
        ..ReportFilter::default()
    };
    let rows = state.read(&caller.lens, move |reader| present::summaries(reader, &filter)).await?;
    Ok(Json(rows.into_iter().map(ReportView::from).collect()))
}

/// Which refusals are asked for.
#[derive(Debug, Deserialize)]
pub struct Few {
    /// Only of those that claimed to be an agent that this query finds.
    #[serde(default)]
    pub q: String,
    /// At most this many.
    pub limit: Option<usize>,
}

/// `GET /api/v1/refusals`.
pub async fn refusals(
    State(state): State<AppState>,
    caller: Caller,
    Params(few): Params<Few>,
) -> Result<Json<Vec<Refusal>>, ApiError> {
    let narrowed = Narrowed::of_agents((&state, &caller.lens), &few.q).await?.or_refused()?;
    let mut refusals = state.seen(&caller.lens).refusals();
    refusals.retain(|refusal| narrowed.has(refusal));
    refusals.truncate(params::rows(few.limit));
    Ok(Json(refusals))
}

/// `GET /api/v1/reports/{id}`.
pub async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
) -> Result<Json<WholeReport>, ApiError> {
    let row = state
        .read(&caller.lens, move |reader| {
            present::proven(reader, &SharedKeys::read(reader)?, ReportId(id))
        })
        .await?;
    let shelf = state.whole().shelf();
    row.map(|(row, proof)| Json(WholeReport::new(row, proof, shelf))).ok_or_else(missing)
}

/// The refusal of a number that names no report, or none any more.
pub fn missing() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "There is no such report. Old ones are removed, see KATTILA_REPORTS_AGE.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_signs_its_data_in_its_form() {
        let stored = br#"{"agent_id":"a","timestamp":1,"nonce":"n","hmac":"00","data":{"b": 1}}"#;
        let stored =
            String::from_utf8_lossy(stored).replace("\"00\"", &format!("\"{}\"", "0".repeat(64)));
        let signed = |form| signed_bytes(stored.as_bytes(), form, [0; 32]).unwrap();
        assert_eq!(signed(CanonForm::Raw), br#"{"b": 1}"#);
        assert_eq!(signed(CanonForm::Compact), br#"{"b":1}"#);
        assert_eq!(signed_bytes(b"nonsense", CanonForm::Raw, [0; 32]), None);
    }
}
