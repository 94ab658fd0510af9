//! What one report costs before the processor sees it: the first pass, the head, the signature,
//! the forms of version 1, the replay window; and what hostile bodies cost to refuse.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use zeroize::Zeroizing;

use kattila::keys::ring::{KeyRing, StoredKey};
use kattila::model::id::AgentNo;
use kattila::model::state::CanonForm;
use kattila::model::time::UnixSeconds;
use kattila::pack::{Against, Packer};
use kattila::sign::digest::sha256;
use kattila::sign::hmac;
use kattila::sign::psk::kid_of_psk;
use kattila::simulate::envelope::{Head, Packed, Signer};
use kattila::verify::replay::{AGENTS_IN_MEMORY, Fresh, History, ReplayMemory, Rules};
use kattila::verify::{Policy, verify_report};
use kattila::wire::canon::Forms;
use kattila::wire::frame::{Encoding, Frame};
use kattila::wire::scan;
use kattila::wire::signing::Report;

const NOW: UnixSeconds = UnixSeconds(1_795_214_286);
const PSK: &[u8] = b"kattila-test-psk-000000000000000";
const SIZES: [usize; 3] = [2 * 1024, 4 * 1024, 8 * 1024];

fn ring() -> KeyRing {
    let secrets: [&[u8]; 3] =
        [PSK, b"the key before the last rotation", b"and the one before that"];
    let stored = |secret: &&[u8]| StoredKey {
        kid: kid_of_psk(secret),
        secret: Zeroizing::new(secret.to_vec()),
        source: "dns".to_owned(),
        first_seen: NOW,
        last_seen: NOW,
        state: if *secret == PSK { "current" } else { "previous" }.to_owned(),
        seq: None,
        nbf: None,
        exp: None,
        left_at: None,
    };
    KeyRing::from_stored(secrets.iter().map(stored).collect())
}

