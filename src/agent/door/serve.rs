//! Speaks HTTP at the agent's door: four addresses, one request for each connection.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpStream;

use crate::agent::client::Reply;
use crate::wire::codes::ErrorCode;
use crate::wire::frame;
use crate::wire::limits::{BODY_BYTES, BODY_SECONDS, HEADER_BYTES, HEADER_SECONDS, HEADERS};

use super::refusal::Refusal;
use super::relay::relay;
use super::station::{Station, Token};

/// Bytes read ahead of one connection.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// A connection and all that happens on it: head, body, three relays and the manager.
const CONNECTION: Duration = Duration::from_secs(60);

type Answer = Response<Full<Bytes>>;

/// Answers the one request of a connection.
pub async fn connection(stream: TcpStream, source: IpAddr, station: Arc<Station>) {
    let service = service_fn(move |request| {
        let station = Arc::clone(&station);
        async move { Ok::<_, Infallible>(answer(&station, source, request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEADER_SECONDS))
        .max_headers(HEADERS)
        .max_header_size(HEADER_BYTES)
        .max_buf_size(READ_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%source, %error, "A neighbour's connection ended"),
        Err(_elapsed) => tracing::debug!(%source, "A neighbour's connection took too long"),
    }
}

async fn answer(station: &Station, source: IpAddr, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    match route(station, source, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let Refusal { code, detail, .. } = &refusal;
            tracing::debug!(%source, path, %code, detail, "A request was refused");
            refused(&refusal)
        }
    }
}

async fn route(
    station: &Station,
    source: IpAddr,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    station.rates.request(source, station.clock.now())?;
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/status/healthcheck") => {
            let version = env!("CARGO_PKG_VERSION");
            Ok(told(&json!({ "status": "ok", "agent_version": version })))
        }
        (&Method::GET, "/status/peer") => Ok(told(&station.status())),
        (&Method::POST, "/status/relay") => {
            let _place = station.rates.relay(source, station.clock.now())?;
            let body = body(request).await?;
            relay(station, &body).await.map(passed_back)
        }
        (&Method::POST, "/status/reset") => reset(station, &request),
        (_, "/status/healthcheck" | "/status/peer") => Ok(wrong_method("GET")),
        (_, "/status/relay" | "/status/reset") => Ok(wrong_method("POST")),
        _ => Err(Refusal::new(ErrorCode::NotFound, "An agent has no such address.")),
    }
}

fn reset(station: &Station, request: &Request<Incoming>) -> Result<Answer, Refusal> {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match station.judge(given.and_then(|text| text.strip_prefix("Bearer "))) {
        Token::Unset => {
            let detail = "No token is set; set KATTILA_AGENT_TOKEN on this host.";
            Err(Refusal::new(ErrorCode::Forbidden, detail))
        }
        Token::Wrong => {
            let detail = "Send Authorization: Bearer with this agent's KATTILA_AGENT_TOKEN.";
            Err(Refusal::new(ErrorCode::Unauthenticated, detail))
        }
        Token::Right => {
            station.reset();
            Ok(told(&json!({ "status": "ok" })))
        }
    }
}

/// The body of a request, bounded in size and time, of a type that is taken.
async fn body(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    let known = ["application/json", frame::CONTENT_TYPE];
    if !known.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        let detail = format!("Send the body as Content-Type: {}.", known.join(" or "));
        return Err(Refusal::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let limit = u64::try_from(BODY_BYTES).unwrap_or(u64::MAX);
    let too_large = || {
        let detail = format!("The body may have at most {BODY_BYTES} bytes.");
        Refusal::new(ErrorCode::BodyTooLarge, detail)
    };
    if request.body().size_hint().lower() > limit {
        return Err(too_large());
    }
    let reading = Limited::new(request.into_body(), BODY_BYTES).collect();
    match tokio::time::timeout(Duration::from_secs(BODY_SECONDS), reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_broken)) => {
            Err(Refusal::new(ErrorCode::BadRequest, "The body did not arrive whole."))
        }
        Err(_elapsed) => {
            let detail = format!("The body took longer than {BODY_SECONDS} s to arrive.");
            Err(Refusal::new(ErrorCode::RequestTimeout, detail))
        }
    }
}

fn told(value: &impl Serialize) -> Answer {
    // Plain values can always be written as JSON.
    let body = serde_json::to_vec(value).unwrap_or_default();
    typed(Response::new(Full::new(body.into())), "application/json")
}

fn typed(mut answer: Answer, kind: &'static str) -> Answer {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn refused(refusal: &Refusal) -> Answer {
    let mut answer = typed(told(&refusal.problem()), "application/problem+json");
    *answer.status_mut() = status(refusal.code.http_status());
    if let Some(seconds) = refusal.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.code == ErrorCode::Unauthenticated {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

fn wrong_method(allowed: &'static str) -> Answer {
    let detail = format!("This address takes {allowed} only.");
    let mut answer = refused(&Refusal::new(ErrorCode::MethodNotAllowed, detail));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// The manager's answer as it came.
fn passed_back(reply: Reply) -> Answer {
    let mut answer = Response::new(Full::new(reply.body.into()));
    *answer.status_mut() = status(reply.status);
    answer.headers_mut().extend(reply.headers);
    answer
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
