//! The way of a packet from a host to an address, hop by hop.
//!
//! Worked out from the tables that hosts report: which route, which interface, which peer's
//! allowed IPs, and where it stops.
//! Nothing is sent. The answer is what the reported tables say, and no more: routing rules,
//! firewalls, `rp_filter` and `ip_forward` are not reported, and notes say where that matters.

pub mod host;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use self::host::{Decision, Host, Tunnel, Wire};
use super::picture::Edge;
use crate::model::id::{AgentId, EdgeId};
use crate::model::key::WgKey;
use crate::model::report::Route;
use crate::model::state::EdgeState;

/// Hops after which a way is given up; as many as a packet's usual time to live (RFC 1700).
const MOST_HOPS: usize = 64;

/// What is known of the network beside one host's tables.
pub trait Atlas {
    /// Why something could not be looked up.
    type Error;

    /// A host and its tables; `None` if there is no such agent.
    ///
    /// # Errors
    /// If the tables cannot be read.
    fn host(&mut self, id: &AgentId) -> Result<Option<Host>, Self::Error>;

    /// The agent that has this address on one of its interfaces.
    ///
    /// # Errors
    /// If the addresses cannot be read.
    fn holder(&mut self, address: IpAddr) -> Result<Option<AgentId>, Self::Error>;

    /// A link as it is now.
    fn link(&mut self, id: &EdgeId) -> Option<Edge>;
}

/// How a way ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It arrives at an agent that has the address.
    Delivered,
    /// It leaves what agents report: towards a host or a gateway without one.
    Left,
    /// A host drops it, or has no way for it.
    Stopped,
    /// A host on the way does not report what would be needed.
    Unknown,
}

/// What one host does with the packet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hop {
    /// The host.
    pub agent_id: AgentId,
    /// Its name.
    pub label: String,
    /// The route that it takes; `None` where it has the address itself, drops the packet before
    /// looking, or reports no routes.
    pub route: Option<Route>,
    /// The interface that the packet leaves through, or that has the address.
    pub interface: Option<String>,
    /// The next address on a link without WireGuard: the gateway, or the destination itself.
    pub next: Option<IpAddr>,
    /// On a WireGuard interface, the peer that it is encrypted for.
    pub peer: Option<WgKey>,
    /// The entry of that peer's allowed IPs that chose it (the longest that fits).
    pub allowed_ip: Option<IpNet>,
    /// The link to that peer.
    pub edge_id: Option<EdgeId>,
    /// Its state.
    pub edge_state: Option<EdgeState>,
    /// What a reader should know before trusting this step.
    pub notes: Vec<String>,
}

/// A whole way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Journey {
    /// Where it begins.
    pub from: AgentId,
    /// Where it is to go.
    pub to: IpAddr,
    /// The source address: as asked for, else the first that fits of the interface it leaves
    /// through. A host may be told to take another, which it does not report.
    pub source: Option<IpAddr>,
    /// Every host it comes to, in order.
    pub hops: Vec<Hop>,
    /// How it ends.
    pub outcome: Outcome,
    /// Why, in one sentence.
    pub reason: String,
}

/// What a packet is followed with.
struct Walk<'a, A> {
    atlas: &'a mut A,
    journey: Journey,
}

/// How a packet came to a host.
struct Arrival {
    /// The link it came through; `None` on links without WireGuard.
    edge: Option<EdgeId>,
    /// The name of the host before.
    from: String,
}

/// Either the next host, or the end.
enum Next {
    Host(AgentId, Arrival),
    End(Outcome, String),
}

/// Follows a packet from an agent to an address.
///
/// # Errors
/// If the atlas cannot answer.
pub fn explain<A: Atlas>(
    atlas: &mut A,
    from: &AgentId,
    to: IpAddr,
    source: Option<IpAddr>,
) -> Result<Journey, A::Error> {
    let journey = Journey {
        from: from.clone(),
        to,
        source,
        hops: Vec::new(),
        outcome: Outcome::Unknown,
        reason: String::new(),
    };
    let mut walk = Walk { atlas, journey };
    let (mut at, mut arrival) = (from.clone(), None);
    let (outcome, reason) = loop {
        match walk.step(&at, arrival.as_ref())? {
            Next::Host(next, came) => (at, arrival) = (next, Some(came)),
            Next::End(outcome, reason) => break (outcome, reason),
        }
    };
    Ok(Journey { outcome, reason, ..walk.journey })
}

