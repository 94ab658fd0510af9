//! The map as a graph for other programs: DOT (for Graphviz) and `GraphML` (for yEd, Gephi), with
//! positions, states and reasons; and the part of a picture that was asked for.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use crate::topology::picture::{Edge, End, Node, NodeKind, Picture};

use super::drawing::scene::Look;
use super::drawing::xml::{Tenth, Text};

/// The part of a picture that stays bright ([`bright`](super::drawing::scene::bright)), and the sites that it is in. `None`:
/// all of it.
pub fn part(picture: &Picture, bright: Option<&BTreeSet<String>>) -> Picture {
    let Some(bright) = bright else { return picture.clone() };
    let nodes: Vec<Node> =
        picture.nodes.iter().filter(|node| bright.contains(&node.id)).cloned().collect();
    let sites: HashSet<&str> = nodes.iter().map(|node| node.site.as_str()).collect();
    Picture {
        sites: picture.sites.iter().filter(|s| sites.contains(s.id.as_str())).cloned().collect(),
        edges: picture.edges.iter().filter(|edge| bright.contains(&edge.id)).cloned().collect(),
        nodes,
        epoch: picture.epoch.clone(),
        ..*picture
    }
}

/// What a program reads of a node: name and value.
fn node_facts(node: &Node) -> Vec<(&'static str, String)> {
    let status = match node.kind {
        NodeKind::Agent => node.status.map_or("unknown", |status| status.as_str()),
        NodeKind::External => "external",
    };
    vec![
        ("label", node.label.clone()),
        ("role", node.role.clone()),
        ("status", status.to_owned()),
        ("fleet", node.fleet_id.to_string()),
        ("site", node.site.clone()),
        ("addresses", node.addresses.join(" ")),
        ("alarms", node.alarms.to_string()),
    ]
}

fn edge_facts(edge: &Edge) -> Vec<(&'static str, String)> {
    let [source, target] = &edge.ends;
    let interface = |end: &End| end.interface.clone().unwrap_or_default();
    vec![
        ("state", edge.state.as_str().to_owned()),
        ("reason", edge.reason.clone()),
        ("since", edge.since.to_string()),
        ("source_state", source.state.as_str().to_owned()),
        ("target_state", target.state.as_str().to_owned()),
        ("source_interface", interface(source)),
        ("target_interface", interface(target)),
    ]
}

/// A string of DOT between its quotes. A backslash would begin an escape in a label.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        write!(f, "\"{text}\"")
    }
}

fn attributes(facts: &[(&'static str, String)]) -> String {
    let told: Vec<_> = facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", Quoted(value)))
        .collect();
    told.join(" ")
}

/// DOT, an undirected graph with fixed positions (`neato -n`): one unit of the map is a point.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from("graph kattila {\n  graph [outputorder=edgesfirst];\n");
    for node in &picture.nodes {
        let shape = match (Look::of(node), node.role.as_str()) {
            (Look::Down, _) | (_, "gateway") => "box",
            (_, "relay") => "diamond",
            _ => "ellipse",
        };
        // Graphviz counts upwards.
        let place = format!("pos=\"{},{}!\"", Tenth(node.x), Tenth(-node.y));
        let facts = attributes(&node_facts(node));
        out += &format!("  {} [{facts} shape={shape} {place}];\n", Quoted(&node.id));
    }
    for edge in &picture.edges {
        let line = match edge.state.as_str() {
            "up" => "solid",
            "down" => "bold",
            "one_way" | "half_configured" => "dashed",
            _ => "dotted",
        };
        let (source, target) = (Quoted(&edge.source), Quoted(&edge.target));
        let facts = attributes(&edge_facts(edge));
        out += &format!("  {source} -- {target} [id={} {facts} style={line}];\n", Quoted(&edge.id));
    }
    out + "}\n"
}

/// `GraphML` (graphml.graphdrawing.org): every fact is a declared attribute.
pub fn graphml(picture: &Picture) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    let text = |name| (name, "string");
    let of_nodes = ["label", "role", "status", "fleet", "site", "addresses"].map(text);
    let of_edges =
        ["state", "reason", "source_state", "target_state", "source_interface", "target_interface"]
            .map(text);
    let counted = [("alarms", "int"), ("x", "double"), ("y", "double")];
    let nodes = of_nodes.into_iter().chain(counted).map(|(name, kind)| ("node", name, kind));
    let edges = of_edges.into_iter().chain([("since", "long")]).map(|(n, k)| ("edge", n, k));
    for (of, name, kind) in nodes.chain(edges) {
        out += &format!(
            "<key id=\"{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>\n"
        );
    }
    out += "<graph id=\"kattila\" edgedefault=\"undirected\">\n";
    let data = |facts: Vec<(&str, String)>| -> String {
        let told = facts.into_iter().filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| format!("<data key=\"{name}\">{}</data>", Text(&value))).collect()
    };
    for node in &picture.nodes {
        let mut facts = node_facts(node);
        facts.push(("x", Tenth(node.x).to_string()));
        facts.push(("y", Tenth(node.y).to_string()));
        out += &format!("<node id=\"{}\">{}</node>\n", Text(&node.id), data(facts));
    }
    for edge in &picture.edges {
        out += &format!(
            "<edge id=\"{}\" source=\"{}\" target=\"{}\">{}</edge>\n",
            Text(&edge.id),
            Text(&edge.source),
            Text(&edge.target),
            data(edge_facts(edge))
        );
    }
    out + "</graph>\n</graphml>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::drawing::question::Question;
    use crate::views::drawing::scene;
    use crate::views::samples::picture;

    #[test]
    fn a_part_holds_no_link_without_both_its_ends() {
        let all = picture();
        let found = |ids: &[&str]| {
            let only = ids.iter().map(|id| (*id).to_owned()).collect();
            let scene = scene::Scene::new(&all);
            part(&all, scene::bright(&scene, Some(&only), false, &Question::default()).as_ref())
        };
        let nodes = found(&["a:hel-gw1", "a:oul-gw2", "00000000000000b2", "00000000000000b1"]);
        assert_eq!(nodes.edges.len(), 1, "{:?}", nodes.edges);
        assert_eq!((nodes.nodes.len(), nodes.sites.len()), (2, 2));
        let link = found(&["00000000000000b1"]);
        assert_eq!((link.nodes.len(), link.edges.len(), link.sites.len()), (2, 1, 1));
        assert_eq!(part(&all, None).nodes.len(), all.nodes.len());
    }

    #[test]
    fn names_stay_inside_their_quotes() {
        let mut told = picture();
        told.nodes[0].label = "a\"];evil\\[<&\n".to_owned();
        let dot = dot(&told);
        assert!(dot.contains(r#"label="a\"];evil\\[<& ""#), "{dot}");
        assert_eq!(dot.lines().count(), 3 + told.nodes.len() + told.edges.len());
        assert!(graphml(&told).contains("<data key=\"label\">a&quot;];evil\\[&lt;&amp;\n</data>"));
    }

    #[test]
    fn every_fact_of_graphml_is_declared() {
        let text = graphml(&picture());
        let mut used = HashSet::new();
        for part in text.split("<data key=\"").skip(1) {
            used.insert(part.split('"').next().expect("a name"));
        }
        assert!(used.len() > 10, "{used:?}");
        for name in used {
            assert!(text.contains(&format!("attr.name=\"{name}\"")), "{name}");
        }
    }
}
