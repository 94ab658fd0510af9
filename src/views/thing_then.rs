//! `/links/{id}` and `/agents/{id}` as they were: what the history tells of one thing.

use std::collections::BTreeMap;

use askama::Template;

use crate::model::id::ReportId;
use crate::model::report::{Interface, Peer};
use crate::model::time::UnixSeconds;
use crate::store::row::EventRow;
use crate::topology::picture::{Edge, End, Node, Picture};

use super::curves::Html;
use super::events::EventItem;
use super::list::Head;
use super::page::PageContext;
use super::text::{Chip, Moment, because, bytes, encode, span};

/// A link in one line of an agent's page.
struct LinkRow {
    href: String,
    chip: Chip,
    other: String,
    interface: String,
    since: Moment,
    reason: String,
}

#[derive(Template)]
#[template(path = "link_then.html")]
struct LinkThen<'a> {
    ctx: &'a PageContext,
    labels: [String; 2],
    was: Option<Was>,
    gone: Option<Moment>,
    when: Option<Head>,
    events: Vec<EventItem>,
    curves: Option<&'a Html>,
}

/// What a link was.
struct Was {
    chip: Chip,
    reason: String,
    since: Moment,
    learnt: Option<Moment>,
    ends: [Chip; 2],
    interfaces: [String; 2],
    keys: [String; 2],
    hrefs: [Option<String>; 2],
    /// What the ends said, line by line; empty if no report of then is kept.
    said: Vec<(&'static str, [String; 2])>,
}

/// What an agent's last report by the time said.
#[derive(Debug, Clone)]
pub struct Said {
    /// The report.
    pub report: ReportId,
    /// When the manager took it.
    pub received_at: UnixSeconds,
    /// When its values were read, on the host's clock.
    pub measured_at: UnixSeconds,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Its WireGuard peers.
    pub peers: Vec<Peer>,
}

/// A peer in one line of an agent's page.
struct PeerRow {
    other: String,
    peer: Peer,
    allowed: String,
    handshake: String,
    received: String,
    sent: String,
}

/// The same for people.
struct SaidRows {
    report: ReportId,
    when: Moment,
    interfaces: Vec<(String, &'static str, String)>,
    peers: Vec<PeerRow>,
}

fn list<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn handshake(at: UnixSeconds, measured_at: UnixSeconds) -> String {
    if at.0 == 0 { "never".to_owned() } else { format!("{} before", span(measured_at.since(at))) }
}

/// What both ends of a link said.
fn lines(ends: &[End; 2]) -> Vec<(&'static str, [String; 2])> {
    if ends.iter().all(|end| end.measured_at.is_none()) {
        return Vec::new();
    }
    let both = |tell: fn(&End) -> Option<String>| ends.each_ref().map(|end| or_dash(tell(end)));
    vec![
        ("Endpoint", both(|end| end.endpoint.clone())),
        ("Handshake", both(|end| Some(handshake(end.latest_handshake?, end.measured_at?)))),
        ("Sent", both(|end| end.tx_bytes.map(bytes))),
        ("Received", both(|end| end.rx_bytes.map(bytes))),
        ("Allowed IPs", both(|end| end.measured_at.map(|_| list(&end.allowed_ips)))),
        ("Read", both(|end| end.measured_at.map(UnixSeconds::to_rfc3339))),
    ]
}

impl SaidRows {
    /// `others` tells whose a key was.
    fn of(ctx: &PageContext, said: &Said, others: &BTreeMap<String, String>) -> Self {
        let interface = |of: &Interface| {
            let state = match of.is_up() {
                Some(true) => "up",
                Some(false) => "down",
                None => "unknown",
            };
            (of.name.clone(), state, list(&of.addresses))
        };
        let peer = |peer: &Peer| PeerRow {
            other: match others.get(&peer.public_key.to_string()) {
                Some(label) => label.clone(),
                None => peer.public_key.short(),
            },
            allowed: list(&peer.allowed_ips),
            handshake: handshake(peer.latest_handshake, said.measured_at),
            received: bytes(peer.rx_bytes),
            sent: bytes(peer.tx_bytes),
            peer: peer.clone(),
        };
        Self {
            report: said.report,
            when: Moment::full(said.received_at, ctx.now),
            interfaces: said.interfaces.iter().map(interface).collect(),
            peers: said.peers.iter().map(peer).collect(),
        }
    }
}

/// The page of a link. `edge` is what it was, if it was there, `gone_at` when it went, if it is
/// no longer there, `events` its history, oldest first, `curves` its counters until then.
///
/// # Errors
/// If the template cannot be rendered.
pub fn link(
    ctx: &PageContext,
    edge: Option<&Edge>,
    labels: [String; 2],
    (gone_at, events, curves): (Option<UnixSeconds>, &[EventRow], Option<&Html>),
) -> Result<String, askama::Error> {
    let was = edge.map(|edge| Was {
        chip: Chip::edge(edge.state),
        reason: because(&edge.reason),
        since: Moment::full(edge.since, ctx.now),
        learnt: ctx.then.as_ref().and_then(|then| then.learnt(&edge.id, ctx.now)),
        ends: edge.ends.each_ref().map(|end| Chip::end(end.state)),
        interfaces: edge.ends.each_ref().map(|end| or_dash(end.interface.clone())),
        keys: edge.ends.each_ref().map(|end| or_dash(end.public_key.map(|key| key.to_string()))),
        said: lines(&edge.ends),
        hrefs: edge.ends.each_ref().map(|end| {
            let id = end.agent_id.as_ref()?;
            Some(format!("/agents/{}{}", encode(id.as_str()), ctx.at()))
        }),
    });
    let gone = gone_at.map(|at| Moment::full(at, ctx.now));
    let events = events.iter().rev().map(|row| EventItem::new(ctx, row)).collect();
    LinkThen { ctx, labels, was, gone, when: None, events, curves }.render()
}

fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "—".to_owned())
}

