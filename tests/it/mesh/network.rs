//! The network: hosts, their cables, their tunnels, and the programs on them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::support::dns::{PLAIN, TestDns};
use crate::support::manager::{ADMIN_TOKEN, PSK};
use crate::support::netns::Node;

/// The host with the manager. It is in the middle of most links.
pub(super) const HUB: &str = "hub";

/// The host that has no IPv4 address below its tunnel.
pub(super) const SIX: &str = "six";

/// Every host. A host's place in this list, counted from 1, is the last part of its addresses.
pub(super) const HOSTS: [&str; 9] =
    [HUB, "spoke1", "spoke2", "mesh1", "mesh2", "mesh3", "chain1", "chain2", SIX];

/// Every link: a hub with spokes, a triangle that hangs on it, and a chain that hangs on that.
pub(super) const LINKS: [[&str; 2]; 9] = [
    [HUB, "spoke1"],
    [HUB, "spoke2"],
    [HUB, SIX],
    [HUB, "mesh1"],
    ["mesh1", "mesh2"],
    ["mesh2", "mesh3"],
    ["mesh1", "mesh3"],
    ["mesh3", "chain1"],
    ["chain1", "chain2"],
];

/// Seconds between reports.
const INTERVAL: &str = "2";

/// Where the manager listens: both kinds of addresses.
const DOOR: &str = "[::]:5086";

/// Starts a program in the background: its number goes to a file, its log to another.
const START: &str = "name=$1; shift
\"$@\" >/mnt/$name.log 2>&1 </dev/null &
echo $! >/mnt/$name.pid";

/// Sends a signal to a program and waits until it is gone. Nobody there takes up the dead, but
/// they have no program any more.
const STOP: &str = "pid=$(cat /mnt/$2.pid); kill -$1 $pid
for look in $(seq 300); do [ -e /proc/$pid/exe ] || exit 0; sleep 0.1; done
echo $2 does not end >&2; exit 1";

/// The network, with its manager running and no agent yet.
pub(super) struct Mesh {
    hosts: BTreeMap<&'static str, Node>,
    keys: BTreeMap<&'static str, (String, String)>,
    /// What the hosts' cables end in.
    _underlay: Node,
}

/// The last part of a host's addresses.
pub(super) fn number(host: &str) -> usize {
    HOSTS.iter().position(|name| *name == host).unwrap() + 1
}

/// A host's address below the tunnels.
pub(super) fn underlay(host: &str) -> String {
    match (host, number(host)) {
        (SIX, n) => format!("fd90::{n}"),
        (_, n) => format!("10.90.0.{n}"),
    }
}

/// Where a peer of a host sends to: the hub is reached from `six` over IPv6.
fn endpoint(of: &str, by: &str) -> String {
    if of == SIX || by == SIX {
        return format!("[fd90::{}]:51820", number(of));
    }
    format!("{}:51820", underlay(of))
}

impl Mesh {
    /// Builds hosts, cables and tunnels.
    pub(super) fn build() -> Self {
        assert!(
            Path::new("/dev/net/tun").exists(),
            "/dev/net/tun is missing, and without it there is no WireGuard to test with: \
             modprobe tun, or give the container the device"
        );
        let switch = Node::new("underlay");
        switch.script("ip link add br0 type bridge; ip link set br0 up");
        let mut hosts = BTreeMap::new();
        for host in HOSTS {
            let node = Node::new(host);
            let port = format!("port{}", number(host));
            Node::cable([(&node, "eth0"), (&switch, &port)]);
            switch.script(&format!("ip link set {port} master br0 up"));
            let n = number(host);
            if host != SIX {
                node.script(&format!("ip addr add 10.90.0.{n}/24 dev eth0"));
            }
            node.script(&format!("ip addr add fd90::{n}/64 dev eth0 nodad; ip link set eth0 up"));
            hosts.insert(host, node);
        }
        let keys = hosts.iter().map(|(name, node)| (*name, node.key_pair())).collect();
        let this = Self { hosts, keys, _underlay: switch };
        for host in HOSTS {
            this.tunnel(host);
        }
        this
    }

    /// A host.
    pub(super) fn host(&self, name: &str) -> &Node {
        &self.hosts[name]
    }

    /// Starts a host's WireGuard with all its peers.
    pub(super) fn tunnel(&self, host: &str) {
        let (node, n) = (self.host(host), number(host));
        node.wireguard("wg0");
        let mut text =
            format!("[Interface]\nPrivateKey = {}\nListenPort = 51820\n", self.keys[host].0);
        for peer in peers(host) {
            text += &format!(
                "[Peer]\nPublicKey = {}\nEndpoint = {}\nAllowedIPs = 10.91.0.{}/32\n\
                 PersistentKeepalive = 5\n",
                self.keys[peer].1,
                endpoint(peer, host),
                number(peer),
            );
        }
        node.configure("wg0", &text);
        node.script(&format!("ip addr add 10.91.0.{n}/24 dev wg0; ip link set wg0 up"));
    }

