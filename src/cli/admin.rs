//! `kattila admin`: users, tokens, keys and agents, from the manager's own host.
//!
//! A reset or a revocation always goes through the running manager, which alone knows what it means. A user or token
//! is made through the running manager if there is one, else written into the database: that is
//! the way back in for who lost every password and token.

mod keys;
mod relay;
mod token;
mod user;

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::host::HostSettings;
use crate::config::source::Values;

use crate::model::access::Role;
use crate::model::id::{AgentId, FleetId};
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::change::{Change, NewEvent};
use crate::store::sqlite::{self, Opened};
use crate::store::{Reader, StoreError, Writer as _};

use super::speak::{complain, say};
use super::{DONE, FAILED, STORAGE, USAGE, door};

/// What to manage.
#[derive(Debug, Subcommand)]
pub enum Act {
    /// People
    #[command(subcommand)]
    User(user::UserAct),
    /// Tokens for programs and for signing in
    #[command(subcommand)]
    Token(token::TokenAct),
    /// The pre-shared keys of the running manager, by their ids
    #[command(subcommand)]
    Key(keys::KeyAct),
    /// Let an agent pass on what others report, or forbid it
    Relay(relay::RelayArgs),
    /// Clear what agents reported about their network; their next report fills it again
    Reset(ResetArgs),
}

/// What a user or a token may do; each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Look
    #[value(alias = "read")]
    Viewer,
    /// Acknowledge and clear alarms
    #[value(alias = "ack")]
    Operator,
    /// Everything
    #[value(aliases = ["reset", "keys"])]
    Admin,
}

impl Scope {
    const fn role(self) -> Role {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Operator => Role::Operator,
            Self::Admin => Role::Admin,
        }
    }
}

/// Whose state to clear.
#[derive(Debug, Clone, Args)]
pub struct ResetArgs {
    #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
    #[command(flatten)]
    pub target: Target,
    /// Also remove the registration
    #[arg(long)]
    pub forget: bool,
    /// Also unpin the agent's key
    #[arg(long)]
    pub identity: bool,
}

/// Exactly one of these.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// One agent's
    #[arg(long, value_name = "ID")]
    pub agent: Option<AgentId>,
    /// A fleet's
    #[arg(long, value_name = "ID")]
    pub fleet: Option<FleetId>,
    /// Everybody's
    #[arg(long)]
    pub all: bool,
}

/// Does it; the exit code.
pub async fn run(act: Act, values: Values, clock: Clock) -> u8 {
    match act {
        Act::User(act) => user::run(act, &values, clock.now()).await,
        Act::Token(act) => token::run(act, &values, clock.now()).await,
        Act::Key(act) => keys::run(act, &values).await,
        Act::Relay(args) => relay::run(args, &values).await,
        Act::Reset(reset) => {
            command(&values, "/status/admin/reset", &reset_body(&reset), |answer| {
                let count =
                    |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
                say(&format!(
                    "Cleared {} agents: {} interfaces, {} links, {} alarms.",
                    count("agents"),
                    count("interfaces"),
                    count("edges"),
                    count("alarms")
                ));
            })
            .await
        }
    }
}

fn reset_body(reset: &ResetArgs) -> Value {
    let mut body = json!({"forget": reset.forget, "identity": reset.identity});
    let (name, value) = match (&reset.target.agent, &reset.target.fleet) {
        (Some(agent), _) => ("agent_id", json!(agent)),
        (None, Some(fleet)) => ("fleet_id", json!(fleet)),
        (None, None) => ("all", json!(true)),
    };
    if let Some(members) = body.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    body
}

/// What is said of a database that is not there.
fn no_database(database: &Path) -> StoreError {
    StoreError::Refused {
        path: database.display().to_string(),
        problem: "is not there".to_owned(),
        remedy: "name the manager's database with --db or KATTILA_DB".to_owned(),
    }
}

/// What an admin did on the manager's host, for the history.
fn act_of_admin(told: String, cause: &str, now: UnixSeconds) -> NewEvent {
    NewEvent {
        at: now,
        recorded_at: now,
        kind: EventKind::AdminAction,
        fleet: None,
        agent: None,
        subject: told,
        before: None,
        after: None,
        report: None,
        cause: Some(cause.to_owned()),
    }
}

