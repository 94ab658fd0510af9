//! Around every request: its id, its span, its time limit, its log line and its counters; and
//! the body of a refusal, as a page or as `application/problem+json`.

use std::any::Any;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument as _;

use crate::model::trace::TraceParent;
use crate::process::tally::Refusal;
use crate::wire::codes::ErrorCode;
use crate::wire::limits;

use super::arrival::{Arrival, Channel};
use super::error::{ApiError, Refused};
use super::headers;
use super::pages::{Asker, error_page};
use super::server::Source;
use super::state::AppState;

/// The header that names a request in an answer, as the log does.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests: a random beginning per run, then a count.
#[derive(Debug)]
pub struct RequestIds {
    run: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// A new run.
    pub fn new(run: u32) -> Self {
        Self { run, next: AtomicU64::new(1) }
    }

    /// A name that no other request of this run has.
    pub fn fresh(&self) -> String {
        let mut id = String::with_capacity(16);
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        // Writing into a String cannot fail.
        write!(id, "{:08x}{count:08x}", self.run).unwrap_or_default();
        id
    }
}

/// The id of a request, for handlers that show it.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// What is known of a request before it is answered.
pub(super) struct Visit {
    id: String,
    method: Method,
    path: String,
    route: String,
    /// Of a browser that is to get a page: its headers, which tell who asks.
    browser: Option<(HeaderMap, Arrival)>,
    source: Source,
    channel: Channel,
    /// Of which trace the sender says that it is part.
    trace: Option<String>,
    begun: Instant,
}

/// The outermost layer of the main door.
pub async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    state.ways.note(&mut request);
    let visit = Visit::of(&request, state.request_ids.fresh());
    request.extensions_mut().insert(RequestId(visit.id.clone()));
    let span = visit.span();
    let limit = Duration::from_secs(limits::HANDLER_SECONDS);
    let answered = async {
        one_host(&request)?;
        let answered = tokio::time::timeout(limit, next.run(request)).await;
        answered.map_err(|_elapsed| {
            let text = "The manager did not get to it in time; try again.";
            ApiError::new(ErrorCode::Overloaded, text)
        })
    };
    let answered: Result<Response, ApiError> = answered.instrument(span.clone()).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    let mut refused = response.extensions_mut().remove::<ApiError>();
    if refused.as_deref().is_some_and(|refused| visit.goes_to_sign_in(refused)) {
        response = super::access::login::redirect(&visit.path);
        refused = None;
    }
    let page = match &refused {
        Some(refused) => visit.page(&state, refused).instrument(span.clone()).await,
        None => None,
    };
    let _in_span = span.entered();
    visit.turn_away(&state, response.status(), refused.as_deref());
    visit.log(response.status(), refused.as_deref());
    let code = refused.as_ref().map(|error| error.code());
    state.metrics.request(&visit.route, response.status(), code, visit.begun.elapsed());
    if let Some(refused) = refused {
        response = visit.explain(&refused, page, response);
    }
    finish(&visit, response)
}

/// Of HTTP/1.1, whoever does not name one host may be understood in two ways by two programs on the
/// way (RFC 9112 section 3.2).
pub(super) fn one_host(request: &Request) -> Result<(), ApiError> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        return Err(ApiError::bad_request("A request of HTTP/1.1 has one Host header."));
    }
    Ok(())
}

