//! The plan as a person writes it (TOML), checked as a whole: every mistake at once, each with
//! its line and key. Reads no file itself: whoever calls it hands in what files hold.

mod channel;
mod fields;
mod routes;

use super::plan::{Heartbeat, Plan, Secret};
use crate::form::{self, Mistake};
use fields::Fields;

/// Channels, and routes, at most.
const MOST: usize = 100;

/// What the plan points to: the text of a file, which may be asked to be private.
pub trait Files {
    /// The text of a file that holds a secret, or why it cannot be used.
    fn secret(&self, path: &str) -> Result<Secret, String>;

    /// The text of a file that may be read by everybody.
    fn open(&self, path: &str) -> Result<String, String>;
}

/// Reads a plan.
pub fn parse(text: &str, files: &dyn Files) -> Result<Plan, Vec<Mistake>> {
    form::parse(text, files, |top| plan(top))
}

fn plan(mut top: Fields<'_, '_>) -> Plan {
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
