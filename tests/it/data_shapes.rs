//! What real hosts send, read as `data`: captures of `ip -j ...` and `wg show all dump`, put
//! together as a shell agent does it, without touching a byte of them.

#![expect(clippy::panic, reason = "a capture that cannot be read is a failed test")]

use std::fs;
use std::path::PathBuf;

use kattila::model::key::WgKey;
use kattila::model::report::{Interface, LinkState, Peer, ReportData, Route};
use kattila::wire::data::parse;
use kattila::wire::redact::redact;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn fixture(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// `data` with the members given as JSON text.
fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    format!("{{{}}}", members.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn read(data: &str) -> ReportData {
    parse(data.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// A host of the laboratory in one state, with its interfaces from `addr`.
fn lab(state: &str, host: &str, addr: &str) -> String {
    object(&[
        ("hostname", quoted(host)),
        ("interfaces", fixture(&format!("lab/{state}/{host}.{addr}"))),
        ("routes", fixture(&format!("lab/{state}/{host}.ip_-j_route"))),
        ("wg_dump", quoted(&fixture(&format!("lab/{state}/{host}.wg_show_all_dump")))),
    ])
}

/// A host of the mesh in one state.
fn mesh(state: &str, host: &str) -> String {
    let file = |kind: &str| fixture(&format!("mesh/{state}/{host}.{kind}"));
    let load: Vec<String> =
        file("loadavg.txt").split_whitespace().take(3).map(str::to_owned).collect();
    let uptime = file("uptime.txt").split_whitespace().next().unwrap_or_default().to_owned();
    object(&[
        ("hostname", quoted(file("hostname.txt").trim())),
        ("uptime_seconds", uptime),
        ("load", format!("[{}]", load.join(","))),
        ("interfaces", file("ip-s-addr.json")),
        ("routes", file("ip-route-all.json")),
        ("wg_dump", quoted(&file("wg-dump.txt"))),
    ])
}

fn interface<'a>(report: &'a ReportData, name: &str) -> &'a Interface {
    let rows = report.interfaces.as_deref().unwrap_or_default();
    rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn routes(report: &ReportData) -> &[Route] {
    report.routes.as_deref().unwrap_or_default()
}

fn peers(report: &ReportData) -> &[Peer] {
    report.peers.as_deref().unwrap_or_default()
}

fn own_key(report: &ReportData, name: &str) -> WgKey {
    interface(report, name).public_key.unwrap_or_else(|| panic!("{name} has no key"))
}

fn peer<'a>(report: &'a ReportData, key: &WgKey) -> &'a Peer {
    peers(report).iter().find(|peer| peer.public_key == *key).unwrap_or_else(|| panic!("no {key}"))
}

fn texts(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

const LAB: [&str; 5] = [
    "02-all-up",
    "03-b-underlay-down",
    "04-b-roamed",
    "05-peer-removed-c-wg-down",
    "06-b-roamed-rehandshaken",
];

#[test]
fn every_lab_report_is_understood_whole() {
    for (state, counts) in LAB.into_iter().zip([
        // interfaces, routes, peers of a, b and c
        [(3, 22, 2), (4, 21, 1), (3, 21, 2)],
        [(3, 22, 2), (4, 13, 1), (3, 21, 2)],
        [(3, 22, 2), (4, 23, 1), (3, 21, 2)],
        [(3, 22, 1), (4, 23, 1), (3, 14, 2)],
        [(3, 22, 1), (4, 20, 1), (3, 14, 2)],
    ]) {
        for (host, expected) in ["a", "b", "c"].into_iter().zip(counts) {
            let report = read(&lab(state, host, "ip_-j_addr"));
            let interfaces = report.interfaces.as_deref().unwrap_or_default().len();
            let found = (interfaces, routes(&report).len(), peers(&report).len());
            assert_eq!(found, expected, "{state} {host}");
            assert_eq!(report.problems, [], "{state} {host}");
            assert!(report.had_secrets, "{state} {host}");
            // `-d` says more about the same.
            let detailed = read(&lab(state, host, "ip_-j_-d_addr"));
            assert_eq!(detailed, report, "{state} {host}");
        }
    }
}

#[test]
fn lab_all_up() {
    let [a, b, c] = ["a", "b", "c"].map(|host| read(&lab("02-all-up", host, "ip_-j_addr")));
    let (key_a, key_b, key_c) = (own_key(&a, "wg0"), own_key(&b, "wg0"), own_key(&c, "wg0"));
    assert_eq!(key_a.to_string(), "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=");
    assert_eq!(interface(&a, "wg0").listen_port, Some(51820));
    assert_eq!(interface(&b, "wg1").listen_port, Some(51821));

    let (a_to_b, a_to_c) = (peer(&a, &key_b), peer(&a, &key_c));
    assert_eq!(texts(&a_to_b.allowed_ips), ["10.77.0.2/32", "10.88.0.0/16", "fd77::2/128"]);
    assert_eq!(a_to_b.endpoint.as_deref(), Some("192.0.2.2:51820"));
    assert_eq!(a_to_b.latest_handshake.0, 1_795_214_286);
    assert_eq!((a_to_b.rx_bytes, a_to_b.tx_bytes, a_to_b.persistent_keepalive), (1352, 1104, 25));
    assert!(!a_to_b.has_psk && a_to_c.has_psk);
    assert_eq!(a_to_c.endpoint.as_deref(), Some("[2001:db8:51::3]:51820"));
    assert_eq!(texts(&peer(&b, &key_a).allowed_ips), ["0.0.0.0/0", "::/0"]);
    assert_eq!(peer(&b, &key_a).persistent_keepalive, 0);
    assert_eq!(peer(&c, &key_a).latest_handshake, a_to_c.latest_handshake);
    // Listed, but never configured any further.
    let unused = peer(&c, &own_key(&b, "wg1"));
    assert_eq!((unused.latest_handshake.0, unused.endpoint.as_deref()), (0, None));
    assert_eq!(unused.allowed_ips, []);

    let eth0 = interface(&a, "eth0");
    assert_eq!(eth0.mac.as_deref(), Some("26:23:79:38:67:e2"));
    assert_eq!((eth0.mtu, eth0.state, eth0.is_up()), (Some(1500), LinkState::Up, Some(true)));
    let wg0 = interface(&a, "wg0");
    assert_eq!(
        (wg0.mac.as_deref(), wg0.state, wg0.is_up()),
        (None, LinkState::Unknown, Some(true))
    );
    assert_eq!(
        texts(&wg0.addresses),
        ["10.77.0.1/24", "fd77::1/64", "fe80::60c9:230d:1210:c6f/64"]
    );
    assert_eq!(
        (interface(&b, "wg1").state, interface(&b, "wg1").is_up()),
        (LinkState::Down, Some(false))
    );

    let default: Vec<&Route> =
        routes(&a).iter().filter(|route| route.dst.prefix_len() == 0).collect();
    let [default] = default.as_slice() else { panic!("one default route: {default:?}") };
    assert_eq!((default.table.as_str(), default.kind.as_str()), ("main", "unicast"));
    assert_eq!(default.gateway, Some([192, 0, 2, 254].into()));
    let local = routes(&a).iter().filter(|route| route.table == "local").count();
    assert_eq!(local, 14);
    assert!(routes(&a).iter().any(|r| r.kind == "local" && r.dst.to_string() == "10.77.0.1/32"));
}

#[test]
fn lab_faults_show() {
    let b = read(&lab("03-b-underlay-down", "b", "ip_-j_addr"));
    assert_eq!(interface(&b, "eth0").is_up(), Some(false));
    assert_eq!(interface(&b, "wg0").is_up(), Some(true));
    assert!(!routes(&b).iter().any(|route| route.dst.prefix_len() == 0));

    let before = read(&lab("04-b-roamed", "a", "ip_-j_addr"));
    let after = read(&lab("06-b-roamed-rehandshaken", "a", "ip_-j_addr"));
    let key_b = own_key(&b, "wg0");
    assert_eq!(peer(&before, &key_b).endpoint.as_deref(), Some("192.0.2.2:51820"));
    assert_eq!(peer(&after, &key_b).endpoint.as_deref(), Some("192.0.2.22:51820"));
    assert!(peer(&after, &key_b).latest_handshake > peer(&before, &key_b).latest_handshake);

    let c = read(&lab("05-peer-removed-c-wg-down", "c", "ip_-j_addr"));
    assert_eq!(interface(&c, "wg0").is_up(), Some(false));
    let a = read(&lab("05-peer-removed-c-wg-down", "a", "ip_-j_addr"));
    let key_c = own_key(&c, "wg0");
    assert!(!peers(&a).iter().any(|peer| peer.public_key == key_c));
}

#[test]
fn the_order_of_peers_changes_nothing() {
    // Between these two states wireguard-go lists b's and c's keys the other way round.
    let up = fixture("lab/02-all-up/a.wg_show_all_dump");
    let down = fixture("lab/03-b-underlay-down/a.wg_show_all_dump");
    assert_ne!(up, down);
    let read = |dump: &str| read(&object(&[("wg_dump", quoted(dump))]));
    assert_eq!(read(&up), read(&down));
}

#[test]
fn link_statistics() {
    let links = fixture("lab/02-all-up/a.ip_-j_-s_link");
    let report = read(&object(&[("interfaces", links)]));
    assert_eq!(report.problems, []);
    let counters = interface(&report, "eth0").counters;
    assert_eq!((counters.rx_bytes, counters.tx_bytes), (Some(7146), Some(4104)));
    assert_eq!((counters.rx_errors, counters.tx_dropped), (Some(0), Some(0)));
    assert_eq!(interface(&report, "eth0").addresses, []);

    let v6 = fixture("lab/02-all-up/a.ip_-j_-6_route");
    let report = read(&object(&[("routes", v6)]));
    assert_eq!((routes(&report).len(), report.problems.len()), (4, 0));
    assert!(routes(&report).iter().all(|route| route.metric == 256));
}

#[test]
fn lab_dumps_lose_their_private_keys_and_stay_equal() {
    for state in LAB {
        for host in ["a", "b", "c"] {
            let data = lab(state, host, "ip_-j_addr");
            let envelope = format!("{{\"data\":{data},\"hmac\":\"00\"}}");
            let clean = redact(envelope.as_bytes(), 8..8 + data.len());
            let clean = String::from_utf8(clean).expect("text");
            let dump = fixture(&format!("lab/{state}/{host}.wg_show_all_dump"));
            for columns in dump.lines().map(|line| line.split('\t').collect::<Vec<_>>()) {
                let secret = if columns.len() == 5 { columns[1] } else { columns[2] };
                assert!(secret == "(none)" || !clean.contains(secret), "{state} {host}");
                let public = if columns.len() == 5 { columns[2] } else { columns[1] };
                assert!(clean.contains(public), "{state} {host}");
            }
            let whole: serde_json::Value = serde_json::from_str(&clean).expect("still JSON");
            let after = read(&whole["data"].to_string());
            assert!(!after.had_secrets);
            assert_eq!(ReportData { had_secrets: true, ..after }, read(&data), "{state} {host}");
        }
    }
}

#[test]
fn mesh_reports() {
    for state in ["1-healthy", "2-node4-daemon-killed", "4-node3-cable-cut", "7-node1-rekeyed"] {
        for host in ["node1", "node2", "node3", "node4"] {
            let report = read(&mesh(state, host));
            assert_eq!(report.problems, [], "{state} {host}");
            assert!(!report.had_secrets, "{state} {host}");
            assert!(report.load.is_some() && report.uptime_seconds.is_some());
            let killed = state == "2-node4-daemon-killed" && host == "node4";
            assert_eq!(peers(&report).len(), if killed { 0 } else { 3 }, "{state} {host}");
            // A dump without a line says that there are no peers, not that nothing is known.
            assert!(report.peers.is_some());
        }
    }
    let node1 = read(&mesh("1-healthy", "node1"));
    assert_eq!(node1.hostname.as_deref(), Some("ktm-node1"));
    assert_eq!((node1.uptime_seconds, node1.load), (Some(4311), Some([1.74, 3.38, 3.64])));
    assert_eq!(interface(&node1, "eth0").counters.rx_bytes, Some(8858));
    assert_eq!(interface(&node1, "lan0").is_up(), Some(true));
    assert_eq!(routes(&node1).len(), 34);

    let cut = read(&mesh("4-node3-cable-cut", "node3"));
    assert_eq!(interface(&cut, "eth0").is_up(), Some(false));
    assert_eq!(interface(&cut, "wg0").is_up(), Some(true));

    // The new key is in no peer list: the one fault that is told at once.
    let rekeyed = own_key(&read(&mesh("7-node1-rekeyed", "node1")), "wg0");
    assert_ne!(rekeyed, own_key(&node1, "wg0"));
    for host in ["node2", "node3", "node4"] {
        let report = read(&mesh("7-node1-rekeyed", host));
        assert!(!peers(&report).iter().any(|peer| peer.public_key == rekeyed), "{host}");
    }

    let babel = read(&mesh("8-babel-routes", "node1"));
    let learnt =
        routes(&babel).iter().filter(|route| route.protocol.as_deref() == Some("babel")).count();
    assert_eq!((learnt, babel.problems.len()), (3, 0));
}

#[test]
fn detailed_links_with_their_depths_are_skipped_over() {
    let links = fixture("mesh/1-healthy/node1.ip-d-link.json");
    let report = read(&object(&[("interfaces", links)]));
    assert_eq!(report.problems, []);
    assert_eq!(report.interfaces.as_deref().map(<[_]>::len), Some(4));
}

#[test]
fn scrambled_dumps_keep_what_is_good() {
    // Keys were scrambled by the author of this collection: most are no keys any more.
    let report = read(&object(&[("wg_dump", quoted(&fixture("jc/wg_show--two_devices.out")))]));
    assert!(report.had_secrets);
    let names: Vec<&str> =
        report.interfaces.iter().flatten().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["wg0", "wg1"]);
    assert!(report.interfaces.iter().flatten().all(|row| row.public_key.is_none()));
    let good = peers(&report).len();
    let bad = report.problems.iter().filter(|p| p.path.ends_with(".public_key")).count();
    assert_eq!((good, bad), (3, 17), "{:?}", report.problems);
    assert!(
        report.problems.iter().any(|p| p.detail.contains("second line")),
        "{:?}",
        report.problems
    );

    let report = read(&object(&[("wg_dump", quoted(&fixture("jc/wg_show--one_device.out")))]));
    assert!(report.problems.iter().all(|problem| !problem.detail.contains('=')));
}

#[test]
fn published_dumps() {
    let dump = fixture("wg-dump/mindflavor-3.6.6/text_issue_19.dump");
    let report = read(&object(&[("wg_dump", quoted(&dump))]));
    assert_eq!(report.problems, []);
    assert_eq!((peers(&report).len(), report.had_secrets), (17, true));
    let busiest = peers(&report).iter().map(|peer| peer.rx_bytes).max();
    assert_eq!(busiest, Some(75_066_288_152));

    let dump = fixture("wg-dump/mindflavor-3.6.6/text.dump");
    let report = read(&object(&[("wg_dump", quoted(&dump))]));
    let per_interface = |name: &str| peers(&report).iter().filter(|p| p.interface == name).count();
    assert_eq!((per_interface("wg0"), per_interface("wg2"), per_interface("pollo")), (5, 1, 0));
}

#[test]
fn output_of_another_tool_is_noted_not_refused() {
    // jc names its members differently from `ip -j route`.
    let report = read(&object(&[("routes", fixture("jc/ip_route.json"))]));
    assert_eq!(report.routes, None);
    assert_eq!(report.problems.len(), 4, "{:?}", report.problems);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damage anywhere is refused or noted, never a panic; and whatever is still data loses its
    /// secrets and stays data.
    #[test]
    fn damaged_reports_do_no_harm(
        state in select(LAB.to_vec()),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut data = lab(state, "a", "ip_-j_addr").into_bytes();
        for (place, byte) in damage {
            let at = place.index(data.len());
            data[at] = byte;
        }
        let clean = redact(&data, 0..data.len());
        if let Ok(report) = parse(&data) {
            let again = parse(&clean).map(|report| report.had_secrets);
            prop_assert_eq!(again, Ok(false));
            prop_assert_eq!(report.had_secrets, clean != data);
        }
    }
}
