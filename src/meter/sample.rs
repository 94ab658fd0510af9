//! One report, as far as it is about counters and handshakes.

use crate::model::metric::{COUNTERS, Subject};
use crate::model::report::{Interface, Peer, ReportData};
use crate::model::time::UnixSeconds;

/// What one report tells of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The thing.
    pub subject: Subject,
    /// Its counters, in the order of [`crate::model::metric::Counter::ALL`], as far as told.
    pub counters: [Option<u64>; COUNTERS],
    /// Seconds since the last handshake; `None`: there was none, or it is an interface.
    pub age_s: Option<u64>,
}

/// What one report tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was measured, on the host's clock.
    pub at: UnixSeconds,
    /// Which boot of the host it is of.
    pub boot: Option<String>,
    /// By subject.
    pub readings: Vec<Reading>,
}

impl Sample {
    /// What a report measured at a time tells.
    pub fn of(at: UnixSeconds, data: ReportData) -> Self {
        let interfaces = data.interfaces.into_iter().flatten().map(interface);
        let peers = data.peers.into_iter().flatten().map(|entry| peer(at, entry));
        let mut readings: Vec<Reading> = interfaces.chain(peers).collect();
        readings.sort_by(|a, b| a.subject.cmp(&b.subject));
        Self { at, boot: data.boot_id, readings }
    }

    /// What it tells of one thing.
    pub fn reading(&self, subject: &Subject) -> Option<&Reading> {
        let place = self.readings.binary_search_by(|reading| reading.subject.cmp(subject)).ok()?;
        self.readings.get(place)
    }
}

fn interface(told: Interface) -> Reading {
    let of = told.counters;
    Reading {
        subject: Subject::Interface(told.name),
        counters: [
            of.rx_bytes,
            of.tx_bytes,
            of.rx_errors,
            of.tx_errors,
            of.rx_dropped,
            of.tx_dropped,
        ],
        age_s: None,
    }
}

fn peer(at: UnixSeconds, told: Peer) -> Reading {
    let shaken = told.latest_handshake.0 > 0;
    Reading {
        subject: Subject::Peer(told.interface, told.public_key),
        counters: [Some(told.rx_bytes), Some(told.tx_bytes), None, None, None, None],
        // The kernel's clock may be a second ahead of the one the agent read.
        age_s: shaken.then(|| u64::try_from(at.since(told.latest_handshake)).unwrap_or(0)),
    }
}
