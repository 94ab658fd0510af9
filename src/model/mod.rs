//! The words of the domain: identifiers, times, keys, and what a host reports.
//!
//! A value of these types is well-formed by construction. Nothing here does I/O, knows JSON
//! shapes of the wire beyond `serde` on plain values, or imports another module of the crate.

#[macro_use]
mod words;

pub mod access;
pub mod alarm_kind;
pub mod audit;
pub mod hex;
pub mod id;
pub mod key;
pub mod life;
pub mod metric;
pub mod password;
pub mod path;
pub mod pattern;
pub mod proven;
pub mod rate;
pub mod reach;
pub mod report;
pub mod shelf;
pub mod spread;
pub mod state;
pub mod time;
pub mod version;
pub mod window;
