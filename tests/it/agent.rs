//! The agent: on its own against a door that misbehaves, against a real manager, and as the
//! program that is killed again and again.

mod answers;
mod away;
mod enrol;
mod kill;
mod program;
