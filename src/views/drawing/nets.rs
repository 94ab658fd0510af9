//! The layer of prefixes: which nodes they are sent to, as plates beside them. As `subnets` of
//! `static/js/reach.js` and the plates of `paint.js`.

use std::collections::{BTreeMap, BTreeSet};

use super::geometry::Point;
use super::labels::{Around, Plate, Wanted};
use super::plan::{Circle, Spot};
use crate::model::id::FleetId;
use crate::topology::leads::Led;
use crate::topology::picture::Picture;

/// How far from the rim of its node or bubble a plate stands at least, in pixels.
pub(super) const GAP: f64 = 22.0;

/// Prefixes of one node or bubble that get a plate of their own.
const MOST: usize = 3;

/// What is sent to a node, or to the nodes of a bubble.
#[derive(Debug, Clone)]
pub struct Nets {
    /// The node's or the site's id.
    pub owner: String,
    /// Whether it is a node.
    pub is_node: bool,
    /// Where it is.
    pub at: Point,
    /// Its radius in pixels.
    pub r: f64,
    /// The prefixes, in the order of their texts.
    pub nets: Vec<String>,
    /// Those of them that no host reports from: known by routes and allowed IPs only.
    pub beyond: BTreeSet<String>,
}

/// Whether a prefix is one address.
fn is_host(net: &str) -> bool {
    !net.contains('/') || net.ends_with(if net.contains(':') { "/128" } else { "/32" })
}

/// Node by node, the prefixes wider than an address that the other ends of its links let it use,
/// and those that routes lead to it for.
pub(super) fn carried<'p>(
    picture: &'p Picture,
    known: &'p [Led],
) -> BTreeMap<&'p str, BTreeSet<String>> {
    let mut by: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for edge in &picture.edges {
        let [a, b] = &edge.ends;
        for (end, carrier) in [(a, &edge.target), (b, &edge.source)] {
            let wide = end.allowed_ips.iter().filter(|net| !is_host(net));
            for net in wide {
                by.entry(carrier).or_default().insert(net.clone());
            }
        }
    }
    for led in known {
        for carrier in &led.by_routes {
            by.entry(carrier).or_default().insert(led.prefix.to_string());
        }
    }
    by
}

/// The same of what is drawn.
pub(super) fn nets(
    picture: &Picture,
    known: &[Led],
    (nodes, bubbles): (&[Spot<'_>], &[Circle<'_>]),
) -> Vec<Nets> {
    let by = carried(picture, known);
    let outside = known.iter().filter(|led| !led.inside);
    let outside: BTreeSet<(&FleetId, String)> =
        outside.map(|led| (&led.fleet_id, led.prefix.to_string())).collect();
    let of = |(owner, is_node): (&str, bool),
              fleet: &FleetId,
              (at, r): (Point, f64),
              nets: BTreeSet<String>| {
        let beyond = |net: &&String| outside.contains(&(fleet, (*net).clone()));
        let beyond = nets.iter().filter(beyond).cloned().collect();
        let owner = owner.to_owned();
        Nets { owner, is_node, at, r, nets: nets.into_iter().collect(), beyond }
    };
    let own = nodes.iter().filter_map(|Spot { node, at, r, .. }| {
        let nets = by.get(node.id.as_str())?.clone();
        Some(of((&node.id, true), &node.fleet_id, (*at, *r), nets))
    });
    let shared = bubbles.iter().filter_map(|Circle { site, members, at, r, .. }| {
        let nets = members.iter().filter_map(|node| by.get(node.id.as_str())).flatten();
        let nets: BTreeSet<String> = nets.cloned().collect();
        let any = !nets.is_empty();
        any.then(|| of((&site.id, false), &site.fleet_id, (*at, *r), nets))
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
        plate: if own.beyond.contains(&text) { Plate::Pointed } else { Plate::Square },
        owner: format!("{}\n{i}", own.owner),
        lines: vec![(text, "ink")],
        at: own.at,
        gap: own.r + GAP,
        priority: if own.is_node { 2 } else { 3 },
        font: 11.0,
        bold: false,
        around: Around::Tied,
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
        let led = |prefix: &str, inside| Led {
            fleet_id: FleetId::unnamed(),
            prefix: prefix.parse().expect("a prefix"),
            inside,
            by_routes: vec!["b".to_owned()],
            by_allowed_ips: Vec::new(),
        };
        let known = [led("10.1.0.0/16", true), led("10.3.0.0/16", false)];
        let by = carried(&picture, &known);
        assert_eq!(by["b"], BTreeSet::from(["10.1.0.0/16", "10.3.0.0/16"].map(str::to_owned)));
        assert_eq!(by["a"], BTreeSet::from(["fd00::/64".to_owned()]));
    }

    #[test]
    fn many_prefixes_are_counted() {
        let own = |count: usize| Nets {
            owner: "a".to_owned(),
            is_node: true,
            at: (0.0, 0.0),
            r: 5.0,
            nets: (0..count).map(|i| format!("10.{i}.0.0/16")).collect(),
            beyond: BTreeSet::from(["10.1.0.0/16".to_owned()]),
        };
        let texts = |count| {
            plates(&own(count)).into_iter().map(|w| w.lines[0].0.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(4).len(), 4);
        assert_eq!(texts(9).last().map(String::as_str), Some("+6"));
        let stands = plates(&own(3)).into_iter().map(|wanted| wanted.plate).collect::<Vec<_>>();
        assert_eq!(stands, [Plate::Square, Plate::Pointed, Plate::Square]);
    }
}
