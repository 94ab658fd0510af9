//! What hosts and links are at some second, and how they come to a later one.

use crate::simulate::rng::mix;

use super::identity::{self, KeyText};
use super::plan::{Nature, Plan};
use super::{Mix, World};

/// Bytes of a WireGuard handshake initiation (kernel `messages.h`).
const INITIATION_BYTES: u64 = 148;
/// Bytes of a WireGuard handshake response.
const RESPONSE_BYTES: u64 = 92;
/// Seconds between two initiations that nobody answers (`REKEY_TIMEOUT`).
const RETRY_SECONDS: i64 = 5;
/// Seconds after which an active session is renewed (`REKEY_AFTER_TIME`).
const REKEY_SECONDS: i64 = 120;

/// A host that reports, or would.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: Box<str>,
    pub(super) agent_id: Box<str>,
    pub(super) fleet: usize,
    pub(super) site: usize,
    pub(super) gateway: bool,
    /// Seconds the host's clock is ahead.
    pub(super) clock_offset: i64,
    pub(super) booted_at: i64,
    pub(super) boots: u64,
    /// Public keys of `wg0` and `wg1`.
    pub(super) keys: [KeyText; 2],
    /// How often the key of each WireGuard interface was replaced.
    pub(super) key_changes: [u8; 2],
    /// Gone: neither reports nor answers handshakes.
    pub(super) away: bool,
    /// Since when `eth0` has no carrier.
    pub(super) cable_cut_at: Option<i64>,
    /// Some fault has hold of the host, so no other one takes it.
    pub(super) faulted: bool,
    /// Whether the route that comes and goes is there.
    pub(super) extra_route: bool,
    /// Reports made so far.
    pub(super) reports: u64,
    /// Bytes of reports sent since boot.
    pub(super) reported_bytes: u64,
    /// Numbers of the links that end here.
    pub(super) links: Vec<usize>,
}

impl Host {
    /// Lets a route come or go in about 3 % of the reports.
    pub(super) fn wander(&mut self, seed: u64) {
        if mix(seed ^ self.reports, self.reported_bytes) % 100 < 3 {
            self.extra_route = !self.extra_route;
        }
    }

    const fn reachable(&self) -> bool {
        !self.away && self.cable_cut_at.is_none()
    }
}

/// One end of a link at a host.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) host: usize,
    /// Whether the host lists the other end as a peer.
    pub(super) lists: bool,
    /// Which of the other end's keys the host lists.
    pub(super) knows: u8,
    pub(super) rx_bytes: u64,
    pub(super) tx_bytes: u64,
    /// Bytes per second that this end sends while the link lives.
    rate: u64,
}

/// A WireGuard link; `b` is `None` when the other end has no agent.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) a: End,
    pub(super) b: Option<End>,
    pub(super) nature: Nature,
    /// Number of the WireGuard interface, the same at both ends.
    pub(super) iface: usize,
    /// How many faults cut the link at present.
    pub(super) cuts: u32,
    /// True time of the last handshake; 0 means never.
    pub(super) handshake_at: i64,
    pub(super) alive: bool,
    settled_at: i64,
}

impl Link {
    /// The end at `host` and the end across.
    pub(super) fn seen_from(&self, host: usize) -> Option<(&End, Option<&End>)> {
        match &self.b {
            _ if self.a.host == host => Some((&self.a, self.b.as_ref())),
            Some(b) if b.host == host => Some((b, Some(&self.a))),
            _ => None,
        }
    }

    pub(super) fn end_mut(&mut self, host: usize) -> Option<&mut End> {
        if self.a.host == host {
            return Some(&mut self.a);
        }
        self.b.as_mut().filter(|end| end.host == host)
    }

    pub(super) fn across_mut(&mut self, host: usize) -> Option<&mut End> {
        if self.a.host == host { self.b.as_mut() } else { Some(&mut self.a) }
    }

    /// Seconds between keepalives at both ends.
    pub(super) const fn keepalive(&self) -> u64 {
        match self.nature {
            Nature::Idle => 0,
            Nature::Busy | Nature::Never | Nature::Half | Nature::Severed => 25,
        }
    }

    /// Carries handshakes and counters to `now`; what is alive stays so in between.
    fn settle(&mut self, now: i64) {
        let passed = u64::try_from(now - self.settled_at).unwrap_or(0);
        if passed == 0 {
            return;
        }
        if self.alive {
            self.carry(passed, now);
        } else if self.nature != Nature::Idle {
            let tries = now.div_euclid(RETRY_SECONDS) - self.settled_at.div_euclid(RETRY_SECONDS);
            let bytes = u64::try_from(tries).unwrap_or(0) * INITIATION_BYTES;
            for end in [Some(&mut self.a), self.b.as_mut()].into_iter().flatten() {
                if end.lists {
                    end.tx_bytes += bytes;
                }
            }
        }
        self.settled_at = now;
    }

    fn carry(&mut self, passed: u64, now: i64) {
        let renewals = (now - self.handshake_at).max(0) / REKEY_SECONDS;
        self.handshake_at += renewals * REKEY_SECONDS;
        let renewals = u64::try_from(renewals).unwrap_or(0);
        let (there, back) = (
            self.a.rate * passed + renewals * INITIATION_BYTES,
            self.b.as_ref().map_or(self.a.rate / 3, |b| b.rate) * passed
                + renewals * RESPONSE_BYTES,
        );
        self.a.tx_bytes += there;
        self.a.rx_bytes += back;
        if let Some(b) = &mut self.b {
            b.tx_bytes += back;
            b.rx_bytes += there;
        }
    }

