//! A fleet of made-up hosts that speak the real protocol.
//!
//! [`world`] invents hosts, links and faults, [`envelope`] signs what they would say, [`load`]
//! pushes it over HTTP and counts the answers, [`demo`] keeps a small fleet running beside
//! `kattila demo`. Nothing here touches the manager from inside: a simulated host comes in by
//! the same door as a real one and is verified like anyone else.

pub mod answer;
pub mod connection;
pub mod demo;
pub mod envelope;
pub mod load;
pub mod pace;
pub mod rng;
pub mod summary;
pub mod target;
pub mod world;
