//! Completions for shells and pages of the manual, from the definitions that parse the commands.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use super::speak::{complain, say};
use super::{DONE, FAILED};

/// Prints what a shell wants to be told.
pub fn completions(mut command: Command, shell: Shell) -> u8 {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    say(String::from_utf8_lossy(&text).trim_end());
    DONE
}

/// Writes `kattila.1` and a page of each command.
pub fn pages(command: Command, directory: &Path) -> u8 {
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory));
    match written {
        Ok(()) => {
            say(&format!("The pages are in {}", directory.display()));
            DONE
        }
        Err(error) => {
            complain(&format!("{} cannot be written to: {error}", directory.display()));
            FAILED
        }
    }
}
