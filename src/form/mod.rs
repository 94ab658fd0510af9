//! Forms: what people write in TOML, checked as a whole, so that every mistake is told at once,
//! each with its line and key.
//!
//! Reads no file itself and knows no form: whoever calls it says which tables and keys there are,
//! and hands in `beside`, what those are looked up in.

pub mod fields;

use std::fmt;

use toml::de::DeTable;

use fields::{Fields, Reading};

/// One thing that is wrong with a form. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `channel.url`.
    pub key: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, problem } = self;
        if key.is_empty() {
            return write!(f, "line {line}: {problem}");
        }
        write!(f, "line {line}: {key} {problem}")
    }
}

/// Reads a form: what `read` makes of its keys, or everything that is wrong, by line.
pub fn parse<C, T>(
    text: &str,
    beside: C,
    read: impl FnOnce(Fields<'_, '_, C>) -> T,
) -> Result<T, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let from = Reading::new(text, beside);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        from.wrong(at, String::new(), error.message().to_owned());
    }
    let form = read(Fields::of(&from, String::new(), 0, table.get_ref()));
    let mut mistakes = from.mistakes();
    if mistakes.is_empty() {
        return Ok(form);
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    Err(mistakes)
}
