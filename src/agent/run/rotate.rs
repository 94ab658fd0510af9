//! Exchanging the agent's key while it runs, or instead of a run.

use std::time::Duration;

use super::Agent;
use crate::agent::answer::{Answer, Refusal};
use crate::agent::enroll::Asking;
use crate::agent::enroll::exchange::Progress;
use crate::agent::observe::Observer;
use crate::agent::pulse::Now;
use crate::agent::seal::Signer;
use crate::model::id::Kid;

/// How often `--rotate` tries again what brought nothing, so that neither an answer that was
/// lost nor a key enrolled in the same second needs a person.
const TRIES: u32 = 2;

/// How long it waits before.
const BETWEEN_TRIES: Duration = Duration::from_millis(1_500);

/// Without a pre-shared key it is tried again after this long.
const NO_KEY_MS: i64 = 60_000;

impl<O: Observer> Agent<O> {
    /// Exchanges the key now, for `--rotate`.
    ///
    /// # Errors
    /// Why it is not exchanged. If nobody knows what the manager has done, the next run goes on.
    pub async fn rotate(&mut self) -> Result<Kid, String> {
        let now = self.pulse.now();
        self.look(now).await;
        if let Progress::GivenUp(why) = self.enrolment.begin_exchange() {
            return Err(why);
        }
        let mut tries = 0;
        loop {
            match self.exchange(self.pulse.now()).await {
                Progress::Done(kid) => return Ok(kid),
                Progress::GivenUp(why) => return Err(why),
                Progress::Later(_) if tries < TRIES => tries += 1,
                Progress::Later(why) => {
                    return Err(format!("{why}; both keys are kept, and the next run goes on"));
                }
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Goes on with an exchange if its time has come. Only reports pass relays.
    pub(super) async fn exchange_if_due(&mut self, now: Now) {
        if self.enrolment.exchange_is_due(now) && self.route.goes_straight() {
            drop(self.exchange(now).await);
        }
    }

    async fn exchange(&mut self, now: Now) -> Progress {
        let psk = match self.keys.current(now).await {
            Ok(psk) => psk,
            Err(why) => {
                self.enrolment.put_off_exchange(now, NO_KEY_MS);
                return Progress::Later(why);
            }
        };
        let (sender, hostname) = (self.sender(), self.hostname.clone());
        let asking = Asking { psk: &psk, sender: &sender, hostname: &hostname, now };
        let progress = self.enrolment.exchange(&self.door, &asking).await;
        if let Progress::Later(_) = progress {
            // The shared key may be what was not taken.
            self.keys.expire();
        }
        progress
    }

    /// What an answer says about keys.
    pub(super) fn heed(&mut self, answer: &Answer, signer: &Signer, relayed: bool) {
        if let Signer::Own(key) = signer
            && self.enrolment.weigh(&key.kid(), answer)
        {
            return;
        }
        let Answer::Refused(Refusal { status, code, .. }) = answer else { return };
        match (status, code.as_str(), signer) {
            // What a path is to blame for says nothing of this host's keys.
            _ if relayed => {}
            (401, _, Signer::Psk { .. }) => self.keys.expire(),
            // The manager has forgotten this host, or an admin has unpinned its key.
            (401, _, Signer::Own(_)) => self.enrolment.doubt(),
            // The manager knows this host's own key, this host had forgotten.
            (403, "identity_required", Signer::Psk { .. }) => {
                self.enrolment.doubt();
                self.courier.hurry();
            }
            _ => {}
        }
    }
}
