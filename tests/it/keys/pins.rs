//! Pinned key ids: whoever can change the record still cannot bring a key of their own.

use kattila::keys::dns::DnsConfig;
use kattila::keys::health::RefreshOutcome;
use kattila::keys::keeper::Keeper;
use kattila::keys::policy::KeyChangeKind;
use kattila::keys::ring::KeyState;
use kattila::keys::source::SourceConfig;
use kattila::sign::psk::kid_of_psk;

use super::{A, B, C, START, changes, config, keeper, secrets};
use crate::support::dns::{PLAIN, TestDns};
use crate::support::manager::TestManager;

fn pinning(dns: &TestDns, keys: &[&str]) -> SourceConfig {
    let pins = keys.iter().map(|key| kid_of_psk(key.as_bytes())).collect();
    SourceConfig::Dns(DnsConfig { pins, ..config(dns, PLAIN) })
}

#[tokio::test]
async fn only_pinned_keys_are_taken_and_others_are_told() {
    let dns = TestDns::start().await;
    let keeper = Keeper::new(pinning(&dns, &[A, B]), Vec::new());
    dns.set_keys(PLAIN, &[A, C]).await;
    let refresh = keeper.refresh(START).await;
    assert_eq!(refresh.outcome, RefreshOutcome::Fresh);
    assert_eq!(secrets(&keeper.ring(), START), [A]);
    let told = refresh.health.unexpected.join(" ");
    let strange = kid_of_psk(C.as_bytes());
    assert!(told.contains(strange.as_str()) && told.contains("not pinned"), "{told}");

    dns.set_keys(PLAIN, &[A, B]).await;
    let rotated = keeper.refresh(START.plus(300)).await;
    assert!(!rotated.health.is_unexpected());
    assert_eq!(secrets(&keeper.ring(), START.plus(300)), [B, A]);

    // A forger who replaces the whole record changes nothing but the alarm.
    dns.set_keys(PLAIN, &[C]).await;
    let forged = keeper.refresh(START.plus(600)).await;
    assert!(matches!(forged.outcome, RefreshOutcome::Missing(_)), "{:?}", forged.outcome);
    assert!(forged.health.is_unexpected() && forged.changes.is_empty());
    assert_eq!(secrets(&keeper.ring(), START.plus(600)), [B, A]);
}

#[tokio::test]
async fn keys_of_the_last_run_that_are_not_pinned_leave_at_the_start() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A, B]).await;
    let known = keeper(&dns).refresh(START).await.to_store;
    let restarted = Keeper::new(pinning(&dns, &[B]), known);
    assert_eq!(secrets(&restarted.ring(), START), [B]);
    let refresh = restarted.refresh(START.plus(5)).await;
    assert!(changes(&refresh).contains(&KeyChangeKind::Retired), "{:?}", refresh.changes);
    let left = refresh.to_store.iter().find(|key| key.kid == kid_of_psk(A.as_bytes())).unwrap();
    assert_eq!(left.state, KeyState::Retired.as_str());
    assert_eq!(secrets(&restarted.ring(), START.plus(5)), [B]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_pinned_is_a_critical_alarm() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A, C]).await;
    let (server, pin) = (dns.addr().to_string(), kid_of_psk(A.as_bytes()).to_string());
    let kattila = TestManager::start_with(&[
        ("KATTILA_PSK", ""),
        ("KATTILA_DNS_NAME", PLAIN),
        ("KATTILA_DNS_SERVER", &server),
        ("KATTILA_DNS_PIN", &pin),
    ])
    .await;
    let alarms = kattila.operator().json("/status/alarms").await;
    let (kind, severity) = (&alarms[0]["kind"], &alarms[0]["severity"]);
    assert_eq!((kind.as_str(), severity.as_str()), (Some("dns_psk.unexpected"), Some("critical")));
    let message = alarms[0]["message"].as_str().unwrap();
    assert!(message.contains(kid_of_psk(C.as_bytes()).as_str()), "{message}");
    let keys = kattila.operator().json("/api/v1/keys").await["keys"].clone();
    assert_eq!((keys.as_array().unwrap().len(), keys[0]["kid"].as_str()), (1, Some(&*pin)));
    let page = kattila.operator().get("/settings").await.text();
    assert!(page.contains(&format!("only the keys {pin}")), "{page}");
    kattila.stop().await;
}
