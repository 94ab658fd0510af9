//! How long the typed parse of one report's `data` takes: 5 KB, 8 interfaces, 10 routes and
//! 10 peers, in the plain shape and as the tools print it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kattila::process::sections;
use kattila::wire::data;
use serde_json::{Value, json};

fn key(n: u8) -> Value {
    json!(kattila::model::key::WgKey([n; 32]))
}

fn plain() -> Value {
    let interfaces: Vec<Value> = (0..8)
        .map(|n| {
            json!({
                "name": format!("wg{n}"), "mtu": 1420, "state": "unknown",
                "flags": ["POINTOPOINT", "NOARP", "UP", "LOWER_UP"],
                "addresses": [format!("10.0.{n}.1/24"), format!("fd00:0:0:{n}::1/64")],
                "rx_bytes": 123_456_789, "tx_bytes": 987_654_321, "rx_errors": 0, "tx_errors": 0,
                "public_key": key(n), "listen_port": 51820,
            })
        })
        .collect();
    json!({
        "hostname": "gw-1.example.net", "uptime_seconds": 86_400, "load": [0.12, 0.34, 0.56],
        "boot_id": "3e0b7d6c-9f3f-4f0e-8f59-3b1f0c2d4e5a", "collected_at": 1_795_214_286,
        "agent_version": "1.0.0", "labels": {"site": "oulu", "role": "gateway"},
        "interfaces": interfaces, "routes": routes(), "wg_peers": peers(),
    })
}

fn routes() -> Vec<Value> {
    (0..10)
        .map(|n| {
            json!({"dst": format!("192.168.{n}.0/24"), "gateway": "10.0.0.2", "dev": "wg0",
                "protocol": "static", "metric": 50, "flags": []})
        })
        .collect()
}

fn peers() -> Vec<Value> {
    (0..10)
        .map(|n| {
            json!({"interface": "wg0", "public_key": key(100 + n),
                "endpoint": format!("192.0.2.{n}:51820"),
                "allowed_ips": [format!("10.0.0.{n}/32"), format!("192.168.{n}.0/24")],
                "latest_handshake": 1_795_214_200, "rx_bytes": 123_456, "tx_bytes": 654_321,
                "persistent_keepalive": 25, "has_psk": false})
        })
        .collect()
}

/// The same host as `ip -j -s addr`, `ip -j route` and `wg show all dump` tell it.
fn tools() -> Value {
    let interfaces: Vec<Value> = (0..8)
        .map(|n| {
            json!({
                "ifindex": n, "ifname": format!("wg{n}"), "mtu": 1420, "qdisc": "noqueue",
                "flags": ["POINTOPOINT", "NOARP", "UP", "LOWER_UP"], "operstate": "UNKNOWN",
                "group": "default", "txqlen": 1000, "link_type": "none",
                "addr_info": [{"family": "inet", "local": format!("10.0.{n}.1"), "prefixlen": 24,
                    "scope": "global", "label": "wg", "valid_life_time": 4_294_967_295_u32,
                    "preferred_life_time": 4_294_967_295_u32}],
                "stats64": {"rx": {"bytes": 123_456_789, "packets": 5, "errors": 0, "dropped": 0},
                    "tx": {"bytes": 123_456_789, "packets": 5, "errors": 0, "dropped": 0}},
            })
        })
        .collect();
    let mut dump = format!("wg0\t(hidden)\t{}\t51820\toff\n", text(&key(0)));
    for n in 0..10 {
        let key = key(100 + n);
        let key = text(&key);
        dump += &format!(
            "wg0\t{key}\t(none)\t192.0.2.{n}:51820\t10.0.0.{n}/32,192.168.{n}.0/24\t1795214200\t\
             123456\t654321\t25\n"
        );
    }
    json!({"hostname": "gw-1", "interfaces": interfaces, "routes": routes(), "wg_dump": dump})
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for (name, report) in [("plain", plain()), ("tools", tools())] {
        let bytes = report.to_string().into_bytes();
        group.throughput(Throughput::Bytes(bytes.len().try_into().unwrap_or(0)));
        group.bench_function(name, |b| b.iter(|| data::parse(black_box(&bytes))));
    }
    group.finish();

    let Ok(report) = data::parse(plain().to_string().as_bytes()) else { return };
    let interfaces = report.interfaces.unwrap_or_default();
    let routes = report.routes.unwrap_or_default();
    let peers = report.peers.unwrap_or_default();
    c.bench_function("sections", |b| {
        b.iter(|| {
            (
                sections::interfaces_hash(black_box(&interfaces)),
                sections::routes_hash(black_box(&routes)),
                sections::peers_hash(black_box(&peers)),
            )
        });
    });
}

criterion_group!(benches, parse);
criterion_main!(benches);
