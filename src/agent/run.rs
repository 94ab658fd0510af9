//! The agent as a whole: looks, reports, waits, and looks again.
//!
//! [`Agent::step`] does what is due and says when the next thing will be; [`Agent::until`]
//! does so until it is told to stop. Between them nothing is lost if the future is dropped:
//! what is on its way is remembered before it leaves.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::clock::Clock;
use crate::keys::source::SourceConfig;
use crate::model::id::{AgentId, Kid};
use crate::model::time::UnixSeconds;

use super::answer::Answer;
use super::client::{Door, Way, WayError};
use super::courier::{Courier, Fate, Pen};
use super::door::listen::{DoorSettings, Listeners};
use super::door::station::Station;
use super::enroll::{Asking, Enrolment, Outcome, Standing, plain_hostname};
use super::files::{Home, HomeError};
use super::identity::{Identity, IdentityError};
use super::keyring::Keyring;
use super::keyring::kept::Kept;
use super::neighbour::Neighbours;
use super::observe::Observer;
use super::pulse::{Now, Pulse, spread};
use super::report::{About, assemble};
use super::route::around::Around;
use super::route::{Passage, Route};
use super::seal::{Sender, Signer};
use super::shape::{Preference, Shapes};
use super::spool::{Bounds, Spool};
use super::tick::Ticks;

mod rotate;
mod shapes;

/// The spool's directory below the agent's.
pub const SPOOL: &str = "spool";

/// A change is reported after this long, with those that come along with it.
const DEBOUNCE_MS: i64 = 1_000;

/// Changes cause at most one report in this time.
const CHANGES_APART_MS: i64 = 5_000;

/// Why nothing is sent while the manager refuses or an admin has to approve.
const WAITING: &str = "the manager has not enrolled this host yet; an admin may have to";

/// Without a key or a disk it is tried again after this long.
const HELD_MS: i64 = 60_000;

/// What the agent is told from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the manager is reached.
    pub way: Way,
    /// Where the pre-shared key comes from.
    pub keys: SourceConfig,
    /// Whether the last keys from DNS are kept in the directory until this host is enrolled.
    pub keep_keys: bool,
    /// What this host says of itself.
    pub about: About,
    /// Where identity and spool are.
    pub dir: PathBuf,
    /// How much may be spooled.
    pub spool: Bounds,
    /// Its own door, for neighbours.
    pub door: DoorSettings,
    /// In which shape reports are sent.
    pub shape: Preference,
}

/// Why the agent cannot begin.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Its directory.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Its identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Files in its directory.
    #[error("the agent's directory {0} cannot be used ({1}): let the agent's user own it")]
    Files(PathBuf, #[source] io::Error),
    /// The way to the manager.
    #[error(transparent)]
    Way(#[from] WayError),
}

/// One report's fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What became of it.
    pub fate: Fate,
    /// Which second it tells of.
    pub collected_at: UnixSeconds,
    /// The answer in words.
    pub answer: String,
}

/// A running agent.
#[derive(Debug)]
pub struct Agent<O> {
    observer: O,
    pulse: Pulse,
    door: Door,
    keys: Keyring,
    enrolment: Enrolment,
    courier: Courier,
    shapes: Shapes,
    station: Arc<Station>,
    listeners: Listeners,
    route: Route,
    around: Around,
    about: About,
    hostname: String,
    /// When the next look is due, by the pulse.
    look_due: i64,
    looked_at: i64,
    /// Whether the last answer was good; `None` before the first.
    connected: Option<bool>,
}

impl<O: Observer> Agent<O> {
    /// Takes the directory and goes on where the last run ended. Nothing is sent yet.
    pub fn open(settings: Settings, observer: O, clock: Clock) -> Result<Self, OpenError> {
        let Settings { way, keys, keep_keys, about, dir, spool, door: own_door, shape } = settings;
        let door = Door::new(&way)?;
        let home = Arc::new(Home::open(&dir)?);
        let identity = Identity::load_or_make(&home)?;
        let next = identity.next(&home)?;
        let (agent_id, fleet_id) = (identity.agent_id.clone(), about.fleet_id.clone());
        let sender = Sender { agent_id, fleet_id };
        let station = Station::new(clock.clone(), sender, door.clone(), Neighbours::new()?);
        let station = Arc::new(station);
        station.set_token(own_door.token.as_ref());
        let files = |error| OpenError::Files(dir.clone(), error);
        let enrolment =
            Enrolment::load(Arc::clone(&home), identity, next, &way.manager).map_err(files)?;
        let ticks = Ticks::load(Arc::clone(&home)).map_err(files)?;
        let spool = Spool::open(&home.path(SPOOL), spool).map_err(files)?;
        let waiting = spool.len();
        if waiting > 0 {
            tracing::info!(waiting, "Reports of the last run wait in the spool");
        }
        Ok(Self {
            observer,
            pulse: Pulse::new(clock),
            door,
            shapes: Shapes::load(Arc::clone(&home), shape),
            keys: Keyring::new(keys, Kept::new(home), keep_keys),
            enrolment,
            courier: Courier::new(spool, ticks).map_err(files)?,
            listeners: Listeners::new(own_door.serving, Arc::clone(&station)),
            route: Route::new(Arc::clone(&station)),
            station,
            around: Around::default(),
            about,
            hostname: String::new(),
            look_due: i64::MIN,
            looked_at: i64::MIN,
            connected: None,
        })
    }

