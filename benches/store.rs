//! What a commit costs, by the number of reports in it, and what packing an envelope adds.
//!
//! The database lies in the directory for temporary files; point `TMPDIR` at the disk to measure.

mod stored;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kattila::model::id::{AgentNo, FleetId, FrameDictId, ReportId};
use kattila::model::path::RelayPath;
use kattila::model::state::{AgentStatus, CanonForm, Scheme};
use kattila::model::time::UnixSeconds;
use kattila::pack::delta::{self, Beside, Text};
use kattila::pack::dictionary::{
    DICTIONARY_BYTES, Dictionary, FRAME_DICTIONARY_BYTES, SAMPLES_MAX,
};
use kattila::pack::{Against, Packer, Unpacker};
use kattila::sign::digest::sha256;
use kattila::sign::ed25519::SecretKey;
use kattila::sign::nonce;
use kattila::simulate::envelope::{Head, Packed, Signer, seal_own};
use kattila::simulate::world::{Mix, Options, World};
use kattila::store::Writer as _;
use kattila::store::change::{AgentRecord, Change, NewReport};
use kattila::store::dictionary::{DictionaryRecord, FrameDictionary};
use kattila::store::sqlite::writer::SqliteWriter;
use kattila::store::sqlite::{Durability, open};
use kattila::wire::frame::{Encoding, Frame};
use kattila::wire::scrub::scrub;
use zeroize::Zeroizing;

const NOW: UnixSeconds = UnixSeconds(1_795_000_000);

/// A fleet large enough that consecutive reports touch different parts of the index.
const AGENTS: i64 = 10_000;

fn agent(no: i64) -> AgentRecord {
    AgentRecord {
        no: AgentNo(no),
        id: format!("agent-{no}").parse().expect("a name"),
        fleet: FleetId::unnamed(),
        hostname: None,
        agent_version: None,
        registered_at: NOW,
        last_seen_at: None,
        last_tick: None,
        status: AgentStatus::Online,
        status_since: NOW,
        scheme: None,
        canon_form: None,
        kid: None,
        boot_id: None,
        uptime_seconds: None,
        load: None,
        labels: std::collections::BTreeMap::new(),
        problems: Vec::new(),
        clock_offset: 0,
        relay_path: RelayPath::direct(),
        source: None,
        interfaces_hash: 0,
        routes_hash: 0,
        peers_hash: 0,
        forgotten: false,
        may_relay: true,
        site_set: None,
    }
}

/// Next number of a generator that is good enough to make keys and counters look like such.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// An envelope like an agent's: ten peers take about 2.5 KB, twenty about 5 KB.
fn envelope(peers: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let list: Vec<_> = (0..peers)
        .map(|peer| {
            let key: String = (0..4).map(|_| format!("{:011x}", next(&mut state) >> 20)).collect();
            format!(
                "{{\"interface\":\"wg0\",\"public_key\":\"{key}\",\"endpoint\":\"192.0.2.{peer}:51820\",\
                 \"allowed_ips\":[\"10.0.{peer}.2/32\",\"fd00::{peer}/128\"],\"latest_handshake\":{},\
                 \"rx_bytes\":{},\"tx_bytes\":{},\"persistent_keepalive\":25,\"has_psk\":false}}",
                1_795_000_000 + next(&mut state) % 180,
                next(&mut state) >> 30,
                next(&mut state) >> 30,
            )
        })
        .collect();
    let peers = list.join(",");
    Bytes::from(format!("{{\"agent_id\":\"agent-{seed}\",\"data\":{{\"wg_peers\":[{peers}]}}}}"))
}

/// An envelope that does not compress, as an agent's own compressed bytes do not.
fn packed_envelope(bytes: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..bytes.div_ceil(8)).flat_map(|_| next(&mut state).to_le_bytes()).collect()
}

struct Fleet {
    writer: SqliteWriter,
    last: i64,
    dir: tempfile::TempDir,
    /// What is noted with every report.
    frame_dict: Option<FrameDictId>,
    scheme: Scheme,
}

impl Fleet {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let opened = open(&dir.path().join("bench.db"), Durability::Full).expect("a store");
        let mut writer = opened.writer;
        writer.begin().expect("a batch");
        let agents = (1..=AGENTS).map(agent).collect();
        writer.record(&Change { agents, ..Change::default() }).expect("agents");
        writer.commit().expect("a commit");
        Self { writer, last: 0, dir, frame_dict: None, scheme: Scheme::V2Hmac }
    }

    /// One batch of unchanged reports.
    fn batch(&mut self, envelopes: &[Bytes]) {
        self.writer.begin().expect("a batch");
        for envelope in envelopes {
            let report = self.report(envelope);
            let change = Change { report: Some(report), ..Change::default() };
            self.writer.record(black_box(&change)).expect("a report");
        }
        self.writer.commit().expect("a commit");
    }

    /// The next report, of one agent after the other.
    fn report(&mut self, envelope: &Bytes) -> NewReport {
        self.last += 1;
        NewReport {
            id: ReportId(self.last),
            agent: AgentNo(1 + self.last * 7919 % AGENTS),
            scheme: self.scheme,
            form: CanonForm::Raw,
            kid: "45819852fbdfc69a".parse().expect("a kid"),
            timestamp: NOW,
            collected_at: Some(NOW),
            received_at: NOW,
            tick: Some(self.last),
            nonce: String::from("AAECAwQFBgcICQoLDA0ODw"),
            data_sha256: [7; 32],
            envelope: envelope.clone(),
            frame_dict: self.frame_dict.clone(),
            redacted: false,
            relay_path: RelayPath::direct(),
            source: None,
            late: false,
        }
    }
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit_full");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    for (name, make) in [
        ("packed_1600", (|seed| packed_envelope(1600, seed)) as fn(u64) -> Bytes),
        ("json_5000", |seed| envelope(20, seed)),
    ] {
        for size in [1_u64, 10, 100] {
            let mut fleet = Fleet::new();
            let envelopes: Vec<_> = (0..size).map(make).collect();
            group.throughput(Throughput::Elements(size));
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| fleet.batch(&envelopes));
            });
        }
    }
    group.finish();
}

