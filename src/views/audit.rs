//! `/audit`: who did what.

use askama::Template;
use serde::Serialize;
use serde_json::Value;

use crate::model::time::UnixSeconds;

use super::change;
use super::list::{Head, Numbered};
use super::page::PageContext;
use super::text::{Moment, encode};

/// An entry.
#[derive(Debug, Clone, Serialize)]
pub struct AuditItem {
    /// Its number, without gap from 1.
    pub seq: i64,
    /// When.
    pub at: UnixSeconds,
    /// A user's or token's name, `agent ID`, `manager` or `unknown`.
    pub who: String,
    /// The address it came from.
    pub from: Option<String>,
    /// What was done, dotted.
    pub act: String,
    /// To what.
    pub subject: String,
    /// How it was.
    pub before: Option<Value>,
    /// How it is now.
    pub after: Option<Value>,
}

/// What the form asks for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// By whom.
    pub who: String,
    /// Which act.
    pub act: String,
    /// With which text.
    pub q: String,
    /// From when.
    pub from: String,
    /// Until when.
    pub to: String,
}

impl Asked {
    /// The same as a query, without its question mark; empty if it asks for everything.
    fn query(&self) -> String {
        let Self { who, act, q, from, to } = self;
        let all = [("who", who), ("act", act), ("q", q), ("from", from), ("to", to)];
        let told = all.into_iter().filter(|(_, value)| !value.is_empty());
        let told: Vec<_> = told.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        told.join("&")
    }
}

struct Line<'a> {
    item: &'a AuditItem,
    at: Moment,
    change: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    ctx: &'a PageContext,
    asked: &'a Asked,
    is_filtered: bool,
    query: String,
    lines: Vec<Line<'a>>,
    when: Head,
    first: Option<String>,
    next: Option<String>,
    head: &'a str,
}

/// The page, in the order that is asked for; `oldest_first` and `goes_on` say which part it is, `more`
/// whether there are more entries, `head` is the end of the chain.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    asked: &Asked,
    (items, [oldest_first, goes_on, more]): (&[AuditItem], [bool; 3]),
    head: &str,
) -> Result<String, askama::Error> {
    let query = asked.query();
    let is_filtered = !query.is_empty();
    let lines = items.iter().map(|item| Line {
        at: Moment::full(item.at, ctx.now),
        change: change::words(&ctx.names, item.before.as_ref(), item.after.as_ref()),
        item,
    });
    let lines = lines.collect();
    let query = if is_filtered { format!("?{query}") } else { query };
    let path = format!("/audit{query}");
    let limit = if more { items.len() } else { usize::MAX };
    let listed = Numbered { path: &path, agent: "", q: "", oldest_first, goes_on, limit };
    let (first, next) = listed.ways(items.len(), items.last().map(|item| item.seq));
    let when = listed.head("When");
    AuditPage { ctx, asked, is_filtered, query, lines, when, first, next, head }.render()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    /// The page with made-up entries.
    pub(in crate::views) fn sample(ctx: &PageContext) -> String {
        let (items, head) = (items(ctx.now), format!("44 {}", "0123456789abcdef".repeat(4)));
        page(ctx, &Asked::default(), (&items, [false, false, true]), &head).expect("rendered")
    }

    fn items(now: UnixSeconds) -> Vec<AuditItem> {
        let item = |seq: i64, who: &str, act: &str, subject: &str| AuditItem {
            seq,
            at: now.plus(-90 * (50 - seq)),
            who: who.to_owned(),
            from: Some("192.0.2.7".to_owned()),
            act: act.to_owned(),
            subject: subject.to_owned(),
            before: None,
            after: None,
        };
        let mut revoked = item(44, "ann", "agent.revoke", "agent 4d1f0a5e8c3b4f6d9a7e2b1c5d8f0a3e");
        revoked.before = Some(json!({"status": "online", "revoked": false}));
        revoked.after = Some(json!({"status": "retired", "revoked": true}));
        let mut refused = item(43, "unknown", "refused", "POST /login");
        refused.after = Some(json!({"code": "sign_in_refused", "count": 17}));
        let mut started = item(42, "manager", "manager.started", "0.1.0");
        started.from = None;
        let mut day = item(40, "manager", "job.day", "runs of jobs on 2026-11-26");
        day.from = None;
        day.after = Some(json!({"from": 1, "until": 2, "runs": 5328, "failed": 2, "jobs": {
            "roll-up": {"runs": 288, "failed": 0, "longest_ms": 812},
            "archive": {"runs": 1440, "failed": 2, "longest_ms": 44},
        }}));
        vec![
            revoked,
            refused,
            started,
            day,
            item(41, "<b>eve", "session.begin", "session of <b>eve"),
        ]
    }

    #[test]
    fn what_others_wrote_is_text_and_the_filter_goes_with_every_link() {
        let ctx = context("Audit", Nav::Events);
        let asked = Asked { q: "gw 1&x".into(), ..Asked::default() };
        let html = page(&ctx, &asked, (&items(ctx.now), [false, false, true]), "44 abab")
            .expect("rendered");
        assert!(!html.contains("<b>eve") && html.contains("agent.revoke"));
        assert!(html.contains("/audit?q=gw%201%26x&#38;before=41"), "{html}");
        assert!(html.contains("/api/v1/export/audit.csv?q=gw%201%26x"));
        let all = page(&ctx, &Asked::default(), (&[], [false; 3]), "0 00").expect("rendered");
        assert!(!all.contains("before=") && all.contains("Nothing"));
    }
}
