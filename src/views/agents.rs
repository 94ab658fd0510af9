//! `/agents`: every agent in one table, worst first. The map's equal for who cannot see one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use askama::Template;

use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EdgeState, Scheme};
use crate::model::time::UnixSeconds;
use crate::topology::picture::Picture;

use super::list::{Column, Head, Hits, ListQuery, Page};
use super::ordered::Table;
use super::page::PageContext;
use super::path::Way;
use super::text::{Chip, Moment, encode, offset, plural};
use super::waiting::{WaitingItem, WaitingRow};

/// What the table says of one agent.
#[derive(Debug, Clone)]
pub struct AgentListItem {
    /// Its id.
    pub id: String,
    /// Its host name, else its id.
    pub label: String,
    /// Its fleet.
    pub fleet: String,
    /// Its site.
    pub site: String,
    /// `agent`, `gateway` or `relay`.
    pub role: String,
    /// How the manager sees it.
    pub status: AgentStatus,
    /// Its first WireGuard address.
    pub address: String,
    /// When its last report was received.
    pub last_seen_at: Option<UnixSeconds>,
    /// Its links.
    pub links: usize,
    /// Those of them that are down.
    pub links_down: usize,
    /// Active alarms about it.
    pub alarms: u32,
    /// Its program's version, if known.
    pub version: Option<String>,
    /// How its last report was signed, if known.
    pub scheme: Option<Scheme>,
    /// How many seconds its clock was ahead of the manager's at its last report, if known.
    pub clock_offset: Option<i64>,
    /// The way its last report took.
    pub relay_path: RelayPath,
    /// Whether a maintenance window covers it.
    pub maintenance: bool,
}

impl AgentListItem {
    /// The agents of a picture. What pictures do not tell stays empty (version, scheme, clock), and
    /// `last_seen_at` is as old as the node's last change: whoever knows better sets them.
    pub fn from_picture(picture: &Picture) -> Vec<Self> {
        let sites: BTreeMap<&str, &str> =
            picture.sites.iter().map(|site| (site.id.as_str(), site.label.as_str())).collect();
        let mut links: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for edge in &picture.edges {
            for node in [&edge.source, &edge.target] {
                let (all, down) = links.entry(node).or_default();
                *all += 1;
                *down += usize::from(edge.state == EdgeState::Down);
            }
        }
        let item = |node: &crate::topology::picture::Node| {
            let (all, down) = links.get(node.id.as_str()).copied().unwrap_or_default();
            Some(Self {
                id: node.agent_id.as_ref()?.to_string(),
                label: node.label.clone(),
                fleet: node.fleet_id.to_string(),
                site: (*sites.get(node.site.as_str()).unwrap_or(&node.site.as_str())).to_owned(),
                role: node.role.clone(),
                status: node.status?,
                address: node.addresses.first().cloned().unwrap_or_default(),
                last_seen_at: node.seen_at,
                links: all,
                links_down: down,
                alarms: node.alarms,
                version: None,
                scheme: None,
                clock_offset: None,
                relay_path: node.relay_path.clone(),
                maintenance: node.maintenance_until.is_some(),
            })
        };
        picture.nodes.iter().filter_map(item).collect()
    }

    /// 0 for the worst.
    const fn rank(&self) -> u8 {
        match self.status {
            AgentStatus::Offline => 0,
            AgentStatus::Stale => 1,
            AgentStatus::Pending => 2,
            AgentStatus::Online => 3,
            AgentStatus::Retired => 4,
        }
    }

    /// The table's own order.
    pub(super) fn worst_first(&self, other: &Self) -> Ordering {
        Self::compare("", self, other)
    }

    fn compare(by: &str, a: &Self, b: &Self) -> Ordering {
        match by {
            "agent" => a.label.cmp(&b.label),
            "site" => a.site.cmp(&b.site).then_with(|| a.label.cmp(&b.label)),
            "fleet" => a.fleet.cmp(&b.fleet).then_with(|| a.label.cmp(&b.label)),
            "address" => a.address.cmp(&b.address),
            "seen" => b.last_seen_at.cmp(&a.last_seen_at),
            "links" => a.links.cmp(&b.links),
            "path" => {
                let relays = |item: &Self| item.relay_path.relays().len();
                relays(b).cmp(&relays(a)).then_with(|| a.label.cmp(&b.label))
            }
            "version" => a.version.cmp(&b.version),
            "clock" => {
                let off = |item: &Self| item.clock_offset.map_or(0, i64::saturating_abs);
                off(b).cmp(&off(a)).then_with(|| a.label.cmp(&b.label))
            }
            _ => a
                .rank()
                .cmp(&b.rank())
                .then_with(|| b.links_down.cmp(&a.links_down))
                .then_with(|| b.alarms.cmp(&a.alarms))
                .then_with(|| a.label.cmp(&b.label)),
        }
    }
}

/// What came of acknowledging the alarms of chosen agents, as a sentence: how many alarms, of how many
/// agents, and whether more are left.
pub fn acknowledged((alarms, agents, more): (usize, usize, bool)) -> String {
    let of = plural(agents, "agent");
    let done = match alarms {
        0 => format!("No alarm of {of} was left to acknowledge."),
        count => format!("Acknowledged {} of {of}.", plural(count, "alarm")),
    };
    if more { format!("{done} There are more: choose them again.") } else { done }
}

struct Row {
    href: String,
    map_href: String,
    chip: Chip,
    seen: Option<Moment>,
    clock: Option<String>,
    way: Way,
    item: AgentListItem,
}

/// The map with an agent selected, of the time that the list shows.
fn map_href(item: &AgentListItem, query: &ListQuery) -> String {
    let at = query.at.map(|at| format!("&at={at}")).unwrap_or_default();
    format!("/map?sel={}{at}", encode(&format!("node~a:{}", item.id)))
}

