//! The agent's reading of its own host, on hosts in namespaces of their own with real
//! `wireguard-go`, held against what `ip` and `wg` say there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kattila::agent::collect::snapshot::Snapshot;
use kattila::agent::collect::{Collector, Places};
use kattila::model::report::{Counters, Interface, ReportData};
use kattila::model::time::UnixSeconds;
use kattila::wire::data::parse;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::fleet::ALPHA;
use crate::support::manager::TestManager;
use crate::support::netns::Node;

/// How often a host is looked at until nothing moved while both looked.
const LOOKS: usize = 20;

/// Two hosts with a tunnel between them that carried a packet, and routes of every kind.
struct Pair {
    a: Node,
    /// Holds the other end up.
    _b: Node,
    /// Everything that must never be told: private and preshared keys.
    secrets: Vec<String>,
}

const A_ROUTES: &str = "
ip addr add 10.77.0.1/24 dev wg0
ip addr add fd77::1/64 dev wg0 nodad
ip link set wg0 up
ip route add default via 192.0.2.2 dev eth0 metric 50
ip route add default via 2001:db8::2 dev eth0
ip route add 10.8.0.0/16 dev wg0 proto static
ip route add 10.9.0.0/16 dev wg0 table 51820 src 10.77.0.1
ip route add blackhole 10.10.0.0/16 proto babel
ip route add unreachable 10.11.0.0/16 metric 7
ip route add 203.0.113.0/24 via inet6 2001:db8::2 dev eth0
ip route add 10.12.0.0/16 nexthop via 192.0.2.2 dev eth0 weight 3 nexthop dev wg0
ip route add 2001:db8:9::/48 nexthop via 2001:db8::2 dev eth0 nexthop via fd77::9 dev wg0
ip rule add fwmark 51820 table 100
ip route add 192.0.2.9/32 dev br0 table 100
";

impl Pair {
    fn new() -> Self {
        let (a, b) = (Node::new("kattila-a"), Node::new("kattila-b"));
        Node::cable([(&a, "eth0"), (&b, "eth0")]);
        for (node, n) in [(&a, 1), (&b, 2)] {
            node.script(&format!(
                "ip addr add 192.0.2.{n}/24 dev eth0
                ip addr add 2001:db8::{n}/64 dev eth0 nodad
                ip link set eth0 up"
            ));
            node.wireguard("wg0");
        }
        // A bridge with a port.
        a.script(
            "ip link add br0 type bridge
            ip link add port0 type veth peer name port1
            ip link set port0 master br0 up
            ip link set port1 up
            ip addr add 198.51.100.1/24 dev br0
            ip link set br0 up",
        );
        let ((a_private, a_public), (b_private, b_public)) = (a.key_pair(), b.key_pair());
        let (never_private, never_public) = a.key_pair();
        let psk = a.run(&["wg", "genpsk"]).trim().to_owned();
        a.configure(
            "wg0",
            &format!(
                "[Interface]\nPrivateKey = {a_private}\nListenPort = 51820\nFwMark = 51820\n\
                [Peer]\nPublicKey = {b_public}\nPresharedKey = {psk}\n\
                Endpoint = 192.0.2.2:51820\nPersistentKeepalive = 25\n\
                AllowedIPs = fd77::2/128, 10.77.0.2/32, 10.8.0.0/16\n\
                [Peer]\nPublicKey = {never_public}\nEndpoint = 192.0.2.9:51820\n\
                AllowedIPs = 10.77.0.9/32\n"
            ),
        );
        b.configure(
            "wg0",
            &format!(
                "[Interface]\nPrivateKey = {b_private}\nListenPort = 51820\n\
                [Peer]\nPublicKey = {a_public}\nPresharedKey = {psk}\nAllowedIPs = 0.0.0.0/0, ::/0\n"
            ),
        );
        a.script(A_ROUTES);
        b.script("ip addr add 10.77.0.2/24 dev wg0; ip link set wg0 up");
        // A packet there and back: both ends have shaken hands.
        a.run(&["ping", "-c", "1", "-W", "20", "10.77.0.2"]);
        Self { a, _b: b, secrets: vec![a_private, b_private, never_private, psk] }
    }
}

