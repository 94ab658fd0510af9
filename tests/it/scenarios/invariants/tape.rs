//! A history as it was played, and what was seen of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kattila::simulate::rng::Rng;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::scenarios::world::World;
use crate::support::manager::START;
use crate::support::receiver::Receiver;
use crate::support::rows::Rows;

use super::draw::{Act, HOSTS, LINKS, flaps, next};
use super::{ROUND_S, id, text};

/// Rounds of a history, and those after which all must be well again.
const ROUNDS: usize = 110;
const LAST_ROUNDS: usize = 24;

/// Rounds of an interface that comes and goes.
const FLAPS: usize = 12;

/// Reports that were read this long ago are late.
const LATE_S: i64 = 240;

/// Which of a history is played.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// All of it.
    Drawn,
    /// Nobody shelves anything, and nothing is in maintenance.
    NothingAside,
}

/// What is seen after a round.
pub(super) struct Look {
    /// Seconds since the start.
    pub(super) at: i64,
    /// The open alarms by their numbers.
    pub(super) alarms: BTreeMap<i64, Value>,
    /// What is stored of open alarms, pending ones too: kind and subject.
    pub(super) stored: Vec<String>,
    /// Hosts that do not report, and all hosts' states.
    pub(super) silent: BTreeSet<&'static str>,
    pub(super) states: BTreeMap<String, String>,
}

/// Late reports of a host.
pub(super) struct Pour {
    pub(super) at: i64,
    pub(super) before: Vec<Value>,
    pub(super) after: Vec<Value>,
    pub(super) sent: usize,
    pub(super) stored_more: usize,
}

/// What was seen of a history.
pub(super) struct Tape {
    pub(super) seed: u64,
    pub(super) looks: Vec<Look>,
    /// Alarms that people acknowledged.
    pub(super) acknowledged: BTreeSet<i64>,
    /// When, and what is stored of alarms and messages before and after.
    pub(super) restarts: Vec<(i64, Vec<String>, Vec<String>)>,
    /// When, and the open alarms of the agent before.
    pub(super) resets: Vec<(i64, Vec<Value>)>,
    pub(super) pours: Vec<Pour>,
    /// In the end: every alarm there was, and every message, oldest first.
    pub(super) all: Vec<Value>,
    pub(super) messages: Vec<Value>,
    agents: BTreeMap<String, &'static str>,
}

impl Tape {
    /// An alarm at the last look before and at the first one from a time on.
    pub(super) fn around(&self, at: i64, alarm: i64) -> impl Iterator<Item = &Value> {
        let before = self.looks.iter().rev().find(|look| look.at < at);
        let after = self.looks.iter().find(|look| look.at >= at);
        [before, after].into_iter().flatten().filter_map(move |look| look.alarms.get(&alarm))
    }

    /// The alarms of a look that only reports of a host tell of.
    pub(super) fn told_by<'a>(
        &'a self,
        look: &'a Look,
        host: &str,
    ) -> impl Iterator<Item = &'a Value> {
        let is_its = move |alarm: &&Value| {
            let agent = self.agents.get(text(alarm, "agent_id"));
            agent.is_some_and(|name| *name == host)
                && !alarm["report_id"].is_null()
                && !super::is_of_link(alarm)
        };
        look.alarms.values().filter(is_its)
    }

    pub(super) fn status<'a>(&self, look: &'a Look, host: &str) -> &'a str {
        look.states.get(host).map_or("", String::as_str)
    }

    /// Whether somebody whom an alarm is about was silent when the manager started.
    pub(super) fn was_silent(&self, alarm: &Value, at: i64) -> bool {
        let look = self.looks.iter().rev().find(|look| look.at <= at);
        let Some(host) = self.agents.get(text(alarm, "agent_id")) else { return true };
        look.is_some_and(|look| look.silent.contains(host))
    }
}

