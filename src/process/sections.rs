//! Content hashes of a report's sections: equal hashes mean that nothing needs comparing.
//!
//! What moves by itself (counters, handshakes) is left out. The hash is the standard library's
//! SipHash-1-3 with fixed keys: the same in every run of one build, but not promised across
//! Rust releases. That is enough, since a hash that no longer matches costs one comparison that
//! finds nothing. It does not resist somebody who searches for collisions; whoever can send a
//! section at all can send any section.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::report::{Interface, Peer, ReportData, Route};

/// Content hashes of a report's sections; `None` where the report has no such section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SectionHashes {
    pub(super) interfaces: Option<u64>,
    pub(super) routes: Option<u64>,
    pub(super) peers: Option<u64>,
}

impl SectionHashes {
    pub(super) fn of(data: &ReportData) -> Self {
        Self {
            interfaces: data.interfaces.as_deref().map(interfaces_hash),
            routes: data.routes.as_deref().map(routes_hash),
            peers: data.peers.as_deref().map(peers_hash),
        }
    }
}

/// Hash of the interface section, without counters.
pub fn interfaces_hash(rows: &[Interface]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(rows.len());
    for row in rows {
        // Written out, so that a new field cannot be forgotten.
        let Interface {
            name,
            mac,
            mtu,
            state,
            flags,
            addresses,
            public_key,
            listen_port,
            counters: _,
        } = row;
        (name, mac, mtu, state, flags, addresses, public_key, listen_port).hash(&mut hasher);
    }
    hasher.finish()
}

/// Hash of the route section.
pub fn routes_hash(rows: &[Route]) -> u64 {
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    hasher.finish()
}

/// Hash of the peer section, without handshakes and counters; endpoints count.
pub fn peers_hash(rows: &[Peer]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(rows.len());
    for row in rows {
        let Peer {
            interface,
            public_key,
            endpoint,
            allowed_ips,
            latest_handshake: _,
            rx_bytes: _,
            tx_bytes: _,
            persistent_keepalive,
            has_psk,
        } = row;
        (interface, public_key, endpoint, allowed_ips, persistent_keepalive, has_psk)
            .hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::data;

    fn hashes(json: &str) -> [u64; 3] {
        let report = data::parse(json.as_bytes()).expect("a report");
        [
            interfaces_hash(&report.interfaces.unwrap_or_default()),
            routes_hash(&report.routes.unwrap_or_default()),
            peers_hash(&report.peers.unwrap_or_default()),
        ]
    }

    const REPORT: &str = r#"{
        "interfaces":[{"name":"wg0","mtu":1420,"rx_bytes":1,"addresses":["10.0.0.1/24"]},{"name":"lo"}],
        "routes":[{"dst":"10.0.0.0/24","dev":"wg0"},{"dst":"default","gateway":"192.0.2.1"}],
        "wg_peers":[{"interface":"wg0","public_key":"m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=",
            "endpoint":"192.0.2.2:51820","allowed_ips":"10.0.0.2/32","latest_handshake":100,
            "rx_bytes":7,"tx_bytes":8,"persistent_keepalive":25,"has_psk":true}]}"#;

    #[test]
    fn only_what_matters_changes_a_hash() {
        let before = hashes(REPORT);
        for (from, to, changed) in [
            ("\"rx_bytes\":1", "\"rx_bytes\":2", [false; 3]),
            ("\"latest_handshake\":100", "\"latest_handshake\":130", [false; 3]),
            ("\"rx_bytes\":7,\"tx_bytes\":8", "\"rx_bytes\":9,\"tx_bytes\":10", [false; 3]),
            ("1420", "1421", [true, false, false]),
            ("10.0.0.1/24", "10.0.0.1/25", [true, false, false]),
            ("{\"name\":\"lo\"}", "{\"name\":\"lo\",\"flags\":[\"UP\"]}", [true, false, false]),
            ("192.0.2.1\"", "192.0.2.3\"", [false, true, false]),
            ("192.0.2.2:51820", "192.0.2.9:51820", [false, false, true]),
            ("\"persistent_keepalive\":25", "\"persistent_keepalive\":0", [false, false, true]),
            ("\"has_psk\":true", "\"has_psk\":false", [false, false, true]),
            ("10.0.0.2/32", "10.0.0.0/24", [false, false, true]),
        ] {
            assert!(REPORT.contains(from), "{from}");
            let after = hashes(&REPORT.replacen(from, to, 1));
            let differs = [0, 1, 2].map(|n| before[n] != after[n]);
            assert_eq!(differs, changed, "{from} -> {to}");
        }
    }

    #[test]
    fn neighbouring_fields_do_not_run_together() {
        let two = hashes(r#"{"interfaces":[{"name":"a"},{"name":"b"}]}"#);
        let one = hashes(r#"{"interfaces":[{"name":"ab"}]}"#);
        assert_ne!(two[0], one[0]);
        assert_ne!(interfaces_hash(&[]), two[0]);
    }
}
