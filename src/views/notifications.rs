//! `/notifications`: who is told of alarms, how the channels fare, and the log of messages.

use askama::Template;

use crate::model::state::MessageState;
use crate::model::time::UnixSeconds;

use super::list::{Column, Head, Numbered};
use super::ordered::{Key, Table, acting};
use super::page::PageContext;
use super::text::{Chip, Moment, encode};

/// A channel.
#[derive(Debug, Clone, Default)]
pub struct ChannelItem {
    /// Its name.
    pub name: String,
    /// What it is, and where it leads; `None` if it is in the plan no more.
    pub leads: Option<(String, String)>,
    /// Whether its last attempts failed so often that it counts as failing.
    pub failing: bool,
    /// Attempts that failed since the last that succeeded.
    pub failures: u32,
    /// Nothing is tried before this time.
    pub open_until: Option<UnixSeconds>,
    /// When a message was last taken.
    pub ok_at: Option<UnixSeconds>,
    /// When an attempt last failed, and why.
    pub failed: Option<(UnixSeconds, String)>,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were given up and can be sent again.
    pub dead: u64,
    /// Messages that were taken.
    pub sent: u64,
}

/// The heartbeat.
#[derive(Debug, Clone)]
pub struct BeatItem {
    /// Whom it goes to.
    pub place: String,
    /// Seconds from one to the next.
    pub every: i64,
    /// What the last one said.
    pub status: Option<&'static str>,
    /// When one was last taken.
    pub ok_at: Option<UnixSeconds>,
    /// When one last failed, and why.
    pub failed: Option<(UnixSeconds, String)>,
}

/// A message.
#[derive(Debug, Clone)]
pub struct NoticeItem {
    /// Its number.
    pub id: i64,
    /// The channel.
    pub channel: String,
    /// Where it stands.
    pub state: MessageState,
    /// Its first line.
    pub title: String,
    /// The alarms it tells of.
    pub alarms: Vec<i64>,
    /// What it says, line by line.
    pub lines: Vec<String>,
    /// When it was written.
    pub created_at: UnixSeconds,
    /// When it is tried next.
    pub due_at: UnixSeconds,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was taken, or given up.
    pub ended_at: Option<UnixSeconds>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// Everything but the log.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The channels, by name.
    pub channels: Vec<ChannelItem>,
    /// The heartbeat, if there is one.
    pub heartbeat: Option<BeatItem>,
    /// What is wrong with the plan's file; the plan before is in force.
    pub mistakes: Vec<String>,
}

/// What of the log is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// Only messages in this state.
    pub state: Option<MessageState>,
    /// Only to this channel.
    pub channel: Option<&'a str>,
    /// How many rows make a full page, behind which there may be more.
    pub limit: usize,
    /// Whether the oldest stand first.
    pub oldest_first: bool,
    /// Whether this is another page than the first.
    pub goes_on: bool,
}

const CHANNELS: [Column; 7] = [
    ("channel", "Channel", ""),
    ("state", "State", ""),
    ("taken", "Last taken", ""),
    ("waiting", "Waiting", ""),
    ("dead", "Given up", ""),
    ("sent", "Sent", "optional"),
    ("", "Test", ""),
];

fn channel_key(by: &str, ChannelLine { item, state, .. }: &ChannelLine<'_>) -> Key {
    let count = |count: u64| Key::Number(i64::try_from(count).unwrap_or(i64::MAX));
    match by {
        "state" => state.word().into(),
        "taken" => item.ok_at.into(),
        "waiting" => count(item.waiting),
        "dead" => count(item.dead),
        "sent" => count(item.sent),
        _ => item.name.as_str().into(),
    }
}

struct ChannelLine<'a> {
    item: &'a ChannelItem,
    state: Chip,
    href: String,
    ok: Option<Moment>,
    failed: Option<(Moment, &'a str)>,
    open_until: Option<Moment>,
}

impl<'a> ChannelLine<'a> {
    fn of(item: &'a ChannelItem, now: UnixSeconds) -> Self {
        let state = match (&item.leads, item.failing, item.failures, item.ok_at) {
            (None, ..) => Chip::plain("stale", "Not in the plan"),
            (_, true, ..) => Chip::plain("down", "Failing"),
            (_, false, 1.., _) => Chip::plain("late", "Trying again"),
            (_, false, 0, Some(_)) => Chip::plain("up", "Works"),
            (_, false, 0, None) => Chip::plain("stale", "Not used yet"),
        };
        let told = item.failed.as_ref().filter(|_| item.failures > 0);
        Self {
            item,
            state,
            href: format!("/notifications?channel={}", encode(&item.name)),
            ok: item.ok_at.map(|at| Moment::ago(at, now)),
            failed: told.map(|(at, why)| (Moment::ago(*at, now), why.as_str())),
            open_until: item.open_until.filter(|at| *at > now).map(|at| Moment::ago(at, now)),
        }
    }
}

struct BeatLine<'a> {
    item: &'a BeatItem,
    state: Chip,
    ok: Option<Moment>,
    failed: Option<(Moment, &'a str)>,
}

