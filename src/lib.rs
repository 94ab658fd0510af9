//! Kattila: signed reports in, a live topology map out.
//!
//! A report flows one way:
//! `http` takes its bytes, `verify` proves who signed them (with keys from `keys`, by the rules
//! of `wire` and `sign`), `process` turns the proof into one change of the fleet's state,
//! `store` makes that change durable together with the `alarms` it raises and the verdicts of
//! `topology`, and `views` shows the result. Imports point the same way and never back;
//! `tests/it/layers.rs` holds the table. `agent` is the other end of it: what runs on the hosts.

pub mod model;

pub mod clock;

pub mod form;

pub mod config;

pub mod meter;

pub mod pack;

pub mod store;

pub mod wire;

pub mod sign;

pub mod keys;

pub mod topology;

pub mod mask;

pub mod alarms;

pub mod notify;
pub mod oidc;

pub mod verify;

pub mod process;

pub mod views;

pub mod http;

pub mod delivery;

pub mod jobs;

pub mod simulate;

pub mod agent;

pub mod manager;

pub mod cli;