    /// Sends a packet through the tunnel to a peer, which must come back.
    pub(super) fn ping(&self, [from, to]: [&str; 2]) {
        let to = format!("10.91.0.{}", number(to));
        self.host(from).run(&["ping", "-c", "1", "-W", "20", to.as_str()]);
    }

    /// A packet through every link.
    pub(super) fn ping_all(&self) {
        for link in LINKS {
            self.ping(link);
        }
    }

    /// Takes a peer from one end of a link.
    pub(super) fn forget_peer(&self, host: &str, peer: &str) {
        self.host(host).run(&["wg", "set", "wg0", "peer", self.keys[peer].1.as_str(), "remove"]);
    }

    /// Puts it back.
    pub(super) fn add_peer(&self, host: &str, peer: &str) {
        let (key, allowed) = (&self.keys[peer].1, format!("10.91.0.{}/32", number(peer)));
        let to = endpoint(peer, host);
        let words = ["wg", "set", "wg0", "peer", key, "allowed-ips", &allowed, "endpoint", &to];
        self.host(host).run(&[&words[..], &["persistent-keepalive", "5"]].concat());
    }

    /// Starts the manager on the hub, with its keys from this DNS server.
    pub(super) fn serve(&self, dns: &TestDns) {
        let server = dns.addr().to_string();
        self.start(
            HUB,
            "serve",
            &[
                ("KATTILA_LISTEN", DOOR),
                ("KATTILA_DB", "/mnt/k.db"),
                ("KATTILA_DNS_NAME", PLAIN),
                ("KATTILA_DNS_SERVER", &server),
                ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN),
                ("KATTILA_REPORT_INTERVAL", INTERVAL),
                ("KATTILA_RATE_AGENT", "off"),
            ],
        );
    }

    /// Starts a host's agent. Its key comes from DNS, but for the host on IPv6, which is told it.
    pub(super) fn agent(&self, host: &str, dns: &TestDns) {
        let hub = if host == SIX { "[fd90::1]".to_owned() } else { underlay(HUB) };
        let (url, server) = (format!("http://{hub}:5086"), dns.addr().to_string());
        let mut settings =
            vec![("KATTILA_MANAGER", url.as_str()), ("KATTILA_AGENT_DIR", "/mnt/agent-state")];
        if host == SIX {
            settings.push(("KATTILA_PSK", PSK));
        } else {
            settings.extend([("KATTILA_DNS_NAME", PLAIN), ("KATTILA_DNS_SERVER", &server)]);
        }
        self.start(host, "agent", &settings);
    }

    /// Starts the program on a host with nothing but these settings.
    fn start(&self, host: &str, command: &str, settings: &[(&str, &str)]) {
        let settings = settings.iter().map(|(name, value)| format!("{name}={value}"));
        let mut words: Vec<String> = ["sh", "-ec", START, "sh", command, "env", "-i"]
            .map(str::to_owned)
            .into_iter()
            .chain(settings)
            .collect();
        words.extend(["/mnt/kattila".to_owned(), command.to_owned()]);
        self.host(host).run(&words);
    }

    /// Sends a signal to `serve` or `agent` on a host and waits for its end.
    pub(super) fn stop(&self, host: &str, command: &str, signal: &str) {
        self.host(host).run(&["sh", "-ec", STOP, "sh", signal, command]);
    }

    /// What the programs have logged, for who reads that a test failed.
    pub(super) fn logs(&self) -> String {
        let mut all = String::new();
        for (name, node) in &self.hosts {
            for program in ["serve", "agent"] {
                let log = fs::read_to_string(node.path(&format!("/mnt/{program}.log")));
                let Ok(log) = log else { continue };
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.len().saturating_sub(8);
                all += &format!("--- {program} on {name}\n{}\n", lines[last..].join("\n"));
            }
        }
        all
    }
}

/// Who has a link with a host.
fn peers(host: &str) -> Vec<&'static str> {
    let other = |[a, b]: [&'static str; 2]| match host {
        _ if a == host => Some(b),
        _ if b == host => Some(a),
        _ => None,
    };
    LINKS.into_iter().filter_map(other).collect()
}

/// A DNS server for all hosts. To be started in the hub's network.
pub(super) async fn dns() -> TestDns {
    let dns = TestDns::start_at(IpAddr::V4(Ipv4Addr::new(10, 90, 0, 1))).await;
    publish(&dns, &[PSK]).await;
    dns
}

/// Publishes keys, the current one first, for a second at a time.
pub(super) async fn publish(dns: &TestDns, keys: &[&str]) {
    let records: Vec<_> = keys.iter().map(|key| vec![key.as_bytes().to_vec()]).collect();
    dns.set_txt(PLAIN, &records, 1).await;
}
