//! Odd values one by one; whole reports of real hosts are in `tests/it/data_shapes.rs`.

use serde_json::{Value, json};

use super::{DataInvalid, parse};
use crate::model::report::{LinkState, ReportData};
use crate::model::time::UnixSeconds;
use crate::wire::limits::{ALLOWED_IPS, INTERFACES, PEERS, ROUTES};

const A: &str = "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=";
const B: &str = "K1mUqvXl2ekVICoP3l1Sf+NShnhbDvdE2EP1hzM2Dl4=";
const PRIVATE: &str = "CJ1hWgWvSljdeuJ4DriuwQGRXFHMI+q3S/UyxvldWk4=";

pub(super) fn read(data: &Value) -> ReportData {
    parse(data.to_string().as_bytes()).expect("odd items are never refused")
}

/// The paths of the problems.
pub(super) fn paths(data: &ReportData) -> Vec<&str> {
    data.problems.iter().map(|problem| problem.path.as_str()).collect()
}

/// Reads something that must be understood without a remark.
pub(super) fn clean(data: &Value) -> ReportData {
    let report = read(data);
    assert_eq!(report.problems, [], "{data}");
    report
}

#[test]
fn nothing_is_required_but_an_object() {
    assert_eq!(clean(&json!({})), ReportData::default());
    assert_eq!(parse(b" {\n} "), Ok(ReportData::default()));
    for (text, found) in [
        ("[]", "a list"),
        ("null", "null"),
        ("1", "a number"),
        ("\"{}\"", "text"),
        ("true", "true or false"),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(DataInvalid::NotAnObject { found }), "{text}");
    }
    for text in ["", "{", "{}}", "{} {}", "{\"a\":}", "{\"a\":1,}", "{\"a\":\"\n\"}"] {
        assert!(matches!(parse(text.as_bytes()), Err(DataInvalid::Malformed { .. })), "{text}");
    }
    assert!(matches!(parse(b"{\"a\":\"\xff\"}"), Err(DataInvalid::Malformed { .. })));
}

#[test]
fn plain_members() {
    let report = clean(&json!({
        "agent_id": "gw-1", "hostname": "gw-1.example.net", "uptime_seconds": 4311.54,
        "boot_id": "0d3c", "load": [0.5, 1, "2.25"], "collected_at": 1_795_214_286.9,
        "agent_version": "1.2", "fleet_id": "fleet-a", "labels": {"site": "oulu", "role": "relay"},
        "routes_truncated": true, "unknown": {"a": [1, {"b": null}]},
    }));
    assert_eq!(report.agent_id.unwrap().as_str(), "gw-1");
    assert_eq!(report.hostname.as_deref(), Some("gw-1.example.net"));
    assert_eq!(report.uptime_seconds, Some(4311));
    assert_eq!(report.load, Some([0.5, 1.0, 2.25]));
    assert_eq!(report.collected_at, Some(UnixSeconds(1_795_214_286)));
    assert_eq!(report.fleet_id.unwrap().as_str(), "fleet-a");
    assert_eq!(report.labels["site"], "oulu");
    assert!(report.routes_truncated);
    assert!(report.interfaces.is_none() && report.routes.is_none() && report.peers.is_none());
}

