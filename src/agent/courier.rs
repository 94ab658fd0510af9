//! Decides what is sent next, when, and what an answer means for it. Does no networking: the
//! agent carries envelopes out and answers in, a test as well.
//!
//! One report at a time is in hand. While nobody knows whether the manager has it, it stays in
//! hand, before all others and under one and the same tick: the same bytes while their
//! timestamp is young, then signed anew. The manager stores one report for a tick, so "this
//! tick is spent" says that it has this one, and nothing arrives twice. Everything else waits
//! in the spool, without a tick, and goes newest first.

use std::io;

use crate::model::time::UnixSeconds;
use crate::wire::answer::Receipt;

use super::answer::{Answer, Refusal, Verdict};
use super::losses::Losses;
use super::pace::{LONGEST_WAIT_MS, asked, backoff};
use super::parcel::Parcel;
use super::pulse::{Now, spread};
use super::seal::{Seal, Sender, Signer};
use super::shape::Packing;
use super::spool::{Bounds, Spool, SpoolNo};
use super::tick::Ticks;

mod shape;

/// Bytes older than this are signed anew: a minute before the manager's limit of 600 s.
const RESEND_SECONDS: i64 = 540;

/// A report that the manager fails at (500) for as long as this is given up: it may be the
/// report that makes it fail, and others wait behind it.
const POISON_MS: i64 = 3_600_000;

/// How many times a tick that turns out to be spent is raised, each time twice as far: 60 s
/// becomes two years.
const MAX_SKIPS: u32 = 20;

/// Of the reports that waited in the spool so many are sent in one report interval: the fleet
/// that comes back adds at most ten times its usual load.
const HISTORY_PER_INTERVAL: i64 = 10;

/// And not more often than this: the manager's usual limit for one agent is one in a second.
const HISTORY_APART_MS: i64 = 1_000;

/// Seconds between reports until the manager says how many.
pub const DEFAULT_INTERVAL: u32 = 30;

/// What signs, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Pen<'a> {
    /// The key.
    pub signer: &'a Signer,
    /// The sender.
    pub sender: &'a Sender,
    /// How what is signed now is put into its envelope.
    pub packing: &'a Packing,
}

/// What became of the report that was answered, for the log and `--once`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The manager has it.
    Delivered,
    /// It was given up.
    Dropped,
    /// It is kept and goes again.
    Kept,
}

