//! `/settings`: what the manager runs with. Keys are named, never told.

use std::collections::HashMap;

use askama::Template;

use crate::model::time::UnixSeconds;
use crate::store::row::KeyRow;

use super::page::PageContext;
use super::text::{Chip, Moment};

/// One setting that matters, in words.
#[derive(Debug, Clone)]
pub struct SettingItem {
    /// What it is about.
    pub name: String,
    /// What is in force; the caller leaves out secrets.
    pub meaning: String,
}

/// How the keys' source is doing.
#[derive(Debug, Clone)]
pub struct KeySourceItem {
    /// Where keys come from, such as `TXT record _kattila.example.org`.
    pub source: String,
    /// Whether it works.
    pub healthy: bool,
    /// What is wrong with it, in words; empty if nothing is.
    pub detail: String,
    /// When it was last read.
    pub last_read_at: Option<UnixSeconds>,
    /// When it will be read next.
    pub next_read_at: Option<UnixSeconds>,
    /// `authenticated`, `insecure`, ...; `None` if DNS is not asked.
    pub dnssec: Option<String>,
}

/// Who signs with what.
#[derive(Debug, Clone, Default)]
pub struct UsageItem {
    /// How many agents signed their last report with the key of an id.
    pub used_by: HashMap<String, usize>,
    /// Each generation in words, and how many agents sign with it.
    pub generations: Vec<(String, String)>,
    /// Agents that a new shared key would lock out, or their first: id as in an address, label.
    pub locked_out: Vec<(String, String)>,
    /// How many those are, in words.
    pub locked_out_count: String,
    /// How many of them are not listed.
    pub left_out: usize,
}

/// A key of the ring.
struct KeyItem {
    kid: String,
    state: Chip,
    source: String,
    first_seen: Moment,
    last_seen: Moment,
    agents: usize,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    ctx: &'a PageContext,
    source: &'a KeySourceItem,
    health: Chip,
    read: Option<Moment>,
    next: Option<Moment>,
    keys: Vec<KeyItem>,
    usage: &'a UsageItem,
    settings: &'a [SettingItem],
}

fn key_chip(state: &str) -> Chip {
    match state {
        "current" => Chip::plain("up", "Current"),
        "previous" => Chip::plain("late", "Previous"),
        "revoked" => Chip::plain("down", "Revoked"),
        _ => Chip::plain("stale", "Retired"),
    }
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    source: &KeySourceItem,
    keys: &[KeyRow],
    usage: &UsageItem,
    settings: &[SettingItem],
) -> Result<String, askama::Error> {
    let keys = keys
        .iter()
        .map(|key| KeyItem {
            kid: key.kid.to_string(),
            state: key_chip(&key.state),
            source: key.source.clone(),
            first_seen: Moment::ago(key.first_seen, ctx.now),
            last_seen: Moment::ago(key.last_seen, ctx.now),
            agents: usage.used_by.get(key.kid.as_str()).copied().unwrap_or_default(),
        })
        .collect();
    let page = SettingsPage {
        ctx,
        source,
        health: if source.healthy {
            Chip::plain("up", "Working")
        } else {
            Chip::plain("down", "Not working")
        },
        read: source.last_read_at.map(|at| Moment::ago(at, ctx.now)),
        next: source.next_read_at.map(|at| Moment::ago(at, ctx.now)),
        keys,
        usage,
        settings,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, key_source, keys, settings, usage};

    #[test]
    fn keys_are_named_and_never_told() {
        let html = page(
            &context("Settings", Nav::Settings),
            &key_source(),
            &keys(),
            &usage(),
            &settings(),
        )
        .expect("rendered");
        assert!(
            html.contains("would lock out 3 agents: <a href=\"/agents/gw%3A1\">gw:1</a> and 2")
        );
        assert!(html.contains("45819852fbdfc69a") && html.contains("4 agents"));
        assert!(!html.contains("do-not-show-this"));
    }
}
