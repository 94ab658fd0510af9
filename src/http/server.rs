//! The door: accepts connections, bounds them, and closes in order.
//!
//! Knows nothing of routes. `axum::serve` has no limits of its own on connections, headers or
//! slow clients, so the accept loop is ours.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::wire::limits;

use super::bare::{Bare, Spoken};
use super::observe::RequestIds;
use super::paced::{Answering, Paced, Patience, Phase};
use super::stage::Stage;
use super::tls::{HTTP_2, Identity};

/// Connections waiting to be accepted; more than Linux grants by default (`somaxconn` 4096).
const BACKLOG: u32 = 4096;

/// Open connections; 12,000 idle ones cost about 100 MB and stay below a limit of 20,000 file
/// descriptors (RELIABILITY 5).
const CONNECTIONS: usize = 12_000;

/// Bytes read ahead of one connection.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Requests that one client of HTTP/2 may have open on a connection; a browser's page asks for ten.
const STREAMS: u32 = 32;

/// Bytes of bodies that HTTP/2 takes ahead of their handlers: of one request, and of a connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes of one answer that HTTP/2 keeps for a client that does not take them.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// Requests of HTTP/2 that a client has taken back before they were looked at ("rapid reset",
/// CVE-2023-44487), and errors of its own making, after which the connection ends.
const RESETS: usize = 32;

/// A TLS client has this long to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A client has this long to take the next bytes of an answer.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// After an accept failed for lack of file descriptors, others get this long to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of a door.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// How long clients are waited for.
    pub patience: Patience,
    /// How long open requests may take once the door closes.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            patience: Patience {
                head: Duration::from_secs(limits::HEADER_SECONDS),
                idle: Duration::from_secs(limits::KEEP_ALIVE_SECONDS),
                write: WRITE_STALL,
            },
            drain: Duration::from_secs(limits::HANDLER_SECONDS),
        }
    }
}

/// Where a request came from, if it came through a [`Door`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> impl Future<Output = Result<Self, Infallible>> {
        std::future::ready(Ok(Self::of(&parts.extensions)))
    }
}

impl Source {
    /// Reads what the door, and [`super::arrival`] after it, have noted.
    pub fn of(extensions: &axum::http::Extensions) -> Self {
        extensions.get::<Self>().copied().unwrap_or(Self(None))
    }
}

/// A bound address that accepts connections once it serves.
pub struct Door {
    listener: TcpListener,
    addr: SocketAddr,
    tls: Option<Identity>,
    limits: Limits,
    ids: Arc<RequestIds>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("addr", &self.addr).field("tls", &self.tls.is_some()).finish()
    }
}

impl Door {
    /// Binds the address. Connections queue from here on; none is answered before `serve`.
    /// `ids` name what the door refuses by itself.
    pub fn bind(
        addr: SocketAddr,
        tls: Option<Identity>,
        limits: Limits,
        ids: Arc<RequestIds>,
    ) -> io::Result<Self> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        let listener = socket.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, tls, limits, ids })
    }

    /// The address as bound: the free port if port 0 was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://ADDR` or `https://ADDR`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// Answers requests until `shutdown`, then lets open ones end, at most for the drain time.
    pub async fn serve(self, app: impl Into<Stage>, shutdown: CancellationToken) {
        let stage = app.into();
        let Self { listener, addr, tls, limits, ids } = self;
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(limits.connections));
        let cut = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    accept_failed(&error).await;
                    continue;
                }
            };
            let peer = peer.ip().to_canonical();
            let bare = Bare { ids: Arc::clone(&ids), peer };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                // Before anything is read. Best effort: a full send buffer on a new socket does
                // not happen.
                let _told = stream.try_write(&bare.full()).is_ok();
                continue;
            };
            let connection = Connection {
                stage: stage.clone(),
                peer,
                bare,
                patience: limits.patience,
                watcher: graceful.watcher(),
            };
            let (tls, cut) = (tls.as_ref().map(Identity::acceptor), cut.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = connection.run(stream, tls) => {}
                    () = cut.cancelled() => {}
                }
                drop(slot);
            });
        }
        drop(listener);
        if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(%addr, "some requests did not end in time and were cut off");
        }
        cut.cancel();
    }
}

async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // These are about one client, which is gone.
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "a connection could not be accepted; raise the limit of open files");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

