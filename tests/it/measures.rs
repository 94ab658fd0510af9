//! What the metrics' door tells of work that was done: checks, batches, commits, replay windows, keys.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::http::get;
use crate::support::manager::{PSK, TestManager};

const ALPHA: &str = "aaaaaaaaaaaaaaaa";
const BETA: &str = "bbbbbbbbbbbbbbbb";

/// A manager with keys in a file, beside the file, and its metrics' door.
async fn manager(keys: &std::path::Path) -> TestManager {
    let keys = keys.to_str().unwrap();
    TestManager::start_with(&[
        ("KATTILA_METRICS_LISTEN", "127.0.0.1:0"),
        ("KATTILA_PSK", ""),
        ("KATTILA_PSK_FILE", keys),
    ])
    .await
}

/// All samples by name and labels.
async fn samples(kattila: &TestManager) -> BTreeMap<String, f64> {
    let door = kattila.manager().metrics_addr().unwrap();
    let text = get(door, "/metrics", &[]).await.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_told_by_scheme_and_result_and_commits_by_how_long_they_took() {
    let kattila = TestManager::start_with(&[("KATTILA_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let before = samples(&kattila).await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    alpha.report(&json!({})).await;
    alpha.report(&json!({})).await;
    beta.report_v1(&json!({ "hostname": "beta" })).await;
    beta.report_v1(&json!({ "hostname": "beta", "uptime_s": 1 })).await;
    let forged = alpha.seal_v2("{}").replace("\"data\":{}", "\"data\":{\"a\":1}");
    assert_eq!(alpha.send(&forged).await.status, 401);
    assert_eq!(alpha.send("nonsense").await.status, 400);

    let after = samples(&kattila).await;
    let checked = |labels: &str| after[&format!("kattila_verification_seconds_count{{{labels}}}")];
    assert!((checked(r#"scheme="v2-hmac",result="ok""#) - 2.0).abs() < 0.1, "{after:#?}");
    assert!((checked(r#"scheme="v1",result="ok""#) - 2.0).abs() < 0.1);
    assert!(checked(r#"scheme="v2-hmac",result="signature_invalid""#) >= 1.0);
    let unread: f64 = after
        .iter()
        .filter(|(name, _)| name.contains("verification_seconds_count{scheme=\"unknown\""))
        .map(|(_, count)| count)
        .sum();
    assert!((unread - 1.0).abs() < 0.1, "{after:#?}");

    // Four reports came one after the other: as many batches and commits at least.
    for name in ["batch_jobs", "batch_seconds", "commit_seconds"] {
        let count = format!("kattila_{name}_count");
        assert!(after[&count] >= before[&count] + 4.0, "{name}: {after:#?}");
        let all = format!("kattila_{name}_bucket{{le=\"+Inf\"}}");
        assert!((after[&all] - after[&count]).abs() < 0.1, "{name}");
        assert!(after[&format!("kattila_{name}_sum")] > 0.0, "{name}");
    }
    assert!(after["kattila_commit_seconds_sum"] <= after["kattila_batch_seconds_sum"] + 60.0);
    assert!((after["kattila_replay_windows"] - 2.0).abs() < 0.1);
    // Two windows, and a nonce of 16 bytes in each.
    assert!(after["kattila_replay_bytes"] >= 2.0 * 16.0);
    assert!(before["kattila_replay_windows"].abs() < 0.1);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_and_the_state_of_its_source_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    std::fs::write(&file, format!("{PSK}\n")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let kattila = manager(&file).await;
    let told = samples(&kattila).await;
    let keys = |told: &BTreeMap<String, f64>, state: &str| {
        let state = format!("state=\"{state}\"");
        let named = |name: &&String| name.starts_with("kattila_key_age_seconds{kid=");
        told.keys().filter(named).filter(|name| name.contains(&state)).count()
    };
    assert_eq!((keys(&told, "current"), keys(&told, "previous")), (1, 0), "{told:#?}");
    assert!(!told.keys().any(|name| name.contains(PSK)));
    assert!(told["kattila_keys_failing_seconds"].abs() < 0.1);
    assert!((told["kattila_keys_secure"] + 1.0).abs() < 0.1, "a file is not proved by DNSSEC");

    // Another key, and then the source is gone.
    let other = "another-key-of-the-tests-00000000000";
    std::fs::write(&file, format!("{other}\n{PSK}\n")).unwrap();
    kattila.manager().refresh_keys().await;
    let told = samples(&kattila).await;
    assert_eq!((keys(&told, "current"), keys(&told, "previous")), (1, 1), "{told:#?}");
    std::fs::remove_file(&file).unwrap();
    kattila.manager().refresh_keys().await;
    kattila.advance(90).await;
    let told = samples(&kattila).await;
    assert!(told["kattila_keys_failing_seconds"] >= 90.0, "{told:#?}");
    assert!(told["kattila_keys_age_seconds"] >= 90.0);
    assert!(told["kattila_keys_failures"] >= 1.0);
    assert!((told["kattila_keys_usable"] - 2.0).abs() < 0.1, "the last known stay");
    kattila.stop().await;
}
