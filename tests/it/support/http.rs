//! A plain HTTP/1.1 client for the actors: one connection per request, no redirects, no cookies
//! unless given.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use kattila::wire::frame;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: not JSON: {}", self.text()))
    }

    /// The problem code of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Why there was no answer.
pub(crate) type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

/// Sends one request on a connection of its own.
pub(crate) async fn send(
    addr: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    try_send(addr, method, path, headers, body.into()).await.unwrap()
}

async fn try_send(
    addr: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Answer, NoAnswer> {
    let stream = TcpStream::connect(addr).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(HOST, addr.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Full::new(body))?).await?;
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()))
        .collect();
    let body = answer.into_body().collect().await?.to_bytes();
    driver.abort();
    Ok(Answer { status, headers, body })
}

pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(addr, Method::GET, path, headers, Bytes::new()).await
}

/// Asks a manager that may not be there to answer.
pub(crate) async fn try_get(
    addr: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, NoAnswer> {
    try_send(addr, Method::GET, path, headers, Bytes::new()).await
}

pub(crate) async fn post_json(
    addr: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut all = vec![(CONTENT_TYPE.as_str(), "application/json")];
    all.extend_from_slice(headers);
    send(addr, Method::POST, path, &all, body).await
}

/// Posts a report of either shape, or a registration.
pub(crate) async fn post_report(addr: SocketAddr, path: &str, body: Vec<u8>) -> Answer {
    let json = "application/json";
    let kind = if frame::is_frame(&body) { frame::CONTENT_TYPE } else { json };
    send(addr, Method::POST, path, &[(CONTENT_TYPE.as_str(), kind)], body).await
}

/// Posts a report to a manager that may not be there to answer.
pub(crate) async fn try_report(addr: SocketAddr, envelope: &str) -> Result<Answer, NoAnswer> {
    let headers = [(CONTENT_TYPE.as_str(), "application/json")];
    try_send(addr, Method::POST, "/status/updates", &headers, envelope.to_owned().into()).await
}
