//! The settings as command line flags, made from the table.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::table::SETTINGS;

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
    fn augment_args(mut command: Command) -> Command {
        let mut secret = String::from("Only in the environment or in .env:");
        for setting in SETTINGS {
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
                None => {
                    write!(secret, "\n  {:<22}{}", setting.env, setting.help).unwrap_or_default()
                }
            }
        }
        command.after_help(secret)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS
            .iter()
            .filter(|setting| setting.flag.is_some())
            .filter_map(|setting| {
                let value = matches.get_one::<String>(setting.env)?;
                Some((setting.env.to_owned(), value.clone()))
            })
            .collect();
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
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
        for setting in SETTINGS {
            assert!(help.contains(setting.env), "{}", setting.env);
        }
    }
}
