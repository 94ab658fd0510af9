//! An agent as of its last report. What moves with every report is not written to the agent's
//! rows: it is in the stored report itself, and for links on the board.

use std::ops::Range;

use crate::model::id::AgentId;
use crate::model::report::ReportData;
use crate::process::board::Board;
use crate::store::row::{AgentDetail, ReportFilter, StoredReport};
use crate::store::{Reader, StoreError};
use crate::wire::data;
use crate::wire::envelope::{DataV2, Envelope, HeadV1, HeadV2, parse};

/// The agent's last stored report.
pub fn last_report(store: &dyn Reader, id: &AgentId) -> Result<Option<StoredReport>, StoreError> {
    let filter = ReportFilter { agent: Some(id.clone()), before: None, limit: 1 };
    match store.reports(&filter)?.first() {
        Some(last) => store.report(last.id),
        None => Ok(None),
    }
}

/// Puts the moving values of the last report and of the board into what was stored.
pub fn bring_up_to_date(detail: &mut AgentDetail, last: Option<&StoredReport>, board: &Board) {
    if let Some(said) = last.filter(|last| tells_of_now(last)).and_then(read) {
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

/// A report that was kept back on the host for longer than this tells of the past.
const KEPT_BACK_S: i64 = 100;

fn tells_of_now(report: &StoredReport) -> bool {
    let summary = &report.summary;
    summary.collected_at.is_none_or(|at| summary.timestamp.since(at) <= KEPT_BACK_S)
}

fn read(report: &StoredReport) -> Option<ReportData> {
    let inside = |range: &Range<usize>| report.envelope.get(range.clone());
    let envelope = parse(&report.envelope).ok()?;
    let said = match &envelope {
        Envelope::V1(HeadV1 { data, .. })
        | Envelope::V2(HeadV2 { data: DataV2::InBody(data), .. }) => inside(data)?,
        Envelope::V2(HeadV2 { data: DataV2::Decoded(data), .. }) => data,
    };
    data::parse(said).ok()
}
