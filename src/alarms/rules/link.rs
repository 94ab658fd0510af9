//! Links that have their handshakes and yet are not right: packets lost in one direction, ends
//! that tell different things, addresses that the other end does not let in.

use std::net::IpAddr;

use ipnet::IpNet;

use super::edge::EdgeFacts;
use super::some_of;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};
use crate::model::state::{AlarmKind, EdgeState};
use crate::model::time::{UnixSeconds, clock_text, duration_text};
use crate::topology::verdict::Passage;

/// Both ends note a handshake within its round trip; clocks are known to a few seconds.
pub const APART_S: Limit = Limit::seconds(
    "apart_s",
    60,
    (10, 86_400),
    "seconds that the last handshakes of two ends may be apart and still be the same one",
);

/// Is one direction lost? `since` is when that began, as well as it is known.
///
/// The other direction is known to work, so the sentence can name the one that does not. A link
/// on which nothing passes at all is no case of this: its age tells.
pub fn one_way<'a>(edge: &EdgeFacts<'a>, since: UnixSeconds) -> Option<Observation<'a>> {
    let verdict = edge.verdict;
    let trouble = match verdict.passage {
        Passage::From(0) => Some((edge.names[0], edge.names[1])),
        Passage::From(_) => Some((edge.names[1], edge.names[0])),
        Passage::Both => None,
        // Nobody sends any more, which both ends say.
        Passage::Untold if verdict.state == EdgeState::Idle && !verdict.witness_missing => None,
        Passage::Untold => return None,
    };
    let trouble = trouble.map(|(heard, lost)| {
        format!(
            "one way {heard} to {lost} since {}: nothing that {lost} sends arrives at {heard}; \
             look at filters and address translation on the way there",
            clock_text(since)
        )
    });
    Some(edge.seen(AlarmKind::EdgeOneWay, trouble))
}

/// What an end tells of the last handshake, all on the manager's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shake {
    /// When it was.
    pub at: UnixSeconds,
    /// When that was read.
    pub read_at: UnixSeconds,
    /// Since when the host's clock has not been set: what it wrote down before then has another
    /// meaning now.
    pub steady_since: UnixSeconds,
}

/// Do the ends tell different last handshakes? Only where the end with the older one has been
/// heard of long after the younger one: it would know of it.
pub fn disagree<'a>(
    edge: &EdgeFacts<'a>,
    ends: [Option<Shake>; 2],
    limits: &Limits<'_>,
) -> Option<Observation<'a>> {
    let allowed = limits.get(&APART_S);
    let [first, second] = ends;
    let (first, second) = (first?, second?);
    let places = if first.at > second.at { [0, 1] } else { [1, 0] };
    let (newer, older) = if first.at > second.at { (first, second) } else { (second, first) };
    let apart = newer.at.since(older.at);
    if apart <= allowed {
        return Some(edge.seen(AlarmKind::EdgeDisagree, None));
    }
    let is_known = older.read_at.since(newer.at) > allowed;
    let is_comparable = newer.at > first.steady_since.max(second.steady_since);
    if !is_known || !is_comparable {
        return None;
    }
    let [newer, older] = places.map(|place| edge.names.get(place).copied().unwrap_or_default());
    let trouble = format!(
        "{newer} tells of a handshake with {older} that is {} younger than the last one {older} \
         knows, the clocks allowed for; another host may hold {older}'s key",
        duration_text(apart)
    );
    Some(edge.seen(AlarmKind::EdgeDisagree, Some(trouble)))
}

/// Both ends of a new link are set up one after the other.
pub const NEVER_UP_S: Limit = Limit::seconds(
    "after_s",
    600,
    (60, 2_592_000),
    "seconds for which a new link may be without a handshake",
);

