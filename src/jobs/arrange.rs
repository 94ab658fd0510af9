//! Gives new nodes a place on the map, away from the report path, and remembers it.

use std::collections::BTreeSet;

use tracing::warn;

use super::Context;
use crate::process::handle::Command;
use crate::process::places::layout_nodes;
use crate::store::layout::LayoutRecord;
use crate::topology::layout::place;

/// Places written in one transaction.
const AT_ONCE: usize = 500;

/// Gives up what has been gone for long, and places what has no place yet.
pub async fn run(context: Context) {
    let _turn = context.arranger.turn().await;
    tidy(&context).await;
    let Some(roster) = context.processor.board().unplaced() else { return };
    let (known, rev) = context.arranger.known();
    let placed = tokio::task::spawn_blocking(move || {
        let nodes = roster.nodes();
        let present: BTreeSet<String> = nodes.iter().map(|node| node.node.id.clone()).collect();
        (place(&known, &layout_nodes(&nodes), rev), present)
    });
    let Ok((changed, present)) = placed.await else {
        warn!("The map could not be arranged");
        return;
    };
    context.arranger.show(context.processor.board(), &changed);
    let records = context.arranger.take(changed, &present, context.clock.now());
    // Those who report meanwhile do not wait for the places of thousands.
    for some in records.chunks(AT_ONCE) {
        store(&context, rev, some.to_vec(), Vec::new()).await;
    }
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
        let rev = context.arranger.rev();
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
