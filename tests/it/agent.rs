//! The agent: on its own against a door that misbehaves, against a real manager, and as the
//! program that is killed again and again; and its own door, at which it relays for others.

mod answers;
mod away;
mod enrol;
mod frames;
mod kill;
mod program;
mod relay;
mod rotate;
