//! `/alarms`: open, acknowledged and cleared ones, with forms to act on them.

use askama::Template;

use crate::model::state::AlarmState;
use crate::store::row::AlarmRow;

use super::page::PageContext;
use super::text::{Chip, Moment, encode};

/// Which alarms the page shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    /// Active or returned, not acknowledged.
    #[default]
    Open,
    /// Acknowledged and not over.
    Acknowledged,
    /// Over.
    Cleared,
}

impl Tab {
    /// The tab of `?state=`; anything unknown is [`Tab::Open`].
    pub fn from_word(word: &str) -> Self {
        match word {
            "acknowledged" => Self::Acknowledged,
            "cleared" => Self::Cleared,
            _ => Self::Open,
        }
    }

    /// Whether an alarm in `state` belongs here.
    pub const fn holds(self, state: AlarmState) -> bool {
        match self {
            Self::Open => matches!(state, AlarmState::Active | AlarmState::Returned),
            Self::Acknowledged => matches!(state, AlarmState::Acknowledged),
            Self::Cleared => matches!(state, AlarmState::Cleared),
        }
    }
}

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
            link: alarm
                .kind
                .as_str()
                .starts_with("edge.")
                .then(|| format!("/links/{}", encode(&alarm.subject))),
            raised: alarm.raised_at.map(|at| Moment::ago(at, ctx.now)),
            cleared: alarm.cleared_at.map(|at| (Moment::ago(at, ctx.now), cause)),
            acknowledged,
            can_ack: matches!(alarm.state, AlarmState::Active | AlarmState::Returned),
            can_clear: alarm.state != AlarmState::Cleared,
        }
    }
}

#[derive(Template)]
#[template(path = "alarms.html")]
struct AlarmsPage<'a> {
    ctx: &'a PageContext,
    tab: Tab,
    tabs: [(&'static str, &'static str, bool); 3],
    alarms: Vec<AlarmItem>,
    older: Option<String>,
}

/// The page of one tab.
///
/// `rows` come from the store, newest first: cleared ones for [`Tab::Cleared`], all others
/// otherwise (those that belong to the other tab are left out here). A full `rows` (of `limit`)
/// means that there may be older ones.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    tab: Tab,
    rows: &[AlarmRow],
    limit: usize,
) -> Result<String, askama::Error> {
    let state = match tab {
        Tab::Open => "open",
        Tab::Acknowledged => "acknowledged",
        Tab::Cleared => "cleared",
    };
    let older = rows
        .last()
        .filter(|_| rows.len() >= limit)
        .map(|row| format!("/alarms?state={state}&before={}", row.alarm.id));
    let mut shown: Vec<&AlarmRow> = rows.iter().filter(|r| tab.holds(r.alarm.state)).collect();
    if tab != Tab::Cleared {
        // Stable: within a severity the store's order, newest first, stays.
        shown.sort_by_key(|row| std::cmp::Reverse(row.alarm.severity));
    }
    let page = AlarmsPage {
        ctx,
        tab,
        tabs: [
            ("/alarms", "Open", tab == Tab::Open),
            ("/alarms?state=acknowledged", "Acknowledged", tab == Tab::Acknowledged),
            ("/alarms?state=cleared", "Cleared", tab == Tab::Cleared),
        ],
        alarms: shown.into_iter().map(|row| AlarmItem::new(ctx, row)).collect(),
        older,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Role;
    use crate::views::page::Nav;
    use crate::views::samples::{alarms, context};

    #[test]
    fn open_alarms_carry_forms_for_operators_only() {
        let mut ctx = context("Alarms", Nav::Alarms);
        let html = page(&ctx, Tab::Open, &alarms(), 100).expect("rendered");
        assert!(html.contains("action=\"/alarms/7/ack\"") && html.contains("value=\"form-token\""));
        assert!(!html.contains("/alarms/8/ack"), "acknowledged alarms are on another tab");
        ctx.role = Some(Role::Viewer);
        let html = page(&ctx, Tab::Open, &alarms(), 100).expect("rendered");
        assert!(
            html.contains("oul-gw2 has not reported")
                && !html.contains("<form method=\"post\" action=\"/alarms")
        );
    }

    #[test]
    fn the_worst_is_first_and_notes_are_shown() {
        let ctx = context("Alarms", Nav::Alarms);
        let html = page(&ctx, Tab::Open, &alarms(), 100).expect("rendered");
        assert!(html.find("agent.offline") < html.find("peer.unknown"));
        let html = page(&ctx, Tab::Acknowledged, &alarms(), 100).expect("rendered");
        assert!(html.contains("admin: cable is on order"));
    }
}