    /// This agent's id.
    pub fn agent_id(&self) -> &AgentId {
        &self.enrolment.identity().agent_id
    }

    /// The name of its own key, which an admin compares before approving it.
    pub fn key_name(&self) -> Kid {
        self.enrolment.identity().secret.kid()
    }

    /// How it stands with the manager.
    pub fn standing(&self) -> Standing {
        self.enrolment.standing()
    }

    /// What waits to be sent.
    pub fn spool(&self) -> &Spool {
        self.courier.spool()
    }

    /// Goes on with other settings, except for the directory. If they cannot be used, the old
    /// ones stay.
    pub fn reload(&mut self, settings: Settings) -> Result<(), WayError> {
        self.door = Door::new(&settings.way)?;
        self.enrolment.move_to(&settings.way.manager);
        self.keys.reload(settings.keys, settings.keep_keys);
        self.courier.set_bounds(settings.spool);
        self.shapes.reload(settings.shape);
        self.about = settings.about;
        self.station.reload(self.sender(), self.door.clone());
        self.station.set_token(settings.door.token.as_ref());
        self.listeners.set(settings.door.serving);
        self.route.forget();
        self.courier.hurry();
        self.look_due = i64::MIN;
        Ok(())
    }

    /// Works until `stop` ends.
    pub async fn until<S: Future>(&mut self, stop: S) -> S::Output {
        let mut stop = std::pin::pin!(stop);
        let station = Arc::clone(&self.station);
        loop {
            let due = tokio::select! {
                biased;
                stopped = &mut stop => return stopped,
                due = self.step() => due,
            };
            let wait = due.saturating_sub(self.pulse.now().pulse);
            let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
            tokio::select! {
                biased;
                stopped = &mut stop => return stopped,
                () = tokio::time::sleep(wait) => {}
                () = self.observer.changed() => self.hasten(),
                () = station.woken() => {}
            }
        }
    }

    /// Does what is due; when the next thing is, by the pulse.
    pub async fn step(&mut self) -> i64 {
        let now = self.pulse.now();
        if self.station.take_reset() {
            tracing::info!("Asked to forget its paths and to report at once");
            self.route.forget();
            self.courier.hurry();
            self.look_due = i64::MIN;
        }
        self.enrolment.heed_wish();
        if self.look_due <= now.pulse {
            self.look(now).await;
            self.listeners.follow(&self.around.own);
        }
        let now = self.pulse.now();
        if self.courier.due().is_some_and(|due| due <= now.pulse) {
            drop(self.send(now).await);
        }
        // Where trying the straight way takes as long as a report's interval, a new look is due
        // already. Without a turn here what is kept would wait until that way works again.
        let now = self.pulse.now();
        let is_kept_due = self.courier.due().is_some_and(|due| due <= now.pulse);
        if self.look_due <= now.pulse && is_kept_due {
            drop(self.send(now).await);
        }
        let is_known = self.enrolment.standing() == Standing::Enrolled;
        if is_known {
            self.keys.retire();
        }
        let own = is_known.then(|| Arc::clone(&self.enrolment.identity().secret));
        self.station.set_key(own);
        self.courier.due().map_or(self.look_due, |due| due.min(self.look_due))
    }

    /// Looks once and sends what it saw, after what the last run left in doubt: for `--once`.
    ///
    /// # Errors
    /// What kept it from being delivered. It is in the spool then.
    pub async fn once(&mut self) -> Result<String, String> {
        let now = self.pulse.now();
        self.look(now).await;
        let mut why = String::from("nothing was sent");
        // What was in doubt goes first, and a spent tick is raised.
        for _ in 0..4 {
            self.courier.hurry();
            let Some(sent) = self.send(self.pulse.now()).await? else { break };
            match sent.fate {
                Fate::Delivered if sent.collected_at >= now.second() => return Ok(sent.answer),
                Fate::Delivered => {}
                Fate::Dropped | Fate::Kept => return Err(sent.answer),
            }
            why = sent.answer;
        }
        Err(why)
    }

    /// Something has changed: the next look is due soon, but not too soon after the last.
    pub fn hasten(&mut self) {
        let soon = self.pulse.now().pulse.saturating_add(DEBOUNCE_MS);
        let apart = self.looked_at.saturating_add(CHANGES_APART_MS);
        self.look_due = self.look_due.min(soon.max(apart));
    }

    /// Looks at the host and hands over what is seen.
    async fn look(&mut self, now: Now) {
        let seen = self.observer.observe(now.second()).await;
        if let Some(name) = seen.get("hostname").and_then(Value::as_str) {
            self.hostname = plain_hostname(name);
        }
        self.around = Around::of(&seen);
        self.route.look_around(self.around.peers.clone());
        let told = self.courier.losses();
        let data = assemble(seen, &self.about, now.second(), told);
        self.courier.take(data, now, told);
        self.looked_at = now.pulse;
        self.plan();
    }

