//! The integration tests: one binary, real sockets, real files, a clock turned by hand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed setup step is a failed test"
)]

mod accept;
mod agent;
mod agent_collect;
mod alarms;
mod allocations;
mod arrange;
mod audit;
mod back_test;
mod browser;
mod calm;
mod data_shapes;
mod deltas;
mod dictionary;
mod error_pages;
mod exports;
mod faults;
mod footprint;
mod frames;
mod gone;
mod history;
mod identity;
mod incident;
mod job_runs;
mod keys;
mod lab;
mod large;
mod late;
mod layers;
mod lists;
mod masked;
mod measures;
mod mesh;
mod metrics;
mod migrations;
mod model;
mod notify;
mod overload;
mod parts;
mod past;
mod paths;
mod people;
mod prove;
mod reach;
mod recorded;
mod reject;
mod relay;
mod replay;
mod reset;
mod retain;
mod revoke;
mod rotate;
mod scenarios;
mod search;
mod shares;
mod shell_agent;
mod shipped;
mod sites;
mod spans;
mod starting;
mod store_contract;
mod store_metrics;
mod store_notices;
mod store_prune;
mod store_samples;
mod stream;
mod support;
mod sweep;
mod synced;
mod tls;
mod upgrade;
mod watchdog;
mod wire_hostile;
mod wire_vectors;
mod work;
