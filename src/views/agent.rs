//! `/agents/{id}`: everything one agent reports, and what the manager makes of it.

use askama::Template;

use crate::model::id::AgentId;
use crate::model::report::{Interface, LinkState, Peer, Problem, Route};
use crate::model::state::{AgentStatus, IdentityState};
use crate::model::time::UnixSeconds;
use crate::model::window::Window;
use crate::store::change::AgentRecord;
use crate::store::identity::IdentityRecord;
use crate::store::row::{AgentDetail, AlarmRow, ReportSummary};
use crate::store::site::SiteSet;
use crate::topology::picture::Picture;

use super::alarms::AlarmItem;
use super::curves::Html;
use super::list::Head;
use super::maintenance;
use super::page::PageContext;
use super::path::Way;
use super::reports::{RefusalItem, Refused, ReportItem};
use super::text::{Chip, Moment, bytes, encode, offset, span};

/// One interface in words.
struct InterfaceRow {
    name: String,
    state: Chip,
    addresses: String,
    mtu: String,
    traffic: String,
    trouble: String,
    key: Option<String>,
}

impl InterfaceRow {
    fn new(interface: &Interface) -> Self {
        let c = &interface.counters;
        let count = |value: Option<u64>, word: &str| {
            value.filter(|count| *count > 0).map(|count| format!("{count} {word}"))
        };
        let trouble: Vec<String> = [
            count(c.rx_errors, "receive errors"),
            count(c.tx_errors, "send errors"),
            count(c.rx_dropped, "dropped on receipt"),
            count(c.tx_dropped, "dropped before sending"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        Self {
            name: interface.name.clone(),
            state: match (interface.is_up(), interface.state) {
                (Some(true), _) => Chip::plain("up", "Up"),
                (Some(false), _) => Chip::plain("down", "Down"),
                (None, LinkState::Up | LinkState::Down | LinkState::Unknown) => {
                    Chip::plain("stale", "Not told")
                }
            },
            addresses: addresses.join(", "),
            mtu: interface.mtu.map_or_else(|| "—".to_owned(), |mtu| mtu.to_string()),
            traffic: match (c.tx_bytes, c.rx_bytes) {
                (Some(tx), Some(rx)) => format!("{} out, {} in", bytes(tx), bytes(rx)),
                _ => "—".to_owned(),
            },
            trouble: trouble.join(", "),
            key: interface.public_key.map(|key| key.to_string()),
        }
    }
}

/// One peer in words, with the link it is an end of.
struct PeerRow {
    href: String,
    other: String,
    chip: Option<Chip>,
    interface: String,
    endpoint: String,
    allowed: String,
    handshake: String,
    traffic: String,
    keepalive: String,
}

impl PeerRow {
    fn new(agent: &AgentRecord, picture: &Picture, peer: &Peer, edge_id: &str) -> Self {
        let edge = picture.edges.iter().find(|edge| edge.id == edge_id);
        let own = format!("a:{}", agent.id);
        let other = edge.map(|edge| if edge.source == own { &edge.target } else { &edge.source });
        let label = other
            .and_then(|id| picture.nodes.iter().find(|node| node.id == *id))
            .map_or_else(|| peer.public_key.short(), |node| node.label.clone());
        let allowed: Vec<String> = peer.allowed_ips.iter().map(ToString::to_string).collect();
        Self {
            href: format!("/links/{}", encode(edge_id)),
            other: label,
            chip: edge.map(|edge| Chip::edge(edge.state)),
            interface: peer.interface.clone(),
            endpoint: peer.endpoint.clone().unwrap_or_else(|| "—".to_owned()),
            allowed: allowed.join(", "),
            handshake: handshake(agent, peer.latest_handshake),
            traffic: format!("{} out, {} in", bytes(peer.tx_bytes), bytes(peer.rx_bytes)),
            keepalive: match peer.persistent_keepalive {
                0 => "off".to_owned(),
                seconds => format!("{seconds} s"),
            },
        }
    }
}

/// How old a handshake was when the agent last reported, on the agent's own clock.
fn handshake(agent: &AgentRecord, at: UnixSeconds) -> String {
    match (at.0, agent.last_seen_at) {
        (0, _) => "never".to_owned(),
        (_, Some(seen)) => {
            format!("{} before the report", span(seen.plus(agent.clock_offset).since(at)))
        }
        (_, None) => at.to_rfc3339(),
    }
}

struct RouteRow<'a> {
    route: &'a Route,
    gateway: String,
    dev: &'a str,
    protocol: &'a str,
}

impl<'a> RouteRow<'a> {
    fn new(route: &'a Route) -> Self {
        Self {
            route,
            gateway: route.gateway.map_or_else(|| "—".to_owned(), |ip| ip.to_string()),
            dev: route.dev.as_deref().unwrap_or("—"),
            protocol: route.protocol.as_deref().unwrap_or("—"),
        }
    }
}

#[derive(Template)]
#[template(path = "agent.html")]
struct AgentPage<'a> {
    ctx: &'a PageContext,
    agent: &'a AgentRecord,
    label: &'a str,
    id: String,
    map_href: String,
    chip: Chip,
    sentence: String,
    facts: Vec<(&'static str, String)>,
    seen: Option<Moment>,
    /// When it was last heard, if it is down.
    silent: Option<UnixSeconds>,
    registered: Moment,
    pending: bool,
    out: bool,
    waiting_kid: Option<String>,
    interfaces: Vec<InterfaceRow>,
    peers: Vec<PeerRow>,
    routes: Vec<RouteRow<'a>>,
    routes_left_out: usize,
    way: &'static str,
    /// Each relay's name and page, and how long after the signature before it signed.
    hops: Vec<((String, String), Option<String>)>,
    /// How long after the last signature the report was received.
    arrived: Option<String>,
    proof: &'static str,
    passes_on: Vec<(String, String)>,
    passes_on_left_out: usize,
    problems: &'a [Problem],
    alarms: Vec<AlarmItem>,
    bulk: bool,
    heads: Vec<Head>,
    maintenance: Option<(Moment, &'a Window)>,
    times: &'static [(i64, &'static str)],
    when: Option<Head>,
    reports: Vec<ReportItem>,
    refused: Vec<Refused<'a>>,
    refused_heads: Vec<Head>,
    curves: &'a Html,
}

