//! `/paths`: the way of a packet hop by hop, there and back, who carries a prefix, and which networks
//! there are.

use std::collections::{BTreeMap, HashMap};

use askama::Template;

use crate::store::carrier::{Carrier, Carries};
use crate::topology::leads::Led;
use crate::topology::path::host::route_text;
use crate::topology::path::{Hop, Journey, Outcome};

use super::list::{Column, Head, ListQuery};
use super::ordered::{Key, Table};
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
    carriers: Option<Table<Line>>,
    carriers_api: String,
    networks: Option<Vec<NetworkLine>>,
    network_heads: Vec<Head>,
    left_out: usize,
    first: Option<String>,
    next: Option<String>,
}

/// One line of the table of networks.
struct NetworkLine {
    prefix: String,
    ask: String,
    fleet: String,
    known: &'static str,
    /// Addresses of pages (none for a peer without an agent), names, and by what.
    to: Vec<(Option<String>, String, &'static str)>,
}

/// A page of networks.
#[derive(Debug, Clone, Copy)]
pub struct Networks<'a> {
    /// They.
    pub all: &'a [Led],
    /// What they are sorted by, as the address says it.
    pub sort: &'a str,
    /// How many come after them.
    pub left_out: usize,
    /// Whether others came before them.
    pub goes_on: bool,
    /// What to ask for to have those that come after.
    pub next: Option<&'a str>,
}

/// What was found for each question; `None` where nobody asked.
#[derive(Debug, Default)]
pub struct Answers<'a> {
    /// There and back.
    pub ways: &'a [Journey],
    /// Who carries the prefix.
    pub carriers: Option<&'a [Carrier]>,
    /// The networks.
    pub networks: Option<Networks<'a>>,
    /// The names of nodes by their ids.
    pub names: HashMap<&'a str, &'a str>,
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

/// Of so many nodes that a network is sent to each is named.
const NAMED: usize = 8;

fn network_line(led: &Led, names: &HashMap<&str, &str>) -> NetworkLine {
    let mut ids: BTreeMap<&str, &'static str> = BTreeMap::new();
    ids.extend(led.by_routes.iter().map(|id| (id.as_str(), "by routes")));
    for id in &led.by_allowed_ips {
        let both = ids.contains_key(id.as_str());
        ids.insert(id, if both { "by routes and allowed IPs" } else { "by allowed IPs" });
    }
    let more = ids.len().saturating_sub(NAMED);
    let mut to: Vec<_> = ids
        .into_iter()
        .take(NAMED)
        .map(|(id, how)| {
            let page = id.strip_prefix("a:").map(|agent| format!("/agents/{}", encode(agent)));
            (page, names.get(id).map_or(id, |name| name).to_owned(), how)
        })
        .collect();
    if more > 0 {
        to.push((None, format!("{more} more"), ""));
    }
    let prefix = led.prefix.to_string();
    NetworkLine {
        ask: format!("/paths?net={}", encode(&prefix)),
        prefix,
        fleet: led.fleet_id.to_string(),
        known: if led.inside {
            "a host has an address in it"
        } else {
            "by routes and allowed IPs only"
        },
        to,
    }
}

const CARRIERS: [Column; 5] = [
    ("prefix", "Prefix", ""),
    ("host", "Host", ""),
    ("fleet", "Fleet", "optional"),
    ("how", "How", ""),
    ("by", "By", ""),
];

fn carrier_table(ctx: &PageContext, asked: &Asked, all: &[Carrier]) -> Table<Line> {
    let path = format!("/paths?net={}", encode(&asked.net));
    let rows = all.iter().map(line).collect();
    let id = |line: &Line| format!("{} {} {} {}", line.href, line.prefix, line.how, line.by);
    let key = |by: &str, line: &Line| {
        Key::from(match by {
            "host" => line.host.as_str(),
            "fleet" => line.fleet.as_str(),
            "how" => line.how,
            "by" => line.by.as_str(),
            _ => line.prefix.as_str(),
        })
    };
    ctx.orders.table(("", &path), &CARRIERS, rows, (id, key))
}

const NETWORKS: [Column; 4] = [
    ("prefix", "Prefix", ""),
    ("fleet", "Fleet", "optional"),
    ("known", "Known", ""),
    ("", "Sent to", ""),
];

