//! Makes `data` from what was observed and what this host says of itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::id::FleetId;
use crate::model::time::UnixSeconds;
use crate::wire::limits::DATA_BYTES;

use super::losses::Losses;

/// The member in which a report tells what its sender could not do.
const PROBLEMS: &str = "problems";

/// The lists of a report that may be long, with the member that says one was cut.
const LISTS: [(&str, &str); 3] = [
    ("routes", "routes_truncated"),
    ("wg_peers", "wg_peers_truncated"),
    ("interfaces", "interfaces_truncated"),
];

/// What this host says of itself in every report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its fleet.
    pub fleet_id: FleetId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// The bytes of `data`, never more than the manager takes.
pub fn assemble(
    mut seen: Map<String, Value>,
    about: &About,
    now: UnixSeconds,
    losses: Losses,
) -> Vec<u8> {
    seen.insert("agent_version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    seen.insert("fleet_id".to_owned(), json!(about.fleet_id));
    seen.insert("collected_at".to_owned(), json!(now));
    if !about.labels.is_empty() {
        seen.insert("labels".to_owned(), json!(about.labels));
    }
    for sentence in losses.sentences() {
        tell(&mut seen, "spool", &sentence);
    }
    fit(seen)
}

/// Adds a problem.
fn tell(seen: &mut Map<String, Value>, path: &str, detail: &str) {
    let problems = seen.entry(PROBLEMS).or_insert_with(|| json!([]));
    if let Value::Array(list) = problems {
        list.push(json!({ "path": path, "detail": detail }));
    }
}

/// Cuts the longest list in half until all fits.
fn fit(mut seen: Map<String, Value>) -> Vec<u8> {
    loop {
        let bytes = text(&seen);
        if bytes.len() <= DATA_BYTES {
            return bytes;
        }
        let longest = LISTS
            .iter()
            .filter_map(|(name, mark)| {
                let list = seen.get(*name)?.as_array()?;
                (!list.is_empty()).then(|| (list.iter().map(weight).sum::<usize>(), name, mark))
            })
            .max();
        let Some((_, name, mark)) = longest else {
            // Nothing of a host's is that large but its lists; a report that says so is better
            // than none.
            seen.retain(|name, value| name == "hostname" || weight(value) < 256);
            return text(&seen);
        };
        if let Some(Value::Array(list)) = seen.get_mut(*name) {
            list.truncate(list.len() / 2);
        }
        seen.insert((*mark).to_owned(), Value::Bool(true));
    }
}

fn text(seen: &Map<String, Value>) -> Vec<u8> {
    // A map of JSON values can always be written as JSON.
    serde_json::to_vec(seen).unwrap_or_else(|_| b"{}".to_vec())
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(list) => list.iter().map(weight).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>() + 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::data;

    fn about() -> About {
        let labels = [("site".to_owned(), "vienna".to_owned())].into();
        About { fleet_id: "fleet-a".parse().unwrap(), labels }
    }

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value}") };
        map
    }

    #[test]
    fn the_host_says_who_it_is() {
        let seen = object(json!({"hostname": "gw-1", "problems": [{"path": "wg", "detail": "x"}]}));
        let losses = Losses { full: 2, ..Losses::default() };
        let bytes = assemble(seen, &about(), UnixSeconds(7), losses);
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read["hostname"], "gw-1");
        assert_eq!(read["fleet_id"], "fleet-a");
        assert_eq!(read["labels"]["site"], "vienna");
        assert_eq!(read["collected_at"], 7);
        assert_eq!(read["agent_version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(read["problems"][1]["path"], "spool");
        assert!(data::parse(&bytes).is_ok());
    }

    #[test]
    fn a_router_with_a_full_table_is_cut_to_fit() {
        let route = |n| {
            json!({"dst": format!("2001:db8:{n:x}::/48"), "gateway": "fe80::1",
            "dev": "eth0", "protocol": "bgp", "table": 254, "type": "unicast"})
        };
        let routes: Vec<_> = (0..4096).map(route).collect();
        let seen = object(json!({"hostname": "core", "routes": routes, "wg_peers": [{"a": 1}]}));
        let bytes = assemble(seen, &about(), UnixSeconds(7), Losses::default());
        assert!(bytes.len() <= DATA_BYTES);
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(read["routes"].as_array().unwrap().len() >= 1024);
        assert_eq!(read["routes_truncated"], true);
        assert!(read.get("wg_peers_truncated").is_none());
    }

    #[test]
    fn whatever_is_too_large_goes() {
        let seen = object(json!({"hostname": "h", "wg_dump": "x".repeat(2 * DATA_BYTES)}));
        let bytes = assemble(seen, &about(), UnixSeconds(7), Losses::default());
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&read["hostname"], read.get("wg_dump")), (&json!("h"), None));
    }
}
