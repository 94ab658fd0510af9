//! `/rules`: the catalogue of alarms, what is changed of it, and when it was changed.

use askama::Template;

use crate::model::state::Severity;
use crate::model::time::UnixSeconds;

use super::list::Column;
use super::ordered::{Key, Table};
use super::page::PageContext;
use super::text::{Chip, Moment};

/// What is changed of a kind: one entry of the rules file.
#[derive(Debug, Clone)]
pub struct EntryItem {
    /// The line it begins in.
    pub line: usize,
    /// For whom, in words; empty for everybody.
    pub whom: String,
    /// What, in words.
    pub what: Vec<String>,
}

/// A value that a rule compares with.
#[derive(Debug, Clone)]
pub struct LimitItem {
    /// Its name.
    pub name: &'static str,
    /// The catalogue's value.
    pub value: i64,
    /// What it is.
    pub about: &'static str,
}

/// A kind of alarm.
#[derive(Debug, Clone)]
pub struct KindItem {
    /// Its name.
    pub kind: &'static str,
    /// What it is about.
    pub meaning: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// When it is raised.
    pub raised: String,
    /// What ends it.
    pub ends: String,
    /// What its rule compares with.
    pub limits: Vec<LimitItem>,
    /// What is changed of it.
    pub changed: Vec<EntryItem>,
}

/// That something else came into force.
#[derive(Debug, Clone)]
pub struct ChangeItem {
    /// When.
    pub at: UnixSeconds,
    /// On whose behalf.
    pub by: String,
    /// The kind.
    pub kind: &'static str,
    /// Its entries before, in words.
    pub before: String,
    /// Its entries from then on.
    pub after: String,
}

/// What is in force.
#[derive(Debug, Clone, Default)]
pub struct RulesItem {
    /// Every kind.
    pub kinds: Vec<KindItem>,
    /// The last changes, newest first.
    pub changes: Vec<ChangeItem>,
    /// What is wrong with the file.
    pub mistakes: Vec<String>,
    /// Whether there is a file.
    pub has_file: bool,
}

struct KindLine<'a> {
    item: &'a KindItem,
    severity: Chip,
}

struct ChangeLine<'a> {
    item: &'a ChangeItem,
    at: Moment,
}

const KINDS: [Column; 5] = [
    ("kind", "Kind", ""),
    ("severity", "Severity", ""),
    ("raised", "Raised", "optional"),
    ("ends", "Ends", "optional"),
    ("", "Limits", "optional"),
];

fn key(by: &str, KindLine { item, .. }: &KindLine<'_>) -> Key {
    let bad = |severity| Severity::ALL.iter().position(|one| *one == severity);
    match by {
        "severity" => bad(item.severity).into(),
        "raised" => item.raised.as_str().into(),
        "ends" => item.ends.as_str().into(),
        _ => item.kind.into(),
    }
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage<'a> {
    ctx: &'a PageContext,
    rules: &'a RulesItem,
    changed: Vec<&'a KindItem>,
    changes: Vec<ChangeLine<'a>>,
    kinds: Table<KindLine<'a>>,
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, rules: &RulesItem) -> Result<String, askama::Error> {
    let kinds = rules.kinds.iter();
    let lines: Vec<_> = kinds
        .clone()
        .map(|item| KindLine { item, severity: Chip::severity(item.severity) })
        .collect();
    let kind = |line: &KindLine<'_>| line.item.kind.to_owned();
    let page = RulesPage {
        ctx,
        rules,
        changed: kinds.clone().filter(|kind| !kind.changed.is_empty()).collect(),
        changes: rules
            .changes
            .iter()
            .map(|item| ChangeLine { item, at: Moment::ago(item.at, ctx.now) })
            .collect(),
        kinds: ctx.orders.table(("", "/rules"), &KINDS, lines, (kind, key)),
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, notices};

    #[test]
    fn what_is_changed_stands_before_the_catalogue() {
        let ctx = context("Alarm rules", Nav::Alarms);
        let html = page(&ctx, &notices::rules()).expect("rendered");
        for text in [
            "line 3: rule.kinds",
            "fleet lab, role=gate*",
            "severity critical",
            "t2_extra_s",
            "hangup (rules.toml of alice)",
        ] {
            assert!(html.contains(text), "{text} in {html}");
        }
        let (changed, all) = (html.find("id=\"changed\""), html.find("id=\"catalogue\""));
        assert!(changed.is_some() && changed < all);
        let plain = RulesItem { changes: Vec::new(), ..RulesItem::default() };
        let html = page(&ctx, &plain).expect("rendered");
        assert!(html.contains("KATTILA_RULES_FILE") && !html.contains("id=\"changed\""));
    }
}
