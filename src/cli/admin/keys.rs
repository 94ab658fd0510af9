//! `kattila admin key`: what the running manager knows of its keys, and withdrawing one.

use std::io;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::speak::{complain, say};
use crate::cli::{DONE, FAILED};
use crate::config::source::Values;
use crate::model::id::Kid;
use crate::views::settings::Stake;

use super::through_the_door;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeyAct {
    /// List the keys by their ids, with what depends on each
    List,
    /// Withdraw a key for good: no report signed with it is accepted any more
    Revoke {
        /// The key's id, 16 hexadecimal digits
        kid: Kid,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it; the exit code.
pub(super) async fn run(act: KeyAct, values: &Values) -> u8 {
    let listed = match through_the_door(values, "/api/v1/keys", None).await {
        Ok(listed) => listed,
        Err(code) => return code,
    };
    match act {
        KeyAct::List => {
            for line in lines(&listed) {
                say(&line);
            }
            DONE
        }
        KeyAct::Revoke { kid, yes } => {
            if let Some(stake) = stake(&listed, &kid) {
                complain(&format!("Revoking {kid}: {}", stake.told()));
            }
            if !yes && !agreed(&kid) {
                complain("Nothing was done.");
                return FAILED;
            }
            revoke(&kid, values).await
        }
    }
}

async fn revoke(kid: &Kid, values: &Values) -> u8 {
    let path = format!("/api/v1/keys/{kid}/revoke");
    match through_the_door(values, &path, Some(&json!({}))).await {
        Ok(answer) => {
            say(&format!("Revoked {kid}. {}", text(&answer, "detail")));
            DONE
        }
        Err(code) => code,
    }
}

/// Asks the person at the terminal; anything but the key's id is a no.
fn agreed(kid: &Kid) -> bool {
    complain("Type the key id again to revoke it, anything else to leave it:");
    let mut typed = String::new();
    match io::stdin().read_line(&mut typed) {
        Ok(_) => typed.trim() == kid.as_str(),
        Err(_) => false,
    }
}

/// The source first, then a line per key.
fn lines(listed: &Value) -> Vec<String> {
    let mut lines = vec![format!("Keys from the {}", text(listed, "source"))];
    let problem = listed.get("problem").and_then(Value::as_str).into_iter();
    let notices = listed.get("notices").and_then(Value::as_array).into_iter().flatten();
    for notice in problem.chain(notices.filter_map(Value::as_str)) {
        lines.push(format!("  look: {notice}"));
    }
    lines.extend(keys(listed).map(|key| {
        let listed = if key.get("left_at").is_some_and(Value::is_null) { "listed" } else { "left" };
        let (agents, _) = signers(key);
        let agents = if agents == 1 { "1 agent".to_owned() } else { format!("{agents} agents") };
        format!("{}  {:<8}  {listed:<6}  {agents}", text(key, "kid"), text(key, "state"))
    }));
    lines
}

/// What depends on a key; `None` if it is not listed.
fn stake(listed: &Value, kid: &Kid) -> Option<Stake> {
    let is_usable = |key: &&Value| key.get("usable").and_then(Value::as_bool) == Some(true);
    let key = keys(listed).find(|key| text(key, "kid") == kid.as_str())?;
    let (agents, named) = signers(key);
    let usable = is_usable(&key);
    let last = usable && keys(listed).filter(is_usable).count() == 1;
    Some(Stake { agents, named, usable, last })
}

fn keys(listed: &Value) -> impl Iterator<Item = &Value> {
    listed.get("keys").and_then(Value::as_array).into_iter().flatten()
}

/// How many agents signed their last report with a key, and some of them.
fn signers(key: &Value) -> (usize, Vec<String>) {
    let agents = key.get("agents").and_then(Value::as_u64).unwrap_or_default();
    let named = key.get("agent_ids").and_then(Value::as_array).into_iter().flatten();
    let named = named.filter_map(Value::as_str).map(str::to_owned).collect();
    (usize::try_from(agents).unwrap_or(usize::MAX), named)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Value {
        json!({
            "source": "TXT record of _k.example", "problem": "it is down", "notices": ["look here"],
            "keys": [
                {"kid": "45819852fbdfc69a", "state": "current", "left_at": null, "usable": true,
                 "agents": 12, "agent_ids": ["a", "b"]},
                {"kid": "0011223344556677", "state": "retired", "left_at": 1, "usable": false,
                 "agents": 1, "agent_ids": ["c"]},
            ],
        })
    }

    #[test]
    fn every_key_has_a_line() {
        let lines = lines(&listed());
        assert_eq!(
            lines[..3],
            ["Keys from the TXT record of _k.example", "  look: it is down", "  look: look here"]
        );
        assert_eq!(lines[3], "45819852fbdfc69a  current   listed  12 agents");
        assert_eq!(lines[4], "0011223344556677  retired   left    1 agent");
    }

    #[test]
    fn what_depends_on_a_key_is_read_from_the_answer() {
        let stake = |kid: &str| stake(&listed(), &kid.parse().unwrap());
        let current = stake("45819852fbdfc69a").unwrap();
        assert!(current.last && current.agents == 12 && current.named == ["a", "b"]);
        assert!(!stake("0011223344556677").unwrap().usable);
        assert!(stake("ffffffffffffffff").is_none());
    }
}