/// Has the link never worked, although an end tries (`tries`)? The manager heard of it first
/// `known_s` seconds ago.
pub fn never_up<'a>(
    edge: &EdgeFacts<'a>,
    tries: bool,
    known_s: i64,
    limits: &Limits<'_>,
) -> Option<Observation<'a>> {
    match edge.verdict.state {
        EdgeState::Never if tries => {}
        EdgeState::Unknown | EdgeState::HalfConfigured => return None,
        // Perhaps the one who tried has fallen silent.
        EdgeState::Never if edge.verdict.witness_missing => return None,
        EdgeState::Never
        | EdgeState::Up
        | EdgeState::Idle
        | EdgeState::Down
        | EdgeState::OneWay => return Some(edge.seen(AlarmKind::PeerNeverUp, None)),
    }
    let [a, b] = edge.names;
    (known_s >= limits.get(&NEVER_UP_S)).then(|| {
        let trouble =
            format!("{a} - {b}, known for {}: {}", duration_text(known_s), edge.verdict.reason);
        edge.seen(AlarmKind::PeerNeverUp, Some(trouble))
    })
}

/// What an end lets in from the other, if it lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit<'a> {
    /// It does not list the other, or lets one of its addresses in.
    Fits,
    /// One of the two does not report, or the other has no address to judge by.
    Untold,
    /// None of the other's addresses is let in.
    Misfit(Misfit<'a>),
}

/// What tells a mistake from an arrangement in which the address is not meant to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit<'a> {
    /// The other's address.
    pub address: IpAddr,
    /// What is let in instead.
    pub allowed: &'a [IpNet],
    /// The interface has the address's network itself.
    pub is_on_link: bool,
    /// Another peer of the interface is let in with this very address.
    pub is_taken: bool,
    /// Another peer of the interface is let in with a network that holds the address, such as
    /// a hub through which it is reached.
    pub is_covered: bool,
    /// The interface has just dropped packets whose inner address was not let in (the kernel
    /// counts them in `rx_errors`, `drivers/net/wireguard/receive.c`).
    pub drops: bool,
}

impl Misfit<'_> {
    fn is_mistake(&self) -> bool {
        self.drops || self.is_taken || (self.is_on_link && !self.is_covered)
    }
}

/// Does an end drop what the other sends? `is_open`: it was found to already, and only a change
/// ends that.
pub fn lets_in<'a>(
    edge: &EdgeFacts<'a>,
    fits: [Fit<'_>; 2],
    is_open: bool,
) -> Option<Observation<'a>> {
    let [a, b] = edge.names;
    for (fit, lister, other) in [(fits[0], a, b), (fits[1], b, a)] {
        if let Fit::Misfit(misfit) = fit
            && (is_open || misfit.is_mistake())
        {
            let trouble = format!(
                "{lister} drops: {} is not in allowed ips ({})",
                misfit.address,
                instead(other, misfit.allowed)
            );
            return Some(edge.seen(AlarmKind::AllowedIpsMismatch, Some(trouble)));
        }
    }
    let is_untold = fits.contains(&Fit::Untold);
    (!is_untold).then(|| edge.seen(AlarmKind::AllowedIpsMismatch, None))
}

fn instead(other: &str, allowed: &[IpNet]) -> String {
    if allowed.is_empty() {
        return format!("nothing is let in from {other}");
    }
    format!("from {other} only {}", some_of(allowed))
}

/// What fits through a plain Ethernet of 1500 bytes over IPv4. Sizes below differ from host to
/// host because the links under them do, and are meant to.
const PLAIN_MTU: u32 = 1440;

/// Does one end send larger packets than a plain way carries, and the other not? The way between
/// must then carry large ones from end to end, which the other end does not count on.
pub fn mtus_differ<'a>(edge: &EdgeFacts<'a>, mtus: [Option<u32>; 2]) -> Option<Observation<'a>> {
    let [a, b] = edge.names;
    let (first, second) = (mtus[0]?, mtus[1]?);
    let is_odd = first != second && first.max(second) > PLAIN_MTU;
    let trouble = is_odd.then(|| {
        format!(
            "the mtu of {a} is {first}, that of {b} {second}: the larger one's packets may be too \
             large for the way"
        )
    });
    Some(edge.seen(AlarmKind::MtuMismatch, trouble))
}

#[cfg(test)]
mod tests;
