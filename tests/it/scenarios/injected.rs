//! Faults drawn at random, with the truth known: how often the alarm that tells is the cause.
//!
//! Each fleet is drawn from a seed, lives on the virtual clock and has one fault after another;
//! some happen twice at once, some are no faults at all. At every report it is noted which alarms
//! people would be told of: raised, worse than `info`, following from none. They must be the
//! faults, each once, and after each fault all must be over.
//!
//! `KATTILA_FAULTS` says how many are injected; docs/alarms.md has the figures of a long run.
//! `KATTILA_SEEDS` names fleets to look at again instead, as `518,576`.
#![expect(clippy::print_stdout, reason = "the table is what docs/alarms.md shows")]

use std::collections::{BTreeMap, BTreeSet};

use kattila::simulate::rng::Rng;

use super::world::World;

/// Faults of one fleet, one after the other.
const OF_A_FLEET: usize = 10;

/// Fleets that live at the same time.
const AT_ONCE: usize = 4;

/// How long a fault goes on, at least: until the slowest alarm of the catalogue that it may have
/// (a partition after `T2` and a minute) is raised.
const LASTS_S: u64 = 540;

/// How long after it everything must be over.
const OVER_AFTER_S: i64 = 390;

/// A fleet as it is drawn.
struct Fleet {
    hosts: Vec<String>,
    links: Vec<(usize, usize)>,
    /// Hosts whose reports come through the first.
    behind: BTreeSet<usize>,
}

/// What happens to it.
struct Fault {
    kind: &'static str,
    acts: Vec<String>,
    mends: Vec<String>,
    /// What somebody does once it is mended: some kinds wait for it.
    after: Vec<String>,
    /// The alarms that people must be told of, as `KIND SUBJECT`.
    causes: Vec<String>,
    /// The hosts that are not heard any more, or lose all their links: nothing else can be known
    /// of them, and another fault at the same time keeps away from them.
    owned: BTreeSet<usize>,
    /// The links that it breaks or bends.
    links: BTreeSet<(usize, usize)>,
}

impl Fault {
    fn new(kind: &'static str, cause: String) -> Self {
        Self {
            kind,
            acts: Vec::new(),
            mends: Vec::new(),
            after: Vec::new(),
            causes: vec![cause],
            owned: BTreeSet::new(),
            links: BTreeSet::new(),
        }
    }

    fn act(mut self, act: String, mend: String) -> Self {
        self.acts.push(act);
        self.mends.push(mend);
        self
    }
}

/// What came of the faults of one kind.
#[derive(Default, Clone)]
struct Score {
    injected: usize,
    /// Causes that were told, and those that were not.
    hit: usize,
    missed: usize,
    /// Alarms that were told and are no cause, and causes told more than once.
    wrong: usize,
    /// Alarms still open when all should be over.
    left: usize,
}

impl Fleet {
    fn draw(dice: &mut Rng) -> Self {
        let size = 5 + usize::try_from(dice.below(4)).unwrap();
        let hosts: Vec<String> = (0..size).map(|n| format!("h{n}x")).collect();
        let mut links = Vec::new();
        let mut behind = BTreeSet::new();
        match dice.below(4) {
            // A hub with its spokes, a ring, everybody with everybody.
            0 => links.extend((1..size).map(|n| (0, n))),
            1 => links.extend((0..size).map(|n| (n.min((n + 1) % size), n.max((n + 1) % size)))),
            2 => links.extend((0..size).flat_map(|a| (a + 1..size).map(move |b| (a, b)))),
            // A relay with some behind it, and a ring of others.
            _ => {
                links.extend((1..size).map(|n| (0, n)));
                links.push((size - 2, size - 1));
                behind.extend(1..size - 2);
            }
        }
        Self { hosts, links, behind }
    }

    fn lines(&self) -> Vec<String> {
        let pairs: Vec<String> = self.links.iter().map(|link| self.pair(*link)).collect();
        let mut lines =
            vec![format!("hosts {}", self.hosts.join(" ")), format!("links {}", pairs.join(" "))];
        lines.extend(self.behind.iter().map(|n| format!("00:00 {}", self.via(*n))));
        lines
    }

    fn via(&self, host: usize) -> String {
        format!("via {} {}", self.hosts[host], self.hosts[0])
    }