/// Data of about this many bytes: WireGuard peers as an agent sends them.
fn data(size: usize) -> String {
    let mut data = String::from(r#"{"hostname":"gw-1","load":[0.1,0.2,0.3],"wg_peers":["#);
    let mut peer = 0;
    while data.len() < size - 2 {
        let comma = if peer == 0 { "" } else { "," };
        write!(
            data,
            concat!(
                r#"{}{{"interface":"wg0","public_key":"kX3H0pWzJ1r8vJm2y5sQm0b7nK4tF6gD9cLqUeRzA{:02}=","#,
                r#""endpoint":"192.0.2.{}:51820","allowed_ips":["10.0.0.{}/32","fd00::{}/128"],"#,
                r#""latest_handshake":1795214{:03},"rx_bytes":{},"tx_bytes":{},"#,
                r#""persistent_keepalive":25,"has_psk":false}}"#
            ),
            comma, peer % 100, peer % 256, peer % 256, peer, peer % 1000, peer * 7919, peer * 104_729
        )
        .unwrap_or_default();
        peer += 1;
    }
    data.push_str("]}");
    data
}

fn v1(signed: &[u8], data: &str) -> Bytes {
    let mac = hmac::v1(PSK, signed);
    Bytes::from(format!(
        r#"{{"agent_id":"gw-1","timestamp":{NOW},"nonce":"n-1","hmac":"{mac}","data":{data}}}"#
    ))
}

fn v2(data: &str) -> Bytes {
    let kid = kid_of_psk(PSK);
    let (Ok(fleet_id), Ok(agent_id)) = ("fleet-a".parse(), "0123456789abcdef".parse()) else {
        return Bytes::new();
    };
    let report = Report {
        alg: "hmac-sha256",
        kid: &kid,
        fleet_id: &fleet_id,
        agent_id: &agent_id,
        tick: 1,
        timestamp: NOW,
        nonce: "AAECAwQFBgcICQoLDA0ODw",
        data_sha256: sha256(data.as_bytes()),
    };
    let sig = hmac::v2(PSK, &report.text());
    Bytes::from(format!(
        concat!(
            r#"{{"v":2,"alg":"hmac-sha256","kid":"{}","fleet_id":"fleet-a","#,
            r#""agent_id":"0123456789abcdef","tick":1,"timestamp":{},"#,
            r#""nonce":"AAECAwQFBgcICQoLDA0ODw","sig":"{}","data":{}}}"#
        ),
        kid, NOW, sig, data
    ))
}

/// The same as a frame.
fn framed(data: &str, encoding: Encoding) -> Bytes {
    let mut buffer = Vec::new();
    let sent = match encoding {
        Encoding::Identity => data.as_bytes(),
        Encoding::Zstd => {
            let packed = Packer::new().is_ok_and(|mut packer| {
                packer.pack(data.as_bytes(), Against::Nothing, &mut buffer)
            });
            assert!(packed, "compressed");
            &buffer
        }
    };
    let head = Head {
        agent_id: "0123456789abcdef",
        fleet_id: Some("fleet-a"),
        tick: "1",
        timestamp: &NOW.to_string(),
        nonce: "AAECAwQFBgcICQoLDA0ODw",
    };
    let frame = Frame { encoding, dict: None };
    let signer = Signer::new(Zeroizing::new(PSK.to_vec()));
    Bytes::from(signer.frame(&head, &Packed { frame: &frame, sent }))
}

fn verify(c: &mut Criterion) {
    let (ring, policy) = (ring(), Policy::default());
    let mut group = c.benchmark_group("verify");
    for size in SIZES {
        let data = data(size);
        let sorted = Forms::new(data.as_bytes()).get(CanonForm::SpacedSorted);
        let kibibytes = size / 1024;
        for (name, body, hint) in [
            ("v1", v1(data.as_bytes(), &data), None),
            ("v1 other form, known", v1(&sorted, &data), Some(CanonForm::SpacedSorted)),
            ("v1 other form, unknown", v1(&sorted, &data), None),
            ("v2", v2(&data), None),
            ("v2 framed", framed(&data, Encoding::Identity), None),
            ("v2 framed, zstd", framed(&data, Encoding::Zstd), None),
        ] {
            assert!(verify_report(&body, &ring, &policy, |_| hint, NOW).is_ok(), "{name}");
            group.throughput(Throughput::Bytes(body.len().try_into().unwrap_or(0)));
            group.bench_function(BenchmarkId::new(name, format!("{kibibytes} KiB")), |b| {
                b.iter(|| verify_report(black_box(&body), &ring, &policy, |_| hint, NOW).is_ok());
            });
        }
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("parts");
    for size in SIZES {
        let data = data(size);
        let body = v2(&data);
        let kibibytes = size / 1024;
        group.throughput(Throughput::Bytes(body.len().try_into().unwrap_or(0)));
        group.bench_function(BenchmarkId::new("scan", format!("{kibibytes} KiB")), |b| {
            b.iter(|| scan::envelope(black_box(&body)).is_ok());
        });
        for form in [CanonForm::Compact, CanonForm::SpacedSorted] {
            group.bench_function(
                BenchmarkId::new(form.as_str(), format!("{kibibytes} KiB")),
                |b| {
                    b.iter(|| Forms::new(black_box(data.as_bytes())).get(form).len());
                },
            );
        }
    }
    group.finish();
}

fn hostile(c: &mut Criterion) {
    let names = |count: usize| -> String { (0..count).map(|i| format!("\"{i}\":0,")).collect() };
    let bodies = [
        ("100,000 brackets", format!("{{\"data\":{}", "[".repeat(100_000))),
        ("1 MiB name", format!("{{\"{}\":1}}", "x".repeat(1024 * 1024 - 8))),
        ("100,000 members", format!("{{{}\"z\":0}}", names(100_000))),
        ("25,000 labels", format!("{{\"data\":{{\"labels\":{{{}\"z\":0}}}}}}", names(25_000))),
        ("1 MiB of escapes", format!("{{\"data\":\"{}\"}}", "\\u0000".repeat(170_000))),
    ];
    let labels = format!(r#"{{"labels":{{{}"z":0}}}}"#, names(25_000));
    let escaped: String = (0..15_000).map(|i| format!("\"\\u0061{i}\":0,")).collect();
    let escaped = format!(r#"{{"labels":{{{escaped}"z":0}}}}"#);
    let unsigned = |data: &str| {
        let body = v1(b"", data);
        assert!(scan::envelope(&body).is_ok());
        String::from_utf8_lossy(&body).into_owned()
    };
    let bodies = bodies.into_iter().chain([
        ("25,000 labels, forged", unsigned(&labels)),
        ("escaped labels, forged", unsigned(&escaped)),
        ("100,000 numbers, forged", unsigned(&format!("[{}0]", "0,".repeat(100_000)))),
    ]);
    let (ring, policy) = (ring(), Policy::default());
    let mut group = c.benchmark_group("hostile");
    for (name, body) in bodies {
        let body = Bytes::from(body);
        group.bench_function(name, |b| {
            b.iter(|| verify_report(black_box(&body), &ring, &policy, |_| None, NOW).is_err());
        });
    }
    group.finish();
}

fn replay(c: &mut Criterion) {
    let rules = Rules { max_skew: 600, nonce_window: 120, seed: [1, 2] };
    let mut memory = ReplayMemory::new(rules, AGENTS_IN_MEMORY);
    let load = |_| Ok::<_, Infallible>(History::default());
    let nonces: Vec<String> = (0..40).map(|i| format!("AAECAwQFBgcICQoLDA0O{i:02}")).collect();
    for nonce in &nonces {
        let fresh = Fresh { nonce, timestamp: NOW, tick: None };
        let _ = memory.judge(AgentNo(1), &fresh, NOW, load);
        memory.admit(AgentNo(1), &fresh);
    }
    let fresh = Fresh { nonce: "AAECAwQFBgcICQoLDA0ODw", timestamp: NOW, tick: None };
    c.bench_function("replay/judge among 40", |b| {
        b.iter(|| memory.judge(AgentNo(1), black_box(&fresh), NOW, load).is_ok());
    });
}

criterion_group!(benches, verify, parts, hostile, replay);
criterion_main!(benches);
