//! The captured WireGuard laboratory, posted as a shell agent would: three hosts, five states,
//! real output of `ip -j` and `wg show all dump`.

use std::fs;
use std::path::PathBuf;

use kattila::model::id::ReportId;
use kattila::model::time::UnixSeconds;
use kattila::store::row::ReportFilter;
use serde_json::Value;

use crate::support::actors::Agent;
use crate::support::manager::{START, TestManager};

const STATES: [&str; 5] = [
    "02-all-up",
    "03-b-underlay-down",
    "04-b-roamed",
    "05-peer-removed-c-wg-down",
    "06-b-roamed-rehandshaken",
];

fn capture(state: &str, host: &str, kind: &str) -> String {
    let name = format!("tests/fixtures/lab/{state}/{host}.{kind}");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// `data` of a host, the captures untouched.
fn data(state: &str, host: &str) -> String {
    let dump = Value::from(capture(state, host, "wg_show_all_dump"));
    format!(
        r#"{{"hostname":"{host}","fleet_id":"lab","interfaces":{},"routes":{},"wg_dump":{dump}}}"#,
        capture(state, host, "ip_-j_addr"),
        capture(state, host, "ip_-j_route"),
    )
}

/// The links as `host/interface host/interface state`, sorted.
async fn links(kattila: &TestManager) -> Vec<String> {
    let map = kattila.operator().topology().await;
    let end = |end: &Value| {
        let text = |name: &str| end[name].as_str().unwrap_or("-").to_owned();
        format!("{}/{}", text("agent_id"), text("interface"))
    };
    let mut links: Vec<String> = map["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            let mut ends = [end(&edge["ends"][0]), end(&edge["ends"][1])];
            ends.sort();
            format!("{} {} {}", ends[0], ends[1], edge["state"].as_str().unwrap())
        })
        .collect();
    links.sort();
    links
}

#[tokio::test(flavor = "multi_thread")]
async fn the_captured_laboratory_appears_as_it_was() {
    let kattila = TestManager::start().await;
    // The captures' handshakes are at most seconds old at the protocol's test time.
    kattila.clock.set(UnixSeconds(START.0 + 5));
    let mut hosts: Vec<Agent> = ["a", "b", "c"].iter().map(|host| kattila.agent(host)).collect();
    let mut seen = Vec::new();
    for state in STATES {
        for host in &mut hosts {
            let name = host.id.clone();
            let envelope = host.seal_v1(&data(state, &name));
            let answer = host.send(&envelope).await;
            assert_eq!(answer.status, 200, "{state} {name}: {}", answer.text());
        }
        kattila.advance(30).await;
        seen.push((state, links(&kattila).await));
    }
    let half = "b/wg1 c/wg0 half_configured";
    let whole = ["a/wg0 b/wg0 up", "a/wg0 c/wg0 up", half];
    let removed = ["a/wg0 b/wg0 up", "a/wg0 c/wg0 half_configured", half];
    let expected = [whole, whole, whole, removed, removed];
    for ((state, links), expected) in seen.iter().zip(expected) {
        assert_eq!(links, &expected, "{state}");
    }
    let alarms = kattila.operator().alarms().await;
    let count = |kind: &str| alarms.iter().filter(|alarm| alarm.starts_with(kind)).count();
    assert_eq!(count("edge.half_configured "), 2, "{alarms:?}");
    assert_eq!(count("report.secret "), 3, "the captures hold private keys: {alarms:?}");
    no_private_key_is_kept(&kattila);
    kattila.stop().await;
}

/// The dumps' private keys are nowhere in the files of the database.
fn no_private_key_is_kept(kattila: &TestManager) {
    let mut kept = fs::read(kattila.db()).unwrap();
    kept.extend(fs::read(kattila.db().with_extension("db-wal")).unwrap_or_default());
    let reader = kattila.manager().reader();
    let reports = reader.reports(&ReportFilter::onwards(ReportId(0), 100)).unwrap();
    assert_eq!(reports.len(), 15);
    for report in reports {
        assert!(report.summary.redacted);
        kept.extend(report.envelope);
    }
    for state in STATES {
        for host in ["a", "b", "c"] {
            let dump = capture(state, host, "wg_show_all_dump");
            let own = dump.lines().map(|line| line.split('\t').collect::<Vec<_>>());
            for columns in own.filter(|columns| columns.len() == 5) {
                let key = columns[1].as_bytes();
                let found = kept.windows(key.len()).any(|window| window == key);
                assert!(!found, "{state} {host}: the private key of {} was kept", columns[0]);
            }
        }
    }
}