    fn pair(&self, (a, b): (usize, usize)) -> String {
        format!("{}-{}", self.hosts[a], self.hosts[b])
    }

    fn links_of(&self, host: usize) -> Vec<(usize, usize)> {
        self.links.iter().copied().filter(|(a, b)| *a == host || *b == host).collect()
    }

    fn pairs_of(&self, host: usize) -> String {
        let pairs: Vec<String> = self.links_of(host).into_iter().map(|l| self.pair(l)).collect();
        pairs.join(" ")
    }

    /// Who is silent when a host is.
    fn silent_with(&self, host: usize) -> Vec<usize> {
        let mut silent = vec![host];
        if host == 0 {
            silent.extend(&self.behind);
        }
        silent
    }

    fn names(&self, hosts: &[usize]) -> String {
        hosts.iter().map(|n| self.hosts[*n].as_str()).collect::<Vec<_>>().join(" ")
    }

    fn fault(&self, dice: &mut Rng) -> Fault {
        let host = usize::try_from(dice.below(self.hosts.len() as u64)).unwrap();
        let link = self.links[usize::try_from(dice.below(self.links.len() as u64)).unwrap()];
        match dice.below(20) {
            0 | 1 => self.stopped(host),
            2 | 3 => self.dead(host),
            4 | 5 => self.cut(link),
            6 => self.forgotten(link),
            7 => self.unplugged(host),
            8 => self.failed(host),
            9 => self.rebooted(host),
            10 => self.idle(link),
            11 => self.lost(host),
            12 => self.one_way(link),
            13 => self.too_large(host),
            14 => self.without_default(host),
            15 => self.not_let_in(link),
            16 => self.without_psk(link),
            17 => self.refused(host),
            18 => self.misdated(host),
            _ => self.elsewhere(host, 20_000 + dice.below(20_000)),
        }
    }

    /// Nobody tells what a host alone is called, or a relay that takes others with it.
    fn silence_of(&self, host: usize) -> String {
        let is_relay = host == 0 && !self.behind.is_empty();
        format!("{} {}", if is_relay { "relay.dead" } else { "agent.offline" }, self.hosts[host])
    }

    fn stopped(&self, host: usize) -> Fault {
        let silent = self.silent_with(host);
        let names = self.names(&silent);
        let fault = Fault::new("agent stopped", self.silence_of(host));
        Fault { owned: silent.into_iter().collect(), ..fault }
            .act(format!("silent {names}"), format!("back {names}"))
    }

    /// A fault that takes all links of a host with it.
    fn cut_off(&self, mut fault: Fault, host: usize) -> Fault {
        fault.owned.insert(host);
        fault.links.extend(self.links_of(host));
        let pairs = self.pairs_of(host);
        fault.act(format!("cut {pairs}"), format!("mend {pairs}"))
    }

    fn dead(&self, host: usize) -> Fault {
        let fault = Fault { kind: "host dead", ..self.stopped(host) };
        self.cut_off(fault, host)
    }

    /// A fault of one link.
    fn of_link(&self, kind: &'static str, alarm: &str, link: (usize, usize)) -> Fault {
        let fault = Fault::new(kind, format!("{alarm} {}", self.pair(link)));
        Fault { links: BTreeSet::from([link]), ..fault }
    }

    fn cut(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        self.of_link("link cut", "edge.down", link)
            .act(format!("cut {pair}"), format!("mend {pair}"))
    }

    fn one_way(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        self.of_link("link cut in one direction", "edge.one_way", link)
            .act(format!("oneway {pair}"), format!("mend {pair}"))
    }

    fn forgotten(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        self.of_link("peer removed at one end", "edge.half_configured", link)
            .act(format!("forget {pair}"), format!("list {pair}"))
    }

    fn not_let_in(&self, link: (usize, usize)) -> Fault {
        let (first, second) = (&self.hosts[link.0], &self.hosts[link.1]);
        self.of_link("wrong allowed ips at one end", "allowedips.mismatch", link).act(
            // Its own for each link: the same for two would be a conflict too.
            format!("allow {second} {first} 10.77.{}.{}/32", link.0 + 1, link.1 + 1),
            format!("allow {second} {first} 10.77.0.{}/32", link.0 + 1),
        )
    }