#[test]
fn odd_plain_members_are_noted_and_left_out() {
    let report = read(&json!({
        "agent_id": "a b", "hostname": "x\u{1b}[2J", "uptime_seconds": -1, "boot_id": 7,
        "load": [1, 2], "collected_at": "yesterday", "agent_version": "v".repeat(2000),
        "fleet_id": "UPPER", "labels": {"n": 1, "ok": "x", "": "y"}, "interfaces": "none",
        "routes": 5, "wg_peers": {"wg0": {}}, "wg_dump": 7,
    }));
    assert_eq!(
        paths(&report),
        [
            "agent_id",
            "agent_version",
            "boot_id",
            "collected_at",
            "fleet_id",
            "hostname",
            "interfaces",
            "labels.\"\"",
            "labels.\"n\"",
            "load",
            "routes",
            "uptime_seconds",
            "wg_dump",
            "wg_peers",
        ]
    );
    assert_eq!(report.agent_version.unwrap().len(), 1024);
    assert_eq!(report.labels.len(), 1);
    assert!(report.agent_id.is_none() && report.hostname.is_none() && report.load.is_none());
    assert!(report.interfaces.is_none() && report.routes.is_none() && report.peers.is_none());
    // A long text is cut between characters.
    let report = read(&json!({"agent_version": "ä".repeat(600)}));
    assert_eq!(report.agent_version.unwrap().chars().count(), 512);
    assert_eq!(read(&json!({"hostname": "h".repeat(254)})).hostname, None);
}

#[test]
fn null_says_nothing() {
    let report = clean(&json!({
        "hostname": null, "load": null, "labels": null, "interfaces": null, "routes": null,
        "wg_peers": null, "wg_dump": null, "collected_at": null, "uptime_seconds": null,
    }));
    assert_eq!(report, ReportData::default());
}

#[test]
fn plain_interface() {
    let report = clean(&json!({"interfaces": [{
        "name": "wg0", "mac": "26:23:79:38:67:E2", "mtu": 1420, "state": "up",
        "flags": ["UP", "NOARP"], "addresses": ["fd00::1/64", "10.0.0.1/24"], "rx_bytes": 1,
        "tx_bytes": "2", "rx_errors": 3, "tx_errors": 4, "rx_dropped": 5, "tx_dropped": 6,
        "public_key": A, "listen_port": 51820,
    }, {"name": "eth0", "addresses": "192.0.2.1/24,2001:db8::1/64", "public_key": "(none)"}]}));
    let [eth0, wg0] = report.interfaces.as_deref().unwrap() else { panic!("two interfaces") };
    assert_eq!((eth0.name.as_str(), eth0.addresses.len()), ("eth0", 2));
    assert_eq!(wg0.mac.as_deref(), Some("26:23:79:38:67:e2"));
    assert_eq!((wg0.mtu, wg0.state, wg0.listen_port), (Some(1420), LinkState::Up, Some(51820)));
    assert_eq!(wg0.flags, ["NOARP", "UP"]);
    let addresses: Vec<String> = wg0.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.0.0.1/24", "fd00::1/64"]);
    assert_eq!(wg0.public_key.unwrap().to_string(), A);
    let counters = wg0.counters;
    assert_eq!((counters.rx_bytes, counters.tx_bytes), (Some(1), Some(2)));
    assert_eq!((counters.rx_errors, counters.tx_errors), (Some(3), Some(4)));
    assert_eq!((counters.rx_dropped, counters.tx_dropped), (Some(5), Some(6)));
}

#[test]
fn odd_interfaces() {
    let report = read(&json!({"interfaces": [
        {"name": "a", "mtu": -1, "state": "sideways", "mac": "nobody", "flags": [1, "UP", "a b"],
         "addresses": ["10.0.0.1/33", "fe80::1%a/64", 7], "public_key": "x", "listen_port": 67130,
         "stats64": {"rx": {"bytes": "many"}, "tx": 1}},
        {"name": "a", "mtu": 9000}, {"mtu": 1}, {}, 5, {"name": ""}, {"name": "n".repeat(200)},
    ]}));
    let [a] = report.interfaces.as_deref().unwrap() else { panic!("one interface") };
    assert_eq!(
        (a.mtu, a.state, a.listen_port, a.public_key),
        (None, LinkState::Unknown, None, None)
    );
    assert_eq!(a.flags, ["UP"]);
    assert_eq!(a.addresses.len(), 1);
    assert_eq!(
        paths(&report),
        [
            "interfaces[2]",
            "interfaces[4]",
            "interfaces[5]",
            "interfaces[6].name",
            "interfaces[a]",
            "interfaces[a].addresses[0]",
            "interfaces[a].addresses[2]",
            "interfaces[a].flags[0]",
            "interfaces[a].flags[2]",
            "interfaces[a].listen_port",
            "interfaces[a].mac",
            "interfaces[a].mtu",
            "interfaces[a].public_key",
            "interfaces[a].state",
            "interfaces[a].stats64",
            "interfaces[a].stats64",
        ]
    );
}

