//! Who signs in by name and password, as stored, and which sessions are asked for.

use std::fmt;

use crate::model::access::Role;
use crate::model::time::UnixSeconds;

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Their name, in lower case.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id of their password as a PHC string; `None` until they have chosen one.
    pub password: Option<String>,
    /// When they chose it.
    pub password_at: Option<UnixSeconds>,
    /// What lets them choose one.
    pub setup: Option<Setup>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Rises with each change that ends their sessions.
    pub generation: i64,
    /// When they were added.
    pub created_at: UnixSeconds,
    /// Who added them.
    pub created_by: String,
    /// When they last signed in.
    pub last_sign_in_at: Option<UnixSeconds>,
    /// From which address.
    pub last_sign_in_from: Option<String>,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserRecord({} {} {})", self.name, self.role, self.generation)
    }
}

/// A setup code: with it a person chooses a password, once.
#[derive(Clone, PartialEq, Eq)]
pub struct Setup {
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    /// When it ends.
    pub until: UnixSeconds,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setup(until {})", self.until)
    }
}

/// Which sessions and tokens to list.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Only those of this name.
    pub name: Option<String>,
    /// Only `session`, or only `token`.
    pub kind: Option<&'static str>,
    /// At most this many.
    pub limit: usize,
}