impl<A: Atlas> Walk<'_, A> {
    /// What the host `at` does.
    fn step(&mut self, at: &AgentId, arrival: Option<&Arrival>) -> Result<Next, A::Error> {
        let Some(host) = self.atlas.host(at)? else {
            return Ok(Next::End(Outcome::Unknown, format!("nothing is known of {at}")));
        };
        if self.journey.hops.iter().any(|hop| hop.agent_id == host.id) {
            let reason = format!("it goes in a circle: {} has had it before", host.name);
            return Ok(Next::End(Outcome::Stopped, reason));
        }
        if self.journey.hops.len() >= MOST_HOPS {
            let reason = format!("it passes more than {MOST_HOPS} hosts");
            return Ok(Next::End(Outcome::Stopped, reason));
        }
        let mut hop = Hop::at(&host);
        let next = match self.refused(&host, arrival) {
            Some(reason) => Next::End(Outcome::Stopped, reason),
            None => self.decide(&host, &mut hop)?,
        };
        self.journey.hops.push(hop);
        Ok(next)
    }

    /// Why the host drops what came through a tunnel: WireGuard takes a packet only from the
    /// peer whose allowed IPs have its source address.
    fn refused(&self, host: &Host, arrival: Option<&Arrival>) -> Option<String> {
        let Arrival { edge, from } = arrival?;
        host.refuses(edge.as_ref()?, self.journey.source, from)
    }

    fn decide(&mut self, host: &Host, hop: &mut Hop) -> Result<Next, A::Error> {
        let to = self.journey.to;
        let (decision, notes) = host.decide(to);
        hop.notes.extend(notes);
        Ok(match decision {
            Decision::Here(interface) => {
                hop.interface = Some(interface.to_owned());
                let reason = format!("{} has {to} on {interface}", host.name);
                Next::End(Outcome::Delivered, reason)
            }
            Decision::Drop(route, interface, reason) => {
                hop.route = route.cloned();
                hop.interface = interface.map(|interface| interface.name.clone());
                Next::End(Outcome::Stopped, reason)
            }
            Decision::Untold(reason) => Next::End(Outcome::Unknown, reason),
            Decision::Tunnel(tunnel) => {
                self.leaves_by(host, &tunnel.interface.name);
                self.tunnel(host, hop, &tunnel)
            }
            Decision::Wire(wire) => {
                self.leaves_by(host, &wire.interface.name);
                self.wire(host, hop, &wire)?
            }
        })
    }

    /// The first host's choice of interface gives the packet its source address.
    fn leaves_by(&mut self, host: &Host, interface: &str) {
        if self.journey.source.is_none() {
            self.journey.source = host.source(interface, self.journey.to);
        }
    }

    fn tunnel(&mut self, host: &Host, hop: &mut Hop, tunnel: &Tunnel<'_>) -> Next {
        hop.route = tunnel.route.cloned();
        hop.interface = Some(tunnel.interface.name.clone());
        hop.peer = Some(tunnel.peer.public_key);
        hop.allowed_ip = Some(tunnel.allowed_ip);
        hop.edge_id = Some(tunnel.edge.clone());
        let Some(link) = self.atlas.link(tunnel.edge) else {
            let reason = format!("the link that {} sends through is not known yet", host.name);
            return Next::End(Outcome::Unknown, reason);
        };
        hop.edge_state = Some(link.state);
        match link.state {
            EdgeState::Down | EdgeState::HalfConfigured => {
                let reason = format!("{} sends it into a link that is {}", host.name, link.reason);
                return Next::End(Outcome::Stopped, reason);
            }
            EdgeState::OneWay | EdgeState::Never | EdgeState::Unknown => {
                hop.notes.push(format!("the link is {}", link.reason));
            }
            EdgeState::Up | EdgeState::Idle => {}
        }
        let other =
            link.ends.iter().filter_map(|end| end.agent_id.as_ref()).find(|id| **id != host.id);
        let Some(other) = other else {
            let reason = format!(
                "{} encrypts it for {}, a peer without an agent; what that does with it is not known",
                host.name, tunnel.peer.public_key
            );
            return Next::End(Outcome::Left, reason);
        };
        let arrival = Arrival { edge: Some(tunnel.edge.clone()), from: host.name.clone() };
        Next::Host(other.clone(), arrival)
    }

    fn wire(&mut self, host: &Host, hop: &mut Hop, wire: &Wire<'_>) -> Result<Next, A::Error> {
        hop.route = wire.route.cloned();
        hop.interface = Some(wire.interface.name.clone());
        hop.next = Some(wire.next);
        let holder = self.atlas.holder(wire.next)?.filter(|id| *id != host.id);
        Ok(match holder {
            Some(id) => Next::Host(id, Arrival { edge: None, from: host.name.clone() }),
            None => {
                let (name, dev, next) = (&host.name, &wire.interface.name, wire.next);
                let reason = if next == self.journey.to {
                    format!("it leaves {name} over {dev} to {next} itself, which has no agent")
                } else {
                    format!(
                        "it leaves {name} over {dev} to the gateway {next}, which has no agent; \
                         what follows is not known"
                    )
                };
                Next::End(Outcome::Left, reason)
            }
        })
    }
}

impl Hop {
    fn at(host: &Host) -> Self {
        let silent = "it does not report now; this is what it said last".to_owned();
        Self {
            agent_id: host.id.clone(),
            label: host.name.clone(),
            route: None,
            interface: None,
            next: None,
            peer: None,
            allowed_ip: None,
            edge_id: None,
            edge_state: None,
            notes: if host.reporting { Vec::new() } else { vec![silent] },
        }
    }
}

#[cfg(test)]
mod tests;
