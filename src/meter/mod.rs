//! What hosts' counters say over time: samples out of reports, rates between two of them, slots
//! of a fixed length.
//!
//! Pure. Everything is taken on the host's own clock: a rate is what a counter moved by between
//! two reports, divided by the seconds between their times, and both come from the same host. A
//! counter that went back, a boot in between or a silence that is too long makes a gap, never a
//! rate: nothing is known of such a stretch.

pub mod roll;
pub mod sample;

#[cfg(test)]
mod tests;
