//! What an operator changed of the catalogue: how bad a kind is, when it is raised and ended, and
//! the values its rule compares with; for everybody, or for some fleets and labels.
//!
//! Later entries win over earlier ones, value by value. The empty tuning is the catalogue.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::catalogue::{ClearBy, Rule, rule};
use crate::model::id::FleetId;
use crate::model::pattern::fits;
use crate::model::state::{AlarmKind, Severity};

/// Entries of a tuning at most: which of them an agent's labels fit is kept as bits of a number.
pub const MOST: usize = 100;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Things.
    Count,
}

impl Unit {
    /// `seconds` or `count`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Count => "count",
        }
    }
}

/// A value that a rule compares with, and which can be changed.
///
/// To declare one: a constant beside the rule, named in [`Rule::limits`] of its kind, and read
/// with [`Limits::get`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Its name, unique within the kind; one of seconds ends with `_s`.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The catalogue's value.
    pub default: i64,
    /// The least that makes sense.
    pub least: i64,
    /// The most that makes sense.
    pub most: i64,
    /// What it is, in one line.
    pub doc: &'static str,
}

impl Limit {
    /// A limit of so many seconds.
    pub const fn seconds(
        name: &'static str,
        default: i64,
        (least, most): (i64, i64),
        doc: &'static str,
    ) -> Self {
        Self { name, unit: Unit::Seconds, default, least, most, doc }
    }

    /// A limit of so many things.
    pub const fn count(
        name: &'static str,
        default: i64,
        (least, most): (i64, i64),
        doc: &'static str,
    ) -> Self {
        Self { name, unit: Unit::Count, default, least, most, doc }
    }
}

/// A delay as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// That many reports in a row.
    Reports(u32),
    /// That many seconds.
    Seconds(i64),
}

/// What an entry changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether the kind is raised at all.
    pub enabled: Option<bool>,
    /// Whatever its rule says, it is at least this bad.
    pub at_least: Option<Severity>,
    /// Whatever its rule says, it is at most this bad.
    pub at_most: Option<Severity>,
    /// How long the condition holds before it is raised.
    pub raise_after: Option<Delay>,
    /// How long it does not hold before it ends.
    pub clear_after: Option<Delay>,
    /// Values of limits, by name.
    pub limits: Vec<(String, i64)>,
    /// The least version of agents, of the one kind that asks for it.
    pub least_version: Option<String>,
    /// The links that are meant to be there, by the names of the hosts at their ends.
    pub links: Vec<[String; 2]>,
}

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The line it begins in.
    pub line: usize,
    /// The kinds it is about.
    pub kinds: Vec<AlarmKind>,
    /// Patterns of fleets; none for all, and for alarms that are about no fleet.
    pub fleets: Vec<String>,
    /// Labels with patterns of their values, all of which must fit; none for all.
    pub labels: Vec<(String, String)>,
    /// What it changes.
    pub set: Settings,
}

impl Entry {
    fn fits_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let holds = |(name, pattern): &(String, String)| {
            labels.get(name).is_some_and(|value| fits(pattern, value))
        };
        !self.labels.is_empty() && self.labels.iter().all(holds)
    }

    fn fits_fleet(&self, fleet: Option<&FleetId>) -> bool {
        let holds = |fleet: &FleetId| self.fleets.iter().any(|p| fits(p, fleet.as_str()));
        self.fleets.is_empty() || fleet.is_some_and(holds)
    }

    /// Whom it is about and what it changes, without its place in the file.
    pub fn described(&self) -> Value {
        let Settings { enabled, at_least, at_most, raise_after, clear_after, limits, .. } =
            &self.set;
        let mut said: Vec<(&str, Value)> = Vec::new();
        if !self.fleets.is_empty() {
            said.push(("fleets", json!(self.fleets)));
        }
        if !self.labels.is_empty() {
            let labels: BTreeMap<_, _> = self.labels.iter().map(|(k, v)| (k, v)).collect();
            said.push(("labels", json!(labels)));
        }
        said.extend(enabled.map(|enabled| ("enabled", json!(enabled))));
        match (at_least, at_most) {
            (Some(a), Some(b)) if a == b => said.push(("severity", json!(a))),
            (least, most) => {
                said.extend(least.map(|least| ("severity_at_least", json!(least))));
                said.extend(most.map(|most| ("severity_at_most", json!(most))));
            }
        }
        said.extend(raise_after.map(|delay| ("raise_after", json!(delay.to_string()))));
        said.extend(clear_after.map(|delay| ("clear_after", json!(delay.to_string()))));
        if !limits.is_empty() {
            let limits: BTreeMap<_, _> = limits.iter().map(|(k, v)| (k, v)).collect();
            said.push(("limits", json!(limits)));
        }
        let least_version = self.set.least_version.as_ref();
        said.extend(least_version.map(|least| ("least_version", json!(least))));
        if !self.set.links.is_empty() {
            let links: Vec<String> = self.set.links.iter().map(|ends| ends.join(" - ")).collect();
            said.push(("links", json!(links)));
        }
        let map: Map<String, Value> =
            said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Value::Object(map)
    }
}

