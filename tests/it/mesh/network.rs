//! The network: hosts, their cables, their tunnels, and the programs on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use serde_json::Value;

use crate::support::dns::{PLAIN, TestDns};
use crate::support::manager::{ADMIN_TOKEN, PSK};
use crate::support::netns::Node;

/// The host with the manager. It is in the middle of most links.
pub(super) const HUB: &str = "hub";

/// The host that has no IPv4 address below its tunnel.
pub(super) const SIX: &str = "six";

/// The far end of the chain: below the tunnels it reaches its neighbour in the chain and nobody
/// else, so no manager and no DNS server. All it reports goes through others.
pub(super) const FAR: &str = "chain2";

/// Every host. A host's place in this list, counted from 1, is the last part of its addresses.
pub(super) const HOSTS: [&str; 9] =
    [HUB, "spoke1", "spoke2", "mesh1", "mesh2", "mesh3", "chain1", FAR, SIX];

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
    ["chain1", FAR],
];

/// The links of the chain, each on a cable of its own. The interface at either end is called
/// after who is at the other, `to-chain1`; a cable's place, counted from 1, is in its addresses.
const CABLES: [[&str; 2]; 2] = [["mesh3", "chain1"], ["chain1", FAR]];

/// Seconds between reports.
const INTERVAL: &str = "2";

/// Where the manager listens: both kinds of addresses.
const DOOR: &str = "[::]:5086";

/// Starts a program in the background: its number goes to a file, its log to another.
const START: &str = "name=$1; shift
\"$@\" >/mnt/$name.log 2>&1 </dev/null &
echo $! >/mnt/$name.pid";

/// Runs the agent with the rights that its systemd unit gives it and no more: as a user of no
/// privilege with these capabilities, who can write nothing but the agent's own directory.
const CONFINE: &str = "caps=-all,$1; shift
mkdir -p -m 0700 /mnt/agent-state; chown 65534:65534 /mnt/agent-state
mount --bind /mnt/agent-state /mnt/agent-state
for place in / /run/wireguard /mnt; do mount -o remount,bind,ro $place; done
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=$caps \
    --inh-caps=$caps --ambient-caps=$caps \"$@\"";

/// Sends a signal to a program and waits until it is gone. Nobody there takes up the dead, but
/// they have no program any more.
const STOP: &str = "pid=$(cat /mnt/$2.pid); kill -$1 $pid
for look in $(seq 300); do [ -e /proc/$pid/exe ] || exit 0; sleep 0.1; done
echo $2 does not end >&2; exit 1";

/// The network, with its manager running and no agent yet.
pub(super) struct Mesh {
    hosts: BTreeMap<&'static str, Node>,
    keys: BTreeMap<&'static str, (String, String)>,
    /// What the uplinks of all but the far end go to.
    switch: Node,
}

/// The last part of a host's addresses.
pub(super) fn number(host: &str) -> usize {
    HOSTS.iter().position(|name| *name == host).unwrap() + 1
}

/// A host's address at its end of a cable.
fn at_cable(cable: usize, host: &str) -> String {
    format!("10.90.{}.{}", cable + 1, number(host))
}

/// Where a peer of a host sends to: over the cable between them if there is one; the hub is
/// reached from `six` over IPv6.
fn endpoint(of: &str, by: &str) -> String {
    let own = CABLES.iter().position(|ends| ends.contains(&of) && ends.contains(&by));
    let n = number(of);
    match own {
        Some(cable) => format!("{}:51820", at_cable(cable, of)),
        None if of == SIX || by == SIX => format!("[fd90::{n}]:51820"),
        None => format!("10.90.0.{n}:51820"),
    }
}

impl Mesh {
    /// Builds hosts, cables and tunnels.
    pub(super) fn build() -> Self {
        assert!(
            Path::new("/dev/net/tun").exists(),
            "/dev/net/tun is missing, and without it there is no WireGuard to test with: \
             modprobe tun, or give the container the device"
        );
        let switch = Node::new("switch");
        switch.script("ip link add br0 type bridge; ip link set br0 up");
        let hosts = BTreeMap::from(HOSTS.map(|name| (name, Node::new(name))));
        let keys = hosts.iter().map(|(name, node)| (*name, node.key_pair())).collect();
        let this = Self { hosts, keys, switch };
        for host in HOSTS.into_iter().filter(|host| *host != FAR) {
            this.plug_in(host);
        }
        for (cable, [a, b]) in CABLES.into_iter().enumerate() {
            let (to_a, to_b) = (format!("to-{a}"), format!("to-{b}"));
            Node::cable([(this.host(a), &to_b), (this.host(b), &to_a)]);
            for (host, end) in [(a, to_b), (b, to_a)] {
                let address = at_cable(cable, host);
                let lines = format!("ip addr add {address}/24 dev {end}; ip link set {end} up");
                this.host(host).script(&lines);
            }
        }
        for host in HOSTS {
            this.tunnel(host);
        }
        this.hand_over(PSK);
        this
    }

