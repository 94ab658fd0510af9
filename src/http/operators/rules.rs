//! The catalogue of alarms and what is changed of it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;

use crate::alarms::catalogue::{ClearBy, RULES, Rule};
use crate::alarms::tuning::{Entry, Limit, Tuning};
use crate::http::state::AppState;
use crate::model::state::{AlarmKind, Severity};
use crate::model::time::duration_text;
use crate::process::tune::{Changed, Standing};

/// A value that a kind's rule compares with.
#[derive(Debug, Clone, Serialize)]
pub struct LimitView {
    /// Its name in the rules file.
    pub name: &'static str,
    /// `seconds` or `count`.
    pub unit: &'static str,
    /// The catalogue's value.
    pub default: i64,
    /// The least that may be written.
    pub least: i64,
    /// The most that may be written.
    pub most: i64,
    /// What it is.
    pub about: &'static str,
}

impl From<&Limit> for LimitView {
    fn from(limit: &Limit) -> Self {
        let Limit { name, unit, default, least, most, doc } = *limit;
        Self { name, unit: unit.as_str(), default, least, most, about: doc }
    }
}

/// An entry of the rules file about a kind.
#[derive(Debug, Clone, Serialize)]
pub struct EntryView {
    /// The line it begins in.
    pub line: usize,
    /// Whom it is about and what it changes, in the words of the file.
    pub says: Value,
}

impl From<&Entry> for EntryView {
    fn from(entry: &Entry) -> Self {
        Self { line: entry.line, says: entry.described() }
    }
}

/// A kind of alarm.
#[derive(Debug, Clone, Serialize)]
pub struct KindView {
    /// Its name.
    pub kind: AlarmKind,
    /// What it is about.
    pub meaning: &'static str,
    /// How bad it is unless more is known.
    pub severity: Severity,
    /// When it is raised, in words.
    pub raised: String,
    /// What ends it, in words.
    pub ends: String,
    /// Whether it stays until somebody has acknowledged it.
    pub latching: bool,
    /// What its rule compares with.
    pub limits: Vec<LimitView>,
    /// What is changed of it; later entries win.
    pub changed: Vec<EntryView>,
}

impl KindView {
    fn of(rule: &Rule, tuning: &Tuning) -> Self {
        Self {
            kind: rule.kind,
            meaning: rule.meaning,
            severity: rule.severity,
            raised: raised(rule),
            ends: ends(rule),
            latching: rule.latching,
            limits: rule.limits.iter().map(LimitView::from).collect(),
            changed: tuning.of_kind(rule.kind).map(EntryView::from).collect(),
        }
    }
}

/// The catalogue as it is in force.
#[derive(Debug, Serialize)]
pub struct RulesView {
    /// Every kind.
    pub kinds: Vec<KindView>,
    /// When something else came into force last, newest first, 50 at most.
    pub changes: Vec<Changed>,
    /// What is wrong with the file since it was changed; what it said before is in force.
    pub mistakes: Vec<String>,
}

impl RulesView {
    /// What is in force now.
    pub fn read(state: &AppState) -> Self {
        let Standing { tuning, changes, mistakes } = state.whole().rules().standing();
        let kinds = RULES.iter().map(|rule| KindView::of(rule, &tuning)).collect();
        Self { kinds, changes, mistakes }
    }
}

/// `GET /api/v1/rules`.
pub async fn rules(State(state): State<AppState>) -> Json<RulesView> {
    Json(RulesView::read(&state))
}

fn reports(count: u32) -> String {
    if count == 1 { "1 report".to_owned() } else { format!("{count} reports") }
}

fn raised(rule: &Rule) -> String {
    match (rule.raise_count, rule.raise_after_s) {
        (1, 0) => "at once".to_owned(),
        (1, after_s) => format!("after {}", duration_text(after_s)),
        (count, 0) => format!("after {}", reports(count)),
        (count, after_s) => format!("after {} and {}", reports(count), duration_text(after_s)),
    }
}

fn ends(rule: &Rule) -> String {
    let when = match rule.clear {
        ClearBy::Reports { count } => format!("after {}", reports(count)),
        ClearBy::Steady { after_s } => format!("after {}", duration_text(after_s)),
        ClearBy::Quiet { after_s, .. } => format!("after {} without", duration_text(after_s)),
        ClearBy::Person => return "by hand".to_owned(),
    };
    if rule.latching { format!("{when}, once acknowledged") } else { when }
}
