//! The live picture as far as a caller sees it. What it costs is worked out once per reach and
//! change, however many look; for those who see everything it costs nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::Receiver;
use tokio::sync::watch;

use super::AppState;
use crate::model::id::AgentId;
use crate::model::reach::{Reach, Strangers};
use crate::model::time::UnixSeconds;
use crate::model::window::Window;
use crate::process::board::{Board, Signal};
use crate::process::refusals::Refusal;
use crate::process::shares::Shares;
use crate::process::summary::AgentSummary;
use crate::store::share::ShareRecord;
use crate::topology::picture::{Edge, Node, Patch, Picture};
use crate::topology::within::{self, Sieve};

/// Reaches whose maps are kept; those that somebody watches do not count.
const KEPT: usize = 64;

/// Patches that are kept of one reach for watchers who come back.
const KEPT_PATCHES: usize = 256;

/// What was worked out for each reach.
#[derive(Debug, Default)]
pub struct Narrows(Mutex<HashMap<Reach, Arc<Narrowed>>>);

impl Narrows {
    fn of(&self, reach: &Reach) -> Arc<Narrowed> {
        let mut all = lock(&self.0);
        if let Some(known) = all.get(reach) {
            return Arc::clone(known);
        }
        if all.len() >= KEPT {
            all.retain(|_, narrowed| Arc::strong_count(narrowed) > 1);
        }
        Arc::clone(all.entry(reach.clone()).or_default())
    }
}

/// What was worked out for one reach.
#[derive(Debug, Default)]
struct Narrowed {
    /// The whole map, and what of it is seen.
    picture: Mutex<Option<(Arc<Picture>, Arc<Picture>)>>,
    /// Who is a stranger, as of a change of names.
    strangers: Mutex<Option<(u64, Arc<Strangers>)>>,
    /// The stream, once somebody has watched.
    stream: Mutex<Option<Strained>>,
}

/// The stream of one reach.
#[derive(Debug)]
struct Strained {
    sieve: Sieve,
    /// The last patch that went through.
    seq: u64,
    passed: VecDeque<Arc<Patch>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The live picture within a reach.
#[derive(Debug, Clone)]
pub struct Seen {
    state: AppState,
    reach: Reach,
    /// `None` for who sees everything.
    narrowed: Option<Arc<Narrowed>>,
}

impl Seen {
    pub(super) fn new(state: &AppState, reach: &Reach) -> Self {
        let narrowed = (!reach.is_whole()).then(|| state.narrows.of(reach));
        Self { state: state.clone(), reach: reach.clone(), narrowed }
    }

    fn board(&self) -> &Board {
        self.state.core.processor.board()
    }

    /// How far that is.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The map.
    pub fn picture(&self, now: UnixSeconds) -> Arc<Picture> {
        let whole = self.board().picture(now);
        let Some(narrowed) = &self.narrowed else { return whole };
        let mut kept = lock(&narrowed.picture);
        if let Some((of, seen)) = kept.as_ref()
            && Arc::ptr_eq(of, &whole)
        {
            return Arc::clone(seen);
        }
        let seen = Arc::new(within::picture(&whole, &self.reach, self.alarms_open()));
        *kept = Some((whole, Arc::clone(&seen)));
        drop(kept);
        if let Some(strained) = lock(&narrowed.stream).as_mut() {
            strained.sieve.show(&seen);
        }
        seen
    }

    /// Who is not seen.
    pub fn strangers(&self) -> Arc<Strangers> {
        let Some(narrowed) = &self.narrowed else { return Arc::default() };
        let rev = self.board().names_rev();
        let mut kept = lock(&narrowed.strangers);
        if let Some((of, strangers)) = kept.as_ref()
            && *of == rev
        {
            return Arc::clone(strangers);
        }
        let (rev, strangers) = self.board().strangers(&self.reach);
        let strangers = Arc::new(strangers);
        *kept = Some((rev, Arc::clone(&strangers)));
        strangers
    }

    /// All agents that are not forgotten, by id.
    pub fn agents(&self) -> Vec<AgentSummary> {
        let mut all = self.board().agents();
        if !self.reach.is_whole() {
            all.retain(|agent| self.reach.sees(&agent.fleet_id));
            let strangers = self.strangers();
            for agent in &mut all {
                agent.relays_for.retain(|id| !strangers.has(id));
            }
        }
        all
    }

    /// One agent.
    pub fn agent(&self, id: &AgentId) -> Option<AgentSummary> {
        let mut agent = self.board().agent(id).filter(|agent| self.reach.sees(&agent.fleet_id))?;
        if !self.reach.is_whole() {
            agent.relays_for.retain(|behind| self.sees_agent(behind));
        }
        Some(agent)
    }

    /// Whether there is such an agent here.
    pub fn sees_agent(&self, id: &AgentId) -> bool {
        self.board().agent(id).is_some_and(|agent| self.reach.sees(&agent.fleet_id))
    }

    /// One link with its present values.
    pub fn edge(&self, id: &str) -> Option<Edge> {
        let edge = self.board().edge(id)?;
        let ends = [&edge.source, &edge.target];
        let is_seen = self.reach.is_whole() || ends.iter().all(|end| self.node(end).is_some());
        is_seen.then_some(edge)
    }

    /// One node.
    pub fn node(&self, id: &str) -> Option<Node> {
        self.board().node(id).filter(|node| self.reach.sees(&node.fleet_id))
    }

