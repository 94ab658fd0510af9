//! DNS over TLS: the right server is believed, nobody else is, and nothing is asked in plain.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kattila::keys::dns::tls::DnsTls;
use kattila::keys::dns::{DnsConfig, DnsServer, Dnssec};
use kattila::keys::health::RefreshOutcome;
use kattila::keys::keeper::Keeper;
use kattila::keys::ring::StoredKey;
use kattila::keys::source::SourceConfig;

use super::{A, B, START, config, secrets};
use crate::support::certificates::{authority, issued};
use crate::support::dns::{PLAIN, SIGNED, TestDns};
use crate::support::manager::TestManager;
use crate::support::process::{kattila, run};

const HOST: &str = "dns.kattila.example";

/// A server that speaks TLS, and everything a client may trust.
struct Net {
    dir: tempfile::TempDir,
    dns: TestDns,
    at: SocketAddr,
    ca: PathBuf,
    other_ca: PathBuf,
}

impl Net {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = authority(dir.path(), "authority").await;
        let other = authority(dir.path(), "other-authority").await;
        let server = issued(dir.path(), &ca, HOST).await;
        let mut dns = TestDns::start().await;
        let at = dns.speak_tls(&server).await;
        dns.set_keys(PLAIN, &[A]).await;
        Self { dir, dns, at, ca: ca.cert, other_ca: other.cert }
    }

    fn config(&self, at: SocketAddr, name: &str, ca: &Path) -> DnsConfig {
        let tls = DnsTls::new(name, Some(ca.to_owned())).unwrap();
        let server = Some(DnsServer { address: at, tls: Some(tls) });
        DnsConfig { server, ..config(&self.dns, PLAIN) }
    }

    fn keeper(&self) -> Keeper {
        Keeper::new(SourceConfig::Dns(self.config(self.at, HOST, &self.ca)), Vec::new())
    }

    /// The settings of a program that asks this server.
    fn settings<'a>(&self, at: &'a str, ca: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![
            ("KATTILA_PSK", ""),
            ("KATTILA_DNS_NAME", PLAIN),
            ("KATTILA_DNS_SERVER", at),
            ("KATTILA_DNS_TLS_NAME", HOST),
            ("KATTILA_DNS_TLS_CA", ca),
        ]
    }
}

#[tokio::test]
async fn the_right_server_is_believed_and_nothing_is_asked_in_plain() {
    let net = Net::start().await;
    let keeper = net.keeper();
    let refresh = keeper.refresh(START).await;
    assert_eq!(refresh.outcome, RefreshOutcome::Fresh);
    assert_eq!(secrets(&keeper.ring(), START), [A]);
    let described = format!("TXT record of {PLAIN} at {} over TLS as {HOST}", net.at);
    assert_eq!(refresh.health.described, described);

    net.dns.set_keys(PLAIN, &[A, B]).await;
    assert!(keeper.refresh_for_unknown_key(START.plus(60)).await);
    assert_eq!(secrets(&keeper.ring(), START.plus(60)), [B, A]);
    assert_eq!(net.dns.queries(), 0);
}

#[tokio::test]
async fn signatures_are_followed_over_tls_too() {
    let net = Net::start().await;
    net.dns.set_keys(SIGNED, &[B]).await;
    let anchor = net.dir.path().join("anchor");
    std::fs::write(&anchor, net.dns.anchor()).unwrap();
    let config = DnsConfig {
        name: SIGNED.parse().unwrap(),
        dnssec: Dnssec::Require,
        anchor: Some(anchor),
        ..net.config(net.at, HOST, &net.ca)
    };
    let keeper = Keeper::new(SourceConfig::Dns(config), Vec::new());
    let refresh = keeper.refresh(START).await;
    assert_eq!((&refresh.outcome, refresh.health.secure), (&RefreshOutcome::Fresh, Some(true)));
    assert_eq!(net.dns.queries(), 0);
}

/// The settings of a program on a host that trusts these authorities: they are what OpenSSL takes
/// them for (rustls-native-certs).
fn trusting<'a>(
    settings: &[(&'static str, &'a str)],
    roots: &'a str,
) -> Vec<(&'static str, &'a str)> {
    [settings, &[("SSL_CERT_FILE", roots)]].concat()
}

