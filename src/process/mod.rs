//! One verified report, one change, one transaction.

pub mod diff;
pub mod sections;
