//! The plan as a person writes it (TOML), checked as a whole: every mistake at once, each with
//! its line and key. Reads no file itself: whoever calls it hands in what files hold.

mod channel;
mod fields;
mod routes;

use std::fmt;

use toml::de::DeTable;

use super::plan::{Heartbeat, Plan, Secret};
use fields::{Fields, Reading};

/// Channels, and routes, at most.
const MOST: usize = 100;

/// One thing that is wrong with the plan. Never holds a secret.
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

/// What the plan points to: the text of a file, which may be asked to be private.
pub trait Files {
    /// The text of a file that holds a secret, or why it cannot be used.
    fn secret(&self, path: &str) -> Result<Secret, String>;

    /// The text of a file that may be read by everybody.
    fn open(&self, path: &str) -> Result<String, String>;
}

/// Reads a plan.
pub fn parse(text: &str, files: &dyn Files) -> Result<Plan, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let from = Reading::new(text, files);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        from.wrong(at, String::new(), error.message().to_owned());
    }
    let plan = plan(&from, table.get_ref());
    let mut mistakes = from.mistakes();
    if mistakes.is_empty() {
        return Ok(plan);
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    Err(mistakes)
}

fn plan(from: &Reading<'_>, table: &DeTable<'_>) -> Plan {
    let mut top = Fields::of(from, String::new(), 0, table);
    let console = top.text("console").map(|text| text.trim_end_matches('/').to_owned());
    if let Some(console) = &console
        && let Err(problem) = fields::address(console)
    {
        top.wrong("console", problem);
    }
    let channels = top.tables("channel", MOST);
    let channels: Vec<_> = channels.into_iter().filter_map(channel::read).collect();
    for (number, channel) in channels.iter().enumerate() {
        if channels.iter().take(number).any(|other| other.name == channel.name) {
            top.wrong("channel", format!("\"{}\" is there twice; names must differ", channel.name));
        }
    }
    let routes = top.tables("route", MOST);
    // A channel with a mistake of its own is known all the same.
    let names = top.names("channel");
    let routes = routes.into_iter().filter_map(|fields| routes::read(fields, &names)).collect();
    let heartbeat = top.table("heartbeat").and_then(heartbeat);
    top.finish();
    Plan { channels, routes, heartbeat, console }
}

fn heartbeat(mut fields: Fields<'_, '_>) -> Option<Heartbeat> {
    let url = fields.url("url", "url_file");
    let has_error = fields.has("error_url") || fields.has("error_url_file");
    let error_url = has_error.then(|| fields.url("error_url", "error_url_file")).flatten();
    let every_s = fields.seconds("every", 60, 10..=86_400);
    let ca = fields.authorities();
    fields.finish();
    Some(Heartbeat { url: url?, error_url, every_s, ca })
}

#[cfg(test)]
mod tests;