#[derive(Template)]
#[template(path = "agent_then.html")]
struct AgentThen<'a> {
    ctx: &'a PageContext,
    label: &'a str,
    node: Option<&'a Node>,
    chip: Option<Chip>,
    site: &'a str,
    since: Option<Moment>,
    learnt: Option<Moment>,
    links: Vec<LinkRow>,
    said: Option<SaidRows>,
    when: Option<Head>,
    events: Vec<EventItem>,
    curves: Option<&'a Html>,
}

/// The page of the agent `id`, as `picture` shows it; `since` is when its status began, `said` what
/// its last report by then told.
///
/// # Errors
/// If the template cannot be rendered.
pub fn agent(
    ctx: &PageContext,
    picture: &Picture,
    (id, since, said): (&str, Option<UnixSeconds>, Option<&Said>),
    (events, curves): (&[EventRow], Option<&Html>),
) -> Result<String, askama::Error> {
    let name = format!("a:{id}");
    let node = picture.nodes.iter().find(|node| node.id == name);
    let label = |id: &str| {
        let node = picture.nodes.iter().find(|node| node.id == id);
        node.map_or_else(|| id.to_owned(), |node| node.label.clone())
    };
    let own = picture.edges.iter().filter(|edge| edge.source == name || edge.target == name);
    let row = |edge: &Edge| {
        let [a, b] = &edge.ends;
        let (mine, other) = if edge.source == name { (a, &edge.target) } else { (b, &edge.source) };
        LinkRow {
            href: format!("/links/{}{}", encode(&edge.id), ctx.at()),
            chip: Chip::edge(edge.state),
            other: label(other),
            interface: or_dash(mine.interface.clone()),
            since: Moment::full(edge.since, ctx.now),
            reason: because(&edge.reason),
        }
    };
    let others = picture.edges.iter().flat_map(|edge| {
        let ends = [(&edge.source, &edge.ends[0]), (&edge.target, &edge.ends[1])];
        ends.map(|(node, end)| Some((end.public_key?.to_string(), label(node))))
    });
    let others: BTreeMap<String, String> = others.flatten().collect();
    let site = node.and_then(|node| picture.sites.iter().find(|site| site.id == node.site));
    let page = AgentThen {
        ctx,
        label: node.map_or(id, |node| node.label.as_str()),
        node,
        chip: node.map(Chip::node),
        site: site.map_or("", |site| site.label.as_str()),
        since: since.map(|at| Moment::full(at, ctx.now)),
        learnt: ctx.then.as_ref().and_then(|then| then.learnt(&name, ctx.now)),
        links: own.map(row).collect(),
        said: said.map(|said| SaidRows::of(ctx, said, &others)),
        when: None,
        events: events.iter().rev().map(|row| EventItem::new(ctx, row)).collect(),
        curves,
    };
    page.render()
}
