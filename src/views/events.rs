//! `/events`: the append-only history.

use askama::Template;

use crate::store::change::LEARNT_LATER;
use crate::store::row::EventRow;

use super::change;
use super::page::PageContext;
use super::text::{Moment, encode};

/// One line of history as pages show it.
#[derive(Debug, Clone)]
pub struct EventItem {
    /// When it happened.
    pub at: Moment,
    /// Its kind, dotted.
    pub kind: &'static str,
    /// The agent's name and page.
    pub agent: Option<(String, String)>,
    /// Which thing.
    pub subject: String,
    /// Before and after in short.
    pub change: String,
    /// The page of the report that proves it.
    pub report: Option<String>,
    /// Who or what caused it.
    pub cause: Option<String>,
    /// The map as it was then.
    pub then: Option<String>,
    /// When it was learnt, if a late report proves it.
    pub learnt: Option<Moment>,
}

impl EventItem {
    /// A row for people.
    pub fn new(ctx: &PageContext, row: &EventRow) -> Self {
        let later = row.cause.as_deref() == Some(LEARNT_LATER);
        Self {
            at: Moment::full(row.at, ctx.now),
            kind: row.kind.as_str(),
            agent: row.agent_id.as_ref().map(|id| ctx.names.link(id)),
            subject: row.subject.clone(),
            change: change::words(&ctx.names, row.before.as_ref(), row.after.as_ref()),
            report: row.report.and_then(|id| ctx.report_href(id)),
            cause: row.cause.clone(),
            then: (row.holds_from() <= ctx.now).then(|| format!("/map?at={}", row.holds_from())),
            learnt: later.then(|| Moment::full(row.recorded_at, ctx.now)),
        }
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage<'a> {
    ctx: &'a PageContext,
    agent: &'a str,
    events: Vec<EventItem>,
    older: Option<String>,
}

/// The page, newest first. `rows` are in the store's order (oldest first), `agent` is the
/// filter, and a full `rows` (of `limit`) means that there may be older ones.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    rows: &[EventRow],
    agent: Option<&str>,
    limit: usize,
) -> Result<String, askama::Error> {
    let agent = agent.unwrap_or_default();
    let older = rows.first().filter(|_| rows.len() >= limit).map(|oldest| {
        let filter =
            if agent.is_empty() { String::new() } else { format!("&agent={}", encode(agent)) };
        format!("/events?before={}{filter}", oldest.id)
    });
    let events = rows.iter().rev().map(|row| EventItem::new(ctx, row)).collect();
    EventsPage { ctx, agent, events, older }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, events};

    #[test]
    fn the_newest_comes_first_and_a_full_page_leads_on() {
        let ctx = context("Events", Nav::Events);
        let rows = events();
        let html = page(&ctx, &rows, Some("oul gw2"), rows.len()).expect("rendered");
        assert!(html.find("edge.state") < html.find("agent.registered"));
        assert!(html.contains("/events?before=1&#38;agent=oul%20gw2"));
        let last = page(&ctx, &rows, None, rows.len() + 1).expect("rendered");
        assert!(!last.contains("before="));
    }
}
