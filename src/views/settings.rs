//! `/settings`: what the manager runs with. Keys are named, never told.

use askama::Template;

use crate::model::time::UnixSeconds;

use super::list::Column;
use super::ordered::{Key, Table, acting};
use super::page::PageContext;
use super::text::{Chip, Moment};
use super::thresholds::ThresholdsItem;

/// One setting that matters, in words.
#[derive(Debug, Clone)]
pub struct SettingItem {
    /// What it is about.
    pub name: String,
    /// What is in force; the caller leaves out secrets.
    pub meaning: String,
}

/// What the manager is told, and what it does by itself.
#[derive(Debug, Clone)]
pub struct ManagerItem {
    /// The settings that matter.
    pub settings: Vec<SettingItem>,
    /// The background jobs.
    pub jobs: Vec<JobItem>,
    /// When something counts as wrong.
    pub thresholds: ThresholdsItem,
}

/// A background job.
#[derive(Debug, Clone)]
pub struct JobItem {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether it runs now.
    pub running: bool,
    /// When it last began.
    pub last_run: Option<UnixSeconds>,
    /// How long that took, in milliseconds.
    pub duration_ms: i64,
    /// How many rows that took out.
    pub rows: u64,
    /// When it will begin next.
    pub next_run: UnixSeconds,
    /// Why it last failed, and when.
    pub failed: Option<(UnixSeconds, String)>,
}

/// A background job as the page shows it.
struct JobLine<'a> {
    item: &'a JobItem,
    state: Chip,
    last: Option<Moment>,
    next: Moment,
    failed: Option<(Moment, &'a str)>,
}

impl<'a> JobLine<'a> {
    fn of(item: &'a JobItem, now: UnixSeconds) -> Self {
        let failed = item.failed.as_ref();
        let state = match (item.running, item.last_run) {
            (true, _) => Chip::plain("late", "Running"),
            (false, None) => Chip::plain("stale", "Not yet"),
            (false, last) if last == failed.map(|(at, _)| *at) => Chip::plain("down", "Failed"),
            (false, Some(_)) => Chip::plain("up", "Done"),
        };
        Self {
            item,
            state,
            last: item.last_run.map(|at| Moment::ago(at, now)),
            next: Moment::ago(item.next_run, now),
            failed: failed.map(|(at, why)| (Moment::ago(*at, now), why.as_str())),
        }
    }
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
    /// What a person should know about the last list.
    pub notices: Vec<String>,
}

/// Who signs with what.
#[derive(Debug, Clone, Default)]
pub struct UsageItem {
    /// Each generation in words, and how many agents sign with it.
    pub generations: Vec<(String, String)>,
    /// Agents that a new shared key would lock out, or their first: id as in an address, label.
    pub locked_out: Vec<(String, String)>,
    /// How many those are, in words.
    pub locked_out_count: String,
    /// How many of them are not listed.
    pub left_out: usize,
}

/// A key of the ring, by its id.
#[derive(Debug, Clone)]
pub struct KeyLine {
    /// Its id.
    pub kid: String,
    /// `current`, `previous`, `retired` or `revoked`.
    pub state: &'static str,
    /// `dns`, `file` or `environment`.
    pub source: &'static str,
    /// When it was first seen.
    pub first_seen: UnixSeconds,
    /// When its source last listed it.
    pub last_seen: UnixSeconds,
    /// What depends on it.
    pub stake: Stake,
}

/// What depends on a key.
#[derive(Debug, Clone)]
pub struct Stake {
    /// How many agents signed their last report with it.
    pub agents: usize,
    /// Some of them.
    pub named: Vec<String>,
    /// Whether it verifies.
    pub usable: bool,
    /// Whether it is the only one that does.
    pub last: bool,
}

impl Stake {
    /// Whom revoking the key locks out, in sentences.
    pub fn told(&self) -> String {
        let names = self.named.join(", ");
        let who = match (self.agents, self.agents.saturating_sub(self.named.len())) {
            (0, _) => "No agent signed its last report with it.".to_owned(),
            (1, _) => {
                format!("It locks out one agent that signed its last report with it: {names}.")
            }
            (all, 0) => {
                format!("It locks out {all} agents that signed their last report with it: {names}.")
            }
            (all, more) => format!(
                "It locks out {all} agents that signed their last report with it: {names} and \
                 {more} more."
            ),
        };
        let state = match (self.usable, self.last) {
            (false, _) => " It verifies nothing now, and once revoked it will not come back.",
            (true, false) => " It cannot be taken back.",
            (true, true) => {
                " No other key verifies: every report is refused with 503 until the source lists \
                 another one. It cannot be taken back."
            }
        };
        format!("{who}{state}")
    }
}

/// A key as the page shows it.
struct KeyItem {
    kid: String,
    state: Chip,
    source: &'static str,
    first_seen: Moment,
    last_seen: Moment,
    agents: usize,
    /// What revoking it does; `None` if it is revoked.
    warning: Option<String>,
    /// When it was seen first, and last.
    seen: [UnixSeconds; 2],
}

const KEYS: [Column; 7] = [
    ("kid", "Key id", ""),
    ("state", "State", ""),
    ("source", "Source", "optional"),
    ("first", "First seen", "optional"),
    ("last", "Last seen", "optional"),
    ("used", "Used by", ""),
    ("", "Withdraw", ""),
];

