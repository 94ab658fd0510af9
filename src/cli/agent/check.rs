//! `kattila agent --check`: looks at everything an agent depends on.

use crate::agent::client::Door;
use crate::agent::collect::{self, Places};
use crate::agent::door::listen::check;
use crate::agent::files::{Home, HomeError};
use crate::agent::host::Host;
use crate::agent::identity::Identity;
use crate::agent::observe::Observer as _;
use crate::agent::route::around::Around;
use crate::agent::run::SPOOL;
use crate::agent::spool::{Bounds, Spool};
use crate::clock::Clock;
use crate::config::agent::AgentConfig;
use crate::config::source::Values;
use crate::wire::limits::MAX_SKEW_SECONDS;

use super::{settings, way};
use crate::cli::doctor;
use crate::cli::findings::{Finding, tell};

/// A clock further off than this is worth putting right before it is too far.
const FINE_SKEW_SECONDS: i64 = 60;

/// Looks at everything; the exit code.
pub(super) async fn run(values: &Values, clock: &Clock) -> u8 {
    let config = AgentConfig::load(values);
    let mut findings = vec![Finding {
        about: "settings",
        verdict: match &config {
            Ok(_) => Ok("can be used".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    }];
    if let Ok(config) = &config {
        let dir = directory(config);
        let is_running = dir.as_ref().is_ok_and(|found| *found == running(config));
        findings.push(Finding { about: "directory", verdict: dir });
        let keys = doctor::keys(&config.keys, clock).await;
        findings.push(Finding { about: "key", verdict: keys });
        let (manager, time) = manager(config, clock).await;
        findings.push(Finding { about: "manager", verdict: manager });
        findings.extend(time.map(|verdict| Finding { about: "clock", verdict }));
        let relays =
            if is_running { Ok(KEPT_OPEN.to_owned()) } else { own_door(config, clock).await };
        findings.push(Finding { about: "relay", verdict: relays });
    }
    for found in collect::check(Places::default()).await {
        findings.push(Finding { about: found.about, verdict: found.verdict });
    }
    tell(&findings)
}

/// What is said of the door while an agent runs.
const KEPT_OPEN: &str = "the door is the running agent's; its log says where it is open";

/// Whether the door for neighbours can be opened.
async fn own_door(config: &AgentConfig, clock: &Clock) -> Result<String, String> {
    let seen = Host::new(Places::default()).observe(clock.now()).await;
    let door = check(&settings(config).door.serving, &Around::of(&seen).own);
    door.map(|found| format!("the door {found}")).map_err(|why| format!("the door {why}"))
}

fn running(config: &AgentConfig) -> String {
    format!("an agent runs on {}", config.dir.display())
}

/// The agent's directory, its identity and its spool. Nothing is made that is not there.
fn directory(config: &AgentConfig) -> Result<String, String> {
    let dir = &config.dir;
    if !dir.exists() {
        let parent = dir.ancestors().find(|above| above.exists());
        let parent = parent.map_or("/".into(), |above| above.display().to_string());
        return Ok(format!(
            "{} is not there yet; the first run makes it in {parent}",
            dir.display()
        ));
    }
    let home = match Home::open(dir) {
        Ok(home) => home,
        Err(HomeError::Held(_)) => return Ok(running(config)),
        Err(error) => return Err(error.to_string()),
    };
    let who = match Identity::load(&home).map_err(|error| error.to_string())? {
        Some(identity) => format!("this host is {}", identity.agent_id),
        None => "the first run makes an identity".to_owned(),
    };
    let bounds = Bounds { bytes: config.spool_bytes, age: config.spool_age };
    let spool = Spool::open(&home.path(SPOOL), bounds)
        .map_err(|error| format!("the spool in {} cannot be used: {error}", dir.display()))?;
    let (waiting, bytes) = (spool.len(), spool.bytes());
    Ok(format!("{}: {who}; {waiting} reports, {bytes} bytes wait", dir.display()))
}

/// Whether the manager answers as one, and how far the clocks are apart.
async fn manager(
    config: &AgentConfig,
    clock: &Clock,
) -> (Result<String, String>, Option<Result<String, String>>) {
    let door = match Door::new(&way(config)) {
        Ok(door) => door,
        Err(error) => return (Err(error.to_string()), None),
    };
    let health = match door.health().await {
        Ok(health) => health,
        Err(why) => {
            let remedy = "check the address, the network between, and its certificate";
            return (Err(format!("{} does not answer: {why}; {remedy}", config.manager)), None);
        }
    };
    let verdict = match health.status {
        200 => Ok(format!("{} takes reports", config.manager)),
        status => Err(format!(
            "{} answers {status} to a question for its health; is it a kattila manager?",
            config.manager
        )),
    };
    let time = health.date.map(|date| clock_verdict(clock.now().since(date)));
    (verdict, time)
}

fn clock_verdict(ahead: i64) -> Result<String, String> {
    let word = if ahead < 0 { "behind" } else { "ahead of" };
    let apart = format!("{} s {word} the manager's", ahead.abs());
    match ahead.abs() {
        0..=FINE_SKEW_SECONDS => Ok(apart),
        skew if skew <= MAX_SKEW_SECONDS => Err(format!(
            "{apart}; run a time service on both, reports are refused at {MAX_SKEW_SECONDS} s"
        )),
        _ => Err(format!("{apart}, so reports are refused; set it and run a time service")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_drift_are_told_before_they_are_too_far() {
        assert!(clock_verdict(-3).is_ok_and(|text| text.contains("behind")));
        assert!(clock_verdict(61).is_err_and(|text| text.contains("time service on both")));
        assert!(clock_verdict(-601).is_err_and(|text| text.contains("are refused; set it")));
    }
}