/// A history while it is played.
struct Player {
    world: World,
    course: Course,
    tape: Tape,
    silent: BTreeSet<&'static str>,
    held: BTreeSet<&'static str>,
    /// Whose interface comes and goes, and for how many rounds more.
    flapping: Option<(&'static str, usize)>,
}

/// Plays a history.
pub(super) async fn play(seed: u64, course: Course) -> Tape {
    let receiver = Receiver::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notify.toml");
    std::fs::write(&file, plan(&receiver)).unwrap();
    let setting = format!("setting KATTILA_NOTIFY_FILE={}", file.display());
    let (hosts, links) =
        (format!("hosts {}", HOSTS.join(" ")), format!("links {}", LINKS.join(" ")));
    let world = World::of(&format!("history {seed}"), &[&setting, &hosts, &links]).await;
    let agents =
        world.hosts.iter().zip(HOSTS).map(|((_, _, agent), name)| (agent.id.clone(), name));
    let tape = Tape {
        seed,
        looks: Vec::new(),
        acknowledged: BTreeSet::new(),
        restarts: Vec::new(),
        resets: Vec::new(),
        pours: Vec::new(),
        all: Vec::new(),
        messages: Vec::new(),
        agents: agents.collect(),
    };
    let (silent, held) = (BTreeSet::new(), BTreeSet::new());
    let mut player = Player { world, course, tape, silent, held, flapping: None };
    player.world.live_until(300).await;
    let mut dice = Rng::new(seed);
    for _ in 0..ROUNDS {
        if let Some(act) = next(&mut dice) {
            player.act(act).await;
        }
        if let Some(host) = flaps(&mut dice) {
            player.flapping.get_or_insert((host, FLAPS));
        }
        player.flap().await;
        player.round().await;
    }
    player.end().await;
    player.tape
}

/// Two channels that are told all.
fn plan(receiver: &Receiver) -> String {
    let channel = |name: &str, path: &str| {
        format!(
            "[[channel]]\nname = \"{name}\"\ntype = \"webhook\"\nurl = \"{}\"\n",
            receiver.url(path)
        )
    };
    format!(
        "{}{}[[route]]\nchannels = [\"all\", \"too\"]\n",
        channel("all", "/all"),
        channel("too", "/too")
    )
}

impl Player {
    async fn open(&self) -> Vec<Value> {
        let all = self.world.kattila().operator().json("/status/alarms").await;
        all.as_array().unwrap().clone()
    }

    async fn round(&mut self) {
        let at = self.world.now() + ROUND_S;
        self.world.live_until(at).await;
        let alarms = self.open().await.into_iter().map(|alarm| (id(&alarm), alarm)).collect();
        let agents = self.world.kattila().operator().agents().await;
        let state = |agent: &Value| {
            let name = self.tape.agents.get(text(agent, "agent_id"))?;
            Some(((*name).to_owned(), text(agent, "status").to_owned()))
        };
        self.tape.looks.push(Look {
            at,
            alarms,
            stored: stored_open(&self.world.kattila().db()),
            silent: self.silent.union(&self.held).copied().collect(),
            states: agents.iter().filter_map(state).collect(),
        });
    }

    async fn flap(&mut self) {
        let Some((host, left)) = self.flapping.take() else { return };
        let verb = if left % 4 < 2 { "heal" } else { "fail" };
        self.world.act(&format!("{verb} {host}/eth0")).await;
        self.flapping = (left > 1).then_some((host, left - 1));
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::World(what) => self.world.act(&what).await,
            Act::Silent(host) => {
                self.silent.insert(host);
                self.world.act(&format!("silent {host}")).await;
            }
            Act::Back(host) => {
                self.silent.remove(host);
                self.world.act(&format!("back {host}")).await;
            }
            Act::Hold(host) => {
                if self.held.insert(host) {
                    self.world.act(&format!("hold {host}")).await;
                }
            }
            Act::Pour(n) => self.pour(n).await,
            Act::Acknowledge(n) => {
                if let Some(number) = self.on_open("ack", n, json!({})).await {
                    self.tape.acknowledged.insert(number);
                }
            }
            Act::Clear(n) => _ = self.on_open("clear", n, json!({})).await,
            Act::Shelve(n, for_s) => {
                if self.course == Course::Drawn {
                    self.on_open("shelve", n, json!({ "for_s": for_s, "reason": "parts" })).await;
                }
            }
            Act::Unshelve(n) => {
                if self.course == Course::Drawn {
                    self.on_open("unshelve", n, json!({})).await;
                }
            }
            Act::Maintain(host, for_s) => {
                if self.course == Course::Drawn {
                    self.world.act(&format!("maintain {host} {for_s}")).await;
                }
            }
            Act::Reset(host) => self.reset(host).await,
            Act::Restart => self.restart().await,
        }
    }