#[derive(Template)]
#[template(path = "agents.html")]
struct AgentsPage<'a> {
    ctx: &'a PageContext,
    query: &'a ListQuery,
    hits: &'a Hits<'a>,
    heads: Vec<Head>,
    page: Page<Row>,
    summary: String,
    waiting: Table<WaitingRow>,
    /// Whether agents can be chosen.
    may: bool,
    /// Alarms of the agents on this page.
    bulk: u32,
}

/// The page. `agents` are all agents, in any order; `query` says how to show them and `hits` which;
/// `waiting` is what waits for an admin, oldest first.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    agents: &[AgentListItem],
    waiting: &[WaitingItem],
    (query, hits): (&ListQuery, &Hits<'_>),
) -> Result<String, askama::Error> {
    let columns = [
        ("state", "State", ""),
        ("agent", "Agent", ""),
        ("site", "Site", "optional"),
        ("fleet", "Fleet", "optional"),
        ("address", "Address", "optional"),
        ("seen", "Last report", ""),
        ("links", "Links", "number optional"),
        ("path", "Report path", "optional"),
        ("version", "Version", "optional"),
        ("clock", "Clock", "optional"),
    ];
    // Maps of the past do not tell these.
    let untold = ["address", "seen", "version", "clock"];
    let columns: Vec<Column> = columns
        .into_iter()
        .filter(|(name, ..)| query.at.is_none() || !untold.contains(name))
        .collect();
    let count = |status| agents.iter().filter(|agent| agent.status == status).count();
    let rows: Vec<Row> = agents
        .iter()
        .filter(|agent| hits.has(&format!("a:{}", agent.id)))
        .map(|item| Row {
            href: format!("/agents/{}{}", encode(&item.id), ctx.at()),
            map_href: map_href(item, query),
            chip: Chip::agent(item.status),
            seen: item.last_seen_at.map(|at| Moment::ago(at, ctx.now)),
            clock: item.clock_offset.map(offset),
            way: Way::new(&ctx.names, &item.relay_path),
            item: item.clone(),
        })
        .collect();
    let page = query.page(
        "/agents",
        rows,
        |row| row.item.id.clone(),
        |by, a, b| AgentListItem::compare(by, &a.item, &b.item),
    );
    let may = ctx.can_act() && query.at.is_none();
    let page = AgentsPage {
        ctx,
        query,
        hits,
        heads: query.heads("/agents", &columns),
        summary: format!(
            "{}: {} reporting, {} late, {} down.",
            plural(agents.len(), "agent"),
            count(AgentStatus::Online),
            count(AgentStatus::Stale),
            count(AgentStatus::Offline)
        ),
        waiting: WaitingRow::table(ctx, waiting),
        may,
        bulk: page.rows.iter().map(|row| row.item.alarms).sum(),
        page,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::query::find::Known;
    use crate::views::page::Nav;
    use crate::views::samples::{context, picture, waiting};

    fn html(query: &ListQuery) -> String {
        let picture = picture();
        let agents = AgentListItem::from_picture(&picture);
        let ctx = context("Agents", Nav::Agents);
        let hits = Hits::of(&picture, &query.q, ctx.now, |_| Known::default());
        page(&ctx, &agents, &waiting(), (query, &hits)).expect("rendered")
    }

    #[test]
    fn what_waits_is_shown_with_its_fingerprint_and_both_buttons() {
        let html = html(&ListQuery::default());
        for wanted in [
            "Waiting for approval (2)",
            "56475aa75463474c0285df5dbf2bcab7",
            "action=\"/agents/new-gw/approve\"",
            "action=\"/agents/new-gw/refuse\"",
            "name=\"kid\" value=\"56475aa75463474c\"",
            "not made of its key",
            "no key of its own",
        ] {
            assert!(html.contains(wanted), "{wanted}");
        }
        let nobody = page(
            &context("Agents", Nav::Agents),
            &AgentListItem::from_picture(&picture()),
            &[],
            (&ListQuery::default(), &Hits::default()),
        );
        assert!(!nobody.expect("rendered").contains("Waiting for approval"));
    }

    #[test]
    fn the_worst_comes_first_and_peers_without_agent_are_not_listed() {
        let html = html(&ListQuery::default());
        let down = html.find("oul-gw2").expect("the dead gateway");
        assert!(down < html.find("hel-gw1").expect("the healthy one"));
        assert!(!html.contains("phone"));
        assert!(html.contains("3 agents: 1 reporting, 1 late, 1 down."));
    }

    #[test]
    fn the_filter_and_the_order_come_from_the_address() {
        let filtered = html(&ListQuery { q: "OUL".into(), ..ListQuery::default() });
        assert!(filtered.contains("oul-gw2") && !filtered.contains("hel-gw1"));
        let wrong = html(&ListQuery { q: "stat:down".into(), ..ListQuery::default() });
        assert!(wrong.contains("There is no field `stat`") && wrong.contains("hel-gw1"));
        let sorted = html(&ListQuery { sort: "agent".into(), ..ListQuery::default() });
        assert!(sorted.contains("aria-sort=\"ascending\""));
        assert!(sorted.find("hel-gw1") < sorted.find("oul-gw2"));
    }

    #[test]
    fn what_a_host_says_is_text() {
        let mut agents = AgentListItem::from_picture(&picture());
        agents[0].label = "<script>alert(1)</script>".into();
        let all = (&ListQuery::default(), &Hits::default());
        let html = page(&context("Agents", Nav::Agents), &agents, &[], all).expect("rendered");
        assert!(!html.contains("<script>alert") && html.contains("script&#62;alert(1)"));
    }
}
