//! `/what-if`: what would be lost without some hosts or links, and without which the most would be.

use askama::Template;

use crate::topology::weakest::{WeakHost, WeakLink, Weakest};
use crate::topology::without::{CutOff, Loss, Named, NamedLink, Taken};

use super::page::PageContext;
use super::text::{encode, plural};

/// Hosts that are named before the rest is only counted.
const NAMED: usize = 12;

/// A name that leads to its page.
struct Linked {
    label: String,
    href: Option<String>,
    /// The same question without taking this away, where it is one of those taken away.
    put_back: Option<String>,
}

/// Some of a kind, and how many more there are.
struct Few {
    named: Vec<Linked>,
    more: usize,
}

/// One part that would be on its own.
struct Part {
    size: String,
    loses: String,
    members: Few,
}

/// Something on which agents hang.
struct Weak {
    label: String,
    href: Option<String>,
    without: String,
    cut_off: u64,
    added: u64,
}

/// The worst of a kind, and how many more there are.
struct Worst {
    listed: Vec<Weak>,
    more: usize,
}

#[derive(Template)]
#[template(path = "what_if.html")]
struct WhatIfPage<'a> {
    ctx: &'a PageContext,
    asked: &'a str,
    problem: Option<&'a str>,
    taken: Vec<Linked>,
    parts: Vec<Part>,
    weak_nodes: Few,
    weak_links: Few,
    reports_lost: Few,
    cut_off: usize,
    hosts: Worst,
    links: Worst,
}

impl Worst {
    fn of(listed: Vec<Weak>, total: usize) -> Self {
        let more = total.saturating_sub(listed.len());
        Self { listed, more }
    }
}

fn weak_host(host: &WeakHost) -> Weak {
    let agent = host.id.strip_prefix("a:");
    Weak {
        label: host.label.clone(),
        href: agent.map(|id| format!("/agents/{}", encode(id))),
        without: encode(&host.id),
        cut_off: host.cut_off,
        added: host.added,
    }
}

fn weak_link(link: &WeakLink) -> Weak {
    Weak {
        label: link.labels.join(" ⇄ "),
        href: Some(format!("/links/{}", link.id)),
        without: encode(&link.id),
        cut_off: link.cut_off,
        added: link.added,
    }
}

fn node(named: &Named) -> Linked {
    let href = named.id.strip_prefix("a:").map(|id| format!("/agents/{}", encode(id)));
    Linked { label: named.label.clone(), href, put_back: None }
}

fn link(named: &NamedLink) -> Linked {
    Linked {
        label: named.labels.join(" ⇄ "),
        href: Some(format!("/links/{}", named.id)),
        put_back: None,
    }
}

fn some<T>(all: &[T], of: impl Fn(&T) -> Linked) -> Few {
    Few { named: all.iter().take(NAMED).map(of).collect(), more: all.len().saturating_sub(NAMED) }
}

fn part(cut: &CutOff) -> Part {
    Part {
        size: plural(cut.nodes.len(), "host"),
        loses: plural(cut.loses, "other"),
        members: some(&cut.nodes, node),
    }
}

/// The question without one of the things it takes away.
fn put_back(taken: &Taken, id: &str) -> String {
    let rest = taken.nodes.iter().chain(&taken.edges).filter(|other| *other != id);
    let rest: Vec<&str> = rest.map(String::as_str).collect();
    format!("/what-if?without={}", encode(&rest.join(",")))
}

fn taken_away(taken: &Taken, loss: &Loss) -> Vec<Linked> {
    let nodes = loss.taken.iter().map(|named| (named.id.as_str(), node(named)));
    let links = loss.taken_links.iter().map(|named| (named.id.as_str(), link(named)));
    let all = nodes.chain(links);
    all.map(|(id, linked)| Linked { put_back: Some(put_back(taken, id)), ..linked }).collect()
}

/// The page before anything is asked: what the network can least afford to lose.
///
/// # Errors
/// If the template cannot be rendered.
pub fn start(ctx: &PageContext, weakest: &Weakest) -> Result<String, askama::Error> {
    render(ctx, "", Ok((&Taken::default(), &Loss::default())), weakest)
}

/// The answer. `asked` is the text of the question; the error says why it has none.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    asked: &str,
    answer: Result<(&Taken, &Loss), &str>,
) -> Result<String, askama::Error> {
    render(ctx, asked, answer, &Weakest::default())
}

fn render(
    ctx: &PageContext,
    asked: &str,
    answer: Result<(&Taken, &Loss), &str>,
    weakest: &Weakest,
) -> Result<String, askama::Error> {
    let (nothing, nobody) = (Taken::default(), Loss::default());
    let (taken, loss) = answer.unwrap_or((&nothing, &nobody));
    let page = WhatIfPage {
        ctx,
        asked,
        problem: answer.err(),
        taken: taken_away(taken, loss),
        parts: loss.cut_off.iter().map(part).collect(),
        weak_nodes: some(&loss.weak_nodes, node),
        weak_links: some(&loss.weak_links, link),
        reports_lost: some(&loss.reports_lost, node),
        cut_off: loss.cut_off.iter().map(|part| part.nodes.len()).sum(),
        hosts: Worst::of(weakest.hosts.iter().map(weak_host).collect(), weakest.hosts_total),
        links: Worst::of(weakest.links.iter().map(weak_link).collect(), weakest.links_total),
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;
    use crate::views::samples::ways::{loss, weakest};

    #[test]
    fn losses_are_told_with_names_and_counts() {
        let (taken, loss) = loss();
        let ctx = context("What if", Nav::Paths);
        let html = page(&ctx, "a:hel-gw1", Ok((&taken, &loss))).expect("rendered");
        for text in ["15 hosts", "and 3 more", "hel-gw1", "oul-gw2 ⇄ tmp-1", "Put it back"] {
            assert!(html.contains(text), "{text} in {html}");
        }
        let html = start(&ctx, &Weakest::default()).expect("rendered");
        assert!(html.contains("Nothing hangs on a single host or link"), "{html}");
        assert!(!html.contains("Who is cut off"), "nothing was asked: {html}");
        let html = start(&ctx, &weakest()).expect("rendered");
        for text in ["14", "9 of them", "without=a%3Ahel-gw1", "and 21 more", "/links/0123"] {
            assert!(html.contains(text), "{text} in {html}");
        }
        let html = page(&ctx, "a:x", Err("There is no such agent.")).expect("rendered");
        assert!(html.contains("There is no such agent."));
    }
}
