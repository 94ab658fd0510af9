//! Whether the manager lives and whether it is ready, for supervisors and load balancers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::state::AppState;

/// `GET /livez`: the process answers.
pub async fn live() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// The answer of `/livez`.
#[derive(Debug, Serialize)]
pub struct Alive {
    /// `ok`.
    pub status: &'static str,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    pub status: &'static str,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One thing that must be well.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// Why not, or what it is like.
    pub reason: String,
}

/// `GET /readyz`: whether reports can be taken and checked, with reasons.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let processor = state.whole().status();
    let usable = state.keeper.ring().usable(state.clock.now()).count();
    let said = |ok: bool, well: &str, ill: &str| if ok { well } else { ill }.to_owned();
    let checks = vec![
        Check {
            name: "processor",
            ok: processor.running,
            reason: said(processor.running, "runs", "has stopped; restart the manager"),
        },
        Check {
            name: "storage",
            ok: processor.storage_ok,
            reason: said(
                processor.storage_ok,
                "takes commits",
                "the last commit failed; look at the disk and the log",
            ),
        },
        Check {
            name: "keys",
            ok: usable > 0,
            reason: match usable {
                0 => "no key to check signatures with; look at the key source".to_owned(),
                count => format!("{count} in use"),
            },
        },
    ];
    verdict(checks)
}

/// What the checks come to.
pub(super) fn verdict(checks: Vec<Check>) -> (StatusCode, Json<Readiness>) {
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { status: if ready { "ready" } else { "not_ready" }, checks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_check_is_enough() {
        let check = |ok| Check { name: "x", ok, reason: String::new() };
        assert_eq!(verdict(vec![check(true), check(true)]).0, StatusCode::OK);
        let (status, body) = verdict(vec![check(true), check(false)]);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body.status, "not_ready");
    }
}
