//! Signing in at the OpenID provider: the way there, the way back, and the session that follows.
//!
//! Must never open a session for a browser that has not begun the sign-in itself.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use crate::http::arrival::{Arrival, Channel};
use crate::http::error::ApiError;
use crate::http::pages::{self, Stranger};
use crate::http::state::AppState;
use crate::oidc::Failure;
use crate::oidc::flow::{FLOW_SECONDS, Flow};
use crate::oidc::provider::{Provider, named};
use crate::process::audit::{self, Asker};
use crate::views::login::{LoginForm, local_path};
use crate::wire::codes::ErrorCode;

use super::cookie;
use super::login::{blank, refused, see_other, signed_in, too_many, with_cookie};

/// Where the provider sends browsers back to.
pub const CALLBACK: &str = "/login/oidc/callback";

/// What failures of this way in are counted under; no user has such a name.
const COUNTED: &str = "at the provider";

/// Tells a browser where to go on, after the page was shown (a header that all of them know).
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// The one sentence for a sign-in that this browser has not begun.
const NOT_BEGUN: &str = "This browser has not begun this sign-in, or it took too long; try again.";

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

/// What the provider sends back (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207).
#[derive(Deserialize)]
pub struct Answer {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("error", &self.error).finish_non_exhaustive()
    }
}

fn provider(state: &AppState) -> Result<&Provider, ApiError> {
    state.provider.as_deref().ok_or_else(|| ApiError::not_found("sign-in provider"))
}

/// Our own address for the way back. The provider sends browsers to the addresses only that it was
/// told of beforehand, so what a browser says of us can do no harm.
fn redirect(
    provider: &Provider,
    headers: &HeaderMap,
    channel: Channel,
) -> Result<String, ApiError> {
    if let Some(url) = &provider.settings().public_url {
        return Ok(format!("{url}{CALLBACK}"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| ApiError::bad_request("The request names no host."))?;
    let scheme = if channel == Channel::Tls { "https" } else { "http" };
    Ok(format!("{scheme}://{host}{CALLBACK}"))
}

/// `GET /login/oidc`: sends the browser to the provider.
pub async fn begin(
    State(state): State<AppState>,
    stranger: Stranger,
    arrival: Arrival,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let provider = provider(&state)?;
    state.gate.allow_sign_in(arrival.channel)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(ApiError::internal)?;
    let next = local_path(&wanted.next);
    let flow = Flow::begin(&state.run_key, seed, (next, state.clock.now()));
    let redirect = redirect(provider, &headers, arrival.channel)?;
    match provider.address_for(&flow, &redirect).await {
        Ok(address) => {
            let cookie = cookie::set_flow(flow.cookie(), arrival.channel, FLOW_SECONDS);
            Ok(with_cookie(see_other(&address), cookie))
        }
        Err(failure) => again(&state, (&stranger, &arrival), &Told::of(&failure, provider)).await,
    }
}

/// What somebody is told who is not let in.
struct Told {
    sentence: String,
    status: StatusCode,
}

impl Told {
    fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), status }
    }

    /// The log is told the cause.
    fn of(failure: &Failure, provider: &Provider) -> Self {
        let host = provider.host();
        match failure {
            Failure::Provider(_) => {
                tracing::warn!(cause = %failure, "nobody can sign in at the provider");
                let text = format!(
                    "{host} does not answer as a sign-in provider; names, passwords and tokens of \
                     this manager go on working. The log says what is wrong."
                );
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            Failure::Refused(_) => {
                tracing::info!(cause = %failure, "sign-in refused");
                let text = format!("The sign-in at {host} cannot be accepted; try again.");
                Self::new(StatusCode::UNAUTHORIZED, text)
            }
            Failure::NoRole(_) | Failure::NoFleet(_) | Failure::NoName(_) => {
                tracing::info!(cause = %failure, "sign-in refused");
                let text = format!(
                    "You are known at {host}, but nothing there says what you may do here; ask an \
                     admin."
                );
                Self::new(StatusCode::FORBIDDEN, text)
            }
        }
    }
}

/// The sign-in page with what went wrong.
async fn again(
    state: &AppState,
    (stranger, arrival): (&Stranger, &Arrival),
    told: &Told,
) -> Result<Response, ApiError> {
    let form = blank(state, arrival).await?;
    let mut page = pages::login((state, stranger), &LoginForm { ..form }, Some(&told.sentence))?;
    *page.status_mut() = told.status;
    Ok(without_flow(page, arrival.channel))
}

