//! What each agent has spent: nonces of version 1, ticks and nonces of version 2.
//!
//! The stored reports are authoritative; a [`Window`] is what matters of them for one agent,
//! and [`ReplayMemory`] keeps the windows of the agents heard last. A window that is not there
//! is loaded again, so that neither eviction nor a restart forgets anything. Nothing is spent
//! by judging: [`ReplayMemory::admit`] is for reports that will be committed, and
//! [`ReplayMemory::forget`] for when the commit failed.

use lru::LruCache;

use crate::model::id::AgentNo;
use crate::model::time::UnixSeconds;
use crate::sign::digest::nonce_hash;
use crate::wire::limits::{NONCE_WINDOW, TICK_WINDOW};

/// Agents whose windows stay in memory unless told otherwise; 40 nonces each make about 130 MB.
pub const AGENTS_IN_MEMORY: usize = 200_000;

/// Fewest windows in memory: more than one batch of reports, so that what a batch admits is
/// still here when the batch is committed and can be loaded.
pub const AGENTS_AT_LEAST: usize = 1024;

/// Seconds that expired nonces are kept, so that a clock set back by less needs no reload.
const KEPT_SECONDS: i64 = 60;

/// How windows judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Seconds a timestamp may differ from the manager's clock: a nonce lives until its
    /// timestamp is older than this.
    pub max_skew: i64,
    /// Nonces of version 1 that may be alive at once; at least [`NONCE_WINDOW`] is used.
    pub nonce_window: usize,
    /// Seed of the nonces' digests: random, kept with the database.
    pub seed: [u64; 2],
}

impl Rules {
    fn capacity(&self) -> usize {
        self.nonce_window.max(NONCE_WINDOW)
    }

    /// The second until which a nonce lives.
    fn expiry(&self, timestamp: UnixSeconds) -> u32 {
        // Seconds fit until the year 2106; before 1970 nothing is alive.
        u32::try_from(timestamp.plus(self.max_skew).0.max(0)).unwrap_or(u32::MAX)
    }
}

/// What a stored report spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentRow {
    /// Its nonce.
    pub nonce: String,
    /// When it was signed, on the agent's clock.
    pub timestamp: UnixSeconds,
    /// When it was accepted.
    pub received_at: UnixSeconds,
    /// Its tick (version 2).
    pub tick: Option<i64>,
}

/// What a verified report is about to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh<'a> {
    /// Its nonce.
    pub nonce: &'a str,
    /// When it was signed.
    pub timestamp: UnixSeconds,
    /// Its tick (version 2).
    pub tick: Option<i64>,
}

/// What a window says of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Never seen.
    Fresh,
    /// This nonce is spent: a replay in version 1, a reused nonce in version 2.
    NonceSeen,
    /// This tick is spent: the same report again, if its bytes are the same.
    TickSeen,
    /// This tick is so far below the highest that only the stored reports can tell.
    TickTooOld,
    /// As many nonces are alive as may be: too many reports in too short a time (version 1).
    Full,
}

/// A spent nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spent {
    /// As bytes: eight that need not stand at a multiple of eight make twelve of this and not
    /// sixteen.
    hash: [u8; 8],
    expiry: u32,
}

/// Nonces that a full window makes room for at once: a list by itself would double.
const ROOM: usize = 8;

/// What one agent has spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    nonces: Vec<Spent>,
    ticks: Ticks,
}

impl Window {
    /// The window of an agent with these stored reports. `last_tick` is its highest tick ever,
    /// however long ago.
    pub fn rebuild(
        rules: &Rules,
        agent: AgentNo,
        rows: &[SpentRow],
        last_tick: Option<i64>,
    ) -> Self {
        let spent = rows.iter().map(|row| Spent {
            hash: nonce_hash(rules.seed, agent, &row.nonce).to_ne_bytes(),
            expiry: rules.expiry(row.timestamp),
        });
        let mut window = Self { nonces: spent.collect(), ticks: Ticks::default() };
        for tick in rows.iter().filter_map(|row| row.tick).chain(last_tick) {
            window.ticks.spend(tick);
        }
        window
    }

    /// Judges a report received at `now` whose nonce has this digest.
    pub fn judge(
        &self,
        rules: &Rules,
        fresh: &Fresh<'_>,
        hash: u64,
        now: UnixSeconds,
    ) -> Judgement {
        match fresh.tick.map(|tick| self.ticks.judge(tick)) {
            Some(Judgement::Fresh) | None => {}
            Some(spent) => return spent,
        }
        let alive = |spent: &&Spent| i64::from(spent.expiry) >= now.0;
        if self.nonces.iter().filter(alive).any(|spent| spent.hash == hash.to_ne_bytes()) {
            return Judgement::NonceSeen;
        }
        let is_full = || self.nonces.iter().filter(alive).count() >= rules.capacity();
        if fresh.tick.is_none() && is_full() { Judgement::Full } else { Judgement::Fresh }
    }

    /// Spends what a report judged [`Judgement::Fresh`] brings. Nonces that expired before
    /// `forget_before` go.
    ///
    /// Version 2 is protected by its ticks, so its nonces never fill the window: while there is
    /// no room they are not remembered. Nothing unexpired is ever pushed out.
    pub fn admit(
        &mut self,
        rules: &Rules,
        fresh: &Fresh<'_>,
        hash: u64,
        forget_before: UnixSeconds,
    ) {
        self.nonces.retain(|spent| i64::from(spent.expiry) >= forget_before.0);
        if let Some(tick) = fresh.tick {
            self.ticks.spend(tick);
            if self.nonces.len() >= rules.capacity() {
                return;
            }
        }
        if self.nonces.len() == self.nonces.capacity() {
            self.nonces.reserve_exact(ROOM);
        }
        let expiry = rules.expiry(fresh.timestamp);
        self.nonces.push(Spent { hash: hash.to_ne_bytes(), expiry });
    }
}

