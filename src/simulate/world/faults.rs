//! What breaks and heals: a timetable drawn from the seed, independent of how often it is run.
//!
//! Every fault is one that the captured WireGuard lab shows: a cut link ages at both ends while
//! initiations go out, a vanished host falls silent while its peers age, a pulled cable leaves
//! `wg0` as it is, a replaced key is unknown to the peers until they are told.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::simulate::rng::Rng;

use super::World;
use super::identity;
use super::state::Link;

/// Seconds from one fault to the next in a fleet of [`PACE_AGENTS`] hosts.
const PACE_SECONDS: u64 = 60;
/// The fleet size that [`PACE_SECONDS`] is meant for; larger ones break more often.
const PACE_AGENTS: u64 = 40;
/// Attempts to find somebody whom no other fault has hold of.
const TRIES: usize = 8;

/// One thing that is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Packets of one link are lost.
    Cut(usize),
    /// A host is gone.
    Silence(usize),
    /// The cable of a host's `eth0` is pulled; it still reports over another interface.
    Cable(usize),
    /// A host restarts.
    Reboot(usize),
    /// A host has a new key that its peers do not know yet.
    Rekey(usize, usize),
    /// All links between a site and the others are lost.
    Split(Vec<usize>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Break,
    Heal(Fault),
}

/// The timetable.
#[derive(Debug)]
pub(super) struct Schedule {
    rng: Rng,
    /// Seconds between two breaks.
    gap: u64,
    /// Faults that begin together.
    batch: u64,
    begun: u64,
    /// Second, running number (so that order is total), and what happens.
    queue: BinaryHeap<Reverse<(i64, u64, Happening)>>,
}

impl Schedule {
    pub(super) fn new(seed: u64, hosts: usize, birth: i64) -> Self {
        let hosts = u64::try_from(hosts).unwrap_or(u64::MAX).max(1);
        let product = PACE_SECONDS * PACE_AGENTS;
        Self {
            rng: Rng::new(seed ^ 0xfa17),
            gap: (product / hosts).clamp(1, 4 * PACE_SECONDS),
            batch: (hosts / product).max(1),
            begun: 0,
            queue: BinaryHeap::from([Reverse((birth, 0, Happening::Break))]),
        }
    }

    fn put(&mut self, at: i64, what: Happening) {
        self.begun += 1;
        self.queue.push(Reverse((at, self.begun, what)));
    }

    fn due(&mut self, now: i64) -> Option<(i64, Happening)> {
        let Reverse((at, ..)) = self.queue.peek()?;
        if *at > now {
            return None;
        }
        self.queue.pop().map(|Reverse((at, _, what))| (at, what))
    }

    /// Nothing new breaks; what is broken heals when it is due.
    #[cfg(test)]
    pub(super) fn stop_breaking(&mut self) {
        self.queue.retain(|Reverse((_, _, what))| *what != Happening::Break);
    }

    fn seconds(&mut self, least: i64, spread: u64) -> i64 {
        least + i64::try_from(self.rng.below(spread)).unwrap_or(0)
    }
}

/// Runs the timetable of `world`, if it has one, up to and including `now`.
pub(super) fn run_until(world: &mut World, now: i64) {
    // Taken out so that a fault may change the world while it is drawn.
    let Some(mut schedule) = world.schedule.take() else { return };
    while let Some((at, what)) = schedule.due(now) {
        match what {
            Happening::Heal(fault) => heal(world, at, &fault),
            Happening::Break => {
                for _ in 0..schedule.batch {
                    if let Some((fault, seconds)) = draw(world, &mut schedule) {
                        inflict(world, at, &fault);
                        schedule.put(at + seconds, Happening::Heal(fault));
                    }
                }
                let gap = schedule.gap;
                let next =
                    schedule.seconds(i64::try_from(gap * 3 / 4).unwrap_or(1).max(1), gap / 2);
                schedule.put(at + next, Happening::Break);
            }
        }
    }
    world.schedule = Some(schedule);
}

/// Chooses a fault and how many seconds it lasts: long enough to be noticed (a link is down
/// 300 s after its last handshake, an agent offline after 180 s), short enough to be watched.
fn draw(world: &World, schedule: &mut Schedule) -> Option<(Fault, i64)> {
    let kind = schedule.rng.below(6);
    match kind {
        0 => Some((Fault::Cut(free_link(world, &mut schedule.rng)?), schedule.seconds(360, 240))),
        1 => {
            let links = crossing(world, free_host(world, &mut schedule.rng)?)?;
            Some((Fault::Split(links), schedule.seconds(360, 120)))
        }
        _ => {
            let host = free_host(world, &mut schedule.rng)?;
            Some(match kind {
                2 => (Fault::Silence(host), schedule.seconds(240, 240)),
                3 => (Fault::Cable(host), schedule.seconds(360, 240)),
                4 => (Fault::Reboot(host), schedule.seconds(25, 15)),
                _ => (Fault::Rekey(host, 0), schedule.seconds(360, 120)),
            })
        }
    }
}

