//! Every place on the map, as stored, and what people do to them: pin, let go, place everything
//! anew, take a change back.
//!
//! Who changes places takes its turn here first, so that a person and the timer that places
//! newcomers never work from the same state. Memory follows the store: nothing is kept here that
//! was not stored before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::MutexGuard as Turn;

use super::board::{Board, places::Unplaced};
use super::handle::{Command, CommandError, Processor};
use crate::model::id::FleetId;
use crate::model::state::LayoutAct;
use crate::model::time::UnixSeconds;
use crate::store::layout::{LayoutRecord, LayoutStep, PlaceBefore};
use crate::topology::arrange::{Move, Was, pin, undo, unpin};
use crate::topology::layout::{Placed, rearrange};
use crate::topology::picture::{Site, SiteCounts};
use crate::topology::sites::{LayoutNode, NodeRole};

/// A node that is gone finds its slot free when it returns within this time (MAP 4).
const SLOT_KEPT_S: i64 = 7 * 86_400;

/// Seconds between two looks for nodes that left, came back, or have been gone for long.
const TIDY_EVERY_S: i64 = 60;

/// Slots given up in one go; the rest follow with the next look.
const GIVEN_UP_AT_ONCE: usize = 500;

/// Changes of people that can be taken back, the last first.
const STEPS_KEPT: usize = 20;

/// Every place there is, as stored.
#[derive(Debug)]
pub struct Arranger {
    places: Mutex<Places>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Places {
    rev: i64,
    all: BTreeMap<String, Placed>,
    gone: BTreeMap<String, UnixSeconds>,
    tidied_at: Option<UnixSeconds>,
    steps: Vec<LayoutStep>,
}

/// What the store knows of places.
#[derive(Debug, Default)]
pub struct Stored {
    /// Every place.
    pub places: Vec<LayoutRecord>,
    /// The revision of them.
    pub rev: i64,
    /// Changes of people that can be taken back, the oldest first.
    pub steps: Vec<LayoutStep>,
}

/// What somebody does to the map.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Pins nodes and sites somewhere.
    Pin(Vec<Move>),
    /// Lets go of them.
    Unpin(Vec<String>),
    /// Places everything anew, except what is pinned.
    Rearrange,
    /// Takes back the change of this number, which must be the last.
    Undo(i64),
}

/// Why an act did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Something it names has no place.
    #[error("{0} has no place on the map")]
    Unknown(String),
    /// The change to take back is not the last, or there is none.
    #[error("the change to take back is not the last one")]
    NotLast,
    /// It could not be stored.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A change of places that somebody makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Arranged {
    /// Who.
    pub by: String,
    /// What was done.
    pub act: LayoutAct,
    /// How many things somebody named, or that moved.
    pub count: u32,
    /// The revision that it makes.
    pub rev: i64,
    /// Places that are new or moved.
    pub records: Vec<LayoutRecord>,
    /// Nodes and sites that have a place no more.
    pub forgotten: Vec<String>,
    /// How to take it back.
    pub step: Option<LayoutStep>,
    /// Steps that cannot be taken back any more.
    pub steps_removed: Vec<i64>,
}

/// How the map is arranged, for people.
#[derive(Debug, Clone, Default)]
pub struct Arrangement {
    /// The revision.
    pub rev: i64,
    /// What is pinned.
    pub pinned: Vec<String>,
    /// Changes that can be taken back, the last first, without what they hold.
    pub steps: Vec<LayoutStep>,
}

fn placed_of(row: LayoutRecord) -> Placed {
    let LayoutRecord { node, site, x, y, r, pinned, rev, .. } = row;
    Placed { id: node, site, x, y, r, pinned, rev }
}

