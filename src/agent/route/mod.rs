//! Which way a report goes: straight to the manager while that works, else through neighbours
//! on the WireGuard networks (PROTOCOL 1.5).
//!
//! Whichever way, it is the same signed bytes. What a relay or its path is to blame for is no
//! answer for the report: the path is left alone for a while, and the next one tried. An answer
//! that a relay passes back is the manager's.

pub mod around;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::wire::frame;
use crate::wire::limits::RELAYS;

use super::answer::{Answer, Refusal};
use super::client::{Door, lost};
use super::door::PORT;
use super::door::station::{Path, Reached, Station};
use super::neighbour::{PeerStatus, Reach};

/// A path that failed is left alone for this long, unless there is no other.
const BAD_MS: i64 = 300_000;

/// Neighbours are asked at most this often.
const ASK_APART_MS: i64 = 10_000;

/// Neighbours asked in one round; the next round asks the next ones.
const ASKED: usize = 32;

/// Of these at once.
const AT_ONCE: usize = 8;

/// Paths tried for one attempt to send.
const TRIES: usize = 3;

/// What became of an attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The manager's answer, or that there was none.
    pub answer: Answer,
    /// Whether an attempt before the answered one may have brought it there.
    pub in_doubt: bool,
    /// Whether others passed it on.
    pub relayed: bool,
    /// Whether a relay did not understand the shape of the report.
    pub misfit: bool,
}

/// What is known of the ways to the manager.
#[derive(Debug)]
pub struct Route {
    station: Arc<Station>,
    peers: Vec<IpAddr>,
    /// The last path that worked.
    good: Option<Path>,
    /// Until when, by the pulse, a path is left alone.
    bad: BTreeMap<SocketAddr, i64>,
    /// Neighbours are not asked before this, by the pulse.
    ask_from: i64,
    /// Where the next round begins.
    turn: usize,
    /// Whether the straight way is to be tried.
    probe: bool,
    /// The straight way was tried just now, with something else.
    found_shut: Option<String>,
}

/// Attempts so far for one envelope.
struct Attempts {
    envelope: Bytes,
    sent: bool,
    misfit: bool,
    why: String,
}

impl Attempts {
    fn failed(&mut self, sent: bool, what: &str) {
        self.sent |= sent;
        if !self.why.is_empty() {
            self.why.push_str("; ");
        }
        self.why.push_str(what);
    }
}

impl Route {
    /// Nothing is known yet.
    pub fn new(station: Arc<Station>) -> Self {
        Self {
            station,
            peers: Vec::new(),
            good: None,
            bad: BTreeMap::new(),
            ask_from: i64::MIN,
            turn: 0,
            probe: true,
            found_shut: None,
        }
    }

    /// There are these neighbours now; the straight way is to be tried again.
    pub fn look_around(&mut self, peers: Vec<IpAddr>) {
        self.peers = peers;
        self.probe = true;
        self.found_shut = None;
    }

    /// Forgets all paths.
    pub fn forget(&mut self) {
        self.good = None;
        self.bad.clear();
        self.ask_from = i64::MIN;
        self.probe = true;
        self.station.set_reached(Reached::Not);
    }

    /// Whether the next report tries the straight way.
    pub fn goes_straight(&self) -> bool {
        self.probe || self.good.is_none()
    }

    /// Whether there may be another way.
    pub fn has_neighbours(&self) -> bool {
        !self.peers.is_empty()
    }

    /// The straight way was just found shut; the next report need not try it.
    pub fn is_shut(&mut self, why: String) {
        self.found_shut = Some(why);
    }

