//! Asks a person for a password: unseen at a terminal, or as one line of standard input. Never
//! from an argument, which every user of the host could read.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::os::fd::AsFd as _;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::speak::complain;

/// The password: typed twice at a terminal, else the first line of standard input.
pub fn ask(whose: &str) -> io::Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return line();
    }
    let _unseen = Unseen::begin()?;
    complain(&format!("New password of {whose} (not shown):"));
    let first = line()?;
    complain("The same again:");
    if *line()? == *first {
        Ok(first)
    } else {
        Err(io::Error::other("the two passwords differ; nothing was done"))
    }
}

/// One line without its end.
fn line() -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut text)?;
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    Ok(text)
}

/// While it lives, the terminal does not show what is typed.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin.as_fd(), OptionalActions::Flush, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to give back.
        let _given_back = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.0);
    }
}
