//! An agent and a real manager agree on who the agent is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kattila::clock::Clock;
use kattila::keys::dns::{DnsConfig, DnsServer};
use kattila::keys::source::SourceConfig;
use serde_json::json;

use crate::support::dns::{Misbehaviour, PLAIN, TestDns};
use crate::support::host::TestHost;
use crate::support::http::post_json;
use crate::support::manager::{ADMIN_TOKEN, PSK, START, TestManager};
use crate::support::scripted::{Reply, Scripted};
use crate::support::stored::reports;

fn url(kattila: &TestManager) -> String {
    format!("http://{}", kattila.addr())
}

/// How each stored report was signed, in the order they came.
fn algorithms(kattila: &TestManager) -> Vec<String> {
    let all = reports(&kattila.db());
    all.iter().map(|(_, envelope)| envelope["alg"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_first_report_is_signed_with_a_key_of_its_own() {
    let kattila = TestManager::start().await;
    let mut host = TestHost::new(&url(&kattila), kattila.clock.clone());
    host.live(100).await;
    let algorithms = algorithms(&kattila);
    assert!(algorithms.len() >= 3);
    assert!(algorithms.iter().all(|alg| alg == "ed25519"), "{algorithms:?}");
    assert_eq!(kattila.operator().agents().await[0]["scheme"], "v2-ed25519");
    kattila.stop().await;
}

#[tokio::test]
async fn an_agent_waits_until_an_admin_approves_it_and_then_tells_everything() {
    let kattila = TestManager::start_with(&[("KATTILA_ENROLL", "approve")]).await;
    let mut host = TestHost::new(&url(&kattila), kattila.clock.clone());
    host.live(200).await;
    assert_eq!(algorithms(&kattila).len(), 0);
    let waiting = host.waiting();
    assert!(waiting >= 6, "{waiting}");
    let kid = {
        let agents = kattila.operator().json("/status/agents").await;
        assert_eq!(agents[0]["status"], "pending");
        host.agent().key_name().to_string()
    };
    let path = format!("/api/v1/agents/{}/approve?kid={kid}", host.agent().agent_id());
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let answer =
        post_json(kattila.addr(), &path, &[("authorization", &bearer)], json!({}).to_string())
            .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    host.live(200).await;
    assert_eq!(host.waiting(), 0);
    assert!(algorithms(&kattila).len() >= waiting + 4);
    kattila.stop().await;
}

#[tokio::test]
async fn an_unpinned_agent_enrols_again() {
    let kattila = TestManager::start().await;
    let mut host = TestHost::new(&url(&kattila), kattila.clock.clone());
    host.live(60).await;
    let unpin = json!({ "agent_id": host.agent().agent_id(), "identity": true });
    assert_eq!(kattila.admin().reset(&unpin).await.status, 200);
    let before = algorithms(&kattila).len();
    host.live(300).await;
    assert_eq!(host.waiting(), 0);
    let after = algorithms(&kattila);
    assert!(after.len() >= before + 8, "{before} and {}", after.len());
    assert_eq!(after.last().map(String::as_str), Some("ed25519"));
    kattila.stop().await;
}

#[tokio::test]
async fn a_manager_that_is_closed_takes_nobody_and_nothing_is_lost_until_it_opens() {
    let kattila = TestManager::start_with(&[("KATTILA_ENROLL", "closed")]).await;
    let mut host = TestHost::new(&url(&kattila), kattila.clock.clone());
    host.live(300).await;
    assert_eq!(algorithms(&kattila).len(), 0);
    let kattila = kattila.restart_with(&[("KATTILA_ENROLL", "open")]).await;
    host.move_to(&url(&kattila));
    host.live(600).await;
    assert_eq!(host.waiting(), 0);
    let count = u64::try_from(algorithms(&kattila).len()).unwrap();
    let mut looks: Vec<u64> = reports(&kattila.db())
        .iter()
        .map(|(_, envelope)| envelope["data"]["n"].as_u64().unwrap())
        .collect();
    looks.sort_unstable();
    assert_eq!(looks, (1..=count).collect::<Vec<_>>(), "each once");
    kattila.stop().await;
}

/// A host that is not enrolled needs the fleet's key to report, also after a restart while DNS
/// is down.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_keys_from_dns_are_kept_until_it_is_enrolled() {
    for keeps in [true, false] {
        let dns = TestDns::start().await;
        dns.set_keys(PLAIN, &[PSK]).await;
        let door = Scripted::start().await;
        let server = Some(DnsServer::plain(dns.addr()));
        let record = DnsConfig { server, ..DnsConfig::new(PLAIN.parse().unwrap()) };
        let mut host = TestHost::with(&door.url(), Clock::manual(START), |settings| {
            settings.keys = SourceConfig::Dns(record);
            settings.keep_keys = keeps;
        });
        host.live(40).await;
        let file = host.settings.dir.join("keys");
        assert_eq!((file.exists(), door.reports().is_empty()), (keeps, false));
        if keeps {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        dns.misbehave(Misbehaviour::Refused);
        let before = door.reports().len();
        host.kill();
        host.live(40).await;
        assert_eq!(door.reports().len() > before, keeps, "after a restart without DNS");
        // Its own key signs from the next attempt on.
        dns.misbehave(Misbehaviour::None);
        door.enrol(Reply::enrolled(201));
        host.live(8_000).await;
        assert!(!file.exists());
        assert_eq!(door.reports().last().unwrap().json()["alg"], "ed25519");
    }
}