    /// Sends an envelope; `pulse` is now.
    pub async fn send(&mut self, manager: &Door, envelope: Bytes, pulse: i64) -> Passage {
        let mut attempts = Attempts { envelope, sent: false, misfit: false, why: String::new() };
        let is_probe = self.goes_straight();
        match self.found_shut.take() {
            Some(why) => attempts.failed(false, &why),
            None if is_probe => {
                match manager.post("status/updates", attempts.envelope.clone()).await {
                    Answer::Lost { sent, why } => attempts.failed(sent, &why),
                    answer @ (Answer::Stored(_) | Answer::Refused(_)) => {
                        self.arrived(Reached::Direct);
                        return Passage { answer, in_doubt: false, relayed: false, misfit: false };
                    }
                }
            }
            None => {}
        }
        self.probe = false;
        if let Some(passage) = self.through_others(&mut attempts, is_probe, pulse).await {
            return passage;
        }
        self.station.set_reached(Reached::Not);
        let Attempts { sent, misfit, why, .. } = attempts;
        Passage { answer: Answer::Lost { sent, why }, in_doubt: false, relayed: false, misfit }
    }

    fn arrived(&mut self, reached: Reached) {
        let before = self.station.reached();
        if !self.station.set_reached(reached.clone()) {
            return;
        }
        match (before, reached) {
            (_, Reached::Through(path)) => {
                let (relay, hops) = (path.relays.first().cloned(), path.relays.len());
                let relay = relay.map(|relay| relay.to_string());
                tracing::warn!(at = %path.at, relay, hops, "The manager is reached through others");
            }
            (Reached::Through(_), Reached::Direct) => {
                tracing::info!("The manager is reached directly again");
            }
            (_, Reached::Direct | Reached::Not) => {}
        }
    }

    /// The last good path, then those that neighbours tell of.
    async fn through_others(
        &mut self,
        attempts: &mut Attempts,
        is_probe: bool,
        pulse: i64,
    ) -> Option<Passage> {
        if self.peers.is_empty() {
            return None;
        }
        self.bad.retain(|_, until| *until > pulse);
        let mut tried = BTreeSet::new();
        if let Some(path) = self.last_good(is_probe).await {
            tried.insert(path.at);
            if let Some(passage) = self.try_path(path, attempts, pulse).await {
                return Some(passage);
            }
        }
        if self.ask_from > pulse {
            return None;
        }
        self.ask_from = pulse.saturating_add(ASK_APART_MS);
        let paths = self.discover().await;
        for path in paths.into_iter().filter(|path| !tried.contains(&path.at)).take(TRIES) {
            if let Some(passage) = self.try_path(path, attempts, pulse).await {
                return Some(passage);
            }
        }
        None
    }

    /// The last good path, if it still is one: now and then its first relay is asked.
    async fn last_good(&mut self, ask: bool) -> Option<Path> {
        let path = self.good.take().filter(|path| self.peers.contains(&path.at.ip()))?;
        if !ask {
            return Some(path);
        }
        let status = self.station.neighbours.ask(path.at).await?;
        self.path(path.at, status).map(|(path, _)| path)
    }

    async fn try_path(
        &mut self,
        path: Path,
        attempts: &mut Attempts,
        pulse: i64,
    ) -> Option<Passage> {
        let (at, behind) = (path.at, path.relays.len().saturating_sub(1));
        let sent = self.station.neighbours.relay(at, behind, attempts.envelope.clone()).await;
        let answer = match sent {
            Ok(reply) => reply.answer(),
            Err(error) => lost(&error),
        };
        if let Some(may_be_there) = path_failed(&answer) {
            attempts.failed(may_be_there, &format!("relay {at}: {}", answer.in_words()));
            if is_misfit(&answer) && frame::is_frame(&attempts.envelope) {
                // In JSON the path may be good.
                attempts.misfit = true;
                return None;
            }
            self.bad.insert(at, pulse.saturating_add(BAD_MS));
            return None;
        }
        self.good = Some(path.clone());
        self.bad.remove(&at);
        self.arrived(Reached::Through(path));
        Some(Passage { answer, in_doubt: attempts.sent, relayed: true, misfit: false })
    }

