//! What a host lacks for a full report, found by looking at it once.

use std::fs;
use std::path::Path;

use super::Places;
use super::snapshot::Snapshot;
use super::trouble::{About, Troubles};

/// `CAP_DAC_OVERRIDE` and `CAP_NET_ADMIN` (kernel `include/uapi/linux/capability.h`).
const NEEDED: [(u32, &str); 2] = [(1, "CAP_DAC_OVERRIDE"), (12, "CAP_NET_ADMIN")];

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which thing.
    pub about: &'static str,
    /// What is well, or what is wrong and what to do.
    pub verdict: Result<String, String>,
}

/// Judges a look.
pub(super) fn findings(places: &Places, snapshot: &Snapshot, troubles: &Troubles) -> Vec<Finding> {
    let interfaces = snapshot.interfaces.as_deref().unwrap_or_default();
    let routes = snapshot.routes.as_deref().unwrap_or_default();
    let own = interfaces.iter().filter(|interface| interface.public_key.is_some()).count();
    let peers = snapshot.wg_peers.as_deref().unwrap_or_default();
    let host = snapshot.hostname.as_deref().unwrap_or("without a name");
    let network = format!("{} interfaces, {} routes", interfaces.len(), routes.len());
    let wireguard = match own {
        0 => "no interface with a key now".to_owned(),
        _ => format!("{own} interfaces with a key, {} peers", peers.len()),
    };
    vec![
        finding("host", troubles, &[About::Host], host.to_owned()),
        finding("network", troubles, &[About::Network], network),
        finding("wireguard", troubles, &[About::Kernel, About::Daemons], wireguard),
        finding("size", troubles, &[About::Size], "a report holds everything".to_owned()),
        Finding { about: "rights", verdict: rights(&places.proc) },
    ]
}

fn finding(about: &'static str, troubles: &Troubles, parts: &[About], well: String) -> Finding {
    let ill: Vec<String> = parts
        .iter()
        .flat_map(|part| troubles.about(*part))
        .map(|problem| format!("{} {}", problem.path, problem.detail))
        .collect();
    Finding { about, verdict: if ill.is_empty() { Ok(well) } else { Err(ill.join("\n")) } }
}

/// Whether this process may read WireGuard whenever it appears (`CapEff` of `proc_pid_status(5)`).
fn rights(proc: &Path) -> Result<String, String> {
    let path = proc.join("self/status");
    let status = fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let Some(effective) = capabilities(&status) else {
        return Err(format!("{} does not tell the capabilities", path.display()));
    };
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(bit, _)| effective & (1 << bit) == 0)
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        return Ok("may read WireGuard in the kernel and in daemons".to_owned());
    }
    Err(format!(
        "{} missing: the kernel's WireGuard is told only to CAP_NET_ADMIN, daemons' sockets open \
         only for their owner or CAP_DAC_OVERRIDE; set AmbientCapabilities= in the unit, or run \
         as root",
        missing.join(" and ")
    ))
}

fn capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights_of(effective: &str) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("self")).unwrap();
        let status = format!("Name:\tkattila\nCapEff:\t{effective}\nCapBnd:\t0\n");
        fs::write(dir.path().join("self/status"), status).unwrap();
        rights(dir.path())
    }

    #[test]
    fn missing_rights_are_named() {
        assert!(rights_of("000001ffffffffff").is_ok());
        assert!(rights_of("0000000000001002").is_ok());
        let none = rights_of("0000000000000000").unwrap_err();
        assert!(none.starts_with("CAP_DAC_OVERRIDE and CAP_NET_ADMIN missing"), "{none}");
        let one = rights_of("0000000000000002").unwrap_err();
        assert!(one.starts_with("CAP_NET_ADMIN missing"), "{one}");
    }

    #[test]
    fn a_problem_makes_its_part_wrong() {
        let mut troubles = Troubles::default();
        troubles.add(About::Daemons, "wg_peers", "of wg0 cannot be read: dead".to_owned());
        let places = Places::default();
        let found = findings(&places, &Snapshot::default(), &troubles);
        let wireguard = found.iter().find(|finding| finding.about == "wireguard").unwrap();
        assert_eq!(wireguard.verdict, Err("wg_peers of wg0 cannot be read: dead".to_owned()));
        assert!(found.iter().find(|finding| finding.about == "size").unwrap().verdict.is_ok());
    }
}
