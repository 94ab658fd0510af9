//! How far a store is that is being opened, for whoever waits for it.

use std::fmt;

/// What a start is at. Its words follow "the manager is starting: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The store is found, opened and, after a disorderly stop, checked.
    Opening,
    /// The store is copied before its schema is changed.
    Copying {
        /// The schema it is at.
        from: usize,
    },
    /// The store's schema is changed.
    Migrating {
        /// The schema it was at.
        from: usize,
        /// The schema it will be at.
        to: usize,
    },
    /// What is stored is read.
    Loading,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => write!(f, "the store is being opened and looked over"),
            Self::Copying { from } => write!(
                f,
                "the store is being copied, as it is at schema {from}, before it is brought to a \
                 new version"
            ),
            Self::Migrating { from, to } => {
                write!(f, "the store is being brought to a new version, from schema {from} to {to}")
            }
            Self::Loading => write!(f, "what is stored is being loaded"),
        }
    }
}

/// Whoever wants to know how far a store is.
pub trait Watch: fmt::Debug + Send + Sync {
    /// The store has come to a phase. Called on the thread that opens it, which waits.
    fn reached(&self, phase: Phase);
}
