//! `/links/{id}` and `/agents/{id}` as they were: what the history tells of one thing.

use askama::Template;

use crate::model::time::UnixSeconds;
use crate::store::row::EventRow;
use crate::topology::picture::{Edge, Node, Picture};

use super::curves::Html;
use super::events::EventItem;
use super::page::PageContext;
use super::text::{Chip, Moment, because, encode};

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
        hrefs: edge.ends.each_ref().map(|end| {
            let id = end.agent_id.as_ref()?;
            Some(format!("/agents/{}{}", encode(id.as_str()), ctx.at()))
        }),
    });
    let gone = gone_at.map(|at| Moment::full(at, ctx.now));
    let events = events.iter().rev().map(|row| EventItem::new(ctx, row)).collect();
    LinkThen { ctx, labels, was, gone, events, curves }.render()
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
    events: Vec<EventItem>,
    curves: Option<&'a Html>,
}

/// The page of the agent `id`, as `picture` shows it; `since` is when its status began.
///
/// # Errors
/// If the template cannot be rendered.
pub fn agent(
    ctx: &PageContext,
    picture: &Picture,
    (id, since): (&str, Option<UnixSeconds>),
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
        events: events.iter().rev().map(|row| EventItem::new(ctx, row)).collect(),
        curves,
    };
    page.render()
}
