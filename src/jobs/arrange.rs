//! Gives new nodes a place on the map, away from the report path, and remembers it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::Context;
use crate::model::id::FleetId;
use crate::model::time::UnixSeconds;
use crate::process::board::Unplaced;
use crate::process::handle::Command;
use crate::store::layout::LayoutRecord;
use crate::topology::layout::{Placed, place};
use crate::topology::picture::{Site, SiteCounts};
use crate::topology::sites::{LayoutNode, NodeRole};

/// A node that is gone finds its slot free when it returns within this time (MAP 4).
const SLOT_KEPT_S: i64 = 7 * 86_400;

/// Seconds between two looks for nodes that left, came back, or have been gone for long.
const TIDY_EVERY_S: i64 = 60;

/// Slots given up in one go; the rest follow with the next look.
const GIVEN_UP_AT_ONCE: usize = 500;

/// Every place there is, as stored.
#[derive(Debug)]
pub struct Arranger(Mutex<Places>);

#[derive(Debug)]
struct Places {
    rev: i64,
    all: BTreeMap<String, Placed>,
    gone: BTreeMap<String, UnixSeconds>,
    tidied_at: Option<UnixSeconds>,
}

impl Arranger {
    /// Starts from the stored places.
    pub fn new(rows: Vec<LayoutRecord>, rev: i64) -> Self {
        let (all, gone) = (BTreeMap::new(), BTreeMap::new());
        let mut places = Places { rev, all, gone, tidied_at: None };
        for row in rows {
            if let Some(gone_at) = row.gone_at {
                places.gone.insert(row.node.clone(), gone_at);
            }
            let placed = Placed {
                id: row.node.clone(),
                site: row.site,
                x: row.x,
                y: row.y,
                r: row.r,
                pinned: row.pinned,
                rev: row.rev,
            };
            places.all.insert(row.node, placed);
        }
        Self(Mutex::new(places))
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored places of nodes and sites.
    fn known(&self) -> (Vec<Placed>, i64) {
        let places = self.lock();
        (places.all.values().cloned().collect(), places.rev)
    }

    /// Whether it is time to look for nodes that are gone; if so, the next time is a while off.
    fn is_untidy(&self, now: UnixSeconds) -> bool {
        let mut places = self.lock();
        let due = places.tidied_at.is_none_or(|last| now.since(last) >= TIDY_EVERY_S);
        if due {
            places.tidied_at = Some(now);
        }
        due
    }

    /// Gives up the slots of nodes that have been gone for long, and the circles that nobody is
    /// left in. Answers their names. Nothing that is there moves: a free slot is only free.
    fn give_up(&self, now: UnixSeconds) -> Vec<String> {
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
    fn take(
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
        let row = |id: String| {
            let placed = places.all.get(&id)?;
            Some(LayoutRecord {
                site: placed.site.clone(),
                x: placed.x,
                y: placed.y,
                r: placed.r,
                pinned: placed.pinned,
                rev: placed.rev,
                placed_at: now,
                gone_at: places.gone.get(&id).copied(),
                node: id,
            })
        };
        touched.into_iter().filter_map(row).collect()
    }
}

/// Gives up what has been gone for long, and places what has no place yet.
pub async fn run(context: Context) {
    tidy(&context).await;
    let Some(nodes) = context.processor.board().unplaced() else { return };
    let present: BTreeSet<String> = nodes.iter().map(|node| node.node.id.clone()).collect();
    let (known, rev) = context.arranger.known();
    let placed = tokio::task::spawn_blocking(move || {
        let changed = place(&known, &layout_nodes(&nodes), rev);
        (changed, known)
    });
    let Ok((changed, known)) = placed.await else {
        warn!("The map could not be arranged");
        return;
    };
    show(&context, &known, &changed, rev);
    let records = context.arranger.take(changed, &present, context.clock.now());
    store(&context, rev, records, Vec::new()).await;
}

/// Notes who left and who is back, and gives up the slots of those that stay away.
async fn tidy(context: &Context) {
    let now = context.clock.now();
    if !context.arranger.is_untidy(now) {
        return;
    }
    let records = context.arranger.take(Vec::new(), &context.processor.board().node_ids(), now);
    let forgotten = context.arranger.give_up(now);
    if !records.is_empty() || !forgotten.is_empty() {
        let (_, rev) = context.arranger.known();
        let records = records.into_iter().filter(|row| !forgotten.contains(&row.node)).collect();
        store(context, rev, records, forgotten).await;
    }
}

async fn store(
    context: &Context,
    layout_rev: i64,
    records: Vec<LayoutRecord>,
    forgotten: Vec<String>,
) {
    let command = Command::Layout { layout_rev, records, forgotten };
    if let Err(failure) = context.processor.command(command).await {
        warn!(%failure, "New places on the map were not stored; a restart will find others");
    }
}

/// Hands all places to the board, which knows what is new about them.
fn show(context: &Context, known: &[Placed], changed: &[Placed], rev: i64) {
    let all: BTreeMap<&str, &Placed> =
        known.iter().chain(changed).map(|placed| (placed.id.as_str(), placed)).collect();
    let sites = all.values().filter(|placed| placed.site.is_none()).filter_map(|p| site(p));
    let nodes: Vec<_> = all
        .values()
        .filter_map(|p| p.site.as_ref().map(|site| (p.id.clone(), site.clone(), p.x, p.y)))
        .collect();
    context.processor.board().place(rev, sites.collect(), &nodes);
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

fn layout_nodes(nodes: &[Unplaced]) -> Vec<LayoutNode<'_>> {
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
