//! The keys of one table of a form: what is read of them, and what is wrong with them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;

/// A form's text and what was found wrong so far.
#[derive(Debug)]
pub struct Reading<'a, C> {
    text: &'a str,
    /// What the form's reader looks things up in.
    pub beside: C,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'a, C> Reading<'a, C> {
    pub(super) fn new(text: &'a str, beside: C) -> Self {
        Self { text, beside, mistakes: RefCell::default() }
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn wrong(&self, at: usize, key: String, problem: String) {
        self.mistakes.borrow_mut().push(Mistake { line: self.line(at), key, problem });
    }

    pub(super) fn mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }
}

/// One table.
#[derive(Debug)]
pub struct Fields<'r, 't, C> {
    /// The form it stands in.
    pub from: &'r Reading<'r, C>,
    within: String,
    at: usize,
    table: &'r DeTable<'t>,
    asked: BTreeSet<&'static str>,
}

impl<'r, 't, C> Fields<'r, 't, C> {
    pub(super) fn of(
        from: &'r Reading<'r, C>,
        within: String,
        at: usize,
        table: &'r DeTable<'t>,
    ) -> Self {
        Self { from, within, at, table, asked: BTreeSet::new() }
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// The line that the table begins in.
    pub fn line(&self) -> usize {
        self.from.line(self.at)
    }

    /// Takes keys for known without reading them.
    pub fn know(&mut self, keys: impl IntoIterator<Item = &'static str>) {
        self.asked.extend(keys);
    }

    fn get(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    /// Notes what is wrong with a key, or with its absence.
    pub fn wrong(&self, key: &str, problem: impl Into<String>) {
        let at = self.table.get(key).map_or(self.at, |value| value.span().start);
        self.from.wrong(at, self.path(key), problem.into());
    }

    fn path(&self, key: &str) -> String {
        if self.within.is_empty() { key.to_owned() } else { format!("{}.{key}", self.within) }
    }

    /// A text that is not empty.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let text = words(self.get(key)?.get_ref());
        if text.is_none() {
            self.wrong(key, "must be a text in quotes");
        }
        text
    }

    /// A text that must be there.
    pub fn needed(&mut self, key: &'static str) -> Option<String> {
        if !self.has(key) {
            self.asked.insert(key);
            self.wrong(key, "is missing");
            return None;
        }
        self.text(key)
    }

    /// One of some words; the first where none is given.
    pub fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        if !self.has(key) {
            self.asked.insert(key);
            return words.first().map(|(_, value)| *value);
        }
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(key, format!("\"{text}\" must be one of: {}", words.join(", ")));
        }
        found
    }

    /// Texts: one, or several in brackets. Empty if the key is not there.
    pub fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let all: Option<Vec<String>> = match value.get_ref().as_array() {
            Some(items) => items.iter().map(|item| words(item.get_ref())).collect(),
            None => words(value.get_ref()).map(|one| vec![one]),
        };
        match all {
            Some(all) if !all.is_empty() => all,
            _ => {
                self.wrong(key, "must be a text, or a list of texts in brackets");
                Vec::new()
            }
        }
    }

    /// Yes or no; no if the key is not there.
    pub fn flag(&mut self, key: &'static str) -> bool {
        let Some(value) = self.get(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, "must be true or false");
            false
        })
    }

    /// A duration: seconds, or a text such as `"90s"`, `"5m"`, `"4h"` or `"1d"`.
    pub fn seconds(&mut self, key: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(value) = self.get(key) else { return default };
        let value = value.get_ref();
        let seconds = match value.as_integer() {
            Some(number) => number.as_str().parse().ok(),
            None => value.as_str().and_then(|text| duration(text.trim())),
        };
        match seconds {
            Some(seconds) if range.contains(&seconds) => seconds,
            _ => {
                let (least, most) = (range.start(), range.end());
                self.wrong(
                    key,
                    format!(
                        "must be {least} to {most} seconds, or a text such as \"90s\", \"5m\", \
                         \"4h\""
                    ),
                );
                default
            }
        }
    }

    /// A list of tables (`[[key]]`).
    pub fn tables(&mut self, key: &'static str, most: usize) -> Vec<Self> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let within = self.path(key);
        let table = |value: &'r Spanned<DeValue<'t>>| {
            let table = value.get_ref().as_table()?;
            Some(Fields::of(self.from, within.clone(), value.span().start, table))
        };
        let items = value.get_ref().as_array().filter(|items| items.len() <= most);
        let all: Option<Vec<_>> = items.and_then(|items| items.iter().map(table).collect());
        all.unwrap_or_else(|| {
            self.wrong(key, format!("must be at most {most} tables, each under [[{within}]]"));
            Vec::new()
        })
    }

    /// One table (`[key]`).
    pub fn table(&mut self, key: &'static str) -> Option<Self> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, format!("must be a table, under [{key}]"));
            return None;
        };
        Some(Fields::of(self.from, self.path(key), value.span().start, table))
    }

    /// Pairs of a name and a whole number: `{ window_s = 300 }`.
    pub fn numbers(&mut self, key: &'static str) -> Vec<(String, i64)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, "must be a table of numbers, such as { window_s = 300 }");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            let name = name.get_ref();
            let number = value.get_ref().as_integer().map(|number| number.as_str().parse());
            match number {
                Some(Ok(number)) => pairs.push((name.to_string(), number)),
                _ => self.wrong(key, format!("\"{name}\" must be a whole number")),
            }
        }
        pairs
    }

    /// Pairs of texts: `{ site = "oulu*" }`.
    pub fn pairs(&mut self, key: &'static str) -> Vec<(String, String)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, "must be a table of texts, such as { site = \"oulu*\" }");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            let name = name.get_ref();
            match value.get_ref().as_str() {
                Some(text) => pairs.push((name.to_string(), text.to_owned())),
                None => self.wrong(key, format!("\"{name}\" must be a text in quotes")),
            }
        }
        pairs
    }

    /// The `name` of every table of a list, wrong ones included.
    pub fn names(&self, key: &str) -> Vec<String> {
        let Some(items) = self.table.get(key).and_then(|value| value.get_ref().as_array()) else {
            return Vec::new();
        };
        let name =
            |item: &Spanned<DeValue<'_>>| words(item.get_ref().as_table()?.get("name")?.get_ref());
        items.iter().filter_map(name).collect()
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self) {
        for (key, value) in self.table {
            let key = key.get_ref().as_ref();
            if self.asked.contains(key) {
                continue;
            }
            let near =
                self.asked.iter().min_by_key(|known| strsim::damerau_levenshtein(known, key));
            let hint = near.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            self.from.wrong(value.span().start, self.path(key), format!("is not known{hint}"));
        }
    }
}

/// A text that is not empty.
fn words(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Seconds of `90s`, `5m`, `4h` or `1d`.
pub fn duration(text: &str) -> Option<i64> {
    let unit = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let (number, times) =
        unit.iter().find_map(|(word, times)| Some((text.strip_suffix(word)?, times)))?;
    number.trim().parse::<i64>().ok()?.checked_mul(*times)
}