    /// Gives the far end, which has no way to the DNS server, its key in a file.
    pub(super) fn hand_over(&self, key: &str) {
        self.host(FAR).feed(&["sh", "-ec", "umask 077; cat >/mnt/psk"], key);
    }

    /// Lays a host's uplink, the cable to the switch.
    fn plug_in(&self, host: &str) {
        let (node, n) = (self.host(host), number(host));
        let port = format!("port{n}");
        Node::cable([(node, "eth0"), (&self.switch, &port)]);
        self.switch.script(&format!("ip link set {port} master br0 up"));
        if host != SIX {
            node.script(&format!("ip addr add 10.90.0.{n}/24 dev eth0"));
        }
        node.script(&format!("ip addr add fd90::{n}/64 dev eth0 nodad; ip link set eth0 up"));
    }

    /// Drops a host's uplink (`down`) or mends it (`up`). The host sees its carrier go and come.
    pub(super) fn uplink(&self, host: &str, state: &str) {
        self.switch.run(&["ip", "link", "set", &format!("port{}", number(host)), state]);
    }

    /// The same with the cable between two hosts of the chain.
    pub(super) fn cable(&self, [from, to]: [&str; 2], state: &str) {
        self.host(from).run(&["ip", "link", "set", &format!("to-{to}"), state]);
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
            &["/mnt/kattila", "serve"],
            &[
                ("KATTILA_LISTEN", DOOR),
                ("KATTILA_DB", "/mnt/k.db"),
                ("KATTILA_DNS_NAME", PLAIN),
                ("KATTILA_DNS_SERVER", &server),
                ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN),
                ("KATTILA_ANONYMOUS_ROLE", "viewer"),
                ("KATTILA_REPORT_INTERVAL", INTERVAL),
                ("KATTILA_RATE_AGENT", "off"),
            ],
        );
    }

    /// Starts a host's agent. Its key comes from DNS, but for those that have no way to the DNS
    /// server: the host on IPv6 is told it, the far end has it in a file.
    pub(super) fn agent(&self, host: &str, dns: &TestDns) {
        let hub = if host == SIX { "[fd90::1]" } else { "10.90.0.1" };
        let (url, server) = (format!("http://{hub}:5086"), dns.addr().to_string());
        let mut settings =
            vec![("KATTILA_MANAGER", url.as_str()), ("KATTILA_AGENT_DIR", "/mnt/agent-state")];
        settings.push(("KATTILA_LABELS", labels(host)));
        match host {
            SIX => settings.push(("KATTILA_PSK", PSK)),
            FAR => settings.push(("KATTILA_PSK_FILE", "/mnt/psk")),
            _ => settings.extend([("KATTILA_DNS_NAME", PLAIN), ("KATTILA_DNS_SERVER", &server)]),
        }
        let confine = ["unshare", "--mount", "sh", "-ec", CONFINE, "sh", &unit_rights()];
        let words = [&confine[..], &["/mnt/kattila", "agent"]].concat();
        self.start(host, &words, &settings);
    }

    /// Starts the program on a host with nothing but these settings. Its last word is its name
    /// here.
    fn start(&self, host: &str, words: &[&str], settings: &[(&str, &str)]) {
        let name = *words.last().unwrap();
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut all = vec!["sh", "-ec", START, "sh", name, "env", "-i"];
        all.extend(settings.iter().map(String::as_str));
        all.extend(words);
        self.host(host).run(&all);
    }

    /// Sends a signal to `serve` or `agent` on a host and waits for its end.
    pub(super) fn stop(&self, host: &str, command: &str, signal: &str) {
        self.host(host).run(&["sh", "-ec", STOP, "sh", signal, command]);
    }

    /// What a host's agent keeps for later: when each of the reports was read.
    pub(super) fn spooled(&self, host: &str) -> BTreeSet<i64> {
        let Ok(files) = fs::read_dir(self.host(host).path("/mnt/agent-state/spool")) else {
            return BTreeSet::new();
        };
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "report"))
            .filter_map(|path| fs::read_to_string(path).ok())
            .filter_map(|text| serde_json::from_str::<Value>(text.split_once('\n')?.1).ok())
            .filter_map(|data| data["collected_at"].as_i64())
            .collect()
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

/// Where a host is and what it is for.
fn labels(host: &str) -> &'static str {
    match host {
        HUB => "site=core,role=gateway",
        host if host.starts_with("mesh") => "site=mesh",
        host if host.starts_with("chain") => "site=chain",
        _ => "site=edge",
    }
}

/// The capabilities that the agent's systemd unit gives it, as `setpriv` wants them.
fn unit_rights() -> String {
    let unit = include_str!("../../../docs/kattila-agent.service");
    let told = unit.lines().find_map(|line| line.strip_prefix("AmbientCapabilities=")).unwrap();
    let names = told.split(' ').map(|name| name.trim_start_matches("CAP_").to_lowercase());
    names.map(|name| format!("+{name}")).collect::<Vec<_>>().join(",")
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