impl Arranger {
    /// Starts from what is stored.
    pub fn new(stored: Stored) -> Self {
        let (all, gone) = (BTreeMap::new(), BTreeMap::new());
        let Stored { places: rows, rev, steps } = stored;
        let mut places = Places { rev, all, gone, tidied_at: None, steps };
        for row in rows {
            if let Some(gone_at) = row.gone_at {
                places.gone.insert(row.node.clone(), gone_at);
            }
            places.all.insert(row.node.clone(), placed_of(row));
        }
        Self { places: Mutex::new(places), turn: tokio::sync::Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else changes places, and keeps others waiting.
    pub async fn turn(&self) -> Turn<'_, ()> {
        self.turn.lock().await
    }

    /// The stored places of nodes and sites.
    pub fn known(&self) -> (Vec<Placed>, i64) {
        let places = self.lock();
        (places.all.values().cloned().collect(), places.rev)
    }

    /// The revision of the stored places.
    pub fn rev(&self) -> i64 {
        self.lock().rev
    }

    /// How the map is arranged.
    pub fn arrangement(&self) -> Arrangement {
        let places = self.lock();
        let pinned = places.all.values().filter(|placed| placed.pinned);
        let bare = |step: &LayoutStep| LayoutStep { before: Vec::new(), ..step.clone() };
        Arrangement {
            rev: places.rev,
            pinned: pinned.map(|placed| placed.id.clone()).collect(),
            steps: places.steps.iter().rev().map(bare).collect(),
        }
    }

    /// Whether it is time to look for nodes that are gone; if so, the next time is a while off.
    pub fn is_untidy(&self, now: UnixSeconds) -> bool {
        let mut places = self.lock();
        let due = places.tidied_at.is_none_or(|last| now.since(last) >= TIDY_EVERY_S);
        if due {
            places.tidied_at = Some(now);
        }
        due
    }

    /// Gives up the slots of nodes that have been gone for long, and the circles that nobody is
    /// left in. Answers their names. Nothing that is there moves: a free slot is only free.
    pub fn give_up(&self, now: UnixSeconds) -> Vec<String> {
        let mut guard = self.lock();
        let places = &mut *guard;
        let over = places.gone.iter().filter(|(_, gone_at)| now.since(**gone_at) > SLOT_KEPT_S);
        let over = over.map(|(id, _)| id.clone()).take(GIVEN_UP_AT_ONCE);
        let mut given_up: Vec<String> = over.collect();
        let mut left = BTreeSet::new();
        for id in &given_up {
            places.gone.remove(id);
            left.extend(places.all.remove(id).and_then(|placed| placed.site));
        }
        let lived_in: BTreeSet<&String> =
            places.all.values().filter_map(|placed| placed.site.as_ref()).collect();
        left.retain(|site| !lived_in.contains(site));
        // A circle that a person put somewhere stays for the next who moves in.
        left.retain(|site| places.all.get(site).is_some_and(|placed| !placed.pinned));
        places.all.retain(|id, _| !left.contains(id));
        given_up.extend(left);
        given_up
    }

    /// Takes new places; answers the rows to store, those of nodes that left or came back
    /// included.
    pub fn take(
        &self,
        changed: Vec<Placed>,
        present: &BTreeSet<String>,
        now: UnixSeconds,
    ) -> Vec<LayoutRecord> {
        let mut guard = self.lock();
        let places = &mut *guard;
        let mut touched: BTreeSet<String> = BTreeSet::new();
        for placed in changed {
            touched.insert(placed.id.clone());
            places.all.insert(placed.id.clone(), placed);
        }
        for placed in places.all.values().filter(|placed| placed.site.is_some()) {
            if present.contains(&placed.id) {
                if places.gone.remove(&placed.id).is_some() {
                    touched.insert(placed.id.clone());
                }
            } else if !places.gone.contains_key(&placed.id) {
                places.gone.insert(placed.id.clone(), now);
                touched.insert(placed.id.clone());
            }
        }
        touched.iter().filter_map(|id| Some(places.row(places.all.get(id)?, now))).collect()
    }

    /// What an act changes, as it would be stored.
    fn decide(
        &self,
        act: &Act,
        nodes: &[Unplaced],
        (by, now): (&str, UnixSeconds),
    ) -> Result<Arranged, ActError> {
        let places = self.lock();
        let existing: Vec<Placed> = places.all.values().cloned().collect();
        let rev = places.rev + 1;
        let unknown = |id: &String| !places.all.contains_key(id);
        let (changed, forgotten, what) = match act {
            Act::Pin(moves) => {
                if let Some(bad) = moves.iter().find(|to| unknown(&to.id)) {
                    return Err(ActError::Unknown(bad.id.clone()));
                }
                (pin(&existing, moves, rev), Vec::new(), LayoutAct::Pin)
            }
            Act::Unpin(ids) => {
                if let Some(bad) = ids.iter().find(|id| unknown(id)) {
                    return Err(ActError::Unknown(bad.clone()));
                }
                (unpin(&existing, ids, rev), Vec::new(), LayoutAct::Unpin)
            }
            Act::Rearrange => {
                let (changed, forgotten) = anew(&existing, nodes, rev);
                (changed, forgotten, LayoutAct::Rearrange)
            }
            Act::Undo(step) => {
                let last = places.steps.last().filter(|last| last.step == *step);
                let before: Vec<Was> =
                    last.ok_or(ActError::NotLast)?.before.iter().map(was_of).collect();
                (undo(&existing, &before, rev), Vec::new(), LayoutAct::Undo)
            }
        };
        Ok(places.arranged((by, what, now), (changed, forgotten), act))
    }

    /// Takes a change that is stored.
    fn settle(&self, arranged: &Arranged) {
        let mut places = self.lock();
        places.rev = arranged.rev;
        for id in &arranged.forgotten {
            places.all.remove(id);
            places.gone.remove(id);
        }
        for row in &arranged.records {
            places.all.insert(row.node.clone(), placed_of(row.clone()));
        }
        places.steps.retain(|step| !arranged.steps_removed.contains(&step.step));
        places.steps.extend(arranged.step.clone());
    }
}

impl Places {
    fn row(&self, placed: &Placed, now: UnixSeconds) -> LayoutRecord {
        let Placed { id, site, x, y, r, pinned, rev } = placed.clone();
        let gone_at = self.gone.get(&id).copied();
        LayoutRecord { node: id, site, x, y, r, pinned, rev, placed_at: now, gone_at }
    }

