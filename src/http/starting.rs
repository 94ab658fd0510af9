//! The app of the main door while the manager starts: it says how far that is, and that nothing
//! can be had yet. Opening a store can take minutes, when it is brought to a new version.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::clock::Clock;
use crate::config::Config;
use crate::store::phase::{Phase, Watch};
use crate::wire::codes::ErrorCode;
use crate::wire::limits;

use super::arrival::Ways;
use super::error::ApiError;
use super::health::{self, Check, Readiness};
use super::observe::{self, RequestIds, Visit};
use super::{assets, body, pages};

/// What is known while the manager starts.
#[derive(Debug, Clone)]
pub struct Starting(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    ways: Ways,
    ids: Arc<RequestIds>,
    clock: Clock,
    phase: Mutex<Phase>,
}

impl Starting {
    /// A start that has just begun.
    pub fn new(config: &Config, ids: Arc<RequestIds>, clock: Clock) -> Self {
        let phase = Mutex::new(Phase::Opening);
        Self(Arc::new(Parts { ways: Ways::new(config), ids, clock, phase }))
    }

    fn phase(&self) -> Phase {
        *self.0.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Starting {
    fn reached(&self, phase: Phase) {
        *self.0.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

/// Answers supervisors, gives pages their style, and refuses everything else.
pub fn router(starting: Starting) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(ready))
        .route("/static/{hash}/{*path}", get(assets::asset))
        .route("/favicon.ico", get(assets::favicon))
        .fallback(refuse)
        .method_not_allowed_fallback(refuse)
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(middleware::from_fn_with_state(starting.clone(), observe))
        .with_state(starting)
}

/// `GET /readyz`: not yet, and why.
async fn ready(State(starting): State<Starting>) -> (StatusCode, Json<Readiness>) {
    let reason = starting.phase().to_string();
    health::verdict(vec![Check { name: "storage", ok: false, reason }])
}

/// Whatever else is asked or sent. What is sent is taken first, so that whoever sends it hears the
/// answer instead of a connection that breaks.
async fn refuse(State(starting): State<Starting>, body: Body) -> ApiError {
    body::pass_over(body, limits::BODY_BYTES).await;
    let text = format!(
        "The manager is starting: {}. Nothing is lost meanwhile: agents keep their reports and \
         send them when it is done.",
        starting.phase()
    );
    ApiError::new(ErrorCode::Starting, text)
}

/// The outermost layer. One line per request is for debugging only: thousands of agents ask.
async fn observe(State(starting): State<Starting>, mut request: Request, next: Next) -> Response {
    starting.0.ways.note(&mut request);
    let visit = Visit::of(&request, starting.0.ids.fresh());
    let mut response = match observe::one_host(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    tracing::debug!(status = response.status().as_u16(), "answered while starting");
    if let Some(refused) = response.extensions_mut().remove::<ApiError>() {
        let page = visit.asker().and_then(|asker| {
            pages::page_while_starting(&asker, &refused, visit.wanted(), starting.0.clock.now())
        });
        response = visit.explain(&refused, page, response);
    }
    observe::finish(&visit, response)
}
