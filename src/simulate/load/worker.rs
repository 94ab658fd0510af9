//! One connection's share of a run.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::simulate::answer::{self, Answer, Loss, Next};
use crate::simulate::connection::{Connection, Letter};
use crate::simulate::pace::{Resend, Turn, next_regular};
use crate::simulate::rng::Rng;
use crate::simulate::target::Target;

use super::press::Press;
use super::stage::Stage;
use super::{LAST_ANSWERS, LoadError};

/// How long a connection rests when the manager cannot be reached or all its hosts are away.
const REST: Duration = Duration::from_millis(100);

/// Reports for the hosts `number`, `number + step`, `number + 2 * step`, ...
#[derive(Debug)]
pub(super) struct Worker {
    number: usize,
    hosts: Vec<usize>,
    connection: Connection,
    press: Press,
    stage: Arc<Stage>,
    stop: CancellationToken,
    rng: Rng,
}

impl Worker {
    pub(super) fn new(
        number: usize,
        step: usize,
        target: &Arc<Target>,
        stage: &Arc<Stage>,
        stop: &CancellationToken,
    ) -> Self {
        Self {
            number,
            hosts: (number..stage.hosts()).step_by(step).collect(),
            connection: Connection::new(Arc::clone(target)),
            press: Press::default(),
            stage: Arc::clone(stage),
            stop: stop.clone(),
            rng: Rng::new(number as u64),
        }
    }

    /// As fast as the manager answers.
    pub(super) async fn run_closed(mut self) -> Result<(), LoadError> {
        let hosts = std::mem::take(&mut self.hosts);
        let mut silent = 0;
        for host in hosts.iter().copied().cycle() {
            if self.stop.is_cancelled() {
                break;
            }
            let answer = match self.introduce(host).await? {
                Some(refused) => Some(refused),
                None => {
                    let Some(envelope) = self.stage.envelope(host, &mut self.press)? else {
                        silent += 1;
                        if silent >= hosts.len() {
                            self.pause(Instant::now() + REST).await;
                        }
                        continue;
                    };
                    self.send(host, envelope, Instant::now()).await?
                }
            };
            silent = 0;
            if answer == Some(Answer::Lost(Loss::Unreachable)) {
                self.pause(Instant::now() + REST).await;
            }
        }
        Ok(())
    }

