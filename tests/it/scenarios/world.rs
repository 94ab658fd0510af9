//! Hosts by name, what they see and how they report it, and what the manager makes of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::trust::Others;
use crate::support::actors::Agent;
use crate::support::dice::Dice;
use crate::support::http::send;
use crate::support::manager::{START, TestManager};
use kattila::alarms::rules::service::DiskFacts;
use kattila::process::condition::ManagerCondition;
use kattila::process::handle::Command;
use kattila::verify::rejection::Rejection;

/// Seconds between two reports of a host, and between two looks at the clock.
const ROUND_S: i64 = 30;
const STEP_S: i64 = 10;

#[derive(Default)]
pub(super) struct Host {
    labels: BTreeMap<String, String>,
    silent: bool,
    /// Reports that are still to be lost.
    lose: u32,
    boots: u32,
    /// Interfaces that are not there, or do not work.
    without: BTreeSet<String>,
    failed: BTreeSet<String>,
    via: Vec<String>,
    /// Its reports hold what is no report.
    garbled: bool,
    /// Its reports take so many seconds; those on their way, and when they left.
    delay_s: i64,
    on_the_way: VecDeque<(i64, String)>,
    /// Packets that reach its eth0 broken, and well, with each report; its counters.
    pub(super) broken: [u64; 2],
    counters: [u64; 2],
    /// Its agent's version, if it tells one.
    version: Option<String>,
    /// It waits for an admin.
    waits: bool,
    /// Largest packet of wg0, if not the usual one.
    mtu: Option<u32>,
    /// Routes by prefix and interface. With the first one, all tables are told.
    routes: Option<BTreeSet<(String, String)>>,
    /// There is no default route.
    cut_off: bool,
    /// Address of wg0 and the port it listens on, if not the usual ones.
    address: Option<String>,
    port: Option<u16>,
    /// Peers with a preshared key, and where peers are seen if not where they are.
    psk: BTreeSet<String>,
    seen_at: BTreeMap<String, String>,
    /// What peers may use, by their names, if not the usual address.
    allowed: BTreeMap<String, Vec<String>>,
    /// Reports that it keeps until it may send them.
    pub(super) held: Option<Vec<Value>>,
    /// Another host with the same disk reports as this one.
    pub(super) copied: bool,
    /// It tells its private key.
    pub(super) leaks: bool,
    /// The host whose WireGuard key it uses.
    pub(super) borrowed: Option<usize>,
    /// It has a peer that nobody knows.
    pub(super) strangers: bool,
}

struct Link {
    ends: [String; 2],
    alive: bool,
    mutual: bool,
    used: bool,
    handshake: i64,
    bytes: u64,
    received: u64,
    /// Prefixes that the first end lets the second use besides its address.
    nets: Vec<String>,
    /// What the second end sends is lost.
    deaf: bool,
    sent_back: u64,
    /// The last handshake of the second end with somebody who holds the first one's key.
    elsewhere: Option<i64>,
    /// Neither end lists the other.
    struck: bool,
    /// How long the present session lasts, and how much later the second end noted it.
    lasts_s: i64,
    trip_s: i64,
}

impl Link {
    /// A handshake, if it is time for one and packets pass.
    fn renew(&mut self, now: i64, renewing: Option<&mut Dice>) {
        if !self.alive {
            return;
        }
        match renewing {
            Some(dice) if self.handshake != 0 => {
                if self.handshake + self.lasts_s <= now {
                    self.handshake += self.lasts_s;
                    self.handshake = self.handshake.max(now - STEP_S);
                    self.trip_s = i64::try_from(dice.below(2)).unwrap();
                    self.lasts_s = 120 + i64::try_from(dice.below(26)).unwrap();
                }
            }
            _ => self.handshake = now - 5,
        }
    }

    /// When an end notes it: the second one a round trip later.
    fn noted(&self, is_first: bool) -> i64 {
        let trip_s = if is_first || self.handshake == 0 { 0 } else { self.trip_s };
        self.handshake + trip_s
    }
}