    fn without_psk(&self, link: (usize, usize)) -> Fault {
        let (first, second) = (&self.hosts[link.0], &self.hosts[link.1]);
        let cause = format!("wg_psk.removed {first}/wg0/key-of-{second}");
        let fault = Fault::new("preshared key removed at one end", cause.clone());
        let pair = self.pair(link);
        Fault { links: BTreeSet::from([link]), after: vec![format!("ack {cause}")], ..fault }
            .act(format!("nopsk {first} {second}"), format!("psk {first} {second}"))
            .act(format!("cut {pair}"), format!("mend {pair}"))
    }

    fn too_large(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        Fault::new("tunnel larger than its cable", format!("mtu.mismatch {name}/wg0"))
            .act(format!("mtu {name} 1450"), format!("mtu {name} 1420"))
    }

    fn without_default(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        Fault::new("default route lost", format!("default_route.changed {name}/ipv4"))
            .act(format!("nodefault {name}"), format!("default {name}"))
    }

    /// It sends what is no report.
    fn refused(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        let fault = Fault::new("reports that are refused", format!("payload.rejected {name}"));
        Fault { owned: BTreeSet::from([host]), ..fault }
            .act(format!("garble {name}"), format!("ungarble {name}"))
    }

    /// Its clock is so wrong that its reports are refused.
    fn misdated(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        let fault = Fault::new("clock off by 700 s", format!("agent.clock_skew {name}"));
        Fault { owned: BTreeSet::from([host]), ..fault }
            .act(format!("clock {name} 700"), format!("clock {name} 0"))
    }

    /// It listens on another port; all its peers but one have heard of it.
    fn elsewhere(&self, host: usize, port: u64) -> Fault {
        let links = self.links_of(host);
        let name = &self.hosts[host];
        let [left, others @ ..] = &links[..] else { unreachable!("a host without links") };
        if others.is_empty() {
            // Then nobody can know.
            return self.too_large(host);
        }
        let see = |(a, b): &(usize, usize)| {
            let peer = &self.hosts[if *a == host { *b } else { *a }];
            format!("see {peer} {name} 192.0.2.{}:{port}", host + 1)
        };
        let mut fault = Fault::new(
            "port changed, one peer not told",
            format!("listen_port.changed {name}/wg0"),
        );
        fault.acts.push(format!("port {name} {port}"));
        fault.acts.extend(others.iter().map(see));
        fault.links.insert(*left);
        let pair = self.pair(*left);
        fault
            .act(format!("cut {pair}"), see(left))
            .act(format!("cut {pair}"), format!("mend {pair}"))
    }

    fn unplugged(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        let fault = Fault::new("interface vanished", format!("iface.gone {name}/wg0"));
        let fault = fault.act(format!("unplug {name}/wg0"), format!("plug {name}/wg0"));
        self.cut_off(fault, host)
    }

    fn failed(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        let fault = Fault::new("interface down", format!("iface.down {name}/wg0"));
        let fault = fault.act(format!("fail {name}/wg0"), format!("heal {name}/wg0"));
        self.cut_off(fault, host)
    }

    /// No fault, and nothing to tell.
    fn nothing(kind: &'static str) -> Fault {
        Fault { causes: Vec::new(), ..Fault::new(kind, String::new()) }
    }

    /// A host that boots and is back in time is no fault.
    fn rebooted(&self, host: usize) -> Fault {
        let acts = vec![format!("reboot {}", self.hosts[host])];
        Fault { acts, owned: BTreeSet::from([host]), ..Self::nothing("no fault: a boot") }
    }

    /// Nor is a link that nobody uses.
    fn idle(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        let fault = Self::nothing("no fault: a link that rests");
        Fault { links: BTreeSet::from([link]), ..fault }
            .act(format!("rest {pair}"), format!("use {pair}"))
    }

    /// Nor are two reports that are lost.
    fn lost(&self, host: usize) -> Fault {
        let acts = vec![format!("lose {} 2", self.hosts[host])];
        Fault { acts, owned: BTreeSet::from([host]), ..Self::nothing("no fault: two lost reports") }
    }