fn key_key(by: &str, key: &KeyItem) -> Key {
    let [first, last] = key.seen;
    match by {
        "state" => key.state.word().into(),
        "source" => key.source.into(),
        "first" => first.into(),
        "last" => last.into(),
        "used" => key.agents.into(),
        _ => key.kid.as_str().into(),
    }
}

const JOBS: [Column; 8] = [
    ("job", "Job", ""),
    ("state", "State", ""),
    ("last", "Last run", ""),
    ("took", "Took", "optional"),
    ("removed", "Removed", "optional"),
    ("next", "Next run", "optional"),
    ("error", "Last error", "optional"),
    ("", "Run", ""),
];

fn job_key(by: &str, JobLine { item, state, .. }: &JobLine<'_>) -> Key {
    match by {
        "state" => state.word().into(),
        "last" => item.last_run.into(),
        "took" => item.duration_ms.into(),
        "removed" => i64::try_from(item.rows).unwrap_or(i64::MAX).into(),
        "next" => item.next_run.into(),
        "error" => item.failed.as_ref().map(|(at, _)| *at).into(),
        _ => item.name.into(),
    }
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    ctx: &'a PageContext,
    source: &'a KeySourceItem,
    health: Chip,
    read: Option<Moment>,
    next: Option<Moment>,
    keys: Table<KeyItem>,
    usage: &'a UsageItem,
    jobs: Table<JobLine<'a>>,
    settings: &'a [SettingItem],
    thresholds: &'a ThresholdsItem,
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
    keys: &[KeyLine],
    usage: &UsageItem,
    manager: &ManagerItem,
) -> Result<String, askama::Error> {
    let keys = keys
        .iter()
        .map(|key| KeyItem {
            kid: key.kid.clone(),
            state: key_chip(key.state),
            source: key.source,
            first_seen: Moment::ago(key.first_seen, ctx.now),
            last_seen: Moment::ago(key.last_seen, ctx.now),
            agents: key.stake.agents,
            warning: (key.state != "revoked").then(|| key.stake.told()),
            seen: [key.first_seen, key.last_seen],
        })
        .collect();
    let kid = |key: &KeyItem| key.kid.clone();
    let columns = acting(&KEYS, ctx.can_admin());
    let keys = ctx.orders.table(("keys_", "/settings"), columns, keys, (kid, key_key));
    let jobs = manager.jobs.iter().map(|job| JobLine::of(job, ctx.now)).collect();
    let name = |job: &JobLine<'_>| job.item.name.to_owned();
    let columns = acting(&JOBS, ctx.can_admin());
    let jobs = ctx.orders.table(("jobs_", "/settings"), columns, jobs, (name, job_key));
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
        jobs,
        settings: &manager.settings,
        thresholds: &manager.thresholds,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;
    use crate::views::samples::manager::{key_source, keys, manager, usage};

    #[test]
    fn keys_are_named_and_never_told() {
        let html =
            page(&context("Settings", Nav::Settings), &key_source(), &keys(), &usage(), &manager())
                .expect("rendered");
        assert!(
            html.contains("would lock out 3 agents: <a href=\"/agents/gw%3A1\">gw:1</a> and 2")
        );
        assert!(html.contains("45819852fbdfc69a") && html.contains("4 agents"));
        assert!(html.contains("a key is shorter than it should be"));
    }

    #[test]
    fn only_admins_get_the_button_and_only_for_keys_that_are_not_revoked() {
        let mut ctx = context("Settings", Nav::Settings);
        let mut line = keys();
        let shown = |ctx: &PageContext, keys: &[KeyLine]| {
            page(ctx, &key_source(), keys, &usage(), &manager()).expect("rendered")
        };
        let form = "action=\"/settings/keys/45819852fbdfc69a/revoke\"";
        assert!(shown(&ctx, &line).contains(form));
        line[0].state = "revoked";
        assert!(!shown(&ctx, &line).contains(form));
        line[0].state = "current";
        ctx.role = Some(crate::model::access::Role::Operator);
        assert!(!shown(&ctx, &line).contains(form));
    }

    #[test]
    fn jobs_tell_how_they_stand_and_only_admins_run_them() {
        let mut ctx = context("Settings", Nav::Settings);
        let html = |ctx: &PageContext| {
            page(ctx, &key_source(), &keys(), &usage(), &manager()).expect("rendered")
        };
        let shown = html(&ctx);
        for text in ["the disk is &#60;full&#62;", "Failed", "Running", "Not yet", "Done"] {
            assert!(shown.contains(text), "{text} in {shown}");
        }
        let form = "action=\"/settings/jobs/prune-reports/run\"";
        assert!(shown.contains(form));
        assert!(!shown.contains("/settings/jobs/vacuum/run"), "it runs already");
        ctx.role = Some(crate::model::access::Role::Operator);
        assert!(!html(&ctx).contains(form));
    }

    #[test]
    fn who_is_locked_out_is_told_by_name() {
        let stake = |agents, named: &[&str], last| {
            let named = named.iter().map(ToString::to_string).collect();
            Stake { agents, named, usable: true, last }.told()
        };
        assert!(stake(0, &[], false).starts_with("No agent signed"));
        assert!(
            stake(1, &["gw-1"], false)
                .contains("one agent that signed its last report with it: gw-1.")
        );
        assert!(
            stake(12, &["a", "b"], false)
                .contains("12 agents that signed their last report with it: a, b and 10 more.")
        );
        assert!(stake(2, &["a", "b"], true).contains("No other key verifies"));
        let gone = Stake { agents: 0, named: Vec::new(), usable: false, last: false };
        assert!(gone.told().contains("will not come back"));
    }
}
