//! Which hosts there are and how they are tied together: structure only, no state, no time.
//!
//! A world is drawn in cells. Each cell holds the four structures that a map has to show: hub
//! and spoke sites with two gateways each, a full mesh, a chain, and a pair of islands whose
//! connections are configured but cut. Around them stand the odd cases of every real network.

use std::ops::Range;

use super::Mix;

/// How many cells share one set of four fleets.
const CELLS_PER_FLEET_SET: usize = 10;

/// The structure of a world.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) fleets: Vec<Box<str>>,
    pub(super) sites: Vec<Site>,
    pub(super) hosts: Vec<PlannedHost>,
    pub(super) ties: Vec<PlannedTie>,
}

/// Hosts that stand together; they are numbered in one run.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: Box<str>,
    pub(super) hosts: Range<usize>,
}

/// One host of the plan.
#[derive(Debug)]
pub(super) struct PlannedHost {
    pub(super) name: Box<str>,
    pub(super) fleet: usize,
    pub(super) site: usize,
    pub(super) gateway: bool,
}

/// A WireGuard connection between host `a` and host `b`, or a device without an agent.
#[derive(Debug)]
pub(super) struct PlannedTie {
    pub(super) a: usize,
    pub(super) b: Option<usize>,
    pub(super) nature: Nature,
}

/// What a tie is like while nothing is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Carries traffic, keepalive on.
    Busy,
    /// Worked once; no keepalive, nothing to say.
    Idle,
    /// Configured at both ends, never came up.
    Never,
    /// Host `a` lists `b`, but `b` does not list `a`.
    Half,
    /// Busy once, cut long ago, never mended.
    Severed,
}

impl Plan {
    /// Draws `agents` hosts.
    pub(super) fn draw(agents: usize, mix: Mix) -> Self {
        let mut plan = Self::default();
        let mut left = agents;
        let mut trunk = None;
        for number in 0.. {
            if left == 0 {
                break;
            }
            // A last cell smaller than half joins its neighbour instead of standing alone.
            let whole = mix.cell_size();
            let size = if left < whole + whole / 2 { left } else { whole };
            trunk = plan.cell(number, size, mix, trunk);
            left -= size;
        }
        plan
    }

    /// Draws one cell and returns its first gateway, which the next cell's trunk leads to.
    fn cell(
        &mut self,
        number: usize,
        size: usize,
        mix: Mix,
        trunk: Option<usize>,
    ) -> Option<usize> {
        if number.is_multiple_of(CELLS_PER_FLEET_SET) {
            let set = number / CELLS_PER_FLEET_SET;
            for name in ["nordic", "lab", "harbour", "islands"] {
                self.fleets.push(numbered(name, set).into());
            }
        }
        let fleet = self.fleets.len().saturating_sub(4);
        let shares = mix.shares(size);
        let hubs = self.hubs(number, fleet, shares.hubs);
        self.mesh(number, fleet + 1, shares.mesh);
        self.chain(number, fleet + 2, shares.chain);
        self.islands(number, fleet + 3, shares.islands);
        if let (Some(from), Some(to), false) =
            (hubs, trunk, number.is_multiple_of(CELLS_PER_FLEET_SET))
        {
            self.tie(from, Some(to), Nature::Busy);
        }
        hubs
    }

    /// Two sites, each with two gateways and spokes that hold on to both of them.
    fn hubs(&mut self, cell: usize, fleet: usize, count: usize) -> Option<usize> {
        let south = self.site(cell, fleet, ("helsinki", "hel"), count.div_ceil(2), 2);
        let north = self.site(cell, fleet, ("oulu", "oul"), count / 2, 2);
        for site in [south.clone(), north.clone()] {
            let gateways = site.start..site.start.saturating_add(2).min(site.end);
            self.all_pairs(gateways.clone());
            for spoke in gateways.end..site.end {
                for gateway in gateways.clone() {
                    self.tie(spoke, Some(gateway), Nature::Busy);
                }
            }
        }
        for (near, far) in south.clone().zip(north.clone()).take(2) {
            self.tie(near, Some(far), Nature::Busy);
        }
        self.oddities(&south, &north);
        (!south.is_empty()).then_some(south.start)
    }

    /// Phones without an agent, an idle shortcut, and a tie that only one end knows of.
    fn oddities(&mut self, south: &Range<usize>, north: &Range<usize>) {
        if !south.is_empty() {
            for nature in [Nature::Busy, Nature::Idle, Nature::Never] {
                self.tie(south.start, None, nature);
            }
        }
        let spokes = south.clone().skip(2).zip(north.clone().skip(2));
        for ((near, far), nature) in spokes.zip([Nature::Idle, Nature::Half]) {
            self.tie(near, Some(far), nature);
        }
    }

    fn mesh(&mut self, cell: usize, fleet: usize, count: usize) {
        let site = self.site(cell, fleet, ("lab", "lab"), count, 0);
        self.all_pairs(site);
    }