struct Connection {
    stage: Stage,
    peer: IpAddr,
    bare: Bare,
    patience: Patience,
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small; waiting to fill a segment only delays them.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let phase = Arc::new(Phase::default());
        let paced = Paced::new(stream, Arc::clone(&phase), self.patience);
        let Some(tls) = tls else { return self.speak(paced, phase).await };
        match tokio::time::timeout(HANDSHAKE, tls.accept(paced)).await {
            Ok(Ok(stream)) if speaks_http_2(&stream) => self.speak_2(stream, phase).await,
            Ok(Ok(stream)) => self.speak(stream, phase).await,
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "TLS handshake failed"),
            Err(_elapsed) => tracing::debug!(peer = %self.peer, "TLS handshake took too long"),
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        self,
        stream: S,
        phase: Arc<Phase>,
    ) {
        let Self { stage, peer, bare, watcher, .. } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            answer(stage.app(), peer, request, phase.begin())
        });
        let connection = http1::Builder::new()
            // `Paced` keeps the time.
            .header_read_timeout(None)
            .max_headers(limits::HEADERS)
            .max_header_size(limits::HEADER_BYTES)
            .max_buf_size(READ_BUFFER_BYTES)
            .serve_connection(TokioIo::new(Spoken::new(stream, bare)), service);
        if let Err(error) = pin!(watcher.watch(connection)).await {
            tracing::debug!(peer = %peer, %error, "connection ended");
        }
    }

    /// HTTP/2 with the bounds of HTTP/1, and those that it needs for itself.
    async fn speak_2<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        self,
        stream: S,
        phase: Arc<Phase>,
    ) {
        let Self { stage, peer, bare, watcher, .. } = self;
        phase.share();
        let bare = Arc::new(bare);
        let service = service_fn(move |request: Request<Incoming>| {
            let (app, answering, bare) = (stage.app(), phase.begin(), Arc::clone(&bare));
            answer_2(app, peer, (request, answering), bare)
        });
        let head_bytes = u32::try_from(limits::HEADER_BYTES).unwrap_or(u32::MAX);
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(head_bytes)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = pin!(watcher.watch(connection)).await {
            tracing::debug!(peer = %peer, %error, "connection ended");
        }
    }
}

/// What the client chose of what TLS offered it.
fn speaks_http_2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

async fn answer(
    mut app: Router,
    peer: IpAddr,
    mut request: Request<Incoming>,
    answering: Answering,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(Source(Some(peer)));
    let response = app.call(request.map(Body::new)).await;
    drop(answering);
    response
}

/// The same for HTTP/2, which counts no headers.
async fn answer_2(
    app: Router,
    peer: IpAddr,
    (request, answering): (Request<Incoming>, Answering),
    bare: Arc<Bare>,
) -> Result<Response, Infallible> {
    if request.headers().len() > limits::HEADERS {
        return Ok(bare.too_many_headers());
    }
    answer(app, peer, request, answering).await
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn open(limits: Limits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let ids = Arc::new(RequestIds::new(1));
        let door = Door::bind("127.0.0.1:0".parse().unwrap(), None, limits, ids).unwrap();
        let addr = door.addr();
        assert_ne!(addr.port(), 0);
        let app = Router::new()
            .route("/", get(|source: Source| async move { format!("{:?}", source.0) }))
            .route("/echo", post(|body: String| async move { body }));
        let shutdown = CancellationToken::new();
        (addr, shutdown.clone(), tokio::spawn(door.serve(app, shutdown)))
    }

    async fn talk(addr: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn answers_with_the_source_and_stops_when_told() {
        let (addr, shutdown, served) = open(Limits::default());
        let answer = talk(addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("Some(127.0.0.1)"), "{answer}");
        shutdown.cancel();
        served.await.unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let (addr, shutdown, served) = open(Limits::default());
        let mut idle = TcpStream::connect(addr).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        shutdown.cancel();
        served.await.unwrap();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.unwrap();
    }

    #[tokio::test]
    async fn a_dripping_head_is_cut_off() {
        let mut limits = Limits::default();
        limits.patience.head = Duration::from_millis(30);
        let (addr, ..) = open(limits);
        let answer = talk(addr, "GET / HTTP/1.1\r\nHost:").await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
        assert_eq!(talk(addr, "").await, "", "who sent nothing is told nothing");
    }

    #[tokio::test]
    async fn too_many_connections_and_headers_are_refused() {
        let (addr, ..) = open(Limits { connections: 1, ..Limits::default() });
        let mut first = TcpStream::connect(addr).await.unwrap();
        first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut begun = [0; 12];
        first.read_exact(&mut begun).await.unwrap();
        let second = talk(addr, "").await;
        assert!(second.starts_with("HTTP/1.1 503"), "{second}");
        assert!(second.contains("retry-after: 10") && second.contains("overloaded"), "{second}");
        drop(first);

        let (addr, ..) = open(Limits::default());
        let many: String = (0..65).map(|n| format!("h{n}: x\r\n")).collect();
        let answer = talk(addr, &format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let long = "x".repeat(limits::HEADER_BYTES);
        let answer = talk(addr, &format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
