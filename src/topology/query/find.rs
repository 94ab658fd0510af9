//! Which nodes and links of a map a query asks for.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Compare, Field, Query, StateWord, Term, Test};
use crate::model::id::AgentId;
use crate::model::state::{EdgeState, Scheme};
use crate::model::time::UnixSeconds;
use crate::model::version::{padded, version};
use crate::topology::picture::{Edge, Node, NodeKind, Picture};

/// Characters of a key that a text must have to be looked for among keys.
const KEY_TEXT: usize = 4;

/// What pictures do not tell of an agent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Its program's version.
    pub version: Option<&'a str>,
    /// Its interfaces' names.
    pub interfaces: &'a [String],
    /// How its last report was signed.
    pub scheme: Option<Scheme>,
    /// When its last report was received.
    pub seen_at: Option<UnixSeconds>,
    /// Since when it has had its status.
    pub since: Option<UnixSeconds>,
}

/// What was found: ids of nodes and of links. A link is found if each term holds of itself or of
/// one of its ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found<'a> {
    /// Nodes whose name begins with what was asked for, then the others; each by name.
    pub nodes: Vec<&'a str>,
    /// Links, in the picture's order.
    pub edges: Vec<&'a str>,
}

/// A node and what else is known of it.
struct Facts<'a> {
    node: &'a Node,
    site: &'a str,
    known: Known<'a>,
    links: i64,
    down: i64,
    keys: Vec<String>,
}

/// Looks through a picture; `known` tells what it does not.
pub fn find<'a, 'k: 'a>(
    picture: &'a Picture,
    query: &Query,
    now: UnixSeconds,
    known: impl Fn(&AgentId) -> Known<'k>,
) -> Found<'a> {
    let facts = facts(picture, known);
    let asked = Asked { now, labels: labels(picture) };
    let holds = |facts: &Facts<'_>, term: &Term| asked.node(facts, &term.test) != term.not;
    let all = picture.nodes.iter().filter_map(|node| facts.get(node.id.as_str()));
    let mut nodes: Vec<(bool, &str, &str)> = all
        .filter(|facts| query.terms.iter().all(|term| holds(facts, term)))
        .map(|facts| (!query.begins(&facts.node.label), &*facts.node.label, &*facts.node.id))
        .collect();
    nodes.sort_unstable();
    let edges = picture.edges.iter().filter(|edge| {
        let ends = [facts.get(edge.source.as_str()), facts.get(edge.target.as_str())];
        query.terms.iter().all(|term| asked.edge(edge, ends, &term.test) != term.not)
    });
    Found {
        nodes: nodes.into_iter().map(|(_, _, id)| id).collect(),
        edges: edges.map(|edge| edge.id.as_str()).collect(),
    }
}

impl Query {
    /// Whether a name begins with one of the texts asked for.
    fn begins(&self, label: &str) -> bool {
        let label = label.to_lowercase();
        self.terms.iter().any(|term| match &term.test {
            Test::Text(texts) => texts.iter().any(|text| label.starts_with(text.as_str())),
            Test::Words(..)
            | Test::State(_)
            | Test::Net(_)
            | Test::Number(..)
            | Test::Version(..) => false,
        })
    }
}

fn labels(picture: &Picture) -> HashMap<&str, &str> {
    let agents = picture.nodes.iter().filter_map(|node| Some((node.agent_id.as_ref()?, node)));
    agents.map(|(id, node)| (id.as_str(), node.label.as_str())).collect()
}

fn facts<'a, 'k: 'a>(
    picture: &'a Picture,
    known: impl Fn(&AgentId) -> Known<'k>,
) -> HashMap<&'a str, Facts<'a>> {
    let sites: HashMap<&str, &str> =
        picture.sites.iter().map(|site| (site.id.as_str(), site.label.as_str())).collect();
    let fact = |node: &'a Node| Facts {
        node,
        site: sites.get(node.site.as_str()).copied().unwrap_or(&node.site),
        known: node.agent_id.as_ref().map(&known).unwrap_or_default(),
        links: 0,
        down: 0,
        keys: Vec::new(),
    };
    let mut facts: HashMap<&str, Facts<'a>> =
        picture.nodes.iter().map(|node| (node.id.as_str(), fact(node))).collect();
    for edge in &picture.edges {
        for (id, end) in [&edge.source, &edge.target].into_iter().zip(&edge.ends) {
            let Some(facts) = facts.get_mut(id.as_str()) else { continue };
            facts.links += 1;
            facts.down += i64::from(edge.state == EdgeState::Down);
            let key = end.public_key.map(|key| key.to_string().to_lowercase());
            facts.keys.extend(key.filter(|key| !facts.keys.contains(key)));
        }
    }
    facts
}

