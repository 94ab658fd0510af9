//! What a question that is put to the map marks on the picture: a neighbourhood, a way, what would
//! be lost. As `static/js/reach.js`, `tools.js` and `legend.js`.

use std::collections::{HashMap, HashSet};

use super::paint::xy;
use super::plan::Plan;
use super::scene::Look;
use super::shapes::{arrow, colour};
use super::xml::Tenth;
use crate::model::state::EdgeState;
use crate::topology::chain::Leg;
use crate::topology::path::Journey;
use crate::topology::picture::{Edge, Picture};
use crate::topology::without::Loss;

/// Ids of what is taken away, and of what is lost with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Taken away: nodes and links.
    pub gone: HashSet<String>,
    /// Nodes that are cut off.
    pub cut_off: HashSet<String>,
    /// Agents whose reports must find another way.
    pub reports: HashSet<String>,
    /// Nodes and links that become single points of failure.
    pub weak: HashSet<String>,
}

/// Rows of the legend that let through what they name, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Of nodes.
    pub looks: HashSet<Look>,
    /// Of links.
    pub states: HashSet<EdgeState>,
}

impl Rows {
    /// From names as the map's address has them: looks of nodes by their words, states of links with
    /// a hyphen in front.
    ///
    /// # Errors
    ///
    /// Says which name is none of a row.
    pub fn parse(names: &[&str]) -> Result<Self, String> {
        let mut rows = Self::default();
        for name in names {
            let look = Look::ALL.into_iter().find(|look| look.as_str() == *name);
            let mut states = states(name.strip_prefix('-').unwrap_or_default()).peekable();
            if look.is_none() && states.peek().is_none() {
                return Err(format!(
                    "`only` takes rows of the legend: up, late, down, pending, stale, none, -up, -idle, -down, \
                     -one_way, -never, -unknown; {name:?} is none."
                ));
            }
            rows.looks.extend(look);
            rows.states.extend(states);
        }
        Ok(rows)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty() && self.states.is_empty()
    }
}

/// The states that are one row of the legend: ends that disagree in either way are one.
fn states(row: &str) -> impl Iterator<Item = EdgeState> {
    use EdgeState::{Down, HalfConfigured, Idle, Never, OneWay, Unknown, Up};
    let all = [Up, Idle, Down, OneWay, HalfConfigured, Never, Unknown].into_iter();
    let is = move |state: &EdgeState| {
        row == state.as_str() || (*state == HalfConfigured && row == OneWay.as_str())
    };
    all.filter(is)
}

/// What is marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Rows of the legend that filter.
    pub rows: Rows,
    /// Sets of ids: what stays bright is in all of them.
    pub within: Vec<HashSet<String>>,
    /// A way that is drawn over everything.
    pub legs: Vec<Leg>,
    /// What would be lost.
    pub lost: Option<Lost>,
    /// The same in words, for the foot of the picture.
    pub words: Vec<String>,
}

impl Lost {
    /// Of an answer: what was taken away by its ids, and what the loss names.
    pub fn of(gone: HashSet<String>, loss: &Loss) -> Self {
        let nodes = |named: &[crate::topology::without::Named]| {
            named.iter().map(|named| named.id.clone()).collect::<HashSet<_>>()
        };
        let links = loss.weak_links.iter().map(|link| link.id.clone());
        Self {
            gone,
            cut_off: loss.cut_off.iter().flat_map(|part| nodes(&part.nodes)).collect(),
            reports: nodes(&loss.reports_lost),
            weak: nodes(&loss.weak_nodes).into_iter().chain(links).collect(),
        }
    }
}

impl Question {
    /// The same with other ids; what has none is left out.
    pub fn renamed(self, ids: &HashMap<String, String>) -> Self {
        let set = |set: HashSet<String>| set.iter().filter_map(|id| ids.get(id).cloned()).collect();
        let leg = |leg: Leg| {
            let edge = leg.edge.and_then(|id| ids.get(&id).cloned());
            Some(Leg { from: ids.get(&leg.from)?.clone(), to: ids.get(&leg.to)?.clone(), edge })
        };
        let lost = |lost: Lost| Lost {
            gone: set(lost.gone),
            cut_off: set(lost.cut_off),
            reports: set(lost.reports),
            weak: set(lost.weak),
        };
        Self {
            rows: self.rows,
            within: self.within.into_iter().map(set).collect(),
            legs: self.legs.into_iter().filter_map(leg).collect(),
            lost: self.lost.map(lost),
            // They hold names.
            words: Vec::new(),
        }
    }
}