/// Routes on the page; full tables of routers would drown everything else.
const ROUTES: usize = 200;

/// Agents named whose reports it passes on.
const FOLLOWERS: usize = 100;

fn sentence(ctx: &PageContext, agent: &AgentRecord) -> String {
    let ago = |at: UnixSeconds| span(ctx.now.since(at));
    match (agent.status, agent.last_seen_at) {
        (AgentStatus::Pending, _) => {
            "It waits for an admin to approve it; its reports are refused until then.".to_owned()
        }
        (AgentStatus::Retired, _) => "An admin took it out of service.".to_owned(),
        (_, None) => "It has announced itself but not reported yet.".to_owned(),
        (AgentStatus::Online, Some(seen)) => format!("Its last report came {} ago.", ago(seen)),
        (AgentStatus::Stale, Some(seen)) => {
            format!("Its last report came {} ago; more than three have been missed.", ago(seen))
        }
        (AgentStatus::Offline, Some(seen)) => {
            format!("It has not reported for {}; what is below is how it was then.", ago(seen))
        }
    }
}

fn facts(ctx: &PageContext, agent: &AgentRecord) -> Vec<(&'static str, String)> {
    let label = |name: &str| agent.labels.get(name).cloned();
    let others: Vec<String> = agent
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "site" | "role"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let load = agent.load.map(|load| load.map(|value| format!("{value:.2}")).join(", "));
    let kid = |(scheme, kid): (_, &crate::model::id::Kid)| format!("{scheme}, key {kid}");
    [
        ("In this state for", Some(span(ctx.now.since(agent.status_since)))),
        ("Fleet", Some(agent.fleet.to_string())),
        ("Site", site_of(ctx, agent)),
        ("Role", label("role")),
        ("Labels", (!others.is_empty()).then(|| others.join(", "))),
        ("Agent version", agent.agent_version.clone()),
        ("Reports from", agent.source.map(|ip| ip.to_string())),
        ("Signed with", agent.scheme.zip(agent.kid.as_ref()).map(kid)),
        ("Clock offset", Some(offset(agent.clock_offset))),
        ("Host up for", agent.uptime_seconds.map(|s| span(i64::try_from(s).unwrap_or(i64::MAX)))),
        ("Load", load),
        ("Boot id", agent.boot_id.clone()),
        ("Last tick", agent.last_tick.map(|tick| tick.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name, value)))
    .collect()
}

/// Its site, and whose word that is.
fn site_of(ctx: &PageContext, agent: &AgentRecord) -> Option<String> {
    let Some(SiteSet { site, by, at, told }) = &agent.site_set else {
        return agent.labels.get("site").cloned();
    };
    let told = told.as_ref().map_or_else(|| "no site".to_owned(), |told| format!("{told:?}"));
    let ago = span(ctx.now.since(*at));
    Some(format!("{site}: set by {by} {ago} ago, and wins over its host, which says {told}"))
}

/// The key of its own that is in force or waits.
fn own_key(ctx: &PageContext, keys: &[IdentityRecord]) -> Option<(&'static str, String)> {
    let shown =
        |key: &&IdentityRecord| matches!(key.state, IdentityState::Pinned | IdentityState::Pending);
    let key = keys.iter().rev().find(shown)?;
    let since = span(ctx.now.since(key.pinned_at.unwrap_or(key.registered_at)));
    let state = match (key.state, key.revoked_at) {
        (IdentityState::Pending, _) => "waits for an admin",
        (_, Some(_)) => "revoked",
        (_, None) => "pinned",
    };
    Some(("Own key", format!("{} ({}), {state}, {since} ago", key.kid, key.how)))
}