impl Visit {
    /// Reads what the request says of itself.
    pub(super) fn of(request: &Request, id: String) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        let path = request.uri().path();
        let trace = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        let trace = trace.and_then(|text| text.parse::<TraceParent>().ok());
        let accepts = |name: &str| {
            let accept = request.headers().get(header::ACCEPT);
            accept.and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(name))
        };
        Self {
            id,
            method: request.method().clone(),
            route: matched.map_or("(none)", MatchedPath::as_str).to_owned(),
            browser: (is_page(path) && accepts("text/html"))
                .then(|| (request.headers().clone(), Arrival::of(request.extensions()))),
            path: request.uri().path_and_query().map_or(path, |both| both.as_str()).to_owned(),
            source: Source::of(request.extensions()),
            channel: Arrival::of(request.extensions()).channel,
            trace: trace.map(|trace| trace.to_string()),
            begun: Instant::now(),
        }
    }

    /// Who gets a page of a refusal, as long as nobody can say who they are.
    pub(super) fn asker(&self) -> Option<Asker<'_>> {
        let (headers, _) = self.browser.as_ref()?;
        Some(Asker { headers, caller: None, id: &self.id, channel: self.channel })
    }

    /// The path that was asked for, and whether a form was sent there.
    pub(super) fn wanted(&self) -> (&str, bool) {
        (&self.path, !matches!(self.method, Method::GET | Method::HEAD))
    }

    /// A browser that must sign in first is shown the way instead of a refusal.
    fn goes_to_sign_in(&self, refused: &Refused) -> bool {
        self.browser.is_some()
            && refused.code == ErrorCode::Unauthenticated
            && matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Counts a refusal for the audit. Whoever was only shown the way to the sign-in page was not
    /// refused.
    fn turn_away(&self, state: &AppState, status: StatusCode, refused: Option<&Refused>) {
        let code = match (refused.map(|refused| refused.code.as_str()), status) {
            (code, StatusCode::UNAUTHORIZED) => code.unwrap_or("sign_in_refused"),
            (code, StatusCode::TOO_MANY_REQUESTS) => code.unwrap_or("sign_in_throttled"),
            (Some(code), StatusCode::FORBIDDEN | StatusCode::GONE) => code,
            _ => return,
        };
        state.whole().turned_away(Refusal {
            is_agent: is_for_agents(&self.route),
            from: self.source.0,
            who: refused.and_then(|refused| refused.who.clone()),
            route: format!("{} {}", self.method, self.route),
            code: code.to_owned(),
        });
    }

    fn span(&self) -> tracing::Span {
        let (id, method, route) = (&self.id, &self.method, &self.route);
        let traceparent = self.trace.as_deref();
        if is_health(route) {
            tracing::debug_span!("request", %id, %method, %route, traceparent)
        } else {
            tracing::info_span!("request", %id, %method, %route, traceparent)
        }
    }

    /// One line per request: refused ones with their cause, the rest for debugging only.
    fn log(&self, status: StatusCode, refused: Option<&Refused>) {
        let status = status.as_u16();
        let elapsed_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let source = self.source.0.map(tracing::field::display);
        let Some(refused) = refused else {
            tracing::debug!(status, elapsed_us, source, "answered");
            return;
        };
        let code = refused.code.as_str();
        let cause = refused.cause.as_deref().unwrap_or(&refused.detail);
        let agent = refused.agent.as_deref();
        match status {
            500 => tracing::error!(status, code, cause, source, agent, elapsed_us, "failed"),
            503 => tracing::warn!(status, code, cause, source, agent, elapsed_us, "not served"),
            // Refused unread, because this address was refused too often: it has its lines.
            429 => tracing::debug!(status, code, cause, source, agent, elapsed_us, "refused"),
            _ => tracing::info!(status, code, cause, source, agent, elapsed_us, "refused"),
        }
    }

    /// The page of a refusal for a browser, under the bar of whoever asked. Who is refused because
    /// they asked too often, or said wrongly who they are, costs no further look.
    async fn page(&self, state: &AppState, refused: &Refused) -> Option<String> {
        let (headers, arrival) = self.browser.as_ref()?;
        let caller = match super::error::status(refused.code) {
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => None,
            _ => state.gate.admit(headers, arrival).await.ok().flatten(),
        };
        let whose = Asker { headers, caller, id: &self.id, channel: self.channel };
        error_page(state, refused, (whose, self.wanted()))
    }

    /// Gives a refusal its body. The status and headers are already there.
    pub(super) fn explain(
        &self,
        refused: &Refused,
        page: Option<String>,
        mut response: Response,
    ) -> Response {
        if let Some(page) = page {
            *response.body_mut() = Body::from(page);
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, html);
            return response;
        }
        // A struct of strings and numbers always has a JSON form.
        let body = serde_json::to_vec(&refused.problem(&self.id)).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Adds the headers of every answer.
pub(super) fn finish(visit: &Visit, mut response: Response) -> Response {
    if is_for_agents(&visit.route) {
        headers::keep_out_of_caches(&mut response);
    } else {
        headers::protect(&mut response, visit.channel == Channel::Tls);
    }
    if let Ok(id) = HeaderValue::from_str(&visit.id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Whether people rather than programs come here.
fn is_page(path: &str) -> bool {
    !path.starts_with("/status/") && !path.starts_with("/api/")
}

/// Answered to programs that know no browser's headers, thousands of times a second.
fn is_for_agents(route: &str) -> bool {
    matches!(route, "/status/updates" | "/status/register")
}

/// Asked every few seconds by supervisors; of no interest in a log.
fn is_health(route: &str) -> bool {
    matches!(route, "/status/healthcheck" | "/livez" | "/readyz")
}

/// Turns a handler's panic into a 500; the message goes to the log.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic without a message".to_owned(),
    };
    ApiError::internal(format!("a handler panicked: {message}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sixteen_digits_and_never_repeat() {
        let ids = RequestIds::new(0xab);
        let (first, second) = (ids.fresh(), ids.fresh());
        assert_eq!(first, "000000ab00000001");
        assert_ne!(first, second);
        assert_eq!(second.len(), 16);
    }

    #[test]
    fn agents_and_programs_never_get_pages() {
        assert!(is_page("/agents") && is_page("/") && is_page("/nowhere"));
        assert!(!is_page("/status/updates") && !is_page("/api/v1/topology"));
    }

    #[test]
    fn a_panic_is_an_internal_error_without_its_message_outside() {
        let response = panicked(Box::new("index out of range"));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = response.extensions().get::<ApiError>().unwrap();
        assert!(error.cause.as_deref().unwrap().contains("index out of range"));
        assert!(!error.detail.contains("index"));
    }
}
