//! `kattila admin token`: what programs send to be let in. Through the running manager if there is
//! one, else in its database.

use std::path::Path;

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use crate::cli::speak::{complain, say};
use crate::cli::{DONE, Database, FAILED, USAGE, storage_code};
use crate::config::source::Values;
use crate::http::access::token;
use crate::http::operators::sessions::id_of;
use crate::model::access::{Role, token_name};
use crate::model::id::FleetId;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::store::change::Change;
use crate::store::people::{SessionFilter, SessionRecord};
use crate::store::sqlite;
use crate::store::{Reader, StoreError};

use super::{Scope, act_of_admin, by_the_door, change_at_rest, no_database};

/// Who does what this command does to a stopped manager.
const BY: &str = "kattila admin token";

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Tokens that are looked at.
const MOST: usize = 10_000;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenAct {
    /// Make a token and print it once
    Add {
        /// Whose it is; shown in the history
        name: String,
        /// What it may do
        #[arg(long)]
        scope: Scope,
        /// A fleet it sees; may be given several times; without it, all
        #[arg(long = "fleet", value_name = "FLEET")]
        fleets: Vec<FleetId>,
        /// Give it pseudonyms instead of names and addresses
        #[arg(long)]
        masked: bool,
        /// For how many days it works; without it, until it is revoked
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: Option<u16>,
        #[command(flatten)]
        database: Database,
    },
    /// List tokens: id, name, role, fleets, last use, end
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Revoke a token by its id
    Revoke {
        /// The id that the list tells
        id: String,
        #[command(flatten)]
        database: Database,
    },
}

/// Why nothing was done.
enum Failure {
    Store(StoreError),
    Refused(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A change of the tokens.
enum Wish {
    Add(New),
    Revoke { id: String },
}

/// A token to make.
struct New {
    name: String,
    role: Role,
    reach: Reach,
    masked: bool,
    days: Option<u16>,
}

/// Does it; the exit code.
pub(super) async fn run(act: TokenAct, values: &Values, now: UnixSeconds) -> u8 {
    let (wish, database) = match act {
        TokenAct::List { database } => return told(list(&database.file(values), now)),
        TokenAct::Add { name, .. } if token_name(&name).is_err() => {
            complain(&token_name(&name).err().unwrap_or_default());
            return USAGE;
        }
        TokenAct::Add { scope: Scope::Admin, masked: true, .. } => {
            complain("An admin must know which host is which; make it a viewer or an operator.");
            return USAGE;
        }
        TokenAct::Add { name, scope, fleets, masked, days, database } => {
            let (role, reach) = (scope.role(), Reach::of(fleets));
            (Wish::Add(New { name, role, reach, masked, days }), database)
        }
        TokenAct::Revoke { id, database } => (Wish::Revoke { id }, database),
    };
    match in_database(&database.file(values), &wish, now) {
        Err(Failure::Store(StoreError::Locked { .. })) => through_the_manager(values, &wish).await,
        outcome => told(outcome),
    }
}

/// Says what came of it; the exit code.
fn told(outcome: Result<Vec<String>, Failure>) -> u8 {
    match outcome {
        Ok(lines) => {
            for line in lines {
                say(&line);
            }
            DONE
        }
        Err(Failure::Store(error)) => {
            complain(&error.to_string());
            storage_code(&error)
        }
        Err(Failure::Refused(problem)) => {
            complain(&format!("Nothing was done: {problem}."));
            FAILED
        }
    }
}

/// The tokens in the database, whether a manager has it open or not.
fn list(database: &Path, now: UnixSeconds) -> Result<Vec<String>, Failure> {
    if !database.exists() {
        return Err(no_database(database).into());
    }
    let reader = sqlite::open_read_only(database)?;
    Ok(stored(&*reader)?.iter().filter(|one| is_live(one, now)).map(line_of).collect())
}

/// Does it in the database of a manager that is not running.
fn in_database(database: &Path, wish: &Wish, now: UnixSeconds) -> Result<Vec<String>, Failure> {
    match wish {
        Wish::Add(New { name, role, reach, masked, days }) => {
            let (secret, mut record) = token::api_token(name, *role, now)
                .map_err(|error| Failure::Refused(format!("no random numbers: {error}")))?;
            record.expires_at = days.map(|days| now.plus(i64::from(days) * DAY_S));
            (record.made_by, record.reach) = (Some(BY.to_owned()), reach.clone());
            record.masked = *masked;
            change_at_rest(database, |reader| added(reader, record, now))?;
            Ok(vec![(*secret).clone()])
        }
        Wish::Revoke { id } => {
            change_at_rest(database, |reader| {
                let found = stored(reader)?.into_iter().find(|record| id_of(record) == *id);
                let found = found.ok_or_else(|| Failure::Refused(no_token(id)))?;
                let told = format!("revoked the token {} ({id})", found.name);
                Ok::<_, Failure>(Change {
                    sessions_removed: vec![found.token_hash],
                    events: vec![act_of_admin(told, BY, now)],
                    ..Change::default()
                })
            })?;
            Ok(vec![format!("Revoked {id}.")])
        }
    }
}

fn added(reader: &dyn Reader, record: SessionRecord, now: UnixSeconds) -> Result<Change, Failure> {
    if !reader.users(Some(&record.name))?.is_empty() {
        let why = format!("a user has the name {}; two who act must have two names", record.name);
        return Err(Failure::Refused(why));
    }
    let (name, role) = (&record.name, &record.role);
    let (id, fleets) = (id_of(&record), record.reach.addition());
    let under = under(record.masked);
    let told = format!("made the token {name} ({id}) with the role {role}{fleets}{under}");
    let events = vec![act_of_admin(told, BY, now)];
    Ok(Change { sessions: vec![record], events, ..Change::default() })
}

/// What a sentence about a token goes on with.
const fn under(masked: bool) -> &'static str {
    if masked { ", under pseudonyms" } else { "" }
}

fn stored(reader: &dyn Reader) -> Result<Vec<SessionRecord>, StoreError> {
    reader.sessions(&SessionFilter { name: None, kind: Some("token"), limit: MOST })
}

fn is_live(record: &SessionRecord, now: UnixSeconds) -> bool {
    record.expires_at.is_none_or(|end| end > now)
}

fn no_token(id: &str) -> String {
    format!("there is no token with the id {id}; `kattila admin token list` tells them")
}

fn line_of(record: &SessionRecord) -> String {
    let used = (record.last_used_at > record.created_at).then_some(record.last_used_at);
    let used = used.map_or("never used".to_owned(), |at| format!("last used {}", at.to_rfc3339()));
    let ends = record.expires_at.map(UnixSeconds::to_rfc3339);
    let ends = ends.map_or("until revoked".to_owned(), |at| format!("until {at}"));
    let fleets = format!("{}{}", record.reach.words(), under(record.masked));
    [&id_of(record), &record.name, &record.role, &fleets, &used, &ends]
        .map(String::as_str)
        .join("\t")
}

/// Does it through the running manager.
async fn through_the_manager(values: &Values, wish: &Wish) -> u8 {
    let (method, path, body) = request(wish);
    match by_the_door(values, (method, &path), body.as_ref()).await {
        Ok(answer) => {
            match wish {
                Wish::Add(_) => {
                    say(answer.get("token").and_then(Value::as_str).unwrap_or_default());
                }
                Wish::Revoke { id } => say(&format!("Revoked {id}.")),
            }
            DONE
        }
        Err(code) => code,
    }
}

fn request(wish: &Wish) -> (Method, String, Option<Value>) {
    let all = "/api/v1/tokens";
    match wish {
        Wish::Add(New { name, role, reach, masked, days }) => {
            let for_s = days.map(|days| i64::from(days) * DAY_S);
            let (role, fleets) = (role.as_str(), reach.fleets());
            let body = json!({
                "name": name, "role": role, "fleets": fleets, "masked": masked, "for_s": for_s,
            });
            (Method::POST, all.to_owned(), Some(body))
        }
        Wish::Revoke { id } => (Method::DELETE, format!("{all}/{id}"), None),
    }
}

#[cfg(test)]
mod tests {
    use crate::store::sqlite::Durability;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn done(outcome: Result<Vec<String>, Failure>) -> Vec<String> {
        match outcome {
            Ok(lines) => lines,
            Err(Failure::Store(error)) => panic!("{error}"),
            Err(Failure::Refused(problem)) => panic!("{problem}"),
        }
    }

