//! What a request says in its path and its query, refused in the house's words.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The one variable of a path. What cannot be a name of this kind names nothing.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let nothing = || ApiError::not_found("thing");
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_not_utf8| nothing())?;
        text.parse().map(Self).map_err(|_not_a_name| nothing())
    }
}

/// The query, as far as it is known; unknown parts are ignored.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|query| Self(query.0))
            .map_err(|error| ApiError::bad_request(format!("The query cannot be used: {error}.")))
    }
}

/// Rows of one answer unless the caller asks for another number.
const ROWS: usize = 100;

/// Rows of one answer at most: one short read of the database.
const MOST_ROWS: usize = 1000;

/// How many rows to answer with.
pub fn rows(asked: Option<usize>) -> usize {
    asked.unwrap_or(ROWS).clamp(1, MOST_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_bounded() {
        assert_eq!(
            [rows(None), rows(Some(0)), rows(Some(7)), rows(Some(usize::MAX))],
            [100, 1, 7, 1000]
        );
    }
}
