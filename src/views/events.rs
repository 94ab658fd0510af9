//! `/events`: the append-only history.

use askama::Template;

use crate::store::change::LEARNT_LATER;
use crate::store::row::EventRow;

use super::change;
use super::list::{Head, Hits, Numbered};
use super::page::PageContext;
use super::text::Moment;

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
    asked: &'a Numbered<'a>,
    hits: &'a Hits<'a>,
    when: Option<Head>,
    events: Vec<EventItem>,
    first: Option<String>,
    next: Option<String>,
}

/// The page. `rows` are in the store's order (oldest first); they are shown in the order that is
/// asked for.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    rows: &[EventRow],
    (asked, hits): (&Numbered<'_>, &Hits<'_>),
) -> Result<String, askama::Error> {
    let mut events: Vec<EventItem> = rows.iter().map(|row| EventItem::new(ctx, row)).collect();
    if !asked.oldest_first {
        events.reverse();
    }
    let last = if asked.oldest_first { rows.last() } else { rows.first() };
    let (first, next) = asked.ways(rows.len(), last.map(|row| row.id.0));
    let when = Some(asked.head("When"));
    EventsPage { ctx, asked, hits, when, events, first, next }.render()
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
        let asked = Numbered {
            path: "/events",
            agent: "oul gw2",
            q: "",
            oldest_first: false,
            goes_on: false,
            limit: rows.len(),
        };
        let html = page(&ctx, &rows, (&asked, &Hits::default())).expect("rendered");
        assert!(html.find("edge.state") < html.find("agent.registered"));
        assert!(html.contains("/events?agent=oul%20gw2&#38;before=1"));
        let last = Numbered { agent: "", limit: rows.len() + 1, ..asked };
        assert!(
            !page(&ctx, &rows, (&last, &Hits::default()))
                .expect("rendered")
                .contains("rel=\"next\"")
        );
        let oldest = Numbered { oldest_first: true, ..asked };
        let html = page(&ctx, &rows, (&oldest, &Hits::default())).expect("rendered");
        assert!(html.find("edge.state") > html.find("agent.registered"));
        assert!(html.contains("aria-sort=\"ascending\""), "{html}");
    }
}