/// Why nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The disk does not take what must be on it before a byte leaves.
    #[error("the spool cannot be used ({0}): make room, and let the agent's user write there")]
    Disk(#[from] io::Error),
    /// The operating system gives no randomness.
    #[error("the operating system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// A head could not be written as JSON.
    #[error("an envelope cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The one who sends.
#[derive(Debug)]
pub struct Courier {
    spool: Spool,
    ticks: Ticks,
    hand: Option<Parcel>,
    /// Attempts in a row that brought nothing.
    failures: u32,
    skips: u32,
    /// Nothing is sent before this, by the pulse.
    not_before: i64,
    /// Nothing of the spool is sent before this, by the pulse.
    history_from: i64,
    interval: u32,
}

impl Courier {
    /// Goes on where the last run ended: what was in doubt then is in hand.
    pub fn new(mut spool: Spool, ticks: Ticks) -> io::Result<Self> {
        let mut hand = None;
        if let Some(doubt) = spool.doubt().cloned() {
            let read = spool.read(doubt.number)?;
            hand = read.map(|(data, collected_at)| Parcel {
                tick: Some(doubt.seal.tick),
                seal: Some(doubt.seal),
                sent: true,
                ..Parcel::spooled(doubt.number, data, collected_at)
            });
        }
        Ok(Self {
            spool,
            ticks,
            hand,
            failures: 0,
            skips: 0,
            not_before: i64::MIN,
            history_from: i64::MIN,
            interval: DEFAULT_INTERVAL,
        })
    }

    /// Keeps so much on disk from now on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.spool.set_bounds(bounds);
    }

    /// Seconds between reports, as the manager last told.
    pub fn interval(&self) -> u32 {
        self.interval
    }

    /// What waits on disk.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Whether the last attempts brought nothing.
    pub fn is_cut_off(&self) -> bool {
        self.failures > 0
    }

    /// When to send next, by the pulse; `None` if there is nothing to send.
    pub fn due(&self) -> Option<i64> {
        if self.hand.is_some() {
            Some(self.not_before)
        } else if self.spool.is_empty() {
            None
        } else {
            Some(self.not_before.max(self.history_from))
        }
    }

    /// Sends nothing for a while, because there is no key to sign with or a disk to write to.
    pub fn hold(&mut self, now: Now, millis: i64) {
        self.not_before = self.not_before.max(now.pulse.saturating_add(millis));
    }

    /// Tries at once, because something has changed that may have been in the way.
    pub fn hurry(&mut self) {
        self.not_before = i64::MIN;
    }

    /// Puts the report in hand on disk if it is not there: the manager is out of reach.
    pub fn shelve(&mut self) {
        match self.hand.take() {
            Some(parcel) if parcel.number.is_none() => self.keep_or_lose(&parcel),
            other => self.hand = other,
        }
    }

    /// The manager was asked something else than to take a report, and did not answer well.
    pub fn failed(&mut self, answer: &Answer, now: Now) {
        let wait = spread(backoff(self.failures), 50).max(asked(answer));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.pulse.saturating_add(wait);
    }

    /// Takes a new report, which tells of these losses: to be sent at once if nothing is in the
    /// way, else to disk.
    pub fn take(&mut self, data: Vec<u8>, now: Now, told: Losses) {
        self.expire(now);
        let parcel = Parcel { told, ..Parcel::new(data, now.second()) };
        if self.hand.is_none() && self.not_before <= now.pulse {
            self.hand = Some(parcel);
        } else {
            self.keep_or_lose(&parcel);
        }
    }

    fn expire(&mut self, now: Now) {
        if let Err(error) = self.spool.expire(now.second()) {
            tracing::warn!(%error, "Reports that are too old cannot be removed");
        }
    }

    /// Puts a report that has no place on disk there: with its seal if it has one, so that it
    /// goes again as it is.
    fn keep(&mut self, parcel: &Parcel) -> io::Result<SpoolNo> {
        let (data, collected_at) = (&parcel.data, parcel.collected_at);
        let number = match &parcel.seal {
            Some(seal) => self.spool.accept_in_doubt(data, collected_at, seal)?,
            None => self.spool.accept(data, collected_at)?,
        };
        self.spool.settle(parcel.told);
        tracing::debug!(collected_at = collected_at.0, "Report spooled");
        Ok(number)
    }

    fn keep_or_lose(&mut self, parcel: &Parcel) {
        if let Err(error) = self.keep(parcel) {
            tracing::warn!(%error, "A report is lost: it cannot be kept on disk");
            self.spool.count(Losses { unwritten: 1, ..Losses::default() });
        }
    }

    /// The envelope to send now, and the second it tells of; `None` if there is nothing to send. What must survive a crash
    /// from here on is on disk when this returns.
    pub fn envelope(
        &mut self,
        pen: &Pen<'_>,
        now: Now,
    ) -> Result<Option<(Vec<u8>, UnixSeconds)>, SendError> {
        if self.hand.is_none() {
            self.hand = self.newest()?;
        }
        let Some(mut parcel) = self.hand.take() else { return Ok(None) };
        let sealed = self.seal(&mut parcel, pen, now);
        let envelope = sealed.and_then(|seal| Ok(seal.envelope(&parcel.data)?));
        match envelope {
            Ok(envelope) => {
                let collected_at = parcel.collected_at;
                self.hand = Some(parcel);
                Ok(Some((envelope, collected_at)))
            }
            Err(error) => {
                // Back to where it was: in doubt or on disk it still is.
                if parcel.sent || parcel.number.is_none() {
                    self.hand = Some(parcel);
                }
                Err(error)
            }
        }
    }

    fn newest(&mut self) -> io::Result<Option<Parcel>> {
        while let Some(number) = self.spool.newest() {
            if let Some((data, collected_at)) = self.spool.read(number)? {
                return Ok(Some(Parcel::spooled(number, data, collected_at)));
            }
        }
        Ok(None)
    }

    /// The seal to send a report with: the one it has while that is good, else a new one under
    /// the same tick.
    fn seal(&mut self, parcel: &mut Parcel, pen: &Pen<'_>, now: Now) -> Result<Seal, SendError> {
        let second = now.second();
        let good = |seal: &&Seal| {
            let age = second.since(seal.timestamp);
            // Once the own key signs, the manager takes nothing under the shared one.
            (-RESEND_SECONDS..RESEND_SECONDS).contains(&age)
                && seal.is_like(pen.signer)
                && seal.is_whole()
        };
        if let Some(seal) = parcel.seal.as_ref().filter(good) {
            return Ok(seal.clone());
        }
        let tick = match parcel.tick {
            Some(tick) => tick,
            None => self.ticks.next(now.wall),
        };
        let said = (parcel.data.as_slice(), pen.packing);
        let seal = Seal::new(pen.signer, pen.sender, (tick, second), said)?;
        if let Some(number) = parcel.number {
            self.spool.set_doubt(number, &seal)?;
        }
        parcel.tick = Some(tick);
        parcel.seal = Some(seal.clone());
        Ok(seal)
    }

    /// The report in hand may have reached the manager already, by another way than the one
    /// that is about to be answered.
    pub fn may_have_left(&mut self) {
        if let Some(parcel) = &mut self.hand {
            parcel.sent = true;
        }
    }

    /// What came back for the envelope that was sent last.
    pub fn answered(&mut self, answer: &Answer, now: Now) -> Fate {
        let Some(mut parcel) = self.hand.take() else { return Fate::Kept };
        if parcel.seal.as_ref().and_then(|seal| answer.misfit(seal)).is_some() {
            // Its shape is to blame. In another one it is the same report under the same tick.
            parcel.seal = None;
            self.not_before = now.pulse;
            self.hand = Some(parcel);
            return Fate::Kept;
        }
        let verdict =
            self.poisoned(&mut parcel, answer, now).unwrap_or(answer.verdict(parcel.sent));
        match verdict {
            Verdict::Delivered => {
                if let Answer::Stored(Receipt { interval, .. }) = answer {
                    self.interval = (*interval).clamp(1, 3600);
                }
                self.failures = 0;
                self.skips = 0;
                self.done(parcel, now)
            }
            Verdict::Hopeless => {
                self.failures = 0;
                self.spool.count(Losses { refused: 1, ..Losses::default() });
                match self.done(parcel, now) {
                    Fate::Delivered => Fate::Dropped,
                    fate @ (Fate::Dropped | Fate::Kept) => fate,
                }
            }
            Verdict::Resend => {
                self.resend(parcel, answer, now);
                Fate::Kept
            }
            Verdict::SignAnew(seconds) => {
                let wait = spread(i64::from(seconds) * 1100, 9).max(asked(answer));
                self.not_before = now.pulse.saturating_add(wait);
                // If the manager may have it under this tick, only the signature is given up.
                parcel.seal = None;
                self.put_back(parcel);
                Fate::Kept
            }
            Verdict::NewTick => {
                self.raise(parcel, now);
                Fate::Kept
            }
        }
    }

    /// Gives up a report that the manager has failed at for too long.
    fn poisoned(&self, parcel: &mut Parcel, answer: &Answer, now: Now) -> Option<Verdict> {
        match answer {
            Answer::Refused(Refusal { status: 500, .. }) => {
                let since = *parcel.failing_since.get_or_insert(now.pulse);
                (now.pulse.saturating_sub(since) > POISON_MS).then_some(Verdict::Hopeless)
            }
            Answer::Refused(_) | Answer::Stored(_) | Answer::Lost { .. } => None,
        }
    }

    /// The report needs nothing more; from disk it goes too.
    fn done(&mut self, parcel: Parcel, now: Now) -> Fate {
        self.spool.settle(parcel.told);
        let Some(number) = parcel.number else { return Fate::Delivered };
        let gap = i64::from(self.interval) * 1000 / HISTORY_PER_INTERVAL;
        let gap = spread(gap.max(HISTORY_APART_MS), 50);
        self.history_from = now.pulse.saturating_add(gap);
        match self.spool.remove(number) {
            Ok(()) => Fate::Delivered,
            Err(error) => {
                // Sent again later, it is a duplicate; forgotten now, it would be a new report.
                tracing::warn!(%error, "A delivered report cannot be removed from the spool");
                self.hand = Some(Parcel { sent: true, ..parcel });
                self.hold(now, LONGEST_WAIT_MS);
                Fate::Kept
            }
        }
    }

    fn resend(&mut self, mut parcel: Parcel, answer: &Answer, now: Now) {
        self.failed(answer, now);
        let never_left = matches!(answer, Answer::Lost { sent: false, .. });
        parcel.sent |= match answer {
            Answer::Lost { sent, .. } => *sent,
            // Told before anything is stored.
            Answer::Refused(Refusal { status: 429, .. }) => false,
            Answer::Refused(_) | Answer::Stored(_) => true,
        };
        if never_left && !parcel.sent {
            parcel.seal = None;
            self.put_back(parcel);
            return;
        }
        if parcel.number.is_none() {
            match self.keep(&parcel) {
                Ok(number) => parcel.number = Some(number),
                Err(error) => tracing::warn!(%error, "A report waits in memory only"),
            }
        }
        self.hand = Some(parcel);
    }

    /// A report that is surely not stored goes back to the others; one in doubt stays in hand.
    fn put_back(&mut self, mut parcel: Parcel) {
        if parcel.sent {
            self.hand = Some(parcel);
            return;
        }
        parcel.tick = None;
        match parcel.number {
            None => self.keep_or_lose(&parcel),
            Some(_) => {
                if let Err(error) = self.spool.clear_doubt() {
                    // On disk it is in doubt, so it is here as well.
                    tracing::warn!(%error, "The spool cannot be written");
                    parcel.tick = self.spool.doubt().map(|doubt| doubt.seal.tick);
                    self.hand = Some(parcel);
                }
            }
        }
    }

    /// The manager knows higher ticks than this agent remembers: its state was lost while its
    /// clock was behind. Above some tick there are free ones.
    fn raise(&mut self, mut parcel: Parcel, now: Now) {
        if self.skips < MAX_SKIPS {
            self.ticks.skip(60 << self.skips);
            self.skips += 1;
            self.not_before = now.pulse;
        } else {
            self.not_before = now.pulse.saturating_add(LONGEST_WAIT_MS);
        }
        parcel.seal = None;
        parcel.tick = None;
        if parcel.number.is_some() {
            self.put_back(parcel);
        } else {
            self.hand = Some(parcel);
        }
    }

    /// Puts everything on disk that is not there yet.
    pub fn close(&mut self) -> io::Result<()> {
        self.shelve();
        self.ticks.settle()
    }

    /// Losses that the next report should tell of.
    pub fn losses(&self) -> Losses {
        self.spool.losses()
    }
}
