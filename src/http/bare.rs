//! Refusals that no handler makes: a head that is no HTTP, is too large or does not end, and a
//! door that is full. They get the shape of every other refusal, and their line in the log.
//!
//! hyper answers a head that it cannot read by itself, with a bare status. [`Spoken`] stands
//! between hyper and the connection and says the same in our words. It never touches an answer
//! that a handler made: those carry a request id, hyper's own do not.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::codes::ErrorCode;
use crate::wire::limits;

use super::error::ApiError;
use super::headers;
use super::observe::{REQUEST_ID, RequestIds};

/// Seconds after which a door that is full may be tried again.
const RETRY_FULL: u32 = 10;

/// Puts refusals into bytes for one client.
#[derive(Debug)]
pub struct Bare {
    /// Names the refusals.
    pub ids: Arc<RequestIds>,
    /// The client.
    pub peer: IpAddr,
}

impl Bare {
    /// More connections are open than the door takes.
    pub fn full(&self) -> Vec<u8> {
        let error = ApiError::new(
            ErrorCode::Overloaded,
            "Too many connections are open at the manager; try again soon.",
        );
        self.refuse(error.retry_after(RETRY_FULL))
    }

    /// More headers came than a request may have, where HTTP/2 does not count them.
    pub fn too_many_headers(&self) -> axum::response::Response {
        let id = self.ids.fresh();
        let error = too_large();
        let problem = error.problem(&id);
        tracing::info!(id, status = problem.status, source = %self.peer, "refused");
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = error.into_response();
        headers::keep_out_of_caches(&mut response);
        response.extensions_mut().clear();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        *response.body_mut() = body.into();
        response
    }

    /// A whole answer, after which the connection ends.
    fn refuse(&self, error: ApiError) -> Vec<u8> {
        let id = self.ids.fresh();
        let problem = error.problem(&id);
        // Doors that are full are full for many.
        if error.code() == ErrorCode::Overloaded {
            tracing::debug!(id, source = %self.peer, cause = %problem.detail, "not served");
        } else {
            let (status, code) = (problem.status, problem.code.as_str());
            tracing::info!(id, status, code, source = %self.peer, cause = %problem.detail, "refused");
        }
        // A struct of strings and numbers always has a JSON form.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = error.into_response();
        headers::keep_out_of_caches(&mut response);
        let mut answer = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        let rest = format!(
            "content-type: application/problem+json\r\ncontent-length: {}\r\n{REQUEST_ID}: {id}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        answer.extend(rest.into_bytes());
        answer.extend(body);
        answer
    }
}

/// The head did not end in time.
fn slow_head() -> ApiError {
    ApiError::new(
        ErrorCode::RequestTimeout,
        format!("The headers took longer than {} s to arrive.", limits::HEADER_SECONDS),
    )
}

fn too_large() -> ApiError {
    let (bytes, most) = (limits::HEADER_BYTES, limits::HEADERS);
    let detail = format!("The request may have {most} headers, of {bytes} bytes together.");
    ApiError::new(ErrorCode::HeadersTooLarge, detail)
}

/// What hyper says by itself, as the refusal it stands for.
fn own_words(written: &[u8]) -> Option<ApiError> {
    if !written.starts_with(b"HTTP/1.1 4") || !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(written).ok()?;
    let (line, fields) = head.split_once("\r\n")?;
    if fields.contains(REQUEST_ID.as_str()) || !fields.contains("content-length: 0\r\n") {
        return None;
    }
    let status = StatusCode::from_bytes(line.get(9..12)?.as_bytes()).ok()?;
    if status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
        return Some(too_large());
    }
    (status == StatusCode::BAD_REQUEST).then(|| {
        ApiError::bad_request("This is not HTTP/1.1; look at the first line and the headers.")
    })
}

/// A connection on which every refusal is a problem document.
#[derive(Debug)]
pub struct Spoken<S> {
    inner: S,
    bare: Bare,
    /// Bytes of a request came in and nothing has been written since.
    open: bool,
    /// What is written in the place of other words, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
    /// The client was too slow: these are the last words.
    late: bool,
}

impl<S> Spoken<S> {
    /// Wraps a new connection.
    pub fn new(inner: S, bare: Bare) -> Self {
        Self { inner, bare, open: false, instead: None, late: false }
    }
}

impl<S: AsyncWrite + Unpin> Spoken<S> {
    /// Writes what waits to be said.
    fn say(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((words, done)) = &mut self.instead {
            let rest = words.get(*done..).unwrap_or_default();
            if rest.is_empty() {
                self.instead = None;
                break;
            }
            let taken = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *done += taken;
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// The last words to a client that was too slow, then the end.
    fn part(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.say(context))?;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Spoken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.late {
            return self.part(context);
        }
        let before = buffer.filled().len();
        match ready!(Pin::new(&mut self.inner).poll_read(context, buffer)) {
            Ok(()) => {
                self.open |= buffer.filled().len() > before;
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut && self.open => {
                self.instead = Some((self.bare.refuse(slow_head()), 0));
                self.late = true;
                self.part(context)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spoken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open = false;
        if self.instead.is_none()
            && let Some(error) = own_words(bytes)
        {
            self.instead = Some((self.bare.refuse(error), 0));
        }
        if self.instead.is_some() {
            ready!(self.say(context))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut full = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(only), None) = (full.next(), full.next()) {
            return self.poll_write(context, only);
        }
        self.open = false;
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\
        connection: close\r\ncontent-length: 0\r\ndate: Fri, 20 Nov 2026 22:38:06 GMT\r\n\r\n";

    fn bare() -> Bare {
        Bare { ids: Arc::new(RequestIds::new(7)), peer: IpAddr::from([127, 0, 0, 1]) }
    }

    #[tokio::test]
    async fn words_of_hyper_are_replaced_however_slowly_they_are_taken() {
        // Smaller than the answer: it is written in several goes.
        let (mut client, server) = duplex(64);
        let mut server = Spoken::new(server, bare());
        let said = tokio::spawn(async move {
            server.write_all(TOO_LARGE).await.unwrap();
            server.write_all(b"rest").await.unwrap();
        });
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        said.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            body.contains(r#""code":"headers_too_large""#) && body.ends_with("}rest"),
            "{body}"
        );
    }

    #[test]
    fn answers_of_handlers_are_left_alone() {
        let text = std::str::from_utf8(TOO_LARGE).unwrap();
        assert!(own_words(TOO_LARGE).is_some());
        for other in [
            text.replace("date:", "x-request-id: 1\r\ndate:"),
            text.replace("content-length: 0", "content-length: 9"),
            text.replace("431", "404"),
            text.replace("HTTP/1.1 431", "HTTP/1.1 200"),
            format!("{text}body"),
        ] {
            assert!(own_words(other.as_bytes()).is_none(), "{other}");
        }
    }
}
