//! A link on the board: what the processor holds of it, shared and not copied, and made into the
//! shape of the map when somebody looks.

use std::array::from_fn;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::EndLive;
use crate::model::id::AgentId;
use crate::model::report::Peer;
use crate::model::time::UnixSeconds;
use crate::process::edges::external_node;
use crate::store::change::EdgeRecord;
use crate::topology::picture::{Edge, End};

/// A link.
#[derive(Debug)]
pub struct Link {
    /// Its row.
    pub(in crate::process) record: Arc<EdgeRecord>,
    /// What stands behind each of its ends.
    pub(in crate::process) behind: [Behind; 2],
}

/// What stands behind one end of a link.
#[derive(Debug, Default)]
pub struct Behind {
    /// The agent there.
    pub(in crate::process) agent: Option<AgentId>,
    /// How its agent lists the other end.
    pub(in crate::process) listing: Option<(Arc<Peer>, Arc<EndLive>)>,
}

/// The map's name of an agent.
pub(in crate::process) fn agent_node(id: &AgentId) -> String {
    format!("a:{id}")
}

impl Link {
    /// The nodes at its ends: an agent's, or that of a key that no agent owns.
    pub(in crate::process) fn nodes(&self) -> [Option<String>; 2] {
        from_fn(|side| self.node(side))
    }

    /// Whether one of these nodes is at one of its ends.
    pub(super) fn touches(&self, nodes: &BTreeSet<String>) -> bool {
        self.nodes().iter().flatten().any(|node| nodes.contains(node))
    }

    fn node(&self, side: usize) -> Option<String> {
        let agent = self.behind.get(side)?.agent.as_ref();
        let key = || self.record.ends.get(side)?.public_key;
        agent.map(agent_node).or_else(|| Some(external_node(&self.record.fleet, &key()?)))
    }

    /// As it is now.
    pub(super) fn now(&self) -> Edge {
        let [source, target] = self.nodes().map(Option::unwrap_or_default);
        let record = &*self.record;
        Edge {
            id: record.id.to_string(),
            source,
            target,
            edge_type: "wireguard",
            state: record.state,
            reason: record.reason.clone(),
            judged_at: record.judged_at,
            since: record.since,
            ends: self.ends(),
        }
    }

    fn ends(&self) -> [End; 2] {
        let [first, second] = &self.record.ends;
        let [a, b] = &self.behind;
        [(first, a), (second, b)].map(|(end, Behind { agent, listing })| {
            let peer = listing.as_ref().map(|(peer, _)| peer);
            let live = listing.as_ref().map(|(_, live)| live);
            End {
                agent_id: agent.clone(),
                interface: end.interface.clone(),
                public_key: end.public_key,
                state: end.state,
                latest_handshake: live
                    .map(|l| UnixSeconds(l.latest_handshake.load(Ordering::Relaxed))),
                rx_bytes: live.map(|l| l.rx_bytes.load(Ordering::Relaxed)),
                tx_bytes: live.map(|l| l.tx_bytes.load(Ordering::Relaxed)),
                endpoint: peer.and_then(|peer| peer.endpoint.clone()),
                allowed_ips: peer
                    .iter()
                    .flat_map(|peer| &peer.allowed_ips)
                    .map(ToString::to_string)
                    .collect(),
                persistent_keepalive: peer.map(|peer| peer.persistent_keepalive),
                measured_at: live.map(|l| UnixSeconds(l.measured_at.load(Ordering::Relaxed))),
            }
        })
    }
}
