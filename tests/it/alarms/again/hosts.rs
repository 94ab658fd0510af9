//! What makes alarms true that are about hosts' tables and clocks, and about links that work but
//! not as they should.
#![expect(clippy::wildcard_enum_match_arm, reason = "a kind that nobody knows ends the test")]

use serde_json::{Value, json};

use crate::support::fleet::STRANGER_KEY;
use crate::support::manager::START;
use crate::support::network::{DELTA_KEY, Network};
use kattila::model::state::AlarmKind;

/// Makes the condition of a kind true.
pub(super) async fn begin(kind: AlarmKind, net: &mut Network) {
    match kind {
        AlarmKind::EdgeOneWay => {
            net.links[0].alive = false;
            _ = net.patches.insert(0, |data, now| {
                data["wg_peers"][0]["tx_bytes"] = json!(now);
                data["wg_peers"][0]["rx_bytes"] = json!(7);
            });
            _ = net.patches.insert(1, |data, now| {
                data["wg_peers"][0]["tx_bytes"] = json!(now);
                data["wg_peers"][0]["rx_bytes"] = json!(now);
            });
        }
        AlarmKind::EdgeDisagree => {
            net.links[0].alive = false;
            _ = net.patches.insert(1, |data, _| {
                let before = data["wg_peers"][0]["latest_handshake"].as_i64().unwrap();
                data["wg_peers"][0]["latest_handshake"] = json!(before + 61);
            });
            net.rounds(3).await;
        }
        AlarmKind::AllowedIpsMismatch => {
            _ = net.patches.insert(1, |data, _| {
                data["wg_peers"][0]["allowed_ips"] = json!(["10.77.0.9/32"]);
            });
        }
        AlarmKind::MtuMismatch => {
            _ = net.patches.insert(1, |data, _| {
                data["interfaces"][0]["mtu"] = json!(9000);
                data["interfaces"][1]["mtu"] = json!(8920);
            });
        }
        AlarmKind::RouteMissing => {
            let now = net.now();
            net.hosts[0] = net.hosts[0].clone().with_peer(DELTA_KEY, 4, now, 10);
            _ = net.patches.insert(0, |data, _| {
                data["wg_peers"][0]["allowed_ips"] = json!(["192.168.5.0/24"]);
                let own = json!({ "dst": "127.0.0.0/8", "dev": "lo", "table": "local" });
                data["routes"].as_array_mut().unwrap().push(own);
            });
        }
        AlarmKind::OverlayIpDuplicate => {
            _ = net.patches.insert(1, |data, _| {
                data["interfaces"][1]["addresses"] = json!(["10.77.0.1/24"]);
            });
        }
        AlarmKind::AgentClockDrift => net.agents[0].ahead_s = 90,
        AlarmKind::AgentClockWentBack => net.agents[0].ahead_s = -40,
        AlarmKind::DefaultRouteChanged => {
            _ = net.patches.insert(0, |data, _| {
                data["routes"].as_array_mut().unwrap().remove(0);
            });
        }
        _ => of_peers(kind, net).await,
    }
}

/// The same for kinds about peer entries.
async fn of_peers(kind: AlarmKind, net: &mut Network) {
    match kind {
        AlarmKind::AllowedIpsMoved => {
            let now = net.now();
            let host = net.hosts[0].clone().with_peer(DELTA_KEY, 4, now, 10);
            net.hosts[0] = host.with_peer(STRANGER_KEY, 3, now, 10);
            net.round().await;
            _ = net.patches.insert(0, |data, _| {
                let taken = data["wg_peers"][0]["allowed_ips"][0].take();
                data["wg_peers"][0]["allowed_ips"] = json!([]);
                data["wg_peers"][1]["allowed_ips"].as_array_mut().unwrap().push(taken);
            });
        }
        AlarmKind::PeerNeverUp => {
            net.hosts[0] = net.hosts[0].clone().with_peer(DELTA_KEY, 4, 0, 10);
            net.rounds(20).await;
        }
        AlarmKind::EndpointFlapping => {
            let now = net.now();
            net.hosts[0] = net.hosts[0].clone().with_peer(DELTA_KEY, 4, now, 10);
            _ = net.patches.insert(0, |data, now| {
                // It moves four times, and then stays.
                let n = ((now - START.0) / 30).min(11);
                data["wg_peers"][0]["endpoint"] = json!(format!("198.51.100.{n}:51820"));
            });
        }
        AlarmKind::ListenPortChanged => {
            _ = net.patches.insert(1, |data, _| data["interfaces"][1]["listen_port"] = json!(7));
        }
        AlarmKind::WgPskRemoved => {
            let now = net.now();
            net.hosts[0] = net.hosts[0].clone().with_peer(DELTA_KEY, 4, now, 10);
            let psk = |data: &mut Value, _| data["wg_peers"][0]["has_psk"] = json!(true);
            _ = net.patches.insert(0, psk);
            net.round().await;
            net.patches.clear();
        }
        _ => panic!("nothing is known that makes {kind} true"),
    }
}