/// Changes the database of a manager that is not running, if it is there: what is to be written
/// follows from what is in it.
fn change_at_rest<E: From<StoreError>>(
    database: &Path,
    decide: impl FnOnce(&dyn Reader) -> Result<Change, E>,
) -> Result<(), E> {
    if !database.exists() {
        return Err(no_database(database).into());
    }
    let Opened { mut writer, reader, .. } = sqlite::open_at_rest(database, Clock::system())?;
    let change = match decide(&*reader) {
        Ok(change) => change,
        Err(refusal) => {
            // An orderly end, so that the next start has nothing to check.
            writer.close()?;
            return Err(refusal);
        }
    };
    writer.begin()?;
    writer.record(&change)?;
    writer.commit()?;
    Ok(writer.close()?)
}

/// Sends a command through the running manager's door and tells the answer.
async fn command(values: &Values, path: &str, body: &Value, done: impl FnOnce(&Value)) -> u8 {
    match through_the_door(values, path, Some(body)).await {
        Ok(answer) => {
            done(&answer);
            DONE
        }
        Err(code) => code,
    }
}

/// Sends a command, with a body, or a question, without one, through the running manager's
/// door. What went wrong has been told; the error is the exit code.
async fn through_the_door(values: &Values, path: &str, body: Option<&Value>) -> Result<Value, u8> {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    by_the_door(values, (method, path), body).await
}

/// The same with any method.
async fn by_the_door(
    values: &Values,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> Result<Value, u8> {
    let settings = match HostSettings::load(values) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error.to_string());
            return Err(USAGE);
        }
    };
    if settings.tls {
        complain(&format!(
            "The manager's door speaks TLS, which this command does not: send {method} {path} \
             with curl and the admin token; docs/api.md has an example."
        ));
        return Err(USAGE);
    }
    let Some(secret) = settings.admin_token else {
        complain("The manager runs, so it must be told by an admin: set KATTILA_ADMIN_TOKEN.");
        return Err(USAGE);
    };
    let caller = door::Caller { door: settings.listen, token: &secret };
    match door::send(caller, (method, path), body).await {
        Ok((status, answer)) if status.is_success() => Ok(answer),
        Ok((status, answer)) => {
            let detail = answer.get("detail").and_then(Value::as_str).unwrap_or_default();
            complain(&format!("The manager refuses ({status}): {detail}"));
            Err(if status == StatusCode::SERVICE_UNAVAILABLE { STORAGE } else { FAILED })
        }
        Err(problem) => {
            complain(&format!("Nothing was done, because {problem}; is the manager running?"));
            Err(FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        act: Act,
    }

    #[test]
    fn a_reset_has_exactly_one_target() {
        let body = |flags: &[&str]| match Cli::try_parse_from([&["admin", "reset"], flags].concat())
        {
            Ok(Cli { act: Act::Reset(reset) }) => Some(reset_body(&reset)),
            Ok(_) | Err(_) => None,
        };
        let agent = json!({"agent_id": "gw-1", "forget": true, "identity": false});
        assert_eq!(body(&["--agent", "gw-1", "--forget"]), Some(agent));
        assert_eq!(body(&["--all"]).unwrap()["all"], true);
        assert_eq!(body(&[]), None);
        assert_eq!(body(&["--all", "--fleet", "a"]), None);
        assert_eq!(body(&["--agent", "no such name"]), None);
    }

    #[test]
    fn whether_an_agent_relays_is_said_in_a_word() {
        let parse = |flags: &[&str]| Cli::try_parse_from([&["admin", "relay"], flags].concat());
        let Ok(Cli { act: Act::Relay(args) }) = parse(&["forbid", "--agent", "gw-1"]) else {
            panic!("not understood");
        };
        assert_eq!((args.whether, args.agent.as_str()), (relay::Whether::Forbid, "gw-1"));
        assert!(parse(&["--agent", "gw-1"]).is_err() && parse(&["allow"]).is_err());
    }

    #[test]
    fn scopes_have_the_words_of_roles_and_of_the_contract() {
        let scope = |word: &str| Scope::from_str(word, false).map(Scope::role);
        assert_eq!(scope("viewer"), Ok(Role::Viewer));
        assert_eq!(scope("read"), Ok(Role::Viewer));
        assert_eq!(scope("ack"), Ok(Role::Operator));
        assert_eq!(scope("admin"), Ok(Role::Admin));
        assert_eq!((scope("reset"), scope("keys")), (Ok(Role::Admin), Ok(Role::Admin)));
        assert!(scope("root").is_err());
    }
}
