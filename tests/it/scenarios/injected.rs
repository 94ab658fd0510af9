//! Faults drawn at random, with the truth known: how often the alarm that tells is the cause.
//!
//! Each fleet is drawn from a seed, lives on the virtual clock and has one fault after another;
//! some happen twice at once, some are no faults at all. At every report it is noted which alarms
//! people would be told of: raised, worse than `info`, following from none. They must be the
//! faults, each once, and after each fault all must be over.
//!
//! `KATTILA_FAULTS` says how many are injected; docs/alarms.md has the figures of ten thousand.
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
const OVER_AFTER_S: i64 = 300;

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
    /// The alarms that people must be told of, as `KIND SUBJECT`.
    causes: Vec<String>,
    /// The hosts that it touches: another fault at the same time keeps away from them.
    hosts: BTreeSet<usize>,
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
        match dice.below(12) {
            0 | 1 => self.stopped(host),
            2 | 3 => self.dead(host),
            4 | 5 => self.cut(link),
            6 => self.forgotten(link),
            7 => self.unplugged(host),
            8 => self.failed(host),
            9 => self.rebooted(host),
            10 => self.idle(link),
            _ => self.lost(host),
        }
    }

    /// Nobody tells what a host alone is called, or a relay that takes others with it.
    fn silence_of(&self, host: usize) -> String {
        let is_relay = host == 0 && !self.behind.is_empty();
        format!("{} {}", if is_relay { "relay.dead" } else { "agent.offline" }, self.hosts[host])
    }

    fn stopped(&self, host: usize) -> Fault {
        let silent = self.silent_with(host);
        Fault {
            kind: "agent stopped",
            acts: vec![format!("silent {}", self.names(&silent))],
            mends: vec![format!("back {}", self.names(&silent))],
            causes: vec![self.silence_of(host)],
            hosts: silent.into_iter().collect(),
        }
    }

    fn dead(&self, host: usize) -> Fault {
        let mut fault = self.stopped(host);
        fault.kind = "host dead";
        fault.acts.push(format!("cut {}", self.pairs_of(host)));
        fault.mends.push(format!("mend {}", self.pairs_of(host)));
        fault.hosts.extend(self.links_of(host).into_iter().flat_map(|(a, b)| [a, b]));
        fault
    }

    fn cut(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        Fault {
            kind: "link cut",
            acts: vec![format!("cut {pair}")],
            mends: vec![format!("mend {pair}")],
            causes: vec![format!("edge.down {pair}")],
            hosts: BTreeSet::from([link.0, link.1]),
        }
    }

    fn forgotten(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        Fault {
            kind: "peer removed at one end",
            acts: vec![format!("forget {pair}")],
            mends: vec![format!("list {pair}")],
            causes: vec![format!("edge.half_configured {pair}")],
            hosts: BTreeSet::from([link.0, link.1]),
        }
    }

    fn unplugged(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        let links = self.links_of(host);
        Fault {
            kind: "interface vanished",
            acts: vec![format!("unplug {name}/wg0"), format!("cut {}", self.pairs_of(host))],
            mends: vec![format!("plug {name}/wg0"), format!("mend {}", self.pairs_of(host))],
            causes: vec![format!("iface.gone {name}/wg0")],
            hosts: links.into_iter().flat_map(|(a, b)| [a, b]).collect(),
        }
    }

    fn failed(&self, host: usize) -> Fault {
        let name = &self.hosts[host];
        let links = self.links_of(host);
        Fault {
            kind: "interface down",
            acts: vec![format!("fail {name}/wg0"), format!("cut {}", self.pairs_of(host))],
            mends: vec![format!("heal {name}/wg0"), format!("mend {}", self.pairs_of(host))],
            causes: vec![format!("iface.down {name}/wg0")],
            hosts: links.into_iter().flat_map(|(a, b)| [a, b]).collect(),
        }
    }

    /// A host that boots and is back in time is no fault.
    fn rebooted(&self, host: usize) -> Fault {
        Fault {
            kind: "no fault: a boot",
            acts: vec![format!("reboot {}", self.hosts[host])],
            mends: Vec::new(),
            causes: Vec::new(),
            hosts: BTreeSet::from([host]),
        }
    }

    /// Nor is a link that nobody uses.
    fn idle(&self, link: (usize, usize)) -> Fault {
        let pair = self.pair(link);
        Fault {
            kind: "no fault: a link that rests",
            acts: vec![format!("rest {pair}")],
            mends: vec![format!("use {pair}")],
            causes: Vec::new(),
            hosts: BTreeSet::from([link.0, link.1]),
        }
    }

    /// Nor are two reports that are lost.
    fn lost(&self, host: usize) -> Fault {
        Fault {
            kind: "no fault: two lost reports",
            acts: vec![format!("lose {} 2", self.hosts[host])],
            mends: Vec::new(),
            causes: Vec::new(),
            hosts: BTreeSet::from([host]),
        }
    }
}

/// What happens next to a fleet: one fault, or two that keep away from each other.
fn draw(fleet: &Fleet, dice: &mut Rng) -> Vec<Fault> {
    let mut faults = vec![fleet.fault(dice)];
    let second = fleet.fault(dice);
    let apart = faults.iter().all(|fault| fault.hosts.is_disjoint(&second.hosts));
    if dice.below(4) == 0 && apart && fleet.links.len() > 9 {
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

#[tokio::test(flavor = "multi_thread")]
async fn the_alarm_that_is_told_is_the_cause() {
    #[expect(clippy::disallowed_methods, reason = "ten thousand take longer than a test may")]
    let wanted = std::env::var("KATTILA_FAULTS").map_or(80, |n| n.parse().unwrap());
    let fleets = usize::div_ceil(wanted, OF_A_FLEET);
    let mut all: BTreeMap<&'static str, Score> = BTreeMap::new();
    let seeds: Vec<u64> = (1..=fleets as u64).collect();
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
    assert!(sum(|s| s.injected) >= wanted);
    assert_eq!((missed, wrong, sum(|s| s.left)), (0, 0, 0));
}
