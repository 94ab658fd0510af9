//! Coming in by a shared link: its token becomes a cookie, and the browser goes on to the view.
//!
//! What a visitor may then see is said by the table of routes and by the fleets of the link. Must
//! never tell a link that has ended from one that never was, and never log a token.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::arrival::Arrival;
use crate::http::error::ApiError;
use crate::http::operators::shares::masked;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::process::audit::{self, Asker};
use crate::process::handle::{Command, CommandError};
use crate::process::people::PeopleWish;
use crate::process::shares::ShareWish;
use crate::wire::codes::ErrorCode;

use super::login::{leave_share, see_other, with_cookie};
use super::{Caller, Way, cookie};

/// The one answer to every link that shows nothing.
pub fn over() -> ApiError {
    ApiError::new(
        ErrorCode::ShareOver,
        "It has ended, was taken back, or never was. Ask whoever sent it for a new one, or sign in \
         at /login if you have an account.",
    )
}

/// `GET /s/{token}`.
pub async fn open(
    State(state): State<AppState>,
    arrival: Arrival,
    headers: HeaderMap,
    Id(secret): Id<String>,
) -> Result<Response, ApiError> {
    let (source, now) = (arrival.source, state.clock.now());
    state.sources.check(source, now)?;
    state.gate.allow_sign_in(arrival.channel)?;
    let Some(visitor) = state.gate.by_share(&secret) else {
        state.sources.refused(source, now);
        return Err(over());
    };
    let Some(share) = visitor.share() else { return Err(over()) };
    let view = match &visitor.lens.guise {
        // It was made while visitors were given real names.
        Some(guise) if share.mask.is_none() => masked::view(&share.view, guise),
        Some(_) | None => share.view.clone(),
    };
    // People with an account of their own see the same, and can act.
    let own = state.gate.admit(&headers, &arrival).await.ok().flatten();
    if own.is_some_and(|own| sees_it(&own, &visitor)) {
        return Ok(see_other(&view));
    }
    state.opens.take(&visitor.name, now)?;
    let wish = PeopleWish::Share(ShareWish::Opened(share.token_hash));
    let counted = state.command(Command::People(Box::new(wish)));
    let asker = Asker { name: Some(visitor.name.clone()), from: source };
    match audit::asked_by(asker, counted).await {
        Ok(_) => {}
        Err(CommandError::NotPossible(_)) => return Err(over()),
        Err(error) => return Err(error.into()),
    }
    let lasts = share.expires_at.since(now);
    Ok(with_cookie(see_other(&view), cookie::set_share(&secret, arrival.channel, lasts)))
}

/// Whether somebody who signed in sees what the link shows.
fn sees_it(own: &Caller, visitor: &Caller) -> bool {
    let fleets = visitor.lens.reach.fleets();
    let sees = fleets.iter().all(|fleet| own.lens.reach.sees(fleet));
    matches!(own.way, Way::Session { .. }) && own.lens.guise == visitor.lens.guise && sees
}

/// `POST /leave`: a visitor has seen enough.
pub async fn leave(arrival: Arrival, headers: HeaderMap) -> Response {
    leave_share(see_other("/login"), &headers, arrival.channel)
}
