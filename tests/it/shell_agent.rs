//! The shell agent of the documentation, run as it stands on this machine's own interfaces,
//! with its key from a real DNS server.

use std::path::PathBuf;
use std::process::Output;

use tokio::process::Command;

use crate::support::dns::{PLAIN, TestDns};
use crate::support::manager::{PSK, TestManager};

async fn run(kattila: &TestManager, dns: &TestDns) -> Output {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/shell-agent.sh");
    Command::new("sh")
        .arg(script)
        .env_remove("KATTILA_PSK")
        .env("KATTILA_URL", format!("http://{}", kattila.addr()))
        .env("KATTILA_DNS_NAME", PLAIN)
        .env("KATTILA_DNS_SERVER", dns.addr().to_string())
        .env("KATTILA_AGENT_ID", "this-machine")
        .env("KATTILA_SITE", "here")
        .output()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_appears_on_the_map() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[PSK]).await;
    let server = dns.addr().to_string();
    let settings =
        [("KATTILA_PSK", ""), ("KATTILA_DNS_NAME", PLAIN), ("KATTILA_DNS_SERVER", server.as_str())];
    let kattila = TestManager::start_live(&settings).await;
    for _ in 0..2 {
        let output = run(&kattila, &dns).await;
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{complained}");
        assert!(said.contains("\"status\":\"ok\""), "{said}\n{complained}");
    }
    kattila.manager().step().await;
    let agent = kattila.operator().json("/api/v1/agents/this-machine").await;
    assert_eq!(agent["status"], "online", "{agent}");
    assert_eq!(agent["scheme"], "v1");
    assert_eq!(agent["problems"].as_array().map(Vec::len), Some(0), "{agent}");
    let interfaces = agent["interfaces"].as_array().unwrap();
    let loopback = interfaces.iter().find(|i| i["name"] == "lo").unwrap();
    assert!(loopback["addresses"].as_array().unwrap().contains(&"127.0.0.1/8".into()));
    assert!(!agent["routes"].as_array().unwrap().is_empty());
    let map = kattila.operator().topology().await;
    assert_eq!(map["nodes"][0]["id"], "a:this-machine");
    assert_eq!(map["nodes"][0]["site"], "default/here");
    kattila.stop().await;
}

#[test]
fn it_is_short() {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/shell-agent.sh");
    let lines = std::fs::read_to_string(script).unwrap().lines().count();
    assert!(lines < 30, "{lines} lines");
}
