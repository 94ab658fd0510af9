//! `/maintenance`: windows that are open, to come, and over, with forms to make and end them.

use askama::Template;

use crate::model::time::UnixSeconds;
use crate::model::window::{DAYS, Scope, Span, Times, Window, clock_text, day_names, offset_text};
use crate::store::change::AgentRecord;

use super::list::Column;
use super::ordered::{Key, Table, acting};
use super::page::PageContext;
use super::text::{Moment, encode, span};

/// How long windows last that are made from a page: seconds and words.
pub const TIMES: [(i64, &str); 9] = [
    (1_800, "30 minutes"),
    (3_600, "1 hour"),
    (7_200, "2 hours"),
    (14_400, "4 hours"),
    (28_800, "8 hours"),
    (86_400, "1 day"),
    (259_200, "3 days"),
    (604_800, "7 days"),
    (2_592_000, "30 days"),
];

/// The window that covers an agent, and until when; of several the one that ends last.
pub fn covering<'a>(
    windows: &'a [Window],
    agent: &AgentRecord,
    now: UnixSeconds,
) -> Option<(UnixSeconds, &'a Window)> {
    let meant = |window: &&Window| window.scope.means(&agent.id, &agent.fleet, &agent.labels);
    let open = windows.iter().filter(meant).filter_map(|w| Some((w.open(now)?.until, w)));
    open.max_by_key(|(until, window)| (*until, window.id))
}

/// One window in words.
struct WindowRow {
    id: i64,
    kind: &'static str,
    who: String,
    href: Option<String>,
    from: Option<UnixSeconds>,
    times: Option<(Moment, Moment)>,
    weekly: Option<String>,
    reason: String,
    by: String,
    made: Moment,
    ended: Option<(Moment, String)>,
}

impl WindowRow {
    fn new(ctx: &PageContext, window: &Window) -> Self {
        let once = match window.times {
            Times::Once(span) => Some(span),
            Times::Weekly { .. } => None,
        };
        let times = window.next(ctx.now).or(once);
        let moment = |at| Moment::full(at, ctx.now);
        Self {
            id: window.id.0,
            kind: window.scope.kind(),
            who: match &window.scope {
                Scope::Agent(id) => ctx.names.name(id.as_str()).to_owned(),
                Scope::Fleet(_) | Scope::Label { .. } => window.scope.text(),
            },
            href: match &window.scope {
                Scope::Agent(id) => Some(format!("/agents/{}", encode(id.as_str()))),
                Scope::Fleet(_) | Scope::Label { .. } => None,
            },
            from: times.map(|span| span.from),
            times: times.map(|Span { from, until }| (moment(from), moment(until))),
            weekly: weekly(&window.times),
            reason: window.reason.clone(),
            by: window.by.clone(),
            made: Moment::ago(window.made_at, ctx.now),
            ended: window.ended.as_ref().map(|(at, by)| (Moment::ago(*at, ctx.now), by.clone())),
        }
    }
}

/// "sat, sun at 22:30 (+02:00) for 2 h".
fn weekly(times: &Times) -> Option<String> {
    let Times::Weekly { days, start, lasts_s, utc_offset_s } = times else { return None };
    let (days, start) = (day_names(days).join(", "), clock_text(*start));
    let (offset, lasts) = (offset_text(*utc_offset_s), span(*lasts_s));
    Some(format!("every week: {days} at {start} (UTC{offset}) for {lasts}"))
}

/// A part of the page.
struct Part {
    title: &'static str,
    none: &'static str,
    /// The word of the button that ends one; `None` for those that are over.
    end: Option<&'static str>,
    rows: Table<WindowRow>,
    /// The word of the API.
    state: &'static str,
}

const COLUMNS: [Column; 6] = [
    ("id", "Window", "optional"),
    ("of", "Of", ""),
    ("when", "When", ""),
    ("why", "Why", "optional"),
    ("by", "By", "optional"),
    ("", "Act", ""),
];

fn key(by: &str, row: &WindowRow) -> Key {
    match by {
        "of" => row.who.as_str().into(),
        "when" => row.from.into(),
        "why" => row.reason.as_str().into(),
        "by" => row.by.as_str().into(),
        _ => row.id.into(),
    }
}

#[derive(Template)]
#[template(path = "maintenance.html")]
struct MaintenancePage<'a> {
    ctx: &'a PageContext,
    parts: [Part; 3],
    times: &'static [(i64, &'static str)],
    day_times: Vec<(i64, &'static str)>,
    days: [&'static str; 7],
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, windows: &[Window]) -> Result<String, askama::Error> {
    let now = ctx.now;
    let rows = |state: fn(&Window, UnixSeconds) -> bool| {
        let those = windows.iter().rev().filter(move |window| state(window, now));
        those.map(|window| WindowRow::new(ctx, window))
    };
    let open: fn(&Window, UnixSeconds) -> bool = |window, now| window.open(now).is_some();
    let over: fn(&Window, UnixSeconds) -> bool = |window, now| window.next(now).is_none();
    let coming: fn(&Window, UnixSeconds) -> bool =
        |window, now| window.next(now).is_some_and(|span| !span.holds(now));
    let part = |title, none, end: Option<&'static str>, (state, rows): (&'static str, Vec<_>)| {
        let columns = acting(&COLUMNS, ctx.can_act() && end.is_some());
        let which = match state {
            "now" => "now_",
            "coming" => "coming_",
            _ => "past_",
        };
        let id = |row: &WindowRow| row.id.to_string();
        let rows = ctx.orders.table((which, "/maintenance"), columns, rows, (id, key));
        Part { title, none, end, rows, state }
    };
    let page = MaintenancePage {
        ctx,
        parts: [
            part(
                "Now",
                "Nothing is in maintenance.",
                Some("End now"),
                ("now", rows(open).collect()),
            ),
            part(
                "Coming",
                "No maintenance is planned.",
                Some("Cancel"),
                ("coming", rows(coming).collect()),
            ),
            part("Past", "There was none.", None, ("past", rows(over).collect())),
        ],
        times: &TIMES,
        day_times: TIMES.into_iter().filter(|(seconds, _)| *seconds <= 86_400).collect(),
        days: DAYS,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Role;
    use crate::views::page::Nav;
    use crate::views::samples::alarms::windows;
    use crate::views::samples::{agent, context};

    #[test]
    fn windows_stand_where_they_belong_and_can_be_ended() {
        let mut ctx = context("Maintenance", Nav::Alarms);
        let html = page(&ctx, &windows()).expect("rendered");
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(at("new disks") < at("Coming") && at("Coming") < at("updates"));
        assert!(at("every week: sat, sun at 22:00 (UTC+02:00) for 2 h") < at(">Past<"));
        assert!(at(">Past<") < at("moved to another rack"));
        assert_eq!(html.matches("/end\"").count(), 2, "what is over cannot be ended");
        ctx.role = Some(Role::Viewer);
        let html = page(&ctx, &windows()).expect("rendered");
        assert!(html.contains("new disks") && !html.contains("<form method=\"post\" action=\"/m"));
    }

    #[test]
    fn the_window_of_an_agent_is_the_one_that_ends_last() {
        let (detail, ctx) = (agent(), context("", Nav::Agents));
        let windows = windows();
        let found = covering(&windows, &detail.agent, ctx.now);
        assert_eq!(found.map(|(_, window)| window.reason.as_str()), Some("new disks"));
        assert_eq!(covering(&windows, &detail.agent, ctx.now.plus(86_400 * 400)), None);
    }
}
