//! Who is told what of alarms, and when: the plan that a person wrote, the desk that keeps what
//! every channel was told, the messages' words, and what follows from an attempt to send one.
//!
//! Pure: `process` writes what the desk decides in the transaction of the alarm itself, and
//! `delivery` carries the messages. Suppression mutes messages and never touches an alarm.

pub mod attempt;
pub mod body;
pub mod desk;
pub mod file;
pub mod plan;
pub mod route;
pub mod row;
pub mod terms;
pub mod words;