    /// A line of hosts over two sites; its two far ends know each other and never meet.
    fn chain(&mut self, cell: usize, fleet: usize, count: usize) {
        let north = self.site(cell, fleet, ("quay-north", "qn"), count.div_ceil(2), 0);
        let south = self.site(cell, fleet, ("quay-south", "qs"), count / 2, 0);
        let line = north.start..south.end;
        for (near, far) in line.clone().zip(line.clone().skip(1)) {
            self.tie(near, Some(far), Nature::Busy);
        }
        if count > 2 {
            self.tie(line.start, Some(line.end - 1), Nature::Never);
        }
    }

    /// Two meshes with three cut cables between them.
    fn islands(&mut self, cell: usize, fleet: usize, count: usize) {
        let east = self.site(cell, fleet, ("island-east", "ie"), count.div_ceil(2), 1);
        let west = self.site(cell, fleet, ("island-west", "iw"), count / 2, 1);
        self.all_pairs(east.clone());
        self.all_pairs(west.clone());
        for (near, far) in east.zip(west).take(3) {
            self.tie(near, Some(far), Nature::Severed);
        }
    }

    fn all_pairs(&mut self, hosts: Range<usize>) {
        for near in hosts.clone() {
            for far in near + 1..hosts.end {
                self.tie(near, Some(far), Nature::Busy);
            }
        }
    }

    fn tie(&mut self, a: usize, b: Option<usize>, nature: Nature) {
        self.ties.push(PlannedTie { a, b, nature });
    }

    /// Adds `count` hosts, the first `gateways` of them gateways.
    fn site(
        &mut self,
        cell: usize,
        fleet: usize,
        (name, code): (&str, &str),
        count: usize,
        gateways: usize,
    ) -> Range<usize> {
        let first = self.hosts.len();
        let (site, code) = (self.sites.len(), numbered(code, cell));
        for place in 0..count {
            let gateway = place < gateways;
            let name = if gateway {
                format!("{code}-gw{}", place + 1)
            } else {
                format!("{code}-n{}", place + 1 - gateways)
            };
            self.hosts.push(PlannedHost { name: name.into(), fleet, site, gateway });
        }
        let hosts = first..self.hosts.len();
        self.sites.push(Site { name: numbered(name, cell).into(), hosts: hosts.clone() });
        hosts
    }
}

/// The first of a name stands alone, the others are told apart by a number.
fn numbered(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}{}", number + 1) }
}

/// How many hosts of a cell stand in each structure.
struct Shares {
    hubs: usize,
    mesh: usize,
    chain: usize,
    islands: usize,
}

impl Mix {
    const fn cell_size(self) -> usize {
        match self {
            Self::Demo => 40,
            Self::Load => 57,
            Self::Dense => 100,
        }
    }

    /// Demo cells show every structure clearly; load cells average ten peers per host, and dense
    /// ones forty, which takes larger meshes.
    const fn shares(self, size: usize) -> Shares {
        let whole = self.cell_size();
        let (mesh, chain, islands) = match self {
            Self::Demo => (size * 7 / whole, size * 6 / whole, size * 12 / whole),
            Self::Load => (size * 21 / whole, size * 8 / whole, size * 12 / whole),
            Self::Dense => (size * 61 / whole, size * 6 / whole, size * 23 / whole),
        };
        Shares { hubs: size - mesh - chain - islands, mesh, chain, islands }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_exactly_that_many_hosts_and_no_tie_leaves_them() {
        for agents in [0, 1, 2, 3, 5, 17, 36, 40, 59, 60, 100, 1000] {
            for mix in [Mix::Demo, Mix::Load, Mix::Dense] {
                let plan = Plan::draw(agents, mix);
                assert_eq!(plan.hosts.len(), agents);
                for tie in &plan.ties {
                    assert!(tie.a < agents && tie.b.is_none_or(|b| b < agents && b != tie.a));
                }
                assert!(plan.hosts.iter().all(|host| host.fleet < plan.fleets.len()));
            }
        }
    }

    #[test]
    fn measured_cells_average_ten_or_forty_peers_per_host() {
        for (mix, peers) in [(Mix::Load, 9.0..11.0), (Mix::Dense, 38.0..42.0)] {
            let plan = Plan::draw(5700, mix);
            let ends: usize = plan
                .ties
                .iter()
                .map(|tie| 1 + usize::from(tie.b.is_some() && tie.nature != Nature::Half))
                .sum();
            let average = ends as f64 / plan.hosts.len() as f64;
            assert!(peers.contains(&average), "{mix:?}: {average}");
        }
    }

    #[test]
    fn the_demo_has_each_structure_and_each_oddity() {
        let plan = Plan::draw(40, Mix::Demo);
        assert_eq!(plan.fleets.len(), 4);
        assert_eq!(plan.hosts.iter().filter(|host| host.gateway).count(), 6);
        for nature in [Nature::Busy, Nature::Idle, Nature::Never, Nature::Half, Nature::Severed] {
            assert!(plan.ties.iter().any(|tie| tie.nature == nature), "{nature:?}");
        }
        assert_eq!(plan.ties.iter().filter(|tie| tie.b.is_none()).count(), 3);
    }
}
