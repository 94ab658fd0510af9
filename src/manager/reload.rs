//! What is read again while the manager runs: the certificate, the plan of notifications and the
//! rules of alarms.
//! A file that cannot be used leaves what was in force, and everybody who looks is told why.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Manager, adopt};
use crate::alarms::tuning::Tuning;
use crate::config::{self, Config, notify, rules};
use crate::http::tls::{Identity, Reloaded};
use crate::jobs;
use crate::model::state::EventKind;
use crate::process::condition::ManagerCondition;
use crate::process::handle::Command;
use crate::process::tune::Rules;
use crate::store::StoreError;

/// How often the files of the certificate are looked at.
const TLS_EVERY: Duration = Duration::from_secs(10);

impl Manager {
    /// Reads the plan of notifications again.
    pub async fn reload_notify(&self) {
        let Some(file) = self.notify_file.clone() else { return };
        let subject = match in_background(move || notify::read(&file)).await {
            Ok(plan) => {
                let subject = config::explain::notified(&plan);
                if let Err(failure) = adopt(&self.context, Some(Arc::new(plan))).await {
                    warn!(%failure, "The plan of notifications was not put into force");
                    return;
                }
                info!(plan = subject, "The plan of notifications was read again");
                subject
            }
            Err(mistakes) => {
                for mistake in &mistakes {
                    warn!(mistake, "The plan of notifications stays as it was");
                }
                let subject = format!("kept the old plan: {}", mistakes.join("; "));
                self.context.deliverer.refuse(mistakes);
                subject
            }
        };
        self.record(EventKind::NotifyChanged, subject).await;
    }

    /// Reads the rules of alarms again.
    pub async fn reload_rules(&self) {
        let Some(file) = self.rules_file.clone() else { return };
        let path = file.clone();
        match in_background(move || rules::read(&path)).await {
            Ok(tuning) => {
                let read = (file, Arc::new(tuning));
                if let Err(failure) = tune(&self.context, read, "hangup").await {
                    warn!(%failure, "The rules of alarms were not put into force");
                    return;
                }
                info!("The rules of alarms were read again");
            }
            Err(mistakes) => {
                for mistake in &mistakes {
                    warn!(mistake, "The rules of alarms stay as they were");
                }
                let subject = format!("kept the old rules: {}", mistakes.join("; "));
                self.context.processor.rules().refuse(mistakes);
                self.record(EventKind::RulesChanged, subject).await;
            }
        }
    }

    /// Reads the certificate of the door and its key again.
    pub async fn reload_tls(&self) {
        if let Some(tls) = &self.tls {
            renew(&self.context, tls).await;
        }
    }

    async fn record(&self, kind: EventKind, subject: String) {
        let changed = Command::Record { kind, subject };
        if let Err(failure) = self.context.processor.command(changed).await {
            warn!(%failure, "What was read again was not recorded");
        }
    }
}

/// Looks after the certificate's files for as long as the manager runs.
pub(super) fn follow(
    context: &jobs::Context,
    tls: Option<&Identity>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let Some(tls) = tls.cloned() else { return };
    let (context, stop) = (context.clone(), stop.clone());
    tasks.spawn(async move {
        let mut beat = tokio::time::interval(TLS_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(beat.tick()).await.is_some() {
            renew(&context, &tls).await;
        }
    });
}

/// Puts the certificate's files into force, if they have changed and can be used.
async fn renew(context: &jobs::Context, tls: &Identity) {
    let reading = tls.clone();
    let Ok(reloaded) = tokio::task::spawn_blocking(move || reading.reload()).await else { return };
    let subject = match reloaded {
        Reloaded::Same => return,
        Reloaded::InForce(ends) => {
            let until =
                ends.map_or_else(String::new, |ends| format!(", until {}", ends.to_rfc3339()));
            info!(until, "The certificate was read again; new connections get it");
            let command = Command::Condition(ManagerCondition::Certificate(ends));
            if let Err(failure) = context.processor.command(command).await {
                warn!(%failure, "When the new certificate ends was not recorded");
            }
            format!("a new certificate is in force{until}")
        }
        Reloaded::Kept(error) => {
            warn!(%error, "The certificate stays as it was");
            format!("kept the old certificate: {error}")
        }
    };
    let changed = Command::Record { kind: EventKind::TlsChanged, subject };
    if let Err(failure) = context.processor.command(changed).await {
        warn!(%failure, "That the certificate was read again was not recorded");
    }
}

/// Reads files away from the threads that must not wait.
async fn in_background<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Vec<String>> + Send + 'static,
) -> Result<T, Vec<String>> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|stopped| Err(vec![stopped.to_string()]))
}

/// Puts into force what was read at the start: the rules, or those of the catalogue, and then the
/// plan, or that nobody is told.
pub(super) async fn first(context: &jobs::Context, config: &Config) -> Result<(), StoreError> {
    let rules = config.rules.as_ref();
    let read = rules.map(|rules| (rules.file.clone(), Arc::clone(&rules.tuning)));
    tune(context, read.unwrap_or_default(), "start").await?;
    adopt(context, config.notify.as_ref().map(|notify| Arc::clone(&notify.plan))).await
}

/// Puts rules into force, first in the processor, then for whoever looks.
async fn tune(
    context: &jobs::Context,
    (file, tuning): (PathBuf, Arc<Tuning>),
    occasion: &str,
) -> Result<(), StoreError> {
    let by = if file.as_os_str().is_empty() {
        format!("{occasion} (no KATTILA_RULES_FILE)")
    } else {
        rules::on_behalf(occasion, &file)
    };
    let adopted = context.processor.command(Command::Rules(Rules { tuning, by })).await;
    adopted.map_err(|failure| StoreError::Unavailable(failure.to_string()))?;
    Ok(())
}
