//! The settings as command line flags, made from the table.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::table::{Setting, of_agent, of_manager};

/// The settings given as flags: pairs of a name in the environment and a raw value.
///
/// Values stay raw text here, so that `config` can report every mistake at once instead of
/// the first one only.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    given: Vec<(String, String)>,
}

impl Flags {
    /// The pairs.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.given
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        augment(command, of_manager())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { given: given(matches, of_manager()) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The agent's settings given as flags.
#[derive(Debug, Clone, Default)]
pub struct AgentFlags {
    given: Vec<(String, String)>,
}

impl AgentFlags {
    /// The pairs.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.given
    }
}

impl Args for AgentFlags {
    fn augment_args(command: Command) -> Command {
        augment(command, of_agent())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AgentFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { given: given(matches, of_agent()) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn augment(mut command: Command, settings: impl Iterator<Item = &'static Setting>) -> Command {
    let mut secret = String::from("Only in the environment or in .env:");
    for setting in settings {
        let default = setting.default.unwrap_or("unset");
        let help = format!("{} [env: {}] [default: {default}]", setting.help, setting.env);
        match setting.flag {
            Some(flag) => {
                command = command.arg(
                    Arg::new(setting.env)
                        .long(flag)
                        .value_name(setting.value)
                        .help(help)
                        .help_heading("Settings"),
                );
            }
            // Writing into a String cannot fail.
            None => write!(secret, "\n  {:<22}{}", setting.env, setting.help).unwrap_or_default(),
        }
    }
    command.after_help(secret)
}

fn given(
    matches: &ArgMatches,
    settings: impl Iterator<Item = &'static Setting>,
) -> Vec<(String, String)> {
    settings
        .filter(|setting| setting.flag.is_some())
        .filter_map(|setting| {
            let value = matches.get_one::<String>(setting.env)?;
            Some((setting.env.to_owned(), value.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_pairs_and_secrets_have_none() {
        let command = Flags::augment_args(Command::new("serve"));
        let matches =
            command.clone().try_get_matches_from(["serve", "--listen", "[::1]:0"]).unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        assert_eq!(flags.into_pairs(), [("KATTILA_LISTEN".to_owned(), "[::1]:0".to_owned())]);
        assert!(command.clone().try_get_matches_from(["serve", "--psk", "x"]).is_err());
        let help = command.clone().render_long_help().to_string();
        for setting in of_manager() {
            assert!(help.contains(setting.env), "{}", setting.env);
        }
    }

    #[test]
    fn the_agent_has_its_own_flags_and_the_shared_ones() {
        let command = AgentFlags::augment_args(Command::new("agent"));
        let line = ["agent", "--manager", "http://m", "--dns-name", "k.example"];
        let matches = command.clone().try_get_matches_from(line).unwrap();
        let flags = AgentFlags::from_arg_matches(&matches).unwrap();
        assert_eq!(flags.into_pairs().len(), 2);
        assert!(command.try_get_matches_from(["agent", "--listen", "[::1]:0"]).is_err());
    }
}
