//! What the courier knows of the shape of the report in hand.

use super::Courier;
use crate::agent::answer::{Answer, Misfit};

impl Courier {
    /// Why the shape of the report in hand is to blame for an answer, if it is.
    pub fn misfit(&self, answer: &Answer) -> Option<Misfit> {
        answer.misfit(self.hand.as_ref()?.seal.as_ref()?)
    }

    /// The report in hand is to be sealed anew, in another shape.
    pub fn reshape(&mut self) {
        if let Some(parcel) = &mut self.hand {
            parcel.seal = None;
        }
    }
}
