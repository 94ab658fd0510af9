//! `kattila admin user`: who signs in by name and password. Through the running manager if there
//! is one, else in its database, decided by the same rules.

use std::path::Path;

use clap::{Subcommand, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use crate::cli::speak::{complain, say};
use crate::cli::{DONE, Database, FAILED, USAGE, secret, storage_code};
use crate::config::source::Values;
use crate::model::access::user_name;
use crate::model::id::FleetId;
use crate::model::password::{Password, least_of};
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::process::handle::CommandError;
use crate::process::people::{self, Act, Entry, Order, People, Proof};
use crate::sign::password::{self, SALT_BYTES};
use crate::store::change::Change;
use crate::store::people::UserRecord;
use crate::store::sqlite;
use crate::store::{Reader as _, StoreError};

use super::{Scope, act_of_admin, by_the_door, change_at_rest, no_database};

/// Who does what this command does to a stopped manager.
const BY: &str = "kattila admin user";

/// What to do with people.
#[derive(Debug, Subcommand)]
pub enum UserAct {
    /// Add a person; their password is asked for, or read as a line from standard input
    Add {
        /// Their name
        name: String,
        /// What they may do
        #[arg(long)]
        role: Scope,
        /// A fleet they see; may be given several times; without it, all
        #[arg(long = "fleet", value_name = "FLEET")]
        fleets: Vec<FleetId>,
        /// Give them pseudonyms instead of names and addresses
        #[arg(long)]
        masked: bool,
        #[command(flatten)]
        database: Database,
    },
    /// List people: name, role, fleets, state, last sign-in
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Give a person another role; their sessions end
    Role {
        /// Their name
        name: String,
        /// What they may do from now on
        role: Scope,
        #[command(flatten)]
        database: Database,
    },
    /// Limit a person to fleets, or to none; their sessions end
    Fleets {
        /// Their name
        name: String,
        /// A fleet they see from now on; may be given several times; without it, all
        #[arg(long = "fleet", value_name = "FLEET")]
        fleets: Vec<FleetId>,
        #[command(flatten)]
        database: Database,
    },
    /// Give a person pseudonyms instead of names and addresses, or not any more; their sessions end
    Mask {
        /// Their name
        name: String,
        /// Whether from now on
        whether: Names,
        #[command(flatten)]
        database: Database,
    },
    /// Keep a person out; their sessions end
    Disable {
        /// Their name
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// Let a person in again
    Enable {
        /// Their name
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// Give a person another password, asked for or read from standard input; their sessions end
    Password {
        /// Their name
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// Take away the second factor of a person who lost it; their sessions end
    DropFactor {
        /// Their name
        name: String,
        #[command(flatten)]
        database: Database,
    },
    /// Forget a person; their sessions end
    Remove {
        /// Their name
        name: String,
        #[command(flatten)]
        database: Database,
    },
}

/// Under which names somebody sees things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// Under pseudonyms
    Pseudonyms,
    /// Under their real names
    Real,
}

/// What is to be done about whom.
struct Wish(Asked, String);

/// An order before a password is hashed, which the running manager does itself.
enum Asked {
    Add(Scope, Reach, Names, Password),
    Role(Scope),
    Fleets(Reach),
    Mask(Names),
    Disable,
    Enable,
    Password(Password),
    DropFactor,
    Remove,
}

/// Does it; the exit code.
pub(super) async fn run(act: UserAct, values: &Values, now: UnixSeconds) -> u8 {
    if let UserAct::List { database } = &act {
        return told(list(&database.file(values)));
    }
    let (wish, database) = match wish(act, values) {
        Ok(wish) => wish,
        Err(problem) => {
            complain(&problem);
            return USAGE;
        }
    };
    match in_database(&database.file(values), &wish, now) {
        Err(Failure::Store(StoreError::Locked { .. })) => through_the_manager(values, &wish).await,
        outcome => told(outcome),
    }
}

/// Says what came of it; the exit code.
fn told(outcome: Result<Vec<String>, Failure>) -> u8 {
    let problem = match outcome {
        Ok(lines) => {
            for line in lines {
                say(&line);
            }
            return DONE;
        }
        Err(Failure::Store(error)) => {
            complain(&error.to_string());
            return storage_code(&error);
        }
        Err(Failure::Refused(error)) => error.to_string(),
        Err(Failure::Hash(problem)) => problem,
    };
    complain(&format!("Nothing was done: {problem}."));
    FAILED
}

fn wish(act: UserAct, values: &Values) -> Result<(Wish, Database), String> {
    let (asked, name, database) = match act {
        UserAct::List { .. } => return Err("A list changes nobody.".to_owned()),
        UserAct::Role { name, role, database } => (Asked::Role(role), user_name(&name)?, database),
        UserAct::Fleets { name, fleets, database } => {
            (Asked::Fleets(Reach::of(fleets)), user_name(&name)?, database)
        }
        UserAct::Mask { name, whether, database } => {
            (Asked::Mask(whether), user_name(&name)?, database)
        }
        UserAct::Disable { name, database } => (Asked::Disable, user_name(&name)?, database),
        UserAct::Enable { name, database } => (Asked::Enable, user_name(&name)?, database),
        UserAct::DropFactor { name, database } => (Asked::DropFactor, user_name(&name)?, database),
        UserAct::Remove { name, database } => (Asked::Remove, user_name(&name)?, database),
        UserAct::Add { name, role, fleets, masked, database } => {
            let name = user_name(&name)?;
            let names = if masked { Names::Pseudonyms } else { Names::Real };
            let password = ask(&name, values)?;
            (Asked::Add(role, Reach::of(fleets), names, password), name, database)
        }
        UserAct::Password { name, database } => {
            let name = user_name(&name)?;
            (Asked::Password(ask(&name, values)?), name, database)
        }
    };
    Ok((Wish(asked, name), database))
}

/// A password that the user of this name may have.
fn ask(name: &str, values: &Values) -> Result<Password, String> {
    let least = least_of(values.get_or_default("KATTILA_PASSWORD_MIN"))
        .map_err(|wrong| format!("KATTILA_PASSWORD_MIN: {wrong}"))?;
    let typed = secret::ask(name).map_err(|error| format!("No password: {error}"))?;
    Password::chosen(typed, name, least).map_err(|weak| weak.to_string())
}

/// Why nothing was done.
enum Failure {
    Store(StoreError),
    Refused(CommandError),
    Hash(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The users in the database, whether a manager has it open or not.
fn list(database: &Path) -> Result<Vec<String>, Failure> {
    if !database.exists() {
        return Err(no_database(database).into());
    }
    let users = sqlite::open_read_only(database)?.users(None)?;
    Ok(users.iter().map(line_of).collect())
}

/// Does it in the database of a manager that is not running.
fn in_database(
    database: &Path,
    Wish(asked, user): &Wish,
    now: UnixSeconds,
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    change_at_rest(database, |reader| {
        let users = reader.users(None)?.into_iter();
        let people: People = users.map(|user| (user.name.clone(), user)).collect();
        let order = Order { user: user.clone(), act: hashed(asked)?, by: BY.to_owned() };
        let decided = people::decide(&people, &order, now).map_err(Failure::Refused)?;
        lines.push(sentence(&decided.told));
        Ok::<_, Failure>(change(decided, user, now))
    })?;
    Ok(lines)
}

fn hashed(asked: &Asked) -> Result<Act, Failure> {
    let hash = |password: &Password| {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| Failure::Hash(error.to_string()))?;
        password::hash(password.bytes(), salt).map_err(|error| Failure::Hash(error.to_string()))
    };
    Ok(match asked {
        Asked::Add(role, reach, names, password) => {
            let entry = Entry::Password(hash(password)?);
            let masked = *names == Names::Pseudonyms;
            Act::Add { role: role.role(), entry, reach: reach.clone(), masked }
        }
        Asked::Role(role) => Act::Role(role.role()),
        Asked::Fleets(reach) => Act::Reach(reach.clone()),
        Asked::Mask(names) => Act::Mask(*names == Names::Pseudonyms),
        Asked::Disable => Act::Disable,
        Asked::Enable => Act::Enable,
        Asked::Password(password) => {
            Act::Password { password: hash(password)?, proof: Proof::Admin }
        }
        Asked::DropFactor => Act::DropFactor(Proof::Admin),
        Asked::Remove => Act::Remove,
    })
}

fn change(decided: people::Decided, user: &str, now: UnixSeconds) -> Change {
    let event = act_of_admin(decided.told, BY, now);
    let removed = decided.user.is_none();
    Change {
        users: decided.user.into_iter().collect(),
        users_removed: removed.then(|| user.to_owned()).into_iter().collect(),
        users_ended: decided.ends_sessions.then(|| user.to_owned()).into_iter().collect(),
        events: vec![event],
        ..Change::default()
    }
}

/// A line of the history as a sentence of its own.
fn sentence(told: &str) -> String {
    let mut letters = told.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn line_of(user: &UserRecord) -> String {
    let state = match (user.disabled, user.password.is_some()) {
        (true, _) => "disabled",
        (false, true) => "active",
        (false, false) => "no password yet",
    };
    let last = user.last_sign_in_at.map(UnixSeconds::to_rfc3339);
    let last = last.map_or("never signed in".to_owned(), |at| format!("last signed in {at}"));
    let under = if user.masked { ", under pseudonyms" } else { "" };
    let fleets = format!("{}{under}", user.reach.words());
    [user.name.as_str(), user.role.as_str(), &fleets, state, &last].join("\t")
}

/// Does it through the running manager.
async fn through_the_manager(values: &Values, Wish(asked, user): &Wish) -> u8 {
    let (method, path, body) = request(asked, user);
    match by_the_door(values, (method, &path), body.as_ref()).await {
        Ok(_done) => {
            say(&format!("Done: {user}."));
            DONE
        }
        Err(code) => code,
    }
}

fn request(asked: &Asked, user: &str) -> (Method, String, Option<Value>) {
    let about = |act: &str| format!("/api/v1/users/{user}/{act}");
    // Passwords are text: they were read as such.
    let text = |password: &Password| String::from_utf8_lossy(password.bytes()).into_owned();
    match asked {
        Asked::Add(role, reach, names, password) => {
            let (role, fleets) = (role.role().as_str(), reach.fleets());
            let (masked, password) = (*names == Names::Pseudonyms, text(password));
            let body = json!({
                "name": user, "role": role, "fleets": fleets, "masked": masked, "password": password,
            });
            (Method::POST, "/api/v1/users".to_owned(), Some(body))
        }
        Asked::Role(role) => {
            (Method::POST, about("role"), Some(json!({"role": role.role().as_str()})))
        }
        Asked::Fleets(reach) => {
            (Method::POST, about("fleets"), Some(json!({"fleets": reach.fleets()})))
        }
        Asked::Mask(names) => {
            (Method::POST, about("mask"), Some(json!({"masked": *names == Names::Pseudonyms})))
        }
        Asked::Disable => (Method::POST, about("disable"), Some(json!({}))),
        Asked::Enable => (Method::POST, about("enable"), Some(json!({}))),
        Asked::Password(password) => {
            (Method::POST, about("password"), Some(json!({"password": text(password)})))
        }
        Asked::DropFactor => (Method::POST, about("drop-factor"), Some(json!({}))),
        Asked::Remove => (Method::DELETE, format!("/api/v1/users/{user}"), None),
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use crate::store::sqlite::Durability;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn chosen(text: &str) -> Password {
        Password::chosen(Zeroizing::new(text.to_owned()), "olga", 12).unwrap()
    }

    fn refused(outcome: Result<Vec<String>, Failure>) -> String {
        match outcome {
            Err(Failure::Refused(error)) => error.to_string(),
            Err(Failure::Store(error)) => error.to_string(),
            Err(Failure::Hash(problem)) => problem,
            Ok(lines) => panic!("done: {lines:?}"),
        }
    }

    #[test]
    fn a_stopped_managers_users_are_managed_in_its_database() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("k.db");
        let act = |asked, user: &str| in_database(&file, &Wish(asked, user.to_owned()), NOW);
        assert!(refused(act(Asked::Disable, "olga")).contains("is not there"));
        sqlite::open(&file, Durability::Full).unwrap().writer.close().unwrap();
        let added = act(
            Asked::Add(Scope::Admin, Reach::Whole, Names::Real, chosen("stone bridge")),
            "olga",
        );
        assert_eq!(added.ok().unwrap(), ["Added the user olga with the role admin."]);
        assert!(refused(act(Asked::Disable, "olga")).contains("the only admin"));
        let lab = Asked::Fleets(Reach::of(["lab".parse().unwrap()]));
        assert!(refused(act(lab, "olga")).contains("the only admin"));
        assert_eq!(refused(act(Asked::Enable, "kim")), "there is no such user");
        let stored = sqlite::open_read_only(&file).unwrap().users(Some("olga")).unwrap();
        let hash = stored[0].password.as_deref().unwrap();
        assert_eq!(password::compare(b"stone bridge", hash), password::Match::Right);
        let listed = list(&file).ok().unwrap();
        assert_eq!(listed, ["olga\tadmin\tall fleets\tactive\tnever signed in"]);
    }
}
