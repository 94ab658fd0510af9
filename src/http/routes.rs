//! Every route of the main door with what it needs. A route cannot be added without saying
//! that, and nothing is open by accident.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::clock::Clock;
use crate::model::access::Role;
use crate::wire::codes::ErrorCode;

use super::access::gate::Gate;
use super::access::guard::{Guard, guard};
use super::access::{Need, login, provider, setup, share};
use super::error::ApiError;
use super::listed::as_csv;
use super::pages::{self, act, alarm, aside, ask, audit, look, rules, tell, then};
use super::sources::Sources;
use super::state::AppState;
use super::{admin, agents, assets, dictionaries, health, keys, openapi, operators, sse};

/// One route.
#[derive(Debug, Clone)]
pub struct Route<S = AppState> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path, variables in braces.
    pub path: &'static str,
    /// What it asks of a caller.
    pub need: Need,
    /// Whether it serves those who are given pseudonyms: nothing that it answers has a real name.
    pub masked: bool,
    /// Which member of its answer is a list, that is also told as CSV; empty: the answer is one.
    pub list: Option<&'static str>,
    /// What answers.
    pub handler: MethodRouter<S>,
}

const PUBLIC: Need = Need::Public;
const SIGNED: Need = Need::Signature;
/// For viewers, and for visitors who hold a shared link.
const SHARED: Need = Need::Shared;
const VIEWER: Need = Need::Role(Role::Viewer);
const OPERATOR: Need = Need::Role(Role::Operator);
const ADMIN: Need = Need::Role(Role::Admin);
/// The same for what is about the manager as a whole.
const VIEWER_OF_ALL: Need = Need::Whole(Role::Viewer);
const OPERATOR_OF_ALL: Need = Need::Whole(Role::Operator);
const ADMIN_OF_ALL: Need = Need::Whole(Role::Admin);

/// All routes, by who comes.
pub fn all() -> Vec<Route> {
    let mut routes = programs();
    routes.extend(of_admins());
    routes.extend(about_places());
    routes.extend(about_alarms());
    routes.extend(about_people());
    routes.extend(about_shares());
    routes.extend(pages());
    routes
}

impl<S> Route<S> {
    /// The same, serving those who are given pseudonyms, too.
    fn masked(self) -> Self {
        Self { masked: true, ..self }
    }

