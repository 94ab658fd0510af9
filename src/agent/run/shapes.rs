//! In which shape the running agent reports: what answers say of it.

use super::Agent;
use crate::agent::answer::{Answer, Misfit};
use crate::agent::observe::Observer;
use crate::agent::pulse::Now;
use crate::agent::shape::MOST_BYTES;

impl<O: Observer> Agent<O> {
    /// Changes the shape of the next reports if that of the last one was to blame for its answer.
    pub(super) fn reshape(&mut self, misfit: Option<Misfit>, by_relays: bool, now: Now) {
        match misfit {
            Some(Misfit::Dictionary) => self.shapes.forget_dictionary(),
            Some(Misfit::Frame) => {
                tracing::info!("The manager takes no frames; reports go as JSON");
                self.shapes.only_json(now.pulse);
            }
            None if by_relays => {
                self.shapes.json_for_a_while(now.pulse);
                self.courier.reshape();
            }
            None => {}
        }
    }

    /// Takes up what a receipt says of shapes, and fetches the dictionary that it names.
    pub(super) async fn learn(&mut self, answer: &Answer, relayed: bool) {
        let Answer::Stored(receipt) = answer else { return };
        self.shapes.heed(receipt);
        if relayed {
            return;
        }
        let Some(id) = self.shapes.wanted(self.pulse.now().pulse) else { return };
        let path = format!("status/dictionaries/{id}");
        let fetched = self.door.fetch(&path, MOST_BYTES).await;
        if !fetched.is_some_and(|bytes| self.shapes.fetched(&id, bytes)) {
            tracing::warn!(%id, "The manager's dictionary could not be fetched");
        }
    }
}