    /// Whether two faults at once are still two, of which each can be known: none is about what
    /// the other takes away, and together they do not cut the fleet apart.
    fn are_apart(&self, one: &Fault, two: &Fault) -> bool {
        let spared = |owner: &Fault, other: &Fault| {
            let touched = other.links.iter().flat_map(|(a, b)| [a, b]).chain(&other.owned);
            let named = self.hosts.iter().enumerate().filter(|(_, name)| {
                other.acts.iter().any(|act| act.split([' ', '/', '-']).any(|word| word == *name))
            });
            let named: BTreeSet<usize> = named.map(|(n, _)| n).collect();
            owner.owned.is_disjoint(&touched.copied().chain(named).collect())
        };
        let causes = one.causes.iter().all(|cause| !two.causes.contains(cause));
        let links = one.links.is_disjoint(&two.links);
        causes && links && spared(one, two) && spared(two, one) && self.holds_without(one, two)
    }

    /// Whether the hosts that two faults leave are still all connected.
    fn holds_without(&self, one: &Fault, two: &Fault) -> bool {
        let is_left = |host: usize| !one.owned.contains(&host) && !two.owned.contains(&host);
        let holds = |link: &&(usize, usize)| {
            is_left(link.0)
                && is_left(link.1)
                && !one.links.contains(link)
                && !two.links.contains(link)
        };
        let links: Vec<_> = self.links.iter().filter(holds).collect();
        let left: BTreeSet<usize> = (0..self.hosts.len()).filter(|host| is_left(*host)).collect();
        let mut found = BTreeSet::new();
        let mut waiting: Vec<usize> = left.first().copied().into_iter().collect();
        while let Some(host) = waiting.pop() {
            if found.insert(host) {
                let ends = links.iter().filter(|(a, b)| *a == host || *b == host);
                waiting.extend(ends.map(|(a, b)| if *a == host { *b } else { *a }));
            }
        }
        found == left
    }
}

/// What happens next to a fleet: one fault, or two at once, also of the same host.
fn draw(fleet: &Fleet, dice: &mut Rng) -> Vec<Fault> {
    let mut faults = vec![fleet.fault(dice)];
    let second = fleet.fault(dice);
    if dice.below(3) == 0 && fleet.are_apart(&faults[0], &second) {
        faults.push(second);
    }
    faults
}

/// A fleet whose hosts have all reported for a while.
async fn settled(name: &str, fleet: &Fleet) -> World {
    let lines = fleet.lines();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut world = World::of(name, &lines).await;
    for host in &fleet.behind {
        world.act(&fleet.via(*host)).await;
    }
    for (a, b) in &fleet.links {
        let (a, b) = (&fleet.hosts[*a], &fleet.hosts[*b]);
        world.act(&format!("psk {a} {b}")).await;
        world.act(&format!("psk {b} {a}")).await;
    }
    world.live_until(300).await;
    // Who reports through others is meant to, and somebody has said so.
    for host in &fleet.behind {
        world.act(&format!("ack agent.relay_only {}", fleet.hosts[*host])).await;
    }
    world
}

/// One fleet's faults, one after the other; what came of each kind.
async fn live(seed: u64, faults: usize) -> BTreeMap<&'static str, Score> {
    let mut dice = Rng::new(seed);
    let fleet = Fleet::draw(&mut dice);
    let mut world = settled(&format!("seed {seed}"), &fleet).await;
    let mut scores: BTreeMap<&'static str, Score> = BTreeMap::new();
    let mut done = 0;
    while done < faults {
        let now = draw(&fleet, &mut dice);
        done += now.len();
        let begins = world.now() + i64::try_from(dice.below(4) * 10).unwrap();
        world.live_until(begins).await;
        for act in now.iter().flat_map(|fault| &fault.acts) {
            world.act(act).await;
        }
        let restarts = dice.below(8) == 0;
        // A manager that starts looks at the whole only when it has heard everybody.
        let more = if restarts { 240 } else { 0 };
        let lasts = i64::try_from(LASTS_S + more + dice.below(12) * 10).unwrap();
        let mut told = BTreeMap::new();
        watch(&mut world, begins + lasts / 2, &mut told).await;
        if restarts {
            world.act("restart").await;
        }
        watch(&mut world, begins + lasts, &mut told).await;
        let open = world.alarms().await;
        for act in now.iter().flat_map(|fault| &fault.mends) {
            world.act(act).await;
        }
        watch(&mut world, begins + lasts + OVER_AFTER_S / 2, &mut told).await;
        for act in now.iter().flat_map(|fault| &fault.after) {
            world.act(act).await;
        }
        watch(&mut world, begins + lasts + OVER_AFTER_S, &mut told).await;
        if !count(seed, &now, told, &mut scores) {
            println!("seed {seed}: from {begins} for {lasts} s; open were {open:#?}");
        }
        let left = world.told().await;
        if !left.is_empty() {
            println!("seed {seed}: after {}: {left:?}", now[0].kind);
            scores.entry(now[0].kind).or_default().left += left.len();
        }
    }
    world.stop().await;
    scores
}