    fn arranged(
        &self,
        (by, what, now): (&str, LayoutAct, UnixSeconds),
        (changed, forgotten): (Vec<Placed>, Vec<String>),
        act: &Act,
    ) -> Arranged {
        let rev = changed.first().map_or(self.rev + 1, |placed| placed.rev);
        let touched = changed.iter().map(|placed| &placed.id).chain(&forgotten);
        let before: Vec<PlaceBefore> =
            touched.filter_map(|id| self.all.get(id)).map(before_of).collect();
        let count = match act {
            Act::Pin(moves) => moves.len(),
            Act::Unpin(ids) => ids.len(),
            Act::Rearrange | Act::Undo(_) => changed.len(),
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let number = self.steps.last().map_or(1, |last| last.step + 1);
        let (by, at) = (by.to_owned(), now);
        let step = LayoutStep { step: number, at, by: by.clone(), act: what, count, before };
        let (step, steps_removed) = match act {
            Act::Undo(undone) => (None, vec![*undone]),
            Act::Pin(_) | Act::Unpin(_) | Act::Rearrange => {
                let too_many = (self.steps.len() + 1).saturating_sub(STEPS_KEPT);
                (Some(step), self.steps.iter().take(too_many).map(|step| step.step).collect())
            }
        };
        let records = changed.iter().map(|placed| self.row(placed, now)).collect();
        Arranged { by, act: what, count, rev, records, forgotten, step, steps_removed }
    }
}

/// Everything placed anew: what changes, and what has no place any more.
fn anew(existing: &[Placed], nodes: &[Unplaced], rev: i64) -> (Vec<Placed>, Vec<String>) {
    let all = rearrange(existing, &layout_nodes(nodes), rev);
    let kept: BTreeSet<&str> = all.iter().map(|placed| placed.id.as_str()).collect();
    let forgotten = existing.iter().filter(|placed| !kept.contains(placed.id.as_str()));
    let forgotten = forgotten.map(|placed| placed.id.clone()).collect();
    let before: BTreeMap<&str, &Placed> = existing.iter().map(|p| (p.id.as_str(), p)).collect();
    let differs = |placed: &Placed| {
        before.get(placed.id.as_str()).is_none_or(|old| Was::of(old) != Was::of(placed))
    };
    (all.iter().filter(|placed| differs(placed)).cloned().collect(), forgotten)
}

fn before_of(placed: &Placed) -> PlaceBefore {
    let Was { id, site, x, y, r, pinned } = Was::of(placed);
    PlaceBefore { node: id, site, x, y, r, pinned }
}

fn was_of(before: &PlaceBefore) -> Was {
    let PlaceBefore { node, site, x, y, r, pinned } = before.clone();
    Was { id: node, site, x, y, r, pinned }
}

/// What would move if everything were placed anew: ids with their new places.
pub async fn preview(processor: &Processor, arranger: &Arc<Arranger>) -> Vec<(String, f64, f64)> {
    let (nodes, mine) = (processor.board().all_nodes(), Arc::clone(arranger));
    let work = move || {
        let (existing, rev) = mine.known();
        anew(&existing, &nodes, rev).0
    };
    let changed = tokio::task::spawn_blocking(work).await.unwrap_or_default();
    changed.into_iter().map(|placed| (placed.id, placed.x, placed.y)).collect()
}

/// Does what somebody asks for: decides it, stores it, and then shows it.
///
/// # Errors
/// If it names what has no place, is out of date, or cannot be stored.
pub async fn carry_out(
    processor: &Processor,
    arranger: &Arc<Arranger>,
    act: Act,
    (by, now): (String, UnixSeconds),
) -> Result<(), ActError> {
    let _turn = arranger.turn().await;
    let nodes = processor.board().all_nodes();
    let mine = Arc::clone(arranger);
    let work = move || mine.decide(&act, &nodes, (&by, now));
    let decided = tokio::task::spawn_blocking(work).await;
    let arranged = decided.map_err(|error| CommandError::Unavailable(error.to_string()))??;
    if arranged.records.is_empty() && arranged.forgotten.is_empty() && arranged.step.is_some() {
        return Ok(());
    }
    processor.command(Command::Arrange(Box::new(arranged.clone()))).await?;
    arranger.settle(&arranged);
    arranger.show(processor.board(), &[]);
    Ok(())
}

impl Arranger {
    /// Hands all places to the board, which knows what is new about them; `fresh` are not taken
    /// yet.
    pub fn show(&self, board: &Board, fresh: &[Placed]) {
        let (known, rev) = self.known();
        let all: BTreeMap<&str, &Placed> =
            known.iter().chain(fresh).map(|placed| (placed.id.as_str(), placed)).collect();
        let sites = all.values().filter(|placed| placed.site.is_none()).filter_map(|p| site(p));
        let nodes: Vec<_> = all
            .values()
            .filter_map(|p| p.site.as_ref().map(|site| (p.id.clone(), site.clone(), p.x, p.y)))
            .collect();
        board.place(rev, sites.collect(), &nodes);
    }
}

fn site(placed: &Placed) -> Option<Site> {
    let (fleet, label) = placed.id.split_once('/')?;
    Some(Site {
        id: placed.id.clone(),
        label: label.to_owned(),
        fleet_id: fleet.parse::<FleetId>().ok()?,
        x: placed.x,
        y: placed.y,
        r: placed.r,
        counts: SiteCounts::default(),
    })
}

/// Nodes as the layout sees them.
pub fn layout_nodes(nodes: &[Unplaced]) -> Vec<LayoutNode<'_>> {
    nodes
        .iter()
        .map(|unplaced| LayoutNode {
            id: &unplaced.node.id,
            fleet: unplaced.node.fleet_id.as_str(),
            site: unplaced.site_label.as_deref(),
            role: NodeRole::from_word(&unplaced.node.role),
            name: &unplaced.node.label,
            neighbours: unplaced.neighbours.iter().map(String::as_str).collect(),
        })
        .collect()
}
