//! `kattila replay`: the same rules give the alarms that were, others those that would have been.

use std::path::Path;

use serde_json::Value;

use crate::support::network::Network;
use crate::support::process::{Ended, run};

/// A fleet that lives second by second, and what goes wrong in it.
async fn a_bad_hour() -> Network {
    let mut net = Network::start(3, &[(0, 1), (0, 2)]).await;
    net.live(330).await;
    net.silent.insert(1);
    net.live(330).await;
    net.silent.clear();
    net.live(90).await;
    net.links[1].alive = false;
    net.hosts[0].boot_id = "boot-alpha-2";
    net.live(450).await;
    net.links[1].alive = true;
    net.live(150).await;
    net
}

async fn replay(net: &Network, args: &[&str]) -> Ended {
    let db = net.kattila.db().display().to_string();
    let args: Vec<&str> = [&["replay", "--db", &db], args].concat();
    run(Path::new("/"), &args, &[]).await
}

fn read(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.said).unwrap()
}

/// Kinds in one part of the answer.
fn kinds<'a>(found: &'a Value, part: &str) -> Vec<&'a str> {
    let all = found[part].as_array().unwrap().iter();
    all.map(|told| told["kind"].as_str().or(told["was"]["kind"].as_str()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rules_give_the_same_alarms_and_others_what_they_would() {
    let net = a_bad_hour().await;
    let files = || {
        ["", "-wal"].map(|end| {
            std::fs::read(format!("{}{end}", net.kattila.db().display())).unwrap_or_default()
        })
    };
    let before = files();
    let ended = replay(&net, &["--json"]).await;
    let found = read(&ended);
    for part in ["changed", "only_was", "only_would"] {
        assert_eq!(found[part], serde_json::json!([]), "{found}");
    }
    let same = kinds(&found, "same");
    for kind in ["agent.stale", "agent.offline", "edge.down", "agent.rebooted", "net.partition"] {
        assert!(same.contains(&kind), "{kind} is not among {same:?}");
    }
    assert_eq!(found["left_out"], serde_json::json!({}), "{found}");
    assert_eq!(replay(&net, &["--json"]).await.said, ended.said, "byte for byte");

    let rules = tempfile::NamedTempFile::new().unwrap();
    let text = "[[rule]]\nkinds = \"agent.offline\"\nenabled = false\n\
                [[rule]]\nkinds = \"edge.down\"\nseverity = \"info\"\n\
                [[rule]]\nkinds = \"agent.stale\"\nlimits = { intervals = 1 }\n";
    std::fs::write(rules.path(), text).unwrap();
    let file = rules.path().to_str().unwrap();
    let found = read(&replay(&net, &["--json", "--rules", file]).await);
    assert_eq!(kinds(&found, "only_was"), ["agent.offline"]);
    let changed = kinds(&found, "changed");
    assert!(changed.contains(&"edge.down") && changed.contains(&"agent.stale"), "{found}");
    let stale =
        found["changed"].as_array().unwrap().iter().find(|p| p["was"]["kind"] == "agent.stale");
    let times = ["was", "would"].map(|side| stale.unwrap()[side]["raised_at"].as_i64().unwrap());
    assert_eq!(times[0] - times[1], 60, "two intervals earlier");
    let told = replay(&net, &["--rules", file]).await.said;
    assert!(told.contains("would not be     1\n  agent.offline "), "{told}");
    assert!(told.contains("cannot be known:\n  Refused requests"), "{told}");
    assert_eq!(files(), before, "the database stays as it is");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_part_of_the_time_and_what_makes_no_sense() {
    let mut net = Network::start(1, &[]).await;
    let begin = net.now();
    net.live(360).await;
    net.silent.insert(0);
    net.live(300).await;
    let to = (begin + 500).to_string();
    let from = (begin + 480).to_string();
    let found = read(&replay(&net, &["--json", "--from", &from, "--to", &to]).await);
    assert_eq!(found["same"], serde_json::json!([]), "raised before: {found}");
    let found = read(&replay(&net, &["--json", "--to", &to]).await);
    assert_eq!(kinds(&found, "same"), ["agent.stale"], "the host is offline later: {found}");
    assert_eq!(found["same"][0]["cleared_at"], Value::Null);
    for (args, said) in [
        (["--from", "soon"], "is no time"),
        (["--from", "9999999999"], "--from must not be later than --to"),
        (["--to", "10"], "no report is stored between"),
        (["--rules", "/nowhere.toml"], "cannot be read"),
    ] {
        let ended = replay(&net, &args).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.complained.contains(said), "{ended:?}");
    }
    net.kattila.stop().await;
}