    /// When an agent was heard last, if it is silent by now.
    pub fn silent_since(&self, id: &AgentId) -> Option<UnixSeconds> {
        self.board().silent_since(id)
    }

    /// The agents at the ends of a link.
    pub fn ends(&self, id: &str) -> Option<Vec<AgentId>> {
        self.board().ends(id)
    }

    /// Alarms that are active and not acknowledged.
    pub fn alarms_open(&self) -> usize {
        self.board().alarms_open(&self.reach)
    }

    /// Channels that do not take messages to people: they are the manager's.
    pub fn channels_failing(&self) -> Vec<String> {
        if self.reach.is_whole() { self.board().channels_failing() } else { Vec::new() }
    }

    /// The maintenance windows, by number, those that are over included.
    pub fn windows(&self) -> Arc<Vec<Window>> {
        let all = self.board().windows();
        if self.reach.is_whole() {
            return all;
        }
        let fleet_of = |id: &AgentId| self.board().agent(id).map(|agent| agent.fleet_id);
        let is_seen = |window: &&Window| window.scope.is_within(&self.reach, fleet_of);
        Arc::new(all.iter().filter(is_seen).cloned().collect())
    }

    /// The shared links that show only what is seen, and still something; the newest first.
    pub fn shares(&self) -> Vec<ShareRecord> {
        let (all, now) = (self.board().shares(), self.state.clock.now());
        let seen = |share: &&ShareRecord| {
            let fleets = share.reach.fleets();
            share.is_live(now) && fleets.iter().all(|fleet| self.reach.sees(fleet))
        };
        let mut seen: Vec<ShareRecord> = all.values().filter(seen).cloned().collect();
        seen.sort_by_key(|share| (std::cmp::Reverse(share.created_at), share.token_hash));
        seen
    }

    /// Tells of every change of shared links.
    pub fn watch_shares(&self) -> watch::Receiver<Arc<Shares>> {
        self.board().watch_shares()
    }

    /// The last refusals, newest first: of agents that are known here.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut all = self.state.core.processor.refusals();
        if !self.reach.is_whole() {
            let agent = |refusal: &Refusal| refusal.agent_id.as_ref()?.parse().ok();
            all.retain(|refusal| agent(refusal).is_some_and(|id| self.sees_agent(&id)));
            let strangers = self.strangers();
            for refusal in &mut all {
                strangers.wash(&mut refusal.detail);
            }
        }
        all
    }

    /// Names this run of the manager.
    pub fn epoch(&self) -> &str {
        self.board().epoch()
    }

    /// How many watch, of everybody.
    pub fn watchers(&self) -> usize {
        self.board().watchers()
    }

    /// The sequence number now, and every signal after it, which [`Seen::pass`] must see first.
    pub fn subscribe(&self) -> (u64, i64, Receiver<Arc<Signal>>) {
        let position = self.board().subscribe();
        if let Some(narrowed) = &self.narrowed {
            self.keep_up(&mut lock(&narrowed.stream));
        }
        position
    }

    /// The patches that lead from `seq` to the present, if they are still kept.
    pub fn since(&self, seq: u64) -> Option<Vec<Arc<Patch>>> {
        let Some(narrowed) = &self.narrowed else { return self.board().since(seq) };
        let mut stream = lock(&narrowed.stream);
        let strained = self.keep_up(&mut stream);
        if seq == strained.seq {
            return Some(Vec::new());
        }
        let start = strained.passed.iter().position(|patch| patch.from == seq)?;
        Some(strained.passed.iter().skip(start).cloned().collect())
    }

    /// What of a patch is told; `None` if that cannot be known any more.
    pub fn pass(&self, patch: &Arc<Patch>) -> Option<Arc<Patch>> {
        let Some(narrowed) = &self.narrowed else { return Some(Arc::clone(patch)) };
        let mut stream = lock(&narrowed.stream);
        let strained = self.keep_up(&mut stream);
        strained.passed.iter().find(|passed| passed.seq == patch.seq).cloned()
    }

    /// What of moved nodes is told.
    pub fn moved(&self, moved: &[(String, f64, f64)]) -> Vec<(String, f64, f64)> {
        let Some(narrowed) = &self.narrowed else { return moved.to_vec() };
        let mut stream = lock(&narrowed.stream);
        let sieve = &self.keep_up(&mut stream).sieve;
        moved.iter().filter(|(id, ..)| sieve.has_node(id)).cloned().collect()
    }

    /// Lets everything through that has not gone through yet, in order; whoever missed too much
    /// begins anew.
    fn keep_up<'s>(&self, stream: &'s mut Option<Strained>) -> &'s mut Strained {
        let now = self.state.clock.now();
        let missed = stream.as_ref().and_then(|strained| self.board().since(strained.seq));
        let fresh = || {
            let whole = self.board().picture(now);
            let seen = within::picture(&whole, &self.reach, self.alarms_open());
            let sieve = Sieve::new(self.reach.clone(), &seen);
            Strained { sieve, seq: whole.seq, passed: VecDeque::new() }
        };
        let Some(missed) = missed else { return stream.insert(fresh()) };
        let strained = stream.get_or_insert_with(fresh);
        for patch in missed {
            let whole = || self.board().picture(now);
            let passed = strained.sieve.pass(&patch, &whole, self.alarms_open());
            strained.seq = patch.seq;
            strained.passed.push_back(Arc::new(passed));
            if strained.passed.len() > KEPT_PATCHES {
                strained.passed.pop_front();
            }
        }
        strained
    }
}
