//! What comes back after somebody cleared it by hand: every kind of the catalogue, raised,
//! cleared while its condition holds, and looked for again.

mod hosts;
mod whole;

use serde_json::json;

use crate::support::actors::Agent;
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, Host, STRANGER_KEY};
use crate::support::manager::PSK;
use crate::support::network::{DELTA_KEY, Network};
use crate::support::own::Own;
use kattila::alarms::catalogue::{ComesBack, Rule, rule};
use kattila::clock::Clock;
use kattila::model::state::AlarmKind;
use kattila::model::time::UnixSeconds;
use kattila::notify::attempt::Outcome;
use kattila::notify::file::{self, Files};
use kattila::notify::plan::Secret;
use kattila::process::condition::ManagerCondition;
use kattila::process::handle::{Command, Done, KeyState};
use kattila::process::wish::Wish;
use kattila::sign::psk::kid_of_psk;

/// Seconds of a beat where much time must pass.
const RELAY_BEAT_S: i64 = 600;

/// Beats for which what must not come back is watched.
const LONG: u32 = 8;

/// Whether both ends of a link tell of it.
fn is_of_a_link(kind: AlarmKind) -> bool {
    AlarmKind::OF_LINKS.contains(&kind)
}

/// Further kinds that take a link between two hosts.
const OF_TWO_HOSTS: [AlarmKind; 3] =
    [AlarmKind::NetPartition, AlarmKind::OverlayIpDuplicate, AlarmKind::ListenPortChanged];

const CHANNEL: &str =
    "[[channel]]\nname = \"chat\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\n";

/// A plan that names no files.
struct NoFiles;

impl Files for NoFiles {
    fn secret(&self, path: &str) -> Result<Secret, String> {
        Err(path.to_owned())
    }

    fn open(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }
}

/// A network in which one kind of alarm is raised, and what keeps its condition true.
struct Scene {
    net: Network,
    kind: AlarmKind,
    /// Hosts beside the network's, each with a clock of its own.
    others: Vec<(Agent, Clock)>,
    /// A host and the one it reports through, both with keys of their own.
    relayed: Vec<Own>,
}

/// The network in which an alarm of that kind can be raised.
async fn network_for(kind: AlarmKind) -> Network {
    if let Some(net) = whole::network(kind).await {
        return net;
    }
    if is_of_a_link(kind) || OF_TWO_HOSTS.contains(&kind) {
        return Network::start(2, &[(0, 1)]).await;
    }
    Network::start(1, &[]).await
}

impl Scene {
    async fn raised(kind: AlarmKind) -> Self {
        let net = network_for(kind).await;
        let mut scene = Self { net, kind, others: Vec::new(), relayed: Vec::new() };
        scene.net.rounds(6).await;
        scene.begin().await;
        let mut beats = 0;
        while scene.id().await.is_none() {
            assert!(beats < 30, "{kind} is not raised");
            scene.beat().await;
            beats += 1;
        }
        scene
    }