impl<'a> BeatLine<'a> {
    fn of(item: &'a BeatItem, now: UnixSeconds) -> Self {
        let fails = item.failed.as_ref().filter(|(at, _)| Some(*at) >= item.ok_at);
        let state = match (fails, item.ok_at) {
            (Some(_), _) => Chip::plain("down", "Not taken"),
            (None, Some(_)) => Chip::plain("up", "Taken"),
            (None, None) => Chip::plain("stale", "Not sent yet"),
        };
        Self {
            item,
            state,
            ok: item.ok_at.map(|at| Moment::ago(at, now)),
            failed: fails.map(|(at, why)| (Moment::ago(*at, now), why.as_str())),
        }
    }
}

struct NoticeLine<'a> {
    item: &'a NoticeItem,
    state: Chip,
    created: Moment,
    due: Option<Moment>,
    ended: Option<Moment>,
    dead: bool,
}

impl<'a> NoticeLine<'a> {
    fn of(item: &'a NoticeItem, now: UnixSeconds) -> Self {
        let (state, waits) = match item.state {
            MessageState::Waiting => (Chip::plain("late", "Waiting"), true),
            MessageState::Sent => (Chip::plain("up", "Sent"), false),
            MessageState::Dead => (Chip::plain("down", "Given up"), false),
        };
        Self {
            item,
            state,
            created: Moment::ago(item.created_at, now),
            due: waits.then(|| Moment::ago(item.due_at, now)),
            ended: item.ended_at.map(|at| Moment::ago(at, now)),
            dead: item.state == MessageState::Dead,
        }
    }
}

#[derive(Template)]
#[template(path = "notifications.html")]
struct NotificationsPage<'a> {
    ctx: &'a PageContext,
    channels: Table<ChannelLine<'a>>,
    beat: Option<BeatLine<'a>>,
    mistakes: &'a [String],
    tabs: Vec<(String, &'static str, bool)>,
    channel: Option<&'a str>,
    notices: Vec<NoticeLine<'a>>,
    when: Head,
    first: Option<String>,
    next: Option<String>,
    api: String,
}

/// The page; `notices` in the order that is asked for.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    overview: &Overview,
    notices: &[NoticeItem],
    shown: &Shown<'_>,
) -> Result<String, askama::Error> {
    let only = shown.channel.map(|name| format!("channel={}", encode(name)));
    let address = |state: Option<MessageState>| {
        let parts = [state.map(|state| format!("state={state}")), only.clone()];
        let query: Vec<String> = parts.into_iter().flatten().collect();
        if query.is_empty() {
            return "/notifications".to_owned();
        }
        format!("/notifications?{}", query.join("&"))
    };
    let tabs = [
        (None, "All"),
        (Some(MessageState::Waiting), "Waiting"),
        (Some(MessageState::Sent), "Sent"),
        (Some(MessageState::Dead), "Given up"),
    ];
    let path = address(shown.state);
    let Shown { oldest_first, goes_on, limit, .. } = *shown;
    let listed = Numbered { path: &path, agent: "", q: "", oldest_first, goes_on, limit };
    let (first, next) = listed.ways(notices.len(), notices.last().map(|notice| notice.id));
    let api = format!("/api/v1{path}");
    let channels = overview.channels.iter().map(|c| ChannelLine::of(c, ctx.now)).collect();
    let name = |line: &ChannelLine<'_>| line.item.name.clone();
    let columns = acting(&CHANNELS, ctx.can_act());
    let path = ("channels_", "/notifications");
    let page = NotificationsPage {
        ctx,
        channels: ctx.orders.table(path, columns, channels, (name, channel_key)),
        beat: overview.heartbeat.as_ref().map(|beat| BeatLine::of(beat, ctx.now)),
        mistakes: &overview.mistakes,
        tabs: tabs.map(|(state, word)| (address(state), word, state == shown.state)).into(),
        channel: shown.channel,
        notices: notices.iter().map(|notice| NoticeLine::of(notice, ctx.now)).collect(),
        when: listed.head("Written"),
        first,
        next,
        api,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Role;
    use crate::views::page::Nav;
    use crate::views::samples::context;
    use crate::views::samples::notices::{notices, overview};

    #[test]
    fn operators_can_test_and_send_again_and_viewers_cannot() {
        let mut ctx = context("Notifications", Nav::Alarms);
        let shown = Shown { limit: 100, ..Shown::default() };
        let html = page(&ctx, &overview(), &notices(), &shown).expect("rendered");
        assert!(html.contains("action=\"/channels/chat/test\""));
        assert!(!html.contains("/channels/old/test"), "a channel that is gone cannot be tested");
        assert_eq!(html.matches("/retry\"").count(), 1, "what was given up can be sent again");
        assert!(html.contains("answered 503") && html.contains("Given up"));
        ctx.role = Some(Role::Viewer);
        let html = page(&ctx, &overview(), &notices(), &shown).expect("rendered");
        assert!(!html.contains("/test\"") && !html.contains("/retry\""));
    }

    #[test]
    fn a_full_page_leads_on_with_its_filter() {
        let ctx = context("Notifications", Nav::Alarms);
        let shown = Shown {
            state: Some(MessageState::Dead),
            channel: Some("chat"),
            limit: notices().len(),
            ..Shown::default()
        };
        let html = page(&ctx, &Overview::default(), &notices(), &shown).expect("rendered");
        assert!(html.contains("/notifications?state=dead&#38;channel=chat&#38;before=1"), "{html}");
    }
}
