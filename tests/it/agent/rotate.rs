//! An agent exchanges its key: by itself, while it runs, and through every accident on the way.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kattila::agent::enroll::exchange::{Wish, wish, wish_now};
use serde_json::Value;

use super::program::Program;
use crate::support::host::TestHost;
use crate::support::manager::{PSK, TestManager};
use crate::support::process::run;
use crate::support::scripted::{Reply, Scripted};
use crate::support::stored::reports;

/// A manager behind a door, and a host that is enrolled with it.
struct Bench {
    kattila: TestManager,
    door: Scripted,
    host: TestHost,
    /// The key before.
    old: String,
}

impl Bench {
    async fn start() -> Self {
        let kattila = TestManager::start().await;
        let door = Scripted::start().await;
        door.then(Reply::Pass(kattila.addr()));
        door.enrol(Reply::Pass(kattila.addr()));
        let mut host = TestHost::new(&door.url(), kattila.clock.clone());
        host.live(100).await;
        let old = host.agent().key_name().to_string();
        Self { kattila, door, host, old }
    }

    fn wish(&self) {
        wish(&self.host.settings.dir).unwrap();
    }

    fn key(&mut self) -> String {
        self.host.agent().key_name().to_string()
    }

    /// The keys that reports were signed with, in order, each once.
    fn signed_with(&self) -> Vec<String> {
        let all = reports(&self.kattila.db());
        let mut kids: Vec<_> =
            all.iter().map(|(_, e)| e["kid"].as_str().unwrap().to_owned()).collect();
        kids.dedup();
        kids
    }

    /// The files of the agent's keys.
    fn files(&self) -> BTreeSet<String> {
        let names = fs::read_dir(&self.host.settings.dir).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("identity") || name.starts_with("rotate")).collect()
    }

    /// The exchange is over: every report arrived once, under the old key and then the new one.
    async fn ends_with_a_new_key(mut self) {
        let new = self.key();
        assert_ne!(new, self.old);
        assert_eq!(self.signed_with(), [self.old.clone(), new.clone()]);
        assert_eq!(self.files(), BTreeSet::from(["identity".to_owned()]));
        assert_eq!(
            (self.host.waiting(), wish_now(&self.host.settings.dir).unwrap()),
            (0, Wish::Gone)
        );
        let file = self.host.settings.dir.join("identity");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let mut looks: Vec<u64> = reports(&self.kattila.db())
            .iter()
            .map(|(_, envelope)| envelope["data"]["n"].as_u64().unwrap())
            .collect();
        looks.sort_unstable();
        assert_eq!(looks, (1..=u64::try_from(looks.len()).unwrap()).collect::<Vec<_>>());
        let agents = self.kattila.operator().agents().await;
        let name = Value::from(self.host.agent().agent_id().as_str());
        assert_eq!((agents.len(), &agents[0]["agent_id"]), (1, &name), "the name stays");
        let alarms = self.kattila.operator().alarms().await;
        let of_keys = alarms.iter().filter(|alarm| alarm.contains("conflict"));
        assert_eq!(of_keys.count(), 0, "{alarms:?}");
        // It is the identity of the next run.
        self.host.kill();
        self.host.live(60).await;
        assert_eq!((self.key(), self.signed_with().len()), (new, 2));
        self.kattila.stop().await;
    }
}

#[tokio::test]
async fn a_running_agent_exchanges_its_key_when_asked() {
    let mut bench = Bench::start().await;
    bench.wish();
    bench.host.live(90).await;
    bench.ends_with_a_new_key().await;
}

#[tokio::test]
async fn the_answer_is_lost_and_it_asks_again() {
    for killed in [false, true] {
        let mut bench = Bench::start().await;
        bench.wish();
        bench.door.enrol(Reply::PassAndHangUp(bench.kattila.addr()));
        bench.host.step().await;
        bench.door.enrol(Reply::Pass(bench.kattila.addr()));
        if killed {
            bench.host.kill();
        }
        bench.host.live(300).await;
        bench.ends_with_a_new_key().await;
    }
}

/// The manager has taken the key, its answer was lost, and it cannot be asked again: the old key
/// is refused, the new one is not, and that is the answer.
#[tokio::test]
async fn a_report_that_is_taken_tells_which_key_is_in_force() {
    for killed in [false, true] {
        let mut bench = Bench::start().await;
        bench.wish();
        bench.door.enrol(Reply::PassAndHangUp(bench.kattila.addr()));
        bench.host.step().await;
        bench.door.enrol(Reply::refusal(503, "overloaded"));
        if killed {
            bench.host.kill();
        }
        bench.host.live(400).await;
        bench.ends_with_a_new_key().await;
    }
}

