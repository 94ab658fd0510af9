//! `/alarms`: open, acknowledged and cleared ones, with forms to act on them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use crate::model::id::AlarmId;
use crate::model::shelf::SHELF_LONGEST_S;
use crate::model::state::{AlarmKind, AlarmState, Severity};
use crate::store::change::AlarmRecord;
use crate::store::row::AlarmRow;

use super::list::{Column, Head, Hits, ListQuery};
use super::page::PageContext;
use super::text::{Chip, Moment, encode, plural};

/// Which alarms the page shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    /// Active or returned, not acknowledged.
    #[default]
    Open,
    /// Acknowledged and not over.
    Acknowledged,
    /// Shelved by somebody.
    Shelved,
    /// About something in maintenance.
    Maintenance,
    /// Over.
    Cleared,
}

impl Tab {
    /// The tab of `?state=`; anything unknown is [`Tab::Open`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "acknowledged" => Self::Acknowledged,
            "shelved" => Self::Shelved,
            "maintenance" => Self::Maintenance,
            "cleared" => Self::Cleared,
            _ => Self::Open,
        }
    }

    /// The word that asks for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Shelved => "shelved",
            Self::Maintenance => "maintenance",
            Self::Cleared => "cleared",
        }
    }

    /// Its page.
    pub fn href(self) -> String {
        if self == Self::Open {
            "/alarms".to_owned()
        } else {
            format!("/alarms?state={}", self.word())
        }
    }

    /// The one tab an alarm belongs to.
    pub fn of(alarm: &AlarmRecord) -> Self {
        match alarm.state {
            AlarmState::Cleared => Self::Cleared,
            _ if alarm.maintenance.is_some() => Self::Maintenance,
            _ if alarm.shelved.is_some() => Self::Shelved,
            AlarmState::Acknowledged => Self::Acknowledged,
            AlarmState::Active | AlarmState::Returned | AlarmState::Pending => Self::Open,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Acknowledged => "Acknowledged",
            Self::Shelved => "Shelved",
            Self::Maintenance => "Maintenance",
            Self::Cleared => "Cleared",
        }
    }

    const ALL: [Self; 5] =
        [Self::Open, Self::Acknowledged, Self::Shelved, Self::Maintenance, Self::Cleared];
}

/// For how long alarms are shelved from a page: seconds and words.
pub const SHELF_TIMES: [(i64, &str); 7] = [
    (3_600, "1 hour"),
    (14_400, "4 hours"),
    (28_800, "8 hours"),
    (86_400, "1 day"),
    (259_200, "3 days"),
    (604_800, "7 days"),
    (SHELF_LONGEST_S, "30 days"),
];

/// One alarm as the page shows it.
pub(super) struct AlarmItem {
    /// Its number.
    pub(super) id: i64,
    /// How bad.
    pub(super) severity: Chip,
    /// Where it stands.
    pub(super) state: Chip,
    /// Dotted kind.
    pub(super) kind: &'static str,
    /// One sentence.
    pub(super) message: String,
    /// Its agent's name and page.
    pub(super) agent: Option<(String, String)>,
    /// The page of the link it is about.
    pub(super) link: Option<String>,
    /// When it was raised.
    pub(super) raised: Option<Moment>,
    /// When it was cleared, and why.
    pub(super) cleared: Option<(Moment, String)>,
    /// Who acknowledged it, and with what note.
    pub(super) acknowledged: Option<String>,
    /// Whether it comes and goes so often that it is held open.
    pub(super) flapping: bool,
    /// Since when those are silent who could tell more of it.
    pub(super) stale: Option<Moment>,
    /// The alarm it follows from, where that is not shown above it.
    pub(super) follows: Option<i64>,
    /// What follows from it, in a few words and one by one.
    pub(super) followers: Option<Followers>,
    /// Until when it is shelved, and by whom and why.
    pub(super) shelved: Option<(Moment, String)>,
    /// The maintenance window that covers it.
    pub(super) maintenance: Option<i64>,
    /// Whether it can be acknowledged.
    pub(super) can_ack: bool,
    /// Whether it can be cleared by hand.
    pub(super) can_clear: bool,
}