impl std::fmt::Display for Delay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reports(1) => f.write_str("1 report"),
            Self::Reports(count) => write!(f, "{count} reports"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}

/// Which entries an agent's labels fit, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fitting(u128);

impl Fitting {
    /// What fits either of two, such as the ends of a link.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing fits.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn has(self, nth: usize) -> bool {
        self.0 >> nth & 1 == 1
    }
}

/// Where an alarm is: what decides which entries are about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// Its fleet, if it is about one.
    pub fleet: Option<&'a FleetId>,
    /// Which entries the labels of its agent fit.
    pub labels: Fitting,
}

/// How alarms of one kind live in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether they are raised at all.
    pub enabled: bool,
    /// They are at least this bad.
    pub at_least: Severity,
    /// They are at most this bad.
    pub at_most: Severity,
    /// Observations in a row before one is raised.
    pub raise_count: u32,
    /// Seconds the condition must have held before one is raised.
    pub raise_after_s: i64,
    /// What ends one.
    pub clear: ClearBy,
}

impl Terms {
    /// The terms of the catalogue.
    pub fn of(kind: AlarmKind) -> Self {
        let Rule { raise_count, raise_after_s, clear, .. } = *rule(kind);
        let (at_least, at_most) = (Severity::Info, Severity::Critical);
        Self { enabled: true, at_least, at_most, raise_count, raise_after_s, clear }
    }

    /// How bad something is that its rule calls so bad.
    pub fn severity(&self, own: Severity) -> Severity {
        own.clamp(self.at_least.min(self.at_most), self.at_most)
    }

    fn take(&mut self, set: &Settings) {
        self.enabled = set.enabled.unwrap_or(self.enabled);
        if let Some(least) = set.at_least {
            self.at_least = least;
            self.at_most = self.at_most.max(least);
        }
        if let Some(most) = set.at_most {
            self.at_most = most;
            self.at_least = self.at_least.min(most);
        }
        match set.raise_after {
            Some(Delay::Reports(count)) => (self.raise_count, self.raise_after_s) = (count, 0),
            Some(Delay::Seconds(after_s)) => (self.raise_count, self.raise_after_s) = (1, after_s),
            None => {}
        }
        self.clear = match (self.clear, set.clear_after) {
            (ClearBy::Reports { .. }, Some(Delay::Reports(count))) => ClearBy::Reports { count },
            (ClearBy::Steady { .. }, Some(Delay::Seconds(after_s))) => ClearBy::Steady { after_s },
            (ClearBy::Quiet { needs_report, .. }, Some(Delay::Seconds(after_s))) => {
                ClearBy::Quiet { after_s, needs_report }
            }
            (as_it_was, _) => as_it_was,
        };
    }
}

/// All changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuning {
    entries: Vec<Entry>,
    by_kind: BTreeMap<AlarmKind, Vec<usize>>,
}

/// The catalogue as it is.
static UNTUNED: Tuning = Tuning { entries: Vec::new(), by_kind: BTreeMap::new() };

