//! A made-up network: hosts, WireGuard links and what breaks on them, the same for the same seed.
//!
//! State is piecewise constant between events, so everything a host would report can be worked
//! out for any second when it is asked; nothing runs in the background. Both ends of a link read
//! one shared link state, so they agree the way two real hosts would.

use crate::model::time::UnixSeconds;
use crate::sign::ed25519::SecretKey;

use self::faults::Schedule;
use self::plan::Plan;
use self::state::{Host, Link};

mod faults;
mod identity;
mod json;
mod plan;
mod report;
mod state;

/// How long before its first report a world with faults begins to break, in seconds: long
/// enough that some links are past T2 (300 s with a keepalive of 25 s) when it is first seen.
const HISTORY_SECONDS: i64 = 600;

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct Options {
    /// Same seed, same world.
    pub seed: u64,
    /// How many hosts report.
    pub agents: usize,
    /// What the world is for.
    pub mix: Mix,
    /// Whether things break and heal.
    pub faults: bool,
    /// When the first report is made.
    pub start: UnixSeconds,
}

/// What a world is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// To be looked at: every structure is small enough to recognise, reports are small and
    /// change only when something happens.
    Demo,
    /// To be measured with: ten peers per host on average, about 5 KB per report, and about 3 %
    /// of the reports change a route.
    Load,
    /// The same with forty peers per host.
    Dense,
}

impl Mix {
    /// Whether reports are as large as real ones, and change as those do.
    const fn is_measured(self) -> bool {
        match self {
            Self::Demo => false,
            Self::Load | Self::Dense => true,
        }
    }
}

/// Who a host is to the manager.
#[derive(Debug, Clone, Copy)]
pub struct Face<'a> {
    /// 32 hexadecimal digits: an identifier that both schemes accept.
    pub agent_id: &'a str,
    /// The fleet the host belongs to.
    pub fleet_id: &'a str,
    /// How far the host's clock is ahead of the true time, in seconds.
    pub clock_offset: i64,
}

/// The made-up network.
#[derive(Debug)]
pub struct World {
    seed: u64,
    mix: Mix,
    fleets: Vec<Box<str>>,
    sites: Vec<plan::Site>,
    hosts: Vec<Host>,
    links: Vec<Link>,
    schedule: Option<Schedule>,
}

impl World {
    /// Draws the network and brings it to the second of `options.start`.
    pub fn new(options: &Options) -> Self {
        let birth = options.start.0.saturating_sub(HISTORY_SECONDS);
        let plan = Plan::draw(options.agents, options.mix);
        let (hosts, links) = state::settle_in(&plan, options.seed, options.mix, birth);
        let schedule = options.faults.then(|| Schedule::new(options.seed, hosts.len(), birth));
        let mut world = Self {
            seed: options.seed,
            mix: options.mix,
            fleets: plan.fleets,
            sites: plan.sites,
            hosts,
            links,
            schedule,
        };
        world.step(options.start);
        world
    }

    /// How many hosts there are.
    pub fn agents(&self) -> usize {
        self.hosts.len()
    }

    /// Who host number `host` is.
    pub fn face(&self, host: usize) -> Option<Face<'_>> {
        let host = self.hosts.get(host)?;
        Some(Face {
            agent_id: &host.agent_id,
            fleet_id: self.fleets.get(host.fleet)?,
            clock_offset: host.clock_offset,
        })
    }

    /// The key that host number `host` signs with if it has one of its own; the same for every
    /// world of a seed.
    pub fn own_key(&self, host: usize) -> SecretKey {
        SecretKey::from_seed(&identity::secret_seed(self.seed, host as u64))
    }

    /// Lets everything break and heal that is due by `now`.
    pub fn step(&mut self, now: UnixSeconds) {
        faults::run_until(self, now.0);
    }

    /// The `data` of the report that a host would make at `now`; `None` while it is away.
    pub fn report(&mut self, host: usize, now: UnixSeconds) -> Option<Vec<u8>> {
        if self.hosts.get(host)?.away {
            return None;
        }
        self.settle_host(host, now.0);
        let seed = self.seed;
        let speaker = self.hosts.get_mut(host)?;
        speaker.reports += 1;
        if self.mix.is_measured() {
            speaker.wander(seed);
        }
        let data = report::write(self, host, now.0)?;
        // The report itself leaves through the management interface, so that at least one
        // counter grows between any two reports, however close they are.
        let size = u64::try_from(data.len()).unwrap_or(0);
        self.hosts.get_mut(host)?.reported_bytes += size;
        Some(data)
    }
}

#[cfg(test)]
mod tests;
