//! Bodies of requests: bounded in size and time, and of the one type an endpoint takes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Form, FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::verify::arrived::Shape;
use crate::wire::codes::ErrorCode;
use crate::wire::{frame, limits};

use super::error::ApiError;

/// Largest body of an operator's request; the longest is a note on an alarm.
const OPERATOR_BODY_BYTES: usize = 16 * 1024;

/// What a client is told whose body ends before its `Content-Length`, or whose chunks are not
/// chunks. What arrived is not what was meant, and nothing more will come.
const BROKEN: &str = "The body did not arrive whole: it ended before its announced length, or its \
                      chunks are broken; send it anew.";

/// Reads a body of at most `most` bytes within the time a body may take.
pub async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::new(ErrorCode::BodyTooLarge, format!("The body may have at most {most} bytes."))
    };
    let told = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > most) {
        return Err(too_large());
    }
    let broken = if is_form(headers) { ErrorCode::BadRequest } else { ErrorCode::MalformedJson };
    let reading = async {
        let mut body = body;
        let mut first: Option<Bytes> = None;
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ApiError::new(broken, BROKEN).because(error))?;
            let Ok(data) = frame.into_data() else { continue };
            if first.as_ref().map_or(whole.len(), Bytes::len) + data.len() > most {
                return Err(too_large());
            }
            // Most bodies arrive in one piece, which is then not copied.
            match first.take() {
                None if whole.is_empty() => first = Some(data),
                None => whole.extend_from_slice(&data),
                Some(before) => {
                    whole.reserve(told.unwrap_or(before.len() + data.len()));
                    whole.extend_from_slice(&before);
                    whole.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| whole.freeze()))
    };
    let limit = Duration::from_secs(limits::BODY_SECONDS);
    tokio::time::timeout(limit, reading).await.unwrap_or_else(|_elapsed| {
        Err(ApiError::new(
            ErrorCode::RequestTimeout,
            format!("The body took longer than {} s to arrive.", limits::BODY_SECONDS),
        ))
    })
}

/// Takes a body of at most `most` bytes within the time a body may take, and keeps nothing of it.
pub async fn pass_over(mut body: Body, most: usize) {
    let taking = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = body.frame().await {
            taken += frame.data_ref().map_or(0, Bytes::len);
            if taken > most {
                return;
            }
        }
    };
    // Who sends more, or slower, gets the answer all the same and no further ear.
    tokio::time::timeout(Duration::from_secs(limits::BODY_SECONDS), taking).await.unwrap_or(());
}

/// Whether a `Content-Type` names this type, whatever its parameters.
fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(wanted)
    })
}

/// The shape of a report that is sent plainly; refuses other types.
pub fn report_shape(headers: &HeaderMap) -> Result<Shape, ApiError> {
    require_plain(headers)?;
    if is_type(headers, "application/json") {
        return Ok(Shape::Json);
    }
    if is_type(headers, frame::CONTENT_TYPE) {
        return Ok(Shape::Framed);
    }
    let detail =
        format!("Send the body as Content-Type: application/json or {}.", frame::CONTENT_TYPE);
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail))
}

/// Refuses whatever is not plain `application/json`.
pub fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    require_plain(headers)?;
    if is_type(headers, "application/json") {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::UnsupportedMediaType,
        "Send the body as Content-Type: application/json.",
    ))
}

/// Refuses what HTTP compresses: a frame says itself how its data is encoded.
fn require_plain(headers: &HeaderMap) -> Result<(), ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::new(
            ErrorCode::ContentEncoding,
            "Send the body uncompressed, without Content-Encoding.",
        ));
    }
    Ok(())
}

/// The JSON body of an operator's request. An absent body counts as an empty object.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, OPERATOR_BODY_BYTES).await?;
        if bytes.is_empty() {
            return parse(b"{}");
        }
        require_json(&parts.headers)?;
        parse(&bytes)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<JsonBody<T>, ApiError> {
    serde_json::from_slice(bytes).map(JsonBody).map_err(|error| {
        let code = match error.classify() {
            serde_json::error::Category::Data => ErrorCode::InvalidField,
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => ErrorCode::MalformedJson,
        };
        ApiError::new(code, format!("The body cannot be used: {error}."))
    })
}

/// The form of a page.
#[derive(Debug)]
pub struct FormBody<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for FormBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(ApiError::new(ErrorCode::UnsupportedMediaType, "Send a form."));
        }
        let bytes = read(&parts.headers, body, OPERATOR_BODY_BYTES).await?;
        form(bytes).await.map(FormBody)
    }
}

/// Reads a form's fields.
pub async fn form<T: DeserializeOwned>(bytes: Bytes) -> Result<T, ApiError> {
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
    let form = Form::<T>::from_request(request, &()).await;
    form.map(|form| form.0)
        .map_err(|error| ApiError::bad_request("The form is not complete.").because(error))
}

/// The type of a browser's form.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a request carries a browser's form.
pub fn is_form(headers: &HeaderMap) -> bool {
    is_type(headers, FORM)
}

/// Largest form that is read to find its token.
pub const FORM_BYTES: usize = OPERATOR_BODY_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_is_the_only_type() {
        let json = |value| require_json(&headers(&[(header::CONTENT_TYPE, value)]));
        assert!(json("application/json").is_ok());
        assert!(json("Application/JSON; charset=utf-8").is_ok());
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert_eq!(json(other).unwrap_err().code(), ErrorCode::UnsupportedMediaType);
        }
        let shape = |value| report_shape(&headers(&[(header::CONTENT_TYPE, value)]));
        assert_eq!(shape("application/json; charset=utf-8").ok(), Some(Shape::Json));
        assert_eq!(shape("Application/vnd.Kattila.report").ok(), Some(Shape::Framed));
        let other = shape("application/vnd.kattila").unwrap_err();
        assert_eq!(other.code(), ErrorCode::UnsupportedMediaType);
        let packed = headers(&[
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_ENCODING, "gzip"),
        ]);
        assert_eq!(require_json(&packed).unwrap_err().code(), ErrorCode::ContentEncoding);
    }

    #[tokio::test]
    async fn bodies_are_bounded_whether_they_tell_their_length_or_not() {
        let none = HeaderMap::new();
        let whole = read(&none, Body::from("12345"), 5).await.unwrap();
        assert_eq!(whole, "12345");
        let error = read(&none, Body::from("123456"), 5).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BodyTooLarge);
        let told = headers(&[(header::CONTENT_LENGTH, "6")]);
        let error = read(&told, Body::from(""), 5).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BodyTooLarge);
    }

    #[tokio::test]
    async fn pieces_are_put_together_in_order() {
        let pieces =
            ["ab", "c", "", "def"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(read(&HeaderMap::new(), body, 6).await.unwrap(), "abcdef");
        let pieces = ["ab", "cd"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert!(read(&HeaderMap::new(), body, 3).await.is_err());
    }

    #[tokio::test]
    async fn forms_are_decoded() {
        #[derive(serde::Deserialize)]
        struct Fields {
            note: String,
            other: Option<String>,
        }
        let fields: Fields = form(Bytes::from_static(b"note=a+b%26c&x=1")).await.unwrap();
        assert_eq!(fields.note, "a b&c");
        assert!(fields.other.is_none());
        assert!(form::<Fields>(Bytes::from_static(b"x=1")).await.is_err());
    }
}
