//! Who may come in and what they may do. Every route says what it needs, and there is no way
//! to add one that does not ([`super::routes`]).

pub mod cookie;
pub mod factors;
pub mod gate;
pub mod guard;
pub mod guesses;
pub mod hashing;
pub mod keep;
pub mod login;
pub mod provider;
pub mod secret;
pub mod sessions;
pub mod setup;
pub mod share;
pub mod token;

use std::sync::Arc;

use crate::mask::Lens;
use crate::model::access::Role;
use crate::store::share::ShareRecord;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: health, static files, the way in and out.
    Public,
    /// A signed body, which the handler verifies; cookies and tokens are not looked at.
    Signature,
    /// The role of a viewer, or a shared link: what a visitor looks at, and nothing else is.
    Shared,
    /// At least this role; what is answered ends where the caller's reach ends.
    Role(Role),
    /// At least this role, and sight of everything: it is about the manager as a whole.
    Whole(Role),
}

impl Need {
    /// The role that a caller must have at least; `None` where none is asked for.
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::Public | Self::Signature => None,
            Self::Shared => Some(Role::Viewer),
            Self::Role(role) | Self::Whole(role) => Some(role),
        }
    }
}

/// Somebody who has been let in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// A user's name, `admin`, a token's name, or `anonymous`.
    pub name: String,
    /// Whether they are a user, rather than a token.
    pub user: bool,
    /// What they may do.
    pub role: Role,
    /// Which fleets they see, and whether under pseudonyms.
    pub lens: Lens,
    /// How they came in.
    pub way: Way,
}

/// How a caller came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Without saying who they are.
    Anonymous,
    /// With a token in a header, as programs do.
    Bearer {
        /// SHA-256 of the token; `None` for the configured admin token, which does not end.
        token: Option<[u8; 32]>,
    },
    /// With a cookie, as browsers do.
    Session {
        /// SHA-256 of the session's token.
        hash: [u8; 32],
        /// What forms of this session must bring back.
        form_token: String,
    },
    /// By a shared link, as visitors do.
    Share(Arc<ShareRecord>),
}

impl Caller {
    /// Somebody who sees everything.
    #[cfg(test)]
    pub fn for_test(name: &str) -> Self {
        let (name, role) = (name.to_owned(), Role::Operator);
        Self { name, user: false, role, lens: Lens::whole(), way: Way::Anonymous }
    }

    /// What forms of this caller must bring back, if the caller has forms.
    pub fn form_token(&self) -> Option<&str> {
        match &self.way {
            Way::Session { form_token, .. } => Some(form_token),
            Way::Anonymous | Way::Bearer { .. } | Way::Share(_) => None,
        }
    }

    /// The link that a visitor came by.
    pub fn share(&self) -> Option<&ShareRecord> {
        match &self.way {
            Way::Share(share) => Some(share),
            Way::Anonymous | Way::Bearer { .. } | Way::Session { .. } => None,
        }
    }
}
