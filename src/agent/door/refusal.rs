//! What the door itself refuses, as a problem (RFC 9457) like the manager's.

use crate::sign::nonce;
use crate::wire::answer::Problem;
use crate::wire::codes::ErrorCode;

/// A refusal by the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub detail: String,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal with a sentence for a person.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// Tells when to try again.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The body.
    pub fn problem(&self) -> Problem {
        // Without randomness the log only lacks a name for the request.
        let id = nonce::fresh().unwrap_or_default();
        let status = self.code.http_status();
        let mut problem = Problem::new(self.code, status, self.detail.clone(), id);
        problem.retry_after = self.retry_after;
        problem
    }
}