    /// Makes the condition true.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is in a file of its own")]
    #[expect(clippy::too_many_lines, reason = "one arm for each kind")]
    async fn begin(&mut self) {
        if whole::begin(self.kind, &mut self.net).await {
            return;
        }
        let net = &mut self.net;
        match self.kind {
            AlarmKind::AgentStale => net.kattila.advance(100).await,
            AlarmKind::AgentOffline => net.kattila.advance(179).await,
            AlarmKind::AgentRebooted => net.hosts[0].boot_id = "boot-alpha-2",
            AlarmKind::AgentFlapping => {
                for _ in 0..3 {
                    net.kattila.advance(180).await;
                    net.round().await;
                }
            }
            AlarmKind::IfaceDown => net.hosts[0].eth0_up = false,
            AlarmKind::IfaceGone => _ = net.without.insert((0, "wg0")),
            AlarmKind::EdgeDown | AlarmKind::NetPartition => net.links[0].alive = false,
            AlarmKind::RelaySpof => self.many_behind_a_relay().await,
            AlarmKind::EdgeHalfConfigured => net.links[0].mutual = false,
            AlarmKind::PeerUnknown => {
                let now = net.now();
                net.hosts[0] = net.hosts[0].clone().with_peer(DELTA_KEY, 4, now, 10);
            }
            AlarmKind::SecretInReport => {
                net.extra.insert(0, ("private_key", json!(STRANGER_KEY)));
            }
            AlarmKind::AgentClockSkew => self.stranger(ALPHA, 700),
            AlarmKind::IngestBadHmac => {
                self.stranger(ALPHA, 0);
                self.others[0].0.psk = "another-psk-of-at-least-16-bytes".to_owned();
            }
            AlarmKind::IngestReplay | AlarmKind::IngestReplaySuspect => self.recorded().await,
            AlarmKind::ManagerClock => (0..5).for_each(|n| self.stranger(&format!("{n:032x}"), 90)),
            AlarmKind::DnsPskStale | AlarmKind::DnsPskUnexpected => self.keys_fail().await,
            AlarmKind::ManagerMassSilence => {
                (0..5).for_each(|n| self.stranger(&format!("{n:032x}"), 0));
                for (agent, _) in &mut self.others {
                    agent.report(&json!({})).await;
                }
                self.net.kattila.advance(100).await;
            }
            AlarmKind::StorageRolledBack => {
                let lost = ManagerCondition::RolledBack { database: 1, acknowledged: 2 };
                let processor = net.kattila.manager().processor();
                processor.command(Command::Condition(lost)).await.unwrap();
            }
            AlarmKind::AuditChainBroken => {
                let broken = ManagerCondition::AuditBroken("entry 2 is missing".into());
                let processor = net.kattila.manager().processor();
                processor.command(Command::Condition(broken)).await.unwrap();
            }
            AlarmKind::IdentityPinned
            | AlarmKind::IdentityConflict
            | AlarmKind::IdentityDowngrade => self.doubted().await,
            AlarmKind::KeyOldInUse => self.keys_age().await,
            AlarmKind::NotifyFailing => self.refused().await,
            AlarmKind::WgKeyDuplicate => self.stranger(BETA, 0),
            AlarmKind::AgentRelayOnly | AlarmKind::RelayDead | AlarmKind::RelayChainBad => {
                self.behind_a_relay().await;
            }
            kind => hosts::begin(kind, net).await,
        }
    }

    /// A channel does not take a message.
    async fn refused(&mut self) {
        let plan = file::parse(CHANNEL, &NoFiles).unwrap();
        let processor = self.net.kattila.manager().processor();
        processor.command(Command::Tell(Wish::Adopt(plan.into()))).await.unwrap();
        let test = Wish::Test { channel: "chat".into(), by: "admin".into() };
        let done = processor.command(Command::Tell(test)).await.unwrap();
        let Done::Queued(id) = done else { panic!("{done:?}") };
        let outcome = Outcome::Refused { why: "answered 410".into() };
        processor.command(Command::Tell(Wish::Settle { id, outcome })).await.unwrap();
    }

    /// A host that reports through another, and in the end does not any more.
    async fn behind_a_relay(&mut self) {
        for seed in [1, 2] {
            let mut host = Own::new(&self.net.kattila, seed);
            assert_eq!(host.register().await.status, 201);
            self.relayed.push(host);
        }
        if self.kind == AlarmKind::RelayDead {
            assert_eq!(self.relay(1).await, 200);
            self.net.kattila.advance(100).await;
        }
    }

    /// Five hosts that report through another.
    async fn many_behind_a_relay(&mut self) {
        for seed in 1..=6 {
            let mut host = Own::new(&self.net.kattila, seed);
            assert_eq!(host.register().await.status, 201);
            self.relayed.push(host);
        }
        let (near, far) = self.relayed.split_last_mut().unwrap();
        for host in far {
            let body = near.relay(&host.seal("{}"));
            assert_eq!(near.send(&body).await.status, 200);
        }
    }

    /// Sends a report through the relay, that many times through it; the status of the answer.
    async fn relay(&mut self, times: u32) -> u16 {
        let [far, near] = &mut self.relayed[..] else { unreachable!() };
        let body = (0..times).fold(far.seal("{}"), |body, _| near.relay(&body));
        near.send(&body).await.status
    }

    /// A key that is pinned, another one offered, or the shared one used.
    async fn doubted(&mut self) {
        let kattila = &self.net.kattila;
        let mut host = Own::new(kattila, 1);
        assert_eq!(host.register().await.status, 201);
        kattila.advance(1).await;
        if self.kind == AlarmKind::IdentityConflict {
            assert_eq!(Own::named(kattila, &host.id, 2).register().await.status, 409);
        } else if self.kind == AlarmKind::IdentityDowngrade {
            let mut shared = kattila.agent(&host.id);
            let envelope = shared.seal_v2("{}");
            assert_eq!(shared.send(&envelope).await.status, 403);
        }
    }