fn compression(c: &mut Criterion) {
    let envelope = envelope(20, 1);
    let mut group = c.benchmark_group("compress");
    group.throughput(Throughput::Bytes(u64::try_from(envelope.len()).unwrap_or(0)));
    for level in [1, 3] {
        let mut compressor = zstd::bulk::Compressor::new(level).expect("a compressor");
        let size = compressor.compress(&envelope).map_or(0, |packed| packed.len());
        let name = format!("{}_bytes_to_{size}", envelope.len());
        group.bench_function(BenchmarkId::new(name, level), |b| {
            b.iter(|| compressor.compress(black_box(&envelope)));
        });
    }
    group.finish();
}

/// A report, its nonce, and when it was signed.
type Sent = (Vec<u8>, String, i64);

/// Each of so many hosts' first report, and one some minutes later.
fn pairs(hosts: usize) -> Vec<[Sent; 2]> {
    let options = Options { seed: 7, agents: hosts, mix: Mix::Load, faults: true, start: NOW };
    let mut world = World::new(&options);
    let signer = Signer::new(Zeroizing::new(b"bench-psk-000000000000000000000000".to_vec()));
    let mut look = |now: UnixSeconds| -> Vec<_> {
        world.step(now);
        let seal = |host: usize| {
            let (data, nonce) = (world.report(host, now)?, nonce::fresh().ok()?);
            let face = world.face(host)?;
            let (fleet_id, timestamp) = (Some(face.fleet_id), now.to_string());
            let tick = (now.0 * 1000).to_string();
            let head = Head {
                agent_id: face.agent_id,
                fleet_id,
                tick: &tick,
                timestamp: &timestamp,
                nonce: &nonce,
            };
            Some((signer.seal_v2(&head, &data), nonce, now.0))
        };
        (0..hosts).map(seal).collect()
    };
    let (first, second) = (look(NOW), look(NOW.plus(240)));
    first.into_iter().zip(second).filter_map(|(one, other)| Some([one?, other?])).collect()
}

fn text(report: &Sent) -> Text<'_> {
    let (bytes, nonce, at) = report;
    Text { bytes, beside: Beside { word: nonce, numbers: [Some(*at), Some(at * 1000), Some(*at)] } }
}

/// A report against an earlier one of its host: as a frame of zstd, and as what differs.
fn against_earlier(c: &mut Criterion) {
    let pairs = pairs(100);
    let mut group = c.benchmark_group("against_earlier");
    let (mut packer, mut unpacker) =
        (Packer::new().expect("memory"), Unpacker::new().expect("memory"));
    let mut turn = pairs.iter().cycle();
    let mut next = || turn.next().expect("a pair");
    let mut buffer = Vec::new();
    group.bench_function("zstd/pack", |b| {
        b.iter(|| {
            let [old, new] = next();
            packer.pack(&new.0, Against::Text(&old.0), &mut buffer)
        });
    });
    group.bench_function("delta/pack", |b| {
        b.iter(|| {
            let [old, new] = next();
            delta::pack(text(new), text(old), &mut buffer);
        });
    });
    let packed = |pack: &mut dyn FnMut(&[Sent; 2], &mut Vec<u8>)| -> Vec<_> {
        let one = |pair| {
            let mut packed = Vec::new();
            pack(pair, &mut packed);
            (pair, packed)
        };
        pairs.iter().map(one).collect()
    };
    let frames = packed(&mut |[old, new], out| {
        assert!(packer.pack(&new.0, Against::Text(&old.0), out), "packed");
    });
    let mut turn = frames.iter().cycle();
    group.bench_function("zstd/unpack", |b| {
        b.iter(|| {
            let ([old, new], packed) = turn.next().expect("a pair");
            unpacker.unpack(packed, Against::Text(&old.0), new.0.len())
        });
    });
    let deltas = packed(&mut |[old, new], out| delta::pack(text(new), text(old), out));
    let mut turn = deltas.iter().cycle();
    group.bench_function("delta/unpack", |b| {
        b.iter(|| {
            let ([old, new], packed) = turn.next().expect("a pair");
            delta::unpack(packed, text(old), (text(new).beside, new.0.len()))
        });
    });
    group.finish();
}

criterion_group!(benches, stored::stored_bytes, against_earlier, commits, compression);
criterion_main!(benches);