/// What a search needs to know everywhere.
struct Asked<'a> {
    now: UnixSeconds,
    /// Agents' names by id.
    labels: HashMap<&'a str, &'a str>,
}

impl Asked<'_> {
    fn node(&self, facts: &Facts<'_>, test: &Test) -> bool {
        let Facts { node, known, .. } = facts;
        match test {
            Test::Text(texts) => texts.iter().any(|text| self.names(facts, text)),
            Test::Words(field, words) => words.iter().any(|word| self.word(facts, *field, word)),
            Test::State(states) => states.iter().any(|state| is_in(node, *state)),
            Test::Net(nets) => nets.iter().any(|net| is_at(node, net)),
            Test::Number(field, compare, wanted) => {
                self.number(facts, *field).is_some_and(|number| compare.holds(&number, wanted))
            }
            Test::Version(compare, wanted) => {
                known.version.and_then(version).is_some_and(|own| agrees(&own, *compare, wanted))
            }
        }
    }

    /// Whether the text is part of what names a node.
    fn names(&self, facts: &Facts<'_>, text: &str) -> bool {
        let Facts { node, site, keys, .. } = facts;
        let words = [node.label.as_str(), &node.id, site, node.fleet_id.as_str(), &node.role];
        let state = node.status.map_or("no agent", |status| match status.as_str() {
            "online" => "online reporting",
            "stale" => "stale late",
            "offline" => "offline down",
            other => other,
        });
        words.into_iter().chain([state]).any(|word| word.to_lowercase().contains(text))
            || node.addresses.iter().any(|address| address.starts_with(text))
            || text.len() >= KEY_TEXT && keys.iter().any(|key| key.starts_with(text))
    }

    fn word(&self, facts: &Facts<'_>, field: Field, word: &str) -> bool {
        let Facts { node, site, known, keys, .. } = facts;
        let contains = |text: &str| text.to_lowercase().contains(word);
        let is = |text: &str| text.eq_ignore_ascii_case(word);
        match field {
            Field::Host => contains(&node.label),
            Field::Id => {
                let agent = node.agent_id.as_ref().map(AgentId::as_str);
                [Some(node.id.as_str()), agent]
                    .into_iter()
                    .flatten()
                    .any(|id| id.to_lowercase().starts_with(word))
            }
            Field::Site => contains(site),
            Field::Fleet => is(node.fleet_id.as_str()),
            Field::Kind => is(&node.role) || node.kind == NodeKind::Agent && word == "agent",
            Field::Key => keys.iter().any(|key| key.starts_with(word)),
            Field::Iface => known.interfaces.iter().any(|name| is(name)),
            Field::Scheme => known.scheme.is_some_and(|scheme| is(scheme.as_str())),
            Field::Relay => {
                let relays = node.relay_path.relays();
                match word {
                    "none" => node.kind == NodeKind::Agent && relays.is_empty(),
                    "any" => !relays.is_empty(),
                    _ => relays.iter().any(|id| {
                        let label = self.labels.get(id.as_str()).copied().unwrap_or_default();
                        contains(label) || contains(id.as_str())
                    }),
                }
            }
            Field::State
            | Field::Ip
            | Field::Version
            | Field::Links
            | Field::Down
            | Field::Alarm
            | Field::Seen
            | Field::Since => false,
        }
    }

    fn number(&self, facts: &Facts<'_>, field: Field) -> Option<i64> {
        let age = |at: Option<UnixSeconds>| at.map(|at| self.now.since(at));
        match field {
            Field::Links => Some(facts.links),
            Field::Down => Some(facts.down),
            Field::Alarm => Some(facts.node.alarms.into()),
            Field::Seen => age(facts.known.seen_at.or(facts.node.seen_at)),
            Field::Since => age(facts.known.since),
            Field::State
            | Field::Host
            | Field::Id
            | Field::Site
            | Field::Fleet
            | Field::Kind
            | Field::Ip
            | Field::Key
            | Field::Iface
            | Field::Relay
            | Field::Scheme
            | Field::Version => None,
        }
    }

    /// Whether a test holds of a link itself or, in what only nodes have, of one of its ends.
    fn edge(&self, edge: &Edge, ends: [Option<&Facts<'_>>; 2], test: &Test) -> bool {
        let either = || ends.into_iter().flatten().any(|facts| self.node(facts, test));
        match test {
            Test::Text(texts) => texts.iter().any(|text| tells(edge, ends, text)),
            Test::State(states) => states.iter().any(|state| state.links.contains(&edge.state)),
            Test::Net(nets) => nets.iter().any(|net| carries(edge, net)),
            Test::Number(Field::Since, compare, wanted) => {
                compare.holds(&self.now.since(edge.since), wanted)
            }
            Test::Words(Field::Id, words) => words.iter().any(|word| edge.id.starts_with(word)),
            Test::Words(Field::Iface, words) => edge.ends.iter().any(|end| {
                let name = end.interface.as_deref().unwrap_or_default();
                words.iter().any(|word| name.eq_ignore_ascii_case(word))
            }),
            Test::Words(Field::Key, words) => edge.ends.iter().any(|end| {
                let key = end.public_key.map(|key| key.to_string().to_lowercase());
                key.is_some_and(|key| words.iter().any(|word| key.starts_with(word)))
            }),
            Test::Words(..) | Test::Number(..) | Test::Version(..) => either(),
        }
    }
}

