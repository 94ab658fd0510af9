//! A command at the manager's own door: one request, one answer. For commands on the manager's
//! host only, so it speaks plain HTTP to this host and nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The manager answers within its own limit of 15 s.
const PATIENCE: Duration = Duration::from_secs(20);

/// No answer to a command is larger.
const ANSWER_BYTES: usize = 256 * 1024;

/// Who asks and where.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The door's address, as the settings have it.
    pub door: SocketAddr,
    /// What opens it.
    pub token: &'a str,
}

impl std::fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("door", &self.door).finish_non_exhaustive()
    }
}

/// Sends a command, with a body, or a question, without one; the answer's status and body.
pub async fn send(
    caller: Caller<'_>,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> Result<(StatusCode, Value), String> {
    let caller = Caller { door: reachable(caller.door), ..caller };
    let door = caller.door;
    let asking =
        async { ask(caller, (method, path), body).await.map_err(|error| error.to_string()) };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("the manager at {door} does not answer: {error}")),
        Err(_elapsed) => Err(format!("the manager at {door} takes too long")),
    }
}

async fn ask(
    Caller { door, token }: Caller<'_>,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> Result<(StatusCode, Value), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(door).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, door.to_string())
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(bytes)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let answer = Limited::new(response.into_body(), ANSWER_BYTES).collect().await?.to_bytes();
    driver.abort();
    Ok((status, serde_json::from_slice(&answer).unwrap_or(Value::Null)))
}

/// Where a door on "every address" is reached from its own host.
pub fn reachable(door: SocketAddr) -> SocketAddr {
    let ip = match door.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, door.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_through_loopback() {
        let at = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:5086"), "127.0.0.1:5086");
        assert_eq!(at("[::]:5086"), "[::1]:5086");
        assert_eq!(at("192.0.2.1:5086"), "192.0.2.1:5086");
    }

    #[tokio::test]
    async fn a_closed_door_is_told() {
        // Bound and dropped: nobody listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let caller = Caller { door: free, token: "token" };
        let error = send(caller, (Method::GET, "/"), None).await.unwrap_err();
        assert!(error.contains("does not answer"), "{error}");
    }
}
