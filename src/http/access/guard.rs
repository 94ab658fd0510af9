//! The layer in front of every route that needs a role.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::clock::Clock;
use crate::http::arrival::Arrival;
use crate::http::body;
use crate::http::error::ApiError;
use crate::http::server::Source;
use crate::http::sources::Sources;
use crate::model::access::Role;
use crate::process::audit::{self, Asker};
use crate::wire::codes::ErrorCode;

use super::gate::Gate;
use super::{Caller, Way, token};

/// Where a script of ours puts the form token.
const FORM_HEADER: HeaderName = HeaderName::from_static("x-kattila-form");

/// What the layer works with.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Tells who it is.
    pub gate: Arc<Gate>,
    /// Counts wrong tokens.
    pub sources: Arc<Sources>,
    /// The time.
    pub clock: Clock,
    /// The role a caller must have at least.
    pub role: Role,
    /// Whether they must see everything.
    pub whole: bool,
    /// Whether a shared link shows it.
    pub shared: bool,
    /// Whether what is answered can be told under pseudonyms.
    pub masked: bool,
}

/// Lets a request through to its handler, or not.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let from = Source::of(request.extensions()).0;
    match guard.examine(request).await {
        Ok(request) => {
            let name = request.extensions().get::<Caller>().map(|caller| caller.name.clone());
            audit::asked_by(Asker { name, from }, next.run(request)).await
        }
        Err(error) => error.into_response(),
    }
}

impl Guard {
    async fn examine(&self, mut request: Request) -> Result<Request, ApiError> {
        let (source, now) = (Source::of(request.extensions()).0, self.clock.now());
        self.sources.check(source, now)?;
        let arrival = Arrival::of(request.extensions());
        let caller = match self.gate.admit(request.headers(), &arrival).await {
            Ok(caller) => caller,
            Err(error) => {
                self.sources.refused(source, now);
                return Err(error);
            }
        };
        // Whoever has not said who they are is asked to, even where strangers may look.
        let unknown = |caller: &Caller| caller.role < self.role && caller.way == Way::Anonymous;
        let Some(caller) = caller.filter(|caller| !unknown(caller)) else {
            return Err(ApiError::new(
                ErrorCode::Unauthenticated,
                "Sign in at /login, or send Authorization: Bearer TOKEN.",
            ));
        };
        if !self.shared && caller.share().is_some() {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                "A shared link shows the map and its tables, and this is neither.",
            )
            .of(&caller.name));
        }
        if caller.role < self.role {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                format!("This needs the role {}; yours is {}.", self.role, caller.role),
            )
            .of(&caller.name));
        }
        if !self.masked && caller.lens.guise.is_some() {
            return Err(ApiError::new(
                ErrorCode::MaskedCaller,
                "You are given pseudonyms instead of names and addresses; this cannot be told, or \
                 done, under them. Ask an admin for real names if you need it.",
            )
            .of(&caller.name));
        }
        if self.whole && !caller.lens.reach.is_whole() {
            return Err(ApiError::new(
                ErrorCode::Forbidden,
                format!(
                    "This is about the manager as a whole; you see {}.",
                    caller.lens.reach.words()
                ),
            )
            .of(&caller.name));
        }
        if changes(request.method()) {
            let checked = check_form_token(request, &caller).await;
            request = checked.map_err(|error| error.of(&caller.name))?;
        }
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

/// Whether a method changes something (RFC 9110 section 9.2.1 calls the others safe).
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[derive(Deserialize)]
struct Fields {
    form_token: String,
}

/// A browser sends its cookie whoever wrote the page; the token shows that the page was ours.
async fn check_form_token(request: Request, caller: &Caller) -> Result<Request, ApiError> {
    let Way::Session { form_token, .. } = &caller.way else { return Ok(request) };
    let wrong = || {
        ApiError::new(
            ErrorCode::Forbidden,
            "This form is too old or not ours; go back, reload the page and try again.",
        )
    };
    if let Some(sent) = request.headers().get(FORM_HEADER) {
        let right = token::same(sent.as_bytes(), form_token.as_bytes());
        return if right { Ok(request) } else { Err(wrong()) };
    }
    if !body::is_form(request.headers()) {
        return Err(wrong());
    }
    let (parts, sent) = request.into_parts();
    let bytes = body::read(&parts.headers, sent, body::FORM_BYTES).await?;
    let fields: Fields = body::form(bytes.clone()).await.map_err(|_incomplete| wrong())?;
    if !token::same(fields.form_token.as_bytes(), form_token.as_bytes()) {
        return Err(wrong());
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::internal("a handler asks for a caller on an open route"))
    }
}
