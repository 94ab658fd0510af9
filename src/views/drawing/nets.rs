//! The layer of prefixes: which nodes they are sent to, as plates beside them. As `subnets` of
//! `static/js/reach.js` and the plates of `paint.js`.

use std::collections::{BTreeMap, BTreeSet};

use super::geometry::Point;
use super::labels::{Around, Wanted};
use super::plan::{Circle, Spot};
use crate::topology::picture::Picture;

/// Prefixes of one node or bubble that get a plate of their own.
const MOST: usize = 3;

/// What is sent to a node, or to the nodes of a bubble.
#[derive(Debug, Clone)]
pub struct Nets {
    /// The node's or the site's id.
    pub owner: String,
    /// Where it is.
    pub at: Point,
    /// Its radius in pixels.
    pub r: f64,
    /// The prefixes, in the order of their texts.
    pub nets: Vec<String>,
}

/// Whether a prefix is one address.
fn is_host(net: &str) -> bool {
    !net.contains('/') || net.ends_with(if net.contains(':') { "/128" } else { "/32" })
}

/// Node by node, the prefixes wider than an address that the other ends of its links let it use.
pub(super) fn carried(picture: &Picture) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut by: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in &picture.edges {
        let [a, b] = &edge.ends;
        for (end, carrier) in [(a, &edge.target), (b, &edge.source)] {
            let wide = end.allowed_ips.iter().filter(|net| !is_host(net));
            for net in wide {
                by.entry(carrier).or_default().insert(net);
            }
        }
    }
    by
}

/// The same of what is drawn.
pub(super) fn nets(picture: &Picture, nodes: &[Spot<'_>], bubbles: &[Circle<'_>]) -> Vec<Nets> {
    let by = carried(picture);
    let texts = |nets: BTreeSet<&str>| nets.into_iter().map(str::to_owned).collect();
    let own = nodes.iter().filter_map(|Spot { node, at, r, .. }| {
        let nets = by.get(node.id.as_str())?.clone();
        Some(Nets { owner: node.id.clone(), at: *at, r: *r, nets: texts(nets) })
    });
    let shared = bubbles.iter().filter_map(|Circle { site, members, at, r, .. }| {
        let of = members.iter().filter_map(|node| by.get(node.id.as_str())).flatten();
        let nets: BTreeSet<&str> = of.copied().collect();
        let nets = Nets { owner: site.id.clone(), at: *at, r: *r, nets: texts(nets) };
        (!nets.nets.is_empty()).then_some(nets)
    });
    own.chain(shared).collect()
}

/// The plates of one: its first prefixes, and one that counts the others.
pub(super) fn plates(own: &Nets) -> Vec<Wanted> {
    let all = own.nets.len();
    let first = if all > MOST + 1 { MOST } else { all };
    let mut texts: Vec<String> = own.nets.iter().take(first).cloned().collect();
    if first < all {
        texts.push(format!("+{}", all - first));
    }
    let plate = |(i, text): (usize, String)| Wanted {
        owner: format!("{}\n{i}", own.owner),
        lines: vec![(text, "ink")],
        at: own.at,
        gap: own.r + 22.0,
        priority: 3,
        font: 11.0,
        bold: false,
        around: Around::Any,
        plate: true,
    };
    texts.into_iter().enumerate().map(plate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::picture::samples::{edge, node};

    #[test]
    fn prefixes_belong_to_the_far_end_of_who_allows_them() {
        let mut picture = Picture::default();
        picture.nodes.extend(["a", "b"].map(node));
        let mut link = edge("ab", ["a", "b"]);
        link.ends[0].allowed_ips =
            ["10.1.0.0/16", "10.0.0.2/32", "fd00::2/128"].map(str::to_owned).into();
        link.ends[1].allowed_ips = vec!["fd00::/64".to_owned()];
        picture.edges.push(link);
        let by = carried(&picture);
        assert_eq!(by["b"], BTreeSet::from(["10.1.0.0/16"]));
        assert_eq!(by["a"], BTreeSet::from(["fd00::/64"]));
    }

    #[test]
    fn many_prefixes_are_counted() {
        let own = |count: usize| Nets {
            owner: "a".to_owned(),
            at: (0.0, 0.0),
            r: 5.0,
            nets: (0..count).map(|i| format!("10.{i}.0.0/16")).collect(),
        };
        let texts = |count| {
            plates(&own(count)).into_iter().map(|w| w.lines[0].0.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(4).len(), 4);
        assert_eq!(texts(9).last().map(String::as_str), Some("+6"));
    }
}
