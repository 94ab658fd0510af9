//! The integration tests.
#![expect(clippy::unwrap_used, reason = "a failed setup step is a failed test")]

mod wire_hostile;
mod wire_vectors;