#[test]
fn states_by_their_words() {
    for (word, state) in [
        ("UP", LinkState::Up),
        ("up", LinkState::Up),
        ("DOWN", LinkState::Down),
        ("LOWERLAYERDOWN", LinkState::Down),
        ("DORMANT", LinkState::Down),
        ("UNKNOWN", LinkState::Unknown),
        ("", LinkState::Unknown),
    ] {
        let report = clean(&json!({"interfaces": [{"name": "a", "operstate": word}]}));
        assert_eq!(report.interfaces.unwrap()[0].state, state, "{word}");
    }
}

#[test]
fn peers_in_every_shape() {
    let report = clean(&json!({"wg_peers": [
        {"interface": "wg0", "public_key": B, "endpoint": "(none)", "allowed_ips": "10.0.0.3/24, fd00::3",
         "latest_handshake": 0, "persistent_keepalive": "off"},
        {"interface": "wg0", "public_key": A, "endpoint": "[2001:db8::1]:51820",
         "allowed_ips": ["10.0.0.2/32"], "latest_handshake": "1795214286", "rx_bytes": 10,
         "tx_bytes": 20, "persistent_keepalive": 25, "has_psk": true},
        {"interface": "wg1", "public_key": A, "preshared_key": "(hidden)", "allowed_ips": "(none)"},
        {"interface": "wg2", "public_key": A, "preshared_key": "(none)", "allowed_ips": []},
    ]}));
    let peers = report.peers.unwrap();
    let names: Vec<(&str, String)> =
        peers.iter().map(|peer| (peer.interface.as_str(), peer.public_key.short())).collect();
    let (a, b) = ("m4veB98F".to_owned(), "K1mUqvXl".to_owned());
    assert_eq!(names, [("wg0", b), ("wg0", a.clone()), ("wg1", a.clone()), ("wg2", a)]);
    assert_eq!(peers[0].endpoint, None);
    let allowed: Vec<String> = peers[0].allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["10.0.0.0/24", "fd00::3/128"]);
    assert_eq!(peers[1].latest_handshake, UnixSeconds(1_795_214_286));
    assert_eq!((peers[1].rx_bytes, peers[1].tx_bytes), (10, 20));
    assert_eq!((peers[0].persistent_keepalive, peers[1].persistent_keepalive), (0, 25));
    let psk: Vec<bool> = peers.iter().map(|peer| peer.has_psk).collect();
    assert_eq!(psk, [false, true, true, false]);
    assert!(!report.had_secrets);
}