    /// A handshake happens now.
    fn shake(&mut self, now: i64) {
        self.handshake_at = now;
        self.a.tx_bytes += INITIATION_BYTES;
        self.a.rx_bytes += RESPONSE_BYTES;
        if let Some(b) = &mut self.b {
            b.rx_bytes += INITIATION_BYTES;
            b.tx_bytes += RESPONSE_BYTES;
        }
    }
}

impl World {
    /// Carries every link of a host to `now`.
    pub(super) fn settle_host(&mut self, host: usize, now: i64) {
        let Some(host) = self.hosts.get(host) else { return };
        for number in &host.links {
            if let Some(link) = self.links.get_mut(*number) {
                link.settle(now);
            }
        }
    }

    /// Changes a link at `now`: what it was counts up to now, what it becomes counts from now.
    pub(super) fn change_link(&mut self, number: usize, now: i64, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(number) {
            link.settle(now);
            change(link);
        }
        self.review(number, now);
    }

    /// Changes a host at `now`, and with it the life of its links.
    pub(super) fn change_host(&mut self, number: usize, now: i64, change: impl FnOnce(&mut Host)) {
        self.settle_host(number, now);
        let Some(host) = self.hosts.get_mut(number) else { return };
        change(host);
        for link in host.links.clone() {
            self.review(link, now);
        }
    }

    /// Decides whether a link lives from now on; one that comes to life shakes hands at once.
    fn review(&mut self, number: usize, now: i64) {
        let Some(link) = self.links.get(number) else { return };
        let reachable = |end: &End| self.hosts.get(end.host).is_some_and(Host::reachable);
        let current = |end: &End, of: &End| {
            self.hosts.get(of.host).and_then(|host| host.key_changes.get(link.iface))
                == Some(&end.knows)
        };
        let alive = link.nature == Nature::Busy
            && link.cuts == 0
            && reachable(&link.a)
            && link
                .b
                .as_ref()
                .is_none_or(|b| reachable(b) && current(&link.a, b) && current(b, &link.a));
        let Some(link) = self.links.get_mut(number) else { return };
        if alive && !link.alive {
            link.shake(now);
        }
        link.alive = alive;
    }
}

/// The state of a planned world at its birth.
pub(super) fn settle_in(plan: &Plan, seed: u64, mix_of: Mix, birth: i64) -> (Vec<Host>, Vec<Link>) {
    let mut hosts: Vec<Host> = (0_u64..)
        .zip(&plan.hosts)
        .map(|(number, planned)| Host {
            name: planned.name.clone(),
            agent_id: identity::agent_id(seed, number).into(),
            fleet: planned.fleet,
            site: planned.site,
            gateway: planned.gateway,
            clock_offset: below(mix(seed ^ 1, number), 5) - 2,
            booted_at: birth - 86_400 - below(mix(seed ^ 2, number), 60 * 86_400),
            boots: 0,
            keys: [identity::key(seed, number, 0, 0), identity::key(seed, number, 1, 0)],
            key_changes: [0, 0],
            away: false,
            cable_cut_at: None,
            faulted: false,
            extra_route: false,
            reports: 0,
            reported_bytes: 0,
            links: Vec::new(),
        })
        .collect();
    let mut links = Vec::with_capacity(plan.ties.len());
    for (number, tie) in plan.ties.iter().enumerate() {
        for host in [Some(tie.a), tie.b].into_iter().flatten() {
            if let Some(host) = hosts.get_mut(host) {
                host.links.push(number);
            }
        }
        let chance = mix(seed ^ 3, number as u64);
        let worked = matches!(tie.nature, Nature::Busy | Nature::Idle | Nature::Severed);
        let past = if worked { 100_000 + chance % 5_000_000_000 } else { 0 };
        let mutual = tie.nature != Nature::Half;
        links.push(Link {
            a: End::born(tie.a, true, (past, past / 3), chance),
            b: tie.b.map(|b| End::born(b, mutual, (past / 3, past), chance >> 8)),
            nature: tie.nature,
            iface: if mix_of.is_measured() { number % 2 } else { 0 },
            cuts: u32::from(tie.nature == Nature::Severed),
            handshake_at: match tie.nature {
                Nature::Busy => birth - below(chance >> 16, REKEY_SECONDS),
                Nature::Idle => birth - 3600 - below(chance >> 16, 86_400),
                Nature::Severed => birth - 600 - below(chance >> 16, 300),
                Nature::Never | Nature::Half => 0,
            },
            alive: tie.nature == Nature::Busy,
            settled_at: birth,
        });
    }
    (hosts, links)
}

impl End {
    /// An end that has sent and received this many bytes before the world's birth.
    fn born(host: usize, lists: bool, (tx_bytes, rx_bytes): (u64, u64), chance: u64) -> Self {
        Self { host, lists, knows: 0, rx_bytes, tx_bytes, rate: 40 + chance % 20_000 }
    }
}

fn below(chance: u64, limit: i64) -> i64 {
    i64::try_from(chance >> 1).unwrap_or(0) % limit
}
