//! Framed reports (PROTOCOL 1.10): known answers, what is taken and kept, what is refused, and the
//! dictionaries.

use std::num::NonZeroUsize;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use kattila::model::id::{FrameDictId, ReportId};
use kattila::model::state::{CanonForm, Scheme};
use kattila::pack::dictionary::Dictionary;
use kattila::pack::{Against, Packer};
use kattila::sign::digest::sha256;
use kattila::sign::relay::{RelaySigner, wrap};
use kattila::simulate::envelope::{
    Head, Packed, Scheme as SimulatedScheme, Shape as SimulatedShape, Signer,
};
use kattila::simulate::load::{self, Load, Signing};
use kattila::simulate::pace::Pace;
use kattila::simulate::target::Target;
use kattila::simulate::world::{Mix, Options, World};
use kattila::store::Reader as _;
use kattila::store::row::{ReportFilter, StoredReport};
use kattila::store::sqlite::open_read_only;
use kattila::verify::arrived::{Arrived, Shape};
use kattila::verify::proof::{Proof, ProofKey, recheck};
use kattila::verify::rejection::Rejection;
use kattila::verify::shelf::Shelf;
use kattila::verify::{Known, Policy, Verified, verify_report};
use kattila::wire::codes::ErrorCode;
use kattila::wire::frame::{self, Encoding, Frame};
use kattila::wire::relay::Stamp;
use kattila::wire::scan;
use proptest::prelude::*;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::support::fleet::{ALPHA, Host};
use crate::support::http::{Answer, get, send};
use crate::support::manager::{PSK, TestManager};
use crate::support::own::{Own, outcome};
use crate::support::process::run;
use crate::wire_vectors::{self, DATA, NOW, fixture, ring, secret_key};

