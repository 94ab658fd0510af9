//! One verified report, one change, one transaction.
//!
//! [`handle::Processor`] is what others hold; [`engine`] is the one thread behind it;
//! [`board::Board`] is what watchers see after each commit. Nothing here reads a clock or
//! touches SQL: the time comes with each batch, storage is `store`'s verbs.

pub mod acts;
mod admit;
pub mod board;
mod causes;
pub mod chores;
mod claims;
mod clocks;
mod commands;
pub mod condition;
mod conflicts;
mod dictionary;
pub mod diff;
mod doubt;
mod draft;
mod edges;
pub mod engine;
mod enroll;
mod fleet;
pub mod handle;
mod history;
pub mod identity;
mod keys;
mod late;
mod ledger;
mod links;
mod load;
mod mass;
mod order;
mod overlay;
mod peers;
pub mod people;
pub mod prove;
mod raise;
pub mod refusals;
mod relays;
mod reply;
mod report;
mod rows;
pub mod sections;
mod show;
pub mod summary;
mod suspect;
mod sweep;
mod tables;
mod tell;
mod tick;
pub mod tune;
pub mod upkeep;
mod watch;
mod weak;
pub mod wish;
mod witness;
