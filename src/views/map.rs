//! `/map`: the map's page. The picture itself is fetched by the page; what is rendered here is
//! its frame, the first steps of a newcomer, and a list for readers without JavaScript.

use askama::Template;

use crate::model::time::UnixSeconds;
use crate::topology::picture::{Picture, Site};

use super::agents::AgentListItem;
use super::drawing::xml::Tenth;
use super::page::PageContext;
use super::text::{Chip, encode, plural};

/// What a newcomer needs to send a first report, and since when there is a manager to take it.
#[derive(Debug, Clone)]
pub struct GettingStarted {
    /// This manager's address as agents reach it, such as `http://192.0.2.1:5086`.
    pub manager_url: String,
    /// The name whose TXT record holds the key, if keys come from DNS.
    pub txt_name: Option<String>,
    /// Where keys come from, in words.
    pub key_source: String,
    /// How many keys are known.
    pub keys: usize,
    /// When and why the last report was refused, in words.
    pub last_refused: Option<String>,
    /// Since when this manager runs.
    pub started_at: UnixSeconds,
}

struct Row {
    href: String,
    chip: Chip,
    item: AgentListItem,
}

#[derive(Template)]
#[template(path = "map.html")]
struct MapPage<'a> {
    ctx: &'a PageContext,
    skeleton: Option<Skeleton>,
    start: &'a GettingStarted,
    empty: bool,
    agents: String,
    summary: String,
    rows: Vec<Row>,
}

/// The circles of sites where the map will have them, for the time until it is drawn.
#[derive(Debug)]
struct Skeleton {
    /// Left, top, width and height of what is shown, in units of the map.
    view: [Tenth; 4],
    /// Middle and radius of each, the largest first.
    circles: Vec<[Tenth; 3]>,
}

/// So many circles are sent at most: enough to tell where one is.
const MOST_CIRCLES: usize = 400;

/// What is shown is at least so many radii of the largest site wide: one site alone fills no stage.
const WIDEST: f64 = 3.0;

impl Skeleton {
    fn of(picture: &Picture) -> Option<Self> {
        let mut sites: Vec<&Site> = picture.sites.iter().filter(|site| site.r > 0.0).collect();
        sites.sort_by(|a, b| b.r.total_cmp(&a.r));
        let widest = sites.first()?.r;
        let edge = |side: fn(&Site) -> f64| sites.iter().map(move |site| side(site));
        let [x0, y0] =
            [edge(|s| s.x - s.r), edge(|s| s.y - s.r)].map(|all| all.fold(f64::MAX, f64::min));
        let [x1, y1] =
            [edge(|s| s.x + s.r), edge(|s| s.y + s.r)].map(|all| all.fold(f64::MIN, f64::max));
        let [w, h] = [x1 - x0, y1 - y0].map(|side| side.max(WIDEST * widest));
        let view = [(x0 + x1 - w) / 2.0, (y0 + y1 - h) / 2.0, w, h].map(Tenth);
        let circles =
            sites.iter().take(MOST_CIRCLES).map(|site| [site.x, site.y, site.r].map(Tenth));
        Some(Self { view, circles: circles.collect() })
    }
}

/// Rows of the list for readers without JavaScript; the tables have them all.
const FALLBACK_ROWS: usize = 50;

/// The page over `picture`.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    picture: &Picture,
    start: &GettingStarted,
) -> Result<String, askama::Error> {
    let mut agents = AgentListItem::from_picture(picture);
    agents.sort_by(AgentListItem::worst_first);
    let count = plural(agents.len(), "agent");
    let summary = format!(
        "{count}, {}, {}",
        plural(picture.sites.len(), "site"),
        plural(picture.edges.len(), "WireGuard link")
    );
    let rows = agents
        .into_iter()
        .take(FALLBACK_ROWS)
        .map(|item| Row {
            href: format!("/agents/{}", encode(&item.id)),
            chip: Chip::agent(item.status),
            item,
        })
        .collect();
    let empty = picture.nodes.is_empty();
    let skeleton = Skeleton::of(picture);
    MapPage { ctx, skeleton, start, empty, agents: count, summary, rows }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::{context, picture, start};

    #[test]
    fn a_newcomer_is_told_what_to_do() {
        let ctx = context("Map", Nav::Map);
        let html = page(&ctx, &Picture::default(), &start()).expect("rendered");
        for wanted in ["_kattila.example.org", "http://192.0.2.1:5086", "clock is 14 min off"] {
            assert!(html.contains(wanted), "{wanted}");
        }
        assert!(!html.contains("id=\"empty\" hidden"));
    }

    #[test]
    fn the_circles_of_sites_are_there_before_the_map_is() {
        let mut all = picture();
        let sites = all.sites.len();
        let html = page(&context("Map", Nav::Map), &all, &start()).expect("rendered");
        let skeleton =
            html.split("id=\"skeleton\"").nth(1).and_then(|rest| rest.split("</svg>").next());
        let skeleton = skeleton.expect("a skeleton");
        assert_eq!(skeleton.matches("<circle ").count(), sites, "{skeleton}");
        // One alone stands in the middle and leaves room around it.
        all.sites.truncate(1);
        let site = all.sites[0].clone();
        let Skeleton { view: [x, y, w, h], circles } = Skeleton::of(&all).expect("one");
        assert_eq!(circles.len(), 1);
        assert!(w.0 >= 3.0 * site.r - 0.1 && (w.0 - h.0).abs() < 0.1, "{w:?} {h:?}");
        assert!((x.0 + w.0 / 2.0 - site.x).abs() < 0.1 && (y.0 + h.0 / 2.0 - site.y).abs() < 0.1);
        assert!(Skeleton::of(&Picture::default()).is_none());
    }

    #[test]
    fn readers_without_scripts_get_a_list() {
        let html = page(&context("Map", Nav::Map), &picture(), &start()).expect("rendered");
        let fallback = html.split("<noscript>").nth(1).expect("a fallback");
        assert!(fallback.contains("/agents/oul-gw2") && fallback.contains("/links"));
        assert!(html.contains("id=\"empty\" hidden"));
    }
}
