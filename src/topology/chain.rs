//! Ways over the map by links alone, for maps of the past, of which no routes are kept.
//!
//! Which node a text means, the shortest chain of links that carry between two, and the legs that a
//! way takes. As `chain` and `meant` of `static/js`, which choose alike among equally short ones.

use std::collections::HashMap;

use super::picture::{Edge, Node, Picture};
use super::without::carries;

/// One leg of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The node that it leaves.
    pub from: String,
    /// The node that it leads to.
    pub to: String,
    /// The link that it takes, if it is one that is known.
    pub edge: Option<String>,
}

/// The node that a text means: by its id, its agent's id, or its name if it has it alone.
pub fn meant<'p>(picture: &'p Picture, text: &str) -> Option<&'p Node> {
    let text = text.trim();
    let agent = format!("a:{text}");
    for wanted in [text, &agent] {
        if let Some(node) = picture.nodes.iter().find(|node| node.id == wanted) {
            return Some(node);
        }
    }
    let text = text.to_lowercase();
    let mut named = picture.nodes.iter().filter(|node| node.label.to_lowercase() == text);
    match (named.next(), named.next()) {
        (Some(node), None) => Some(node),
        _ => None,
    }
}

/// What hosts and tables know a node by: its agent's id, else the address that others know it by.
pub fn known_by(node: &Node) -> Option<String> {
    match (&node.agent_id, node.addresses.first()) {
        (Some(agent), _) => Some(agent.to_string()),
        (None, Some(net)) => Some(net.split('/').next().unwrap_or_default().to_owned()),
        (None, None) => None,
    }
}

/// The legs of the shortest chain of links that carry; none if there is no chain.
pub fn chain(picture: &Picture, from: &str, to: &str) -> Vec<Leg> {
    let mut at: HashMap<&str, Vec<&Edge>> = HashMap::new();
    let mut alive: Vec<&Edge> = picture.edges.iter().filter(|edge| carries(edge.state)).collect();
    alive.sort_by(|a, b| a.id.cmp(&b.id));
    for edge in alive {
        at.entry(&edge.source).or_default().push(edge);
        at.entry(&edge.target).or_default().push(edge);
    }
    // How each node was come to: from which other one, and by which link.
    let mut came: HashMap<&str, (&str, &Edge)> = HashMap::new();
    let mut rim = vec![from];
    while !rim.is_empty() && !came.contains_key(to) {
        let mut next = Vec::new();
        for node in rim {
            for edge in at.get(node).into_iter().flatten() {
                let beyond = if edge.source == node { &edge.target } else { &edge.source };
                if beyond != from && !came.contains_key(beyond.as_str()) {
                    came.insert(beyond, (node, edge));
                    next.push(beyond.as_str());
                }
            }
        }
        rim = next;
    }
    let mut legs = Vec::new();
    let mut here = to;
    while let Some((before, edge)) = came.get(here) {
        let edge = Some(edge.id.clone());
        legs.push(Leg { from: (*before).to_owned(), to: here.to_owned(), edge });
        here = before;
    }
    legs.reverse();
    legs
}

#[cfg(test)]
mod tests {
    use super::super::picture::samples::{edge, node};
    use super::*;
    use crate::model::state::EdgeState;

    /// The line of tests/js/reach.test.mjs: hel-gw1 - one - two - three, and a dead short cut.
    fn line() -> Picture {
        let mut picture = Picture::default();
        picture.nodes.extend(["a:gw", "a:one", "a:two", "a:three"].map(node));
        let ties = [("l1", "gw", "one"), ("l2", "two", "one"), ("l3", "two", "three")];
        let name = |name: &str| format!("a:{name}");
        picture.edges.extend(ties.map(|(id, a, b)| edge(id, [&name(a), &name(b)])));
        let dead = edge("l4", ["a:gw", "a:three"]);
        picture.edges.push(Edge { state: EdgeState::Down, ..dead });
        for node in &mut picture.nodes {
            node.label = node.id.trim_start_matches("a:").to_uppercase();
        }
        picture
    }

    fn ways(picture: &Picture, from: &str, to: &str) -> Vec<String> {
        let legs = chain(picture, from, to).into_iter();
        legs.map(|leg| format!("{} {} {}", leg.from, leg.edge.unwrap_or_default(), leg.to))
            .collect()
    }

    #[test]
    fn it_goes_by_links_that_carry_and_chooses_the_smaller_ids() {
        let mut picture = line();
        let long = ["a:gw l1 a:one", "a:one l2 a:two", "a:two l3 a:three"];
        assert_eq!(ways(&picture, "a:gw", "a:three"), long);
        assert!(ways(&picture, "a:one", "a:one").is_empty());
        assert!(ways(&picture, "a:gw", "a:nobody").is_empty());
        picture.edges.insert(0, edge("l0", ["a:gw", "a:one"]));
        assert_eq!(ways(&picture, "a:gw", "a:one"), ["a:gw l0 a:one"], "of two the first");
        picture.edges.retain(|edge| edge.id != "l2");
        assert!(ways(&picture, "a:gw", "a:three").is_empty(), "the short cut is dead");
    }

    #[test]
    fn ends_are_meant_by_id_or_by_a_name_that_one_has_alone() {
        let id = |picture: &Picture, text| meant(picture, text).map(|node| node.id.clone());
        let mut picture = line();
        for text in ["a:two", "two", "TWO", "Two"] {
            assert_eq!(id(&picture, text).as_deref(), Some("a:two"), "{text}");
        }
        assert_eq!(id(&picture, "10.0.0.7"), None);
        picture.nodes[0].label = "TWO".to_owned();
        assert_eq!(id(&picture, "TWO"), None, "two of them");
        assert_eq!(id(&picture, "two").as_deref(), Some("a:two"), "an agent's id is its own");
    }

    #[test]
    fn a_node_is_known_by_its_agent_or_else_by_its_address() {
        let mut of = node("a:two");
        (of.agent_id, of.addresses) = ("two".parse().ok(), vec!["10.0.0.2/24".to_owned()]);
        assert_eq!(known_by(&of).as_deref(), Some("two"));
        of.agent_id = None;
        assert_eq!(known_by(&of).as_deref(), Some("10.0.0.2"));
        of.addresses.clear();
        assert_eq!(known_by(&of), None);
    }
}
