//! Carries the messages that the desk wrote: by HTTP, by mail, one at a time per channel and in
//! order, and tells the outside world that the manager lives.
//!
//! What was sent is recorded through the processor after the receiver has taken it, so a message
//! is sent at least once, under the same name each time. Nothing here decides what is told, and
//! no secret of the plan reaches a log or an error.

pub mod beat;
pub mod deliverer;
mod mail;
pub mod spans;
mod tls;
mod way;
pub mod web;