    /// The same as a list, or with one as that member: as CSV, too, for who asks with `format=csv`.
    fn listed(self, member: &'static str) -> Self
    where
        S: Clone + Send + Sync + 'static,
    {
        let handler = self.handler.layer(middleware::from_fn_with_state(member, as_csv));
        Self { list: Some(member), handler, ..self }
    }
}

/// One route; it serves nobody who is given pseudonyms, unless [`Route::masked`] says so.
fn route(
    method: &'static str,
    path: &'static str,
    need: Need,
    handler: MethodRouter<AppState>,
) -> Route {
    Route { method, path, need, masked: false, list: None, handler }
}

/// Agents, supervisors and operators' programs: JSON.
fn programs() -> Vec<Route> {
    use operators::{
        agents as agent, edges, events, export, identities, jobs, notifications as notices, past,
        paths, reports, search, topology, what_if,
    };
    vec![
        // Agents.
        route("POST", "/status/updates", SIGNED, post(agents::updates)),
        route("POST", "/status/register", SIGNED, post(agents::register)),
        route("GET", "/status/healthcheck", PUBLIC, get(agents::healthcheck)),
        route("GET", "/status/dictionaries/{id}", PUBLIC, get(dictionaries::one)),
        // Supervisors.
        route("GET", "/livez", PUBLIC, get(health::live)),
        route("GET", "/readyz", PUBLIC, get(health::ready)),
        // Operators.
        route("GET", "/status/agents", SHARED, get(search::agents)).masked().listed(""),
        route("GET", "/api/v1/topology", SHARED, get(topology::topology)).masked(),
        route("GET", "/api/v1/history", SHARED, get(past::history)).masked(),
        route("GET", "/api/v1/diff", SHARED, get(past::diff)).masked(),
        route("GET", "/api/v1/metrics", SHARED, get(operators::metrics::view)).masked(),
        route("GET", "/api/v1/export/metrics.csv", VIEWER, get(operators::metrics::csv)).masked(),
        route("GET", "/api/v1/stream", SHARED, get(sse::stream)).masked(),
        route("GET", "/api/v1/agents/{id}", SHARED, get(agent::one)).masked(),
        route("GET", "/api/v1/agents/{id}/told", SHARED, get(operators::told::at)),
        route("GET", "/api/v1/export/events.csv", VIEWER, get(operators::log_csv::events)).masked(),
        route("GET", "/api/v1/export/reports.csv", VIEWER, get(operators::log_csv::reports))
            .masked(),
        route("GET", "/api/v1/search", SHARED, get(search::search)).masked(),
        route("GET", "/api/v1/export/{id}", VIEWER, get(export::export)).masked(),
        route("GET", "/api/v1/edges", SHARED, get(search::edges)).masked().listed(""),
        route("GET", "/api/v1/edges/{id}", SHARED, get(edges::one)).masked(),
        route("GET", "/api/v1/reports", VIEWER, get(reports::list)).masked().listed(""),
        route("GET", "/api/v1/reports/{id}", VIEWER, get(reports::one)),
        route("GET", "/api/v1/refusals", VIEWER, get(reports::refusals)).masked().listed(""),
        route("GET", "/api/v1/keys", VIEWER_OF_ALL, get(keys::list)).listed("keys"),
        route("GET", "/api/v1/events", SHARED, get(events::list)).masked().listed(""),
        route("GET", "/api/v1/path", SHARED, get(paths::path)).masked(),
        route("GET", "/api/v1/carriers", SHARED, get(paths::carriers)).masked().listed(""),
        route("GET", "/api/v1/networks", SHARED, get(operators::networks::networks))
            .masked()
            .listed("networks"),
        route("GET", "/api/v1/what-if", SHARED, get(what_if::what_if)).masked(),
        route("GET", "/api/v1/weak-points", SHARED, get(what_if::weak_points)).masked(),
        route("GET", "/api/v1/enrollments", VIEWER, get(identities::enrollments))
            .masked()
            .listed(""),
        route("GET", "/api/v1/keys/usage", VIEWER_OF_ALL, get(identities::key_usage)),
        route("GET", "/api/v1/jobs", VIEWER_OF_ALL, get(jobs::list)).listed(""),
        route("GET", "/api/v1/notifications", VIEWER, get(notices::list)).masked().listed(""),
        route("GET", "/api/v1/channels", VIEWER_OF_ALL, get(notices::channels)).listed("channels"),
        route("POST", "/api/v1/sites", OPERATOR, post(agent::sites)),
        route("GET", "/api/v1/rules", VIEWER_OF_ALL, get(operators::rules::rules)).listed("kinds"),
        route("GET", "/api/v1/openapi.json", VIEWER, get(openapi::document)).masked(),
        route("POST", "/api/v1/channels/{id}/test", OPERATOR_OF_ALL, post(notices::test)),
        route("POST", "/api/v1/notifications/{id}/retry", OPERATOR_OF_ALL, post(notices::retry)),
    ]
}

/// What admins do and look at: JSON.
fn of_admins() -> Vec<Route> {
    use operators::{agents as agent, audit, jobs};
    vec![
        route("POST", "/api/v1/agents/{id}/approve", ADMIN, post(agent::approve)),
        route("POST", "/api/v1/agents/{id}/refuse", ADMIN, post(agent::refuse)),
        route("POST", "/api/v1/agents/{id}/revoke", ADMIN, post(agent::revoke)),
        route("POST", "/api/v1/agents/{id}/relay", ADMIN, post(agent::relay)),
        route("POST", "/api/v1/keys/{id}/revoke", ADMIN_OF_ALL, post(keys::revoke)),
        route("POST", "/api/v1/jobs/{id}/run", ADMIN_OF_ALL, post(jobs::run)),
        route("GET", "/api/v1/audit", ADMIN_OF_ALL, get(audit::list)).listed("entries"),
        route("GET", "/api/v1/export/audit.csv", ADMIN_OF_ALL, get(audit::csv)),
        route("GET", "/api/v1/export/audit.ndjson", ADMIN_OF_ALL, get(audit::ndjson)),
        route("POST", "/status/admin/reset", ADMIN, post(admin::reset)),
    ]
}

/// Where things are drawn.
fn about_places() -> Vec<Route> {
    use operators::layout;
    vec![
        route("GET", "/api/v1/layout", VIEWER, get(layout::look)).masked(),
        route("GET", "/api/v1/layout/preview", OPERATOR_OF_ALL, get(layout::preview)),
        route("POST", "/api/v1/layout/pin", OPERATOR_OF_ALL, post(layout::pin)),
        route("POST", "/api/v1/layout/unpin", OPERATOR_OF_ALL, post(layout::unpin)),
        route("POST", "/api/v1/layout/rearrange", OPERATOR_OF_ALL, post(layout::rearrange)),
        route("POST", "/api/v1/layout/undo", OPERATOR_OF_ALL, post(layout::undo)),
    ]
}

/// The same for alarms and maintenance.
fn about_alarms() -> Vec<Route> {
    use operators::{acts, alarms, maintenance, quality};
    vec![
        route("GET", "/status/alarms", SHARED, get(alarms::list)).masked().listed(""),
        route("GET", "/api/v1/export/alarms.csv", VIEWER, get(alarms::export)).masked(),
        route("GET", "/api/v1/alarms", SHARED, get(alarms::list)).masked().listed(""),
        route("GET", "/api/v1/alarms/quality", VIEWER, get(quality::view)).masked().listed("kinds"),
        route("GET", "/api/v1/alarms/{id}", VIEWER, get(alarms::one)).masked(),
        route("GET", "/api/v1/maintenance", VIEWER, get(maintenance::list)).masked().listed(""),
        route("POST", "/api/v1/alarms/{id}/ack", OPERATOR, post(acts::acknowledge)),
        route("POST", "/api/v1/alarms/{id}/shelve", OPERATOR, post(acts::shelve)),
        route("POST", "/api/v1/alarms/{id}/unshelve", OPERATOR, post(acts::unshelve)),
        route("POST", "/api/v1/alarms/{id}/clear", OPERATOR, post(acts::clear)),
        route("POST", "/api/v1/alarms/acknowledge", OPERATOR, post(acts::acknowledge_many)),
        route("POST", "/api/v1/alarms/shelve", OPERATOR, post(acts::shelve_many)),
        route("POST", "/api/v1/alarms/unshelve", OPERATOR, post(acts::unshelve_many)),
        route("POST", "/api/v1/alarms/clear", OPERATOR, post(acts::clear_many)),
        route("POST", "/api/v1/maintenance", OPERATOR, post(maintenance::make)),
        route("DELETE", "/api/v1/maintenance/{id}", OPERATOR, delete(maintenance::end)),
    ]
}

/// Who may come in: users, sessions, everybody's own account.
fn about_people() -> Vec<Route> {
    use operators::{people, sessions, tokens};
    use pages::{factor, people as page};
    vec![
        route("GET", "/setup", PUBLIC, get(setup::form)),
        route("POST", "/setup", PUBLIC, post(setup::set_up)),
        route("GET", "/api/v1/sessions", VIEWER, get(sessions::list)).masked().listed(""),
        route("DELETE", "/api/v1/sessions/{id}", VIEWER, delete(sessions::end)).masked(),
        route("GET", "/account", VIEWER, get(page::account)).masked(),
        route("POST", "/account/password", VIEWER, post(page::password)).masked(),
        route("POST", "/account/sessions/{id}/end", VIEWER, post(page::end_session)).masked(),
        route("GET", "/api/v1/users", ADMIN_OF_ALL, get(people::list)).listed(""),
        route("POST", "/api/v1/users", ADMIN_OF_ALL, post(people::make)),
        route("GET", "/api/v1/users/{id}", ADMIN_OF_ALL, get(people::one)),
        route("DELETE", "/api/v1/users/{id}", ADMIN_OF_ALL, delete(people::remove)),
        route("POST", "/api/v1/users/{id}/role", ADMIN_OF_ALL, post(people::give_role)),
        route("POST", "/api/v1/users/{id}/fleets", ADMIN_OF_ALL, post(people::give_fleets)),
        route("POST", "/api/v1/users/{id}/mask", ADMIN_OF_ALL, post(people::mask)),
        route("POST", "/api/v1/users/{id}/disable", ADMIN_OF_ALL, post(people::disable)),
        route("POST", "/api/v1/users/{id}/enable", ADMIN_OF_ALL, post(people::enable)),
        route("POST", "/api/v1/users/{id}/end-sessions", ADMIN_OF_ALL, post(people::end_sessions)),
        route("POST", "/api/v1/users/{id}/reset", ADMIN_OF_ALL, post(people::reset)),
        route("POST", "/api/v1/users/{id}/password", ADMIN_OF_ALL, post(people::password)),
        route("GET", "/api/v1/tokens", ADMIN_OF_ALL, get(tokens::list)).listed(""),
        route("POST", "/api/v1/tokens", ADMIN_OF_ALL, post(tokens::make)),
        route("DELETE", "/api/v1/tokens/{id}", ADMIN_OF_ALL, delete(tokens::revoke)),
        route("POST", "/tokens", ADMIN_OF_ALL, post(page::add_token)),
        route("POST", "/tokens/{id}/revoke", ADMIN_OF_ALL, post(page::revoke_token)),
        route("POST", "/api/v1/users/{id}/drop-factor", ADMIN_OF_ALL, post(people::drop_factor)),
        route("POST", "/users/{id}/drop-factor", ADMIN_OF_ALL, post(page::drop_factor)),
        route("POST", "/account/factor", VIEWER, post(factor::begin)).masked(),
        route("POST", "/account/factor/confirm", VIEWER, post(factor::confirm)).masked(),
        route("POST", "/account/factor/off", VIEWER, post(factor::end)).masked(),
        route("GET", "/users", ADMIN_OF_ALL, get(page::list)),
        route("POST", "/users", ADMIN_OF_ALL, post(page::add)),
        route("POST", "/users/{id}/role", ADMIN_OF_ALL, post(page::give_role)),
        route("POST", "/users/{id}/fleets", ADMIN_OF_ALL, post(page::give_fleets)),
        route("POST", "/users/{id}/mask", ADMIN_OF_ALL, post(page::mask)),
        route("POST", "/users/{id}/disable", ADMIN_OF_ALL, post(page::disable)),
        route("POST", "/users/{id}/enable", ADMIN_OF_ALL, post(page::enable)),
        route("POST", "/users/{id}/end-sessions", ADMIN_OF_ALL, post(page::end_sessions)),
        route("POST", "/users/{id}/reset", ADMIN_OF_ALL, post(page::reset)),
        route("POST", "/users/{id}/remove", ADMIN_OF_ALL, post(page::remove)),
    ]
}

/// Links that are shared.
fn about_shares() -> Vec<Route> {
    use operators::shares;
    vec![
        route("GET", "/s/{token}", PUBLIC, get(share::open)),
        route("POST", "/leave", PUBLIC, post(share::leave)),
        route("GET", "/api/v1/shares", OPERATOR, get(shares::list)).listed(""),
        route("POST", "/api/v1/shares", OPERATOR, post(shares::make)),
        route("DELETE", "/api/v1/shares/{id}", OPERATOR, delete(shares::revoke)),
        route("GET", "/shares", OPERATOR, get(pages::shares::list)),
        route("POST", "/shares", OPERATOR, post(pages::shares::make)),
        route("POST", "/shares/{id}/revoke", OPERATOR, post(pages::shares::revoke)),
    ]
}

/// People: HTML.
fn pages() -> Vec<Route> {
    vec![
        route("GET", "/static/{hash}/{*path}", PUBLIC, get(assets::asset)),
        route("GET", "/favicon.ico", PUBLIC, get(assets::favicon)),
        route("GET", "/login", PUBLIC, get(login::form)),
        route("POST", "/login", PUBLIC, post(login::sign_in)),
        route("POST", "/login/proxy", PUBLIC, post(login::sign_in_vouched)),
        route("GET", "/login/oidc", PUBLIC, get(provider::begin)),
        route("GET", provider::CALLBACK, PUBLIC, get(provider::back)),
        route("POST", "/logout", VIEWER, post(login::sign_out)).masked(),
        route("GET", "/", SHARED, get(look::map)).masked(),
        route("GET", "/map", SHARED, get(look::map)).masked(),
        route("GET", "/map.svg", SHARED, get(operators::drawing::svg)).masked(),
        route("GET", "/agents", SHARED, get(look::agents)).masked(),
        route("GET", "/agents/{id}", SHARED, get(look::agent)).masked(),
        route("GET", "/links", SHARED, get(look::links)).masked(),
        route("GET", "/links/{id}", SHARED, get(look::link)).masked(),
        route("GET", "/paths", SHARED, get(ask::paths)).masked(),
        route("GET", "/what-if", SHARED, get(ask::what_if)).masked(),
        route("GET", "/alarms", SHARED, get(alarm::list)).masked(),
        route("GET", "/alarms/quality", VIEWER, get(alarm::quality)).masked(),
        route("GET", "/alarms/{id}", SHARED, get(alarm::one)).masked(),
        route("GET", "/rules", VIEWER_OF_ALL, get(rules::page)),
        route("GET", "/notifications", VIEWER, get(tell::page)).masked(),
        route("POST", "/channels/{id}/test", OPERATOR_OF_ALL, post(tell::test)),
        route("POST", "/notifications/{id}/retry", OPERATOR_OF_ALL, post(tell::retry)),
        route("GET", "/reports", VIEWER, get(look::reports)).masked(),
        route("GET", "/reports/{id}", VIEWER, get(look::report)),
        route("GET", "/events", SHARED, get(look::events)).masked(),
        route("GET", "/changes", SHARED, get(then::changes)).masked(),
        route("GET", "/audit", ADMIN_OF_ALL, get(audit::page)),
        route("GET", "/settings", VIEWER_OF_ALL, get(pages::settings::page)),
        route("GET", "/api", VIEWER, get(pages::api::page)).masked(),
        route("GET", "/maintenance", VIEWER, get(aside::maintenance)).masked(),
        route("POST", "/maintenance", OPERATOR, post(aside::make)),
        route("POST", "/maintenance/{id}/end", OPERATOR, post(aside::end)),
        route("POST", "/alarms/acts", OPERATOR, post(aside::many)),
        route("POST", "/agents/acknowledge", OPERATOR, post(aside::of_agents)),
        route("POST", "/agents/site", OPERATOR, post(pages::site::set)),
        route("POST", "/alarms/{id}/ack", OPERATOR, post(aside::acknowledge)),
        route("POST", "/alarms/{id}/shelve", OPERATOR, post(aside::shelve)),
        route("POST", "/alarms/{id}/unshelve", OPERATOR, post(aside::unshelve)),
        route("POST", "/alarms/{id}/clear", OPERATOR, post(aside::clear)),
        route("POST", "/agents/{id}/approve", ADMIN, post(act::approve)),
        route("POST", "/agents/{id}/refuse", ADMIN, post(act::refuse)),
        route("POST", "/agents/{id}/revoke", ADMIN, post(act::revoke)),
        route("POST", "/agents/{id}/relay", ADMIN, post(act::relay)),
        route("POST", "/agents/{id}/reset", ADMIN, post(act::reset)),
        route("POST", "/settings/keys/{id}/revoke", ADMIN_OF_ALL, post(act::revoke_key)),
        route("POST", "/settings/jobs/{id}/run", ADMIN_OF_ALL, post(act::run_job)),
    ]
}

/// What stands in front of the routes.
#[derive(Debug, Clone)]
pub struct Guards {
    /// Tells who a caller is.
    pub gate: Arc<Gate>,
    /// Counts wrong tokens by address.
    pub sources: Arc<Sources>,
    /// The time.
    pub clock: Clock,
}

/// What is told of an address that leads nowhere.
const NOWHERE: &str =
    "No page and nothing else has this address; it may be mistyped, or from another version.";

/// Routes with their guards, and refusals for everything else.
pub fn guarded<S: Clone + Send + Sync + 'static>(
    routes: Vec<Route<S>>,
    guards: &Guards,
) -> Router<S> {
    let mut router = Router::new();
    for Route { method, path, need, masked, list: _, handler } in routes {
        // What only looks cannot be forged; and the layer logs addresses, in which tokens of shared
        // links stand.
        let ours = |handler: MethodRouter<S>| match method {
            "GET" => handler,
            _ => handler.route_layer(CsrfLayer::new().with_rejection_response(foreign)),
        };
        let handler = match need {
            // Agents have no cookies, no browser and no use for compression.
            Need::Signature => handler,
            Need::Public => ours(handler),
            Need::Shared | Need::Role(_) | Need::Whole(_) => {
                let Guards { gate, sources, clock } = guards.clone();
                let (whole, shared) = (matches!(need, Need::Whole(_)), need == Need::Shared);
                let role = need.role().unwrap_or(Role::Admin);
                let guards = Guard { gate, sources, clock, role, whole, shared, masked };
                ours(handler.route_layer(middleware::from_fn_with_state(guards, guard)))
                    .route_layer(compression())
            }
        };
        router = router.route(path, handler);
    }
    router
        .fallback(|| async { ApiError::new(ErrorCode::NotFound, NOWHERE) })
        .method_not_allowed_fallback(|| async {
            ApiError::new(ErrorCode::MethodNotAllowed, "This address takes another method.")
        })
}

/// gzip for what is large enough to gain; never for streams, whose events must leave at once.
fn compression() -> CompressionLayer<impl tower_http::compression::predicate::Predicate> {
    let worth = SizeAbove::new(1024).and(NotForContentType::const_new("text/event-stream"));
    CompressionLayer::new().compress_when(worth)
}

/// What a page of another origin is told when it tries to change something here.
fn foreign(error: ProtectionError) -> Response<Body> {
    ApiError::new(
        ErrorCode::Forbidden,
        "This request comes from another site. If a proxy stands in front, it must pass the Host \
         and Origin headers on unchanged.",
    )
    .because(error)
    .into_response()
}

#[cfg(test)]
mod tests;
