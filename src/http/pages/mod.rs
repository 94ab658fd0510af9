//! Pages for people: what was asked, handed to `views`, and sent as HTML.
//!
//! No page is written here; [`look`] has those that only show, [`act`] the forms that change
//! something, [`alarm`] and [`aside`] those about alarms and maintenance, [`tell`] both for notifications,
//! [`shares`] shared links, [`people`] users, their sessions and tokens, [`factor`] one's own second factor.

pub mod act;
pub mod alarm;
pub mod api;
pub mod aside;
pub mod ask;
pub mod audit;
mod curves;
pub mod factor;
pub mod look;
pub mod people;
pub mod rules;
pub mod settings;
pub mod shares;
pub mod site;
pub mod tell;
pub mod then;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::mask::Lens;
use crate::model::access::Role;
use crate::model::id::AgentId;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::store::share::ShareRecord;
use crate::views;
use crate::views::login::LoginForm;
use crate::views::names::Names;
use crate::views::ordered::Orders;
use crate::views::page::{Nav, PageContext, Theme, Visit};

use super::access::login::see_other;
use super::access::{Caller, Way, cookie};
use super::arrival::{Arrival, Channel};
use super::error::{ApiError, Refused, status};
use super::observe::RequestId;
use super::operators::identities::Waiting;
use super::state::AppState;

/// Who looks, and how their pages shall look.
#[derive(Debug, Clone)]
pub struct Reader {
    role: Option<Role>,
    /// How they see.
    lens: Lens,
    signed_in: bool,
    who: String,
    form_token: Option<String>,
    theme: Theme,
    request_id: String,
    channel: Channel,
    /// What a visitor came by.
    visit: Option<Visit>,
    /// How they came in.
    way: Way,
    /// The path of the page.
    page: String,
    /// How its address asks for its tables.
    orders: Orders,
}

/// Somebody who has not said who they are, on a page that needs nothing.
#[derive(Debug)]
pub struct Stranger(Reader);

impl FromRequestParts<AppState> for Stranger {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &AppState) -> Result<Self, ApiError> {
        Ok(Self(Reader::unknown(parts)))
    }
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let page = parts.uri.path().to_owned();
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let orders = query.map(|query| Orders::of(query.0)).unwrap_or_default();
        Ok(Self { page, orders, ..Self::known(caller, Self::unknown(parts)) })
    }
}

impl Reader {
    /// Somebody who was let in.
    fn known(caller: Caller, unknown: Self) -> Self {
        Self {
            // Who is given pseudonyms changes nothing, whatever their role.
            role: Some(if caller.lens.guise.is_some() { Role::Viewer } else { caller.role }),
            signed_in: matches!(caller.way, Way::Session { .. }),
            form_token: caller.form_token().map(str::to_owned),
            visit: caller.share().map(|share| visit(share, &caller.lens)),
            lens: caller.lens,
            who: caller.name,
            way: caller.way,
            ..unknown
        }
    }

    /// Who sent this, before anybody asks.
    fn unknown(parts: &Parts) -> Self {
        let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        let channel = Arrival::of(&parts.extensions).channel;
        Self::stranger(&parts.headers, (id.unwrap_or_default(), channel))
    }

    fn stranger(headers: &HeaderMap, (request_id, channel): (String, Channel)) -> Self {
        let theme = Theme::from_cookie(cookie::theme(headers));
        let who = String::new();
        Self {
            role: None,
            lens: Lens::of(Reach::nothing()),
            signed_in: false,
            who,
            form_token: None,
            theme,
            request_id,
            channel,
            visit: None,
            way: Way::Anonymous,
            page: String::new(),
            orders: Orders::default(),
        }
    }

    /// Who waits for an admin. What becomes of them is no visitor's business.
    fn waiting(&self, state: &AppState) -> Vec<Waiting> {
        if self.visit.is_some() { Vec::new() } else { Waiting::all(state, &self.lens) }
    }

    /// What every page is told.
    fn context(&self, state: &AppState, title: impl Into<String>, nav: Nav) -> PageContext {
        let seen = state.seen(&self.lens);
        PageContext {
            nav,
            role: self.role,
            signed_in: self.signed_in,
            who: self.who.clone(),
            form_token: self.form_token.clone(),
            whole: self.lens.is_clear(),
            masked: self.lens.guise.is_some(),
            theme: self.theme,
            alarms_open: seen.alarms_open(),
            channels_failing: seen.channels_failing(),
            request_id: self.request_id.clone(),
            plain_http_warning: self.channel == Channel::Plain,
            visit: self.visit.clone(),
            share_days: state.config.access.share_days,
            told: state.flashes.take(&self.way, &self.page, state.clock.now()),
            orders: self.orders.clone(),
            password_min: state.config.access.password_min,
            ..PageContext::of_nobody(title, state.clock.now())
        }
    }
}

