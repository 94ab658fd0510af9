//! The live picture as a caller sees it: how far, and under which names. What it costs is worked out
//! once per lens and change, however many look; for those who see everything as it is it costs
//! nothing.
//!
//! Under pseudonyms, ids that are asked for are pseudonyms, too: a real one names nothing.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::Receiver;
use tokio::sync::watch;

use super::{AppState, veil};
use crate::mask::faces::Faces;
use crate::mask::picture::Painter;
use crate::mask::{Guise, Lens};
use crate::model::id::AgentId;
use crate::model::reach::{Reach, Strangers};
use crate::model::time::UnixSeconds;
use crate::model::window::Window;
use crate::process::board::{Board, Signal};
use crate::process::refusals::Refusal;
use crate::process::shares::Shares;
use crate::process::summary::AgentSummary;
use crate::store::share::ShareRecord;
use crate::topology::patch::Patch;
use crate::topology::picture::{Edge, Node, Picture};
use crate::topology::within::{self, Sieve};

/// Lenses whose maps are kept; those that somebody watches do not count.
const KEPT: usize = 64;

/// Patches that are kept of one lens for watchers who come back.
const KEPT_PATCHES: usize = 256;

/// What was worked out for each lens.
#[derive(Debug, Default)]
pub struct Narrows(Mutex<HashMap<Lens, Arc<Narrowed>>>);

impl Narrows {
    fn of(&self, lens: &Lens) -> Arc<Narrowed> {
        let mut all = lock(&self.0);
        if let Some(known) = all.get(lens) {
            return Arc::clone(known);
        }
        if all.len() >= KEPT {
            all.retain(|_, narrowed| Arc::strong_count(narrowed) > 1);
        }
        Arc::clone(all.entry(lens.clone()).or_default())
    }
}

/// What was worked out for one lens.
#[derive(Debug, Default)]
struct Narrowed {
    /// The whole map, and what of it is seen, as it is seen.
    picture: Mutex<Drawn>,
    /// Who is behind the pseudonyms, as of a change of names.
    faces: Mutex<Option<(u64, Arc<Faces>)>>,
    /// Who is a stranger, as of a change of names.
    strangers: Mutex<Option<(u64, Arc<Strangers>)>>,
    /// The stream, once somebody has watched.
    stream: Mutex<Option<Strained>>,
}

/// The map of one lens.
#[derive(Debug, Default)]
struct Drawn {
    last: Option<(Arc<Picture>, Arc<Picture>)>,
    /// Whoever puts it under pseudonyms.
    painter: Option<Painter>,
}

/// The stream of one lens.
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

/// The live picture through a lens.
#[derive(Debug, Clone)]
pub struct Seen {
    state: AppState,
    reach: Reach,
    guise: Option<Guise>,
    /// `None` for who sees everything as it is.
    narrowed: Option<Arc<Narrowed>>,
}

impl Seen {
    pub(super) fn new(state: &AppState, lens: &Lens) -> Self {
        let narrowed = (!lens.is_clear()).then(|| state.narrows.of(lens));
        let Lens { reach, guise } = lens.clone();
        Self { state: state.clone(), reach, guise, narrowed }
    }

    fn board(&self) -> &Board {
        self.state.core.processor.board()
    }

    /// The map.
    pub fn picture(&self, now: UnixSeconds) -> Arc<Picture> {
        let whole = self.board().picture(now);
        let Some(narrowed) = &self.narrowed else { return whole };
        let mut drawn = lock(&narrowed.picture);
        if let Some((of, seen)) = drawn.last.as_ref()
            && Arc::ptr_eq(of, &whole)
        {
            return Arc::clone(seen);
        }
        let within = if self.reach.is_whole() {
            Arc::clone(&whole)
        } else {
            Arc::new(within::picture(&whole, &self.reach, self.alarms_open()))
        };
        let seen = match &self.guise {
            None => Arc::clone(&within),
            Some(guise) => {
                let painter = drawn.painter.get_or_insert_with(|| Painter::new(guise.clone()));
                Arc::new(painter.paint(&within))
            }
        };
        drawn.last = Some((whole, Arc::clone(&seen)));
        drop(drawn);
        if let Some(strained) = lock(&narrowed.stream).as_mut() {
            strained.sieve.show(&within);
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

    /// Who is behind the pseudonyms; `None` for who sees real names.
    pub fn faces(&self) -> Option<Arc<Faces>> {
        let (guise, narrowed) = (self.guise.as_ref()?, self.narrowed.as_ref()?);
        let rev = self.board().names_rev();
        let mut kept = lock(&narrowed.faces);
        if let Some((of, faces)) = kept.as_ref()
            && *of == rev
        {
            return Some(Arc::clone(faces));
        }
        let (rev, faces) = self.board().called(|agents| Faces::of(guise.clone(), agents));
        let faces = Arc::new(faces);
        *kept = Some((rev, Arc::clone(&faces)));
        Some(faces)
    }

    /// The agent that is asked for.
    fn behind<'i>(&self, id: &'i AgentId) -> Option<Cow<'i, AgentId>> {
        match self.faces() {
            Some(faces) => faces.agent(id).cloned().map(Cow::Owned),
            None => Some(Cow::Borrowed(id)),
        }
    }

    /// An agent as it is told of.
    fn told(&self, agent: AgentSummary) -> AgentSummary {
        match self.faces() {
            Some(faces) => veil::summary(&faces, agent),
            None => agent,
        }
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
        if let Some(faces) = self.faces() {
            all = all.into_iter().map(|agent| veil::summary(&faces, agent)).collect();
            all.sort_by(|a, b| a.agent_id.cmp(&b.agent_id));
        }
        all
    }