/// The nodes within so many links of one, and the links among them.
pub fn around(picture: &Picture, id: &str, hops: usize) -> HashSet<String> {
    let mut at: HashMap<&str, Vec<&Edge>> = HashMap::new();
    for edge in &picture.edges {
        at.entry(&edge.source).or_default().push(edge);
        at.entry(&edge.target).or_default().push(edge);
    }
    let mut found: HashSet<&str> = HashSet::from([id]);
    let mut rim = vec![id];
    for _ in 0..hops {
        let beyond = rim.iter().filter_map(|node| at.get(node)).flatten();
        let beyond = beyond.flat_map(|edge| [edge.source.as_str(), edge.target.as_str()]);
        let next: HashSet<&str> = beyond.filter(|node| !found.contains(node)).collect();
        found.extend(&next);
        rim = next.into_iter().collect();
    }
    let among =
        |edge: &&Edge| found.contains(edge.source.as_str()) && found.contains(edge.target.as_str());
    let edges = picture.edges.iter().filter(among).map(|edge| edge.id.clone());
    found.iter().map(|id| (*id).to_owned()).chain(edges).collect()
}

/// The nodes of a site, and the links among them.
pub fn inside(picture: &Picture, site: &str) -> HashSet<String> {
    let nodes: HashSet<&str> = picture
        .nodes
        .iter()
        .filter(|node| node.site == site)
        .map(|node| node.id.as_str())
        .collect();
    let within =
        |edge: &&Edge| nodes.contains(edge.source.as_str()) && nodes.contains(edge.target.as_str());
    let edges = picture.edges.iter().filter(within).map(|edge| edge.id.clone());
    nodes.iter().map(|id| (*id).to_owned()).chain(edges).collect()
}

/// The legs of a journey, as far as both their ends are on the map: between the hosts it comes
/// to, and to the peer without an agent that it leaves for.
pub fn legs(picture: &Picture, journey: &Journey) -> Vec<Leg> {
    let edges: HashMap<&str, &Edge> =
        picture.edges.iter().map(|edge| (edge.id.as_str(), edge)).collect();
    let nodes: HashSet<&str> = picture.nodes.iter().map(|node| node.id.as_str()).collect();
    let mut legs = Vec::new();
    let mut hops = journey.hops.iter().peekable();
    while let Some(hop) = hops.next() {
        let from = format!("a:{}", hop.agent_id);
        let edge = hop.edge_id.as_ref().and_then(|id| edges.get(id.as_str()));
        let beyond = |edge: &&Edge| {
            if edge.source == from { edge.target.clone() } else { edge.source.clone() }
        };
        let to = match hops.peek() {
            Some(next) => Some(format!("a:{}", next.agent_id)),
            None => edge.map(beyond),
        };
        if let Some(to) = to
            && nodes.contains(from.as_str())
            && nodes.contains(to.as_str())
        {
            legs.push(Leg { from, to, edge: edge.map(|edge| edge.id.clone()) });
        }
    }
    legs
}

/// A way: a broad line along its links, dashed where there is none, with an arrow on each leg.
pub(super) fn way(out: &mut String, plan: &Plan<'_>) {
    for leg in &plan.legs {
        let dash = if leg.linked { "" } else { " stroke-dasharray=\"9 7\"" };
        *out += &format!(
            "<g class=\"way\" fill=\"none\" stroke=\"{}\" stroke-width=\"4\"{dash}><path d=\"M{}Q{} {}Q{} {}\"/>{}</g>\n",
            colour("accent"),
            xy(leg.curve.a),
            xy(leg.curve.ca),
            xy(leg.curve.mid),
            xy(leg.curve.cb),
            xy(leg.curve.b),
            arrow(leg.curve.mid, leg.along)
        );
    }
}

/// A dashed ring.
fn ring((x, y): (f64, f64), r: f64, name: &str) -> String {
    let [x, y, r] = [x, y, r].map(Tenth);
    format!(
        "<circle class=\"lost\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.2\" stroke-dasharray=\"5 3.5\"/>\n",
        colour(name)
    )
}

/// A bar in a disc.
fn taken((x, y): (f64, f64), r: f64) -> String {
    let (bar, width) = (r * 0.55, (r * 0.3).max(2.0));
    let [left, y, length, x, r, width] = [x - bar, y, 2.0 * bar, x, r, width].map(Tenth);
    format!(
        "<circle class=\"taken\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"{}\"/><path d=\"M{left} {y}h{length}\" stroke=\"{}\" stroke-width=\"{width}\"/>\n",
        colour("accent"),
        colour("surface")
    )
}

