//! What a commit costs, by the number of reports in it, and what packing an envelope adds.
//!
//! The database lies in the directory for temporary files; point `TMPDIR` at the disk to measure.

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

/// Each of so many hosts' first report, and one some minutes later.
fn pairs(hosts: usize) -> Vec<[(Vec<u8>, String, i64); 2]> {
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

fn text(report: &(Vec<u8>, String, i64)) -> Text<'_> {
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
    let packed = |pack: &mut dyn FnMut(&[(Vec<u8>, String, i64); 2], &mut Vec<u8>)| -> Vec<_> {
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

/// Reports of a made-up fleet, written as they come, and what one takes of the file; the first
/// part is left out, since a dictionary is learnt from it.
#[expect(clippy::print_stdout, reason = "it is what the bench is for")]
fn stored_bytes(_: &mut Criterion) {
    for agents in [100, 1000] {
        let reports = 20_000 + LEARNT_FROM;
        for way in [Way::V1, Way::Json, Way::Own, Way::Identity, Way::Zstd(false), Way::Zstd(true)]
        {
            let (wire, file) = stored(agents, reports, way);
            println!("{agents} agents, {way:?}: {wire} bytes sent, {file} bytes of the file each");
        }
    }
}

/// Reports before the dictionary.
const LEARNT_FROM: usize = 2048;

/// How reports are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    V1,
    Json,
    /// JSON, signed with the host's own key.
    Own,
    Identity,
    /// Compressed, perhaps with a dictionary of their form.
    Zstd(bool),
}

/// Makes envelopes one way.
struct Sender {
    signer: Signer,
    key: SecretKey,
    way: Way,
    packer: Packer,
    buffer: Vec<u8>,
    dictionary: Option<(FrameDictId, Dictionary)>,
}

impl Sender {
    fn new(way: Way) -> Self {
        let signer = Signer::new(Zeroizing::new(b"bench-psk-000000000000000000000000".to_vec()));
        let packer = Packer::new().expect("memory");
        let key = SecretKey::from_seed(&[7; 32]);
        Self { signer, key, way, packer, buffer: Vec::new(), dictionary: None }
    }

    /// The envelope and the digest of what its signature covers.
    fn seal(&mut self, head: &Head<'_>, data: &[u8]) -> (Bytes, [u8; 32]) {
        let known = self.dictionary.as_ref();
        let (frame, sent) = match self.way {
            Way::V1 => return (self.signer.seal_v1(head, data).into(), sha256(data)),
            Way::Json => return (self.signer.seal_v2(head, data).into(), sha256(data)),
            Way::Own => return (seal_own(&self.key, head, data).into(), sha256(data)),
            Way::Identity => (Frame::identity(), data),
            Way::Zstd(_) => {
                let against =
                    known.map_or(Against::Nothing, |(_, known)| Against::Dictionary(known));
                assert!(self.packer.pack(data, against, &mut self.buffer), "compressed");
                let dict = known.map(|(id, _)| id.clone());
                (Frame { encoding: Encoding::Zstd, dict }, self.buffer.as_slice())
            }
        };
        (self.signer.frame(head, &Packed { frame: &frame, sent }).into(), sha256(sent))
    }

    /// Learns from the form of data, as the manager does.
    fn learn(&mut self, data: &[Vec<u8>]) {
        if self.way != Way::Zstd(true) {
            return;
        }
        let forms: Vec<_> = data.iter().zip(0..).map(|(data, seed)| scrub(data, seed)).collect();
        let made = Dictionary::train(&forms, FRAME_DICTIONARY_BYTES).expect("a dictionary");
        self.dictionary = Some((FrameDictId::of_digest(&sha256(made.bytes())), made));
    }
}

/// Bytes of a report on the wire and in the file.
fn stored(agents: usize, reports: usize, way: Way) -> (u64, u64) {
    let options = Options { seed: 7, agents, mix: Mix::Load, faults: true, start: NOW };
    let mut world = World::new(&options);
    let mut sender = Sender::new(Way::Json);
    let mut fleet = Fleet::new();
    fleet.scheme = match way {
        Way::V1 => Scheme::V1,
        Way::Own => Scheme::V2Ed25519,
        Way::Json | Way::Identity | Way::Zstd(_) => Scheme::V2Hmac,
    };
    let (mut sealed, mut said, mut first) = (Vec::new(), Vec::new(), 0);
    for number in 0..reports {
        let host = number % agents;
        let now = NOW.plus(i64::try_from(number / agents).unwrap_or(0) * 30);
        world.step(now);
        if let Some(data) = world.report(host, now) {
            let face = world.face(host).expect("a host");
            let nonce = nonce::fresh().expect("random bytes");
            let tick = now.0 * 1000 + i64::try_from(host % 977).unwrap_or(0);
            let head = Head {
                agent_id: face.agent_id,
                fleet_id: Some(face.fleet_id),
                tick: &tick.to_string(),
                timestamp: &now.to_string(),
                nonce: &nonce,
            };
            let agent = AgentNo(i64::try_from(host).unwrap_or(0) + 1);
            let (envelope, digest) = sender.seal(&head, &data);
            sealed.push((agent, (now, tick), nonce, digest, envelope));
            if number < LEARNT_FROM {
                said.push(data.to_vec());
            }
        }
        if number + 1 == LEARNT_FROM {
            fleet.store(&sealed);
            fleet.learn(&sealed);
            sealed.clear();
            sender = Sender::new(way);
            sender.learn(&said);
            fleet.lend(sender.dictionary.as_ref());
            first = fleet.file_bytes();
        }
    }
    fleet.store(&sealed);
    let count = u64::try_from(sealed.len()).unwrap_or(1);
    let wire: usize = sealed.iter().map(|(.., envelope)| envelope.len()).sum();
    (u64::try_from(wire).unwrap_or(0) / count, (fleet.file_bytes() - first) / count)
}

/// Whose, when it was signed and under which tick, nonce, digest, envelope.
type Sealed = (AgentNo, (UnixSeconds, i64), String, [u8; 32], Bytes);

impl Fleet {
    fn store(&mut self, sealed: &[Sealed]) {
        for batch in sealed.chunks(100) {
            self.writer.begin().expect("a batch");
            for (agent, (now, tick), nonce, digest, envelope) in batch {
                let mut report = self.report(envelope);
                (report.agent, report.nonce, report.data_sha256) = (*agent, nonce.clone(), *digest);
                (report.timestamp, report.received_at) = (*now, *now);
                report.collected_at = Some(*now);
                report.tick = (self.scheme != Scheme::V1).then_some(*tick);
                report.source = Some([10, 0, 0, 7].into());
                let change = Change { report: Some(report), ..Change::default() };
                self.writer.record(&change).expect("a report");
            }
            self.writer.commit().expect("a commit");
        }
    }

    fn learn(&mut self, sealed: &[Sealed]) {
        let newest = sealed.iter().rev().take(SAMPLES_MAX);
        let samples: Vec<_> = newest.map(|(.., envelope)| envelope.to_vec()).collect();
        let made = Dictionary::train(&samples, DICTIONARY_BYTES).expect("a dictionary");
        let dictionary = Some(DictionaryRecord {
            id: made.id().clone(),
            bytes: made.bytes().clone(),
            made_at: NOW,
            sample_bytes: 1,
            packed_bytes: 1,
        });
        self.writer.begin().expect("a batch");
        self.writer.record(&Change { dictionary, ..Change::default() }).expect("a dictionary");
        self.writer.commit().expect("a commit");
    }

    /// Keeps what agents compress with.
    fn lend(&mut self, dictionary: Option<&(FrameDictId, Dictionary)>) {
        let Some((id, made)) = dictionary else { return };
        let (id, bytes) = (id.clone(), made.bytes().clone());
        self.frame_dict = Some(id.clone());
        let record = FrameDictionary { id, bytes, made_at: NOW, sample_bytes: 1, packed_bytes: 1 };
        let change = Change { frame_dictionary: Some(record), ..Change::default() };
        self.writer.begin().expect("a batch");
        self.writer.record(&change).expect("a dictionary");
        self.writer.commit().expect("a commit");
    }

    fn file_bytes(&mut self) -> u64 {
        self.writer.checkpoint(true).expect("a checkpoint");
        std::fs::metadata(self.dir.path().join("bench.db")).expect("the file").len()
    }
}

criterion_group!(benches, stored_bytes, against_earlier, commits, compression);
criterion_main!(benches);
