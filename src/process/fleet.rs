//! The fleet in memory: what the processor must know to judge the next report without asking
//! the database.
//!
//! Owned by the processor's thread alone. Everything here can be rebuilt from the store; after
//! a failed transaction it is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::account::Account;
use super::board::{AgentLive, EndLive};
use super::boxed::Boxed;
use super::claims::Claims;
use super::identity::Keys;
use super::order::Order;
use super::people::People;
use super::shares::Shares;
use super::sorted::Sorted;
use super::weak::Weakness;
use crate::alarms::book::Book;
use crate::alarms::cover::{Cover, Covered};
use crate::alarms::rate::Recent;
use crate::alarms::rules::agent::Peers;
use crate::alarms::rules::errors::Tally;
use crate::alarms::rules::identity::Faces;
use crate::model::audit::Head;
use crate::model::id::{AgentId, AgentNo, EdgeId, FleetId, ReportId, WindowId};
use crate::model::key::WgKey;
use crate::model::rate::Bucket;
use crate::model::report::Peer;
use crate::model::state::EdgeState;
use crate::model::time::UnixSeconds;
use crate::notify::desk::Desk;
use crate::store::change::{AgentRecord, EdgeRecord};
use crate::topology::edge_match::Owners;
use crate::topology::offset::{Offset, Shakes};
use crate::topology::verdict::LATE_FLOOR_S;
use crate::verify::bodies::Bodies;

/// All agents.
pub(super) type Agents = Boxed<AgentNo, AgentMem>;

/// Peers of one agent.
pub(super) type PeerMems = Sorted<PeerKey, PeerMem>;

/// One agent.
#[derive(Debug)]
pub(super) struct AgentMem {
    /// Its row, as committed or about to be.
    pub(super) record: AgentRecord,
    /// Keys of its own.
    pub(super) keys: Keys,
    /// By what its last reports were told apart from those of another host under its name.
    pub(super) faces: Faces,
    /// The values that move with every report.
    pub(super) live: Arc<AgentLive>,
    /// How many reports it may still send now.
    pub(super) bucket: Option<Bucket>,
    /// Its last version 1 bodies, once it has sent one in this run.
    pub(super) bodies: Option<Box<Bodies>>,
    /// How far its reports have come; `None` until its first report of this run.
    pub(super) order: Option<Order>,
    /// Whether its history ends with a late report and not with what is held here; told with
    /// `order`.
    pub(super) history_ahead: bool,
    /// Names of its interfaces.
    pub(super) interfaces: Vec<Box<str>>,
    /// Keys and addresses of its interfaces.
    pub(super) claims: Claims,
    /// Whether the last list of its interfaces was whole.
    pub(super) lists_all: bool,
    /// Interfaces by the keys that their peers still know them by, and that it tells no more.
    pub(super) told_before: BTreeSet<PeerKey>,
    /// Whether each interface works, where the host says so.
    pub(super) works: Sorted<Box<str>, bool>,
    /// Of its WireGuard interfaces, what links are judged by besides.
    pub(super) wires: Sorted<Box<str>, Wire>,
    /// Of interfaces that have seen broken packets, what they had counted when last looked at.
    pub(super) tallies: Sorted<Box<str>, Tally>,
    /// Since when its clock has not been set, as far as this run knows; told with its first
    /// report of the run.
    pub(super) steady_since: Option<UnixSeconds>,
    /// When its host was started, by its own clock; moves when that is set, and with nothing else.
    pub(super) booted_at: Option<UnixSeconds>,
    /// Its clock by its links, where its signed time, or that of a peer, is off.
    pub(super) clock: Option<Box<Offset>>,
    /// When its last report of this run was signed, by its own clock.
    pub(super) signed_at: Option<UnixSeconds>,
    /// Whether its tables were looked at in this run.
    pub(super) looked_at: bool,
    /// Whether it has ever listed its peers.
    pub(super) tells_peers: bool,
    /// Its peers by interface and key.
    pub(super) peers: PeerMems,
    /// Edges it is an end of, listed by it or not.
    pub(super) edges: Sorted<EdgeId, ()>,
    /// Those of them that are judged with every report: all that are not [`EdgeMem::quiet`].
    pub(super) awake: Sorted<EdgeId, ()>,
    /// When it came back lately after having been offline; `None` if it did not in this run.
    pub(super) returns: Option<Box<Recent>>,
    /// What its peers said of its host when it was last looked at for its silence.
    pub(super) peers_say: Peers<'static>,
    /// The maintenance window that covers it.
    pub(super) maintenance: Option<Covered>,
}

