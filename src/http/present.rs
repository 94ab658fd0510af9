//! An agent as of its last report. What moves with every report is not written to the agent's
//! rows: it is in the stored report itself, and for links on the board.

use std::collections::BTreeMap;

use crate::http::state::seen::Seen;
use crate::model::id::{AgentId, AlarmId, ReportId};
use crate::model::proven::Proven;
use crate::model::report::ReportData;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;
use crate::process::prove::{SharedKeys, prove};
use crate::store::row::{AgentDetail, AlarmRow, ReportFilter, ReportSummary, StoredReport};
use crate::store::{Reader, StoreError};
use crate::verify::shelf::Shelf;
use crate::verify::stored;

/// Reports among which the newest is looked for: history that a host sends after it arrives in
/// between.
const LOOKED_AT: usize = 20;

/// The agent's stored report that tells of the latest moment.
pub fn last_report(store: &dyn Reader, id: &AgentId) -> Result<Option<StoredReport>, StoreError> {
    let latest =
        ReportFilter { agent: Some(id.clone()), limit: LOOKED_AT, ..ReportFilter::default() };
    let newest = summaries(store, &latest)?.into_iter().reduce(newer);
    newest.map_or(Ok(None), |newest| whole(store, newest.id))
}

/// Stored reports without their envelopes.
pub fn summaries(
    store: &dyn Reader,
    filter: &ReportFilter,
) -> Result<Vec<ReportSummary>, StoreError> {
    Ok(store.reports(filter)?.into_iter().map(|row| row.summary).collect())
}

/// One stored report with its envelope.
pub fn whole(store: &dyn Reader, id: ReportId) -> Result<Option<StoredReport>, StoreError> {
    match store.reports(&ReportFilter::whole(id))?.pop() {
        Some(report) if report.envelope.is_empty() => {
            Err(StoreError::Damaged(format!("the envelope of report {id}")))
        }
        found => Ok(found),
    }
}

/// The same, and what comes of proving it again with the keys that are kept.
pub fn proven(
    store: &dyn Reader,
    keys: &SharedKeys,
    id: ReportId,
) -> Result<Option<(StoredReport, Proven)>, StoreError> {
    let Some(report) = whole(store, id)? else { return Ok(None) };
    let proof = prove(store, &report, keys)?;
    Ok(Some((report, proof)))
}

/// Since when nobody has been heard who could tell more of an open alarm: its agent, or, of a
/// link, both ends. `None` if somebody is heard, or if no report tells of it.
pub fn unheard_since(board: &Seen, row: &AlarmRow) -> Option<UnixSeconds> {
    let alarm = &row.alarm;
    if alarm.cleared_at.is_some() {
        return None;
    }
    let ends = AlarmKind::OF_LINKS.contains(&alarm.kind).then(|| board.ends(&alarm.subject));
    let witnesses: Vec<AgentId> = match ends.flatten() {
        Some(ends) => ends,
        // Without a report the manager is the witness.
        None => row.agent_id.iter().filter(|_| alarm.report.is_some()).cloned().collect(),
    };
    // The last of them to fall silent; nothing if one of them is heard.
    let silent: Option<Vec<_>> = witnesses.iter().map(|id| board.silent_since(id)).collect();
    silent?.into_iter().max()
}

/// The same of several, without those of which somebody is heard.
pub fn unheard<'a>(
    board: &Seen,
    rows: impl IntoIterator<Item = &'a AlarmRow>,
) -> BTreeMap<AlarmId, UnixSeconds> {
    let since = |row: &AlarmRow| Some((row.alarm.id, unheard_since(board, row)?));
    rows.into_iter().filter_map(since).collect()
}

/// Reports before a time that are shown of one agent; after it, one.
const BEFORE: usize = 2;

/// The agent's last reports received by a time and the first one after it, newest first.
pub fn around(
    store: &dyn Reader,
    id: &AgentId,
    at: UnixSeconds,
) -> Result<Vec<ReportSummary>, StoreError> {
    let first_later = first_after(store, at)?;
    let of_agent = || ReportFilter { agent: Some(id.clone()), ..ReportFilter::default() };
    let later = ReportFilter { after: Some(ReportId(first_later.0 - 1)), limit: 1, ..of_agent() };
    let earlier = ReportFilter { before: Some(first_later), limit: BEFORE, ..of_agent() };
    let mut found = summaries(store, &later)?;
    found.extend(summaries(store, &earlier)?);
    Ok(found)
}

