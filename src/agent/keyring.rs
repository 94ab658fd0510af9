//! The fleet's pre-shared key as this agent knows it, read when it is needed.

use std::fmt;

use crate::keys::keeper::Keeper;
use crate::keys::ring::KeySource;
use crate::keys::source::SourceConfig;

use super::pulse::Now;
use super::seal::Signer;
use kept::Kept;

pub mod kept;

/// Reads keys from where the manager's operator publishes them.
pub struct Keyring {
    keeper: Keeper,
    source: SourceConfig,
    /// Where the last keys are kept.
    kept: Kept,
    /// Whether they are to be kept.
    keeps: bool,
    /// When to read again, by the pulse.
    due: i64,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Nothing is read yet but what the last run kept.
    pub fn new(source: SourceConfig, mut kept: Kept, keeps: bool) -> Self {
        if !keeps || source.kind() != KeySource::Dns {
            kept.forget();
        }
        let keeper = Keeper::new(source.clone(), kept.load(&source));
        Self { keeper, source, kept, keeps, due: i64::MIN }
    }

    /// Reads from here from now on, and anew in any case. The keys known stay in use until the
    /// same source tells others.
    pub fn reload(&mut self, source: SourceConfig, keeps: bool) {
        let same = self.keeper.health().described == source.to_string();
        self.keeps = keeps;
        if !keeps {
            self.kept.forget();
        }
        if !same || source.kind() == KeySource::Environment {
            self.keeper = Keeper::new(source.clone(), Vec::new());
            self.source = source;
        }
        self.expire();
    }

    /// This host signs with a key of its own: the shared ones need not lie about.
    pub fn retire(&mut self) {
        self.kept.forget();
    }

    /// Reads again before the next use.
    pub fn expire(&mut self) {
        self.due = i64::MIN;
    }

    /// When it will be read again at the earliest, by the pulse.
    pub fn due(&self) -> i64 {
        self.due
    }

    /// The current key. The source is asked if its time has come; the last known keys stay in
    /// use if it does not answer.
    ///
    /// # Errors
    /// Where the source is, and what is wrong with it, if no key is known.
    pub async fn current(&mut self, now: Now) -> Result<Signer, String> {
        let mut problem = None;
        if self.due <= now.pulse {
            let refresh = self.keeper.refresh(now.second()).await;
            let wait = i64::try_from(refresh.next_in.as_millis()).unwrap_or(i64::MAX);
            self.due = now.pulse.saturating_add(wait);
            for change in &refresh.changes {
                tracing::info!(kid = %change.kid, what = change.what.as_str(), "Key ring changed");
            }
            for warning in &refresh.warnings {
                tracing::warn!(%warning, "The key source needs attention");
            }
            if self.keeps && !refresh.to_store.is_empty() {
                self.kept.save(&self.source, &self.keeper.ring());
            }
            problem = refresh.outcome.problem().map(str::to_owned);
            if let Some(problem) = &problem {
                tracing::warn!(problem, "Keys were not refreshed");
            }
        }
        let ring = self.keeper.ring();
        let key = ring.usable(now.second()).next();
        key.map(|psk| Signer::Psk { kid: psk.kid.clone(), secret: psk.secret.clone() }).ok_or_else(
            || {
                let source = self.keeper.health().described;
                let why = problem.unwrap_or_else(|| "it lists no key that can be used now".into());
                format!("{source}: {why}")
            },
        )
    }
}
