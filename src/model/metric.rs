//! What is measured over time: how much a counter moved in a stretch of time, and how old
//! handshakes became in it.
//!
//! Values only. `meter` makes them of reports, the store keeps them.

use super::key::WgKey;

/// Seconds of one slot of the fine rows.
pub const SLOT_S: i64 = 300;

/// Seconds of one row: an hour, in twelve slots or in one.
pub const HOUR_S: i64 = 3_600;

/// Slots of an hour.
pub const SLOTS: usize = 12;

/// Which rows are made of stored reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rollups {
    /// None.
    #[default]
    Off,
    /// One slot per hour.
    Hourly,
    /// Twelve more of five minutes.
    All,
}

/// What is measured on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An interface, by its kernel name.
    Interface(String),
    /// A WireGuard peer of an interface: one end of a link.
    Peer(String, WgKey),
}

/// A counter, in the order in which slots keep them. Peers have the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Bytes received.
    RxBytes,
    /// Bytes sent.
    TxBytes,
    /// Packets received with errors (`rtnl_link_stats64`, like all that follow).
    RxErrors,
    /// Packets that could not be sent.
    TxErrors,
    /// Packets dropped on receipt.
    RxDropped,
    /// Packets dropped before sending.
    TxDropped,
}

impl Counter {
    /// Every counter, in order.
    pub const ALL: [Self; COUNTERS] = [
        Self::RxBytes,
        Self::TxBytes,
        Self::RxErrors,
        Self::TxErrors,
        Self::RxDropped,
        Self::TxDropped,
    ];

    /// How many of its rate's units are one per second: packets go wrong so seldom that their
    /// rates are kept in thousandths.
    pub const fn per_second(self) -> u64 {
        match self {
            Self::RxBytes | Self::TxBytes => 1,
            Self::RxErrors | Self::TxErrors | Self::RxDropped | Self::TxDropped => 1_000,
        }
    }

    /// Its rate's name, unit included.
    pub const fn rate_name(self) -> &'static str {
        match self {
            Self::RxBytes => "rx_bytes_per_second",
            Self::TxBytes => "tx_bytes_per_second",
            Self::RxErrors => "rx_errors_per_second",
            Self::TxErrors => "tx_errors_per_second",
            Self::RxDropped => "rx_dropped_per_second",
            Self::TxDropped => "tx_dropped_per_second",
        }
    }
}

/// How many counters there are.
pub const COUNTERS: usize = 6;

/// How a counter moved in a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// By how much, in the seconds that are covered.
    pub sum: u64,
    /// The least rate between two reports, in the counter's units.
    pub min: u64,
    /// The greatest.
    pub max: u64,
}

/// How old a peer's last handshake was, in seconds, when its host looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Age {
    /// At the last look of the slot.
    pub last: u64,
    /// At the look at which it was oldest.
    pub max: u64,
}

/// What is known of one thing in one stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// Reports measured in it.
    pub samples: u32,
    /// Seconds of it that lie between two reports whose counters can be compared.
    pub covered_s: u32,
    /// How each counter moved, in the order of [`Counter::ALL`]; `None` if the host does not tell
    /// it, or nothing is covered.
    pub flows: [Option<Flow>; COUNTERS],
    /// Of peers that have ever shaken hands, where a report was measured in the slot.
    pub age: Option<Age>,
}

impl Slot {
    /// How a counter moved.
    pub fn flow(&self, counter: Counter) -> Option<Flow> {
        let all = Counter::ALL.into_iter().zip(self.flows);
        all.filter(|(other, _)| *other == counter).find_map(|(_, flow)| flow)
    }

    /// The mean rate of a counter per second.
    pub fn mean(&self, counter: Counter) -> Option<f64> {
        let flow = self.flow(counter)?;
        (self.covered_s > 0).then(|| exact(flow.sum) / f64::from(self.covered_s))
    }

    /// The least and the greatest rate of a counter per second.
    pub fn bounds(&self, counter: Counter) -> Option<(f64, f64)> {
        let (flow, per) = (self.flow(counter)?, exact(counter.per_second()));
        Some((exact(flow.min) / per, exact(flow.max) / per))
    }

    /// Takes in what followed it.
    pub fn then(&mut self, next: &Self) {
        self.samples = self.samples.saturating_add(next.samples);
        self.covered_s = self.covered_s.saturating_add(next.covered_s);
        for (flow, next) in self.flows.iter_mut().zip(next.flows) {
            *flow = match (*flow, next) {
                (Some(a), Some(b)) => Some(Flow {
                    sum: a.sum.saturating_add(b.sum),
                    min: a.min.min(b.min),
                    max: a.max.max(b.max),
                }),
                (a, b) => a.or(b),
            };
        }
        self.age = match (self.age, next.age) {
            (Some(a), Some(b)) => Some(Age { last: b.last, max: a.max.max(b.max) }),
            (a, b) => b.or(a),
        };
    }

    /// Several slots, in order, as one; `None` if nothing is known in any.
    pub fn whole(slots: &[Option<Self>]) -> Option<Self> {
        slots.iter().flatten().copied().reduce(|mut all, next| {
            all.then(&next);
            all
        })
    }
}

/// A count as a number to divide. Beyond 2^53 the last digits are lost, which no rate shows.
#[expect(clippy::cast_precision_loss, reason = "said above")]
const fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(sum: u64, rates: (u64, u64), age: Option<(u64, u64)>) -> Slot {
        let flow = Flow { sum, min: rates.0, max: rates.1 };
        let age = age.map(|(last, max)| Age { last, max });
        Slot { samples: 5, covered_s: 300, flows: [Some(flow), None, None, None, None, None], age }
    }

    #[test]
    fn an_hour_is_its_slots_in_order() {
        let (a, b) = (slot(600, (1, 9), Some((30, 90))), slot(900, (2, 4), Some((10, 40))));
        let whole = Slot::whole(&[None, Some(a), None, Some(b)]).unwrap();
        assert_eq!((whole.samples, whole.covered_s), (10, 600));
        assert_eq!(whole.flow(Counter::RxBytes), Some(Flow { sum: 1500, min: 1, max: 9 }));
        assert_eq!(whole.age, Some(Age { last: 10, max: 90 }));
        assert_eq!(whole.mean(Counter::RxBytes), Some(2.5));
        assert_eq!(whole.bounds(Counter::RxBytes), Some((1.0, 9.0)));
        assert_eq!(whole.mean(Counter::TxErrors), None);
        assert_eq!(Slot::whole(&[None, None]), None);
        let untold = slot(1, (0, 0), None);
        assert_eq!(Slot::whole(&[Some(a), Some(untold)]).unwrap().age, a.age);
    }

    #[test]
    fn rates_of_packets_are_in_thousandths() {
        let flow = Flow { sum: 3, min: 0, max: 50 };
        let mut slot = Slot { covered_s: 60, ..Slot::default() };
        slot.flows[3] = Some(flow);
        assert_eq!(slot.bounds(Counter::TxErrors), Some((0.0, 0.05)));
        assert_eq!(slot.mean(Counter::TxErrors), Some(0.05));
    }
}
