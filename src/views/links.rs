//! `/links`: every link in one table, worst first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use crate::model::state::EdgeState;
use crate::topology::picture::{Edge, Picture};

use super::list::{Head, Hits, ListQuery, Page};
use super::page::PageContext;
use super::text::{Chip, Moment, because, encode, plural};

struct Row {
    id: String,
    href: String,
    chip: Chip,
    state: EdgeState,
    names: [String; 2],
    interfaces: [String; 2],
    ends: [Chip; 2],
    since: Moment,
    since_at: i64,
    judged: Moment,
    reason: String,
    maintenance: bool,
}

impl Row {
    /// `out` are the nodes in maintenance.
    fn new(
        ctx: &PageContext,
        labels: &BTreeMap<&str, &str>,
        edge: &Edge,
        out: &BTreeSet<&str>,
    ) -> Self {
        let name = |id: &str| (*labels.get(id).unwrap_or(&id)).to_owned();
        let [a, b] = &edge.ends;
        let interface = |name: &Option<String>| name.clone().unwrap_or_else(|| "—".to_owned());
        Self {
            href: format!("/links/{}{}", encode(&edge.id), ctx.at()),
            id: edge.id.clone(),
            chip: Chip::edge(edge.state),
            state: edge.state,
            names: [name(&edge.source), name(&edge.target)],
            interfaces: [interface(&a.interface), interface(&b.interface)],
            ends: [Chip::end(a.state), Chip::end(b.state)],
            since: Moment::ago(edge.since, ctx.now),
            since_at: edge.since.0,
            judged: Moment::ago(edge.judged_at, ctx.now),
            reason: because(&edge.reason),
            maintenance: [&edge.source, &edge.target].into_iter().any(|id| out.contains(&**id)),
        }
    }

    fn compare(by: &str, a: &Self, b: &Self) -> Ordering {
        match by {
            "from" => a.names.cmp(&b.names),
            "to" => {
                let [a0, a1] = &a.names;
                let [b0, b1] = &b.names;
                (a1, a0).cmp(&(b1, b0))
            }
            "since" => b.since_at.cmp(&a.since_at),
            _ => rank(a.state).cmp(&rank(b.state)).then_with(|| a.names.cmp(&b.names)),
        }
    }
}

/// 0 for the worst.
const fn rank(state: EdgeState) -> u8 {
    match state {
        EdgeState::Down => 0,
        EdgeState::OneWay => 1,
        EdgeState::HalfConfigured => 2,
        EdgeState::Unknown => 3,
        EdgeState::Never => 4,
        EdgeState::Idle => 5,
        EdgeState::Up => 6,
    }
}

#[derive(Template)]
#[template(path = "links.html")]
struct LinksPage<'a> {
    ctx: &'a PageContext,
    query: &'a ListQuery,
    hits: &'a Hits<'a>,
    heads: Vec<Head>,
    page: Page<Row>,
    summary: String,
}

/// The page, of the links of `picture`: `query` says how to show them and `hits` which.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    picture: &Picture,
    (query, hits): (&ListQuery, &Hits<'_>),
) -> Result<String, askama::Error> {
    let labels: BTreeMap<&str, &str> =
        picture.nodes.iter().map(|node| (node.id.as_str(), node.label.as_str())).collect();
    let out = picture.nodes.iter().filter(|node| node.maintenance_until.is_some());
    let out: BTreeSet<&str> = out.map(|node| node.id.as_str()).collect();
    let columns = [
        ("state", "State", ""),
        ("from", "From", ""),
        ("to", "To", ""),
        ("", "Its ends say", "optional"),
        ("since", "Since", "optional"),
        ("", "Why, when judged", "optional"),
    ];
    let rows: Vec<Row> = picture
        .edges
        .iter()
        .filter(|edge| hits.has(&edge.id))
        .map(|edge| Row::new(ctx, &labels, edge, &out))
        .collect();
    let count = |wanted: EdgeState| picture.edges.iter().filter(|e| e.state == wanted).count();
    let page = LinksPage {
        ctx,
        query,
        hits,
        heads: query.heads("/links", &columns),
        summary: format!(
            "{}: {} up, {} idle, {} down, {} where the ends disagree.",
            plural(picture.edges.len(), "link"),
            count(EdgeState::Up),
            count(EdgeState::Idle),
            count(EdgeState::Down),
            count(EdgeState::OneWay) + count(EdgeState::HalfConfigured)
        ),
        page: query.page("/links", rows, |row| row.id.clone(), Row::compare),
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::query::find::Known;
    use crate::views::page::Nav;
    use crate::views::samples::{context, picture};

    #[test]
    fn links_in_trouble_come_first_with_what_each_end_says() {
        let all = (&ListQuery::default(), &Hits::default());
        let html = page(&context("Links", Nav::Links), &picture(), all).expect("rendered");
        let down = html.find("No handshake for 9 min").expect("the dead link's reason");
        assert!(down < html.find("Handshake is young").expect("the healthy link"));
        assert!(html.contains("No fresh report"));
        assert!(html.contains("/links/00000000000000b2"));
    }

    #[test]
    fn the_filter_knows_state_words() {
        let query = ListQuery { q: "half conf".into(), ..ListQuery::default() };
        let (ctx, picture) = (context("Links", Nav::Links), picture());
        let hits = Hits::of(&picture, &query.q, ctx.now, |_| Known::default());
        let html = page(&ctx, &picture, (&query, &hits)).expect("rendered");
        assert!(html.contains("00000000000000b3") && !html.contains("00000000000000b2"));
    }
}
