//! `/links/{id}`: a link as its two ends tell it, side by side.

use askama::Template;

use crate::model::state::EdgeState;
use crate::model::time::UnixSeconds;
use crate::store::row::EventRow;
use crate::topology::picture::{Edge, End};
use crate::topology::verdict::{LATE_FLOOR_S, Limits, REJECT_AFTER_S, REKEY_TIMEOUT_S, limits};

use super::curves::Html;
use super::events::EventItem;
use super::list::Head;
use super::page::PageContext;
use super::text::{Chip, Moment, because, bytes, encode, span};

/// One line of the comparison.
struct Fact {
    name: &'static str,
    values: [String; 2],
    differs: bool,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage<'a> {
    ctx: &'a PageContext,
    chip: Chip,
    reason: String,
    /// How the state follows from what the ends say.
    arithmetic: Vec<String>,
    since: Moment,
    judged: Moment,
    /// Since when, if it is down.
    down: Option<UnixSeconds>,
    labels: [&'a str; 2],
    hrefs: [Option<String>; 2],
    ends: [Chip; 2],
    disagree: bool,
    facts: Vec<Fact>,
    map_href: String,
    id: &'a str,
    when: Option<Head>,
    events: Vec<EventItem>,
    curves: &'a Html,
}

fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "—".to_owned())
}

/// What both ends say of one thing. Only things that should be equal can differ.
fn fact(name: &'static str, ends: &[End; 2], of: impl Fn(&End) -> Option<String>) -> Fact {
    let [a, b] = ends;
    Fact { name, values: [or_dash(of(a)), or_dash(of(b))], differs: false }
}

fn compared(name: &'static str, ends: &[End; 2], of: impl Fn(&End) -> Option<String>) -> Fact {
    let [a, b] = ends;
    let (a, b) = (of(a), of(b));
    let differs = a.is_some() && b.is_some() && a != b;
    Fact { name, values: [or_dash(a), or_dash(b)], differs }
}

fn handshake(end: &End) -> Option<String> {
    match (end.latest_handshake?, end.measured_at) {
        (never, _) if never.0 == 0 => Some("never".to_owned()),
        (at, Some(read)) => Some(format!("{} before it was read", span(read.since(at)))),
        (at, None) => Some(at.to_rfc3339()),
    }
}

fn keepalive(end: &End) -> Option<String> {
    end.persistent_keepalive.map(|s| if s == 0 { "off".to_owned() } else { format!("{s} s") })
}

/// Whether an end's traffic has an answer: "sent but nothing received" is told as a difference.
fn silent(end: &End) -> bool {
    end.tx_bytes.is_some_and(|tx| tx > 0) && end.rx_bytes == Some(0)
}

fn facts(ctx: &PageContext, ends: &[End; 2]) -> Vec<Fact> {
    let list = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
    let [a, b] = ends;
    let mut received = fact("Received", ends, |end| end.rx_bytes.map(bytes));
    received.differs = silent(a) != silent(b);
    vec![
        fact("Interface", ends, |end| end.interface.clone()),
        fact("Own key", ends, |end| end.public_key.map(|key| key.to_string())),
        fact("Last handshake", ends, handshake),
        fact("Sends to", ends, |end| end.endpoint.clone()),
        fact("Sent", ends, |end| end.tx_bytes.map(bytes)),
        received,
        compared("Keepalive", ends, keepalive),
        fact("Allowed IPs", ends, |end| list(&end.allowed_ips)),
        fact("Read", ends, |end| {
            end.measured_at.map(|at| format!("{} ago", span(ctx.now.since(at))))
        }),
    ]
}

/// The sums behind a verdict: the limits, and how old each end's handshake is beside them.
fn arithmetic(edge: &Edge, labels: [&str; 2]) -> Vec<String> {
    let keepalive = edge.ends.iter().filter_map(|end| end.persistent_keepalive).max();
    let keepalive = keepalive.unwrap_or_default();
    let Limits { t1, t2 } = limits(keepalive);
    let mut lines = vec![
        format!(
            "T1, after which a link in use is late: the larger of {LATE_FLOOR_S} s and \
             {REJECT_AFTER_S} s (keys are refused) + {keepalive} s (keepalive) + {REKEY_TIMEOUT_S} s \
             (one attempt) = {t1} s."
        ),
        format!(
            "T2, after which it is down: {t1} s + {} s (a cycle of attempts) = {t2} s.",
            t2 - t1
        ),
    ];
    for (end, label) in edge.ends.iter().zip(labels) {
        let read = end.measured_at.zip(end.latest_handshake.filter(|at| at.0 > 0));
        lines.push(match read {
            Some((read, at)) => {
                let age = read.since(at);
                let beside = match age {
                    _ if age <= t1 => format!("within T1 ({t1} s)"),
                    _ if age <= t2 => format!("past T1 ({t1} s), within T2 ({t2} s)"),
                    _ => format!("past T2 ({t2} s)"),
                };
                format!("{label}: read {} s - handshake {} s = {age} s, {beside}.", read.0, at.0)
            }
            None => format!("{label}: tells no handshake."),
        });
    }
    lines.push("The rules file may give a link more time than this.".to_owned());
    lines
}

/// The page of `edge`. `labels` name its ends, `events` are what is known of its past,
/// oldest first, `curves` its counters over time.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    edge: &Edge,
    labels: [&str; 2],
    (events, curves): (&[EventRow], &Html),
) -> Result<String, askama::Error> {
    let [a, b] = &edge.ends;
    let href =
        |end: &End| end.agent_id.as_ref().map(|id| format!("/agents/{}", encode(id.as_str())));
    let page = LinkPage {
        ctx,
        chip: Chip::edge(edge.state),
        reason: because(&edge.reason),
        arithmetic: arithmetic(edge, labels),
        since: Moment::ago(edge.since, ctx.now),
        judged: Moment::ago(edge.judged_at, ctx.now),
        down: (edge.state == EdgeState::Down).then_some(edge.since),
        labels,
        hrefs: [href(a), href(b)],
        ends: [Chip::end(a.state), Chip::end(b.state)],
        disagree: a.state != b.state,
        facts: facts(ctx, &edge.ends),
        id: &edge.id,
        map_href: format!("/map?sel={}", encode(&format!("edge~{}", edge.id))),
        when: None,
        events: events.iter().rev().map(|row| EventItem::new(ctx, row)).collect(),
        curves,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, picture};

    #[test]
    fn differing_rows_are_marked_and_others_are_not() {
        let edge = &picture().edges[1];
        let ctx = context("Link", Nav::Links);
        let marked: Vec<&str> =
            facts(&ctx, &edge.ends).iter().filter(|f| f.differs).map(|f| f.name).collect();
        assert_eq!(marked, ["Received"]);
        let html =
            page(&ctx, edge, ["hel-gw1", "oul-gw2"], (&[], &Html::default())).expect("rendered");
        assert_eq!(html.matches("class=\"differs\"").count(), 2);
        assert!(html.contains("What hel-gw1 reports") && html.contains("What oul-gw2 reports"));
    }

    #[test]
    fn a_handshake_is_judged_on_the_clock_of_its_host() {
        let edge = &picture().edges[0];
        assert_eq!(handshake(&edge.ends[0]).as_deref(), Some("42 s before it was read"));
    }
}
