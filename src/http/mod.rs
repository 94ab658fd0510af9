//! The door: HTTP in, JSON and pages out. The only module that knows axum, hyper and rustls.
//!
//! [`server`] accepts connections and bounds them; [`routes`] lists every address with what it
//! needs; [`access`] decides who may pass; [`observe`] gives every request its id, its log line
//! and its error body. Handlers extract, ask one thing of the processor or the store, and
//! answer. Nothing here decides about the fleet, and nothing here touches SQL or keys.

pub mod access;
pub mod admin;
pub mod agents;
pub mod arrival;
pub mod aside;
pub mod assets;
pub mod bare;
pub mod body;
pub mod dictionaries;
pub mod error;
pub mod flash;
pub mod headers;
pub mod health;
pub mod keys;
pub mod listed;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod operators;
pub mod pace;
pub mod paced;
pub mod packed;
pub mod pages;
pub mod params;
pub mod present;
pub mod routes;
pub mod samples;
pub mod server;
pub mod sources;
pub mod sse;
pub mod stage;
pub mod starting;
pub mod state;
pub mod tls;

use std::sync::Arc;

use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;

use routes::Guards;
use state::AppState;

/// The app of the main door.
pub fn router(state: AppState) -> Router {
    let guards = Guards {
        gate: Arc::clone(&state.gate),
        sources: Arc::clone(&state.sources),
        clock: state.clock.clone(),
    };
    routes::guarded(routes::all(), &guards)
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(middleware::from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}
