//! `/reports/{id}`: one stored report with what proves it.

use askama::Template;

use crate::model::hex;
use crate::model::proven::Proven;
use crate::store::row::StoredReport;

use super::page::PageContext;
use super::reports::ReportItem;
use super::text::{Moment, offset};

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    ctx: &'a PageContext,
    item: ReportItem,
    received: Moment,
    signed: Moment,
    collected: Option<Moment>,
    offset: String,
    form: &'static str,
    tick: Option<i64>,
    nonce: &'a str,
    sha256: String,
    envelope: String,
    encoding: Option<&'a str>,
    redacted: bool,
    problem: Option<&'a str>,
}

/// What is shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The report.
    pub report: &'a StoredReport,
    /// What came of proving it again.
    pub proven: &'a Proven,
    /// Its envelope as text, decompressed.
    pub text: String,
    /// How the data of a frame is encoded; `None` in the JSON shape.
    pub encoding: Option<&'a str>,
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, shown: Shown<'_>) -> Result<String, askama::Error> {
    let Shown { report, proven, text, encoding } = shown;
    let summary = &report.summary;
    let page = ReportPage {
        ctx,
        item: ReportItem::proven(ctx, summary, proven),
        received: Moment::full(summary.received_at, ctx.now),
        signed: Moment::full(summary.timestamp, ctx.now),
        collected: summary.collected_at.map(|at| Moment::full(at, ctx.now)),
        offset: offset(summary.timestamp.since(summary.received_at)),
        form: summary.form.as_str(),
        tick: summary.tick,
        nonce: &summary.nonce,
        sha256: hex::encode(&summary.data_sha256),
        envelope: text,
        encoding,
        redacted: summary.redacted,
        problem: proven.problem(),
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, reports};

    #[test]
    fn the_envelope_is_shown_as_text() {
        let envelope = br#"{"data":{"hostname":"<b>"}}"#.to_vec();
        let report = StoredReport { summary: reports().remove(0), envelope, own_key: None };
        let fails = Proven::Fails("the signature <b> does not hold".to_owned());
        let ctx = context("Report", Nav::Reports);
        let text = String::from_utf8_lossy(&report.envelope).into_owned();
        let encoding = Some("zstd");
        let shown = Shown { report: &report, proven: &fails, text, encoding };
        let html = page(&ctx, shown).expect("rendered");
        assert!(html.contains("framed, zstd"));
        assert!(html.contains("Does not hold"));
        assert!(html.contains("&#60;b&#62;") && !html.contains("<b>"));
        assert!(html.contains("kattila verify"));
    }
}