/// What is taken away, and what would be lost with it.
pub(super) fn loss(out: &mut String, plan: &Plan<'_>, lost: &Lost) {
    for line in plan.edges.iter().filter(|line| lost.weak.contains(&line.edge.id)) {
        *out += &format!(
            "<path class=\"weak\" d=\"M{}Q{} {}Q{} {}\" fill=\"none\" stroke=\"{}\" stroke-width=\"8\" opacity=\"0.4\"/>\n",
            xy(line.curve.a),
            xy(line.curve.ca),
            xy(line.curve.mid),
            xy(line.curve.cb),
            xy(line.curve.b),
            colour("late")
        );
    }
    for spot in &plan.nodes {
        let id = &spot.node.id;
        if lost.gone.contains(id) {
            *out += &taken(spot.at, spot.r + 4.0);
        }
        if lost.cut_off.contains(id) {
            *out += &ring(spot.at, spot.r + 6.0, "down");
        } else if lost.reports.contains(id) {
            *out += &ring(spot.at, spot.r + 6.0, "late");
        }
        if lost.weak.contains(id) {
            *out += &ring(spot.at, spot.r + 10.0, "late");
        }
    }
    for bubble in &plan.bubbles {
        let any = |set: &HashSet<String>| bubble.members.iter().any(|node| set.contains(&node.id));
        if any(&lost.cut_off) || any(&lost.reports) {
            let name = if any(&lost.cut_off) { "down" } else { "late" };
            *out += &ring(bubble.at, bubble.r + 4.0, name);
        }
        if any(&lost.gone) {
            let away = bubble.r * 0.75;
            *out += &taken((bubble.at.0 + away, bubble.at.1 - away), 8.0);
        }
    }
    for line in plan.edges.iter().filter(|line| lost.gone.contains(&line.edge.id)) {
        *out += &taken(line.curve.mid, 8.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::picture::samples::{edge, node};

    /// a - b - c - d, and e by itself.
    fn row() -> Picture {
        let mut picture = Picture::default();
        picture.nodes.extend(["a", "b", "c", "d", "e"].map(node));
        picture.edges =
            vec![edge("ab", ["a", "b"]), edge("bc", ["c", "b"]), edge("cd", ["c", "d"])];
        picture
    }

    fn sorted(set: &HashSet<String>) -> Vec<&str> {
        let mut all: Vec<_> = set.iter().map(String::as_str).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_neighbourhood_is_as_wide_as_asked_for() {
        let picture = row();
        assert_eq!(sorted(&around(&picture, "b", 1)), ["a", "ab", "b", "bc", "c"]);
        assert_eq!(sorted(&around(&picture, "a", 2)), ["a", "ab", "b", "bc", "c"]);
        assert_eq!(sorted(&around(&picture, "e", 3)), ["e"]);
    }

    #[test]
    fn rows_of_the_legend_let_through_what_they_name() {
        let rows = Rows::parse(&["-one_way", "none"]).unwrap();
        assert_eq!(rows.states, HashSet::from([EdgeState::OneWay, EdgeState::HalfConfigured]));
        assert_eq!(rows.looks, HashSet::from([Look::None]));
        assert!(Rows::parse(&[]).unwrap().is_empty());
        for wrong in ["one_way", "-", "-pending", "Down"] {
            assert!(Rows::parse(&["down", wrong]).unwrap_err().contains(wrong));
        }
    }

    #[test]
    fn what_has_no_other_id_is_left_out() {
        let ids =
            HashMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        let set = |all: &[&str]| all.iter().map(|id| (*id).to_owned()).collect::<HashSet<_>>();
        let leg = |from: &str, to: &str| Leg { from: from.into(), to: to.into(), edge: None };
        let question = Question {
            rows: Rows::default(),
            within: vec![set(&["a", "c"])],
            legs: vec![leg("a", "b"), leg("b", "c")],
            lost: Some(Lost { cut_off: set(&["b"]), ..Lost::default() }),
            words: vec!["a name".to_owned()],
        };
        let renamed = question.renamed(&ids);
        assert_eq!((&renamed.within, &renamed.legs), (&vec![set(&["1"])], &vec![leg("1", "2")]));
        assert_eq!(renamed.lost.unwrap().cut_off, set(&["2"]));
        assert!(renamed.words.is_empty());
    }
}
