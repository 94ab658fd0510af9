//! The page of the settings, and the thresholds that somebody tries on it.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Reader, html};
use crate::config::explain;
use crate::http::error::ApiError;
use crate::http::keys::{self, KeyView};
use crate::http::operators::identities::{GenerationUse, KeyUsage};
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::process::chores::ChoreState;
use crate::process::thresholds::{self, Thresholds};
use crate::views;
use crate::views::page::Nav;
use crate::views::settings::{
    JobItem, KeyLine, KeySourceItem, ManagerItem, SettingItem, Stake, UsageItem,
};
use crate::views::text::{encode, plural};
use crate::views::thresholds::{CountItem, ThresholdItem, ThresholdsItem};

/// Agents that the page names as locked out by a rotation.
const LOCKED_OUT_TOLD: usize = 20;

/// The longest threshold that can be tried, in seconds: a year.
const LONGEST_S: i64 = 31_536_000;

/// Thresholds to try, in seconds; what is left out is as it is in force.
#[derive(Debug, Default, Deserialize)]
pub struct Tried {
    late_s: Option<String>,
    down_s: Option<String>,
    handshake_s: Option<String>,
}

impl Tried {
    /// All of them.
    ///
    /// # Errors
    /// If one is not a number of seconds of at most a year, or agents would be down before they
    /// are late.
    fn over(&self, in_force: Thresholds) -> Result<Thresholds, ApiError> {
        let tried = Thresholds {
            late_s: seconds(self.late_s.as_deref(), in_force.late_s)?,
            down_s: seconds(self.down_s.as_deref(), in_force.down_s)?,
            handshake_s: seconds(self.handshake_s.as_deref(), in_force.handshake_s)?,
        };
        if tried != in_force && tried.down_s <= tried.late_s {
            return Err(ApiError::bad_request(
                "An agent must be late before it is down: type more seconds for down than for late.",
            ));
        }
        Ok(tried)
    }
}

fn seconds(text: Option<&str>, in_force: i64) -> Result<i64, ApiError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(in_force);
    };
    let number = text.parse().ok().filter(|number| (1..=LONGEST_S).contains(number));
    number.ok_or_else(|| {
        ApiError::bad_request(format!("A threshold is a number of seconds from 1 to {LONGEST_S}."))
    })
}

/// What these thresholds, and those in force, make of what the reader sees.
fn tried((state, reader): (&AppState, &Reader), tried: &Tried) -> Result<ThresholdsItem, ApiError> {
    let tuning = state.whole().rules().standing().tuning;
    let in_force = Thresholds::in_force(i64::from(state.config.interval), &tuning);
    let wanted = tried.over(in_force)?;
    let (seen, now) = (state.seen(&reader.lens), state.clock.now());
    let (agents, picture) = (seen.agents(), seen.picture(now));
    let is = thresholds::now(&agents, &picture.edges);
    let differs = wanted != in_force;
    let then = if differs { thresholds::with(&agents, &picture.edges, &wanted, now) } else { is };
    let limit = |field, label, in_force, tried| ThresholdItem { field, label, in_force, tried };
    let count = |label, now, then| CountItem { label, now, then };
    Ok(ThresholdsItem {
        limits: vec![
            limit("late_s", "Late after, seconds", in_force.late_s, wanted.late_s),
            limit("down_s", "Down after, seconds", in_force.down_s, wanted.down_s),
            limit(
                "handshake_s",
                "Handshake too old after, seconds",
                in_force.handshake_s,
                wanted.handshake_s,
            ),
        ],
        counts: vec![
            count("Agents that report in time", is.in_time, then.in_time),
            count("Agents that are late", is.late, then.late),
            count("Agents that are down", is.down, then.down),
            count("Links with a young handshake", is.links_young, then.links_young),
            count("Links whose handshake is too old", is.links_old, then.links_old),
        ],
        agents: (then.late, then.down),
        links: then.links_old,
        tried: differs,
    })
}

