//! `/changes`: what differs between two times, in words.

use askama::Template;

use crate::model::state::Severity;
use crate::model::time::UnixSeconds;
use crate::topology::changes::{Difference, Fate};

use super::page::PageContext;
use super::text::{Chip, Moment, encode};
use super::then::words;

/// An alarm that was raised or cleared between the two times.
#[derive(Debug, Clone)]
pub struct AlarmLine {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: UnixSeconds,
    /// How bad.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
}

/// What the page tells.
#[derive(Debug, Clone)]
pub struct Told {
    /// All of it in one line.
    pub summary: String,
    /// Links and agents.
    pub difference: Difference,
    /// Alarms that were raised.
    pub raised: Vec<AlarmLine>,
    /// Alarms that were cleared.
    pub cleared: Vec<AlarmLine>,
    /// Whether all events between were read.
    pub complete: bool,
}

struct Row {
    fate: Chip,
    name: String,
    href: String,
    before: Option<Chip>,
    after: Option<Chip>,
    last: Option<(Moment, String)>,
}

struct AlarmRow {
    page: String,
    at: Moment,
    href: String,
    chip: Chip,
    message: String,
}

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage<'a> {
    ctx: &'a PageContext,
    from_text: String,
    to_text: String,
    from_words: String,
    to_words: String,
    presets: Vec<(&'static str, String)>,
    problem: Option<&'a str>,
    told: Option<&'a Told>,
    things: [(&'static str, Vec<Row>); 2],
    alarms: [(&'static str, Vec<AlarmRow>); 2],
}

const fn fate(fate: Fate) -> Chip {
    match fate {
        Fate::Lost => Chip::plain("down", "Lost"),
        Fate::Gone => Chip::plain("late", "Gone"),
        Fate::Restored => Chip::plain("up", "Restored"),
        Fate::New => Chip::plain("up", "New"),
        Fate::Changed => Chip::plain("stale", "Changed"),
    }
}

/// The last event about a thing between the times, and all links as they were then.
fn last(ctx: &PageContext, at: &[UnixSeconds]) -> Option<(Moment, String)> {
    at.last().map(|at| (Moment::full(*at, ctx.now), format!("/links?at={at}")))
}

/// The page about the time from `from` to `to`; `told` is what differs, or why it cannot be told.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    (from, to): (UnixSeconds, UnixSeconds),
    told: Result<&Told, &str>,
) -> Result<String, askama::Error> {
    // What is gone is looked at as it was.
    let at = |gone: bool| if gone { format!("?at={from}") } else { format!("?at={to}") };
    let difference = told.ok().map(|told| &told.difference);
    let links = difference.into_iter().flat_map(|difference| &difference.links).map(|change| {
        let [a, b] = &change.labels;
        Row {
            fate: fate(change.fate),
            name: format!("{a} ⇄ {b}"),
            href: format!("/links/{}{}", encode(&change.id), at(change.after.is_none())),
            before: change.before.map(Chip::edge),
            after: change.after.map(Chip::edge),
            last: last(ctx, &change.at),
        }
    });
    let agents = difference.into_iter().flat_map(|difference| &difference.agents).map(|change| {
        let id = encode(change.agent_id.as_str());
        Row {
            fate: fate(change.fate),
            name: change.label.clone(),
            href: format!("/agents/{id}{}", at(change.after.is_none())),
            before: change.before.map(Chip::agent),
            after: change.after.map(Chip::agent),
            last: last(ctx, &change.at),
        }
    });
    let alarm = |line: &AlarmLine| AlarmRow {
        page: format!("/alarms/{}", line.id),
        at: Moment::full(line.at, ctx.now),
        href: format!("/links?at={}", line.at),
        chip: Chip::severity(line.severity),
        message: line.message.clone(),
    };
    let alarms = |of: fn(&Told) -> &Vec<AlarmLine>| {
        told.ok().into_iter().flat_map(of).rev().map(alarm).collect()
    };
    let presets = [("1 hour", 3_600), ("24 hours", 86_400), ("7 days", 604_800)];
    let page = ChangesPage {
        ctx,
        from_text: from.to_rfc3339(),
        to_text: to.to_rfc3339(),
        from_words: words(from),
        to_words: words(to),
        presets: presets
            .map(|(name, seconds)| (name, format!("/changes?from={}", ctx.now.minus(seconds))))
            .into(),
        problem: told.err(),
        told: told.ok(),
        things: [("Links", links.collect()), ("Agents", agents.collect())],
        alarms: [
            ("Alarms raised", alarms(|told| &told.raised)),
            ("Alarms cleared", alarms(|told| &told.cleared)),
        ],
    };
    page.render()
}

#[cfg(test)]
pub(in crate::views) mod samples {
    use super::*;
    use crate::model::state::{AgentStatus, EdgeState};
    use crate::topology::changes::{AgentChange, LinkChange};

    /// A link lost and an agent new, with what was said of them.
    pub(in crate::views) fn told() -> Told {
        let at = UnixSeconds(1_795_222_800);
        let difference = Difference {
            links: vec![LinkChange {
                id: "00000000000000b2".into(),
                labels: ["hel-gw1".into(), "<oul>".into()],
                fate: Fate::Lost,
                before: Some(EdgeState::Up),
                after: Some(EdgeState::Down),
                at: vec![at],
            }],
            agents: vec![AgentChange {
                agent_id: "tre-gw1".parse().expect("an agent"),
                label: "tre-gw1".into(),
                fate: Fate::Gone,
                before: Some(AgentStatus::Online),
                after: None,
                at: vec![],
            }],
        };
        let line = AlarmLine {
            id: 7,
            at,
            severity: Severity::Major,
            message: "hel-gw1 and <oul> do not reach each other".into(),
        };
        let summary = difference.summary();
        Told { summary, difference, raised: vec![line], cleared: vec![], complete: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    #[test]
    fn every_line_leads_to_the_thing_as_it_was() {
        let ctx = context("Changes", Nav::Events);
        let (from, to) = (UnixSeconds(1_795_140_000), UnixSeconds(1_795_226_400));
        let html = page(&ctx, (from, to), Ok(&samples::told())).expect("rendered");
        for wanted in [
            "1 link lost, 1 agent gone.",
            "/links/00000000000000b2?at=1795226400",
            // What is gone, as it was before.
            "/agents/tre-gw1?at=1795140000",
            "/links?at=1795222800",
            "not there",
            "left out",
        ] {
            assert!(html.contains(wanted), "{wanted}");
        }
        assert!(!html.contains("<oul>"));
        let refused = page(&ctx, (from, to), Err("Too early.")).expect("rendered");
        assert!(refused.contains("Too early.") && !refused.contains("<table"));
    }
}
