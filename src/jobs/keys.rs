//! Asks for keys when it is time, and records what came of it.

use tracing::{info, warn};

use super::Context;
use crate::keys::health::KeyHealth;
use crate::keys::policy::KeyChange;
use crate::keys::ring::StoredKey;
use crate::model::state::Severity;
use crate::model::time::UnixSeconds;
use crate::process::handle::{Command, KeyState};
use crate::store::key::KeyRecord;

/// Asks the source again and again, each time after the wait it names.
pub async fn poll(context: Context) {
    let since = context.clock.now();
    loop {
        let wait = refresh(&context, since).await;
        tokio::time::sleep(wait).await;
    }
}

/// Records at once what a refresh for an unknown key brought.
pub async fn news(context: Context) {
    let since = context.clock.now();
    loop {
        context.keeper.news_came().await;
        let (changes, to_store) = context.keeper.take_news();
        let health = context.keeper.health();
        record(&context, changes, to_store, &health, since).await;
    }
}

/// Asks the source once; answers when to ask again.
pub async fn refresh(context: &Context, since: UnixSeconds) -> std::time::Duration {
    let refresh = context.keeper.refresh(context.clock.now()).await;
    if let Some(problem) = refresh.outcome.problem() {
        warn!(problem, "Keys were not refreshed; the last known ones stay in use");
    }
    for warning in &refresh.warnings {
        warn!(%warning, "The key source needs attention");
    }
    record(context, refresh.changes, refresh.to_store, &refresh.health, since).await;
    refresh.next_in
}

async fn record(
    context: &Context,
    changes: Vec<KeyChange>,
    to_store: Vec<StoredKey>,
    health: &KeyHealth,
    since: UnixSeconds,
) {
    for change in &changes {
        info!(kid = %change.kid, what = change.what.as_str(), "Key ring changed");
    }
    // Where keys must not be kept, the names of revoked ones are.
    let rows = if context.keep_keys {
        to_store
    } else {
        to_store.into_iter().filter(StoredKey::is_revoked).map(StoredKey::without_bytes).collect()
    };
    let command = Command::Keys {
        rows,
        changes: changes.iter().map(|c| format!("{} {}", c.kid, c.what.as_str())).collect(),
        health: state_of(context, health, since),
    };
    if let Err(failure) = context.processor.command(command).await {
        warn!(%failure, "A change of the keys was not recorded");
    }
}

/// The stored form of a key, as the keeper starts from it.
pub fn stored_of(row: KeyRecord) -> StoredKey {
    StoredKey {
        kid: row.kid,
        secret: row.secret,
        source: row.source,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        state: row.state,
        seq: row.seq,
        nbf: row.nbf,
        exp: row.exp,
        left_at: row.left_at,
    }
}

fn state_of(context: &Context, health: &KeyHealth, since: UnixSeconds) -> KeyState {
    let ring = context.keeper.ring();
    KeyState {
        source: health.described.clone(),
        since,
        last_success: health.last_success,
        interval: i64::try_from(health.period_seconds).unwrap_or(i64::MAX),
        problem: health.last_problem.clone(),
        generations: ring.active().map(|key| key.kid.clone()).collect(),
        rotated_at: ring.active().next().map(|key| key.first_seen).unwrap_or_default(),
        failing_since: health.failing_since,
        missing: health.is_missing(),
        unexpected: match health.tampering() {
            Some(problem) => Some((Severity::Critical, problem)),
            None if health.still_listed.is_empty() => None,
            None => Some((Severity::Warning, health.still_listed.join("; "))),
        },
    }
}
