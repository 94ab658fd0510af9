//! What can be wrong with the settings, told all at once.

use std::fmt;

use thiserror::Error;

/// One thing that is wrong, with what to do about it. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The setting.
    pub name: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl Mistake {
    /// A mistake in the setting `name`.
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

/// Why there are no settings to work with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Not one setting is given.
    #[error("{GETTING_STARTED}")]
    NothingSet,
    /// Not one setting is given to the agent.
    #[error("{AGENT_GETTING_STARTED}")]
    AgentNothingSet,
    /// Some are wrong; every one is listed.
    #[error("{}", list(.0))]
    Mistakes(Vec<Mistake>),
}

/// Told to somebody who starts the manager without any setting.
const GETTING_STARTED: &str = "\
Nothing is set, and the manager cannot check any report without a pre-shared key.
To look around first:       kattila demo
With a key of your own:     KATTILA_PSK=$(openssl rand -hex 32) kattila serve
With the key in DNS:        KATTILA_DNS_NAME=_kattila.example.org kattila serve
Every setting:              kattila serve --help";

/// Told to somebody who starts the agent without any setting.
const AGENT_GETTING_STARTED: &str = "\
Nothing is set. The agent needs to know the manager and where the pre-shared key is:
With the key in DNS:    KATTILA_MANAGER=https://kattila.example.org KATTILA_DNS_NAME=_kattila.example.org kattila agent
With the key in a file: KATTILA_MANAGER=https://kattila.example.org KATTILA_PSK_FILE=/etc/kattila/psk kattila agent
To see what it reports: kattila agent --once --print
Every setting:          kattila agent --help";

fn list(mistakes: &[Mistake]) -> String {
    let mut text = match mistakes.len() {
        1 => "One setting is wrong:".to_owned(),
        count => format!("{count} settings are wrong:"),
    };
    for mistake in mistakes {
        text.push_str("\n  ");
        text.push_str(&mistake.to_string());
    }
    text
}
