//! One keep-alive HTTP/1.1 connection to the manager, made again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::answer::{Answer, Loss};
use super::target::Target;

/// How long an answer is waited for, in seconds: twice the manager's own limit for a request.
pub const ANSWER_SECONDS: u64 = 30;
/// Bytes of an answer that are read; the manager's are a few hundred.
const ANSWER_BYTES: usize = 64 * 1024;

/// A connection that may not exist yet.
#[derive(Debug)]
pub struct Connection {
    target: Arc<Target>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection that is opened by the first report.
    pub const fn new(target: Arc<Target>) -> Self {
        Self { target, sender: None }
    }

    /// Pushes one envelope and waits for the answer.
    pub async fn post(&mut self, envelope: Bytes) -> Answer {
        let path = self.target.path.clone();
        self.push(path, envelope).await
    }

    /// Makes a host's own key known and waits for the answer.
    pub async fn enrol(&mut self, registration: Bytes) -> Answer {
        let path = self.target.register.clone();
        self.push(path, registration).await
    }

    async fn push(&mut self, path: Uri, body: Bytes) -> Answer {
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

    async fn exchange(&mut self, path: Uri, body: Bytes) -> Result<Answer, Loss> {
        let request = Request::post(path)
            .header(HOST, self.target.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(body))
            .map_err(|_never| Loss::Closed)?;
        let sender = self.ready().await?;
        let response = sender.send_request(request).await.map_err(|_closed| Loss::Closed)?;
        read(response).await
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

async fn read(response: Response<hyper::body::Incoming>) -> Result<Answer, Loss> {
    let status = response.status().as_u16();
    let header = response.headers().get(RETRY_AFTER);
    let retry_after = header.and_then(|value| value.to_str().ok()?.parse().ok());
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    let body = body.map_err(|_cut_or_endless| Loss::Closed)?.to_bytes();
    Ok(Answer::read(status, retry_after, &body))
}
