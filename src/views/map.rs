//! `/map`: the map's page. The picture itself is fetched by the page; what is rendered here is
//! its frame, the first steps of a newcomer, and a list for readers without JavaScript.

use askama::Template;

use crate::model::time::UnixSeconds;
use crate::topology::picture::Picture;

use super::agents::AgentListItem;
use super::page::PageContext;
use super::text::{Chip, encode, plural};

/// What a newcomer needs to send a first report, and since when there is a manager to take it.
#[derive(Debug, Clone)]
pub struct GettingStarted {
    /// This manager's address as agents reach it, such as `http://192.0.2.1:5086`.
    pub manager_url: String,
    /// The name whose TXT record holds the key, if keys come from DNS.
    pub txt_name: Option<String>,
    /// Where keys come from, in words.
    pub key_source: String,
    /// How many keys are known.
    pub keys: usize,
    /// When and why the last report was refused, in words.
    pub last_refused: Option<String>,
    /// Since when this manager runs.
    pub started_at: UnixSeconds,
}

struct Row {
    href: String,
    chip: Chip,
    item: AgentListItem,
}

#[derive(Template)]
#[template(path = "map.html")]
struct MapPage<'a> {
    ctx: &'a PageContext,
    start: &'a GettingStarted,
    empty: bool,
    agents: String,
    summary: String,
    rows: Vec<Row>,
}

/// Rows of the list for readers without JavaScript; the tables have them all.
const FALLBACK_ROWS: usize = 50;

/// The page over `picture`.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    picture: &Picture,
    start: &GettingStarted,
) -> Result<String, askama::Error> {
    let mut agents = AgentListItem::from_picture(picture);
    agents.sort_by(AgentListItem::worst_first);
    let count = plural(agents.len(), "agent");
    let summary = format!(
        "{count}, {}, {}",
        plural(picture.sites.len(), "site"),
        plural(picture.edges.len(), "WireGuard link")
    );
    let rows = agents
        .into_iter()
        .take(FALLBACK_ROWS)
        .map(|item| Row {
            href: format!("/agents/{}", encode(&item.id)),
            chip: Chip::agent(item.status),
            item,
        })
        .collect();
    let empty = picture.nodes.is_empty();
    MapPage { ctx, start, empty, agents: count, summary, rows }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, picture, start};

    #[test]
    fn a_newcomer_is_told_what_to_do() {
        let ctx = context("Map", Nav::Map);
        let html = page(&ctx, &Picture::default(), &start()).expect("rendered");
        for wanted in ["_kattila.example.org", "http://192.0.2.1:5086", "clock is 14 min off"] {
            assert!(html.contains(wanted), "{wanted}");
        }
        assert!(!html.contains("id=\"empty\" hidden"));
    }

    #[test]
    fn readers_without_scripts_get_a_list() {
        let html = page(&context("Map", Nav::Map), &picture(), &start()).expect("rendered");
        let fallback = html.split("<noscript>").nth(1).expect("a fallback");
        assert!(fallback.contains("/agents/oul-gw2") && fallback.contains("/links"));
        assert!(html.contains("id=\"empty\" hidden"));
    }
}