    /// The key that all agents sign with is no longer the current one, and has not been for long.
    async fn keys_age(&self) {
        let generations = vec![kid_of_psk(b"the current one"), kid_of_psk(PSK.as_bytes())];
        let rotated_at = UnixSeconds(self.net.now() - 10_000);
        let health = KeyState { generations, rotated_at, interval: 30, ..KeyState::default() };
        let command = Command::Keys { rows: Vec::new(), changes: Vec::new(), health };
        self.net.kattila.manager().processor().command(command).await.unwrap();
    }

    /// A host beside the network's whose clock is that far ahead of the manager's.
    fn stranger(&mut self, id: &str, ahead: i64) {
        let clock = Clock::manual(UnixSeconds(self.net.now() + ahead));
        let agent = Agent::new(id, self.net.kattila.addr(), clock.clone());
        self.others.push((agent, clock));
    }

    /// A nonce used twice, or a host name taken, in version 1.
    async fn recorded(&mut self) {
        self.stranger("host.one", 0);
        self.stranger("host.two", 0);
        let [(one, _), (two, _)] = &mut self.others[..] else { unreachable!() };
        if self.kind == AlarmKind::IngestReplay {
            let mut copy = one.clone();
            one.report_v1(&json!({ "hostname": "one" })).await;
            let envelope = copy.seal_v1(r#"{"hostname":"other"}"#);
            assert_eq!(copy.send(&envelope).await.status, 409);
        } else {
            one.report_v1(&json!({ "hostname": "one" })).await;
            two.report_v1(&json!({ "hostname": "two" })).await;
            one.report_v1(&json!({ "hostname": "two" })).await;
        }
    }

    async fn keys_fail(&self) {
        let health = KeyState {
            source: "TXT record of a test".to_owned(),
            since: UnixSeconds(self.net.now() - 1000),
            interval: 30,
            problem: (self.kind == AlarmKind::DnsPskStale).then(|| "timed out".to_owned()),
            unexpected: (self.kind == AlarmKind::DnsPskUnexpected)
                .then(|| (kattila::model::state::Severity::Critical, "garbage".to_owned())),
            ..KeyState::default()
        };
        let command = Command::Keys { rows: Vec::new(), changes: Vec::new(), health };
        self.net.kattila.manager().processor().command(command).await.unwrap();
    }

    /// One more look at the condition: a round of reports, a refused report, or a second.
    #[expect(clippy::wildcard_enum_match_arm, reason = "of most kinds the next reports tell")]
    async fn beat(&mut self) {
        if whole::beat(self.kind, &mut self.net).await {
            return;
        }
        let net = &mut self.net;
        match self.kind {
            AlarmKind::AgentStale
            | AlarmKind::AgentOffline
            | AlarmKind::RelayDead
            | AlarmKind::ManagerMassSilence
            | AlarmKind::DnsPskStale
            | AlarmKind::DnsPskUnexpected => net.kattila.advance(1).await,
            AlarmKind::RelaySpof | AlarmKind::EdgeExpectedMissing | AlarmKind::EdgeUnexpected => {
                net.kattila.advance(RELAY_BEAT_S).await;
            }
            AlarmKind::AgentClockSkew | AlarmKind::IngestBadHmac => {
                let (agent, _) = &mut self.others[0];
                let envelope = agent.seal_v2("{}");
                assert!(matches!(agent.send(&envelope).await.status, 401 | 403));
                net.kattila.advance(1).await;
            }
            AlarmKind::ManagerClock => {
                net.kattila.clock.set(UnixSeconds(net.now() + 60));
                for (agent, clock) in &mut self.others {
                    clock.set(clock.now().plus(60));
                    agent.report(&json!({})).await;
                }
                net.kattila.advance(0).await;
            }
            AlarmKind::AgentRelayOnly => assert_eq!(self.relay(1).await, 200),
            AlarmKind::RelayChainBad => {
                assert_eq!(self.relay(2).await, 422);
                self.net.kattila.advance(1).await;
            }
            AlarmKind::KeyOldInUse => net.rounds(2).await,
            AlarmKind::WgKeyDuplicate => {
                net.round().await;
                let (copy, _) = &mut self.others[0];
                let mut host = Host::beta();
                host.key = Some(ALPHA_KEY);
                copy.report(&host.data()).await;
            }
            _ => net.round().await,
        }
    }

    /// After how many beats the alarm of a condition that holds is raised: as the catalogue says,
    /// where one beat is one observation, or one of each end of a link.
    fn delay(&self, rule: &Rule) -> u32 {
        let told_by_two = [AlarmKind::WgKeyDuplicate, AlarmKind::OverlayIpDuplicate];
        let of_two = (is_of_a_link(self.kind) && self.kind != AlarmKind::PeerNeverUp)
            || told_by_two.contains(&self.kind);
        let per_beat = if of_two { 2 } else { 1 };
        let slow =
            [AlarmKind::RelaySpof, AlarmKind::EdgeExpectedMissing, AlarmKind::EdgeUnexpected];
        let beat_s = if slow.contains(&self.kind) { RELAY_BEAT_S } else { 30 };
        rule.raise_count.div_ceil(per_beat) + u32::try_from(rule.raise_after_s / beat_s).unwrap()
    }

    /// The number of the open alarm, if it is raised.
    async fn id(&self) -> Option<i64> {
        let all = self.net.kattila.operator().json("/status/alarms").await;
        let mut open = all.as_array().unwrap().iter().filter(|a| a["kind"] == self.kind.as_str());
        let id = open.next().map(|alarm| alarm["id"].as_i64().unwrap());
        assert_eq!(open.next(), None, "{}", self.kind);
        id
    }

    async fn clear(&self) -> i64 {
        let id = self.id().await.unwrap();
        let path = format!("/api/v1/alarms/{id}/clear");
        let answer = self.net.kattila.operator().post(&path, &json!({})).await;
        assert_eq!(answer.status, 200, "{}: {}", self.kind, answer.text());
        assert_eq!(self.id().await, None, "{}", self.kind);
        id
    }

    async fn restarted(self) -> Self {
        Self { net: self.net.restarted().await, ..self }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_comes_back_after_its_delay_or_is_about_what_is_over() {
    for kind in AlarmKind::ALL {
        let rule = rule(*kind);
        let mut scene = Scene::raised(*kind).await;
        let first = scene.clear().await;
        let delay = scene.delay(rule);
        let quiet = if rule.comes_back == ComesBack::NextTime { LONG } else { delay - 1 };
        for beat in 0..quiet {
            scene.beat().await;
            assert_eq!(scene.id().await, None, "{kind} came back early, after {beat}");
        }
        if rule.comes_back != ComesBack::NextTime {
            scene.beat().await;
            let again = scene.id().await;
            assert!(again.is_some_and(|id| id > first), "{kind} did not come back: {again:?}");
        }
        scene.net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_cannot_see_any_more_comes_back_after_a_restart_too() {
    for kind in AlarmKind::ALL {
        let rule = rule(*kind);
        if rule.comes_back != ComesBack::Remembered {
            continue;
        }
        let scene = Scene::raised(*kind).await;
        scene.clear().await;
        let mut scene = scene.restarted().await;
        for _ in 0..scene.delay(rule) {
            assert_eq!(scene.id().await, None, "{kind}");
            scene.beat().await;
            scene = scene.restarted().await;
        }
        assert!(scene.id().await.is_some(), "{kind}");
        scene.net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_is_well_when_next_heard_of_does_not_come_back() {
    for kind in [AlarmKind::IfaceDown, AlarmKind::IfaceGone] {
        let mut scene = Scene::raised(kind).await;
        scene.clear().await;
        let net = &mut scene.net;
        net.hosts[0].eth0_up = true;
        net.without.clear();
        net.rounds(3).await;
        assert_eq!(scene.id().await, None, "{kind}");
        // Its next failure is one like any other.
        scene.begin().await;
        scene.beat().await;
        assert_eq!(scene.id().await, None, "{kind}");
        scene.beat().await;
        assert!(scene.id().await.is_some(), "{kind}");
        // Acknowledging the absence of an interface accepts it, and that stays so.
        if kind == AlarmKind::IfaceGone {
            let path = format!("/api/v1/alarms/{}/ack", scene.id().await.unwrap());
            assert_eq!(scene.net.kattila.operator().post(&path, &json!({})).await.status, 200);
            scene.net.rounds(4).await;
            assert_eq!(scene.id().await, None);
        }
        scene.net.kattila.stop().await;
    }
}
