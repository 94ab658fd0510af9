//! When to call a person, and when to stop: the catalogue and what operators change of it, one
//! alarm's life, the open alarms, and the rules that turn facts into observations.
//!
//! Pure: facts and `now` go in, alarms and transitions come out. Nothing here stores, sends or
//! reads a clock, and every timer is a value of the alarm itself, so that a restart between any
//! two observations changes nothing.

pub mod aside;
pub mod book;
pub mod catalogue;
pub mod cause;
pub mod cover;
pub mod file;
pub mod flap;
pub mod lifecycle;
pub mod quality;
pub mod rate;
pub mod rules;
pub mod tuning;
