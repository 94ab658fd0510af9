//! The integration tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed setup step is a failed test"
)]

mod migrations;
mod store_contract;
mod store_samples;
