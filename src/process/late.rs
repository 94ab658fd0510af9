//! Reports that tell of the past: the history is filled in from them, and nothing else changes.
//!
//! The agent's two reports next to the late one are read back, and what differs is written at
//! the late one's time and, to close the gap, at the time of the next: what the last event at or
//! before a time says is then true of that time, whatever order the reports came in. A section
//! that one of the three does not tell is left alone. Where nothing was measured before, everything
//! appears; where nothing was measured after, the history ends with the late report until the
//! next report goes on from there ([`then`]). Where a neighbour's stored bytes cannot be read, or
//! it may have been there and is kept no longer, nothing is written.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracing::warn;

use super::diff;
use super::draft::Draft;
use super::edges::edge_of;
use super::engine::Engine;
use super::fleet::Fleet;
use super::history::{self, Whose};
use super::report::{self, Arrival};
use super::witness::NOBODY;
use crate::model::id::{AgentNo, EdgeId};
use crate::model::report::{Interface, Peer, ReportData, lists_every_interface};
use crate::model::state::{AgentStatus, EdgeState, EventKind};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::change::{LEARNT_LATER, NewEvent};
use crate::store::earlier::{Earlier, EarlierReport, EdgePast};
use crate::topology::verdict::{EndEvidence, Verdict, verdict};
use crate::verify::shelf::Shelf;
use crate::verify::stored;

/// What a host told at some time.
struct Moment {
    at: UnixSeconds,
    told: ReportData,
}

/// A report between the two that were measured next to it.
struct Gap<'a> {
    before: Option<Moment>,
    at: UnixSeconds,
    told: &'a ReportData,
    after: Option<Moment>,
}

/// One section at two times that follow each other, and the second of the times.
type Step<'a, T> = (UnixSeconds, &'a [T], &'a [T]);

impl Gap<'_> {
    /// What to compare of a section, into the report and out of it again; empty if not all tell
    /// the section.
    fn steps<T>(&self, section: impl Fn(&ReportData) -> Option<&[T]>) -> Vec<Step<'_, T>> {
        let was = self.before.as_ref().map_or(Some(&[][..]), |before| section(&before.told));
        let next = self.after.as_ref().map(|after| (after.at, section(&after.told)));
        match (was, section(self.told), next) {
            (Some(was), Some(is), None) => vec![(self.at, was, is)],
            (Some(was), Some(is), Some((at, Some(next)))) => {
                vec![(self.at, was, is), (at, is, next)]
            }
            _ => Vec::new(),
        }
    }

    /// Whether an event of this kind is about a section that the gap's reports tell.
    fn tells(&self, kind: EventKind) -> bool {
        use EventKind as K;
        if [K::RouteAdded, K::RouteRemoved].contains(&kind) {
            return !self.steps(|data| data.routes.as_deref()).is_empty();
        }
        if [K::PeerAdded, K::PeerChanged, K::PeerRemoved].contains(&kind) {
            return !self.steps(|data| data.peers.as_deref()).is_empty();
        }
        let interfaces = [
            K::InterfaceAdded,
            K::InterfaceChanged,
            K::InterfaceRemoved,
            K::AddressAdded,
            K::AddressRemoved,
        ];
        interfaces.contains(&kind) && !self.steps(|data| data.interfaces.as_deref()).is_empty()
    }
}

/// Takes a report that tells of the past.
pub(super) fn report(
    engine: &mut Engine,
    draft: &mut Draft,
    arrival: &Arrival<'_>,
    told: &ReportData,
) -> Result<(), StoreError> {
    if let Some(row) = &mut draft.change.report {
        row.late = true;
    }
    let known = engine.writer.earlier(arrival.no, &Earlier::Around(arrival.measured_at))?;
    let (around, cut) = (known.reports, known.cut);
    let is_last = around.iter().all(|row| row.measured_at() <= arrival.measured_at);
    if let Some(agent) = engine.fleet.agents.get_mut(&arrival.no).filter(|_| is_last) {
        agent.history_ahead = true;
    }
    if cut {
        return Ok(());
    }
    let Some(gap) = gap(around, (arrival.measured_at, told), &engine.shelf) else {
        return Ok(());
    };
    draft.cause = Some(LEARNT_LATER.to_owned());
    sections(draft, &Whose::of(&engine.fleet, arrival.no), &gap);
    links(engine, draft, arrival.no, &gap)?;
    (draft.cause, draft.at) = (None, draft.now);
    Ok(())
}

