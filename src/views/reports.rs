//! `/reports`: what was accepted, and what was refused and why.

use askama::Template;

use crate::model::proven::Proven;
use crate::model::time::UnixSeconds;
use crate::store::row::ReportSummary;

use super::names::agent_href;
use super::page::PageContext;
use super::path::Way;
use super::rates::RatesItem;
use super::text::{Chip, Moment, bytes, encode};

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
struct Refused<'a> {
    at: Moment,
    claimed: &'a str,
    item: &'a RefusalItem,
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage<'a> {
    ctx: &'a PageContext,
    agent: &'a str,
    reports: Vec<ReportItem>,
    refused: Vec<Refused<'a>>,
    older: Option<String>,
    rates: Option<&'a RatesItem>,
}

/// Refusals on the page; the ring holds more than people read.
const REFUSALS: usize = 50;

/// The page, with how many come if that is told. `reports` and `refusals` are newest first; a full `reports` (of `limit`) means
/// that there may be older ones.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    reports: &[ReportSummary],
    (refusals, rates): (&[RefusalItem], Option<&RatesItem>),
    agent: Option<&str>,
    limit: usize,
) -> Result<String, askama::Error> {
    let agent = agent.unwrap_or_default();
    let older = reports.last().filter(|_| reports.len() >= limit).map(|oldest| {
        let filter =
            if agent.is_empty() { String::new() } else { format!("&agent={}", encode(agent)) };
        format!("/reports?before={}{filter}", oldest.id)
    });
    let refused = refusals
        .iter()
        .filter(|item| agent.is_empty() || item.agent.as_deref() == Some(agent))
        .take(REFUSALS)
        .map(|item| Refused {
            at: Moment::ago(item.at, ctx.now),
            claimed: item.agent.as_deref().map_or("—", |id| ctx.names.name(id)),
            item,
        })
        .collect();
    let reports = reports.iter().map(|row| ReportItem::new(ctx, row)).collect();
    ReportsPage { ctx, agent, reports, refused, older, rates }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, refusals, reports};

    #[test]
    fn refusals_say_why_and_keys_are_named_only() {
        let ctx = context("Reports", Nav::Reports);
        let html = page(&ctx, &reports(), (&refusals(), None), None, 100).expect("rendered");
        assert!(html.contains("none of the 2 keys fits"));
        assert!(html.contains("45819852fbdfc69a"));
        assert!(html.contains("via <a href=\"/agents/oul-relay1\">oul-relay1</a> (claimed)"));
    }

    #[test]
    fn the_filter_by_agent_holds_for_refusals_too() {
        let ctx = context("Reports", Nav::Reports);
        let html =
            page(&ctx, &reports(), (&refusals(), None), Some("other"), 100).expect("rendered");
        assert!(!html.contains("none of the 2 keys fits"));
    }
}