#[test]
fn odd_peers() {
    let report = read(&json!({"wg_peers": [
        {"interface": "wg0", "public_key": A, "endpoint": "82.132.137.204:67130",
         "allowed_ips": ["10.0.0.2/33", "10.0.0.2/32"], "latest_handshake": -5, "rx_bytes": -1,
         "persistent_keepalive": 70000, "has_psk": "yes"},
        {"interface": "wg0", "public_key": "rQFRAjRdx1aD8DnTFpkcBOY9Edjt3ZU7+P9HokZv7xe="},
        {"interface": "wg0", "public_key": B, "endpoint": "[fe80::1%eth0]:51820",
         "latest_handshake": 1_795_214_286_000_u64},
        {"interface": "wg0", "public_key": A, "latest_handshake": 9}, {"interface": "wg0"}, {},
    ]}));
    let peers = report.peers.as_deref().unwrap();
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0].endpoint.as_deref(), Some("[fe80::1%eth0]:51820"));
    assert_eq!(peers[0].latest_handshake, UnixSeconds(0));
    // Of the two entries the one with the later handshake.
    assert_eq!(peers[1].latest_handshake, UnixSeconds(9));
    assert_eq!(
        paths(&report),
        [
            "wg_peers[1].public_key",
            "wg_peers[4].public_key",
            "wg_peers[K1mUqvXl].endpoint",
            "wg_peers[K1mUqvXl].latest_handshake",
            "wg_peers[m4veB98F]",
            "wg_peers[m4veB98F].allowed_ips[0]",
            "wg_peers[m4veB98F].endpoint",
            "wg_peers[m4veB98F].has_psk",
            "wg_peers[m4veB98F].latest_handshake",
            "wg_peers[m4veB98F].persistent_keepalive",
            "wg_peers[m4veB98F].rx_bytes",
        ]
    );
}

#[test]
fn order_never_matters() {
    let peers = [
        json!({"interface": "wg0", "public_key": A, "allowed_ips": "10.0.0.1/32,10.0.0.2/32", "endpoint": "x:0"}),
        json!({"interface": "wg0", "public_key": B, "allowed_ips": "10.0.0.3/32", "rx_bytes": 5}),
        json!({"interface": "wg0", "public_key": B, "endpoint": "192.0.2.1:1"}),
        json!({"interface": "wg1", "public_key": B}),
    ];
    let expected = read(&json!({"wg_peers": peers}));
    for turn in 1..peers.len() {
        let mut turned = peers.clone();
        turned.rotate_left(turn);
        assert_eq!(read(&json!({"wg_peers": turned})), expected);
    }
    let mut allowed = peers.clone();
    allowed[0]["allowed_ips"] = json!(["10.0.0.2/32", "10.0.0.1/32", "10.0.0.2/32"]);
    assert_eq!(read(&json!({"wg_peers": allowed})), expected);
}

#[test]
fn dump_of_one_interface_finds_its_name() {
    let dump = format!("{PRIVATE}\t{A}\t51820\toff\n{B}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n");
    let names = |interfaces: Value| {
        let report = read(&json!({"interfaces": interfaces, "wg_dump": dump}));
        assert!(report.had_secrets);
        let peer = report.peers.unwrap()[0].interface.clone();
        let told = report.interfaces.unwrap();
        let own = told.iter().find(|row| row.public_key.is_some()).unwrap();
        assert_eq!((own.listen_port, own.name.as_str()), (Some(51820), peer.as_str()));
        (peer, report.problems.len())
    };
    assert_eq!(
        names(json!([{"name": "tunnel", "public_key": A}, {"name": "wg1"}])),
        ("tunnel".into(), 0)
    );
    assert_eq!(names(json!([{"name": "wg7"}, {"name": "eth0"}])), ("wg7".into(), 0));
    assert_eq!(names(json!([])), ("wg0".into(), 1));
}

#[test]
fn dump_without_its_secret_columns() {
    let dump = format!("wg0\t{A}\t51820\toff\nwg0\t{B}\t192.0.2.1:5\t10.0.0.0/8\t7\t1\t2\t25\n");
    let report = clean(&json!({"wg_dump": dump}));
    assert!(!report.had_secrets);
    let peer = &report.peers.unwrap()[0];
    assert_eq!((peer.interface.as_str(), peer.public_key.to_string().as_str()), ("wg0", B));
    assert_eq!((peer.latest_handshake, peer.persistent_keepalive), (UnixSeconds(7), 25));
    assert_eq!(report.interfaces.unwrap()[0].public_key.unwrap().to_string(), A);
}

