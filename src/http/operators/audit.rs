//! The audit: searched page by page, and taken away whole.
//!
//! Files are written while they are read, a page at a time, so that their size costs no memory.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::export;
use super::past::maybe_time;
use crate::http::error::ApiError;
use crate::http::params::{self, Params};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::audit::{Entry, Sealed};
use crate::model::hex;
use crate::model::time::UnixSeconds;
use crate::store::audit::AuditFilter;
use crate::views::audit::AuditItem;
use crate::views::table;

/// Entries that a file takes from the store at a time.
const PAGE: usize = 500;

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// One entry.
#[derive(Debug, Serialize)]
pub struct AuditView {
    /// What it tells.
    #[serde(flatten)]
    pub entry: AuditItem,
    /// SHA-256 over the hash of the entry before and this one.
    pub hash: String,
}

impl From<Sealed> for AuditView {
    fn from(Sealed { entry, head }: Sealed) -> Self {
        let Entry { at, who, from, act, subject, before, after } = entry;
        // A text that is no JSON any more is shown as it is.
        let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        let (before, after) = (before.map(value), after.map(value));
        let hash = hex::encode(&head.hash);
        let seq = head.seq;
        Self { entry: AuditItem { seq, at, who, from, act, subject, before, after }, hash }
    }
}

/// A page of the audit.
#[derive(Debug, Serialize)]
pub struct AuditPage {
    /// Its entries, newest first.
    pub entries: Vec<AuditView>,
    /// What to ask for as `before` to have the next page; `null` if this is the last.
    pub before: Option<i64>,
    /// The end of the whole chain, `SEQ HASH`: kept elsewhere, it proves all that is there now.
    pub head: String,
}

/// What of the audit is asked for. Empty texts ask for nothing, as forms send them.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// Only by this one.
    pub who: Option<String>,
    /// Only this act.
    pub act: Option<String>,
    /// Only with this text.
    pub q: Option<String>,
    /// Only at or after this time.
    pub from: Option<String>,
    /// Only before this time.
    pub to: Option<String>,
    /// Only before this entry.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: Option<usize>,
}

impl Wanted {
    /// The same for the store.
    pub fn filter(&self) -> Result<AuditFilter, ApiError> {
        let told = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Ok(AuditFilter {
            after: None,
            before: self.before,
            who: told(&self.who),
            act: told(&self.act),
            text: told(&self.q),
            from: maybe_time(told(&self.from).as_deref())?,
            to: maybe_time(told(&self.to).as_deref())?,
            limit: params::rows(self.limit),
        })
    }
}

/// Reads a page, and the end of the chain.
pub async fn read(state: &AppState, filter: AuditFilter) -> Result<AuditPage, ApiError> {
    let limit = filter.limit;
    let (rows, stats) = state
        .read(&Lens::whole(), move |reader| Ok((reader.audit(&filter)?, reader.stats()?)))
        .await?;
    let last = rows.last().map(|row| row.head.seq);
    Ok(AuditPage {
        before: last.filter(|seq| rows.len() >= limit && *seq > 1),
        entries: rows.into_iter().map(AuditView::from).collect(),
        head: stats.audit.to_string(),
    })
}

/// `GET /api/v1/audit`.
pub async fn list(
    State(state): State<AppState>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<AuditPage>, ApiError> {
    read(&state, wanted.filter()?).await.map(Json)
}

/// `GET /api/v1/export/audit.csv`.
pub async fn csv(
    State(state): State<AppState>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let heads = table::audit_heads().map_err(ApiError::internal)?;
    let lines = |rows: &[Sealed]| table::audit(rows).map_err(ApiError::internal);
    let body = Body::from_stream(pages(state, wanted.filter()?, heads, lines));
    Ok(export::file("attachment; filename=\"audit.csv\"", body))
}

/// `GET /api/v1/export/audit.ndjson`.
pub async fn ndjson(
    State(state): State<AppState>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let body = Body::from_stream(pages(state, wanted.filter()?, Vec::new(), json_lines));
    let attached = HeaderValue::from_static("attachment; filename=\"audit.ndjson\"");
    let head = [(header::CONTENT_TYPE, NDJSON), (header::CONTENT_DISPOSITION, attached)];
    Ok((head, body).into_response())
}

/// Values before and after stay the texts that the hashes cover.
fn json_lines(rows: &[Sealed]) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    struct Line<'a> {
        seq: i64,
        at: UnixSeconds,
        who: &'a str,
        from: Option<&'a str>,
        act: &'a str,
        subject: &'a str,
        before: Option<&'a str>,
        after: Option<&'a str>,
        hash: String,
    }
    let mut lines = Vec::new();
    for Sealed { entry, head } in rows {
        let line = Line {
            seq: head.seq,
            at: entry.at,
            who: &entry.who,
            from: entry.from.as_deref(),
            act: &entry.act,
            subject: &entry.subject,
            before: entry.before.as_deref(),
            after: entry.after.as_deref(),
            hash: hex::encode(&head.hash),
        };
        serde_json::to_writer(&mut lines, &line).map_err(ApiError::internal)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The file, piece by piece. A failure cuts it off, which the client sees as an unfinished answer.
fn pages(
    state: AppState,
    filter: AuditFilter,
    begin: Vec<u8>,
    write: impl Fn(&[Sealed]) -> Result<Vec<u8>, ApiError> + Copy + Send + 'static,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let cut = |error: ApiError| std::io::Error::other(error.detail().to_owned());
    stream::try_unfold((Some(0), begin), move |(after, begin)| {
        let filter = AuditFilter { after, limit: PAGE, ..filter.clone() };
        let state = state.clone();
        async move {
            let Some(_) = after else { return Ok(None) };
            let rows = state
                .read(&Lens::whole(), move |reader| reader.audit(&filter))
                .await
                .map_err(cut)?;
            let more = rows.last().map(|last| last.head.seq).filter(|_| rows.len() == PAGE);
            let mut piece = begin;
            piece.extend(write(&rows).map_err(cut)?);
            Ok(Some((Bytes::from(piece), (more, Vec::new()))))
        }
    })
}
