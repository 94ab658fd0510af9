//! The content of a report: `data` in every accepted shape, read into [`ReportData`].
//!
//! Lenient by contract: plain objects, the output of `ip -j` and the text of `wg show all dump`
//! are all understood, and whatever is odd becomes a [`Problem`](crate::model::report::Problem)
//! beside the rest. Only what is not a JSON object, or is larger than any real host, is refused.
//! One pass over the bytes, no clock, no I/O; private and preshared keys are noticed but never
//! copied out of the input.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "JSON will get no more kinds of values, and a reader wants one or two of them"
)]

mod dump;
mod finish;
pub(in crate::wire) mod hunt;
mod interface;
mod net;
mod notes;
mod peer;
mod prefixes;
mod repair;
mod route;
mod scalar;
pub(in crate::wire) mod secret;
mod section;
mod told;
mod top;

use thiserror::Error;

use crate::model::report::ReportData;

use notes::Notes;

/// Why `data` as a whole cannot be used. Never holds a value from the report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DataInvalid {
    /// Something else than an object.
    #[error("data is {found}; send a JSON object")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// Not JSON, or nested beyond reason.
    #[error("data is not readable JSON ({detail}); send what a JSON encoder writes")]
    Malformed {
        /// What the reader says, with line and column.
        detail: String,
    },
    /// A list is longer than its limit.
    #[error("data holds more than {limit} {what}; report only those that matter")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// How many are taken.
        limit: usize,
    },
}

/// Reads `data`. The result is sorted and free of duplicates, so that the order in which a host
/// lists its peers, routes or addresses never matters.
pub fn parse(data: &[u8]) -> Result<ReportData, DataInvalid> {
    let text = std::str::from_utf8(data)
        .map_err(|error| DataInvalid::Malformed { detail: error.to_string() })?;
    let mut notes = Notes::default();
    match top::read(text, &mut notes) {
        Ok(draft) => finish::finish(draft, notes),
        Err(DataInvalid::Malformed { detail }) => {
            // Well-formed JSON may still hold what no Rust value can: 1e999, half a surrogate.
            let Some(repaired) = repair::repair(text) else {
                return Err(DataInvalid::Malformed { detail });
            };
            let mut notes = Notes::default();
            notes.add("data", "held numbers out of range or broken characters; they were replaced");
            finish::finish(top::read(&repaired, &mut notes)?, notes)
        }
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests;
