//! What the processor makes of a report, with a real database under it: reports that change
//! nothing, reports that change a route, and a hundred that are committed together.
//!
//! The database lies in the directory for temporary files; point `TMPDIR` at the disk to measure.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use kattila::clock::Clock;
use kattila::keys::ring::{KeyRing, StoredKey};
use kattila::model::metric::Rollups;
use kattila::model::time::UnixSeconds;
use kattila::process::chores::Keep;
use kattila::process::engine::{Enroll, Parts, Settings, start};
use kattila::process::handle::{Processor, Submission};
use kattila::process::newcomers::Room;
use kattila::sign::nonce;
use kattila::sign::psk::kid_of_psk;
use kattila::simulate::envelope::{Head, Signer};
use kattila::simulate::world::{Mix, Options, World};
use kattila::store::sqlite::{Durability, open};
use kattila::verify::bodies::Suspicion;
use kattila::verify::{Policy, verify_report};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

const PSK: &[u8] = b"bench-psk-000000000000000000000000";
const NOW: UnixSeconds = UnixSeconds(1_795_000_000);
const AGENTS: usize = 1000;

fn ring() -> KeyRing {
    KeyRing::from_stored(vec![StoredKey {
        kid: kid_of_psk(PSK),
        secret: Zeroizing::new(PSK.to_vec()),
        source: "environment".to_owned(),
        first_seen: NOW,
        last_seen: NOW,
        state: "current".to_owned(),
        seq: None,
        nbf: None,
        exp: None,
        left_at: None,
    }])
}

/// Hosts that report, verified but not yet given to the processor.
struct Hosts {
    world: World,
    signer: Signer,
    ring: KeyRing,
    next: usize,
    tick: AtomicI64,
}

impl Hosts {
    fn new() -> Self {
        let options =
            Options { seed: 7, agents: AGENTS, mix: Mix::Load, faults: false, start: NOW };
        Self {
            world: World::new(&options),
            signer: Signer::new(Zeroizing::new(PSK.to_vec())),
            ring: ring(),
            next: 0,
            tick: AtomicI64::new(NOW.0 * 1000),
        }
    }

    fn data(&mut self) -> (usize, Vec<u8>) {
        let host = self.next % AGENTS;
        self.next += 1;
        (host, self.world.report(host, NOW).expect("a host that is not away"))
    }

    fn seal(&self, host: usize, data: &[u8]) -> Submission {
        let face = self.world.face(host).expect("a host");
        let head = Head {
            agent_id: face.agent_id,
            fleet_id: Some(face.fleet_id),
            tick: &self.tick.fetch_add(1, Ordering::Relaxed).to_string(),
            timestamp: &NOW.to_string(),
            nonce: &nonce::fresh().expect("random bytes"),
        };
        let envelope = Bytes::from(self.signer.seal_v2(&head, data));
        let verified = verify_report(&envelope, &self.ring, &Policy::default(), |_| None, NOW);
        Submission::new(verified.expect("a good report"), None)
    }

    fn report(&mut self) -> Submission {
        let (host, data) = self.data();
        self.seal(host, &data)
    }
}

fn processor(db: &std::path::Path) -> Processor {
    let settings = Settings {
        report_interval: 30,
        max_skew: 600,
        nonce_window: 120,
        enroll: Enroll::Open,
        v1_repeats: Suspicion::Alarm,
        rate: None,
        room: Room::UNLIMITED,
        keep: Keep::default(),
        rollups: Rollups::Off,
    };
    let opened = open(db, Durability::Full).expect("a database");
    let parts = Parts {
        writer: opened.writer,
        reader: opened.reader,
        epoch: "bench".to_owned(),
        seed: [1, 2],
        pseudonyms: [7; 32],
        settings,
        clock: Clock::manual(NOW),
    };
    start(parts).expect("a processor").processor
}

fn process(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let processor = processor(&dir.path().join("k.db"));
    let runtime = Runtime::new().expect("a runtime");
    let mut hosts = Hosts::new();
    let submit = |report| runtime.block_on(processor.submit(report)).expect("a good report");
    for _ in 0..3 * AGENTS {
        submit(hosts.report());
    }
    let mut group = c.benchmark_group("process");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one report and its commit", |b| {
        b.iter_batched(|| hosts.report(), submit, BatchSize::SmallInput);
    });
    let mut hosts = Hosts::new();
    hosts.tick = AtomicI64::new(NOW.0 * 1000 + 100_000_000);
    let mut turn = 0_u32;
    group.bench_function("one report with a new route and its commit", |b| {
        let new = || {
            turn += 1;
            let (host, data) = hosts.data();
            let text = String::from_utf8(data).expect("JSON");
            assert!(text.contains(r#""routes":["#), "a report with routes");
            let [_, a, b, _] = turn.to_be_bytes();
            let route = format!(r#""routes":[{{"dst":"198.18.{a}.{b}/32","dev":"eth0"}},"#);
            hosts.seal(host, text.replacen(r#""routes":["#, &route, 1).as_bytes())
        };
        b.iter_batched(new, submit, BatchSize::SmallInput);
    });
    let mut hosts = Hosts::new();
    hosts.tick = AtomicI64::new(NOW.0 * 1000 + 200_000_000);
    group.throughput(Throughput::Elements(100));
    group.bench_function("a hundred reports together", |b| {
        let hundred = || (0..100).map(|_| hosts.report()).collect::<Vec<_>>();
        let submit = |reports: Vec<Submission>| {
            let all = reports.into_iter().map(|report| processor.submit(report));
            for answer in runtime.block_on(join_all(all)) {
                answer.expect("a good report");
            }
        };
        b.iter_batched(hundred, submit, BatchSize::SmallInput);
    });
    group.finish();
    runtime.block_on(processor.stop());
}

criterion_group!(benches, process);
criterion_main!(benches);
