//! One keep-alive HTTP/1.1 connection to the manager, made again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::model::id::FrameDictId;
use crate::wire::frame;

use super::answer::{Answer, Loss};
use super::target::Target;

/// How long an answer is waited for, in seconds: twice the manager's own limit for a request.
pub const ANSWER_SECONDS: u64 = 30;
/// Bytes of an answer that are read; the manager's are a few hundred.
const ANSWER_BYTES: usize = 64 * 1024;

/// A signed report, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The body.
    pub body: Bytes,
    /// Its type.
    kind: HeaderValue,
}

impl Letter {
    /// A report in JSON.
    pub fn json(body: Vec<u8>) -> Self {
        Self { body: body.into(), kind: JSON }
    }

    /// A framed report.
    pub fn framed(body: Vec<u8>) -> Self {
        Self { body: body.into(), kind: HeaderValue::from_static(frame::CONTENT_TYPE) }
    }
}

/// The type of all other bodies.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A connection that may not exist yet.
#[derive(Debug)]
pub struct Connection {
    target: Arc<Target>,
    /// The body of the last answer.
    last: Bytes,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection that is opened by the first report.
    pub const fn new(target: Arc<Target>) -> Self {
        Self { target, last: Bytes::new(), sender: None }
    }

    /// Pushes one envelope and waits for the answer.
    pub async fn post(&mut self, envelope: Letter) -> Answer {
        let path = self.target.path.clone();
        self.push(path, envelope).await
    }

    /// The dictionary that the last answer names.
    pub fn told_dictionary(&self) -> Option<FrameDictId> {
        #[derive(Deserialize)]
        struct Told {
            dict: Option<String>,
        }
        serde_json::from_slice::<Told>(&self.last).ok()?.dict?.parse().ok()
    }

    /// Fetches a dictionary; `None` if the manager does not give it.
    pub async fn dictionary(&mut self, id: &FrameDictId) -> Option<Bytes> {
        let path = self.target.dictionary(id)?;
        let request = Request::get(path).header(HOST, self.target.host.clone());
        let request = request.body(Full::new(Bytes::new())).ok()?;
        let sender = self.ready().await.ok()?;
        let response = sender.send_request(request).await.ok()?;
        let is_there = response.status().is_success();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await.ok()?;
        Some(body.to_bytes()).filter(|_| is_there)
    }

    /// Makes a host's own key known and waits for the answer.
    pub async fn enrol(&mut self, registration: Bytes) -> Answer {
        let path = self.target.register.clone();
        self.push(path, Letter { body: registration, kind: JSON }).await
    }

    async fn push(&mut self, path: Uri, body: Letter) -> Answer {
        let limit = Duration::from_secs(ANSWER_SECONDS);
        let answer = tokio::time::timeout(limit, self.exchange(path, body)).await;
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(loss)) => {
                self.sender = None;
                Answer::Lost(loss)
            }
            Err(_elapsed) => {
                // The answer may still come; it must not be taken for the next one's.
                self.sender = None;
                Answer::Lost(Loss::Timeout)
            }
        }
    }

    async fn exchange(&mut self, path: Uri, letter: Letter) -> Result<Answer, Loss> {
        let request = Request::post(path)
            .header(HOST, self.target.host.clone())
            .header(CONTENT_TYPE, letter.kind)
            .body(Full::new(letter.body))
            .map_err(|_never| Loss::Closed)?;
        let sender = self.ready().await?;
        let response = sender.send_request(request).await.map_err(|_closed| Loss::Closed)?;
        let (answer, body) = read(response).await?;
        self.last = body;
        Ok(answer)
    }

    /// The open connection, or a new one in place of a closed one.
    async fn ready(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Loss> {
        let sender = match self.sender.take() {
            Some(mut open) => open.ready().await.ok().map(|()| open),
            None => None,
        };
        let sender = match sender {
            Some(open) => open,
            None => open(&self.target).await?,
        };
        Ok(self.sender.insert(sender))
    }
}

async fn open(target: &Target) -> Result<SendRequest<Full<Bytes>>, Loss> {
    let unreachable = |_cause| Loss::Unreachable;
    let stream = TcpStream::connect(target.address).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|_closed| Loss::Closed)?;
    // Ends by itself when the sender is dropped or the manager closes; the sender then tells.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(sender)
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<(Answer, Bytes), Loss> {
    let status = response.status().as_u16();
    let header = response.headers().get(RETRY_AFTER);
    let retry_after = header.and_then(|value| value.to_str().ok()?.parse().ok());
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|_cut_or_endless| Loss::Closed)?.to_bytes();
    Ok((Answer::read(status, retry_after, &body), body))
}