    /// When the next look is due after the last.
    fn plan(&mut self) {
        let interval = i64::from(self.courier.interval()) * 1000;
        self.look_due = self.looked_at.saturating_add(spread(interval, 10));
    }

    /// One attempt; `None` if there was nothing to send.
    ///
    /// # Errors
    /// Why nothing could be sent; it is logged already.
    async fn send(&mut self, now: Now) -> Result<Option<Sent>, String> {
        let signer = match self.signer(now).await {
            Ok(signer) => signer,
            Err(why) => {
                self.courier.shelve();
                return Err(why);
            }
        };
        let sender = self.sender();
        let packing = self.shapes.next(now.pulse);
        let pen = Pen { signer: &signer, sender: &sender, packing: &packing };
        let (envelope, collected_at) = match self.courier.envelope(&pen, now) {
            Ok(Some(ready)) => ready,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "Nothing is sent");
                self.courier.hold(now, HELD_MS);
                return Err(error.to_string());
            }
        };
        let sent = self.route.send(&self.door, envelope.into(), now.pulse).await;
        let Passage { answer, in_doubt, relayed, misfit } = sent;
        let own_misfit = self.courier.misfit(&answer);
        if in_doubt {
            self.courier.may_have_left();
        }
        let interval = self.courier.interval();
        let fate = self.courier.answered(&answer, self.pulse.now());
        self.reshape(own_misfit, misfit, now);
        if self.courier.interval() != interval {
            self.plan();
        }
        self.heed(&answer, &signer, relayed);
        self.tell(&answer, fate);
        self.learn(&answer, relayed).await;
        Ok(Some(Sent { fate, collected_at, answer: answer.in_words() }))
    }

    fn sender(&self) -> Sender {
        Sender { agent_id: self.agent_id().clone(), fleet_id: self.about.fleet_id.clone() }
    }

    /// What signs the next report: the own key once it is enrolled, which is asked for when it
    /// is time, else the pre-shared one.
    async fn signer(&mut self, now: Now) -> Result<Signer, String> {
        self.exchange_if_due(now).await;
        if let Some(own) = self.enrolment.own() {
            return Ok(own);
        }
        if let Some(millis) = self.enrolment.patience(now) {
            self.courier.hold(now, millis);
            return Err(WAITING.to_owned());
        }
        let psk = match self.keys.current(now).await {
            Ok(psk) => psk,
            Err(why) => {
                tracing::error!(why, "There is no key to sign with; reports are kept");
                let wait = self.keys.due().saturating_sub(now.pulse);
                self.courier.hold(now, wait.clamp(1_000, HELD_MS));
                return Err(why);
            }
        };
        // Only reports pass relays: who cannot reach the manager goes on under the shared key.
        if !self.enrolment.is_due(now) || !self.route.goes_straight() {
            return Ok(psk);
        }
        let sender = self.sender();
        let asking = Asking { psk: &psk, sender: &sender, hostname: &self.hostname, now };
        let asked = self.enrolment.ask(&self.door, &asking).await;
        let now = self.pulse.now();
        match asked {
            Outcome::Settled(_) => Ok(self.enrolment.own().unwrap_or(psk)),
            Outcome::Wait(millis) => {
                self.courier.hold(now, millis);
                Err(WAITING.to_owned())
            }
            Outcome::BadKey => {
                tracing::warn!(kid = %psk.kid(), "The manager does not know our pre-shared key");
                self.keys.expire();
                self.courier.hold(now, spread(HELD_MS + 10_000, 10));
                Err("the manager does not know the pre-shared key; is it the same?".to_owned())
            }
            Outcome::Failed(answer @ Answer::Lost { .. }) if self.route.has_neighbours() => {
                self.route.is_shut(answer.in_words());
                Ok(psk)
            }
            Outcome::Failed(answer) => {
                self.courier.failed(&answer, now);
                self.tell(&answer, Fate::Kept);
                Err(answer.in_words())
            }
        }
    }

    /// Logs what changed: that the manager is lost, or found again, and every refusal.
    fn tell(&mut self, answer: &Answer, fate: Fate) {
        let words = answer.in_words();
        match fate {
            Fate::Delivered => {
                tracing::debug!(answer = words, "Report delivered");
                if self.connected != Some(true) {
                    let waiting = self.courier.spool().len();
                    tracing::info!(waiting, "The manager takes reports");
                }
            }
            Fate::Dropped => tracing::error!(answer = words, "A report was refused and dropped"),
            Fate::Kept => {
                tracing::debug!(answer = words, "Report not delivered");
                if self.connected != Some(false) {
                    tracing::warn!(answer = words, "The manager takes no reports; they are kept");
                }
            }
        }
        self.connected = Some(fate != Fate::Kept);
    }

    /// Ends: everything that is not delivered is on disk when this returns.
    pub fn close(mut self) -> io::Result<()> {
        self.courier.close()
    }
}