/// What the page is made of beside what the agent reports.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Names the other ends of its links.
    pub picture: &'a Picture,
    /// Seconds from each signature of its last report to the next; empty if it came straight.
    pub delays: &'a [i64],
    /// Agents whose last report came through it.
    pub relays_for: &'a [AgentId],
    /// Its alarms, newest first.
    pub alarms: &'a [AlarmRow],
    /// Its reports, newest first.
    pub reports: &'a [ReportSummary],
    /// What was refused lately that claimed to be from it, newest first.
    pub refused: &'a [RefusalItem],
    /// All maintenance windows.
    pub windows: &'a [Window],
    /// Its counters over time.
    pub curves: &'a Html,
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    detail: &AgentDetail,
    around: &Around<'_>,
) -> Result<String, askama::Error> {
    let agent = &detail.agent;
    let Around { picture, delays, relays_for, alarms, reports, refused, windows, curves } = *around;
    let covering = maintenance::covering(windows, agent, ctx.now);
    let Way { relays: hops, proof } = Way::new(&ctx.names, &agent.relay_path);
    let waiting = detail.identities.iter().find(|key| key.state == IdentityState::Pending);
    let peers = detail.peers.iter().map(|(p, e)| PeerRow::new(agent, picture, p, e.as_str()));
    let page = AgentPage {
        ctx,
        agent,
        label: agent.hostname.as_deref().unwrap_or_else(|| agent.id.as_str()),
        id: encode(agent.id.as_str()),
        map_href: map_href(&agent.id),
        chip: Chip::agent(agent.status),
        sentence: sentence(ctx, agent),
        facts: facts(ctx, agent).into_iter().chain(own_key(ctx, &detail.identities)).collect(),
        seen: agent.last_seen_at.map(|at| Moment::ago(at, ctx.now)),
        silent: agent.last_seen_at.filter(|_| agent.status == AgentStatus::Offline),
        registered: Moment::ago(agent.registered_at, ctx.now),
        pending: agent.status == AgentStatus::Pending || waiting.is_some(),
        out: agent.status == AgentStatus::Retired,
        waiting_kid: waiting.map(|key| key.kid.to_string()),
        interfaces: detail.interfaces.iter().map(InterfaceRow::new).collect(),
        peers: peers.collect(),
        routes: detail.routes.iter().take(ROUTES).map(RouteRow::new).collect(),
        routes_left_out: detail.routes.len().saturating_sub(ROUTES),
        way: Way::sentence(&agent.relay_path),
        hops: hops
            .into_iter()
            .enumerate()
            .map(|(at, relay)| (relay, delays.get(at).map(|s| lasted(*s))))
            .collect(),
        arrived: delays.last().map(|s| lasted(*s)),
        proof,
        passes_on: relays_for.iter().take(FOLLOWERS).map(|id| ctx.names.link(id)).collect(),
        passes_on_left_out: relays_for.len().saturating_sub(FOLLOWERS),
        problems: &agent.problems,
        alarms: alarms.iter().map(|row| AlarmItem::new(ctx, row)).collect(),
        bulk: false,
        heads: Vec::new(),
        maintenance: covering.map(|(until, window)| (Moment::ago(until, ctx.now), window)),
        times: &maintenance::TIMES,
        when: None,
        reports: reports.iter().map(|row| ReportItem::new(ctx, row)).collect(),
        refused: refused.iter().map(|item| Refused::new(ctx, item)).collect(),
        refused_heads: Refused::heads(),
        curves,
    };
    page.render()
}

/// Seconds between two clocks.
fn lasted(seconds: i64) -> String {
    if seconds < 0 { format!("\u{2212}{}", span(-seconds)) } else { span(seconds) }
}

fn map_href(id: &AgentId) -> String {
    format!("/map?sel={}", encode(&format!("node~a:{id}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::alarms::{alarms, windows};
    use crate::views::samples::{agent, context, picture, reports};

    #[test]
    fn the_page_says_why_and_shows_every_section() {
        let ctx = context("oul-gw2", Nav::Agents);
        let relays_for = ["tre-gw1".parse().expect("an agent")];
        let (picture, alarms, reports) = (picture(), alarms(), reports());
        let around = Around {
            picture: &picture,
            delays: &[],
            relays_for: &relays_for,
            alarms: &alarms,
            reports: &reports,
            refused: &[],
            windows: &windows(),
            curves: &Html::default(),
        };
        let html = page(&ctx, &agent(), &around).expect("rendered");
        for wanted in [
            "It has not reported for 2 h",
            "wg1",
            "10.200.0.7/24",
            "hel-gw1",
            "wg_peers[3].public_key",
            "its own claim",
            "<td>1</td><td><a href=\"/agents/oul-relay1\">oul-relay1</a></td><td>claimed</td><td>not told</td>",
            "<a href=\"/agents/tre-gw1\">tre-gw1</a>",
            "Forbid oul-gw2 to relay",
            "/links/00000000000000b2",
            "10 min before the report",
            "action=\"/agents/oul-gw2/reset\"",
            "Nobody is told of its alarms; that ends",
            "new disks",
            "What it cut off",
            "/changes?to=",
        ] {
            assert!(html.contains(wanted), "{wanted}");
        }
    }
}