/// Whether the text is part of what names or tells of a link.
fn tells(edge: &Edge, ends: [Option<&Facts<'_>>; 2], text: &str) -> bool {
    let names = ends.into_iter().flatten().map(|facts| facts.node.label.as_str());
    let interfaces = edge.ends.iter().filter_map(|end| end.interface.as_deref());
    let state = edge.state.as_str().replace('_', " ");
    names
        .chain(interfaces)
        .chain([edge.id.as_str(), edge.reason.as_str(), state.as_str()])
        .any(|word| word.to_lowercase().contains(text))
}

fn is_in(node: &Node, state: StateWord) -> bool {
    match node.status {
        Some(status) => state.agents.contains(&status),
        None => state.peers,
    }
}

/// Whether a node has an address in a network. What a peer without an agent may use is a network
/// itself: it is enough that one holds the other.
fn is_at(node: &Node, net: &IpNet) -> bool {
    node.addresses.iter().any(|text| match text.parse::<IpNet>() {
        Ok(own) if node.kind == NodeKind::External => own.contains(net) || net.contains(&own),
        Ok(own) => net.contains(&own.addr()),
        Err(_no_prefix) => text.parse::<IpAddr>().is_ok_and(|own| net.contains(&own)),
    })
}

/// Whether a link carries a network, or leads to an endpoint in it.
fn carries(edge: &Edge, net: &IpNet) -> bool {
    edge.ends.iter().any(|end| {
        let allowed = end.allowed_ips.iter().filter_map(|text| text.parse::<IpNet>().ok());
        let endpoint =
            end.endpoint.as_deref().and_then(|text| text.parse::<std::net::SocketAddr>().ok());
        allowed
            .into_iter()
            .any(|own| own.prefix_len() > 0 && (own.contains(net) || net.contains(&own)))
            || endpoint.is_some_and(|at| net.contains(&at.ip()))
    })
}

/// Whether a version agrees. Without a relation, the numbers that were given must be the first.
fn agrees(own: &[u64], compare: Compare, wanted: &[u64]) -> bool {
    match compare {
        Compare::Same => own.starts_with(wanted),
        // 1.4 is not less than 1.4.0.
        Compare::Less | Compare::AtMost | Compare::AtLeast | Compare::More => {
            let [own, wanted] = padded(own, wanted);
            compare.holds(&own, &wanted)
        }
    }
}