impl AlarmItem {
    /// A row for people.
    pub(super) fn new(ctx: &PageContext, row: &AlarmRow) -> Self {
        let alarm = &row.alarm;
        let acknowledged = alarm.acknowledged_by.as_ref().map(|who| match &alarm.note {
            Some(note) if !note.is_empty() => format!("{who}: {note}"),
            _ => who.clone(),
        });
        let cause = alarm.clear_cause.clone().unwrap_or_default();
        Self {
            id: alarm.id.0,
            severity: Chip::severity(alarm.severity),
            state: Chip::alarm(alarm.state),
            kind: alarm.kind.as_str(),
            message: alarm.message.clone(),
            agent: row.agent_id.as_ref().map(|id| ctx.names.link(id)),
            link: is_of_link(row).then(|| format!("/links/{}", encode(&alarm.subject))),
            raised: alarm.raised_at.map(|at| Moment::ago(at, ctx.now)),
            cleared: alarm.cleared_at.map(|at| (Moment::ago(at, ctx.now), cause)),
            acknowledged,
            flapping: alarm.flapping_until.is_some(),
            stale: ctx.unheard.get(&alarm.id).map(|at| Moment::ago(*at, ctx.now)),
            follows: alarm.inhibited_by.map(|by| by.0),
            followers: None,
            shelved: alarm.shelved.as_ref().map(|shelved| {
                let words = format!("by {}: {}", shelved.by, shelved.reason);
                (Moment::ago(shelved.until, ctx.now), words)
            }),
            maintenance: alarm.maintenance.map(|window| window.0),
            can_ack: matches!(alarm.state, AlarmState::Active | AlarmState::Returned),
            can_clear: alarm.state != AlarmState::Cleared,
        }
    }
}

/// What follows from an alarm.
pub(super) struct Followers {
    /// How many of what.
    pub(super) words: String,
    /// The first of them: how far from the cause, and what.
    pub(super) items: Vec<(usize, AlarmItem)>,
    /// How many more there are.
    pub(super) more: usize,
}

/// Followers of one alarm that are listed.
const LISTED: usize = 200;

/// Open alarms as incidents: each cause with what follows from it.
struct Tree<'a> {
    by_cause: BTreeMap<AlarmId, Vec<&'a AlarmRow>>,
    roots: Vec<&'a AlarmRow>,
}

impl<'a> Tree<'a> {
    fn of(rows: &'a [AlarmRow]) -> Self {
        let shown: BTreeSet<AlarmId> = rows.iter().map(|row| row.alarm.id).collect();
        let mut tree = Self { by_cause: BTreeMap::new(), roots: Vec::new() };
        for row in rows {
            match row.alarm.inhibited_by.filter(|by| shown.contains(by)) {
                Some(cause) => tree.by_cause.entry(cause).or_default().push(row),
                None => tree.roots.push(row),
            }
        }
        tree
    }

    /// All that follows from an alarm, with its distance, each after what it follows from.
    fn below(&self, id: AlarmId) -> Vec<(usize, &'a AlarmRow)> {
        let direct = |id: AlarmId| self.by_cause.get(&id).into_iter().flatten().rev().copied();
        let mut waiting: Vec<(usize, &AlarmRow)> = direct(id).map(|row| (1, row)).collect();
        let mut found = Vec::new();
        while let Some((depth, row)) = waiting.pop() {
            found.push((depth, row));
            waiting.extend(direct(row.alarm.id).map(|next| (depth + 1, next)));
        }
        found
    }

    fn item(&self, ctx: &PageContext, row: &AlarmRow) -> AlarmItem {
        let below = self.below(row.alarm.id);
        let shown = below
            .iter()
            .take(LISTED)
            .map(|(depth, row)| (*depth, AlarmItem { follows: None, ..AlarmItem::new(ctx, row) }));
        let followers = (!below.is_empty()).then(|| Followers {
            words: words(&below),
            items: shown.collect(),
            more: below.len().saturating_sub(LISTED),
        });
        AlarmItem { followers, ..AlarmItem::new(ctx, row) }
    }
}

/// Whether an alarm is about a link; some kinds may also be about the interface at an end, whose
/// name has a slash.
pub(super) fn is_of_link(row: &AlarmRow) -> bool {
    AlarmKind::OF_LINKS.contains(&row.alarm.kind) && !row.alarm.subject.contains('/')
}

/// "16 links, 2 agents attached".
fn words(below: &[(usize, &AlarmRow)]) -> String {
    let thing = |row: &AlarmRow| match row.alarm.kind.as_str().split('.').next() {
        _ if is_of_link(row) => "link",
        Some("agent") => "agent",
        Some("iface" | "route" | "mtu" | "listen_port") => "interface",
        Some("relay") => "relay",
        Some("net") => "network",
        _ => "other alarm",
    };
    let mut things: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, row) in below {
        things.entry(thing(row)).or_default().insert(&row.alarm.subject);
    }
    let mut counts: Vec<(usize, &str)> = things.iter().map(|(t, all)| (all.len(), *t)).collect();
    counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let told: Vec<String> = counts.iter().map(|(count, thing)| plural(*count, thing)).collect();
    format!("{} attached", told.join(", "))
}

#[derive(Template)]
#[template(path = "alarms.html")]
struct AlarmsPage<'a> {
    ctx: &'a PageContext,
    tab: Tab,
    tabs: Vec<(String, &'static str, bool)>,
    times: &'static [(i64, &'static str)],
    bulk: bool,
    is_shelf: bool,
    word: &'static str,
    kept: &'a Kept,
    hits: &'a Hits<'a>,
    kinds: Vec<&'static str>,
    severities: Vec<&'static str>,
    csv: String,
    json: String,
    heads: Vec<Head>,
    alarms: Vec<AlarmItem>,
    older: Option<String>,
    first: Option<String>,
}