fn free_host(world: &World, rng: &mut Rng) -> Option<usize> {
    let limit = u64::try_from(world.hosts.len()).unwrap_or(0);
    (0..TRIES)
        .filter_map(|_| usize::try_from(rng.below(limit)).ok())
        .find(|number| world.hosts.get(*number).is_some_and(|host| !host.faulted))
}

fn free_link(world: &World, rng: &mut Rng) -> Option<usize> {
    let limit = u64::try_from(world.links.len()).unwrap_or(0);
    (0..TRIES)
        .filter_map(|_| usize::try_from(rng.below(limit)).ok())
        .find(|number| world.links.get(*number).is_some_and(|link| link.alive && link.b.is_some()))
}

/// The live links that join the site of `host` to other sites, if they are few enough for one
/// accident.
fn crossing(world: &World, host: usize) -> Option<Vec<usize>> {
    let site = world.sites.get(world.hosts.get(host)?.site)?;
    let leaves = |link: &Link| {
        link.alive
            && link
                .b
                .as_ref()
                .is_some_and(|b| site.hosts.contains(&link.a.host) != site.hosts.contains(&b.host))
    };
    let mut links: Vec<usize> = world
        .hosts
        .get(site.hosts.clone())?
        .iter()
        .flat_map(|host| host.links.iter().copied())
        .filter(|number| world.links.get(*number).is_some_and(leaves))
        .collect();
    links.sort_unstable();
    links.dedup();
    (1..=8).contains(&links.len()).then_some(links)
}

fn inflict(world: &mut World, at: i64, fault: &Fault) {
    match fault {
        Fault::Cut(link) => world.change_link(*link, at, |link| link.cuts += 1),
        Fault::Split(links) => {
            for link in links {
                world.change_link(*link, at, |link| link.cuts += 1);
            }
        }
        Fault::Silence(host) | Fault::Reboot(host) => {
            world.change_host(*host, at, |host| (host.away, host.faulted) = (true, true));
        }
        Fault::Cable(host) => world.change_host(*host, at, |host| {
            (host.cable_cut_at, host.faulted) = (Some(at), true);
        }),
        Fault::Rekey(number, iface) => {
            let (seed, owner) = (world.seed, *number as u64);
            world.change_host(*number, at, |host| {
                host.faulted = true;
                if let (Some(changes), Some(key)) =
                    (host.key_changes.get_mut(*iface), host.keys.get_mut(*iface))
                {
                    *changes = changes.wrapping_add(1);
                    *key = identity::key(seed, owner, *iface, *changes);
                }
            });
        }
    }
}

fn heal(world: &mut World, at: i64, fault: &Fault) {
    match fault {
        Fault::Cut(link) => world.change_link(*link, at, |link| link.cuts -= 1),
        Fault::Split(links) => {
            for link in links {
                world.change_link(*link, at, |link| link.cuts -= 1);
            }
        }
        Fault::Silence(host) => {
            world.change_host(*host, at, |host| (host.away, host.faulted) = (false, false));
        }
        Fault::Cable(host) => world.change_host(*host, at, |host| {
            (host.cable_cut_at, host.faulted) = (None, false);
        }),
        Fault::Reboot(number) => restart(world, at, *number),
        Fault::Rekey(number, iface) => tell_new_key(world, at, *number, *iface),
    }
}

/// The host is back with a new boot id, and everything it counts starts at zero.
fn restart(world: &mut World, at: i64, number: usize) {
    let links = world.hosts.get(number).map(|host| host.links.clone()).unwrap_or_default();
    for link in &links {
        world.change_link(*link, at, |link| {
            if let Some(end) = link.end_mut(number) {
                (end.rx_bytes, end.tx_bytes) = (0, 0);
            }
        });
    }
    world.change_host(number, at, |host| {
        (host.away, host.faulted) = (false, false);
        (host.booted_at, host.boots, host.reported_bytes) = (at - 20, host.boots + 1, 0);
    });
}

/// Every peer of the host lists its new key from now on, with counters of a new peer.
fn tell_new_key(world: &mut World, at: i64, number: usize, iface: usize) {
    let Some(host) = world.hosts.get(number) else { return };
    let changes = host.key_changes.get(iface).copied().unwrap_or(0);
    for link in host.links.clone() {
        world.change_link(link, at, |link| {
            let tells = link.iface == iface;
            if let Some(end) = link.across_mut(number).filter(|_| tells) {
                end.knows = changes;
                (end.rx_bytes, end.tx_bytes) = (0, 0);
            }
        });
    }
    world.change_host(number, at, |host| host.faulted = false);
}