impl AgentMem {
    /// Its clock was set, or is heard of for the first time in this run: what its host noted before
    /// then may have another meaning now.
    pub(super) fn clock_was_set(&mut self, now: UnixSeconds) {
        (self.steady_since, self.clock) = (Some(now), None);
        self.peers.values_mut().for_each(|peer| peer.shakes = Shakes::default());
    }

    /// How far its clock is off, as well as it is known: by its links, else by what it signs.
    pub(super) fn offset(&self) -> i64 {
        let known = self.clock.as_deref().filter(|clock| clock.is_known());
        known.map_or(self.record.clock_offset, |clock| clock.s)
    }

    /// Whether its host's last list of interfaces is without this one, and nothing it says of
    /// peers speaks for it.
    pub(super) fn misses(&self, interface: &str) -> bool {
        if self.record.interfaces_hash == 0 || self.claims.contains_key(interface) {
            return false;
        }
        let first: PeerKey = (interface.into(), WgKey([0; 32]));
        self.peers.range(first..).next().is_none_or(|((on, _), _)| **on != *interface)
    }
}

/// A WireGuard interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wire {
    /// Largest packet in bytes.
    pub(super) mtu: Option<u32>,
    /// Received packets it has dropped since it was made; this run's.
    pub(super) rx_errors: Option<u64>,
    /// Whether there were more of them in the last report than in the one before.
    pub(super) drops: bool,
    /// The UDP port that it listens on; this run's.
    pub(super) listen_port: Option<u16>,
}

/// Growth of a counter in the last two reports, newest first; of each entry of each agent twice, and
/// so in half the room of two optional numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Growth([u64; 2]);

/// No counter grows by as much between two reports.
const UNTOLD: u64 = u64::MAX;

impl Default for Growth {
    fn default() -> Self {
        Self([UNTOLD; 2])
    }
}

impl Growth {
    /// What the next report tells.
    pub(super) fn note(&mut self, grown: Option<u64>) {
        self.0 = [grown.unwrap_or(UNTOLD), self.0[0]];
    }

    /// Of the last two reports; `None` where it is not known.
    pub(super) fn told(&self) -> [Option<u64>; 2] {
        self.0.map(|grown| (grown != UNTOLD).then_some(grown))
    }
}

/// Names a peer within its agent.
pub(super) type PeerKey = (Box<str>, WgKey);

/// One peer as its agent sees it.
#[derive(Debug)]
pub(super) struct PeerMem {
    /// What was last said of it; the moving values are those of the last write.
    pub(super) peer: Arc<Peer>,
    /// The moving values.
    pub(super) live: Arc<EndLive>,
    /// The edge it is an end of, once it is tied to one.
    pub(super) edge: Option<EdgeId>,
    /// Which end.
    pub(super) side: usize,
    /// Growth of the received bytes.
    pub(super) d_rx: Growth,
    /// Growth of the sent bytes.
    pub(super) d_tx: Growth,
    /// The handshakes that came in this run, since the host's clock was last set.
    pub(super) shakes: Shakes,
    /// Reports that have listed it.
    pub(super) reports: u32,
    /// When the manager received the last of them.
    pub(super) received_at: UnixSeconds,
}

impl PeerMem {
    /// A peer entry that is not tied to an edge yet.
    pub(super) fn new(peer: Arc<Peer>) -> Self {
        Self {
            peer,
            live: Arc::default(),
            edge: None,
            side: 0,
            d_rx: Growth::default(),
            d_tx: Growth::default(),
            shakes: Shakes::default(),
            reports: 0,
            received_at: UnixSeconds::default(),
        }
    }

    /// The entry with its present values.
    pub(super) fn present(&self) -> Peer {
        Peer {
            latest_handshake: UnixSeconds(self.live.latest_handshake.load(Ordering::Relaxed)),
            rx_bytes: self.live.rx_bytes.load(Ordering::Relaxed),
            tx_bytes: self.live.tx_bytes.load(Ordering::Relaxed),
            ..Peer::clone(&self.peer)
        }
    }

    /// Takes the moving values of a new report. A counter that went back was reset and tells
    /// nothing about growth.
    pub(super) fn advance(&mut self, new: &Peer, measured_at: UnixSeconds, now: UnixSeconds) {
        let live = &self.live;
        let (rx, tx) =
            (live.rx_bytes.load(Ordering::Relaxed), live.tx_bytes.load(Ordering::Relaxed));
        if self.reports > 0 {
            self.d_rx.note(new.rx_bytes.checked_sub(rx));
            self.d_tx.note(new.tx_bytes.checked_sub(tx));
            if live.latest_handshake.load(Ordering::Relaxed) != new.latest_handshake.0 {
                self.shakes.note(new.latest_handshake);
            }
        }
        self.reports = self.reports.saturating_add(1);
        self.received_at = now;
        self.set(new, measured_at);
    }