    /// Somebody does something about an open alarm, if there is one; its number if it was done.
    async fn on_open(&self, verb: &str, n: u64, body: Value) -> Option<i64> {
        let mut open = self.open().await;
        open.sort_by_key(id);
        let place = usize::try_from(n % (open.len().max(1) as u64)).unwrap();
        let number = id(open.get(place)?);
        let path = format!("/api/v1/alarms/{number}/{verb}");
        let answer = self.world.kattila().operator().post(&path, &body).await;
        assert!([200, 409].contains(&answer.status), "{path}: {}", answer.text());
        (answer.status == 200).then_some(number)
    }

    /// What a host kept comes at last: all of it is late, the newest is lost.
    async fn pour(&mut self, n: u64) {
        let place = usize::try_from(n % (self.held.len().max(1) as u64)).unwrap();
        let Some(host) = self.held.iter().nth(place).copied() else { return };
        self.held.remove(host);
        let held = self.world.host(host).held.take().unwrap();
        if self.silent.contains(host) {
            return;
        }
        let place = self.world.place(host);
        let now = START.0 + self.world.now();
        let late = |data: &&Value| now - data["collected_at"].as_i64().unwrap() > LATE_S;
        // As many at once as an agent may send.
        let late: Vec<&Value> = held.iter().filter(late).take(40).collect();
        let db = self.world.kattila().db();
        let (before, had) = (self.open().await, count_reports(&db));
        for data in &late {
            self.world.hosts[place].2.report(data).await;
        }
        self.world.kattila().advance(0).await;
        self.tape.pours.push(Pour {
            at: self.world.now(),
            before,
            after: self.open().await,
            sent: late.len(),
            stored_more: count_reports(&db) - had,
        });
    }

    async fn reset(&mut self, host: &str) {
        let agent = &self.world.hosts[self.world.place(host)].2.id;
        let mut open = self.open().await;
        open.retain(|alarm| text(alarm, "agent_id") == agent);
        let answer = self.world.kattila().admin().reset(&json!({ "agent_id": agent })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.tape.resets.push((self.world.now(), open));
    }

    async fn restart(&mut self) {
        let before = stored(&self.world.kattila().db());
        self.world.act("restart").await;
        let after = stored(&self.world.kattila().db());
        self.tape.restarts.push((self.world.now(), before, after));
    }

    /// All is well again, and whatever waits for somebody is cleared.
    async fn end(&mut self) {
        for host in HOSTS {
            self.held.remove(host);
            self.world.host(host).held = None;
            self.act(Act::Back(host)).await;
            for verb in [
                format!("heal {host}/eth0"),
                format!("plug {host}/eth0"),
                format!("mtu {host} 1420"),
                format!("default {host}"),
            ] {
                self.world.act(&verb).await;
            }
        }
        for link in LINKS {
            self.world.act(&format!("mend {link}")).await;
            self.world.act(&format!("list {link}")).await;
        }
        self.world.act("disk 60 100").await;
        self.world.act("certificate 60").await;
        for _ in 0..LAST_ROUNDS {
            self.round().await;
        }
        for alarm in self.open().await {
            let path = format!("/api/v1/alarms/{}/clear", alarm["id"]);
            let answer = self.world.kattila().operator().post(&path, &json!({})).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        for _ in 0..4 {
            self.round().await;
        }
        let operator = self.world.kattila().operator();
        let all = operator.json("/api/v1/alarms?state=all&limit=10000").await;
        self.tape.all = all.as_array().unwrap().clone();
        let mut after = 0;
        loop {
            let path = format!("/api/v1/notifications?after={after}&limit=500");
            let some = operator.json(&path).await;
            let some = some.as_array().unwrap();
            let Some(last) = some.last() else { break };
            after = id(last);
            self.tape.messages.extend(some.iter().cloned());
        }
    }
}

fn read_only(db: &Path) -> Connection {
    Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Kind and subject of each alarm that is not over.
fn stored_open(db: &Path) -> Vec<String> {
    let conn = read_only(db);
    let mut select =
        conn.prepare("SELECT kind || ' ' || subject FROM alarms WHERE cleared_at IS NULL").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn count_reports(db: &Path) -> usize {
    let count = "SELECT count(*) FROM reports";
    let count: i64 = read_only(db).query_row(count, [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

/// Whatever is stored of alarms, of who was told of them, and of what covers them.
fn stored(db: &Path) -> Vec<String> {
    let rows = Rows::of(db);
    let tables = ["alarms", "flaps", "tellings", "notifications", "maintenance"];
    tables.iter().flat_map(|name| rows.table(name).iter().cloned()).collect()
}