/// The heads of the table of networks; they lead to the table, which stands below all forms.
fn network_heads(networks: Networks<'_>) -> Vec<Head> {
    let order = ListQuery { sort: networks.sort.to_owned(), ..ListQuery::default() };
    let mut heads = order.heads("/paths?networks=1", &NETWORKS);
    for href in heads.iter_mut().filter_map(|head| head.href.as_mut()) {
        href.push_str("#networks");
    }
    heads
}

impl Networks<'_> {
    /// The page after one of them in the same order, or the first one.
    fn address(&self, after: Option<&str>) -> String {
        let part = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!("&{name}={}", encode(value)),
        };
        let (sort, after) = (part("sort", self.sort), part("after", after.unwrap_or_default()));
        format!("/paths?networks=1{sort}{after}#networks")
    }
}

/// The page: the forms, and below each what was found.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    asked: &Asked,
    answers: &Answers<'_>,
) -> Result<String, askama::Error> {
    let Answers { ways, carriers, networks, names } = answers;
    let line_of = |led| network_line(led, names);
    let page = PathsPage {
        ctx,
        asked,
        ways: ways.iter().zip([false, true]).map(|(journey, back)| way(journey, back)).collect(),
        carriers: carriers.map(|all| carrier_table(ctx, asked, all)),
        carriers_api: format!("/api/v1/carriers?net={}&limit=1000", encode(&asked.net)),
        networks: networks.map(|of| of.all.iter().map(line_of).collect()),
        network_heads: networks.map(network_heads).unwrap_or_default(),
        left_out: networks.map_or(0, |of| of.left_out),
        first: networks.filter(|of| of.goes_on).map(|of| of.address(None)),
        next: networks.and_then(|of| of.next.map(|after| of.address(Some(after)))),
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;
    use crate::views::samples::ways::{carriers, journey, networks};

    #[test]
    fn a_way_tells_each_hop_by_what() {
        let asked = Asked { from: "hel-gw1".into(), to: "10.8.0.2".into(), ..Asked::default() };
        let ctx = context("Paths", Nav::Paths);
        let ways = [journey(), journey()];
        let answers = Answers { ways: &ways, ..Answers::default() };
        let html = page(&ctx, &asked, &answers).expect("rendered");
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
        let found = carriers();
        let answers = Answers { carriers: Some(&found), ..Answers::default() };
        let html = page(&ctx, &asked, &answers).expect("rendered");
        assert!(html.contains("routes it") && html.contains("default via 10.8.0.9"));
        let answers = Answers { carriers: Some(&[]), ..Answers::default() };
        let html = page(&ctx, &asked, &answers).expect("rendered");
        assert!(html.contains("Nobody reports"), "{html}");
    }

    #[test]
    fn networks_are_a_table_that_says_how_each_is_known() {
        let ctx = context("Paths", Nav::Paths);
        let all = networks();
        let names = HashMap::from([("a:hel-gw1", "Helsinki")]);
        let answers = Answers {
            networks: Some(Networks {
                all: &all,
                sort: "-fleet",
                left_out: 7,
                goes_on: true,
                next: Some("routes~lab~10.0.0.0/8"),
            }),
            names,
            ..Answers::default()
        };
        let html = page(&ctx, &Asked::default(), &answers).expect("rendered");
        for words in [
            "2 shown, 7 more follow",
            "rel=\"next\" href=\"/paths?networks=1&#38;sort=-fleet&#38;after=routes~lab~10.0.0.0%2F8#networks\"",
            "aria-sort=\"descending\"><a href=\"/paths?networks=1&#38;sort=fleet#networks\">Fleet</a>",
            "href=\"/paths?networks=1&#38;sort=-fleet#networks\">First page</a>",
            "First page",
            "<td>by routes and allowed IPs only</td>",
            "<td>a host has an address in it</td>",
            "<a href=\"/agents/hel-gw1\">Helsinki</a> <span class=\"muted\">by routes and allowed IPs</span>",
            "href=\"/paths?net=10.1.0.0%2F16\"",
            "1 more",
            "Nobody: no peer may use it",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let answers = Answers {
            networks: Some(Networks {
                all: &[],
                sort: "",
                left_out: 0,
                goes_on: false,
                next: None,
            }),
            ..Answers::default()
        };
        let html = page(&ctx, &Asked::default(), &answers).expect("rendered");
        assert!(html.contains("No host reports a route"), "{html}");
    }
}