/// What the agent reads there, as it would send it.
fn collected(node: &Node) -> Value {
    let text = node.run(&["/mnt/kattila", "agent", "--once", "--print"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn json_of(node: &Node, words: &[&str]) -> Value {
    let text = node.run(words);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Routes that follow from the addresses, which the agent leaves out.
fn follows(route: &Value) -> bool {
    let kinds = ["broadcast", "multicast", "anycast"];
    route["protocol"] == "kernel" && kinds.iter().any(|kind| route["type"] == *kind)
}

/// What `ip` and `wg` say there, read as a report.
fn told(node: &Node) -> ReportData {
    let mut routes = json_of(node, &["ip", "-j", "route", "show", "table", "all"]);
    routes.as_array_mut().unwrap().retain(|route| !follows(route));
    let data = json!({
        "interfaces": json_of(node, &["ip", "-j", "-s", "addr"]),
        "routes": routes,
        "wg_dump": node.run(&["wg", "show", "all", "dump"]),
    });
    parse(data.to_string().as_bytes()).unwrap()
}

/// Counters by interface, taken out so that the rest can be compared.
fn counters(data: &mut ReportData) -> BTreeMap<String, Counters> {
    let take = |row: &mut Interface| (row.name.clone(), std::mem::take(&mut row.counters));
    data.interfaces.as_mut().unwrap().iter_mut().map(take).collect()
}

/// Looks with the agent and with `ip` and `wg` until nothing moved between two looks of theirs.
/// What the agent read, and what they said before and after.
fn look(node: &Node) -> (Value, [ReportData; 3], [BTreeMap<String, Counters>; 3]) {
    for _ in 0..LOOKS {
        let mut before = told(node);
        let value = collected(node);
        let mut own = parse(value.to_string().as_bytes()).unwrap();
        let mut after = told(node);
        let all = [counters(&mut before), counters(&mut own), counters(&mut after)];
        if before == after {
            return (value, [before, own, after], all);
        }
    }
    panic!("the host never stood still");
}

fn named<'a>(list: &'a Value, member: &str, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|item| item[member] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[test]
fn the_agent_reads_what_ip_and_wg_say() {
    let pair = Pair::new();
    let (value, [before, own, _], counted) = look(&pair.a);
    assert_eq!(own.problems, [], "{value}");
    assert_eq!(own.interfaces, before.interfaces);
    assert_eq!(own.routes, before.routes);
    assert_eq!(own.peers, before.peers);
    assert!(own.routes.unwrap().len() > 15, "{value}");
    // Counters only grow.
    let [first, middle, last] = counted;
    let row = |counters: &Counters| {
        let Counters { rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped } =
            *counters;
        [rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped].map(Option::unwrap)
    };
    for (name, middle) in &middle {
        let rows = [row(&first[name]), row(middle), row(&last[name])];
        let grows = (0..6).all(|n| rows[0][n] <= rows[1][n] && rows[1][n] <= rows[2][n]);
        assert!(grows, "{name}: {rows:?}");
    }
    let peers = value["wg_peers"].as_array().unwrap();
    let handshakes: Vec<bool> = peers.iter().map(|peer| peer["latest_handshake"] != 0).collect();
    assert_eq!(handshakes.iter().filter(|shaken| **shaken).count(), 1, "{value}");
    nothing_secret(&pair, &value.to_string());
    what_only_the_agent_tells(&pair, &value);
    the_host_itself(&pair, &own_text(&value));
}

fn own_text(value: &Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value.clone()).unwrap()
}

fn nothing_secret(pair: &Pair, text: &str) {
    for secret in &pair.secrets {
        assert!(!text.contains(secret.as_str()), "a key was told");
        assert!(!text.contains(&secret[..20]), "a part of a key was told");
    }
    assert!(!text.contains("private") && !text.contains("preshared"));
}

/// Members that the manager keeps and `ip -j addr` does not have.
fn what_only_the_agent_tells(pair: &Pair, value: &Value) {
    let links = json_of(&pair.a, &["ip", "-j", "-d", "link"]);
    for link in links.as_array().unwrap() {
        let own = named(&value["interfaces"], "name", link["ifname"].as_str().unwrap());
        assert_eq!(own["kind"], link["linkinfo"]["info_kind"], "{own}");
        assert_eq!(own["master"], link["master"], "{own}");
        assert!(own["carrier_changes"].is_u64() && own["rx_frame_errors"].is_u64(), "{own}");
    }
    let wg0 = named(&value["interfaces"], "name", "wg0");
    assert_eq!((&wg0["fwmark"], &wg0["listen_port"]), (&json!(51820), &json!(51820)));
    // With the mark that WireGuard sets, the way to the second peer is another one.
    for peer in value["wg_peers"].as_array().unwrap() {
        let endpoint = peer["endpoint"].as_str().unwrap();
        let (address, _) = endpoint.rsplit_once(':').unwrap();
        let way = json_of(&pair.a, &["ip", "-j", "route", "get", address, "mark", "51820"]);
        assert_eq!(peer["underlay"], way[0]["dev"], "{peer}");
    }
    let ways: Vec<&Value> =
        value["wg_peers"].as_array().unwrap().iter().map(|peer| &peer["underlay"]).collect();
    assert!(ways.contains(&&json!("eth0")) && ways.contains(&&json!("br0")), "{ways:?}");
}

fn the_host_itself(pair: &Pair, value: &BTreeMap<String, Value>) {
    assert_eq!(value["hostname"], "kattila-a");
    let boot_id = pair.a.run(&["cat", "/proc/sys/kernel/random/boot_id"]);
    assert_eq!(value["boot_id"], boot_id.trim());
    assert!(value["uptime_seconds"].as_u64().unwrap() > 0);
    assert_eq!(value["load"].as_array().unwrap().len(), 3);
    assert!(value["collected_at"].as_i64().unwrap() > 1_767_225_600);
}

/// A host whose agent may not open the daemon's socket reports the rest, says why, and its
/// operator is told what to do.
#[test]
fn without_the_rights_the_rest_is_reported() {
    let node = Node::new("kattila-poor");
    node.wireguard("wg0");
    let poor = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let text = node.run(&[&poor[..], &["/mnt/kattila", "agent", "--once", "--print"]].concat());
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value.get("wg_peers"), None, "nothing read is nothing said");
    assert!(!value["interfaces"].as_array().unwrap().is_empty());
    assert!(!value["routes"].as_array().unwrap().is_empty());
    let data = parse(text.as_bytes()).unwrap();
    let problems: Vec<_> =
        data.problems.iter().map(|p| format!("{} {}", p.path, p.detail)).collect();
    assert_eq!(
        problems,
        ["wg_peers of wg0 cannot be read: no right to open its daemon's socket; give the agent \
          CAP_DAC_OVERRIDE or run it as root"]
    );
    let check = [&poor[..], &["/mnt/kattila", "agent", "--check"]].concat();
    let output = node.command(&check).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("WRONG wireguard") && said.contains("CAP_NET_ADMIN"), "{said}");
    assert!(said.contains("ok    network"), "{said}");
    let output = node.command(&["/mnt/kattila", "agent", "--check"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // Nothing is set, which is wrong; about the host everything is well.
    let wrong: Vec<_> = said.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert!(matches!(wrong[..], [line] if line.starts_with("WRONG settings")), "{said}");
}

/// A daemon that was killed leaves its socket behind: that is said, and is not a host without
/// WireGuard that nobody need look at.
#[test]
fn a_dead_daemon_is_named() {
    let node = Node::new("kattila-dead");
    node.wireguard("wg0");
    assert_eq!(collected(&node)["wg_peers"], json!([]));
    // The numbers are of the host's own processes; there is no other of that name in it.
    node.script("kill -9 $(pidof wireguard-go)");
    // The kernel takes its files away one after the other.
    let looks = (0..LOOKS).map(|_| collected(&node));
    let is_over = |value: &Value| value["problems"].to_string().contains("is dead");
    let value = looks.into_iter().find(is_over).expect("the daemon never died");
    assert_eq!(value["wg_peers"], json!([]), "a dead daemon has no peers");
    assert_eq!(value["problems"][0]["path"], "wg_peers");
    assert!(value["problems"][0]["detail"].as_str().unwrap().contains("wg0"), "{value}");
    assert!(value["interfaces"].as_array().unwrap().iter().all(|own| own["name"] != "wg0"));
}

/// Where a collector finds things when it runs in a host's network only.
fn places(node: &Node) -> Places {
    Places { proc: PathBuf::from("/proc"), uapi: vec![node.path("/run/wireguard")] }
}

/// The next change, which must come.
async fn change(collector: &mut Collector) {
    timeout(Duration::from_secs(20), collector.changed()).await.expect("no change was seen");
}

fn has(snapshot: &Snapshot, address: &str) -> bool {
    let address = address.parse().unwrap();
    snapshot.interfaces.iter().flatten().any(|interface| interface.addresses.contains(&address))
}

#[test]
fn changes_are_seen_at_once_and_survive_a_flood() {
    let node = Node::new("kattila-watch");
    node.wireguard("wg0");
    node.inside(|| async {
        let mut collector = Collector::new(places(&node));
        let first = collector.collect(UnixSeconds(1)).await;
        assert_eq!(first.problems, []);
        node.run(&["ip", "addr", "add", "10.1.0.1/24", "dev", "lo"]);
        change(&mut collector).await;
        node.run(&["ip", "link", "set", "wg0", "up"]);
        change(&mut collector).await;
        // Far more news than the socket holds while nobody listens.
        node.script(
            "for n in $(seq 2000); do echo addr add 10.2.$((n / 250)).$((n % 250))/32 dev lo; done \
             | ip -batch -",
        );
        change(&mut collector).await;
        let flooded = collector.collect(UnixSeconds(2)).await;
        let lo = flooded.interfaces.unwrap().into_iter().find(|i| i.name == "lo").unwrap();
        assert_eq!(lo.addresses.len(), 256);
        assert_eq!(flooded.problems[0].path, "interfaces[lo].addresses");
        // What is queued from the flood is what the look found; the next change still comes.
        node.run(&["ip", "addr", "del", "10.1.0.1/24", "dev", "lo"]);
        while has(&collector.collect(UnixSeconds(3)).await, "10.1.0.1/24") {
            change(&mut collector).await;
        }
        node.run(&["ip", "link", "set", "wg0", "down"]);
        change(&mut collector).await;
    });
}

/// The operator sees on the agent's page why there are no peers.
#[tokio::test(flavor = "multi_thread")]
async fn the_manager_shows_why_something_is_missing() {
    let kattila = TestManager::start().await;
    let mut agent = kattila.agent(ALPHA);
    let problems = json!([{"path": "wg_peers", "detail": "of wg0 cannot be read: no right"}]);
    agent.report(&json!({"hostname": "poor", "interfaces": [], "problems": problems})).await;
    kattila.advance(0).await;
    let shown = kattila.operator().json(&format!("/api/v1/agents/{ALPHA}")).await;
    assert_eq!(shown["problems"], problems);
    let page = kattila.operator().get(&format!("/agents/{ALPHA}")).await.text();
    assert!(page.contains("could not be read on the host"), "{page}");
    assert!(page.contains("of wg0 cannot be read: no right"), "{page}");
    kattila.stop().await;
}