    /// At the times that come through `inbox`.
    pub(super) async fn run_at(
        mut self,
        mut inbox: UnboundedReceiver<Instant>,
    ) -> Result<(), LoadError> {
        let hosts = std::mem::take(&mut self.hosts);
        for host in hosts.iter().copied().cycle() {
            let intended = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(intended) = inbox.recv() => intended,
                else => break,
            };
            if self.introduce(host).await?.is_none()
                && let Some(envelope) = self.stage.envelope(host, &mut self.press)?
            {
                self.send(host, envelope, intended).await?;
            }
        }
        inbox.close();
        let mut unsent = 0;
        while inbox.try_recv().is_ok() {
            unsent += 1;
        }
        self.stage.count_unsent(self.number, unsent);
        Ok(())
    }

    /// Every host at its own interval, with the retries that the protocol asks for.
    pub(super) async fn run_fleet(
        mut self,
        interval: Duration,
        spread: Duration,
    ) -> Result<(), LoadError> {
        let start = Instant::now();
        let mut turns = BinaryHeap::new();
        for host in std::mem::take(&mut self.hosts) {
            let spread = u64::try_from(spread.as_micros()).unwrap_or(u64::MAX);
            let at = start + Duration::from_micros(self.rng.below(spread));
            turns.push(Turn { at, host, resend: None });
        }
        while let Some(turn) = turns.pop() {
            self.pause(turn.at).await;
            if self.stop.is_cancelled() {
                break;
            }
            let interval = self.stage.interval(turn.host, interval);
            let Some(next) = self.take_turn(turn, interval).await? else { break };
            turns.push(next);
        }
        Ok(())
    }

    /// Sends what is due and says when the host's next turn is; `None` when the run is over.
    async fn take_turn(
        &mut self,
        turn: Turn,
        interval: Duration,
    ) -> Result<Option<Turn>, LoadError> {
        let Turn { at, host, resend } = turn;
        let regular =
            |after: Instant| Turn { at: next_regular(at, interval, after), host, resend: None };
        if let Some(refused) = self.introduce(host).await? {
            let now = Instant::now();
            return Ok(Some(match answer::next(&refused, 0, 0) {
                Next::Report | Next::SignAgain => regular(now),
                Next::Hold(seconds) => regular(now + Duration::from_secs(seconds.into())),
                Next::Resend(seconds) => Turn { at: now + self.jitter(seconds), host, resend },
            }));
        }
        let sent = match resend {
            Some(resend) => resend,
            None => match self.stage.envelope(host, &mut self.press)? {
                Some(envelope) => Resend { envelope, signed_at: Instant::now(), attempt: 0 },
                None => return Ok(Some(regular(Instant::now()))),
            },
        };
        let Some(answer) = self.send(host, sent.envelope.clone(), Instant::now()).await? else {
            return Ok(None);
        };
        let now = Instant::now();
        let age = i64::try_from(sent.signed_at.elapsed().as_secs()).unwrap_or(i64::MAX);
        Ok(Some(match answer::next(&answer, sent.attempt, age) {
            Next::Report => regular(now),
            Next::Hold(seconds) => regular(now + Duration::from_secs(seconds.into())),
            Next::SignAgain => Turn { at: now, host, resend: None },
            Next::Resend(seconds) => {
                let at = now + self.jitter(seconds);
                Turn { at, host, resend: Some(Resend { attempt: sent.attempt + 1, ..sent }) }
            }
        }))
    }

    /// `seconds`, half of it more or less, so that a fleet does not come back as one.
    fn jitter(&mut self, seconds: u32) -> Duration {
        let millis = u64::from(seconds) * 1000;
        Duration::from_millis(millis / 2 + self.rng.below(millis + 1))
    }

    /// Makes a host's own key known before its first report; the answer if that failed.
    async fn introduce(&mut self, host: usize) -> Result<Option<Answer>, LoadError> {
        let Some(registration) = self.stage.registration(host)? else { return Ok(None) };
        let asked_at = Instant::now();
        let bytes = registration.len();
        let answer = tokio::select! {
            answer = self.connection.enrol(registration) => answer,
            () = self.stop.cancelled() => Answer::Lost(Loss::Closed),
        };
        if answer == Answer::Enrolled {
            self.stage.set_enrolled(host, true);
            return Ok(None);
        }
        self.stage.count(self.number, &answer, bytes, asked_at.elapsed());
        Ok(Some(answer))
    }

    /// Sends and counts; `None` if the run ended before the answer came.
    async fn send(
        &mut self,
        host: usize,
        envelope: Letter,
        intended: Instant,
    ) -> Result<Option<Answer>, LoadError> {
        let bytes = envelope.body.len();
        let last_call = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        let answer = tokio::select! {
            answer = self.connection.post(envelope) => answer,
            () = last_call => return Ok(None),
        };
        self.stage.count(self.number, &answer, bytes, intended.elapsed());
        if matches!(&answer, Answer::Refused { status: 401, .. }) {
            // The manager may have lost, or an admin unpinned, the host's own key.
            self.stage.set_enrolled(host, false);
        }
        if self.stage.compresses() {
            self.heed(&answer).await?;
        }
        Ok(Some(answer))
    }

    /// Takes up the dictionary that an answer names, and lets go of one that is not known.
    async fn heed(&mut self, answer: &Answer) -> Result<(), LoadError> {
        if matches!(answer, Answer::Refused { code, .. } if &**code == "dictionary_unknown") {
            self.stage.lent.forget();
        }
        if *answer == Answer::Stored
            && let Some(id) = self.connection.told_dictionary()
            && self.stage.lent.is_to_fetch(&id)
            && let Some(bytes) = self.connection.dictionary(&id).await
        {
            self.stage.lent.put(id, bytes)?;
        }
        Ok(())
    }

    /// Waits for a time or for the end of the run.
    async fn pause(&self, until: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(until.into()) => {}
            () = self.stop.cancelled() => {}
        }
    }
}