    /// Asks neighbours; paths by the fewest relays, then those that have held longest. Those
    /// that failed lately come last.
    async fn discover(&mut self) -> Vec<Path> {
        let count = self.peers.len().min(ASKED);
        let round: Vec<IpAddr> =
            self.peers.iter().cycle().skip(self.turn).take(count).copied().collect();
        self.turn = (self.turn + count) % self.peers.len().max(1);
        let asked = futures_util::stream::iter(round).map(|ip| {
            let (at, neighbours) = (SocketAddr::new(ip, PORT), &self.station.neighbours);
            async move { (at, neighbours.ask(at).await) }
        });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        let told = answers.into_iter().filter_map(|(at, status)| Some((at, status?)));
        let mut paths: Vec<_> = told.filter_map(|(at, status)| self.path(at, status)).collect();
        paths.sort_by_key(|(path, held)| {
            (self.bad.contains_key(&path.at), path.relays.len(), Reverse(*held), path.at)
        });
        let mut seen = BTreeSet::new();
        paths.retain(|(path, _)| path.relays.first().is_some_and(|id| seen.insert(id.clone())));
        paths.into_iter().map(|(path, _)| path).collect()
    }

    /// The path through a neighbour, and for how long that has reached the manager; `None` if
    /// it leads nowhere, too far, or back here.
    fn path(&self, at: SocketAddr, status: PeerStatus) -> Option<(Path, i64)> {
        let own = self.station.status();
        let leads =
            status.relays && status.reach != Reach::None && status.hops == status.path.len();
        let mut relays = vec![status.agent_id];
        relays.extend(status.path);
        let fits = relays.len() <= RELAYS
            && status.fleet_id == own.fleet_id
            && !relays.contains(&own.agent_id);
        (leads && fits).then_some((Path { at, relays }, status.for_seconds))
    }
}

/// Whether an older relay says that it does not understand what it was given.
fn is_misfit(answer: &Answer) -> bool {
    let Answer::Refused(Refusal { status, code, .. }) = answer else { return false };
    *status == 415 || code == "malformed_json"
}

/// Whether an answer speaks of the path and not of the report; then, whether the report may
/// have reached the manager all the same.
fn path_failed(answer: &Answer) -> Option<bool> {
    match answer {
        Answer::Stored(_) => None,
        Answer::Lost { sent, .. } => Some(*sent),
        Answer::Refused(Refusal { status, code, .. }) => match (status, code.as_str()) {
            // These may be about the relay's own signature, clock or standing, or its door.
            (300..=401 | 403..=405 | 407 | 410 | 431, _) => Some(false),
            (
                _,
                "relay_too_deep"
                | "relay_loop"
                | "relay_hop"
                | "body_too_large"
                | "unsupported_media_type"
                | "content_encoding",
            ) => Some(false),
            (_, "upstream_unreachable") => Some(true),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::answer::Verdict;
    use crate::wire::codes::ErrorCode;

    /// Whatever a relay or its path is to blame for, the report survives it.
    #[test]
    fn no_fault_of_a_path_is_a_verdict_on_the_report() {
        let about_reports = [
            ErrorCode::DataTooLarge,
            ErrorCode::DataInvalid,
            ErrorCode::NonceReused,
            ErrorCode::DictionaryUnknown,
        ];
        for code in ErrorCode::ALL {
            let body = format!(r#"{{"code":"{code}"}}"#);
            let answer = Answer::read(code.http_status(), None, body.as_bytes());
            let failed = path_failed(&answer);
            let is_dropped = failed.is_none() && answer.verdict(false) == Verdict::Hopeless;
            assert_eq!(is_dropped, about_reports.contains(code), "{code}");
            if failed == Some(false) {
                assert!((300..500).contains(&code.http_status()), "{code} may have come through");
            }
        }
        let answer = |status| Answer::read(status, None, b"");
        assert_eq!(path_failed(&answer(200)), Some(true), "no receipt, so no manager");
        assert_eq!(path_failed(&answer(503)), None);
        let lost = Answer::Lost { sent: false, why: String::new() };
        assert_eq!(path_failed(&lost), Some(false));
    }
}
