//! Choosing a first password with a setup code: the code that the manager printed while it had no
//! users, or the one an admin handed over.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use crate::http::arrival::Arrival;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::pages::{self, Stranger};
use crate::http::state::AppState;
use crate::model::access::user_name;
use crate::model::password::Password;
use crate::process::audit::{self, Asker};
use crate::views::people::SetupForm;
use crate::wire::codes::ErrorCode;

use super::gate::people::{Attempt, SetUp as Outcome};
use super::login;
use super::secret::Secret;

/// How long a setup code works, in seconds (a day).
pub const CODE_SECONDS: i64 = 86_400;

/// The one sentence for every code that opens nothing.
const REFUSED: &str = "This name and setup code are not accepted.";

/// Whose password is to be chosen.
#[derive(Debug, Deserialize)]
pub struct Whose {
    #[serde(default)]
    name: String,
}

/// The form.
#[derive(Debug, Deserialize)]
pub struct SetUp {
    name: String,
    code: Secret,
    password: Secret,
    again: Secret,
}

/// `GET /setup`.
pub async fn form(
    State(state): State<AppState>,
    stranger: Stranger,
    Query(whose): Query<Whose>,
) -> Result<Response, ApiError> {
    let form = SetupForm { first: state.awaits_first_user(), name: &whose.name, failed: None };
    pages::people::set_up((&state, &stranger), &form)
}

/// `POST /setup`.
pub async fn set_up(
    State(state): State<AppState>,
    stranger: Stranger,
    arrival: Arrival,
    headers: HeaderMap,
    FormBody(form): FormBody<SetUp>,
) -> Result<Response, ApiError> {
    let failed = |sentence: &str, status| {
        let first = state.awaits_first_user();
        let form = SetupForm { first, name: &form.name, failed: Some(sentence) };
        let mut page = pages::people::set_up((&state, &stranger), &form)?;
        *page.status_mut() = status;
        Ok(page)
    };
    let name = match user_name(&form.name) {
        Ok(name) => name,
        Err(sentence) => return failed(&sentence, StatusCode::BAD_REQUEST),
    };
    let password =
        match chosen((&form.password, &form.again), &name, state.config.access.password_min) {
            Ok(password) => password,
            Err(sentence) => return failed(&sentence, StatusCode::BAD_REQUEST),
        };
    if let Err(seconds) = state.guesses.begin(arrival.source, &name, state.clock.now()) {
        return failed(&login::too_many(seconds), StatusCode::TOO_MANY_REQUESTS);
    }
    let code = form.code.0.trim();
    let first = state.is_first_code(code);
    let attempt = Attempt { name: &name, arrival: &arrival };
    let asker = Asker { name: None, from: arrival.source };
    let setting_up = state.gate.set_up(attempt, code, (password, first));
    let outcome = match audit::asked_by(asker, setting_up).await {
        // Whoever else had the code was faster.
        Err(error) if error.code() == ErrorCode::Conflict => Outcome::Refused,
        answer => answer?,
    };
    match outcome {
        Outcome::Done => {
            state.guesses.succeeded(arrival.source, &name);
            Ok(login::see_other("/login"))
        }
        Outcome::In(session) => {
            state.forget_first_code();
            login::signed_in(&state, (&arrival, &name), &headers, (&session, "/map")).await
        }
        Outcome::Refused => {
            login::refused(&state, &arrival, &name);
            failed(REFUSED, StatusCode::UNAUTHORIZED)
        }
    }
}

/// The password that was typed twice, with at least so many characters.
pub fn chosen(
    (password, again): (&Secret, &Secret),
    user: &str,
    least: usize,
) -> Result<Password, String> {
    if *password.0 != *again.0 {
        return Err("The two passwords differ; type the same one twice.".to_owned());
    }
    Password::chosen(password.0.clone(), user, least).map_err(|weak| weak.to_string())
}
