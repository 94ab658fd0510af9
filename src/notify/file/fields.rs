//! The keys of one table of the plan: what is read of them, and what is wrong with them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Files, Mistake};
use crate::notify::plan::Secret;

/// Characters of an address at most.
const URL_CHARS: usize = 2_000;

/// The plan's text and what was found wrong so far.
pub(super) struct Reading<'a> {
    text: &'a str,
    pub(super) files: &'a dyn Files,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(text: &'a str, files: &'a dyn Files) -> Self {
        Self { text, files, mistakes: RefCell::default() }
    }

    pub(super) fn wrong(&self, at: usize, key: String, problem: String) {
        let before = self.text.as_bytes().iter().take(at);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        self.mistakes.borrow_mut().push(Mistake { line, key, problem });
    }

    pub(super) fn mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }
}

/// One table.
pub(super) struct Fields<'r, 't> {
    pub(super) from: &'r Reading<'r>,
    within: String,
    at: usize,
    table: &'r DeTable<'t>,
    asked: BTreeSet<&'static str>,
}

impl<'r, 't> Fields<'r, 't> {
    pub(super) fn of(
        from: &'r Reading<'r>,
        within: String,
        at: usize,
        table: &'r DeTable<'t>,
    ) -> Self {
        Self { from, within, at, table, asked: BTreeSet::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    fn get(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    /// Notes what is wrong with a key, or with its absence.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) {
        let at = self.table.get(key).map_or(self.at, |value| value.span().start);
        self.from.wrong(at, self.path(key), problem.into());
    }

    fn path(&self, key: &str) -> String {
        if self.within.is_empty() { key.to_owned() } else { format!("{}.{key}", self.within) }
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let text = words(self.get(key)?.get_ref());
        if text.is_none() {
            self.wrong(key, "must be a text in quotes");
        }
        text
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, key: &'static str) -> Option<String> {
        if !self.has(key) {
            self.asked.insert(key);
            self.wrong(key, "is missing");
            return None;
        }
        self.text(key)
    }

    /// One of some words; the first where none is given.
    pub(super) fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
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
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
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

    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        let Some(value) = self.get(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, "must be true or false");
            false
        })
    }

    /// A duration: seconds, or a text such as `"90s"`, `"5m"`, `"4h"` or `"1d"`.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        default: i64,
        range: RangeInclusive<i64>,
    ) -> i64 {
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
    pub(super) fn tables(&mut self, key: &'static str, most: usize) -> Vec<Fields<'r, 't>> {
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
    pub(super) fn table(&mut self, key: &'static str) -> Option<Fields<'r, 't>> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, format!("must be a table, under [{key}]"));
            return None;
        };
        Some(Fields::of(self.from, self.path(key), value.span().start, table))
    }

    /// Pairs of texts: `{ site = "oulu*" }`.
    pub(super) fn pairs(&mut self, key: &'static str) -> Vec<(String, String)> {
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
    pub(super) fn names(&self, key: &str) -> Vec<String> {
        let Some(items) = self.table.get(key).and_then(|value| value.get_ref().as_array()) else {
            return Vec::new();
        };
        let name =
            |item: &Spanned<DeValue<'_>>| words(item.get_ref().as_table()?.get("name")?.get_ref());
        items.iter().filter_map(name).collect()
    }

    /// A secret from a file of its own.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let path = self.text(key)?;
        self.from.files.secret(&path).map_err(|problem| self.wrong(key, problem)).ok()
    }

    /// An address, given itself or in a file of its own where it is a secret.
    pub(super) fn url(&mut self, key: &'static str, file: &'static str) -> Option<Secret> {
        let url = match (self.has(key), self.has(file)) {
            (true, true) => {
                self.asked.extend([key, file]);
                self.wrong(file, format!("stands beside {key}; keep one"));
                return None;
            }
            (false, true) => {
                self.asked.insert(key);
                self.secret(file)?
            }
            _ => {
                self.asked.insert(file);
                Secret::new(self.needed(key)?)
            }
        };
        let used = if self.has(file) { file } else { key };
        address(url.reveal()).map_err(|problem| self.wrong(used, problem)).ok()?;
        Some(url)
    }

    /// The PEM text of the authorities that `ca` names.
    pub(super) fn authorities(&mut self) -> Option<String> {
        let path = self.text("ca")?;
        match self.from.files.open(&path) {
            Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => Some(pem),
            Ok(_) => {
                self.wrong("ca", format!("{path} holds no certificate; it must be PEM"));
                None
            }
            Err(problem) => {
                self.wrong("ca", problem);
                None
            }
        }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
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

/// Whether an HTTP address can be used; what it holds may be a secret and is not repeated.
pub(super) fn address(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err("must begin with https:// or http://".to_owned());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err("must not hold a name and password; use token_file".to_owned());
    }
    let odd = url.chars().any(|sign| sign.is_whitespace() || sign.is_control());
    if host.is_empty() || odd || url.chars().count() > URL_CHARS {
        return Err(format!("must be an address without blanks, at most {URL_CHARS} characters"));
    }
    Ok(())
}

/// A text that is not empty.
fn words(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `90s`, `5m`, `4h`, `1d`.
fn duration(text: &str) -> Option<i64> {
    let unit = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let (number, times) =
        unit.iter().find_map(|(word, times)| Some((text.strip_suffix(word)?, times)))?;
    number.trim().parse::<i64>().ok()?.checked_mul(*times)
}
