//! The heartbeat: every minute, somebody outside is told that the manager lives and how it is. The
//! one who is not told any more raises the alarm that the manager itself cannot raise.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Client;
use serde::Serialize;
use serde_json::json;
use tracing::warn;

use super::deliverer::Parts;
use super::web;
use crate::model::time::UnixSeconds;
use crate::notify::plan::{Heartbeat, origin};

/// How the heartbeat fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeatState {
    /// Whom it goes to, without anything secret.
    pub place: String,
    /// Seconds from one to the next.
    pub every: i64,
    /// When one was last taken.
    pub ok_at: Option<UnixSeconds>,
    /// When one last failed.
    pub failed_at: Option<UnixSeconds>,
    /// Why.
    pub error: Option<String>,
    /// What the last one said: `ok`, `warn` or `error`.
    pub status: Option<&'static str>,
}

#[derive(Debug)]
struct Running {
    plan: Heartbeat,
    client: Result<Client, String>,
    last: Option<UnixSeconds>,
    state: BeatState,
}

/// The heartbeat, where the plan has one.
#[derive(Debug, Default)]
pub struct Beat(Mutex<Option<Running>>);

impl Beat {
    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew with a plan's heartbeat.
    pub(super) fn adopt(&self, plan: Option<&Heartbeat>) {
        let mut running = self.lock();
        let same = running.as_ref().is_some_and(|running| Some(&running.plan) == plan);
        if same {
            return;
        }
        *running = plan.map(|plan| Running {
            client: web::client(plan.ca.as_deref()),
            last: None,
            state: BeatState {
                place: origin(plan.url.reveal()),
                every: plan.every_s,
                ok_at: None,
                failed_at: None,
                error: None,
                status: None,
            },
            plan: plan.clone(),
        });
    }

    /// How it fares; `None` if there is none.
    pub fn state(&self) -> Option<BeatState> {
        self.lock().as_ref().map(|running| running.state.clone())
    }

    /// Whether one is due; if so, the next is due a period later.
    pub(super) fn is_due(&self, now: UnixSeconds) -> bool {
        let mut running = self.lock();
        let Some(running) = running.as_mut() else { return false };
        // A clock that was set back delays nothing.
        let due =
            running.last.is_none_or(|last| now < last || now.since(last) >= running.plan.every_s);
        if due {
            running.last = Some(now);
        }
        due
    }

    /// Sends one.
    pub(super) async fn send(&self, parts: &Parts) {
        let (status, reasons) = standing(parts);
        let prepared = self.lock().as_ref().map(|r| (r.plan.clone(), r.client.clone()));
        let Some((plan, client)) = prepared else { return };
        let now = parts.clock.now();
        let sent = match client {
            Ok(client) => post(&client, &plan, now, (status, &reasons)).await,
            Err(why) => Err(why),
        };
        let mut running = self.lock();
        let Some(state) = running.as_mut().map(|running| &mut running.state) else { return };
        state.status = Some(status);
        match sent {
            Ok(()) => state.ok_at = Some(now),
            Err(why) => {
                warn!(why, "The heartbeat was not taken");
                (state.failed_at, state.error) = (Some(now), Some(why));
            }
        }
    }
}

async fn post(
    client: &Client,
    plan: &Heartbeat,
    now: UnixSeconds,
    (status, reasons): (&str, &[String]),
) -> Result<(), String> {
    let to = plan.error_url.as_ref().filter(|_| status == "error").unwrap_or(&plan.url);
    let body = json!({
        "status": status,
        "reasons": reasons,
        "version": env!("CARGO_PKG_VERSION"),
        "timestamp": now.to_rfc3339(),
    });
    let request = client.post(to.reveal()).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await;
    let response = response.map_err(|error| web::in_words(&error))?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(format!("answered {}", status.as_u16())) }
}

/// How the manager is: `error` if it takes no reports, `warn` if people are not told of alarms.
fn standing(parts: &Parts) -> (&'static str, Vec<String>) {
    let processor = parts.processor.status();
    let usable = parts.keeper.ring().usable(parts.clock.now()).count();
    let errors = [
        (!processor.running, "the processor has stopped"),
        (!processor.storage_ok, "the last commit failed"),
        (usable == 0, "there is no key to check reports with"),
    ];
    let found: Vec<String> =
        errors.iter().filter(|(is, _)| *is).map(|(_, why)| (*why).to_owned()).collect();
    if !found.is_empty() {
        return ("error", found);
    }
    let failing = parts.processor.board().channels_failing();
    let reasons: Vec<String> =
        failing.iter().map(|name| format!("{name} does not take notifications")).collect();
    (if reasons.is_empty() { "ok" } else { "warn" }, reasons)
}
