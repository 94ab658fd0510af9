//! What the operator changed of the catalogue of alarms: put into force, and written into the
//! history kind by kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::draft::{About, Draft};
use super::engine::Engine;
use super::fleet::Fleet;
use super::handle::Done;
use super::raise;
use crate::alarms::book::Transition;
use crate::alarms::tuning::Tuning;
use crate::model::state::{AlarmKind, EventKind};
use crate::model::time::UnixSeconds;

/// Name of the small value that holds [`Kept`].
pub(super) const KEPT: &str = "alarm_rules";

/// Changes that are remembered for people; the history has all.
const REMEMBERED: usize = 50;

/// What the rules file says, and on whose behalf it is read.
#[derive(Debug)]
pub struct Rules {
    /// The changes.
    pub tuning: Arc<Tuning>,
    /// Who, for the history: such as `start (rules.toml of root)`.
    pub by: String,
}

/// That something else is in force for a kind than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// When.
    pub at: UnixSeconds,
    /// On whose behalf.
    pub by: String,
    /// The kind.
    pub kind: AlarmKind,
    /// Its entries before; `None` if there were none.
    pub before: Option<Value>,
    /// Its entries from then on.
    pub after: Option<Value>,
}

/// What is remembered of the rules over a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    in_force: BTreeMap<AlarmKind, Value>,
    /// The last changes, newest first.
    changes: Vec<Changed>,
}

/// What is in force, for whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// What operators changed.
    pub tuning: Arc<Tuning>,
    /// When something else came into force last, newest first.
    pub changes: Vec<Changed>,
    /// What is wrong with the file since it was changed; what it said before is in force.
    pub mistakes: Vec<String>,
}

/// What is in force, and what is remembered of it.
#[derive(Debug, Default)]
pub struct Rulebook {
    kept: RwLock<(Kept, Standing)>,
}

impl Rulebook {
    /// As it was when the manager stopped. What is in force is said anew at each start.
    pub(super) fn restored(text: Option<&str>) -> Self {
        let kept = text.and_then(|text| serde_json::from_str::<Kept>(text).ok());
        let kept = kept.unwrap_or_default();
        let standing = Standing { changes: kept.changes.clone(), ..Standing::default() };
        Self { kept: RwLock::new((kept, standing)) }
    }

    /// What is in force.
    pub fn standing(&self) -> Standing {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Shows why a changed file is not in force.
    pub fn refuse(&self, mistakes: Vec<String>) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).1.mistakes = mistakes;
    }

    /// Takes note of what is in force from now on; answers what changed with it.
    fn adopt(&self, rules: &Rules, now: UnixSeconds) -> (Vec<Changed>, Kept) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut kept.0.in_force, rules.tuning.described());
        let after = &kept.0.in_force;
        let kinds: BTreeSet<AlarmKind> = before.keys().chain(after.keys()).copied().collect();
        let change = |kind: AlarmKind| {
            let (before, after) = (before.get(&kind).cloned(), after.get(&kind).cloned());
            let by = rules.by.clone();
            (before != after).then_some(Changed { at: now, by, kind, before, after })
        };
        let news: Vec<Changed> = kinds.into_iter().filter_map(change).collect();
        kept.0.changes.splice(0..0, news.iter().cloned());
        kept.0.changes.truncate(REMEMBERED);
        let changes = kept.0.changes.clone();
        kept.1 = Standing { tuning: Arc::clone(&rules.tuning), changes, mistakes: Vec::new() };
        (news, kept.0.clone())
    }
}

/// Puts changes into force.
pub(super) fn adopt(engine: &mut Engine, draft: &mut Draft, rules: Rules) -> Done {
    let (news, kept) = engine.rules.adopt(&rules, draft.now);
    if !news.is_empty() {
        // A map with names of kinds as its keys is always text.
        let text = serde_json::to_string(&kept).unwrap_or_default();
        draft.change.meta.push((KEPT, text));
    }
    draft.cause = Some(rules.by);
    for Changed { kind, before, after, .. } in news {
        let about = About { fleet: None, agent: None, subject: kind.to_string() };
        draft.event(EventKind::RulesChanged, about, before, after);
    }
    for step in keep(&mut engine.fleet, rules.tuning, draft.now) {
        raise::take(draft, Some(step));
    }
    engine.sentry.recount(&engine.fleet.book);
    Done::Nothing
}

/// Lives by changes without writing anything down.
pub(super) fn keep(fleet: &mut Fleet, tuning: Arc<Tuning>, now: UnixSeconds) -> Vec<Transition> {
    let Fleet { agents, book, .. } = fleet;
    let labels = agents.values().map(|agent| (agent.record.no, &agent.record.labels));
    book.adopt(tuning, labels, now)
}
