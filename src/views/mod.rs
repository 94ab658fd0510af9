//! Pages: what the store and the map know, as HTML.
//!
//! Every page is one struct of plain values, made by a pure function and rendered by askama.
//! Nothing here reads a clock, the network or the database; `now` comes in the page's context.
//! Whatever a host may have said is escaped by the templates.

pub mod agent;
pub mod agents;
pub mod alarm;
pub mod alarms;
pub mod api;
pub mod assets;
pub mod audit;
mod change;
pub mod changes;
pub mod curves;
pub mod drawing;
pub mod error;
pub mod events;
pub mod graphs;
pub mod link;
pub mod links;
pub mod list;
pub mod login;
pub mod maintenance;
pub mod map;
pub mod names;
pub mod notifications;
pub mod ordered;
pub mod page;
mod path;
pub mod paths;
pub mod people;
pub mod qr;
pub mod quality;
pub mod rates;
pub mod report;
pub mod reports;
pub mod rules;
pub mod settings;
pub mod shares;
pub mod site;
pub mod table;
pub mod text;
pub mod then;
pub mod thing_then;
pub mod thresholds;
pub mod waiting;
pub mod what_if;

#[cfg(test)]
mod samples;
