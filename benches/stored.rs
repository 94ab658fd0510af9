//! What a stored report takes of the file, by how it is sent.

use super::*;

/// Reports of a made-up fleet, written as they come, and what one takes of the file; the first
/// part is left out, since a dictionary is learnt from it.
#[expect(clippy::print_stdout, reason = "it is what the bench is for")]
pub(super) fn stored_bytes(_: &mut Criterion) {
    for agents in [100, 1000] {
        // Enough of each host that what others are packed against is among them twice.
        let reports = LEARNT_FROM + (66 * agents).max(20_000);
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
    // What is sent from the start on is compressed only when there is something to do it with.
    let first_way = if matches!(way, Way::Zstd(_)) { Way::Identity } else { way };
    let mut sender = Sender::new(first_way);
    let mut fleet = Fleet::new();
    fleet.scheme = match way {
        Way::V1 => Scheme::V1,
        Way::Own => Scheme::V2Ed25519,
        Way::Json | Way::Identity | Way::Zstd(_) => Scheme::V2Hmac,
    };
    let (mut sealed, mut said, mut first) = (Vec::new(), Vec::new(), 0);
    let (mut count, mut wire) = (0, 0);
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
            if number >= LEARNT_FROM {
                (count, wire) = (count + 1, wire + envelope.len());
            }
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
        } else if sealed.len() == 5000 {
            fleet.store(&sealed);
            sealed.clear();
        }
    }
    fleet.store(&sealed);
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
