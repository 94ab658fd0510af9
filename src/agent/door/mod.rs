//! The agent's own door: who it is, whether it reaches the manager, and passing on what
//! neighbours cannot deliver themselves (PROTOCOL 1.5).
//!
//! [`listen`] opens it where the settings say, [`serve`] speaks HTTP, [`rates`] bounds what
//! comes in, [`chain`] reads what is to be passed on, [`relay`] signs and forwards it, and
//! [`station`] is what the door knows of the agent. It decides nothing about a report: the
//! manager's answer goes back as it came. Nothing secret is told, and nothing is kept.

pub mod chain;
pub mod listen;
pub mod rates;
pub mod refusal;
pub mod relay;
pub mod serve;
pub mod station;

/// The port of every agent's door.
pub const PORT: u16 = 5087;