/// What the script that made the vectors compressed with.
fn dictionary() -> Bytes {
    Bytes::from(r#"{"hostname":"","tick":,"load":0.0,"note":""}"#.repeat(8))
}

#[derive(Deserialize)]
struct Vector {
    alg: String,
    enc: String,
    dict: String,
    body: String,
    data_sha256: String,
}

fn vectors() -> Vec<(Vector, Bytes)> {
    let lines = String::from_utf8(fixture("frames/frames.jsonl")).unwrap();
    let read = |line: &str| serde_json::from_str::<Vector>(line).unwrap();
    let body = |vector: &Vector| Bytes::from(STANDARD.decode(&vector.body).unwrap());
    lines.lines().map(read).map(|vector| (body(&vector), vector)).map(|(b, v)| (v, b)).collect()
}

fn taken(body: &Bytes, shelf: Option<&Shelf>) -> Result<Verified, Rejection> {
    let own = Known { key: Some(secret_key().public()), ..Known::default() };
    let arrived = Arrived { body, shape: Some(Shape::Framed), shelf };
    verify_report(arrived, &ring(&[wire_vectors::PSK]), &Policy::default(), |_| own, NOW)
}

#[test]
fn what_others_sign_and_compress_is_understood() {
    let shelf = Shelf::archive([dictionary()]).unwrap();
    assert_eq!(vectors().len(), 5);
    for (vector, body) in vectors() {
        let verified = taken(&body, Some(&shelf)).unwrap();
        assert_eq!(verified.data(), DATA.as_bytes(), "{} {}", vector.alg, vector.enc);
        assert_eq!(kattila::model::hex::encode(verified.data_sha256()), vector.data_sha256);
        let told = verified.frame().unwrap();
        assert_eq!(told.encoding.as_str(), vector.enc);
        assert_eq!(told.dict.as_ref().map_or("", |dict| dict.as_str()), vector.dict);
        // Kept as received, it proves itself without any dictionary.
        let (scheme, own) = (verified.scheme(), secret_key().public());
        let key = match scheme {
            Scheme::V2Ed25519 => ProofKey::Own(&own),
            Scheme::V1 | Scheme::V2Hmac => ProofKey::Shared(wire_vectors::PSK),
        };
        let data_sha256 = *verified.data_sha256();
        let proof = Proof { scheme, form: CanonForm::Raw, key, data_sha256 };
        assert_eq!(recheck(verified.body(), &proof), Ok(()));
        // Only who knows the dictionary can read it; that is told after the signature held.
        let without = taken(&body, None).map(|_| ()).map_err(|why| why.code());
        let expected =
            if vector.dict.is_empty() { Ok(()) } else { Err(ErrorCode::DictionaryUnknown) };
        assert_eq!(without, expected);
        let as_json = Arrived { body: &body, shape: Some(Shape::Json), shelf: None };
        let (ring, policy) = (ring(&[wire_vectors::PSK]), Policy::default());
        let refused = verify_report(as_json, &ring, &policy, |_| Known::default(), NOW);
        assert_eq!(refused.unwrap_err().code(), ErrorCode::MalformedJson);
    }
}

#[test]
fn no_byte_of_a_frame_may_change() {
    let shelf = Shelf::archive([dictionary()]).unwrap();
    for (_, body) in vectors() {
        for at in 0..body.len() {
            for bit in [1_u8, 0x20] {
                let mut changed = body.to_vec();
                changed[at] ^= bit;
                let changed = Bytes::from(changed);
                let Err(why) = taken(&changed, Some(&shelf)) else {
                    panic!("byte {at} of {:?}", String::from_utf8_lossy(&body));
                };
                let known = [
                    ErrorCode::SignatureInvalid,
                    ErrorCode::MalformedJson,
                    ErrorCode::InvalidField,
                    ErrorCode::MissingField,
                    ErrorCode::DuplicateKey,
                ];
                assert!(known.contains(&why.code()), "byte {at}: {why}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever stands behind a head that is signed for it is refused in order, or is what scans.
    #[test]
    fn any_signed_bytes_are_judged(
        noise in proptest::collection::vec(any::<u8>(), 0..40), at in 0_usize..80, magic in any::<bool>(),
    ) {
        let mut sent = packed(DATA.as_bytes(), Against::Nothing);
        if magic {
            let at = at.min(sent.len());
            let end = (at + noise.len() / 2).min(sent.len());
            sent.splice(at..end, noise);
        } else {
            sent = noise;
        }
        let signer = Signer::new(Zeroizing::new(wire_vectors::PSK.to_vec()));
        let now = NOW.to_string();
        let head = Head {
            agent_id: "0123456789abcdef",
            fleet_id: Some("fleet-a"),
            tick: "1",
            timestamp: &now,
            nonce: "AAECAwQFBgcICQoLDA0ODw",
        };
        for frame in [Frame::identity(), ZSTD] {
            let body = Bytes::from(signer.frame(&head, &Packed { frame: &frame, sent: &sent }));
            match taken(&body, None) {
                Ok(verified) => prop_assert_eq!(scan::data(verified.data()), Ok(())),
                Err(why) => prop_assert!(
                    [
                        ErrorCode::MalformedJson,
                        ErrorCode::DataInvalid,
                        ErrorCode::DataTooLarge,
                        ErrorCode::DuplicateKey,
                        ErrorCode::InvalidField,
                        ErrorCode::DepthExceeded,
                    ]
                    .contains(&why.code()),
                    "{}", why
                ),
            }
        }
    }
}

/// An agent that sends frames.
pub(crate) struct Framer {
    signer: Signer,
    id: String,
    count: i64,
}

impl Framer {
    pub(crate) fn new(id: &str) -> Self {
        let signer = Signer::new(Zeroizing::new(PSK.as_bytes().to_vec()));
        Self { signer, id: id.to_owned(), count: 0 }
    }

    /// The next report with this data as sent.
    pub(crate) fn seal(&mut self, kattila: &TestManager, frame: &Frame, sent: &[u8]) -> Vec<u8> {
        self.count += 1;
        let now = kattila.clock.now().0;
        let head = Head {
            agent_id: &self.id,
            fleet_id: Some("fleet-a"),
            tick: &(now * 1000 + self.count).to_string(),
            timestamp: &now.to_string(),
            nonce: &format!("frame-{:020}", self.count),
        };
        self.signer.frame(&head, &Packed { frame, sent })
    }

    pub(crate) fn zstd(
        &mut self,
        kattila: &TestManager,
        data: &str,
        known: Option<&Dictionary>,
    ) -> Vec<u8> {
        let against = known.map_or(Against::Nothing, Against::Dictionary);
        let sent = packed(data.as_bytes(), against);
        let dict = known.map(|known| FrameDictId::of_digest(&sha256(known.bytes())));
        self.seal(kattila, &Frame { encoding: Encoding::Zstd, dict }, &sent)
    }
}

const ZSTD: Frame = Frame { encoding: Encoding::Zstd, dict: None };

fn packed(data: &[u8], against: Against<'_>) -> Vec<u8> {
    let mut buffer = Vec::new();
    assert!(Packer::new().unwrap().pack(data, against, &mut buffer));
    buffer
}

async fn post(kattila: &TestManager, kind: &str, body: impl Into<Bytes>) -> Answer {
    let headers = [("content-type", kind)];
    send(kattila.addr(), Method::POST, "/status/updates", &headers, body).await
}

async fn post_frame(kattila: &TestManager, body: impl Into<Bytes>) -> Answer {
    post(kattila, frame::CONTENT_TYPE, body).await
}

pub(crate) async fn accept(kattila: &TestManager, body: impl Into<Bytes>) -> Value {
    let answer = post_frame(kattila, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub(crate) fn stored(db: &Path, id: i64) -> StoredReport {
    let found = open_read_only(db).unwrap().reports(&ReportFilter::whole(ReportId(id))).unwrap();
    found.into_iter().next().unwrap()
}

async fn verified(db: &Path, expected: &str) {
    let ended = run(Path::new("/"), &["verify", "--db", &db.display().to_string()], &[]).await;
    assert!(ended.said.starts_with(expected), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_encodings_are_kept_as_received_and_read_by_everybody() {
    let kattila = TestManager::start().await;
    let mut alpha = Framer::new(ALPHA);
    let mut data = Host::alpha().data();
    data["uptime_seconds"] = json!(4711);
    let plain = data.to_string();
    let identity = alpha.seal(&kattila, &Frame::identity(), plain.as_bytes());
    let zstd = alpha.zstd(&kattila, &plain, None);
    assert!(zstd.len() < identity.len());
    let operator = kattila.operator();
    for (number, (body, enc)) in [(identity, "identity"), (zstd, "zstd")].into_iter().enumerate() {
        let receipt = accept(&kattila, body.clone()).await;
        let id = receipt["report_id"].as_i64().unwrap();
        assert_eq!((&receipt["status"], &receipt["framed"]), (&json!("ok"), &json!(true)));
        assert_eq!(stored(&kattila.db(), id).envelope, body, "byte for byte");
        let seen = operator.json(&format!("/api/v1/reports/{id}")).await;
        assert_eq!((&seen["enc"], &seen["proof"]), (&json!(enc), &json!("holds")));
        let text = seen["envelope"].as_str().unwrap();
        assert!(text.ends_with(&format!("}}\n{plain}")), "{text}");
        let bytes = STANDARD.decode(seen["envelope_base64"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, body);
        let signed = STANDARD.decode(seen["signed_base64"].as_str().unwrap()).unwrap();
        assert!(signed.starts_with(b"KATTILA2-FRAMED\nhmac-sha256\n"));
        let page = operator.get(&format!("/reports/{id}")).await.text();
        assert!(page.contains(&format!("framed, {enc}")) && page.contains("4711"), "{page}");
        // What moves with every report is read from the stored one.
        let agent = operator.json(&format!("/api/v1/agents/{ALPHA}")).await;
        assert_eq!(agent["uptime_seconds"], 4711, "{agent}");
        // The same bytes again are the same report.
        let again = accept(&kattila, body).await;
        assert_eq!((&again["status"], &again["report_id"]), (&json!("duplicate"), &json!(id)));
        assert_eq!(id, i64::try_from(number).unwrap() + 1);
    }
    // Both shapes share ticks and nonces: under a tick that a frame spent nothing else comes in.
    let mut json = kattila.agent(ALPHA);
    json.report(&data).await;
    let spent = alpha.seal(&kattila, &Frame::identity(), b"{\"hostname\":\"other\"}");
    let tick = |text: &str| text.split("\"tick\":").nth(1).unwrap()[..13].to_owned();
    accept(&kattila, spent.clone()).await;
    let other = alpha.signer.seal_v2(
        &Head {
            agent_id: ALPHA,
            fleet_id: Some("fleet-a"),
            tick: &tick(&String::from_utf8(spent).unwrap()),
            timestamp: &kattila.clock.now().to_string(),
            nonce: "another-nonce-00000000",
        },
        b"{}",
    );
    assert_eq!(outcome(&post(&kattila, "application/json", other).await).1, "tick_replayed");
    verified(&kattila.db(), "4 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n").await;
    let kattila = kattila.restart().await;
    let seen = kattila.operator().json("/api/v1/reports/2").await;
    assert_eq!((&seen["enc"], &seen["proof"]), (&json!("zstd"), &json!("holds")));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_frame_is_refused_by_name_and_leaves_nothing() {
    let kattila = TestManager::start().await;
    let mut alpha = Framer::new(ALPHA);
    let good = packed(b"{\"hostname\":\"alpha\"}", Against::Nothing);
    let two = [good.clone(), good.clone()].concat();
    let bomb = packed(&vec![b' '; 300 * 1024], Against::Nothing);
    let most = packed(&vec![b' '; 256 * 1024], Against::Nothing);
    // A window of 2 GiB (RFC 8878, 3.1.1.1.2) over an empty last block.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    let mut liar = bomb.clone();
    // The size it tells of itself stands behind the descriptor.
    liar[5..9].copy_from_slice(&[1, 0, 0, 0]);
    let unknown = Frame { encoding: Encoding::Zstd, dict: "ab".repeat(32).parse().ok() };
    let cut = &good[..good.len() - 1];
    let twice = packed(b"{\"a\":1,\"a\":2}", Against::Nothing);
    let list = packed(b"[]", Against::Nothing);
    let cases: [(&str, &Frame, &[u8], u16, &str); 12] = [
        ("two frames", &ZSTD, &two, 422, "data_invalid"),
        ("cut", &ZSTD, cut, 422, "data_invalid"),
        ("not zstd", &ZSTD, b"{\"hostname\":\"alpha\"}", 422, "data_invalid"),
        ("a huge window", &ZSTD, &window, 422, "data_invalid"),
        ("more than may be", &ZSTD, &bomb, 413, "data_too_large"),
        ("a wrong size", &ZSTD, &liar, 422, "data_invalid"),
        ("blank", &ZSTD, &most, 400, "malformed_json"),
        ("empty", &Frame::identity(), b"", 400, "malformed_json"),
        ("a member twice", &ZSTD, &twice, 400, "duplicate_key"),
        ("a list", &ZSTD, &list, 422, "data_invalid"),
        ("no JSON", &Frame::identity(), b"{\"a\":", 400, "malformed_json"),
        ("an unknown dictionary", &unknown, &good, 422, "dictionary_unknown"),
    ];
    for (what, frame, sent, status, code) in cases {
        let answer = post_frame(&kattila, alpha.seal(&kattila, frame, sent)).await;
        assert_eq!(outcome(&answer), (status, code.to_owned()), "{what}: {}", answer.text());
    }
    // What is unsigned is never decompressed, whatever it is.
    let mut forged = alpha.seal(&kattila, &ZSTD, &bomb);
    forged.push(0);
    assert_eq!(outcome(&post_frame(&kattila, forged).await), (401, "signature_invalid".into()));
    let body = alpha.seal(&kattila, &Frame::identity(), b"{\"hostname\":\"alpha\"}");
    let as_json = post(&kattila, "application/json", body.clone()).await;
    assert_eq!(outcome(&as_json), (400, "malformed_json".into()));
    let other = post(&kattila, "application/zstd", body.clone()).await;
    assert_eq!(outcome(&other), (415, "unsupported_media_type".into()));
    let mut agent = kattila.agent(ALPHA);
    let json = post_frame(&kattila, agent.seal_v2("{}")).await;
    assert_eq!(outcome(&json), (400, "malformed_json".into()));
    let headers = [("content-type", frame::CONTENT_TYPE)];
    let register =
        send(kattila.addr(), Method::POST, "/status/register", &headers, body.clone()).await;
    assert_eq!(outcome(&register), (415, "unsupported_media_type".into()));
    let rows: i64 = Connection::open(kattila.db())
        .unwrap()
        .query_row("SELECT count(*) FROM reports", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
    // Nothing of it was spent: the good one still comes in.
    accept(&kattila, body).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_frame_is_never_kept() {
    const KEY: &str = "YKL1ZPZ+0gLwjqCK0hE6K3GGCHGpLkT/0mIzTZPzdGI=";
    let kattila = TestManager::start().await;
    let mut alpha = Framer::new(ALPHA);
    let data = json!({ "hostname": "alpha", "private_key": KEY }).to_string();
    let frames = [
        alpha.seal(&kattila, &Frame::identity(), data.as_bytes()),
        alpha.zstd(&kattila, &data, None),
    ];
    for body in frames {
        let id = accept(&kattila, body.clone()).await["report_id"].as_i64().unwrap();
        let row = stored(&kattila.db(), id);
        assert!(row.summary.redacted);
        let head = frame::parse(&row.envelope).unwrap();
        assert_eq!(head.frame, Some(Frame::identity()), "kept so that it can be read");
        let text = String::from_utf8(row.envelope.clone()).unwrap();
        assert!(
            text.ends_with("}\n{\"hostname\":\"alpha\",\"private_key\":\"(hidden)\"}"),
            "{text}"
        );
        assert_eq!(row.summary.data_sha256, sha256(&body[frame::split(&body).unwrap().1]));
        let seen = kattila.operator().json(&format!("/api/v1/reports/{id}")).await;
        assert_eq!((&seen["proof"], &seen["redacted"]), (&json!("redacted"), &json!(true)));
    }
    assert!(kattila.operator().alarms().await.iter().any(|alarm| alarm.contains("report.secret")));
    let raw = std::fs::read(kattila.db()).unwrap();
    assert!(!raw.windows(KEY.len()).any(|bytes| bytes == KEY.as_bytes()));
    verified(&kattila.db(), "0 ok, 2 redacted").await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_pass_frames_on() {
    let kattila = TestManager::start().await;
    let mut relay = Own::new(&kattila, 7);
    assert_eq!(relay.register().await.status, 201);
    let mut alpha = Framer::new(ALPHA);
    let (fleet_id, relay_id) = ("fleet-a".parse().unwrap(), relay.id.parse().unwrap());
    for (count, known) in [None, Some("unknown")].into_iter().enumerate() {
        let strange = known.map(|text| Dictionary::new(text.as_bytes().to_vec()).unwrap());
        let inner = alpha.zstd(&kattila, "{\"hostname\":\"alpha\"}", strange.as_ref());
        let nonce = format!("relay-{count:020}");
        let timestamp = kattila.clock.now();
        let stamp =
            Stamp { fleet_id: &fleet_id, relay_id: &relay_id, hop: 1, timestamp, nonce: &nonce };
        let body = wrap(&inner, &stamp, &RelaySigner::Own(&relay.key)).unwrap();
        let answer = post(&kattila, "application/json", body.clone()).await;
        if strange.is_some() {
            assert_eq!(outcome(&answer), (422, "dictionary_unknown".into()));
            continue;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.json()["report_id"].as_i64().unwrap();
        assert_eq!(stored(&kattila.db(), id).envelope, body);
        let seen = kattila.operator().json(&format!("/api/v1/reports/{id}")).await;
        assert_eq!((&seen["enc"], &seen["proof"]), (&json!("zstd"), &json!("holds")));
        // The same report by the straight way is a duplicate.
        assert_eq!(accept(&kattila, inner).await["status"], "duplicate");
    }
    verified(&kattila.db(), "1 ok, 0 redacted").await;
    kattila.stop().await;
}

/// One report of each of so many hosts.
pub(crate) async fn crowd(kattila: &TestManager, hosts: usize) {
    for number in 0..hosts {
        let name = format!("crowd-{number}");
        let mut data = Host { name: "alpha", key: None, ..Host::alpha() }.data();
        data["hostname"] = json!(name);
        data["interfaces"][0]["rx_bytes"] = json!(number * 7_654_321);
        data["routes"] = json!([{ "dst": format!("10.{}.0.0/16", number % 250), "dev": "eth0" }]);
        kattila.agent(&name).report_v1(&data).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_hosts_compress_with_the_dictionary_that_they_are_told() {
    // So few hosts that report without a pause would be refused for it.
    let kattila = TestManager::start_live(&[("KATTILA_RATE_AGENT", "off")]).await;
    crowd(&kattila, 260).await;
    let operator = kattila.operator();
    operator.post("/api/v1/jobs/train-dictionary/run", &json!({})).await;
    let clock = kattila.clock.clone();
    let start = clock.now();
    let load = Load {
        target: Target::find(&format!("http://{}", kattila.addr()), false).await.unwrap(),
        world: World::new(&Options { seed: 7, agents: 5, mix: Mix::Load, faults: false, start }),
        signer: Signer::new(Zeroizing::new(PSK.as_bytes().to_vec())),
        signing: Signing::All(SimulatedScheme::V2),
        shape: SimulatedShape::Framed(Encoding::Zstd),
        introduced: false,
        pace: Pace::Closed,
        connections: NonZeroUsize::new(2).unwrap(),
        duration: None,
        clock,
    };
    let stop = CancellationToken::new();
    let seen = async {
        loop {
            let newest = operator.json("/api/v1/reports?limit=1").await[0]["id"].to_string();
            let report = operator.json(&format!("/api/v1/reports/{newest}")).await;
            if report["dict"].is_string() {
                assert_eq!(report["proof"], "holds");
                break stop.cancel();
            }
        }
    };
    let (summary, ()) = tokio::join!(load::run(load, &stop, |_| {}), seen);
    let summary = summary.unwrap();
    assert!(summary.stored > 0 && !summary.answers.contains_key("422 dictionary_unknown"));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dictionary_without_values_is_told_fetched_used_and_kept() {
    let kattila = TestManager::start().await;
    crowd(&kattila, 260).await;
    kattila.advance(600).await;
    let mut alpha = Framer::new(ALPHA);
    let data = Host::alpha().data().to_string();
    let first = alpha.zstd(&kattila, &data, None);
    let receipt = accept(&kattila, first.clone()).await;
    let id = receipt["dict"].as_str().expect("a dictionary").to_owned();
    let answer = get(kattila.addr(), &format!("/status/dictionaries/{id}"), &[]).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/octet-stream"))
    );
    assert!(answer.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(kattila::model::hex::encode(&sha256(&answer.body)), id);
    // It knows the form of reports and nothing of what they say.
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("\"interfaces\"") || text.contains("rx_bytes"), "{text}");
    for value in ["crowd", "alpha", "10.77", "7654321"] {
        assert!(!text.contains(value), "{value}");
    }
    let missing =
        get(kattila.addr(), &format!("/status/dictionaries/{}", "0".repeat(64)), &[]).await;
    assert_eq!(outcome(&missing), (404, "not_found".into()));
    let known = Dictionary::new(answer.body.clone()).unwrap();
    let body = alpha.zstd(&kattila, &data, Some(&known));
    assert!(body.len() < first.len(), "{} {}", body.len(), first.len());
    let number = accept(&kattila, body.clone()).await["report_id"].as_i64().unwrap();
    // It is told to who registers, too.
    let registered = Own::new(&kattila, 9).register().await.json();
    assert_eq!((&registered["dict"], &registered["framed"]), (&json!(id), &json!(true)));

    let kattila = kattila.restart().await;
    let seen = kattila.operator().json(&format!("/api/v1/reports/{number}")).await;
    assert_eq!((&seen["dict"], &seen["proof"]), (&json!(id), &json!("holds")));
    assert!(seen["envelope"].as_str().unwrap().ends_with(&data));
    assert_eq!(accept(&kattila, alpha.zstd(&kattila, &data, Some(&known))).await["dict"], id);
    // A copy has what its reports need.
    let db = kattila.db();
    let copy = db.with_file_name("copy.db");
    let (from, to) = (db.display().to_string(), copy.display().to_string());
    let ended = run(Path::new("/"), &["backup", "--db", &from, &to], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let kept = open_read_only(&copy).unwrap().frame_dictionaries().unwrap();
    assert_eq!((kept.len(), kept[0].id.as_str()), (1, &*id));
    verified(&copy, "263 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n").await;
    kattila.stop().await;
}
