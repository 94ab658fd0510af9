//! Lists of the API as CSV, for who asks with `format=csv`: the same rows, by the same filters, within
//! the same reach and under the same pseudonyms, since what is told is what the JSON would tell.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::ApiError;
use super::operators::export::file;
use crate::views::table::any;

/// Bytes of a list that is made a table of: some lists are of the whole fleet.
const MOST_BYTES: usize = 256 << 20;

/// Answers with the list of the body, or with the one that its object has as `member`, as CSV.
pub async fn as_csv(State(member): State<&'static str>, request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let wanted = query.split('&').any(|part| part == "format=csv");
    let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let answer = next.run(request).await;
    let is_json = answer.headers().get(header::CONTENT_TYPE)
        == Some(&HeaderValue::from_static("application/json"));
    if !wanted || !answer.status().is_success() || !is_json {
        return answer;
    }
    table(answer.into_body(), member, &name).await.unwrap_or_else(ApiError::into_response)
}

async fn table(body: Body, member: &str, name: &str) -> Result<Response, ApiError> {
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(ApiError::internal)?;
    let table = any::of_json(&bytes, member).map_err(ApiError::internal)?;
    Ok(file(&format!("attachment; filename=\"{name}.csv\""), table))
}