/// Asks with keys known from before; they must stay, and the problem must be told.
async fn fails(net: &Net, config: DnsConfig, known: &[StoredKey]) -> String {
    let keeper = Keeper::new(SourceConfig::Dns(config), known.to_vec());
    let refresh = keeper.refresh(START.plus(300)).await;
    assert!(matches!(refresh.outcome, RefreshOutcome::Failed(_)), "{:?}", refresh.outcome);
    assert_eq!(secrets(&keeper.ring(), START.plus(300)), [A], "the keys are kept");
    assert_eq!(net.dns.queries(), 0, "nothing is asked in plain");
    refresh.outcome.problem().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_else_is_believed_and_the_keys_stay() {
    let net = Net::start().await;
    let known = net.keeper().refresh(START).await.to_store;
    net.dns.set_keys(PLAIN, &[B]).await;

    let wrong_name = net.config(net.at, "other.kattila.example", &net.ca);
    let told = fails(&net, wrong_name, &known).await;
    assert!(told.contains("certificate") && told.contains("other.kattila.example"), "{told}");
    let wrong_ca = net.config(net.at, HOST, &net.other_ca);
    let told = fails(&net, wrong_ca, &known).await;
    assert!(told.contains("certificate"), "{told}");
    let gone = net.dir.path().join("gone.pem");
    let told = fails(&net, net.config(net.at, HOST, &gone), &known).await;
    assert!(told.contains("gone.pem cannot be used"), "{told}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_asked_nothing() {
    let mut net = Net::start().await;
    let known = net.keeper().refresh(START).await.to_store;
    // One that waits for more of what it takes for a question, and one that answers at once.
    let silent = net.config(net.dns.addr(), HOST, &net.ca);
    let budget = Duration::from_millis(600);
    fails(&net, DnsConfig { budget, ..silent }, &known).await;

    let at = net.dns.speak_no_tls().await;
    fails(&net, net.config(at, HOST, &net.ca), &known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_reads_its_keys_over_tls() {
    let net = Net::start().await;
    let (at, ca) = (net.at.to_string(), net.ca.display().to_string());
    let kattila = TestManager::start_with(&net.settings(&at, &ca)).await;
    let listed = kattila.operator().json("/api/v1/keys").await;
    assert_eq!(listed["keys"][0]["state"], "current");
    let page = kattila.operator().get("/settings").await.text();
    assert!(page.contains(&format!("over TLS as {HOST}, signed by {ca}")), "{page}");
    assert_eq!(net.dns.queries(), 0);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_trusts_the_hosts_authorities_unless_told_otherwise() {
    let net = Net::start().await;
    let (at, ca) = (net.at.to_string(), net.ca.display().to_string());
    let other = net.other_ca.display().to_string();
    let mut settings = net.settings(&at, &ca);
    settings.retain(|(name, _)| *name != "KATTILA_DNS_TLS_CA");
    settings.push(("KATTILA_LISTEN", "127.0.0.1:0"));
    let well = run(net.dir.path(), &["doctor"], &trusting(&settings, &ca)).await;
    assert!(well.said.contains(&format!("over TLS as {HOST} gives ")), "{well:?}");
    let ill = run(net.dir.path(), &["doctor"], &trusting(&settings, &other)).await;
    let wrong = ill.said.lines().find(|line| line.starts_with("WRONG keys"));
    assert!(wrong.is_some_and(|line| line.contains("certificate")), "{ill:?}");
    let none = net.dir.path().join("no-roots.pem").display().to_string();
    std::fs::write(&none, "").unwrap();
    let ended = run(net.dir.path(), &["check-config"], &trusting(&settings, &none)).await;
    assert!(ended.complained.contains("KATTILA_DNS_TLS_CA: this host has no trusted"), "{ended:?}");
    assert_eq!((ended.code, net.dns.queries()), (Some(2), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_that_sign_read_the_key_over_tls() {
    let net = Net::start().await;
    let (at, ca) = (net.at.to_string(), net.ca.display().to_string());
    let other = net.other_ca.display().to_string();
    let data = net.dir.path().join("data.json");
    std::fs::write(&data, "{}").unwrap();
    let sign = async |ca: &str| {
        let mut command = kattila(net.dir.path(), &["sign"], &net.settings(&at, ca));
        command.stdin(std::fs::File::open(&data).unwrap());
        command.output().await.unwrap()
    };
    let signed = sign(&ca).await;
    let envelope: serde_json::Value = serde_json::from_slice(&signed.stdout).unwrap();
    assert_eq!(envelope["kid"], kattila::sign::psk::kid_of_psk(A.as_bytes()).as_str());
    let refused = sign(&other).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.stdout.is_empty() && told.contains("gives no key to sign with"), "{told}");
    assert_eq!((refused.status.code(), net.dns.queries()), (Some(1), 0));

    let manager = TestManager::start_live(&net.settings(&at, &ca)).await;
    let target = format!("--target=http://{}", manager.addr());
    let flags = ["simulate", &target, "--agents=3", "--interval=1", "--duration=2"];
    let ran = run(net.dir.path(), &flags, &net.settings(&at, &ca)).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    manager.stop().await;
}
