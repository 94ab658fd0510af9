//! Who signs in by name and password, and the sessions and tokens that are open, as stored.

use std::fmt;

use crate::model::access::Role;
use crate::model::reach::Reach;
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
    /// Which fleets they see.
    pub reach: Reach,
    /// What they need beside the password, if they want that.
    pub factor: Option<Factor>,
    /// Who they are at the OpenID provider where they sign in, instead of with a password.
    pub foreign: Option<Foreign>,
    /// Whether they are given pseudonyms instead of names and addresses.
    pub masked: bool,
}

/// Who somebody is at an OpenID provider; no two people there ever are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The provider (`iss`).
    pub issuer: String,
    /// The person (`sub`).
    pub subject: String,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserRecord({} {} {})", self.name, self.role, self.generation)
    }
}

/// A second factor: one-time codes, and what replaces them when they are lost.
#[derive(Clone, PartialEq, Eq)]
pub struct Factor {
    /// The secret that makes the codes.
    pub secret: [u8; 20],
    /// The step of the last code that was used: none before or at it counts.
    pub step: i64,
    /// SHA-256 of each recovery code that is left.
    pub recovery: Vec<[u8; 32]>,
}

impl fmt::Debug for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Factor({} recovery codes)", self.recovery.len())
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

/// A signed-in browser or an API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Who: `admin` or a user's or token's name.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// `session` or `token`.
    pub kind: String,
    /// SHA-256 of the form token tied to the session.
    pub form_token: Option<String>,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it was last used.
    pub last_used_at: UnixSeconds,
    /// When it ends at the latest; `None` for tokens without expiry.
    pub expires_at: Option<UnixSeconds>,
    /// The generation of the user whose session it is; `None` if it is no user's.
    pub generation: Option<i64>,
    /// The address it was opened from, if that is known.
    pub source: Option<String>,
    /// Who made the token, if that is known.
    pub made_by: Option<String>,
    /// Which fleets it sees.
    pub reach: Reach,
    /// Whether it is given pseudonyms instead of names and addresses.
    pub masked: bool,
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
