//! Alarms about links that work, but not as they should: gathers what both ends tell and asks the
//! rules. Decides nothing itself.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use ipnet::IpNet;

use super::draft::Draft;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet, PeerKey, PeerMem, Wire};
use super::raise;
use super::witness::{NOBODY, hosts, lets_in};
use crate::alarms::book::Book;
use crate::alarms::rules::edge::EdgeFacts;
use crate::alarms::rules::link::{self, Fit, Misfit, Shake};
use crate::model::id::{AgentNo, EdgeId};
use crate::model::key::WgKey;
use crate::model::state::{AgentStatus, AlarmKind, EdgeState};
use crate::model::time::UnixSeconds;
use crate::topology::verdict::Verdict;

/// One end of a link.
#[derive(Clone, Copy)]
struct Side<'f> {
    /// The agent there, if it reports.
    agent: Option<&'f AgentMem>,
    /// Its interface.
    interface: &'f str,
    /// Whether anybody is there who might report.
    is_managed: bool,
    /// Its entry for the other end.
    entry: Option<(&'f PeerKey, &'f PeerMem)>,
}

impl<'f> Side<'f> {
    fn of(agents: &'f Agents, edge: &'f EdgeMem, side: usize) -> Option<Self> {
        let end = edge.record.ends.get(side)?;
        let agent = end.agent.and_then(|no| agents.get(&no));
        let reports = agent.filter(|agent| agent.record.status == AgentStatus::Online);
        let entry = edge.listed(side);
        Some(Self {
            agent: reports,
            interface: end.interface.as_deref().unwrap_or_default(),
            is_managed: agent.is_some(),
            entry: agent.zip(entry).and_then(|(agent, entry)| agent.peers.get_key_value(entry)),
        })
    }

    fn wire(&self) -> Option<&'f Wire> {
        self.agent?.wires.get(self.interface)
    }

    /// Whether its interface has an alarm about its size, or is about to.
    fn is_too_large(&self, book: &Book) -> bool {
        let subject = self.agent.map(|agent| format!("{}/{}", agent.record.id, self.interface));
        subject.is_some_and(|subject| book.find(AlarmKind::MtuMismatch, &subject).is_some())
    }

    /// What it tells of the last handshake; nothing of an earlier run of the manager, which has
    /// no time of ours.
    fn shake(&self) -> Option<Shake> {
        let (agent, (_, peer)) = (self.agent?, self.entry?);
        let at = peer.live.latest_handshake.load(Ordering::Relaxed);
        let read_at = peer.live.measured_at.load(Ordering::Relaxed);
        let steady_since = agent.steady_since.filter(|_| peer.reports > 0 && at != 0)?;
        let ours = |host: i64| UnixSeconds(host.saturating_sub(agent.offset()));
        Some(Shake { at: ours(at), read_at: ours(read_at), steady_since })
    }

    /// Whether it tries to reach the other end: it knows where, and sends keepalives there or has
    /// sent something.
    fn tries(&self) -> bool {
        let entry = self.entry.filter(|_| self.agent.is_some());
        entry.is_some_and(|(_, mem)| {
            let sends = mem.live.tx_bytes.load(Ordering::Relaxed) > 0;
            mem.peer.endpoint.is_some() && (mem.peer.persistent_keepalive > 0 || sends)
        })
    }

    /// Whether it lets the other end in.
    fn fit(&self, other: &Self) -> Fit<'f> {
        let Some((key, peer)) = self.entry else { return Fit::Fits };
        let claimed = other.agent.and_then(|agent| agent.claims.get(other.interface));
        let (Some(agent), Some(claimed)) = (self.agent, claimed) else {
            return if other.is_managed { Fit::Untold } else { Fit::Fits };
        };
        let addresses = hosts(claimed);
        if addresses.iter().any(|address| lets_in(&peer.peer, address)) {
            return Fit::Fits;
        }
        let Some(address) = addresses.first().copied() else { return Fit::Untold };
        let own = agent.claims.get(self.interface).map_or(&[][..], |own| &own.addresses);
        Fit::Misfit(Misfit {
            address,
            allowed: &peer.peer.allowed_ips,
            is_on_link: own.iter().any(|net| net.contains(&address) && !is_single(net)),
            is_taken: others_let_in(agent, key, address, is_single),
            is_covered: others_let_in(agent, key, address, |net| !is_single(net)),
            drops: self.wire().is_some_and(|wire| wire.drops),
        })
    }
}

