//! Signing in at an OpenID provider: what is asked of it, and what of its answers is believed.
//!
//! [`flow`] makes the request and knows it again, [`keys`] reads the provider's keys, [`token`]
//! checks an ID token and reads it, [`provider`] speaks to the provider. Must never let anybody in
//! by itself: it says who somebody is there and what the settings make of that.

pub mod flow;
pub mod keys;
pub mod provider;
pub mod settings;
pub mod token;

use thiserror::Error;

/// Why nobody is let in. The texts are for the log: they hold no token, code or secret.
#[derive(Debug, Error)]
pub enum Failure {
    /// The provider does not answer, or not as one does.
    #[error("the sign-in provider: {0}")]
    Provider(String),
    /// It answered, and what it said does not hold.
    #[error("the sign-in was refused: {0}")]
    Refused(String),
    /// It is somebody, who has no role here.
    #[error("no role is given to {0}")]
    NoRole(String),
    /// It is somebody who has a role here and no fleet to see.
    #[error("no fleet is given to {0}")]
    NoFleet(String),
    /// It is somebody whose name cannot be a user's.
    #[error("the provider tells no name that can be a user's: {0}")]
    NoName(String),
}

impl Failure {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}
