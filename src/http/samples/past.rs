//! The samples of what was: a count of changes, and what differs between two times.

use std::collections::BTreeMap;

use super::NOW;
use super::things::agent_id;
use crate::http::operators::past::{AlarmChange, Bucket, DiffView, HistoryView};
use crate::model::state::{AgentStatus, EdgeState, EventKind, Severity};
use crate::topology::changes::{AgentChange, Difference, Fate, LinkChange};

pub(super) fn history() -> HistoryView {
    let kinds = BTreeMap::from([(EventKind::EdgeState.as_str(), 3)]);
    HistoryView {
        since: Some(NOW.minus(2_592_000)),
        from: NOW.minus(86_400),
        to: NOW,
        step: 900,
        buckets: vec![Bucket { at: NOW.minus(1_800), count: 3, worst: Severity::Major, kinds }],
        previous: Some(NOW.minus(1_700)),
        next: Some(NOW.minus(1_640)),
    }
}

pub(super) fn diff() -> DiffView {
    let link = LinkChange {
        id: "0f1e2d3c4b5a6978".into(),
        labels: ["gw-1".into(), "gw-2".into()],
        fate: Fate::Lost,
        before: Some(EdgeState::Up),
        after: Some(EdgeState::Down),
        at: vec![NOW.minus(1_700)],
    };
    let agents = agent_id().into_iter().map(|agent_id| AgentChange {
        agent_id,
        label: "gw-1".into(),
        fate: Fate::New,
        before: None,
        after: Some(AgentStatus::Online),
        at: vec![NOW.minus(3_600)],
    });
    let difference = Difference { links: vec![link], agents: agents.collect() };
    let alarm = |at| AlarmChange {
        id: 7,
        at,
        kind: "edge.down".into(),
        severity: Severity::Major,
        message: "gw-1 and gw-2 do not reach each other".into(),
        agent_id: agent_id(),
    };
    DiffView {
        from: NOW.minus(86_400),
        to: NOW,
        summary: difference.summary(),
        difference,
        alarms_raised: vec![alarm(NOW.minus(1_700))],
        alarms_cleared: vec![alarm(NOW.minus(60))],
        complete: true,
    }
}