/// `GET /settings`.
pub async fn page(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Tried>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Settings", Nav::Settings);
    let ring = keys::view(&state).keys;
    let usable = ring.iter().filter(|key| key.usable).count();
    let keys: Vec<_> = ring.iter().map(|key| key_line(key, usable)).collect();
    let usage = usage_item(&KeyUsage::of(&state));
    let settings = explain::lines(&state.config).into_iter().map(|(name, meaning)| {
        // The plan and the rules may have been read again since the start.
        let meaning = match name {
            explain::NOTIFIED if state.config.notify.is_some() => {
                explain::notified(&state.deliverer.standing().plan)
            }
            explain::RULES if state.config.rules.is_some() => {
                explain::tuned(&state.whole().rules().standing().tuning)
            }
            _ => meaning,
        };
        SettingItem { name: name.to_owned(), meaning }
    });
    let settings = settings.collect();
    let jobs = state.whole().chores().list(context.now).into_iter().map(job_item).collect();
    let thresholds = tried((&state, &reader), &asked)?;
    let manager = ManagerItem { settings, jobs, thresholds };
    html(views::settings::page(&context, &key_source(&state), &keys, &usage, &manager))
}

fn job_item(job: ChoreState) -> JobItem {
    JobItem {
        name: job.name,
        about: job.about,
        running: job.running,
        last_run: job.last_run,
        duration_ms: job.duration_ms.unwrap_or_default(),
        rows: job.rows.unwrap_or_default(),
        next_run: job.next_run,
        failed: job.last_error_at.zip(job.last_error),
    }
}

fn usage_item(usage: &KeyUsage) -> UsageItem {
    let out = || usage.agents.iter().filter(|agent| agent.locked_out_by_rotation);
    let locked_out = out().take(LOCKED_OUT_TOLD).map(|agent| {
        let label = agent.hostname.clone().unwrap_or_else(|| agent.agent_id.to_string());
        (encode(agent.agent_id.as_str()), label)
    });
    let generation = |generation: &GenerationUse| {
        let words = generation_words(generation.generation);
        let name = match &generation.kid {
            Some(kid) => format!("{words}, {kid}"),
            None => words.to_owned(),
        };
        (name, plural(generation.agents, "agent"))
    };
    UsageItem {
        generations: usage.generations.iter().map(generation).collect(),
        locked_out: locked_out.collect(),
        locked_out_count: plural(usage.locked_out_by_rotation, "agent"),
        left_out: usage.locked_out_by_rotation.saturating_sub(LOCKED_OUT_TOLD),
    }
}

/// A generation of keys for people.
fn generation_words(generation: &str) -> &str {
    match generation {
        "identity" => "A key of the host's own",
        "current" => "The current shared key",
        "previous-1" => "The shared key before the current one",
        "previous-2" => "The shared key two before the current one",
        "none" => "A shared key that is no longer in force",
        other => other,
    }
}

fn key_line(key: &KeyView, usable: usize) -> KeyLine {
    KeyLine {
        kid: key.kid.to_string(),
        state: key.state,
        source: key.source,
        first_seen: key.first_seen,
        last_seen: key.last_seen,
        stake: Stake {
            agents: key.agents,
            named: key.agent_ids.iter().map(ToString::to_string).collect(),
            usable: key.usable,
            last: key.usable && usable == 1,
        },
    }
}

fn key_source(state: &AppState) -> KeySourceItem {
    let health = state.keeper.health();
    let detail = match (&health.last_problem, health.last_success) {
        (Some(problem), _) => problem.clone(),
        (None, Some(_)) => String::new(),
        (None, None) => "Not read yet.".to_owned(),
    };
    let dnssec = |secure| if secure { "authenticated" } else { "insecure" }.to_owned();
    KeySourceItem {
        source: health.described,
        healthy: health.last_problem.is_none() && !health.bogus,
        detail,
        last_read_at: health.last_success,
        next_read_at: health.next_attempt,
        dnssec: health.secure.map(dnssec),
        notices: [health.unexpected, health.advice].concat(),
    }
}