    #[test]
    fn a_token_for_a_stopped_manager_is_made_listed_and_revoked_in_its_database() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("k.db");
        let add = |name: &str, days| {
            let (role, reach) = (Role::Viewer, Reach::Whole);
            let wish = Wish::Add(New { name: name.to_owned(), role, reach, masked: true, days });
            in_database(&file, &wish, NOW)
        };
        let absent = add("ci", None);
        assert!(matches!(absent, Err(Failure::Store(StoreError::Refused { .. }))));
        sqlite::open(&file, Durability::Full).unwrap().writer.close().unwrap();
        let secret = done(add("ci", None)).remove(0);
        done(add("brief", Some(1)));
        let reader = sqlite::open_read_only(&file).unwrap();
        let record = reader.session(&token::hash(&secret)).unwrap().unwrap();
        assert_eq!((record.role.as_str(), record.made_by.as_deref()), ("viewer", Some(BY)));
        let list = |now| done(list(&file, now));
        let id = id_of(&record);
        assert!(list(NOW).contains(&format!(
            "{id}\tci\tviewer\tall fleets, under pseudonyms\tnever used\tuntil revoked"
        )));
        let brief = list(NOW).into_iter().find(|line| line.contains("brief")).unwrap();
        assert!(brief.ends_with("never used\tuntil 2027-01-16T08:00:00Z"), "{brief}");
        assert_eq!(list(NOW.plus(DAY_S)).len(), 1, "what has ended is not told");
        let revoke = |id: &str| Wish::Revoke { id: id.to_owned() };
        assert!(matches!(in_database(&file, &revoke("0"), NOW), Err(Failure::Refused(_))));
        assert_eq!(done(in_database(&file, &revoke(&id), NOW)), [format!("Revoked {id}.")]);
        assert_eq!(reader.session(&token::hash(&secret)).unwrap(), None);
    }
}
