//! The agent: what runs on every WireGuard host and tells the manager about it.
//!
//! It reads its own host and nobody else's, and never lets a private or preshared key leave the
//! place where it was read. A look goes one way: [`observe`] says what is seen, [`report`] makes
//! `data` of it, [`courier`] decides when it is sent, [`seal`] signs it under a number of
//! [`tick`], [`client`] carries it and [`answer`] says what came back. What cannot be sent waits
//! in [`spool`]. [`identity`] is who the agent is, [`enroll`] makes that known, [`keyring`] knows
//! the fleet's key until then, and [`run`] drives all of it. When the manager is out of reach,
//! [`route`] finds neighbours that pass reports on ([`neighbour`]), as [`door`] does for them.

pub mod answer;
pub mod client;
pub mod collect;
pub mod courier;
pub mod door;
pub mod enroll;
pub mod files;
pub mod host;
pub mod identity;
pub mod keyring;
pub mod losses;
pub mod neighbour;
pub mod notify;
pub mod observe;
pub mod pulse;
pub mod report;
pub mod route;
pub mod run;
pub mod seal;
pub mod shape;
pub mod spool;
pub mod tick;

mod pace;
mod parcel;