/// Takes a report that tells of the present, which goes on from the history's end even if that
/// is a late report.
pub(super) fn then(
    engine: &mut Engine,
    draft: &mut Draft,
    arrival: &Arrival<'_>,
    told: &ReportData,
) -> Result<(), StoreError> {
    let (no, at) = (arrival.no, arrival.measured_at);
    let Some(agent) = engine.fleet.agents.get_mut(&no).filter(|agent| agent.history_ahead) else {
        return report::apply(&mut engine.fleet, engine.writer.as_mut(), draft, arrival, told);
    };
    let record = &agent.record;
    // Nothing is held of a new agent, nor after a reset: everything appears then, as it must.
    let holds = [record.interfaces_hash, record.routes_hash, record.peers_hash] != [0; 3];
    let around = engine.writer.earlier(no, &Earlier::Around(at))?.reports;
    agent.history_ahead = around.iter().any(|row| row.measured_at() > at);
    let first = draft.change.events.len();
    report::apply(&mut engine.fleet, engine.writer.as_mut(), draft, arrival, told)?;
    let Some(gap) = gap(around, (at, told), &engine.shelf) else { return Ok(()) };
    if holds {
        // These compare with what is held here, and the history has been further.
        let new = draft.change.events.split_off(first);
        draft.change.events.extend(new.into_iter().filter(|event| !gap.tells(event.kind)));
    }
    sections(draft, &Whose::of(&engine.fleet, no), &gap);
    draft.at = at;
    end_testimony(engine, draft, no, &gap)
}

/// The report between its neighbours; `None` if one of them cannot be read back.
fn gap<'a>(
    around: Vec<EarlierReport>,
    (at, told): (UnixSeconds, &'a ReportData),
    shelf: &Shelf,
) -> Option<Gap<'a>> {
    let (mut before, mut after) = (None, None);
    for row in around {
        let Some(told) = stored::report(&row.envelope, shelf) else {
            warn!(report = %row.id, "A stored report cannot be read back; history around it stays");
            return None;
        };
        let measured_at = row.measured_at();
        let side = if measured_at <= at { &mut before } else { &mut after };
        *side = Some(Moment { at: measured_at, told });
    }
    Some(Gap { before, at, told, after })
}

fn sections(draft: &mut Draft, whose: &Whose, gap: &Gap<'_>) {
    for (at, was, is) in gap.steps(|data| data.interfaces.as_deref()) {
        draft.at = at;
        history::interfaces(draft, whose, &diff::interfaces(was, is));
    }
    for (at, was, is) in gap.steps(|data| data.routes.as_deref()) {
        draft.at = at;
        history::routes(draft, whose, &diff::routes(was, is));
    }
    for (at, was, is) in gap.steps(|data| data.peers.as_deref()) {
        draft.at = at;
        let found = diff::peers(was, is);
        for peer in found.added {
            history::peer(draft, whose, None, Some(peer));
        }
        for (old, new) in found.changed {
            history::peer(draft, whose, Some(old), Some(new));
        }
        for peer in found.removed {
            history::peer(draft, whose, Some(peer), None);
        }
    }
}

/// A peer entry of a late report and who is at its other end.
type Entry<'a> = (&'a Peer, Option<AgentNo>);

/// What a host listed of a link in the report before, and in the late one.
type Listing<'a> = (Option<Entry<'a>>, Option<Entry<'a>>);

/// Judges links of which nobody could tell anything at the time. Where somebody could, that
/// verdict stands: this is one end's word without the traffic of two intervals.
fn links(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    gap: &Gap<'_>,
) -> Result<(), StoreError> {
    let mut entries: BTreeMap<EdgeId, Listing<'_>> =
        links_of(&engine.fleet, no, gap.before.as_ref());
    for peer in gap.told.peers.iter().flatten() {
        if let Some((id, other)) = edge_of(&engine.fleet, no, peer) {
            entries.entry(id).or_default().1 = Some((peer, other));
        }
    }
    let ids = entries.keys().cloned().collect();
    let known = engine.writer.earlier(no, &Earlier::Edges { at: gap.at, ids })?;
    let whose = Whose::of(&engine.fleet, no);
    for past in known.edges {
        let state = state_of(&past);
        if state != Some(EdgeState::Unknown) && past.learnt_from != Some(no) {
            continue;
        }
        let entry = entries.get(&past.id).copied().unwrap_or_default();
        let Verdict { state: judged, reason, .. } = testimony(&engine.fleet, no, gap, entry);
        if state == Some(judged) {
            continue;
        }
        let is = json!({ "state": judged, "reason": reason });
        let about = || whose.about(past.id.to_string());
        draft.at = gap.at;
        draft.event(EventKind::EdgeState, about(), Some(past.value.clone()), Some(is.clone()));
        if let Some(after) = &gap.after
            && past.next_at.is_none_or(|next| next > after.at)
        {
            draft.at = after.at;
            draft.event(EventKind::EdgeState, about(), Some(is), Some(past.value));
        }
    }
    Ok(())
}