/// The highest tick and which of the [`TICK_WINDOW`] below and including it are spent
/// (RFC 6479 calls it an anti-replay window).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    /// 0 before the first.
    highest: i64,
    /// Bit `n`: `highest - n` is spent.
    spent: u128,
}

impl Ticks {
    fn judge(self, tick: i64) -> Judgement {
        match self.highest.saturating_sub(tick) {
            ..0 => Judgement::Fresh,
            below @ 0..TICK_WINDOW if self.spent >> below & 1 == 0 => Judgement::Fresh,
            0..TICK_WINDOW => Judgement::TickSeen,
            TICK_WINDOW.. => Judgement::TickTooOld,
        }
    }

    fn spend(&mut self, tick: i64) {
        let above = tick.saturating_sub(self.highest);
        if above > 0 {
            self.spent = if above < TICK_WINDOW { self.spent << above } else { 0 };
            self.highest = tick;
        }
        let below = self.highest.saturating_sub(tick);
        if below < TICK_WINDOW {
            self.spent |= 1 << below;
        }
    }
}

/// What must be loaded for a window that is not in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Reports received since the second that was asked for.
    pub rows: Vec<SpentRow>,
    /// The agent's highest tick ever.
    pub last_tick: Option<i64>,
}

/// The windows of the agents heard last.
#[derive(Debug)]
pub struct ReplayMemory {
    rules: Rules,
    capacity: usize,
    windows: LruCache<AgentNo, Window>,
    /// Room for nonces in all of them.
    nonces: usize,
    /// The latest second seen; decides what may be forgotten, never what is accepted.
    high_water: UnixSeconds,
}

impl ReplayMemory {
    /// An empty memory for at most `agents` windows, and at least [`AGENTS_AT_LEAST`].
    pub fn new(rules: Rules, agents: usize) -> Self {
        // Unbounded, because a bounded one allocates for its bound at once.
        let windows = LruCache::unbounded();
        Self {
            rules,
            capacity: agents.max(AGENTS_AT_LEAST),
            windows,
            nonces: 0,
            high_water: UnixSeconds(i64::MIN),
        }
    }

    /// Judges a report of an agent. If its window is not in memory, `load` is asked for the
    /// reports received at or after a second; its error is passed on and judges nothing.
    pub fn judge<E>(
        &mut self,
        agent: AgentNo,
        fresh: &Fresh<'_>,
        now: UnixSeconds,
        load: impl FnOnce(UnixSeconds) -> Result<History, E>,
    ) -> Result<Judgement, E> {
        self.watch_clock(now);
        let rules = self.rules;
        let hash = nonce_hash(rules.seed, agent, fresh.nonce);
        if let Some(window) = self.windows.get(&agent) {
            return Ok(window.judge(&rules, fresh, hash, now));
        }
        // A report that the clock lets pass now was received no earlier than this: both its
        // acceptance then and its acceptance now bound its timestamp.
        let history = load(now.minus(2 * rules.max_skew))?;
        let window = Window::rebuild(&rules, agent, &history.rows, history.last_tick);
        let judgement = window.judge(&rules, fresh, hash, now);
        self.keep(agent, window);
        Ok(judgement)
    }

    /// Spends what a report brings, which [`Self::judge`] has just found fresh.
    pub fn admit(&mut self, agent: AgentNo, fresh: &Fresh<'_>) {
        let hash = nonce_hash(self.rules.seed, agent, fresh.nonce);
        let forget_before = self.high_water.minus(KEPT_SECONDS);
        if let Some(window) = self.windows.get_mut(&agent) {
            self.nonces -= window.nonces.capacity();
            window.admit(&self.rules, fresh, hash, forget_before);
            self.nonces += window.nonces.capacity();
        }
    }

    /// Drops a window, so that it is loaded again: after a commit that failed, or when the
    /// agent's reports were changed from outside.
    pub fn forget(&mut self, agent: AgentNo) {
        if let Some(window) = self.windows.pop(&agent) {
            self.nonces -= window.nonces.capacity();
        }
    }

    /// Bytes that the windows in memory take, without the list that orders them.
    pub fn bytes(&self) -> usize {
        self.windows.len() * size_of::<(AgentNo, Window)>() + self.nonces * size_of::<Spent>()
    }

    /// How many windows are in memory.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether no window is in memory.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// A clock that was set back makes forgotten nonces acceptable again, so everything is
    /// loaded anew for the time it shows.
    fn watch_clock(&mut self, now: UnixSeconds) {
        if now < self.high_water.minus(KEPT_SECONDS) {
            self.windows.clear();
            self.nonces = 0;
            self.high_water = now;
        }
        self.high_water = self.high_water.max(now);
    }

    fn keep(&mut self, agent: AgentNo, window: Window) {
        while self.windows.len() >= self.capacity
            && let Some((_, spent)) = self.windows.pop_lru()
        {
            self.nonces -= spent.nonces.capacity();
        }
        self.nonces += window.nonces.capacity();
        if let Some(before) = self.windows.put(agent, window) {
            self.nonces -= before.nonces.capacity();
        }
    }
}

#[cfg(test)]
mod tests;