    /// One agent.
    pub fn agent(&self, id: &AgentId) -> Option<AgentSummary> {
        let id = self.behind(id)?;
        let mut agent = self.board().agent(&id).filter(|agent| self.reach.sees(&agent.fleet_id))?;
        if !self.reach.is_whole() {
            agent.relays_for.retain(|behind| self.is_there(behind));
        }
        Some(self.told(agent))
    }

    /// Whether there is such an agent here.
    pub fn sees_agent(&self, id: &AgentId) -> bool {
        self.behind(id).is_some_and(|id| self.is_there(&id))
    }

    fn is_there(&self, real: &AgentId) -> bool {
        self.board().agent(real).is_some_and(|agent| self.reach.sees(&agent.fleet_id))
    }

    /// One link with its present values.
    pub fn edge(&self, id: &str) -> Option<Edge> {
        let edge = self.board().edge(&self.link_behind(id)?)?;
        let ends = [&edge.source, &edge.target];
        let is_seen = self.reach.is_whole() || ends.iter().all(|end| self.drawn(end).is_some());
        match &self.guise {
            Some(guise) => is_seen.then(|| guise.edge(&edge)),
            None => is_seen.then_some(edge),
        }
    }

    /// One node.
    pub fn node(&self, id: &str) -> Option<Node> {
        match (self.faces(), &self.guise) {
            (Some(faces), Some(guise)) => {
                self.drawn(&faces.node_id(id)?).map(|node| guise.node(&node))
            }
            (None, _) | (_, None) => self.drawn(id),
        }
    }

    fn drawn(&self, real: &str) -> Option<Node> {
        self.board().node(real).filter(|node| self.reach.sees(&node.fleet_id))
    }

    /// The link that is asked for.
    fn link_behind<'i>(&self, id: &'i str) -> Option<Cow<'i, str>> {
        match &self.guise {
            Some(guise) => guise.real_short_id(id).map(Cow::Owned),
            None => Some(Cow::Borrowed(id)),
        }
    }

    /// When an agent was heard last, if it is silent by now.
    pub fn silent_since(&self, id: &AgentId) -> Option<UnixSeconds> {
        self.board().silent_since(&*self.behind(id)?)
    }

    /// The agents at the ends of a link.
    pub fn ends(&self, id: &str) -> Option<Vec<AgentId>> {
        let ends = self.board().ends(&self.link_behind(id)?)?;
        match &self.guise {
            Some(guise) => Some(ends.iter().map(|id| guise.agent(id)).collect()),
            None => Some(ends),
        }
    }

    /// Alarms that are active and not acknowledged.
    pub fn alarms_open(&self) -> usize {
        self.board().alarms_open(&self.reach)
    }

    /// Channels that do not take messages to people: they are the manager's.
    pub fn channels_failing(&self) -> Vec<String> {
        if self.narrowed.is_none() { self.board().channels_failing() } else { Vec::new() }
    }

    /// The maintenance windows, by number, those that are over included.
    pub fn windows(&self) -> Arc<Vec<Window>> {
        let all = self.board().windows();
        if self.narrowed.is_none() {
            return all;
        }
        let fleet_of = |id: &AgentId| self.board().agent(id).map(|agent| agent.fleet_id);
        let is_seen = |window: &&Window| window.scope.is_within(&self.reach, fleet_of);
        let told = |window: &Window| {
            self.guise.as_ref().map_or_else(|| window.clone(), |guise| guise.window(window))
        };
        Arc::new(all.iter().filter(is_seen).map(told).collect())
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
            all.retain(|refusal| agent(refusal).is_some_and(|id| self.is_there(&id)));
            let strangers = self.strangers();
            for refusal in &mut all {
                strangers.wash(&mut refusal.detail);
            }
        }
        if let Some(faces) = self.faces() {
            all = all.into_iter().map(|one| veil::refusal(&faces, one)).collect();
        }
        all
    }

    /// Names this run of the manager.
    pub fn epoch(&self) -> &str {
        self.board().epoch()
    }

    /// The number of the last patch.
    pub fn seq(&self) -> u64 {
        self.board().position().0
    }

    /// The revision of the layout.
    pub fn layout_rev(&self) -> i64 {
        self.board().position().1
    }

    /// How many watch, of everybody.
    pub fn watchers(&self) -> usize {
        self.board().watchers()
    }

    /// The sequence number now, and every signal after it. What of a patch is told, [`Seen::since`]
    /// answers.
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

    /// What of moved nodes and sites is told.
    pub fn moved(&self, moved: &[(String, f64, f64)]) -> Vec<(String, f64, f64)> {
        let Some(narrowed) = &self.narrowed else { return moved.to_vec() };
        let mut stream = lock(&narrowed.stream);
        let sieve = &self.keep_up(&mut stream).sieve;
        let told = |id: &str| {
            let named = |name: fn(&Guise, &str) -> String| {
                self.guise.as_ref().map_or_else(|| id.to_owned(), |guise| name(guise, id))
            };
            if sieve.has_node(id) {
                Some(named(Guise::node_id))
            } else {
                sieve.has_site(id).then(|| named(Guise::site_id))
            }
        };
        moved.iter().filter_map(|(id, x, y)| Some((told(id)?, *x, *y))).collect()
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
            let passed = match &self.guise {
                Some(guise) => guise.patch(&passed),
                None => passed,
            };
            strained.seq = patch.seq;
            strained.passed.push_back(Arc::new(passed));
            if strained.passed.len() > KEPT_PATCHES {
                strained.passed.pop_front();
            }
        }
        strained
    }
}
