//! Which nodes of the map the routes to a network lead to: the far end of a tunnel, or the host
//! itself where they leave what agents see. Pure.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;
use serde::Serialize;

use super::picture::Picture;
use crate::model::id::{AgentId, FleetId};

/// A network as the map shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Led {
    /// Its fleet.
    pub fleet_id: FleetId,
    /// The prefix.
    pub prefix: IpNet,
    /// Whether a host of the fleet reports an address in it; else it is known by routes and
    /// allowed IPs only.
    pub inside: bool,
    /// The nodes that routes lead to, by id.
    pub by_routes: Vec<String>,
    /// The nodes that the allowed IPs of their peers send exactly this prefix to, by id.
    pub by_allowed_ips: Vec<String>,
}

/// What each WireGuard interface on the map lets its peers use.
#[derive(Debug, Default)]
pub struct Tunnels<'p> {
    by: HashMap<(&'p AgentId, &'p str), Vec<(IpNet, &'p str)>>,
    exact: HashMap<(&'p FleetId, IpNet), BTreeSet<&'p str>>,
}

impl<'p> Tunnels<'p> {
    /// Of a map.
    pub fn of(picture: &'p Picture) -> Self {
        let fleets: HashMap<&str, &FleetId> =
            picture.nodes.iter().map(|node| (node.id.as_str(), &node.fleet_id)).collect();
        let mut tunnels = Self::default();
        for edge in &picture.edges {
            let [a, b] = &edge.ends;
            for (end, far) in [(a, &edge.target), (b, &edge.source)] {
                let (Some(agent), Some(interface)) = (&end.agent_id, &end.interface) else {
                    continue;
                };
                let wide = end.allowed_ips.iter().filter_map(|text| text.parse::<IpNet>().ok());
                let wide = wide.filter(|net| net.prefix_len() < net.max_prefix_len());
                // A tunnel that lets nobody use anything is a tunnel, too.
                let held = tunnels.by.entry((agent, interface)).or_default();
                for net in wide {
                    held.push((net, far));
                    if let Some(fleet) = fleets.get(far.as_str()) {
                        tunnels.exact.entry((fleet, net.trunc())).or_default().insert(far);
                    }
                }
            }
        }
        tunnels
    }

    /// The node that packets for a network come to when they leave a host by an interface: the
    /// peer with the longest prefix around it, `None` if no peer has one; the host's own node
    /// (`a:AGENT_ID`) if that is no tunnel.
    pub fn beyond(&self, agent: &AgentId, interface: Option<&str>, net: &IpNet) -> Option<String> {
        match interface.and_then(|interface| self.by.get(&(agent, interface))) {
            None => Some(format!("a:{agent}")),
            Some(held) => held
                .iter()
                .filter(|(wide, _)| wide.contains(net))
                .max_by(|(a, x), (b, y)| (a.prefix_len(), y).cmp(&(b.prefix_len(), x)))
                .map(|(_, far)| (*far).to_owned()),
        }
    }

    /// The nodes that the allowed IPs of their peers send exactly this prefix to, by id.
    pub fn allowed(&self, fleet: &FleetId, net: &IpNet) -> Vec<String> {
        let found = self.exact.get(&(fleet, net.trunc())).into_iter().flatten();
        found.map(|id| (*id).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::samples::{edge, node};
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    /// gw lets hub use everything and east 10.2.0.0/16, on the same interface.
    fn picture() -> Picture {
        let mut picture = Picture::default();
        picture.nodes.extend(["a:gw", "a:hub", "a:east"].map(node));
        for (id, far, allowed) in [("e1", "a:hub", "0.0.0.0/0"), ("e2", "a:east", "10.2.0.0/16")] {
            let mut link = edge(id, ["a:gw", far]);
            link.ends[0].agent_id = "gw".parse().ok();
            link.ends[0].interface = Some("wg0".to_owned());
            link.ends[0].allowed_ips = vec![allowed.to_owned(), "10.9.9.9/32".to_owned()];
            picture.edges.push(link);
        }
        picture
    }

    #[test]
    fn a_route_into_a_tunnel_leads_to_the_peer_with_the_longest_prefix_around_it() {
        let picture = picture();
        let tunnels = Tunnels::of(&picture);
        let gw = "gw".parse().expect("an id");
        let beyond = |interface, text| tunnels.beyond(&gw, interface, &net(text));
        assert_eq!(beyond(Some("wg0"), "10.1.0.0/16").as_deref(), Some("a:hub"));
        assert_eq!(beyond(Some("wg0"), "10.2.3.0/24").as_deref(), Some("a:east"));
        assert_eq!(
            beyond(Some("wg0"), "10.0.0.0/8").as_deref(),
            Some("a:hub"),
            "wider than east's"
        );
        assert_eq!(beyond(Some("wg0"), "fd00:1::/64"), None, "no peer may use it");
        assert_eq!(beyond(Some("eth0"), "10.2.3.0/24").as_deref(), Some("a:gw"));
        assert_eq!(beyond(None, "10.2.3.0/24").as_deref(), Some("a:gw"));
    }

    #[test]
    fn allowed_ips_count_for_their_own_prefix_and_fleet() {
        let picture = picture();
        let tunnels = Tunnels::of(&picture);
        let fleet = &picture.nodes[0].fleet_id;
        assert_eq!(tunnels.allowed(fleet, &net("10.2.0.0/16")), ["a:east"]);
        assert_eq!(tunnels.allowed(fleet, &net("10.2.3.0/24")), [""; 0]);
        assert_eq!(
            tunnels.allowed(&"other".parse().expect("a fleet"), &net("10.2.0.0/16")),
            [""; 0]
        );
    }
}
