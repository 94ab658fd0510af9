//! `/settings`: what the manager runs with. Keys are named, never told.

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

/// The page. `used_by` tells how many agents signed their last report with the key of an id.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    source: &KeySourceItem,
    keys: &[KeyRow],
    used_by: impl Fn(&str) -> usize,
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
            agents: used_by(key.kid.as_str()),
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
        settings,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, key_source, keys, settings};

    #[test]
    fn keys_are_named_and_never_told() {
        let html =
            page(&context("Settings", Nav::Settings), &key_source(), &keys(), |_| 4, &settings())
                .expect("rendered");
        assert!(html.contains("45819852fbdfc69a") && html.contains("4 agents"));
        assert!(!html.contains("do-not-show-this"));
    }
}