/// What a visitor is told of the link they came by.
fn visit(share: &ShareRecord, lens: &Lens) -> Visit {
    Visit {
        by: share.named.then(|| match &lens.guise {
            Some(guise) => guise.person(&share.made_by),
            None => share.made_by.clone(),
        }),
        fleets: lens.told_reach().fleets(),
        until: share.expires_at,
    }
}

/// The sign-in page. `failed` is the one sentence for a refused attempt.
pub fn login(
    (state, Stranger(reader)): (&AppState, &Stranger),
    form: &LoginForm<'_>,
    failed: Option<&str>,
) -> Result<Response, ApiError> {
    let context = reader.context(state, "Sign in", Nav::Nowhere);
    html(views::login::page(&context, form, failed))
}

/// The page for who came back from the provider and goes on to another page.
pub fn signed_in(
    (state, Stranger(reader)): (&AppState, &Stranger),
    (name, next): (&str, &str),
) -> Result<Response, ApiError> {
    let context = reader.context(state, "Signed in", Nav::Nowhere);
    html(views::login::signed_in(&context, name, next))
}

/// Who is refused.
#[derive(Debug)]
pub struct Asker<'a> {
    /// What their browser sent.
    pub headers: &'a HeaderMap,
    /// Who they are, if that is known.
    pub caller: Option<Caller>,
    /// Names the request.
    pub id: &'a str,
    /// Who could read it on the way.
    pub channel: Channel,
}

/// The page of a refusal of a path, asked for or sent a form (true); `None` if it cannot be rendered.
pub fn error_page(
    state: &AppState,
    refused: &Refused,
    (asker, wanted): (Asker<'_>, (&str, bool)),
) -> Option<String> {
    let unknown = Reader::stranger(asker.headers, (asker.id.to_owned(), asker.channel));
    let reader = match asker.caller {
        Some(caller) => Reader::known(caller, unknown),
        None => unknown,
    };
    let context = reader.context(state, refused.code.title(), Nav::Nowhere);
    views::error::page(&context, &wrong(refused, wanted)).ok()
}

/// The same while the manager starts and knows nobody.
pub fn page_while_starting(
    asker: &Asker<'_>,
    refused: &Refused,
    wanted: (&str, bool),
    now: UnixSeconds,
) -> Option<String> {
    let context = PageContext {
        theme: Theme::from_cookie(cookie::theme(asker.headers)),
        request_id: asker.id.to_owned(),
        plain_http_warning: asker.channel == Channel::Plain,
        ..PageContext::of_nobody(refused.code.title(), now)
    };
    views::error::page(&context, &wrong(refused, wanted)).ok()
}

/// What a page says of a refusal of a path, asked for or sent a form.
fn wrong<'a>(refused: &'a Refused, (path, is_form): (&'a str, bool)) -> views::error::Wrong<'a> {
    views::error::Wrong {
        status: status(refused.code).as_u16(),
        heading: refused.code.title(),
        detail: &refused.detail,
        retry_after: refused.retry_after,
        path,
        is_form,
    }
}

/// The host names of agents that a page tells of.
fn names<'a>(
    (state, reader): (&AppState, &Reader),
    ids: impl IntoIterator<Item = &'a AgentId>,
) -> Names {
    let seen = state.seen(&reader.lens);
    Names::of(ids, |id| seen.agent(id)?.hostname)
}

/// Leads a browser to a page and tells there, once, what came of its form.
fn done(state: &AppState, way: &Way, (to, words): (&str, String)) -> Response {
    if let Way::Session { hash, .. } = way {
        state.flashes.put(*hash, (to, words), state.clock.now());
    }
    see_other(to)
}

/// What people call an agent.
fn label(state: &AppState, caller: &Caller, agent: &AgentId) -> String {
    let known = state.seen(&caller.lens).agent(agent);
    known.and_then(|agent| agent.hostname).unwrap_or_else(|| agent.to_string())
}

fn html<E: std::fmt::Display>(page: Result<String, E>) -> Result<Response, ApiError> {
    let page = page.map_err(|error| ApiError::internal(format!("a page failed: {error}")))?;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], page).into_response())
}