#[test]
fn empty_dump_says_no_peers_and_rubbish_says_nothing() {
    let empty = clean(&json!({"wg_dump": "\n"}));
    assert_eq!((empty.peers, empty.interfaces), (Some(vec![]), None));
    let rubbish = read(&json!({"wg_dump": "wg: command not found"}));
    assert_eq!((rubbish.peers.as_ref(), rubbish.interfaces.as_ref()), (None, None));
    assert_eq!(paths(&rubbish), ["wg_dump[1]"]);
}

#[test]
fn limits() {
    let many =
        |n: usize, item: &dyn Fn(usize) -> Value| -> Vec<Value> { (0..n).map(item).collect() };
    let too_many = |data: &Value| match parse(data.to_string().as_bytes()) {
        Err(DataInvalid::TooMany { what, limit }) => Some((what, limit)),
        _ => None,
    };
    let interface = |n: usize| json!({"name": format!("eth{n}")});
    let at_limit = json!({"interfaces": many(INTERFACES, &interface)});
    assert_eq!(clean(&at_limit).interfaces.unwrap().len(), INTERFACES);
    let over = json!({"interfaces": many(INTERFACES + 1, &interface)});
    assert_eq!(too_many(&over), Some(("interfaces", INTERFACES)));

    let route = |n: usize| json!({"dst": format!("10.{}.{}.0/24", n / 256, n % 256)});
    let at_limit = clean(&json!({"routes": many(ROUTES, &route)}));
    assert!(!at_limit.routes_truncated);
    let over = clean(&json!({"routes": many(ROUTES + 1, &route)}));
    assert_eq!((over.routes.unwrap().len(), over.routes_truncated), (ROUTES, true));

    let peer = |n: usize| {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&n.to_be_bytes());
        json!({"interface": "wg0", "public_key": crate::model::key::WgKey(key)})
    };
    assert_eq!(clean(&json!({"wg_peers": many(PEERS, &peer)})).peers.unwrap().len(), PEERS);
    let over = json!({"wg_peers": many(PEERS + 1, &peer)});
    assert_eq!(too_many(&over), Some(("WireGuard peers", PEERS)));

    let prefix = |n: usize| json!(format!("10.{}.{}.0/24", n / 256, n % 256));
    let texts = many(ALLOWED_IPS + 1, &prefix);
    let joined: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
    let line = format!("wg0\t{A}\t(none)\t(none)\t{}\t0\t0\t0\toff", joined.join(","));
    for over in [
        json!({"wg_peers": [{"public_key": A, "allowed_ips": texts}]}),
        json!({"wg_peers": [{"public_key": A, "allowed_ips": joined.join(",")}]}),
        json!({"wg_dump": line}),
    ] {
        assert_eq!(too_many(&over), Some(("allowed ips of one peer", ALLOWED_IPS)));
    }
    let addresses = json!({"interfaces": [{"name": "a", "addresses": texts}]});
    assert_eq!(too_many(&addresses), Some(("addresses on one interface", 256)));
}

#[test]
fn problems_are_bounded_and_harmless() {
    let report = read(&json!({"interfaces": vec!["\u{1b}[31m\n<script>"; 1000]}));
    assert_eq!(report.problems.len(), 65);
    assert_eq!(report.problems[64].detail, "has 936 more problems, not listed");
    assert!(report.problems.iter().all(|p| !p.detail.chars().any(char::is_control)));
    let long = read(&json!({"load": "x".repeat(100_000)}));
    assert!(long.problems[0].detail.len() < 200, "{:?}", long.problems);
}

#[test]
fn what_no_double_can_hold_is_replaced() {
    let report =
        parse(br#"{"hostname":"a","uptime_seconds":1e999,"x":"\ud800","labels":{"l":"\udc00!"}}"#)
            .expect("well-formed JSON");
    assert_eq!(report.hostname.as_deref(), Some("a"));
    assert_eq!(report.uptime_seconds, None);
    assert_eq!(report.labels["l"], "\u{fffd}!");
    assert_eq!(paths(&report), ["data"]);
}
