//! Static files, kept by browsers for ever under a path that names their content.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::views::assets;

use super::error::ApiError;
use super::operators::topology::has;

/// Under the hash of the present content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Under the hash of another version, which a browser may still ask for.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// `GET /static/{hash}/{*path}`.
pub async fn asset(
    Path((hash, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let current = assets::base().strip_prefix("/static/") == Some(hash.as_str());
    serve(&path, &headers, if current { FOR_EVER } else { ASK_AGAIN })
}

/// `GET /favicon.ico`, which browsers ask for whatever the page says.
pub async fn favicon(headers: HeaderMap) -> Result<Response, ApiError> {
    serve("favicon.svg", &headers, ASK_AGAIN)
}

fn serve(path: &str, headers: &HeaderMap, keep: HeaderValue) -> Result<Response, ApiError> {
    let asset = assets::get(path).ok_or_else(|| ApiError::not_found("file"))?;
    let mut response = if has(headers, &asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.mime)], asset.bytes).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, keep);
    if let Ok(tag) = HeaderValue::from_str(&asset.etag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_served_once() {
        let first = serve("js/map.js", &HeaderMap::new(), FOR_EVER).unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        assert!(first.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let known =
            HeaderMap::from_iter([(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone())]);
        assert_eq!(
            serve("js/map.js", &known, FOR_EVER).unwrap().status(),
            StatusCode::NOT_MODIFIED
        );
        assert!(serve("../Cargo.toml", &HeaderMap::new(), FOR_EVER).is_err());
    }
}
