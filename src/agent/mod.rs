//! The agent: what runs on every WireGuard host and tells the manager about it.
//!
//! It reads its own host and nobody else's, and never lets a private or preshared key leave the
//! place where it was read.

pub mod collect;
