//! What could not be read, in words that say what to do; they go into the report, so that the
//! manager can show why something is missing. Never holds a value that was read.

use std::io::{self, ErrorKind};

use crate::model::report::Problem;
use crate::wire::limits::TOLD_PROBLEMS;

/// Which part of the host a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Host,
    Network,
    /// WireGuard in the kernel.
    Kernel,
    /// WireGuard in daemons.
    Daemons,
    /// The report is too large.
    Size,
}

/// The problems of one look at the host.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    list: Vec<(About, Problem)>,
    left_out: usize,
}

impl Troubles {
    /// Adds a problem; `path` is a member of `data`.
    pub(super) fn add(&mut self, about: About, path: impl Into<String>, detail: String) {
        if self.list.len() < TOLD_PROBLEMS - 1 {
            self.list.push((about, Problem { path: path.into(), detail }));
        } else {
            self.left_out += 1;
        }
    }

    /// The problems about one part.
    pub(super) fn about(&self, part: About) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(move |(about, _)| *about == part).map(|(_, problem)| problem)
    }

    /// All problems in a stable order.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.list.into_iter().map(|(_, problem)| problem).collect();
        problems.sort_by(|a, b| (&a.path, &a.detail).cmp(&(&b.path, &b.detail)));
        if self.left_out > 0 {
            let detail = format!("are {} more than are listed", self.left_out);
            problems.push(Problem { path: "problems".to_owned(), detail });
        }
        problems
    }
}

/// Why a table of the kernel's could not be read.
pub(super) fn table(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut => "cannot be read: the kernel did not answer in time".to_owned(),
        ErrorKind::PermissionDenied => {
            "cannot be read: the kernel refuses netlink; allow AF_NETLINK to the agent".to_owned()
        }
        _ => format!("cannot be read by netlink: {error}"),
    }
}

/// Why a kernel WireGuard interface could not be read.
pub(super) fn kernel(interface: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "of {interface} cannot be read: no right to ask the kernel; give the agent \
             CAP_NET_ADMIN or run it as root"
        ),
        ErrorKind::TimedOut => {
            format!("of {interface} cannot be read: the kernel did not answer in time")
        }
        _ => format!("of {interface} cannot be read: the kernel says {error}"),
    }
}

/// Why a WireGuard daemon could not be read by its socket.
pub(super) fn daemon(interface: &str, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "of {interface} cannot be read: no right to open its daemon's socket; give the agent \
             CAP_DAC_OVERRIDE or run it as root"
        ),
        ErrorKind::ConnectionRefused => format!(
            "of {interface} cannot be read: its WireGuard daemon is dead and left its socket \
             behind; start the daemon again"
        ),
        ErrorKind::TimedOut => format!(
            "of {interface} cannot be read: its WireGuard daemon does not answer; restart it"
        ),
        _ => format!("of {interface} cannot be read: talking to its WireGuard daemon: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_problems_than_fit_are_counted() {
        let mut troubles = Troubles::default();
        for n in 0..40 {
            troubles.add(About::Host, "x", format!("{n}"));
        }
        let problems = troubles.into_problems();
        assert_eq!(problems.len(), TOLD_PROBLEMS);
        assert_eq!(problems.last().unwrap().detail, "are 9 more than are listed");
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let denied = io::Error::from_raw_os_error(1);
        assert!(kernel("wg0", &denied).contains("CAP_NET_ADMIN"));
        let denied = io::Error::from_raw_os_error(13);
        assert!(daemon("wg0", &denied).contains("CAP_DAC_OVERRIDE"));
        let refused = io::Error::from_raw_os_error(111);
        assert!(daemon("wg0", &refused).contains("dead"));
    }
}
