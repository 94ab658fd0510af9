//! Looks whether the audit still hangs together: the newest part every time, all of it once a day.
//!
//! Reads through the read side, a bounded piece at a time, so that no report waits for it. Decides
//! nothing: what it finds goes to the processor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{error, warn};

use super::Context;
use crate::model::audit::{Head, Sealed};
use crate::model::time::UnixSeconds;
use crate::process::condition::ManagerCondition;
use crate::process::handle::Command;
use crate::sign::chain;
use crate::store::audit::AuditFilter;
use crate::store::{Reader, StoreError};

/// Seconds between two looks.
const EVERY_S: i64 = 300;

/// Seconds between the beginnings of two looks at all of it.
const WHOLE_EVERY_S: i64 = 86_400;

/// Entries read at a time: 2 ms.
const PAGE: usize = 1_000;

/// Pages of the whole that one look reads: a million entries take less than half an hour.
const PAGES_AT_ONCE: usize = 200;

/// What is known of the chain.
#[derive(Debug, Default)]
pub struct Watched(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    looked_at: Option<UnixSeconds>,
    /// The end of the chain at the last look. Nothing may change before it, even if all hashes
    /// were made to fit.
    end: Head,
    /// How far the look at all of it has come, and when it began.
    whole: Head,
    whole_began_at: Option<UnixSeconds>,
    /// What was told already, so that one fault is told once.
    told: Option<String>,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is time to look.
    fn is_due(&self, now: UnixSeconds) -> bool {
        let mut known = self.lock();
        let due = known.looked_at.is_none_or(|last| now.since(last).abs() >= EVERY_S);
        if due {
            known.looked_at = Some(now);
        }
        due
    }
}

/// Looks, if it is time.
pub async fn look(context: Context) {
    let now = context.clock.now();
    if !context.audit.is_due(now) {
        return;
    }
    let (reader, watched) = (Arc::clone(&context.reader), Arc::clone(&context.audit));
    let checked = tokio::task::spawn_blocking(move || check(reader.as_ref(), &watched, now)).await;
    let problem = match checked {
        Ok(Ok(problem)) => problem,
        Ok(Err(failure)) => return warn!(%failure, "The audit could not be checked"),
        Err(stopped) => return warn!(%stopped, "The check of the audit did not end"),
    };
    let Some(problem) = problem else { return };
    error!(problem, "The audit does not hang together");
    let broken = Command::Condition(ManagerCondition::AuditBroken(problem));
    if let Err(failure) = context.processor.command(broken).await {
        warn!(%failure, "That the audit does not hang together was not recorded");
    }
}

/// The first fault that has not been told before.
fn check(
    reader: &dyn Reader,
    watched: &Watched,
    now: UnixSeconds,
) -> Result<Option<String>, StoreError> {
    let mut known = watched.lock();
    let problem = match newest(reader, &mut known)? {
        Some(problem) => Some(problem),
        None => whole(reader, &mut known, now)?,
    };
    if problem.is_some() && problem == known.told {
        return Ok(None);
    }
    known.told.clone_from(&problem);
    Ok(problem)
}

/// From the end of the last look, or a page before the end, to the end.
fn newest(reader: &dyn Reader, known: &mut Known) -> Result<Option<String>, StoreError> {
    let last = reader.audit(&AuditFilter { limit: 1, ..AuditFilter::default() })?;
    let end = last.first().map(|last| last.head).unwrap_or_default();
    if end.seq < known.end.seq {
        let problem = format!("entry {} is missing", end.seq.saturating_add(1));
        return Ok(Some(problem));
    }
    let back = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let page_back = end.seq.saturating_sub(back).max(0);
    let from = if known.end.seq > 0 { page_back.min(known.end.seq) } else { page_back };
    let mut head = match entry(reader, from)? {
        None if from > 0 => return Ok(Some(format!("entry {from} is missing"))),
        found => found.map(|found| found.head).unwrap_or_default(),
    };
    let rewritten = |head: &Head, end: &Head| head.seq == end.seq && head.hash != end.hash;
    let told = |head: &Head| format!("entry {} or one before it was rewritten", head.seq);
    if rewritten(&head, &known.end) {
        return Ok(Some(told(&head)));
    }
    loop {
        let rows = reader.audit(&AuditFilter::onwards(head.seq, PAGE))?;
        if rows.is_empty() {
            known.end = head;
            return Ok(None);
        }
        for row in &rows {
            head = match chain::follow(head, row) {
                Ok(head) => head,
                Err(broken) => return Ok(Some(broken.to_string())),
            };
            if rewritten(&head, &known.end) {
                return Ok(Some(told(&head)));
            }
        }
    }
}

/// A further piece of the look at all of it.
fn whole(
    reader: &dyn Reader,
    known: &mut Known,
    now: UnixSeconds,
) -> Result<Option<String>, StoreError> {
    let rests = known.whole == Head::default()
        && known.whole_began_at.is_some_and(|began| (0..WHOLE_EVERY_S).contains(&now.since(began)));
    if rests {
        return Ok(None);
    }
    if known.whole == Head::default() {
        known.whole_began_at = Some(now);
    }
    for _ in 0..PAGES_AT_ONCE {
        let rows = reader.audit(&AuditFilter::onwards(known.whole.seq, PAGE))?;
        if rows.is_empty() {
            known.whole = Head::default();
            return Ok(None);
        }
        match rows.iter().try_fold(known.whole, chain::follow) {
            Ok(head) => known.whole = head,
            Err(broken) => {
                known.whole = Head::default();
                return Ok(Some(broken.to_string()));
            }
        }
    }
    Ok(None)
}

fn entry(reader: &dyn Reader, seq: i64) -> Result<Option<Sealed>, StoreError> {
    if seq < 1 {
        return Ok(None);
    }
    let rows = reader.audit(&AuditFilter::onwards(seq.saturating_sub(1), 1))?;
    Ok(rows.into_iter().find(|row| row.head.seq == seq))
}