impl Tuning {
    /// Entries in the order they were written; those beyond [`MOST`] do not count.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.truncate(MOST);
        let mut by_kind: BTreeMap<AlarmKind, Vec<usize>> = BTreeMap::new();
        for (nth, entry) in entries.iter().enumerate() {
            for kind in &entry.kinds {
                by_kind.entry(*kind).or_default().push(nth);
            }
        }
        Self { entries, by_kind }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries about a kind.
    pub fn of_kind(&self, kind: AlarmKind) -> impl Iterator<Item = &Entry> {
        self.numbered(kind).map(|(_, entry)| entry)
    }

    /// The links of a fleet that are meant to be there, as far as a kind is asked to look.
    pub fn links<'a>(&'a self, kind: AlarmKind, fleet: &'a FleetId) -> Vec<&'a [String; 2]> {
        let place = Place { fleet: Some(fleet), ..Place::default() };
        self.about(kind, place).flat_map(|entry| &entry.set.links).collect()
    }

    /// Which entries these labels fit.
    pub fn fitting(&self, labels: &BTreeMap<String, String>) -> Fitting {
        let fit = self.entries.iter().enumerate().filter(|(_, entry)| entry.fits_labels(labels));
        Fitting(fit.fold(0, |bits, (nth, _)| bits | 1 << nth))
    }

    /// How alarms of a kind live in a place.
    pub fn terms(&self, kind: AlarmKind, place: Place<'_>) -> Terms {
        let mut terms = Terms::of(kind);
        self.about(kind, place).for_each(|entry| terms.take(&entry.set));
        terms
    }

    /// What each kind's entries say, for the history; nothing of kinds without any.
    pub fn described(&self) -> BTreeMap<AlarmKind, Value> {
        let describe = |kind: &AlarmKind| self.of_kind(*kind).map(Entry::described).collect();
        self.by_kind.keys().map(|kind| (*kind, Value::Array(describe(kind)))).collect()
    }

    fn numbered(&self, kind: AlarmKind) -> impl Iterator<Item = (usize, &Entry)> {
        let numbers = self.by_kind.get(&kind).into_iter().flatten().copied();
        numbers.filter_map(|nth| Some((nth, self.entries.get(nth)?)))
    }

    fn about<'a>(&'a self, kind: AlarmKind, place: Place<'a>) -> impl Iterator<Item = &'a Entry> {
        let holds = move |nth: usize, entry: &Entry| {
            entry.fits_fleet(place.fleet) && (entry.labels.is_empty() || place.labels.has(nth))
        };
        self.numbered(kind).filter(move |(nth, entry)| holds(*nth, entry)).map(|(_, entry)| entry)
    }
}

/// The values that the rule of one kind compares with in one place.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    tuning: &'a Tuning,
    kind: AlarmKind,
    place: Place<'a>,
}

impl<'a> Limits<'a> {
    /// Those of a tuning.
    pub const fn of(tuning: &'a Tuning, kind: AlarmKind, place: Place<'a>) -> Self {
        Self { tuning, kind, place }
    }

    /// Those of the catalogue.
    pub const fn usual(kind: AlarmKind) -> Limits<'static> {
        let place = Place { fleet: None, labels: Fitting(0) };
        Limits { tuning: &UNTUNED, kind, place }
    }

    /// A limit's value.
    pub fn get(&self, limit: &Limit) -> i64 {
        let mut value = limit.default;
        for entry in self.tuning.about(self.kind, self.place) {
            let set = entry.set.limits.iter().rfind(|(name, _)| name == limit.name);
            value = set.map_or(value, |(_, value)| *value);
        }
        value
    }

    /// The least version of agents, where one is asked for.
    pub fn least_version(&self) -> Option<&'a str> {
        let entries = self.tuning.about(self.kind, self.place);
        entries.filter_map(|entry| entry.set.least_version.as_deref()).last()
    }

    /// A limit's value as a number of things.
    pub fn count(&self, limit: &Limit) -> usize {
        usize::try_from(self.get(limit)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
