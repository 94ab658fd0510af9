//! A door that answers what a test says, and hangs up when told to: the manager on its worst day.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use kattila::wire::relay;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::http::post_report;
use super::stored::read_report;

/// What the door does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers: status, further header lines, body.
    Answer(u16, String, String),
    /// Reads the request and closes the connection.
    HangUp,
    /// Passes the request on to a manager and its answer back.
    Pass(SocketAddr),
    /// Takes a report out of the envelopes of relays and passes it on to a manager.
    Unwrap(SocketAddr),
    /// The same, and keeps the answer.
    UnwrapAndHangUp(SocketAddr),
    /// Passes the request on, waits for the answer and keeps it.
    PassAndHangUp(SocketAddr),
}

impl Reply {
    /// A refusal with a code.
    pub(crate) fn refusal(status: u16, code: &str) -> Self {
        let body = json!({ "status": status, "code": code, "detail": "because" }).to_string();
        Self::Answer(status, String::new(), body)
    }

    /// The same with a header.
    pub(crate) fn with(self, header: &str) -> Self {
        match self {
            Self::Answer(status, headers, body) => {
                Self::Answer(status, format!("{headers}{header}\r\n"), body)
            }
            Self::HangUp
            | Self::Pass(_)
            | Self::PassAndHangUp(_)
            | Self::Unwrap(_)
            | Self::UnwrapAndHangUp(_) => self,
        }
    }

    /// The answer to an enrolment: 200 and 201 for a key in force, 202 for one that waits.
    pub(crate) fn enrolled(status: u16) -> Self {
        let word = if status == 202 { "pending_approval" } else { "enrolled" };
        let body = json!({
            "status": word, "agent_id": "0123456789abcdef", "kid": "45819852fbdfc69a",
            "server_time": 1, "interval": 30,
        });
        Self::Answer(status, String::new(), body.to_string())
    }

    /// A receipt that tells an interval.
    pub(crate) fn receipt(interval: u32) -> Self {
        let body =
            json!({ "status": "ok", "report_id": 1, "server_time": 1, "interval": interval });
        Self::Answer(200, String::new(), body.to_string())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) body: String,
    /// The body, byte for byte.
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        read_report(&self.bytes)
    }

    /// The relays it passed, the last one first, and the report inside.
    pub(crate) fn report(&self) -> (Vec<String>, Vec<u8>) {
        let (mut relays, mut body) = (Vec::new(), self.bytes.clone());
        while relay::is_relay(&body) {
            let head = relay::parse(&body).unwrap();
            relays.push(head.relay_id.to_string());
            body = head.inner.clone();
        }
        (relays, body)
    }
}

#[derive(Default)]
struct State {
    reports: VecDeque<Reply>,
    /// What follows when the script is over.
    then: Option<Reply>,
    enrolments: Option<Reply>,
    requests: Vec<Request>,
}

/// The door; closed when dropped.
pub(crate) struct Scripted {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    came: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn listen(listener: TcpListener) -> Self {
        let addr = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let came = Arc::new(Notify::new());
        let told = Arc::clone(&came);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared), Arc::clone(&told)));
            }
        });
        Self { addr, state, came, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Answers the next reports so, in this order.
    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().reports.extend(replies);
    }

    /// Answers so when the script is over; a receipt if nothing is said.
    pub(crate) fn then(&self, reply: Reply) {
        self.state.lock().unwrap().then = Some(reply);
    }

    /// Answers enrolments so; 404 if nothing is said, as a manager that knows none.
    pub(crate) fn enrol(&self, reply: Reply) {
        self.state.lock().unwrap().enrolments = Some(reply);
    }

    /// The reports that came, in order.
    pub(crate) fn reports(&self) -> Vec<Request> {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|r| r.path.ends_with("/status/updates")).cloned().collect()
    }

    /// Waits until so many reports have come.
    pub(crate) async fn until_reports(&self, count: usize) {
        while self.reports().len() < count {
            self.came.notified().await;
        }
    }

    /// How many enrolments were asked for.
    pub(crate) fn enrolments(&self) -> Vec<Request> {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|r| r.path.ends_with("/status/register")).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>, came: Arc<Notify>) {
    while let Some(request) = read(&mut stream).await {
        let reply = {
            let mut state = state.lock().unwrap();
            let reply = if request.path.ends_with("/status/register") {
                state.enrolments.clone().unwrap_or_else(|| Reply::refusal(404, "not_found"))
            } else {
                let then = state.then.clone().unwrap_or_else(|| Reply::receipt(30));
                state.reports.pop_front().unwrap_or(then)
            };
            state.requests.push(request.clone());
            reply
        };
        came.notify_one();
        let Some((status, headers, body)) = answer_of(reply, request).await else { return };
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Status, further headers and body; `None` to hang up.
async fn answer_of(reply: Reply, request: Request) -> Option<(u16, String, String)> {
    let pass = async |to| post_report(to, &request.path, request.bytes.clone()).await;
    match reply {
        Reply::Answer(status, headers, body) => Some((status, headers, body)),
        Reply::HangUp => None,
        Reply::Pass(to) => {
            let answer = pass(to).await;
            Some((answer.status, String::new(), answer.text()))
        }
        Reply::PassAndHangUp(to) => {
            pass(to).await;
            None
        }
        Reply::Unwrap(to) => {
            let answer = post_report(to, "/status/updates", request.report().1).await;
            Some((answer.status, String::new(), answer.text()))
        }
        Reply::UnwrapAndHangUp(to) => {
            post_report(to, "/status/updates", request.report().1).await;
            None
        }
    }
}

/// One request with a `content-length`; `None` when the connection ends.
async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let body = &bytes[end + 4..];
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap().to_owned();
                let text = String::from_utf8_lossy(body).into_owned();
                return Some(Request { path, body: text, bytes: body.to_vec() });
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