/// What a page of cleared alarms begins after, and how many alarms it shows.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Only alarms before this one.
    pub before: Option<AlarmId>,
    /// At most this many.
    pub limit: usize,
}

/// The columns that a tab of open alarms can be sorted by.
const COLUMNS: [Column; 5] = [
    ("severity", "Severity", ""),
    ("alarm", "Alarm", ""),
    ("", "State", "optional"),
    ("raised", "Raised", ""),
    ("", "Acknowledged", "optional"),
];

/// The order of rows; the worst, then the newest, before the others.
fn compare(by: &str, a: &AlarmRow, b: &AlarmRow) -> Ordering {
    let (a, b) = (&a.alarm, &b.alarm);
    let newest = b.raised_at.cmp(&a.raised_at).then_with(|| b.id.cmp(&a.id));
    match by {
        "alarm" => (a.kind.as_str(), &a.message).cmp(&(b.kind.as_str(), &b.message)).then(newest),
        "raised" => newest,
        _ => b.severity.cmp(&a.severity).then(newest),
    }
}

/// What the list is narrowed to, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// A kind.
    pub kind: String,
    /// The least severity.
    pub severity: String,
    /// A fleet.
    pub fleet: String,
    /// An agent's id.
    pub agent: String,
    /// What they are about, or a text.
    pub q: String,
    /// Raised from when on.
    pub from: String,
    /// Raised before when.
    pub to: String,
}

impl Kept {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same as parts of a query, each after `&`.
    fn query(&self) -> String {
        let parts = [
            ("kind", &self.kind),
            ("severity", &self.severity),
            ("fleet_id", &self.fleet),
            ("agent_id", &self.agent),
            ("q", &self.q),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let parts = parts.into_iter().filter(|(_, value)| !value.trim().is_empty());
        parts.map(|(name, value)| format!("&{name}={}", encode(value.trim()))).collect()
    }
}

/// Where the same alarms are given away as CSV, and as JSON.
fn export(tab: Tab, kept: &Kept) -> [String; 2] {
    let state = match tab {
        // Two states of the API: whatever is not cleared.
        Tab::Open => "",
        Tab::Acknowledged | Tab::Shelved | Tab::Maintenance | Tab::Cleared => tab.word(),
    };
    let asked = format!("?state={state}{}", kept.query());
    ["/api/v1/export/alarms.csv", "/status/alarms"].map(|path| format!("{path}{asked}"))
}

/// The page of one tab.
///
/// `rows` come from the store, newest first: a page of cleared ones for [`Tab::Cleared`], otherwise
/// all that are open, which `order` sorts and pages. Those are shown as incidents: an alarm that follows from another
/// one stands below it, on the tab of its cause.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    tab: Tab,
    rows: &[AlarmRow],
    ((kept, hits), order, span): ((&Kept, &Hits<'_>), &ListQuery, Span),
) -> Result<String, askama::Error> {
    let tree = match tab {
        Tab::Cleared => Tree { by_cause: BTreeMap::new(), roots: rows.iter().collect() },
        Tab::Open | Tab::Acknowledged | Tab::Shelved | Tab::Maintenance => Tree::of(rows),
    };
    let mut shown: Vec<&AlarmRow> = tree.roots.clone();
    shown.retain(|row| Tab::of(&row.alarm) == tab);
    let path = format!("/alarms?state={}{}", tab.word(), kept.query());
    let (shown, heads, older, first) = match tab {
        Tab::Cleared => {
            // The store pages these, in the order of their numbers.
            let last = shown.last().filter(|_| shown.len() >= span.limit);
            let older = last.map(|row| format!("{path}&before={}", row.alarm.id));
            let first = span.before.map(|_| path);
            (shown, Vec::new(), older, first)
        }
        Tab::Open | Tab::Acknowledged | Tab::Shelved | Tab::Maintenance => {
            let by = |by: &str, a: &&AlarmRow, b: &&AlarmRow| compare(by, a, b);
            let id = |row: &&AlarmRow| row.alarm.id.to_string();
            let page = order.page_of(&path, (shown, span.limit), id, by);
            (page.rows, order.heads(&path, &COLUMNS), page.next, page.first)
        }
    };
    let [csv, json] = export(tab, kept);
    let page = AlarmsPage {
        ctx,
        tab,
        tabs: Tab::ALL.map(|one| (one.href(), one.label(), one == tab)).into(),
        word: tab.word(),
        kept,
        hits,
        kinds: AlarmKind::ALL.iter().map(|kind| kind.as_str()).collect(),
        severities: Severity::ALL.iter().map(|severity| severity.as_str()).collect(),
        csv,
        json,
        heads,
        times: &SHELF_TIMES,
        bulk: ctx.can_act() && tab != Tab::Cleared,
        is_shelf: tab == Tab::Shelved,
        alarms: shown.into_iter().map(|row| tree.item(ctx, row)).collect(),
        older,
        first,
    };
    page.render()
}

#[cfg(test)]
mod tests;
