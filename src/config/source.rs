//! Where the values come from: flags, then the environment, then `.env`.
//!
//! The only place that reads the process's environment. Tests hand in their own pairs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::mistake::Mistake;
use super::table;

/// Every setting has this prefix, and every name with it must be a setting.
const PREFIX: &str = "KATTILA_";

/// What others set for every program and is heeded here: systemd's state directory, socket and
/// watchdog, and the proxies. `HTTP_PROXY` counts in lower case only, as with curl: a CGI program
/// would take a stranger's header for it.
const FOREIGN: &[&str] = &[
    "STATE_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "HTTPS_PROXY",
    "https_proxy",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Raw values by name, the strongest source already chosen, unknown names already noted.
#[derive(Default)]
pub struct Values {
    values: BTreeMap<&'static str, String>,
    foreign: BTreeMap<&'static str, String>,
    mistakes: Vec<Mistake>,
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Values {
    /// The values of this process: its environment over the `.env` of the directory.
    pub fn of_process(dir: &Path) -> Self {
        let mut values = Self::default();
        values.add_dotenv(&dir.join(".env"));
        let mut pairs = Vec::new();
        for (name, value) in std::env::vars_os() {
            values.note_foreign(&name, &value);
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            match value.into_string() {
                Ok(value) => pairs.push((name.to_owned(), value)),
                Err(_) => values.mistakes.push(Mistake::new(name, "is not UTF-8 text")),
            }
        }
        values.add(pairs);
        values
    }

    fn note_foreign(&mut self, name: &OsStr, value: &OsStr) {
        let known = FOREIGN.iter().find(|known| name == **known);
        if let (Some(known), Some(value)) = (known, value.to_str()) {
            self.foreign.insert(known, value.to_owned());
        }
    }

    /// Values given in a test.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut values = Self::default();
        values.add(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
        values
    }

    /// Adds values that win over the ones already there. An empty value means "not set".
    pub fn add(&mut self, pairs: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in pairs {
            match table::find(&name) {
                Some(setting) if value.trim().is_empty() => drop(self.values.remove(setting.env)),
                Some(setting) => drop(self.values.insert(setting.env, value)),
                None => self.mistakes.push(unknown(&name)),
            }
        }
    }

    fn add_dotenv(&mut self, file: &Path) {
        let lines = match dotenvy::from_path_iter(file) {
            Ok(lines) => lines,
            Err(error) if error.not_found() => return,
            Err(error) => {
                self.mistakes.push(Mistake::new(".env", format!("cannot be read: {error}")));
                return;
            }
        };
        let mut pairs = Vec::new();
        for line in lines {
            match line {
                Ok((name, value)) if name.starts_with(PREFIX) => pairs.push((name, value)),
                Ok(_) => {}
                // The error's own text quotes the line, which may hold a key.
                Err(dotenvy::Error::LineParse(_, at)) => self.mistakes.push(Mistake::new(
                    ".env",
                    format!("a line cannot be understood at character {at}; write NAME='VALUE'"),
                )),
                Err(_) => {
                    self.mistakes.push(Mistake::new(".env", "cannot be read to its end"));
                    break;
                }
            }
        }
        self.add(pairs);
    }

    /// The raw value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A variable of the environment that is no setting of this program.
    pub fn foreign(&self, name: &str) -> Option<&str> {
        self.foreign.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Sets a foreign variable in a test.
    #[cfg(test)]
    pub(in crate::config) fn set_foreign(&mut self, name: &str, value: &str) {
        self.note_foreign(OsStr::new(name), OsStr::new(value));
    }

    /// The raw value of a setting, or its default.
    pub fn get_or_default(&self, name: &str) -> &str {
        let default = table::find(name).and_then(|setting| setting.default);
        self.get(name).or(default).unwrap_or_default()
    }

    /// Whether not one setting is given, not even a wrong one.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.mistakes.is_empty()
    }

    /// What is already known to be wrong.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

fn unknown(name: &str) -> Mistake {
    let hint = table::nearest(name).unwrap_or("kattila serve --help");
    Mistake::new(name, format!("is not a setting; did you mean {hint}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_values_win_and_empty_ones_unset() {
        let mut values = Values::from_pairs([("KATTILA_DB", "a"), ("KATTILA_LOG", "debug")]);
        values.add([("KATTILA_DB".to_owned(), "b".to_owned())]);
        values.add([("KATTILA_LOG".to_owned(), String::new())]);
        assert_eq!(values.get("KATTILA_DB"), Some("b"));
        assert_eq!(values.get("KATTILA_LOG"), None);
    }

    #[test]
    fn unknown_names_are_told_with_the_nearest() {
        let values = Values::from_pairs([("KATTILA_LISTNE", "x")]);
        assert!(values.mistakes()[0].problem.contains("KATTILA_LISTEN"));
        assert!(!values.is_empty());
    }

    #[test]
    fn a_dotenv_file_is_the_weakest_source() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(".env"),
            "# comment\nOTHER=1\nKATTILA_DB='from file'\nKATTILA_MAX_SKEW=60\n",
        )
        .unwrap();
        let mut values = Values::default();
        values.add_dotenv(&dir.path().join(".env"));
        values.add([("KATTILA_MAX_SKEW".to_owned(), "90".to_owned())]);
        assert_eq!(values.get("KATTILA_DB"), Some("from file"));
        assert_eq!(values.get("KATTILA_MAX_SKEW"), Some("90"));
        assert!(values.mistakes().is_empty());
    }

    #[test]
    fn a_few_names_of_others_are_heeded() {
        let mut values = Values::default();
        values.note_foreign(OsStr::new("STATE_DIRECTORY"), OsStr::new("/var/lib/x"));
        values.note_foreign(OsStr::new("HTTP_PROXY"), OsStr::new("http://evil"));
        values.note_foreign(OsStr::new("no_proxy"), OsStr::new(""));
        assert_eq!(values.foreign("STATE_DIRECTORY"), Some("/var/lib/x"));
        assert_eq!(values.foreign("HTTP_PROXY"), None);
        assert_eq!(values.foreign("no_proxy"), None);
    }

    #[test]
    fn a_broken_dotenv_line_is_told_without_its_text() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".env"), "KATTILA_PSK='not closed\n").unwrap();
        let mut values = Values::default();
        values.add_dotenv(&dir.path().join(".env"));
        assert_eq!(values.mistakes().len(), 1);
        assert!(!values.mistakes()[0].to_string().contains("not closed"));
    }
}
