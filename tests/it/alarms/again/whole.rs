//! The kinds about the network as a whole, and about the manager at work.

use serde_json::json;

use crate::support::fleet::{ALPHA, STRANGER_KEY};
use crate::support::network::{DELTA_KEY, Network};
use kattila::alarms::rules::service::DiskFacts;
use kattila::model::state::AlarmKind;
use kattila::model::time::UnixSeconds;
use kattila::process::condition::ManagerCondition;
use kattila::process::handle::Command;
use kattila::process::tune::Rules;
use kattila::verify::rejection::Rejection;

/// The network in which such an alarm can be raised, if it takes more than one host.
pub(super) async fn network(kind: AlarmKind) -> Option<Network> {
    if kind == AlarmKind::SpofNew {
        let ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 0)];
        return Some(Network::start(7, &ring).await);
    }
    if kind == AlarmKind::RedundancyLost {
        let mut net = Network::start(4, &[(0, 2), (1, 3), (0, 1), (2, 3)]).await;
        for host in 0..4 {
            let site = if host < 2 { "north" } else { "south" };
            net.extra.insert(host, ("labels", json!({ "site": site })));
        }
        return Some(net);
    }
    if kind == AlarmKind::RouteConflict {
        return Some(Network::start(4, &[]).await);
    }
    if kind == AlarmKind::EdgeUnexpected {
        return Some(Network::start(2, &[(0, 1)]).await);
    }
    if kind == AlarmKind::NodeIsolated {
        return Some(Network::start(3, &[(0, 1), (0, 2), (1, 2)]).await);
    }
    if kind == AlarmKind::AgentUnapproved {
        return Some(Network::start_with(0, &[], &[("KATTILA_ENROLL", "approve")]).await);
    }
    None
}

async fn found(net: &Network, condition: ManagerCondition) {
    let processor = net.kattila.manager().processor();
    processor.command(Command::Condition(condition)).await.unwrap();
}

/// Makes the condition true; false if the kind is none of these.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is elsewhere")]
#[expect(clippy::too_many_lines, reason = "one arm for each kind")]
pub(super) async fn begin(kind: AlarmKind, net: &mut Network) -> bool {
    match kind {
        AlarmKind::SpofNew | AlarmKind::RedundancyLost => net.links[0].alive = false,
        AlarmKind::NodeIsolated => {
            net.links.iter_mut().take(2).for_each(|link| link.alive = false);
        }
        AlarmKind::AgentNeverReturned => {
            net.kattila.advance(180).await;
            net.kattila.advance(30 * 86_400).await;
        }
        AlarmKind::AgentUnapproved => {
            let mut agent = net.kattila.agent(ALPHA);
            let envelope = agent.seal_v2("{}");
            assert_eq!(agent.send(&envelope).await.status, 403);
        }
        AlarmKind::JobFailed => net.kattila.spoil("notifications"),
        AlarmKind::LoginBruteforce => {
            let processor = net.kattila.manager().processor();
            (0..9).for_each(|_| processor.sign_in_failed(None));
        }
        AlarmKind::AgentVersionOld => {
            let rules = "[[rule]]\nkinds = \"agent.version_old\"\nleast_version = \"1.4\"";
            let tuning = kattila::alarms::file::parse(rules).unwrap().into();
            let rules = Command::Rules(Rules { tuning, by: "a test".to_owned() });
            net.kattila.manager().processor().command(rules).await.unwrap();
            net.extra.insert(0, ("agent_version", json!("kattila 1.3.9")));
        }
        AlarmKind::EdgeExpectedMissing | AlarmKind::EdgeUnexpected => {
            let link = if kind == AlarmKind::EdgeUnexpected { "x - y" } else { "alpha - x" };
            let rules = format!("[[rule]]\nkinds = \"{kind}\"\nfleets = \"*\"\nlinks = \"{link}\"");
            let tuning = kattila::alarms::file::parse(&rules).unwrap().into();
            let rules = Command::Rules(Rules { tuning, by: "a test".to_owned() });
            net.kattila.manager().processor().command(rules).await.unwrap();
        }
        AlarmKind::BackupStale => {
            let made = [90, 80].map(|days| UnixSeconds(net.now() - days * 86_400));
            found(net, ManagerCondition::Backups(made.into())).await;
        }
        AlarmKind::IfaceErrors => {
            _ = net.patches.insert(0, |data, now| {
                let eth = data["interfaces"][0].as_object_mut().unwrap();
                eth.insert("mac".to_owned(), json!("02:00:00:00:00:01"));
                eth.insert("rx_errors".to_owned(), json!(now));
                eth.insert("rx_bytes".to_owned(), json!(now));
                eth.insert("tx_bytes".to_owned(), json!(now));
            });
        }
        AlarmKind::PayloadRejected | AlarmKind::IngestLag | AlarmKind::DbPressure => {}
        AlarmKind::TlsExpiring => {
            let ends = UnixSeconds(net.now() + 10 * 86_400);
            found(net, ManagerCondition::Certificate(Some(ends))).await;
        }
        AlarmKind::RouteConflict => {
            let nets = ["192.168.7.0/24"];
            let claim =
                |peer| json!([{ "interface": "wg0", "public_key": peer, "allowed_ips": nets }]);
            net.extra.insert(0, ("wg_peers", claim(DELTA_KEY)));
            net.extra.insert(1, ("wg_peers", claim(STRANGER_KEY)));
            net.extra.insert(2, ("labels", json!({ "site": "north" })));
            net.extra.insert(3, ("labels", json!({ "site": "south" })));
        }
        _ => return false,
    }
    true
}

/// One more look at the condition; false if the kind is none of these, or told by reports.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is elsewhere")]
pub(super) async fn beat(kind: AlarmKind, net: &mut Network) -> bool {
    match kind {
        AlarmKind::AgentNeverReturned
        | AlarmKind::AgentUnapproved
        | AlarmKind::JobFailed
        | AlarmKind::BackupStale
        | AlarmKind::TlsExpiring => net.kattila.advance(60).await,
        AlarmKind::RouteConflict => net.rounds(2).await,
        AlarmKind::IfaceErrors => net.rounds(10).await,
        AlarmKind::DbPressure => {
            net.kattila.advance(30).await;
            let disk = DiskFacts { free: 1 << 30, total: 100 << 30, wal: 0 };
            found(net, ManagerCondition::Disk(disk)).await;
        }
        AlarmKind::LoginBruteforce => {
            net.kattila.manager().processor().sign_in_failed(None);
            net.kattila.advance(1).await;
        }
        AlarmKind::IngestLag => {
            net.kattila.manager().processor().refused(&Rejection::Overloaded, None);
            net.kattila.advance(30).await;
        }
        AlarmKind::PayloadRejected => {
            let envelope = net.agents[0].seal_v2("[]");
            assert_eq!(net.agents[0].send(&envelope).await.status, 422);
            net.kattila.advance(1).await;
        }
        _ => return false,
    }
    true
}
