//! A socket that does not wait for ever: a slow client costs a slot, never the manager.
//!
//! hyper has one header timer that also runs while a connection idles, so it cannot tell a
//! browser that keeps a connection for later from one that drips a header in. This wrapper
//! can: it knows from the service when a request is being answered, and from the bytes when
//! the next one has begun.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a socket waits for its client.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the first byte of a request (or from the connection's beginning) to the end of its
    /// headers.
    pub head: Duration,
    /// Between requests, counted from the last byte sent.
    pub idle: Duration,
    /// For the client to take the next bytes of an answer.
    pub write: Duration,
}

/// Where a connection stands; told by the service, read by the socket.
#[derive(Debug, Default)]
pub struct Phase {
    state: AtomicU8,
    /// Requests being answered; more than one only where requests share a connection.
    open: AtomicU32,
    /// Whether they may.
    shared: AtomicBool,
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

impl Phase {
    /// Requests of HTTP/2 will share the connection. The first must come as soon as one of HTTP/1
    /// must; later heads cannot be told from other frames by their bytes, and end with the idle time.
    pub fn share(&self) {
        self.shared.store(true, Ordering::Relaxed);
        self.state.store(HEAD, Ordering::Relaxed);
    }

    /// A request has arrived and is being answered, until what this gives is dropped; its handler
    /// has timers of its own.
    pub fn begin(self: &Arc<Self>) -> Answering {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.state.store(BUSY, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }
}

/// A request that is being answered. Dropped when the answer is on its way, or when the client
/// has taken its request back.
#[derive(Debug)]
pub struct Answering(Arc<Phase>);

impl Drop for Answering {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.state.store(IDLE, Ordering::Relaxed);
        }
    }
}

/// A socket with [`Patience`].
#[derive(Debug)]
pub struct Paced<S> {
    inner: S,
    phase: Arc<Phase>,
    patience: Patience,
    /// When the present head began.
    head_since: Instant,
    /// When a byte last went either way.
    moved_at: Instant,
    /// Whether a request has been answered on this connection yet.
    fresh: bool,
    read_timer: Timer,
    write_timer: Timer,
    write_stalled_at: Option<Instant>,
}

impl<S> Paced<S> {
    /// Wraps a new connection.
    pub fn new(inner: S, phase: Arc<Phase>, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            inner,
            phase,
            patience,
            head_since: now,
            moved_at: now,
            fresh: true,
            read_timer: Timer(None),
            write_timer: Timer(None),
            write_stalled_at: None,
        }
    }

    fn read_deadline(&self) -> Option<Instant> {
        match self.phase.state.load(Ordering::Relaxed) {
            BUSY => None,
            HEAD => Some(self.head_since + self.patience.head),
            _ if self.fresh => Some(self.head_since + self.patience.head),
            _ => Some(self.moved_at + self.patience.idle),
        }
    }

    fn wrote<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.moved_at = Instant::now();
            self.fresh = false;
            self.write_stalled_at = None;
            return result;
        }
        let since = *self.write_stalled_at.get_or_insert_with(Instant::now);
        if self.write_timer.passed(since + self.patience.write, context) {
            return Poll::Ready(Err(too_slow("the client does not take its answer")));
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        if result.is_ready() {
            if buffer.filled().len() > before {
                self.moved_at = Instant::now();
                if !self.phase.shared.load(Ordering::Relaxed) {
                    let state = &self.phase.state;
                    let begun =
                        state.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed);
                    if begun.is_ok() && !self.fresh {
                        self.head_since = self.moved_at;
                    }
                }
            }
            return result;
        }
        if let Some(deadline) = self.read_deadline()
            && self.read_timer.passed(deadline, context)
        {
            return Poll::Ready(Err(too_slow("the client sends no request")));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wrote(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.wrote(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

fn too_slow(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// One timer that is only moved when it must be: most deadlines are replaced by later ones
/// long before they pass, so the timer is left alone and asked again when it fires.
#[derive(Debug)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether the deadline is over; if not, the task is woken when it may be.
    fn passed(&mut self, deadline: Instant, context: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_millis(20);

    fn paced(
        patience: Patience,
    ) -> (tokio::io::DuplexStream, Paced<tokio::io::DuplexStream>, Arc<Phase>) {
        let (client, server) = duplex(64);
        let phase = Arc::new(Phase::default());
        (client, Paced::new(server, Arc::clone(&phase), patience), phase)
    }

    #[tokio::test]
    async fn a_client_that_stops_within_its_head_is_dropped() {
        let (mut client, mut server, _) = paced(Patience { head: SOON, idle: NEVER, write: NEVER });
        client.write_all(b"GET / HT").await.unwrap();
        let mut buffer = [0; 64];
        assert_eq!(server.read(&mut buffer).await.unwrap(), 8);
        let error = server.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answered_client_may_idle_only_so_long() {
        let (mut client, mut server, phase) =
            paced(Patience { head: NEVER, idle: SOON, write: NEVER });
        client.write_all(b"GET").await.unwrap();
        let mut buffer = [0; 64];
        server.read_exact(&mut buffer[..3]).await.unwrap();
        let answering = phase.begin();
        server.write_all(b"answer").await.unwrap();
        drop(answering);
        let error = server.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn no_timer_runs_while_a_request_is_answered() {
        let (_client, server, phase) = paced(Patience { head: SOON, idle: SOON, write: NEVER });
        assert!(server.read_deadline().is_some());
        let answering = phase.begin();
        assert_eq!(server.read_deadline(), None);
        drop(answering);
        assert!(server.read_deadline().is_some());
    }

    #[tokio::test]
    async fn shared_connections_idle_only_when_nothing_is_answered() {
        let (mut client, mut server, phase) =
            paced(Patience { head: NEVER, idle: SOON, write: NEVER });
        phase.share();
        let (first, second) = (phase.begin(), phase.begin());
        drop(first);
        assert_eq!(server.read_deadline(), None, "another one is being answered");
        server.write_all(b"DATA").await.unwrap();
        drop(second);
        // A frame that is no request does not begin a head, which could never end.
        client.write_all(b"PING").await.unwrap();
        let mut buffer = [0; 64];
        server.read_exact(&mut buffer[..4]).await.unwrap();
        let error = server.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_first_request_of_a_shared_connection_must_come_soon() {
        let (_client, mut server, phase) =
            paced(Patience { head: SOON, idle: NEVER, write: NEVER });
        server.write_all(b"SETTINGS").await.unwrap();
        phase.share();
        let error = server.read(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_dropped() {
        let (_client, mut server, _) = paced(Patience { head: NEVER, idle: NEVER, write: SOON });
        let error = server.write_all(&[0; 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