/// The links that the host listed before.
fn links_of<'a>(
    fleet: &Fleet,
    no: AgentNo,
    then: Option<&'a Moment>,
) -> BTreeMap<EdgeId, Listing<'a>> {
    let peers = then.and_then(|moment| moment.told.peers.as_ref()).into_iter().flatten();
    let listing = |peer: &'a Peer| {
        let (id, other) = edge_of(fleet, no, peer)?;
        Some((id, (Some((peer, other)), None)))
    };
    peers.filter_map(listing).collect()
}

/// Ends what only late reports have said of a link, where the present report says otherwise and
/// that was no news to the manager.
fn end_testimony(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    gap: &Gap<'_>,
) -> Result<(), StoreError> {
    let ids = links_of(&engine.fleet, no, gap.before.as_ref()).into_keys().collect();
    let known = engine.writer.earlier(no, &Earlier::Edges { at: gap.at, ids })?;
    let whose = Whose::of(&engine.fleet, no);
    for past in known.edges.into_iter().filter(|past| past.learnt_from == Some(no)) {
        let news = |event: &NewEvent| event.subject == past.id.as_str();
        let Some(edge) = engine.fleet.edges.get(&past.id) else { continue };
        if draft.change.events.iter().any(news) || state_of(&past) == Some(edge.record.state) {
            continue;
        }
        let is = json!({ "state": edge.record.state, "reason": edge.record.reason });
        let about = whose.about(past.id.to_string());
        draft.event(EventKind::EdgeState, about, Some(past.value), Some(is));
    }
    Ok(())
}

fn state_of(past: &EdgePast) -> Option<EdgeState> {
    past.value.get("state").and_then(Value::as_str).and_then(EdgeState::from_word)
}

/// Whether a host says that it has no interface of this name.
fn gone_by(told: &ReportData, interface: &str) -> bool {
    let lists = |rows: &Vec<Interface>| rows.iter().any(|row| row.name == interface);
    told.interfaces.as_ref().is_some_and(|rows| !lists(rows))
        && lists_every_interface(&told.problems)
        && !told.peers.iter().flatten().any(|peer| peer.interface == interface)
}

/// What one end alone can say of a link.
fn testimony(fleet: &Fleet, no: AgentNo, gap: &Gap<'_>, listing: Listing<'_>) -> Verdict {
    let (before, entry) = listing;
    let name = |no: AgentNo| {
        let record = fleet.agents.get(&no).map(|agent| &agent.record);
        record.map_or(NOBODY, |record| record.hostname.as_deref().unwrap_or(record.id.as_str()))
    };
    let mut mine = EndEvidence {
        name: name(no),
        has_agent: true,
        agent_status: Some(AgentStatus::Online),
        fresh: true,
        peers_untold: gap.told.peers.is_none(),
        ..EndEvidence::default()
    };
    let mut theirs = EndEvidence { name: NOBODY, ..EndEvidence::default() };
    if let Some((peer, _)) = entry {
        let interfaces = gap.told.interfaces.as_deref().unwrap_or_default();
        mine.listed = true;
        mine.latest_handshake = peer.latest_handshake;
        mine.measured_at = gap.at;
        (mine.rx_bytes, mine.tx_bytes) = (peer.rx_bytes, peer.tx_bytes);
        mine.persistent_keepalive = peer.persistent_keepalive;
        let own = interfaces.iter().find(|interface| interface.name == peer.interface);
        mine.interface_up = own.and_then(|interface| interface.is_up());
    } else if let Some((peer, _)) = before {
        mine.latest_handshake = peer.latest_handshake;
        mine.gone = gone_by(gap.told, &peer.interface).then_some(peer.interface.as_str());
    }
    let shown = if mine.gone.is_some() { before } else { entry };
    if let Some(other) = shown.and_then(|(_, other)| other) {
        theirs.name = name(other);
        theirs.has_agent = true;
        theirs.agent_status = Some(AgentStatus::Offline);
    }
    verdict([&mine, &theirs])
}