#[tokio::test]
async fn while_the_manager_does_not_hear_of_it_the_old_key_signs() {
    let mut bench = Bench::start().await;
    bench.wish();
    bench.door.enrol(Reply::refusal(503, "overloaded"));
    bench.host.live(200).await;
    bench.host.kill();
    bench.host.live(200).await;
    assert_eq!((bench.key(), bench.signed_with().len()), (bench.old.clone(), 1));
    assert_eq!(wish_now(&bench.host.settings.dir).unwrap(), Wish::Waits);
    bench.door.enrol(Reply::Pass(bench.kattila.addr()));
    bench.host.live(120).await;
    bench.ends_with_a_new_key().await;
}

#[tokio::test]
async fn what_the_manager_will_never_take_is_given_up_with_its_reason() {
    let mut bench = Bench::start().await;
    bench.wish();
    bench.door.enrol(Reply::refusal(409, "identity_conflict"));
    bench.host.live(60).await;
    let why = wish_now(&bench.host.settings.dir).unwrap();
    assert!(matches!(&why, Wish::GivenUp(why) if why.contains("identity_conflict")), "{why:?}");
    assert_eq!(bench.key(), bench.old);
    let left = ["identity", "rotate"].map(String::from);
    assert_eq!(bench.files(), BTreeSet::from(left), "the new key is gone");
    bench.host.live(60).await;
    assert_eq!((bench.signed_with().len(), bench.host.waiting()), (1, 0));
    // Asked once more, it begins once more.
    bench.door.enrol(Reply::Pass(bench.kattila.addr()));
    bench.wish();
    bench.host.live(60).await;
    bench.ends_with_a_new_key().await;
}

#[tokio::test]
async fn a_host_that_is_not_enrolled_has_no_key_to_exchange() {
    let door = Scripted::start().await;
    let mut host = TestHost::new(&door.url(), TestManager::start().await.clock.clone());
    host.step().await;
    let before = host.agent().key_name();
    wish(&host.settings.dir).unwrap();
    host.step().await;
    let why = wish_now(&host.settings.dir).unwrap();
    assert!(matches!(&why, Wish::GivenUp(why) if why.contains("not enrolled")), "{why:?}");
    assert_eq!(host.agent().key_name(), before);
}

/// Killed between any two steps, it goes on: the files are put back to what they were then.
#[tokio::test]
async fn killed_at_any_moment_it_goes_on() {
    for moment in ["made", "asked", "agreed", "wish gone", "renamed"] {
        let mut bench = Bench::start().await;
        let dir = bench.host.settings.dir.clone();
        let read = |name: &str| fs::read(dir.join(name)).unwrap();
        let put = |name: &str, content: &[u8]| {
            fs::write(dir.join(name), content).unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        };
        let (identity, enrolled) = (read("identity"), read("enrolled"));
        bench.wish();
        let wished = read("rotate");
        if moment == "made" {
            bench.door.enrol(Reply::HangUp);
        }
        bench.host.step().await;
        if moment != "made" {
            let next = read("identity");
            assert_ne!(next, identity);
            if moment != "renamed" {
                put("identity", &identity);
                put("identity.next", &next);
            }
            if moment == "asked" {
                put("enrolled", &enrolled);
            }
            if ["asked", "agreed"].contains(&moment) {
                put("rotate", &wished);
            }
        }
        bench.host.kill();
        bench.door.enrol(Reply::Pass(bench.kattila.addr()));
        bench.host.live(200).await;
        bench.ends_with_a_new_key().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_works_with_and_without_a_running_agent() {
    let manager = TestManager::start_live(&[("KATTILA_REPORT_INTERVAL", "5")]).await;
    let home = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.addr());
    let settings = [
        ("KATTILA_MANAGER", url.as_str()),
        ("KATTILA_PSK", PSK),
        ("KATTILA_AGENT_DIR", "state"),
        ("KATTILA_RELAY", "off"),
    ];
    let early = run(home.path(), &["agent", "--rotate"], &settings).await;
    assert_eq!(early.code, Some(1), "{early:?}");
    assert!(early.complained.contains("not enrolled"), "{early:?}");
    let once = run(home.path(), &["agent", "--once"], &settings).await;
    assert_eq!(once.code, Some(0), "{once:?}");
    let identity = || fs::read(home.path().join("state/identity")).unwrap();
    let first = identity();
    let alone = run(home.path(), &["agent", "--rotate"], &settings).await;
    assert_eq!(alone.code, Some(0), "{alone:?}");
    assert!(alone.said.contains("signs with its new key"), "{alone:?}");
    let second = identity();
    assert_ne!(first, second);

    let mut agent = Program::start(home.path(), &settings);
    agent.until("The manager takes reports").await;
    let beside = run(home.path(), &["agent", "--rotate"], &settings).await;
    assert_eq!(beside.code, Some(0), "{beside:?}");
    assert_ne!(identity(), second);
    agent.until("signs with its new key").await;
    agent.signal(rustix::process::Signal::TERM);
    assert_eq!(agent.ended().await, Some(0));
    let once = run(home.path(), &["agent", "--once"], &settings).await;
    assert_eq!(once.code, Some(0), "{once:?}");
    assert_eq!(manager.operator().agents().await.len(), 1);
    manager.stop().await;
}
