//! `GET /api/v1/stream`: the map as it changes, as Server-Sent Events (MAP 5).
//!
//! A stream tells where it starts (`hello`), then every patch with its number. Who fell behind, or
//! comes back, is told in one patch what all those say that they missed; where that is too much, or
//! not kept any more, to fetch the map again (`resync`). Nothing is ever skipped in silence.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::process::board::Signal;
use crate::process::shares::Shares;
use crate::topology::patch::Patch;
use crate::wire::codes::ErrorCode;

use super::access::Caller;
use super::error::ApiError;
use super::state::AppState;
use super::state::seen::Seen;

/// A comment this often keeps proxies from closing a quiet stream, and shows a dead client.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// A browser that lost its stream waits this long, and up to as long again: so many do not
/// come back at once after a restart.
const RETRY_MS: u64 = 3000;

/// Streams at once; each holds a connection.
const WATCHERS: usize = 1000;

/// A patch of several, and a list of what moved, may be this large: beyond, the whole map, which is
/// packed, is no more to carry.
const MERGED_BYTES: usize = 1024 * 1024;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx and its like to pass every event on at once.
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Opens a stream.
pub async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let seen = state.seen(&caller.lens);
    if seen.watchers() >= WATCHERS {
        return Err(
            ApiError::new(ErrorCode::Overloaded, "Too many streams are open.").retry_after(30)
        );
    }
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let watcher = Watcher::new((state, seen), caller, last);
    Ok(([NO_BUFFERING], Sse::new(watcher.events())).into_response())
}

/// One open stream.
struct Watcher {
    state: AppState,
    seen: Seen,
    caller: Caller,
    signals: Receiver<Arc<Signal>>,
    /// Hears at once that the link has ended which a visitor came by.
    shares: watch::Receiver<Arc<Shares>>,
    /// The last patch that was sent, or that the client has from elsewhere.
    seq: u64,
    /// The layout that the client has been told of.
    layout_rev: i64,
    waiting: VecDeque<Event>,
    comments: Interval,
    over: bool,
}

impl Watcher {
    fn new((state, seen): (AppState, Seen), caller: Caller, last: Option<&str>) -> Self {
        // Subscribed before anything is read, so that nothing falls between.
        let (seq, layout_rev, signals) = seen.subscribe();
        let shares = seen.watch_shares();
        let mut comments = tokio::time::interval(COMMENT_EVERY);
        comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        comments.reset();
        let hello = Event::default()
            .event("hello")
            .retry(Duration::from_millis(RETRY_MS + jitter_ms(&state)))
            .data(
                json!({
                    "epoch": seen.epoch(), "seq": seq, "layout_rev": layout_rev,
                    "now": state.clock.now(),
                })
                .to_string(),
            );
        let waiting = VecDeque::from([hello]);
        let resumed = last.map(|last| resume(seen.epoch(), last));
        let over = false;
        let mut watcher =
            Self { state, seen, caller, signals, shares, seq, layout_rev, waiting, comments, over };
        match resumed {
            None => {}
            Some(Resume::OtherEpoch) => watcher.waiting.push_back(resync("epoch")),
            Some(Resume::From(from)) => {
                watcher.seq = from;
                watcher.catch_up("gap");
            }
        }
        watcher
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((Ok(event), watcher))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            tokio::select! {
                biased;
                () = self.state.shutdown.cancelled() => return None,
                signal = self.signals.recv() => self.take(signal.as_deref()),
                Ok(()) = self.shares.changed(), if self.caller.share().is_some() => {
                    self.may_look();
                }
                _ = self.comments.tick() => self.pause(),
            }
        }
    }

    fn take(&mut self, signal: Result<&Signal, &RecvError>) {
        if !self.may_look() {
            return;
        }
        match signal {
            // It was told already, with others or after a resume.
            Ok(Signal::Patch(new)) if new.seq <= self.seq => {}
            Ok(Signal::Patch(_)) => self.catch_up("lag"),
            Ok(Signal::Layout { layout_rev, moved }) => {
                let moved = self.seen.moved(moved);
                self.lay_out(*layout_rev, &moved);
            }
            Err(RecvError::Lagged(_)) => {
                self.catch_up("lag");
                // Where things are was told by patches; that it is another layout was not.
                let layout_rev = self.seen.layout_rev();
                if layout_rev != self.layout_rev {
                    self.lay_out(layout_rev, &[]);
                }
            }
            Err(RecvError::Closed) => self.over = true,
        }
    }

    fn lay_out(&mut self, layout_rev: i64, moved: &[(String, f64, f64)]) {
        self.layout_rev = layout_rev;
        let data = json!({"layout_rev": layout_rev, "moved": moved}).to_string();
        self.waiting.push_back(if data.len() <= MERGED_BYTES {
            Event::default().event("layout").data(data)
        } else {
            resync("layout")
        });
    }

    /// Tells everything since the last patch that was sent, as one, or why it cannot be told.
    fn catch_up(&mut self, too_late: &str) {
        let epoch = self.seen.epoch();
        let missed = self.seen.since(self.seq);
        let (seq, event) = match missed.as_deref() {
            Some([]) => return,
            Some([one]) => (one.seq, patch(epoch, one)),
            Some(several) => match Patch::merged(several) {
                Some(all) if all.json().len() <= MERGED_BYTES => (all.seq, patch(epoch, &all)),
                Some(_) | None => (self.seen.seq(), resync("lag")),
            },
            // The map that is fetched now is at least of this number.
            None => (self.seen.seq(), resync(too_late)),
        };
        self.seq = seq;
        self.waiting.push_back(event);
    }

    /// While nothing happens: is the client still there, and may it still look?
    fn pause(&mut self) {
        if self.may_look() {
            self.waiting.push_back(Event::default().comment(""));
        }
    }

    /// Whether the client may still look; if not, that is the last it is told.
    fn may_look(&mut self) -> bool {
        let may = self.state.gate.still_good(&self.caller);
        if !may {
            self.waiting.push_back(Event::default().event("bye").data("{}"));
            self.over = true;
        }
        may
    }
}

fn patch(epoch: &str, patch: &Patch) -> Event {
    Event::default().event("patch").id(format!("{epoch}:{}", patch.seq)).data(patch.json())
}

fn resync(reason: &str) -> Event {
    Event::default().event("resync").data(json!({"reason": reason}).to_string())
}

/// What a returning client has.
#[derive(Debug, PartialEq, Eq)]
enum Resume {
    From(u64),
    OtherEpoch,
}

fn resume(epoch: &str, last: &str) -> Resume {
    match last.rsplit_once(':') {
        Some((named, seq)) if named == epoch => {
            seq.parse().map_or(Resume::OtherEpoch, Resume::From)
        }
        Some(_) | None => Resume::OtherEpoch,
    }
}

/// Spreads clients over a few seconds without random numbers: by the clock's milliseconds.
fn jitter_ms(state: &AppState) -> u64 {
    u64::try_from(state.clock.now_millis()).unwrap_or_default() % RETRY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_resumes_only_its_own_epoch() {
        assert_eq!(resume("e1", "e1:7"), Resume::From(7));
        for other in ["e2:7", "e1:x", "e1", "", "e1:7:8"] {
            assert_eq!(resume("e1", other), Resume::OtherEpoch, "{other}");
        }
    }
}
