//! Hosts with keys of their own, senders whose reports look recorded, keys that age, and the people
//! who are told.

use kattila::model::time::UnixSeconds;
use kattila::process::handle::{Command, KeyState};
use kattila::sign::psk::kid_of_psk;
use serde_json::json;
use tempfile::TempDir;

use super::world::World;
use crate::support::actors::Agent;
use crate::support::manager::{PSK, START, TestManager};
use crate::support::own::Own;
use crate::support::receiver::{Mood, Receiver};

/// Who is there beside the hosts.
#[derive(Default)]
pub(super) struct Others {
    /// Hosts with keys of their own, by their seeds.
    own: Vec<(u8, Own)>,
    /// Two hosts of the first generation, and what they call themselves.
    first: Vec<(Agent, String)>,
    /// Who is told of alarms.
    receiver: Option<Receiver>,
}

impl Others {
    /// The plan that tells a receiver, if the scenario has routes.
    pub(super) async fn with_routes(lines: &[&str], dir: &TempDir) -> (Self, Option<String>) {
        let routes = lines.iter().filter_map(|line| line.strip_prefix("route "));
        let routes: String = routes
            .map(|route| format!("[[route]]\nchannels = \"chat\"\n{route}\n").replace("; ", "\n"))
            .collect();
        if routes.is_empty() {
            return (Self::default(), None);
        }
        let receiver = Receiver::start().await;
        let channel = "[[channel]]\nname = \"chat\"\ntype = \"webhook\"\n";
        let plan = format!("{channel}url = \"{}\"\n{routes}", receiver.url("/"));
        let file = dir.path().join("notify.toml");
        std::fs::write(&file, plan).unwrap();
        let others = Self { receiver: Some(receiver), ..Self::default() };
        (others, Some(file.display().to_string()))
    }

    /// The manager moved.
    pub(super) fn moved(&mut self, kattila: &TestManager) {
        self.own = self.own.drain(..).map(|(seed, own)| (seed, own.at(kattila))).collect();
        self.first =
            self.first.drain(..).map(|(agent, name)| (agent.moved(kattila.addr()), name)).collect();
    }

    /// What the manager calls them, and how a scenario does.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, String)> {
        self.own.iter().map(|(seed, own)| (own.id.clone(), format!("own-{seed}")))
    }

    /// Each of them reports.
    pub(super) async fn report(&mut self) {
        for (agent, name) in &mut self.first {
            agent.report_v1(&json!({ "hostname": name })).await;
        }
        for (seed, own) in &mut self.own {
            let answer = own.report().await;
            assert_eq!(answer.status, 200, "own-{seed}: {}", answer.text());
        }
    }

    /// What people were told since the last look, as `TELLING KIND SEVERITY`.
    pub(super) fn messages(&self) -> Vec<String> {
        let got = self.receiver.as_ref().unwrap().take();
        got.iter().flat_map(|got| got.told()).collect()
    }

    fn own(&mut self, seed: &str) -> &mut Own {
        let seed: u8 = seed.parse().unwrap();
        &mut self.own.iter_mut().find(|(other, _)| *other == seed).unwrap().1
    }
}

impl World {
    /// A verb about those beside the hosts; whether it is one.
    pub(super) async fn trusts(&mut self, words: &[&str]) -> bool {
        match *words {
            ["enrol", seed] => {
                let seed: u8 = seed.parse().unwrap();
                let mut own = Own::new(self.kattila(), seed);
                assert_eq!(own.register().await.status, 201);
                self.others.own.push((seed, own));
            }
            ["second", seed] => {
                let id = self.others.own(seed).id.clone();
                let mut other = Own::named(self.kattila(), &id, 99);
                assert_eq!(other.register().await.status, 409);
            }
            ["shared", seed] => {
                let id = self.others.own(seed).id.clone();
                let mut agent = self.kattila().agent(&id);
                let envelope = agent.seal_v2("{}");
                assert_eq!(agent.send(&envelope).await.status, 403);
            }
            ["relayed", far, near, status] => {
                let body = self.others.own(far).seal("{}");
                let near = self.others.own(near);
                // A relay that is asked to break the rules passes it on to itself.
                let times = if status == "200" { 1 } else { 2 };
                let body = (0..times).fold(body, |body, _| near.relay(&body));
                assert_eq!(near.send(&body).await.status.to_string(), status);
            }
            ["unpin", seed] => {
                let unpin = json!({ "agent_id": self.others.own(seed).id, "identity": true });
                let answer = self.kattila().operator().post("/status/admin/reset", &unpin).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            ["anew", seed] => {
                let id = self.others.own(seed).id.clone();
                let mut anew = Own::named(self.kattila(), &id, 99);
                assert_eq!(anew.register().await.status, 201);
                *self.others.own(seed) = anew;
            }
            ["called", first, second] => self.called(first, second).await,
            ["keys", "aged", newer] => self.aged(newer.parse().unwrap()).await,
            ["refuse", times] => {
                let moods = std::iter::repeat_n(Mood::Status(500, ""), times.parse().unwrap());
                self.others.receiver.as_ref().unwrap().will(moods);
            }
            ["test", times] => {
                for _ in 0..times.parse::<u32>().unwrap() {
                    let path = "/api/v1/channels/chat/test";
                    let answer = self.kattila().operator().post(path, &json!({})).await;
                    assert_eq!(answer.status, 202, "{}", answer.text());
                }
            }
            _ => return false,
        }
        true
    }

    /// Two hosts of the first generation report under these names.
    async fn called(&mut self, first: &str, second: &str) {
        if self.others.first.is_empty() {
            self.others.first =
                ["host.one", "host.two"].map(|id| (self.kattila().agent(id), String::new())).into();
        }
        for ((_, known), name) in self.others.first.iter_mut().zip([first, second]) {
            name.clone_into(known);
        }
        self.others.report().await;
    }

    /// So many newer shared keys appeared long ago; the hosts go on with theirs.
    async fn aged(&self, newer: usize) {
        let keys =
            ["the newest key of all", "the one before it"].map(|key| kid_of_psk(key.as_bytes()));
        let mut generations: Vec<_> = keys.into_iter().take(newer).collect();
        generations.push(kid_of_psk(PSK.as_bytes()));
        let rotated_at = UnixSeconds(self.now() + START.0 - 10_000);
        let health = KeyState { generations, rotated_at, interval: 30, ..KeyState::default() };
        let command = Command::Keys { rows: Vec::new(), changes: Vec::new(), health };
        self.kattila().manager().processor().command(command).await.unwrap();
    }
}