fn is_single(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

/// Whether another peer of the same interface may use an address, by such a prefix.
fn others_let_in(
    agent: &AgentMem,
    (interface, key): &PeerKey,
    address: IpAddr,
    such: impl Fn(&IpNet) -> bool,
) -> bool {
    let first: PeerKey = (interface.clone(), WgKey([0; 32]));
    let entries = agent.peers.range(first..).take_while(|((on, _), _)| on == interface);
    let mut nets =
        entries.filter(|((_, other), _)| other != key).flat_map(|(_, mem)| &mem.peer.allowed_ips);
    nets.any(|net| net.contains(&address) && such(net))
}

/// What people call the host at an end of a link.
pub(super) fn end_name(agents: &Agents, no: Option<AgentNo>) -> &str {
    no.and_then(|no| agents.get(&no)).map_or(NOBODY, |a| raise::name_of(&a.record))
}

/// What rules about links look at.
pub(super) fn facts<'a>(
    agents: &'a Agents,
    edge: &'a EdgeMem,
    verdict: &'a Verdict,
    draft: &Draft,
) -> EdgeFacts<'a> {
    let [first, second] = &edge.record.ends;
    EdgeFacts {
        id: edge.record.id.as_str(),
        fleet: &edge.record.fleet,
        agent: first.agent.or(second.agent),
        also: first.agent.and(second.agent),
        names: [end_name(agents, first.agent), end_name(agents, second.agent)],
        verdict,
        is_bridge: false,
        report: draft.report,
        late: false,
    }
}

/// Looks at a link that has just been judged.
pub(super) fn look(fleet: &mut Fleet, draft: &mut Draft, id: &EdgeId, verdict: &Verdict) {
    let Fleet { agents, edges, book, .. } = fleet;
    let Some(edge) = edges.get(id) else { return };
    let (Some(a), Some(b)) = (Side::of(agents, edge, 0), Side::of(agents, edge, 1)) else { return };
    let facts = facts(agents, edge, verdict, draft);
    let is_open = |kind: AlarmKind| book.find(kind, id.as_str()).is_some();
    let since = if edge.record.state == EdgeState::OneWay { edge.record.since } else { draft.now };
    let known_s = draft.now.since(edge.record.first_seen);
    let agents = edge.record.ends.each_ref().map(|end| end.agent);
    let limits = |kind: AlarmKind| book.limits(kind, &edge.record.fleet, agents);
    let mtus = [&a, &b].map(|side| side.wire().and_then(|wire| wire.mtu));
    // What is too large for its own link differs, too: that is one thing, and told there.
    let is_told = mtus[0] != mtus[1] && [&a, &b].iter().any(|side| side.is_too_large(book));
    let seen = [
        link::one_way(&facts, since),
        link::disagree(&facts, [a.shake(), b.shake()], &limits(AlarmKind::EdgeDisagree)),
        link::lets_in(&facts, [a.fit(&b), b.fit(&a)], is_open(AlarmKind::AllowedIpsMismatch)),
        link::mtus_differ(&facts, if is_told { [None; 2] } else { mtus }),
        link::never_up(&facts, a.tries() || b.tries(), known_s, &limits(AlarmKind::PeerNeverUp)),
    ];
    for seen in seen.into_iter().flatten() {
        if seen.holds || book.find(seen.kind, id.as_str()).is_some() {
            raise::observe(book, draft, &seen);
        }
    }
}