/// Whatever came of it, a sign-in comes back once.
fn without_flow(mut page: Response, channel: Channel) -> Response {
    if let Some(cookie) = cookie::set_flow("", channel, 0) {
        page.headers_mut().append(header::SET_COOKIE, cookie);
    }
    page
}

/// `GET /login/oidc/callback`: the provider sends the browser back.
pub async fn back(
    State(state): State<AppState>,
    stranger: Stranger,
    arrival: Arrival,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, ApiError> {
    let provider = provider(&state)?;
    let who = (&stranger, &arrival);
    if let Err(seconds) = state.guesses.begin(arrival.source, COUNTED, state.clock.now()) {
        let told = Told::new(StatusCode::TOO_MANY_REQUESTS, too_many(seconds));
        let mut page = again(&state, who, &told).await?;
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(page);
    }
    match let_in(&state, provider, (&arrival, &headers), answer).await? {
        Ok((name, session, next)) => {
            state.guesses.succeeded(arrival.source, COUNTED);
            let seen = signed_in(&state, (&arrival, &name), &headers, (&session, &next)).await?;
            let mut page = pages::signed_in((&state, &stranger), (&name, &next))?;
            // The session's cookie is not sent along from another site, and this answer still is
            // one to a request from there: the browser goes on from a page of ours.
            for cookie in seen.headers().get_all(header::SET_COOKIE) {
                page.headers_mut().append(header::SET_COOKIE, cookie.clone());
            }
            if let Ok(refresh) = HeaderValue::try_from(format!("0; url={next}")) {
                page.headers_mut().insert(REFRESH, refresh);
            }
            Ok(without_flow(page, arrival.channel))
        }
        Err(told) => {
            refused(&state, &arrival, "");
            again(&state, who, &told).await
        }
    }
}

/// Name, session and where to go; or what to tell.
type LetIn = Result<(String, zeroize::Zeroizing<String>, String), Told>;

async fn let_in(
    state: &AppState,
    provider: &Provider,
    (arrival, headers): (&Arrival, &HeaderMap),
    answer: Answer,
) -> Result<LetIn, ApiError> {
    let not = |status, text: &str| Ok(Err(Told::new(status, text)));
    let cookie = cookie::flow(headers, arrival.channel);
    let flow = cookie.and_then(|cookie| Flow::resume(&state.run_key, cookie, state.clock.now()));
    let Some(flow) = flow.filter(|flow| is(&flow.state(), &answer.state)) else {
        return not(StatusCode::UNAUTHORIZED, NOT_BEGUN);
    };
    let issuer = provider.settings().issuer.as_str();
    if answer.iss.is_some_and(|iss| iss != issuer) {
        return not(StatusCode::UNAUTHORIZED, "This answer is another provider's; try again.");
    }
    let code = match (answer.code, answer.error) {
        (Some(code), None) => code,
        (_, Some(error)) => {
            let text = format!("{} did not sign you in: {}.", provider.host(), named(&error));
            return not(StatusCode::UNAUTHORIZED, &text);
        }
        (None, None) => return not(StatusCode::UNAUTHORIZED, NOT_BEGUN),
    };
    let redirect = redirect(provider, headers, arrival.channel)?;
    let person = match provider.person(&flow, (&code, &redirect)).await {
        Ok(person) => person,
        Err(failure) => return Ok(Err(Told::of(&failure, provider))),
    };
    let asker = Asker { name: None, from: arrival.source };
    let opening = state.gate.sign_in_foreign((issuer, person), arrival);
    match audit::asked_by(asker, opening).await {
        Ok(Some((name, session))) => Ok(Ok((name, session, local_path(&flow.next).to_owned()))),
        Ok(None) => not(StatusCode::FORBIDDEN, "You are kept out here; ask an admin."),
        Err(error) if error.code() == ErrorCode::Conflict => {
            let text = "Somebody else has your name here, who signs in otherwise; ask an admin.";
            not(StatusCode::CONFLICT, text)
        }
        Err(error) => Err(error),
    }
}

/// Compares without telling by its duration how much is equal.
fn is(wanted: &str, told: &str) -> bool {
    super::token::same(wanted.as_bytes(), told.as_bytes())
}
