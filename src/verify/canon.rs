//! Which bytes a version 1 signature may cover: the choice that the settings make, and the order
//! in which the forms are tried.

use std::str::FromStr;

use thiserror::Error;

use crate::model::state::CanonForm;

/// Which bytes a version 1 signature may cover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum V1Canon {
    /// The bytes of `data` as received, or a form of them that Python and Go agents sign.
    #[default]
    Auto,
    /// The bytes of `data` as received, only.
    Raw,
}

impl V1Canon {
    /// The forms to try, in order; the one that matched last time first.
    pub(super) fn forms(self, hint: Option<CanonForm>) -> impl Iterator<Item = CanonForm> {
        let (hint, all) = match self {
            Self::Auto => (hint, CanonForm::ALL),
            Self::Raw => (None, [CanonForm::Raw].as_slice()),
        };
        hint.into_iter().chain(all.iter().copied().filter(move |form| Some(*form) != hint))
    }
}

impl FromStr for V1Canon {
    type Err = InvalidV1Canon;
    fn from_str(word: &str) -> Result<Self, InvalidV1Canon> {
        match word {
            "auto" => Ok(Self::Auto),
            "raw" => Ok(Self::Raw),
            _ => Err(InvalidV1Canon),
        }
    }
}

/// Not a word for [`V1Canon`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be auto or raw")]
pub struct InvalidV1Canon;