/// The agent's last report received by a time, with what it said; `None` if it is not kept any
/// more, or its bytes are damaged.
pub fn said_by(
    (store, shelf): (&dyn Reader, &Shelf),
    id: &AgentId,
    at: UnixSeconds,
) -> Result<Option<(ReportSummary, ReportData)>, StoreError> {
    let filter = ReportFilter {
        agent: Some(id.clone()),
        before: Some(first_after(store, at)?),
        envelopes: true,
        limit: 1,
        ..ReportFilter::default()
    };
    let Some(report) = store.reports(&filter)?.pop() else { return Ok(None) };
    Ok(stored::report(&report.envelope, shelf).map(|said| (report.summary, said)))
}

/// The number of the first report received after a time, or one more than the last; found by
/// halving, since numbers grow with time.
pub fn first_after(store: &dyn Reader, at: UnixSeconds) -> Result<ReportId, StoreError> {
    let newest = ReportFilter { limit: 1, ..ReportFilter::default() };
    let last = summaries(store, &newest)?.pop().map_or(0, |report| report.id.0);
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let from =
            ReportFilter { after: Some(ReportId(middle - 1)), limit: 1, ..ReportFilter::default() };
        match summaries(store, &from)?.pop() {
            Some(report) if report.received_at <= at => low = report.id.0 + 1,
            _ => high = middle,
        }
    }
    Ok(ReportId(low))
}

/// Which of two reports tells of the later moment; `last` arrived after `earlier`. It was
/// overtaken if it was signed first, by its counter, or if it was read first though it was signed
/// last. A clock that was set back makes neither true.
fn newer(last: ReportSummary, earlier: ReportSummary) -> ReportSummary {
    let read = |report: &ReportSummary| report.collected_at.unwrap_or(report.timestamp);
    let out_of_turn = last.tick.is_some() && last.tick < earlier.tick;
    let overtaken = read(&last) < read(&earlier) && last.timestamp >= earlier.timestamp;
    if out_of_turn || overtaken { earlier } else { last }
}

/// Puts the moving values of the last report and of the board into what was stored.
pub fn bring_up_to_date(
    detail: &mut AgentDetail,
    last: Option<&StoredReport>,
    (board, shelf): (&Seen, &Shelf),
) {
    let last = last.filter(|last| tells_of_now(last));
    if let Some(said) = last.and_then(|last| stored::report(&last.envelope, shelf)) {
        detail.agent.uptime_seconds = said.uptime_seconds;
        detail.agent.load = said.load;
        for now in said.interfaces.into_iter().flatten() {
            let known = detail.interfaces.iter_mut().find(|known| known.name == now.name);
            if let Some(known) = known {
                known.counters = now.counters;
            }
        }
    }
    for (peer, edge) in &mut detail.peers {
        let Some(edge) = board.edge(edge.as_str()) else { continue };
        let ours = edge.ends.iter().find(|end| {
            end.agent_id.as_ref() == Some(&detail.agent.id)
                && end.interface.as_deref() == Some(&peer.interface)
        });
        let Some(end) = ours else { continue };
        peer.latest_handshake = end.latest_handshake.unwrap_or(peer.latest_handshake);
        peer.rx_bytes = end.rx_bytes.unwrap_or(peer.rx_bytes);
        peer.tx_bytes = end.tx_bytes.unwrap_or(peer.tx_bytes);
    }
}

/// Seconds that the last report took from each signature to the next, and to its receipt.
///
/// The first is from the agent's to the first relay's. By everybody's own clock, so one that is off
/// shows, and may make them negative. Empty if it came straight, or if no relay signed.
pub fn delays(last: Option<&StoredReport>) -> Vec<i64> {
    let Some(StoredReport { summary, envelope, .. }) = last else { return Vec::new() };
    let relays = stored::relayed_at(envelope);
    if relays.is_empty() || relays.len() != summary.relay_path.relays().len() {
        return Vec::new();
    }
    let from = std::iter::once(summary.timestamp).chain(relays.iter().copied());
    let to = relays.iter().copied().chain([summary.received_at]);
    from.zip(to).map(|(from, to)| to.since(from)).collect()
}

fn tells_of_now(report: &StoredReport) -> bool {
    report.summary.tells_of_the_past().is_none()
}
