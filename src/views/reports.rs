//! `/reports`: what was accepted, and what was refused and why.

use askama::Template;

use crate::model::proven::Proven;
use crate::model::time::UnixSeconds;
use crate::store::row::ReportSummary;

use super::list::{Column, Head, Hits, Numbered};
use super::names::agent_href;
use super::ordered::{Key, Table};
use super::page::PageContext;
use super::path::Way;
use super::rates::RatesItem;
use super::text::{Chip, Moment, bytes, offset};

/// A refused request, from the ring of the latest ones. Nothing of it was stored.
#[derive(Debug, Clone)]
pub struct RefusalItem {
    /// When.
    pub at: UnixSeconds,
    /// The closed set's code, such as `invalid_signature`.
    pub code: String,
    /// The cause in words.
    pub detail: String,
    /// The agent it claimed to be, if it said so; a claim only.
    pub agent: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
}

/// One accepted report as lists show it.
pub(super) struct ReportItem {
    /// Its page.
    pub(super) href: Option<String>,
    /// Its number.
    pub(super) id: i64,
    /// When it was taken.
    pub(super) received: Moment,
    /// Who sent it.
    pub(super) agent: String,
    /// That agent's page.
    pub(super) agent_href: String,
    /// How it was signed.
    pub(super) scheme: &'static str,
    /// With which key.
    pub(super) kid: String,
    /// The path it took.
    pub(super) path: Way,
    /// Where it came from.
    pub(super) source: String,
    /// Its size.
    pub(super) size: String,
    /// How far the clock it was signed by was off when it came.
    pub(super) clock: String,
    /// Its nonce.
    pub(super) nonce: String,
    /// When its values were read, if the host kept it back and it tells of the past.
    pub(super) late: Option<Moment>,
    /// Whether secrets were removed.
    pub(super) redacted: bool,
    /// What came of proving it again, where that was done.
    pub(super) proof: Option<Chip>,
}

impl ReportItem {
    /// A row for people.
    pub(super) fn new(ctx: &PageContext, row: &ReportSummary) -> Self {
        Self {
            href: ctx.report_href(row.id),
            id: row.id.0,
            received: Moment::ago(row.received_at, ctx.now),
            agent: ctx.names.name(row.agent_id.as_str()).to_owned(),
            agent_href: agent_href(&row.agent_id),
            scheme: row.scheme.as_str(),
            kid: row.kid.to_string(),
            path: Way::new(&ctx.names, &row.relay_path),
            source: row.source.map_or_else(|| "—".to_owned(), |ip| ip.to_string()),
            size: bytes(row.envelope_bytes),
            clock: offset(row.timestamp.since(row.received_at)),
            nonce: row.nonce.clone(),
            late: row.tells_of_the_past().map(|at| Moment::full(at, ctx.now)),
            redacted: row.redacted,
            proof: None,
        }
    }

    /// The same, of a report that was proved again.
    pub(super) fn proven(ctx: &PageContext, row: &ReportSummary, proven: &Proven) -> Self {
        Self { proof: Some(Chip::proven(proven)), ..Self::new(ctx, row) }
    }
}

/// A refusal as the page shows it.
pub(super) struct Refused<'a> {
    pub(super) at: Moment,
    pub(super) claimed: &'a str,
    pub(super) item: &'a RefusalItem,
}

const REFUSED: [Column; 4] = [
    ("when", "When", ""),
    ("why", "Why", ""),
    ("claimed", "Claimed to be", ""),
    ("from", "From", "optional"),
];

impl<'a> Refused<'a> {
    /// The heads of a table of few, which is not sorted.
    pub(super) fn heads() -> Vec<Head> {
        let head = |(_, label, class)| Head { label, href: None, sorted: None, class };
        REFUSED.map(head).into()
    }

    fn key(by: &str, refused: &Self) -> Key {
        match by {
            "why" => refused.item.code.as_str().into(),
            "claimed" => refused.claimed.into(),
            "from" => refused.item.source.as_deref().into(),
            _ => refused.item.at.into(),
        }
    }

    /// A row for people.
    pub(super) fn new(ctx: &'a PageContext, item: &'a RefusalItem) -> Self {
        let claimed = item.agent.as_deref().map_or("—", |id| ctx.names.name(id));
        Self { at: Moment::ago(item.at, ctx.now), claimed, item }
    }
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage<'a> {
    ctx: &'a PageContext,
    asked: &'a Numbered<'a>,
    hits: &'a Hits<'a>,
    when: Option<Head>,
    reports: Vec<ReportItem>,
    refused: Table<Refused<'a>>,
    refusals_csv: String,
    first: Option<String>,
    next: Option<String>,
    rates: Option<&'a RatesItem>,
}

/// The page, with how many come if that is told. `reports` are in the order that is asked for,
/// `refusals` newest first.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    reports: &[ReportSummary],
    (refusals, rates): (&[RefusalItem], Option<&RatesItem>),
    (asked, hits): (&Numbered<'_>, &Hits<'_>),
) -> Result<String, askama::Error> {
    let (first, next) = asked.ways(reports.len(), reports.last().map(|row| row.id.0));
    let agent = asked.agent;
    let refused = refusals
        .iter()
        .filter(|item| agent.is_empty() || item.agent.as_deref() == Some(agent))
        .map(|item| Refused::new(ctx, item))
        .collect();
    let path = asked.export(asked.path, false);
    let place = |refused: &Refused<'_>| format!("{}-{}", refused.item.at, refused.claimed);
    let refused = ctx.orders.table(("refused_", &path), &REFUSED, refused, (place, Refused::key));
    let csv = asked.export("/api/v1/refusals", false);
    let refusals_csv = format!("{csv}{}format=csv", if csv.contains('?') { '&' } else { '?' });
    let reports = reports.iter().map(|row| ReportItem::new(ctx, row)).collect();
    let when = Some(asked.head("Received"));
    let page =
        ReportsPage { ctx, asked, hits, when, reports, refused, refusals_csv, first, next, rates };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, refusals, reports};

    fn asked(agent: &str) -> Numbered<'_> {
        Numbered { path: "/reports", agent, q: "", oldest_first: false, goes_on: false, limit: 100 }
    }

    #[test]
    fn refusals_say_why_and_keys_are_named_only() {
        let ctx = context("Reports", Nav::Reports);
        let html = page(&ctx, &reports(), (&refusals(), None), (&asked(""), &Hits::default()))
            .expect("rendered");
        assert!(html.contains("none of the 2 keys fits"));
        assert!(html.contains("45819852fbdfc69a"));
        assert!(html.contains("via <a href=\"/agents/oul-relay1\">oul-relay1</a> (claimed)"));
    }

    #[test]
    fn the_filter_by_agent_holds_for_refusals_too() {
        let ctx = context("Reports", Nav::Reports);
        let html = page(&ctx, &reports(), (&refusals(), None), (&asked("other"), &Hits::default()))
            .expect("rendered");
        assert!(!html.contains("none of the 2 keys fits"));
    }
}
