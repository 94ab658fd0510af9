//! What the reports mean as a network: verdicts on edges, the graph, and where things are drawn.
//!
//! Pure: no I/O, no clock. petgraph stays in here.

pub mod arrange;
pub mod chain;
pub mod changes;
pub mod conflict;
pub mod cut;
pub mod edge_match;
mod few;
mod force;
pub mod graph;
mod intern;
pub mod layout;
pub mod leads;
pub mod offset;
mod packing;
pub mod past;
pub mod patch;
pub mod path;
pub mod picture;
pub mod prefixes;
pub mod query;
pub mod redundancy;
mod rings;
mod seats;
pub mod shape;
pub mod sites;
pub mod verdict;
pub mod weak;
pub mod weakest;
pub mod within;
pub mod without;
