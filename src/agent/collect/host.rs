//! The host itself, from `/proc` (`proc_uptime(5)`, `proc_loadavg(5)`, `proc_sys_kernel(5)`).
//!
//! In a container these are partly the host's own: uptime and load are not divided by
//! namespaces, the name is.

use std::fs;
use std::path::Path;

use super::snapshot::Snapshot;
use super::trouble::{About, Troubles};

/// Takes what the host says of itself.
pub(super) fn read(proc: &Path, snapshot: &mut Snapshot, troubles: &mut Troubles) {
    let mut text = |name: &'static str, member: &'static str| {
        let path = proc.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(error) => {
                let detail = format!("cannot be read from {}: {error}", path.display());
                troubles.add(About::Host, member, detail);
                None
            }
        }
    };
    snapshot.hostname = text("sys/kernel/hostname", "hostname");
    snapshot.boot_id = text("sys/kernel/random/boot_id", "boot_id");
    snapshot.uptime_seconds = text("uptime", "uptime_seconds").as_deref().and_then(uptime);
    snapshot.load = text("loadavg", "load").as_deref().and_then(load);
}

/// Whole seconds of `350735.47 234388.90`.
fn uptime(text: &str) -> Option<u64> {
    text.split(['.', ' ']).next()?.parse().ok()
}

/// The averages of `0.20 0.18 0.12 1/80 11206`.
fn load(text: &str) -> Option<[f64; 3]> {
    let mut averages = text.split(' ').map(str::parse::<f64>);
    let mut next = || averages.next()?.ok().filter(|average| average.is_finite());
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_prints() {
        assert_eq!(uptime("350735.47 234388.90"), Some(350_735));
        assert_eq!(uptime("soon"), None);
        assert_eq!(load("0.20 0.18 12.00 1/80 11206"), Some([0.2, 0.18, 12.0]));
        assert_eq!(load("0.20 0.18"), None);
        assert_eq!(load("nan 0 0"), None);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("uptime"), "12.5 3.0\n").unwrap();
        let (mut snapshot, mut troubles) = (Snapshot::default(), Troubles::default());
        read(dir.path(), &mut snapshot, &mut troubles);
        assert_eq!(snapshot.uptime_seconds, Some(12));
        assert_eq!(snapshot.hostname, None);
        let paths: Vec<_> = troubles.into_problems().into_iter().map(|p| p.path).collect();
        assert_eq!(paths, ["boot_id", "hostname", "load"]);
    }
}