pub(super) struct World {
    name: String,
    kattila: Option<TestManager>,
    pub(super) hosts: Vec<(String, Host, Agent)>,
    links: Vec<Link>,
    /// Hosts that report through others at some time: version 1 alone claims paths.
    relayed: BTreeSet<String>,
    never: Vec<String>,
    roots: Option<usize>,
    pub(super) last_round: i64,
    /// More reports come than the manager can take.
    crowded: bool,
    /// Sessions are renewed as WireGuard does it, and when exactly, is drawn.
    renewing: Option<Dice>,
    /// Seconds by which the manager's clock was set.
    leapt: i64,
    /// Who is there beside the hosts.
    pub(super) others: Others,
    /// Where its rules file is.
    _dir: TempDir,
}

fn id_of(place: usize) -> String {
    format!("{:032x}", 0x5ce0_a000 + place)
}

/// The key of a host: its number, as often as a key has bytes, in base64.
fn key_of(place: usize) -> String {
    kattila::model::key::WgKey([u8::try_from(place + 1).unwrap(); 32]).to_string()
}

impl World {
    pub(super) async fn of(name: &str, lines: &[&str]) -> Self {
        let settings = lines.iter().filter_map(|line| line.strip_prefix("setting "));
        let mut settings: Vec<(&str, &str)> =
            settings.filter_map(|set| set.split_once('=')).collect();
        let dir = tempfile::tempdir().unwrap();
        let rules = lines.iter().filter_map(|line| line.strip_prefix("rule "));
        let rules: Vec<_> =
            rules.map(|rule| format!("[[rule]]\n{rule}").replace("; ", "\n")).collect();
        let file = dir.path().join("rules.toml").display().to_string();
        if !rules.is_empty() {
            std::fs::write(&file, rules.join("\n")).unwrap();
            settings.push(("KATTILA_RULES_FILE", &file));
        }
        let (others, plan) = Others::with_routes(lines, &dir).await;
        settings.extend(plan.as_deref().map(|plan| ("KATTILA_NOTIFY_FILE", plan)));
        let kattila = TestManager::start_with(&settings).await;
        let waits = settings.contains(&("KATTILA_ENROLL", "approve"));
        let mut world = Self {
            name: name.to_owned(),
            kattila: Some(kattila),
            hosts: Vec::new(),
            links: Vec::new(),
            relayed: BTreeSet::new(),
            never: Vec::new(),
            roots: None,
            last_round: 0,
            crowded: false,
            renewing: None,
            leapt: 0,
            others,
            _dir: dir,
        };
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["hosts", ref names @ ..] => names.iter().for_each(|name| world.add(name)),
                ["links", ref pairs @ ..] => pairs.iter().for_each(|pair| world.tie(pair)),
                ["label", host, label] => {
                    let (key, value) = label.split_once('=').unwrap();
                    world.host(host).labels.insert(key.to_owned(), value.to_owned());
                }
                ["renewing", seed] => world.renewing = Some(Dice::new(seed.parse().unwrap())),
                ["never", kind] => world.never.push(kind.to_owned()),
                ["setting", _] | ["rule" | "route", ..] => {}
                ["roots", most] => world.roots = Some(most.parse().unwrap()),
                [_, "via", host, ..] => _ = world.relayed.insert(host.to_owned()),
                [at, ..] if at.contains(':') || line.starts_with(' ') => {}
                _ => panic!("{name}: {line}"),
            }
        }
        world.hosts.iter_mut().for_each(|(_, host, _)| host.waits = waits);
        world
    }

    pub(super) fn kattila(&self) -> &TestManager {
        self.kattila.as_ref().unwrap()
    }

    fn add(&mut self, name: &str) {
        let agent = self.kattila().agent(&id_of(self.hosts.len()));
        self.hosts.push((name.to_owned(), Host::default(), agent));
    }

    fn tie(&mut self, pair: &str) {
        let (a, b) = pair.split_once('-').unwrap();
        let ends = [a.to_owned(), b.to_owned()];
        let link = Link {
            ends,
            alive: true,
            mutual: true,
            used: true,
            handshake: 0,
            bytes: 0,
            received: 0,
            nets: Vec::new(),
            deaf: false,
            sent_back: 0,
            elsewhere: None,
            struck: false,
            lasts_s: 120,
            trip_s: 0,
        };
        self.links.push(link);
    }

    pub(super) fn place(&self, name: &str) -> usize {
        let found = self.hosts.iter().position(|(other, ..)| other == name);
        found.unwrap_or_else(|| panic!("{}: no host {name}", self.name))
    }

    pub(super) fn host(&mut self, name: &str) -> &mut Host {
        let place = self.place(name);
        &mut self.hosts[place].1
    }

    fn link(&mut self, pair: &str) -> &mut Link {
        let found = self.links.iter_mut().find(|link| link.ends.join("-") == pair);
        found.unwrap_or_else(|| panic!("no link {pair}"))
    }

    /// Seconds since the start.
    pub(super) fn now(&self) -> i64 {
        self.kattila().clock.now().0 - START.0
    }

    /// Lets time pass until then, counted from the start.
    pub(super) async fn live_until(&mut self, at: i64) {
        while self.now() < at {
            let step = STEP_S.min(at - self.now());
            self.kattila().clock.set(self.kattila().clock.now().plus(step));
            if self.crowded {
                self.kattila().manager().processor().refused(&Rejection::Overloaded, None);
            }
            if self.now() - self.last_round >= ROUND_S {
                self.last_round = self.now();
                self.round().await;
                self.others.report().await;
                self.kattila().advance(0).await;
                self.check().await;
            } else {
                self.kattila().advance(0).await;
            }
        }
    }

    async fn round(&mut self) {
        let now = self.kattila().clock.now().0;
        for link in &mut self.links {
            link.renew(now, self.renewing.as_mut());
            if link.used {
                link.bytes += 148;
                link.received += if link.alive || link.deaf { 148 } else { 0 };
            }
            link.sent_back += if link.deaf { 92 } else { 0 };
            // A session is renewed after 120 s.
            let renewed = link.elsewhere.filter(|at| now - at >= 120);
            link.elsewhere = renewed.map(|_| now - 5).or(link.elsewhere);
        }
        for place in 0..self.hosts.len() {
            let host = &mut self.hosts[place].1;
            let [broken, well] = host.broken;
            host.counters = [host.counters[0] + broken, host.counters[1] + well * 1_000];
            if host.silent || host.lose > 0 {
                host.lose = host.lose.saturating_sub(1);
                continue;
            }
            let data = if self.hosts[place].1.garbled { json!([]) } else { self.data(place) };
            if let Some(held) = &mut self.hosts[place].1.held {
                held.push(data);
                continue;
            }
            let via: Vec<String> =
                self.hosts[place].1.via.iter().map(|relay| id_of(self.place(relay))).collect();
            let (name, host, agent) = &mut self.hosts[place];
            let wanted = match (host.waits, host.garbled, agent.ahead_s.abs() > 600) {
                (true, ..) => 403,
                (_, true, _) => 422,
                (.., true) => 403,
                (false, false, false) => 200,
            };
            let body = if self.relayed.contains(name) {
                let sealed = agent.seal_v1(&data.to_string());
                sealed.replacen('{', &format!(r#"{{"relay_path":{},"#, json!(via)), 1)
            } else {
                agent.seal_v2(&data.to_string())
            };
            host.on_the_way.push_back((now, body));
            let arrives = |(left, _): &mut (i64, String)| *left + host.delay_s <= now;
            while let Some((_, body)) = host.on_the_way.pop_front_if(arrives) {
                let answer = agent.send(&body).await;
                assert_eq!(answer.status, wanted, "{} {name}: {}", self.name, answer.text());
            }
            if host.copied {
                let mut copy = data;
                copy["boot_id"] = json!("boot-of-the-copy");
                agent.report(&copy).await;
            }
        }
    }

    fn data(&self, place: usize) -> Value {
        let (name, host, agent) = &self.hosts[place];
        let n = place + 1;
        let state = |interface: &str| {
            if host.failed.contains(interface) {
                ("down", json!(["UP", "NO-CARRIER"]))
            } else {
                ("unknown", json!(["UP", "LOWER_UP"]))
            }
        };
        let (eth, eth_flags) = state("eth0");
        let (wg, wg_flags) = state("wg0");
        let mut interfaces = vec![
            json!({ "name": "eth0", "mtu": 1500, "state": eth, "flags": eth_flags,
                    "addresses": [format!("192.0.2.{n}/24")] }),
            json!({ "name": "wg0", "mtu": host.mtu.unwrap_or(1420), "state": wg, "flags": wg_flags,
                    "public_key": key_of(host.borrowed.unwrap_or(place)), "listen_port": host.port.unwrap_or(51820),
                    "addresses": [host.address.clone().unwrap_or_else(|| format!("10.77.0.{n}/24"))] }),
        ];
        let [errors, bytes] = host.counters;
        for (name, value) in [("rx_errors", errors), ("rx_bytes", bytes), ("tx_bytes", bytes)] {
            interfaces[0][name] = json!(value);
        }
        interfaces[0]["mac"] = json!(format!("02:00:00:00:00:{n:02x}"));
        if host.leaks {
            interfaces[1]["private_key"] = json!(key_of(99));
        }
        interfaces.retain(|told| !host.without.contains(told["name"].as_str().unwrap()));
        let mut peers: Vec<Value> =
            self.links.iter().filter_map(|link| self.peer(name, link)).collect();
        peers.retain(|_| !host.without.contains("wg0"));
        if host.strangers {
            peers.push(json!({
                "interface": "wg0", "public_key": key_of(77), "allowed_ips": ["10.99.0.1/32"],
                "endpoint": "198.51.100.7:51820", "latest_handshake": 0, "rx_bytes": 0, "tx_bytes": 0,
                "persistent_keepalive": 0,
            }));
        }
        let mut routes = vec![json!({ "dst": "192.0.2.0/24", "dev": "eth0" })];
        if !host.cut_off {
            routes.push(json!({ "dst": "default", "gateway": "192.0.2.254", "dev": "eth0" }));
        }
        if let Some(told) = &host.routes {
            routes.push(json!({ "dst": "127.0.0.0/8", "dev": "lo", "table": "local" }));
            routes.extend(told.iter().map(|(dst, dev)| json!({ "dst": dst, "dev": dev })));
        }
        json!({
            "hostname": name,
            "boot_id": format!("boot-{}", host.boots),
            "uptime_seconds": self.now() - self.leapt,
            "collected_at": self.kattila().clock.now().plus(agent.ahead_s),
            "agent_version": host.version,
            "labels": host.labels,
            "interfaces": interfaces,
            "routes": routes,
            "wg_peers": peers,
        })
    }

    /// A link as the host at one of its ends lists it.
    fn peer(&self, name: &str, link: &Link) -> Option<Value> {
        let [first, second] = &link.ends;
        let is_first = name == first;
        if link.struck || !is_first && (name != second || !link.mutual) {
            return None;
        }
        let whom = if is_first { second } else { first };
        let other = self.place(whom);
        let n = other + 1;
        let (sent, received) =
            if is_first { (link.bytes, 0) } else { (link.sent_back, link.received) };
        let elsewhere = link.elsewhere.filter(|_| !is_first);
        let (_, host, own) = &self.hosts[self.place(name)];
        let allowed = host.allowed.get(whom).cloned();
        let seen_at = host.seen_at.get(whom).cloned();
        let mut allowed = allowed.unwrap_or_else(|| vec![format!("10.77.0.{n}/32")]);
        allowed.extend(link.nets.iter().filter(|_| is_first).cloned());
        Some(json!({
            "interface": "wg0", "public_key": key_of(other),
            "endpoint": seen_at.unwrap_or_else(|| format!("192.0.2.{n}:51820")),
            "allowed_ips": allowed, "has_psk": host.psk.contains(whom),
            "latest_handshake": shaken(elsewhere.unwrap_or(link.noted(is_first)), own.ahead_s), "rx_bytes": received, "tx_bytes": sent,
            "persistent_keepalive": if link.used { 25 } else { 0 },
        }))
    }

    /// What a host or one end of a link is set to; whether it is one of these verbs.
    fn set(&mut self, words: &[&str]) -> bool {
        match *words {
            ["oneway", pair] => {
                let link = self.link(pair);
                (link.alive, link.deaf) = (false, true);
            }
            ["copied", pair] => {
                let link = self.link(pair);
                (link.alive, link.elsewhere) = (false, Some(link.handshake));
            }
            ["address", host, net] => self.host(host).address = Some(net.to_owned()),
            ["port", host, port] => self.host(host).port = Some(port.parse().unwrap()),
            ["see", host, peer, at] => {
                drop(self.host(host).seen_at.insert(peer.to_owned(), at.to_owned()));
            }
            ["psk", host, peer] => _ = self.host(host).psk.insert(peer.to_owned()),
            ["nopsk", host, peer] => _ = self.host(host).psk.remove(peer),
            ["clock", host, ahead] => {
                let place = self.place(host);
                self.hosts[place].2.ahead_s = ahead.parse().unwrap();
            }
            ["version", host, version] => self.host(host).version = Some(version.to_owned()),
            ["broken", host, errors, packets] => {
                self.host(host).broken = [errors, packets].map(|n| n.parse().unwrap());
            }
            ["delay", host, seconds] => self.host(host).delay_s = seconds.parse().unwrap(),
            ["nodefault", host] => self.host(host).cut_off = true,
            ["default", host] => self.host(host).cut_off = false,
            ["mtu", host, bytes] => self.host(host).mtu = Some(bytes.parse().unwrap()),
            ["allow", host, peer, ref nets @ ..] => {
                let nets = nets.iter().map(|net| (*net).to_owned()).collect();
                drop(self.host(host).allowed.insert(peer.to_owned(), nets));
            }
            ["route", host, net, dev] => {
                let routes = self.host(host).routes.get_or_insert_default();
                _ = routes.insert((net.to_owned(), dev.to_owned()));
            }
            ["unroute", host, net] => {
                let routes = self.host(host).routes.get_or_insert_default();
                routes.retain(|(dst, _)| dst != net);
            }
            _ => return false,
        }
        true
    }

    /// What happens to the manager, and to who may talk to it; false if it is none of that.
    async fn manage(&mut self, words: &[&str]) -> bool {
        match *words {
            ["give", pair, net] => self.link(pair).nets.push(net.to_owned()),
            ["take", pair, net] => self.link(pair).nets.retain(|given| given != net),
            ["label", host, label] => {
                let (key, value) = label.split_once('=').unwrap();
                self.host(host).labels.insert(key.to_owned(), value.to_owned());
            }
            ["backup"] => {
                let (db, now) = (self.kattila().db(), self.kattila().clock.now());
                kattila::store::backups::note(&db, now).unwrap();
                let made = kattila::store::backups::made(&db);
                self.found(ManagerCondition::Backups(made)).await;
            }
            ["disk", free, total] => {
                let [free, total] = [free, total].map(|gib| gib.parse::<u64>().unwrap() << 30);
                self.found(ManagerCondition::Disk(DiskFacts { free, total, wal: 0 })).await;
            }
            ["certificate", days] => {
                let ends = self.kattila().clock.now().plus(days.parse::<i64>().unwrap() * 86_400);
                self.found(ManagerCondition::Certificate(Some(ends))).await;
            }
            ["garble", host] => self.host(host).garbled = true,
            ["ungarble", host] => self.host(host).garbled = false,
            ["crowded"] => self.crowded = true,
            ["room"] => self.crowded = false,
            ["guess"] => self.guess().await,
            ["spoil", table] => self.kattila().spoil(table),
            ["repair", table] => self.kattila().repair(table),
            ["approve", host] => self.approve(host).await,
            ["days", days] => {
                self.kattila().advance(days.parse::<i64>().unwrap() * 86_400).await;
                self.last_round = self.now();
            }
            _ => return false,
        }
        true
    }

    /// What people do about alarms or see of them, and restarts; false if it is none of that.
    async fn attends(&mut self, words: &[&str], what: &str) -> bool {
        let after_colon = || what.split_once(" : ").unwrap().1;
        match *words {
            ["restart"] => self.restart(0).await,
            ["away"] => self.restart(600).await,
            ["leap", seconds] => self.leap(seconds.parse().unwrap()),
            ["remembers", kind, subject, ..] => {
                self.remembers((kind, subject), after_colon()).await;
            }
            ["says", kind, subject, ..] => self.says((kind, subject), after_colon()).await,
            ["ack", kind, subject] => self.on_alarm("ack", (kind, subject), &json!({})).await,
            ["shelve", kind, subject, seconds] => {
                let for_s: i64 = seconds.parse().unwrap();
                let body = json!({ "for_s": for_s, "reason": "parts are on order" });
                self.on_alarm("shelve", (kind, subject), &body).await;
            }
            ["maintain", host, seconds] => self.maintain(host, seconds.parse().unwrap()).await,
            _ => return false,
        }
        true
    }

    pub(super) async fn act(&mut self, what: &str) {
        let words: Vec<&str> = what.split_whitespace().collect();
        if self.attends(&words, what).await {
            return;
        }
        if self.manage(&words).await || self.trusts(&words).await || self.sends(&words).await {
            return;
        }
        match words[..] {
            _ if self.set(&words) => {}
            ["silent", ref hosts @ ..] => {
                hosts.iter().for_each(|host| self.host(host).silent = true)
            }
            ["back", ref hosts @ ..] => {
                hosts.iter().for_each(|host| self.host(host).silent = false)
            }
            ["via", host, ref relays @ ..] => {
                self.host(host).via = relays.iter().map(|relay| (*relay).to_owned()).collect();
            }
            ["straight", host] => self.host(host).via.clear(),
            ["cut", ref pairs @ ..] => pairs.iter().for_each(|pair| self.link(pair).alive = false),
            ["mend", ref pairs @ ..] => pairs.iter().for_each(|pair| {
                let link = self.link(pair);
                (link.alive, link.deaf, link.elsewhere) = (true, false, None);
            }),
            ["forget", pair] => self.link(pair).mutual = false,
            ["list", pair] => {
                let link = self.link(pair);
                (link.mutual, link.struck) = (true, false);
            }
            ["strike", pair] => self.link(pair).struck = true,
            ["rest", pair] => {
                let link = self.link(pair);
                (link.alive, link.used) = (false, false);
            }
            ["use", pair] => {
                let link = self.link(pair);
                (link.alive, link.used) = (true, true);
            }
            ["lose", host, reports] => self.host(host).lose = reports.parse().unwrap(),
            ["reboot", host] => self.host(host).boots += 1,
            [verb, of] => {
                let (host, interface) = of.split_once('/').unwrap_or_else(|| panic!("{what}"));
                let (host, interface) = (self.host(host), interface.to_owned());
                match verb {
                    "unplug" => _ = host.without.insert(interface),
                    "plug" => _ = host.without.remove(&interface),
                    "fail" => _ = host.failed.insert(interface),
                    "heal" => _ = host.failed.remove(&interface),
                    _ => panic!("{what}"),
                }
            }
            _ => panic!("{what}"),
        }
    }

    /// The manager stops in order, and starts again so many seconds later.
    async fn restart(&mut self, away_s: i64) {
        let kattila = self.kattila.take().unwrap();
        kattila.clock.set(kattila.clock.now().plus(away_s));
        let kattila = kattila.restart().await;
        for (_, _, agent) in &mut self.hosts {
            *agent = agent.clone().moved(kattila.addr());
        }
        self.others.moved(&kattila);
        self.kattila = Some(kattila);
    }

    /// Somebody sets the manager's clock, so many seconds ahead.
    fn leap(&mut self, ahead_s: i64) {
        self.leapt += ahead_s;
        self.last_round += ahead_s;
        let clock = &self.kattila().clock;
        clock.set(clock.now().plus(ahead_s));
        self.hosts.iter_mut().for_each(|(_, _, agent)| agent.ahead_s -= ahead_s);
        self.links.iter_mut().for_each(|link| link.handshake += ahead_s);
    }

    /// The history has one alarm of a kind about a thing, that ended for a reason.
    async fn remembers(&self, (kind, subject): (&str, &str), cause: &str) {
        let names = self.names().await;
        let all = self.kattila().operator().json("/api/v1/alarms?state=cleared&limit=100").await;
        let all = all.as_array().or_else(|| all["alarms"].as_array()).unwrap().iter();
        let wanted = format!("{kind} {subject}");
        let found: Vec<_> = all.filter(|alarm| told(alarm, &names) == wanted).collect();
        assert_eq!(found.len(), 1, "{}: {found:?}", self.name);
        assert!(found[0]["cleared_at"].is_i64() && !found[0]["raised_at"].is_null());
        assert_eq!(found[0]["clear_cause"], cause, "{}", self.name);
    }

    /// The message of an open alarm holds a text.
    async fn says(&self, (kind, subject): (&str, &str), text: &str) {
        let names = self.names().await;
        let all = self.kattila().operator().json("/status/alarms").await;
        let wanted = format!("{kind} {subject}");
        let found = all.as_array().unwrap().iter().find(|alarm| told(alarm, &names) == wanted);
        let message = found.unwrap()["message"].as_str().unwrap();
        assert!(message.contains(text), "{}: {message}", self.name);
    }

    /// The manager finds something about itself.
    pub(super) async fn found(&self, found: ManagerCondition) {
        let processor = self.kattila().manager().processor();
        processor.command(Command::Condition(found)).await.unwrap();
    }

    /// Somebody tries a token.
    async fn guess(&self) {
        let body = "token=a-token-that-nobody-made-0000000".to_owned();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = send(self.kattila().addr(), Method::POST, "/login", &form, body).await;
        assert_eq!(answer.status, 401, "{}", self.name);
    }

    async fn approve(&mut self, host: &str) {
        let path = format!("/api/v1/agents/{}/approve", id_of(self.place(host)));
        assert_eq!(self.kattila().operator().post(&path, &json!({})).await.status, 200);
        self.host(host).waits = false;
    }

    /// Somebody does something about the open alarm of a kind about a thing.
    async fn on_alarm(&self, verb: &str, (kind, subject): (&str, &str), body: &Value) {
        let names = self.names().await;
        let all = self.kattila().operator().json("/status/alarms").await;
        let wanted = format!("{kind} {subject}");
        let found = all.as_array().unwrap().iter().find(|alarm| told(alarm, &names) == wanted);
        let path = format!("/api/v1/alarms/{}/{verb}", found.unwrap()["id"]);
        assert_eq!(self.kattila().operator().post(&path, body).await.status, 200);
    }

    /// A host is in maintenance from now on.
    async fn maintain(&self, host: &str, for_s: i64) {
        let agent = id_of(self.place(host));
        let body = json!({ "agent_id": agent, "for_s": for_s, "reason": "new disks" });
        let answer = self.kattila().operator().post("/api/v1/maintenance", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// What the manager calls things, and how a scenario does.
    async fn names(&self) -> Vec<(String, String)> {
        let hosts = self.hosts.iter().enumerate();
        let mut names: Vec<_> =
            hosts.map(|(place, (name, ..))| (id_of(place), name.clone())).collect();
        let name = |id: &Value| {
            let found = names.iter().find(|(other, _)| *id == **other);
            found.map_or("nobody".to_owned(), |(_, name)| name.clone())
        };
        let map = self.kattila().operator().topology().await;
        let edges = map["edges"].as_array().unwrap().iter().map(|edge| {
            let ends = [0, 1].map(|side| name(&edge["ends"][side]["agent_id"]));
            let straight = self.links.iter().any(|link| link.ends == ends);
            let [a, b] = ends;
            let ends = if straight { format!("{a}-{b}") } else { format!("{b}-{a}") };
            (edge["id"].as_str().unwrap().to_owned(), ends)
        });
        let edges: Vec<_> = edges.collect();
        names.extend(edges);
        let hosts = self.hosts.iter().enumerate();
        names.extend(hosts.map(|(place, (name, ..))| (key_of(place), format!("key-of-{name}"))));
        names.extend(self.others.names());
        names.push((key_of(77), "key-of-nobody".to_owned()));
        names
    }

    /// The open alarms in a scenario's words, sorted.
    pub(super) async fn alarms(&self) -> Vec<String> {
        let names = self.names().await;
        let all = self.kattila().operator().json("/status/alarms").await;
        let all = all.as_array().unwrap();
        let line = |alarm: &Value| {
            let word = |name: &str| alarm[name].as_str().unwrap();
            let (severity, state) = (word("severity"), word("state"));
            let cause = all.iter().find(|cause| cause["id"] == alarm["inhibited_by"]);
            let follows = match cause {
                Some(cause) => format!(" < {}", told(cause, &names)),
                None if alarm["inhibited_by"].is_null() => String::new(),
                None => " < what is over".to_owned(),
            };
            let flaps = if alarm["flapping"] == true { " flapping" } else { "" };
            let aside = match (alarm["maintenance"].is_null(), alarm["shelved_until"].is_null()) {
                (false, _) => " maintenance",
                (true, false) => " shelved",
                (true, true) => "",
            };
            format!("{} {severity} {state}{flaps}{aside}{follows}", told(alarm, &names))
        };
        let mut lines: Vec<String> = all.iter().map(line).collect();
        lines.sort();
        let counted: i64 = all.iter().map(|alarm| alarm["children"].as_i64().unwrap()).sum();
        let follow = lines.iter().filter(|line| line.contains(" < "));
        let follow = follow.filter(|line| !line.ends_with(" < what is over")).count();
        assert_eq!(counted, i64::try_from(follow).unwrap(), "{}: {lines:?}", self.name);
        lines
    }

    /// The alarms that people are told of, by number, as `KIND SUBJECT`: open, worse than `info`,
    /// not acknowledged, following from none. Late reports are told to nobody.
    pub(super) async fn told(&self) -> Vec<(i64, String)> {
        let names = self.names().await;
        let all = self.kattila().operator().json("/status/alarms").await;
        let all = all.as_array().unwrap().iter();
        let all = all.filter(|alarm| {
            alarm["inhibited_by"].is_null()
                && alarm["state"] != "acknowledged"
                && alarm["severity"] != "info"
                && alarm["kind"] != "agent.stale"
        });
        all.map(|alarm| (alarm["id"].as_i64().unwrap(), told(alarm, &names))).collect()
    }

    /// What must be so at every report.
    async fn check(&self) {
        if self.never.is_empty() && self.roots.is_none() {
            return;
        }
        let lines = self.alarms().await;
        for kind in &self.never {
            let found = lines.iter().find(|line| line.split(' ').next() == Some(kind));
            assert_eq!(found, None, "{} at {} s", self.name, self.now());
        }
        // Late reports are told to nobody.
        let is_told = |line: &&String| !line.contains(" < ") && !line.starts_with("agent.stale");
        let roots: Vec<_> = lines.iter().filter(is_told).collect();
        let most = self.roots.unwrap_or(usize::MAX);
        assert!(roots.len() <= most, "{} at {} s: {roots:?}", self.name, self.now());
    }

    pub(super) async fn stop(self) {
        self.kattila.unwrap().stop().await;
    }
}

/// A handshake as a host notes it whose clock is ahead; 0 means never.
fn shaken(at: i64, ahead_s: i64) -> i64 {
    if at == 0 { 0 } else { at + ahead_s }
}

fn told(alarm: &Value, names: &[(String, String)]) -> String {
    let (kind, subject) = (alarm["kind"].as_str().unwrap(), alarm["subject"].as_str().unwrap());
    let mut text = format!("{kind} {subject}");
    for (id, name) in names {
        text = text.replace(id, name);
    }
    text
}