/// Lets time pass, and notes who would be told of what.
async fn watch(world: &mut World, until: i64, told: &mut BTreeMap<i64, (String, i64)>) {
    while world.now() < until {
        world.live_until(until.min(world.now() + 30)).await;
        for (id, alarm) in world.told().await {
            told.entry(id).or_insert((alarm, world.now()));
        }
    }
}

/// Whether all was as it should be.
fn count(
    seed: u64,
    faults: &[Fault],
    told: BTreeMap<i64, (String, i64)>,
    scores: &mut BTreeMap<&'static str, Score>,
) -> bool {
    let mut is_right = true;
    let mut told: Vec<(String, i64)> = told.into_values().collect();
    for fault in faults {
        let score = scores.entry(fault.kind).or_default();
        score.injected += 1;
        for cause in &fault.causes {
            match told.iter().position(|(alarm, _)| alarm == cause) {
                Some(place) => {
                    told.swap_remove(place);
                    score.hit += 1;
                }
                None => {
                    println!("seed {seed}: {}: {cause} was not told", fault.kind);
                    score.missed += 1;
                    is_right = false;
                }
            }
        }
    }
    if !told.is_empty() {
        println!("seed {seed}: {}: told beside it: {told:?}", faults[0].kind);
        scores.entry(faults[0].kind).or_default().wrong += told.len();
        is_right = false;
    }
    is_right
}

/// Which fleets to look at.
#[expect(clippy::disallowed_methods, reason = "ten thousand faults take longer than a test may")]
fn seeds() -> Vec<u64> {
    if let Ok(seeds) = std::env::var("KATTILA_SEEDS") {
        return seeds.split(',').map(|seed| seed.parse().unwrap()).collect();
    }
    let wanted = std::env::var("KATTILA_FAULTS").map_or(80, |n| n.parse().unwrap());
    (1..=usize::div_ceil(wanted, OF_A_FLEET) as u64).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alarm_that_is_told_is_the_cause() {
    let seeds = seeds();
    let mut all: BTreeMap<&'static str, Score> = BTreeMap::new();
    for seeds in seeds.chunks(AT_ONCE) {
        let lives: Vec<_> =
            seeds.iter().map(|seed| tokio::spawn(live(*seed, OF_A_FLEET))).collect();
        for life in lives {
            for (kind, score) in life.await.unwrap() {
                let sum = all.entry(kind).or_default();
                sum.injected += score.injected;
                sum.hit += score.hit;
                sum.missed += score.missed;
                sum.wrong += score.wrong;
                sum.left += score.left;
            }
        }
    }
    println!("| fault | injected | cause told | missed | told beside it | left open |");
    println!("|---|---|---|---|---|---|");
    for (kind, s) in &all {
        let Score { injected, hit, missed, wrong, left } = s;
        println!("| {kind} | {injected} | {hit} | {missed} | {wrong} | {left} |");
    }
    let sum = |of: fn(&Score) -> usize| all.values().map(of).sum::<usize>();
    let (hit, missed, wrong) = (sum(|s| s.hit), sum(|s| s.missed), sum(|s| s.wrong));
    println!("precision {hit}/{}, recall {hit}/{}", hit + wrong, hit + missed);
    assert!(sum(|s| s.injected) >= seeds.len() * OF_A_FLEET);
    assert_eq!((missed, wrong, sum(|s| s.left)), (0, 0, 0));
}
