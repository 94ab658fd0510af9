//! Alarms about addresses that several hosts of one overlay have.
//!
//! The same address on two hosts is a mistake only where both are in one overlay: two sites may
//! each have a tunnel for road warriors with the same addresses. So the two interfaces must be tied
//! to each other, or to one third.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::doubt::is_heard;
use super::draft::Draft;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet};
use super::raise::{facts, name_of, observe};
use super::witness::hosts;
use crate::alarms::rules::identity as rules;
use crate::model::id::{AgentNo, EdgeId};
use crate::model::key::WgKey;
use crate::model::state::AlarmKind;
use crate::store::change::EdgeEnd;

/// An interface of an agent, or a peer without an agent by its key.
type Place<'f> = (Option<AgentNo>, Option<&'f str>, Option<WgKey>);

fn place(end: &EdgeEnd) -> Place<'_> {
    let key = end.public_key.filter(|_| end.agent.is_none());
    (end.agent, end.interface.as_deref(), key)
}

/// An interface, and all that it has links with.
fn around<'f>(
    agents: &Agents,
    edges: &'f HashMap<EdgeId, EdgeMem>,
    (no, interface): (AgentNo, &'f str),
) -> BTreeSet<Place<'f>> {
    let own = agents.get(&no).into_iter().flat_map(|agent| agent.edges.keys());
    let own = own.filter_map(|id| edges.get(id)).map(|edge| &edge.record.ends);
    let here = |end: &EdgeEnd| end.agent == Some(no) && end.interface.as_deref() == Some(interface);
    let with = own.filter(|ends| ends.iter().any(here)).flatten().map(place);
    with.chain([(Some(no), Some(interface), None)]).collect()
}

/// Looks whether other hosts have an agent's overlay addresses too, before its new report counts.
/// Another one counts if it has been heard of since this one's last report.
pub(super) fn addresses(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let Fleet { agents, edges, book, owners, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let Some(before) = agent.record.last_seen_at else { return };
    let own = agent.claims.iter().filter(|(_, claimed)| claimed.wireguard);
    let own = own.flat_map(|(name, claimed)| hosts(claimed).into_iter().map(move |at| (at, name)));
    let any_open = book.of_kind(KIND).next().is_some();
    for (address, interface) in own.clone() {
        let holders = || owners.wireguard_holders(&agent.record.fleet, address);
        let is_open = || any_open && book.find(KIND, &subject(agent, address)).is_some();
        if holders().all(|(other, _)| other == no) && !is_open() {
            continue;
        }
        let mine = around(agents, edges, (no, interface));
        let mut names: Vec<&str> = holders()
            .filter(|at| at.0 == no || !mine.is_disjoint(&around(agents, edges, *at)))
            .filter_map(|(other, _)| agents.get(&other))
            .filter(|other| is_heard(other, no, before))
            .map(|other| name_of(&other.record))
            .collect();
        names.sort_unstable();
        names.dedup();
        let seen = rules::shared_address(&facts(agent, draft), address, &names);
        if seen.holds || is_open() {
            observe(book, draft, &seen);
        }
    }
    // An address that this agent gave up, and so nobody may be left to speak of.
    let given_up: Vec<IpAddr> = book
        .of_agent(no)
        .filter(|alarm| alarm.kind == KIND)
        .filter_map(|alarm| alarm.subject.split_once('|')?.1.parse().ok())
        .filter(|given_up| own.clone().all(|(address, _)| address != *given_up))
        .collect();
    for address in given_up {
        if owners.wireguard_holders(&agent.record.fleet, address).count() < 2 {
            observe(book, draft, &rules::shared_address(&facts(agent, draft), address, &[]));
        }
    }
}

const KIND: AlarmKind = AlarmKind::OverlayIpDuplicate;

fn subject(agent: &AgentMem, address: IpAddr) -> String {
    format!("{}|{address}", agent.record.fleet)
}
