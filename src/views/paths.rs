//! `/paths`: the way of a packet hop by hop, there and back, and who carries a prefix.

use askama::Template;

use crate::store::carrier::{Carrier, Carries};
use crate::topology::path::host::route_text;
use crate::topology::path::{Hop, Journey, Outcome};

use super::page::PageContext;
use super::text::{Chip, because, encode};

/// What was asked, as it stands in the forms, and what could not be answered.
#[derive(Debug, Default)]
pub struct Asked {
    /// Where the way begins.
    pub from: String,
    /// Where it is to go.
    pub to: String,
    /// With which source address.
    pub source: String,
    /// Whose carriers.
    pub net: String,
    /// Why there is no way to show.
    pub path_problem: Option<String>,
    /// Why there are no carriers to show.
    pub net_problem: Option<String>,
}

/// One hop.
struct Step<'a> {
    hop: &'a Hop,
    href: String,
    does: String,
    link: Option<(String, Chip)>,
}

/// A whole way.
struct Way<'a> {
    title: String,
    chip: Chip,
    reason: String,
    source: Option<String>,
    steps: Vec<Step<'a>>,
}

/// One line of the table of carriers.
struct Line {
    prefix: String,
    href: String,
    host: String,
    fleet: String,
    how: &'static str,
    by: String,
}

#[derive(Template)]
#[template(path = "paths.html")]
struct PathsPage<'a> {
    ctx: &'a PageContext,
    asked: &'a Asked,
    ways: Vec<Way<'a>>,
    carriers: Option<Vec<Line>>,
}

fn outcome(outcome: Outcome) -> Chip {
    match outcome {
        Outcome::Delivered => Chip::plain("up", "Arrives"),
        Outcome::Left => Chip::plain("stale", "Leaves what agents see"),
        Outcome::Stopped => Chip::plain("down", "Stops"),
        Outcome::Unknown => Chip::plain("stale", "Not known"),
    }
}

/// A reason as a sentence; one that begins with a host's name keeps it as it is.
fn sentence(journey: &Journey) -> String {
    let reason = &journey.reason;
    if journey.hops.iter().any(|hop| reason.starts_with(&hop.label)) {
        return format!("{reason}.");
    }
    because(reason)
}

/// What a host does with the packet, in the words of its tables; `arrived` if it has the address.
fn does(hop: &Hop, arrived: bool) -> String {
    let mut parts = Vec::new();
    if let Some(route) = &hop.route {
        parts.push(format!("route {}", route_text(route)));
    }
    match (&hop.interface, hop.next, hop.allowed_ip) {
        (Some(interface), _, Some(allowed)) => {
            parts.push(format!("{interface}, to the peer whose allowed IPs have {allowed}"));
        }
        (Some(interface), Some(next), None) => parts.push(format!("{interface}, to {next}")),
        (Some(interface), None, None) if arrived => {
            parts.push(format!("has it on {interface}"));
        }
        (Some(interface), None, None) => parts.push(format!("{interface}, where it ends")),
        (None, ..) if parts.is_empty() => parts.push("it ends here".to_owned()),
        (None, ..) => {}
    }
    parts.join("; ")
}

fn step(hop: &Hop, arrived: bool) -> Step<'_> {
    let link = hop.edge_id.as_ref().zip(hop.edge_state);
    Step {
        hop,
        href: format!("/agents/{}", encode(hop.agent_id.as_str())),
        does: does(hop, arrived),
        link: link.map(|(id, state)| (format!("/links/{id}"), Chip::edge(state))),
    }
}

fn way(journey: &Journey, back: bool) -> Way<'_> {
    let from = journey.hops.first().map_or_else(|| journey.from.as_str(), |hop| &hop.label);
    let last = journey.hops.last().filter(|_| journey.outcome == Outcome::Delivered);
    let arrived = |hop: &Hop| last.is_some_and(|last| last.agent_id == hop.agent_id);
    let kind = if back { "The answer, from" } else { "From" };
    Way {
        title: format!("{kind} {from} to {}", journey.to),
        chip: outcome(journey.outcome),
        reason: sentence(journey),
        source: journey.source.map(|source| source.to_string()),
        steps: journey.hops.iter().map(|hop| step(hop, arrived(hop))).collect(),
    }
}

fn line(carrier: &Carrier) -> Line {
    let (prefix, how, by) = match &carrier.how {
        Carries::Address { interface, address } => {
            (address.to_string(), "has it", interface.clone())
        }
        Carries::Route(route) => (route.dst.to_string(), "routes it", route_text(route)),
        Carries::AllowedIp { interface, public_key, net } => {
            (net.to_string(), "lets a peer use it", format!("{interface}, peer {public_key}"))
        }
    };
    let id = carrier.agent_id.as_str();
    Line {
        prefix,
        href: format!("/agents/{}", encode(id)),
        host: carrier.hostname.clone().unwrap_or_else(|| id.to_owned()),
        fleet: carrier.fleet_id.to_string(),
        how,
        by,
    }
}

/// The page: the forms, and below each what was found. `ways` are there and back, `carriers` is
/// `None` where nobody asked.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    asked: &Asked,
    ways: &[Journey],
    carriers: Option<&[Carrier]>,
) -> Result<String, askama::Error> {
    let page = PathsPage {
        ctx,
        asked,
        ways: ways.iter().zip([false, true]).map(|(journey, back)| way(journey, back)).collect(),
        carriers: carriers.map(|all| all.iter().map(line).collect()),
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;
    use crate::views::samples::ways::{carriers, journey};

    #[test]
    fn a_way_tells_each_hop_by_what() {
        let asked = Asked { from: "hel-gw1".into(), to: "10.8.0.2".into(), ..Asked::default() };
        let ctx = context("Paths", Nav::Paths);
        let html = page(&ctx, &asked, &[journey(), journey()], None).expect("rendered");
        let route =
            "route 10.8.0.0/24 dev wg0; wg0, to the peer whose allowed IPs have 10.8.0.2/32";
        assert_eq!(html.matches(route).count(), 2);
        assert!(html.contains("From hel-gw1 to 10.8.0.2"));
        assert!(html.contains("The answer, from hel-gw1 to 10.8.0.2"));
        assert!(html.contains("oul-gw2 drops it."), "{html}");
        assert!(!html.contains("Nobody"));
    }

    #[test]
    fn carriers_are_a_table_and_none_is_said() {
        let asked = Asked { net: "10.8.0.0/24".into(), ..Asked::default() };
        let ctx = context("Paths", Nav::Paths);
        let html = page(&ctx, &asked, &[], Some(&carriers())).expect("rendered");
        assert!(html.contains("routes it") && html.contains("default via 10.8.0.9"));
        let html = page(&ctx, &asked, &[], Some(&[])).expect("rendered");
        assert!(html.contains("Nobody reports"), "{html}");
    }
}