    /// Whether what was last said of it is what a link in use looks like from one end: a recent
    /// handshake, and something received in one of the last two reports. With that no verdict
    /// but up is possible: the least T1 there is has not passed, and nobody sends in vain.
    pub(super) fn is_calm(&self) -> bool {
        let live = &self.live;
        let age = live.measured_at.load(Ordering::Relaxed)
            - live.latest_handshake.load(Ordering::Relaxed);
        (0..=LATE_FLOOR_S).contains(&age) && self.d_rx.told() != [Some(0), Some(0)]
    }

    /// Sets the moving values without judging growth.
    pub(super) fn set(&self, new: &Peer, measured_at: UnixSeconds) {
        let live = &self.live;
        live.latest_handshake.store(new.latest_handshake.0, Ordering::Relaxed);
        live.rx_bytes.store(new.rx_bytes, Ordering::Relaxed);
        live.tx_bytes.store(new.tx_bytes, Ordering::Relaxed);
        live.measured_at.store(measured_at.0, Ordering::Relaxed);
    }
}

/// One edge.
#[derive(Debug)]
pub(super) struct EdgeMem {
    /// Its row, as committed or about to be.
    pub(super) record: Arc<EdgeRecord>,
    /// For each end, the peer entry under which its agent lists the other end.
    pub(super) listed: [Option<PeerKey>; 2],
    /// Not judged, and so not stored, yet.
    pub(super) fresh: bool,
    /// Judged up from both ends, with no alarm open: while nothing but moving values comes in,
    /// and both ends stay calm ([`PeerMem::is_calm`]), a new verdict could only be the same.
    pub(super) quiet: bool,
    /// Whether there has ever been a handshake.
    pub(super) worked: bool,
    /// Whether its verdict is that an end's interface is gone.
    pub(super) gone: bool,
    /// Its state comes from the run before, and this run does not know its traffic yet.
    pub(super) settling: bool,
}

impl EdgeMem {
    /// The peer entry under which an end's agent lists the other end.
    pub(super) fn listed(&self, side: usize) -> Option<&PeerKey> {
        self.listed.get(side)?.as_ref()
    }
}

/// The whole fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) agents: Agents,
    pub(super) by_id: HashMap<AgentId, AgentNo>,
    pub(super) edges: HashMap<EdgeId, EdgeMem>,
    /// How many edges end at each external node.
    pub(super) externals: HashMap<String, u32>,
    /// Seconds between an agent's reports.
    pub(super) report_interval: i64,
    pub(super) owners: Owners,
    pub(super) book: Book,
    /// What people are told of the alarms in the book.
    pub(super) desk: Desk,
    /// Maintenance windows.
    pub(super) cover: Cover,
    pub(super) last_window: WindowId,
    /// Users, by name.
    pub(super) people: People,
    /// Links that were shared.
    pub(super) shares: Shares,
    /// The end of the audit.
    pub(super) audit: Head,
    /// Runs of jobs that the audit has not been told of.
    pub(super) runs: Account,
    /// What the graph cannot lose, as of the last look.
    pub(super) weak: Weakness,
    pub(super) last_report: ReportId,
    pub(super) last_agent: AgentNo,
    pub(super) last_identity: i64,
}

impl Fleet {
    /// The WireGuard key that an agent tells for one of its interfaces.
    pub(super) fn key_of(&self, no: AgentNo, interface: &str) -> Option<WgKey> {
        self.agents.get(&no)?.claims.get(interface)?.key
    }

    /// Between which agents there are links that have ever worked, with their state.
    pub(super) fn worked(&self) -> impl Iterator<Item = (AgentNo, AgentNo, EdgeState)> {
        self.edges.values().filter(|edge| edge.worked).filter_map(|edge| {
            let [first, second] = &edge.record.ends;
            Some((first.agent?, second.agent?, edge.record.state))
        })
    }

    /// The agents a reset is about.
    pub(super) fn in_fleet(&self, fleet: &FleetId) -> Vec<AgentNo> {
        let members = self.agents.values().filter(|agent| agent.record.fleet == *fleet);
        members.map(|agent| agent.record.no).collect()
    }
}
