//! How a part of a map is written: with a name beside every value, or as rows under one header.
//!
//! Every member of nodes, links and ends is listed here once, whatever the shape; a test holds
//! the lists against what a whole map says. Pure.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::cut::{Beyond, Layer, Layers, Pair, Shape, Taken};
use super::picture::{Edge, End, Node, Site};
use crate::model::time::UnixSeconds;

/// Texts that rows name by their numbers, in the order of their first use.
#[derive(Debug, Default)]
pub struct Texts<'a>(RefCell<Told<'a>>);

#[derive(Debug, Default)]
struct Told<'a> {
    numbers: HashMap<Cow<'a, str>, usize>,
    texts: Vec<Cow<'a, str>>,
}

impl<'a> Texts<'a> {
    fn number(&self, text: Cow<'a, str>) -> usize {
        let mut told = self.0.borrow_mut();
        let next = told.texts.len();
        let number = *told.numbers.entry(text.clone()).or_insert(next);
        if number == next {
            told.texts.push(text);
        }
        number
    }
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.borrow().texts.serialize(to)
    }
}

/// Takes the members of one thing, in order.
pub(super) trait Members<'a> {
    type Error;
    fn layers(&self) -> Layers;
    fn text(&mut self, name: &'static str, text: Option<Cow<'a, str>>) -> Result<(), Self::Error>;
    fn value(
        &mut self,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Self::Error>;
    fn ends(&mut self, ends: &'a [End; 2]) -> Result<(), Self::Error>;

    /// A member that moves with every report: left out, unless the shape names every member.
    fn moving(
        &mut self,
        _: &'static str,
        _: &(impl Serialize + ?Sized),
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Has members that it names one by one.
pub(super) trait Listed<'a> {
    fn tell<M: Members<'a>>(&'a self, to: &mut M) -> Result<(), M::Error>;
}

fn some(text: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(text))
}

impl<'a> Listed<'a> for Node {
    fn tell<M: Members<'a>>(&'a self, to: &mut M) -> Result<(), M::Error> {
        to.text("id", some(&self.id))?;
        to.value("kind", &self.kind)?;
        to.text("role", some(&self.role))?;
        to.text("agent_id", self.agent_id.as_ref().map(|id| Cow::Borrowed(id.as_str())))?;
        to.text("label", some(&self.label))?;
        to.value("status", &self.status)?;
        to.text("fleet_id", some(self.fleet_id.as_str()))?;
        to.text("site", some(&self.site))?;
        to.value("x", &self.x)?;
        to.value("y", &self.y)?;
        to.value("seen_at", &self.seen_at)?;
        to.value("alarms", &self.alarms)?;
        to.value("addresses", &self.addresses)?;
        if to.layers().has(Layer::Relays) {
            to.value("relay_path", self.relay_path.relays())?;
            to.value("relay_proof", &self.relay_path.proof())?;
        }
        to.value("maintenance_until", &self.maintenance_until)
    }
}

impl<'a> Listed<'a> for Edge {
    fn tell<M: Members<'a>>(&'a self, to: &mut M) -> Result<(), M::Error> {
        to.value("id", &self.id)?;
        to.text("source", some(&self.source))?;
        to.text("target", some(&self.target))?;
        to.text("edge_type", some(self.edge_type))?;
        to.value("state", &self.state)?;
        to.value("reason", &self.reason)?;
        to.value("judged_at", &self.judged_at)?;
        to.value("since", &self.since)?;
        to.ends(&self.ends)
    }
}

impl<'a> Listed<'a> for End {
    fn tell<M: Members<'a>>(&'a self, to: &mut M) -> Result<(), M::Error> {
        to.text("agent_id", self.agent_id.as_ref().map(|id| Cow::Borrowed(id.as_str())))?;
        to.text("interface", self.interface.as_deref().map(Cow::Borrowed))?;
        to.text("public_key", self.public_key.as_ref().map(|key| Cow::Owned(key.to_string())))?;
        to.value("state", &self.state)?;
        to.moving("latest_handshake", &self.latest_handshake)?;
        to.moving("rx_bytes", &self.rx_bytes)?;
        to.moving("tx_bytes", &self.tx_bytes)?;
        to.text("endpoint", self.endpoint.as_deref().map(Cow::Borrowed))?;
        if to.layers().has(Layer::Subnets) {
            to.value("allowed_ips", &self.allowed_ips)?;
        }
        to.value("persistent_keepalive", &self.persistent_keepalive)?;
        to.moving("measured_at", &self.measured_at)
    }
}

impl<'a> Listed<'a> for Site {
    fn tell<M: Members<'a>>(&'a self, to: &mut M) -> Result<(), M::Error> {
        to.text("id", some(&self.id))?;
        to.text("label", some(&self.label))?;
        to.text("fleet_id", some(self.fleet_id.as_str()))?;
        to.value("x", &self.x)?;
        to.value("y", &self.y)?;
        to.value("r", &self.r)?;
        to.value("counts", &self.counts)
    }
}

/// Writes members with their names.
struct Keyed<M>(M, Layers);

impl<'a, M: SerializeMap> Members<'a> for Keyed<M> {
    type Error = M::Error;

    fn layers(&self) -> Layers {
        self.1
    }

    fn text(&mut self, name: &'static str, text: Option<Cow<'a, str>>) -> Result<(), M::Error> {
        self.0.serialize_entry(name, &text)
    }

    fn value(
        &mut self,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), M::Error> {
        self.0.serialize_entry(name, value)
    }

    fn ends(&mut self, ends: &'a [End; 2]) -> Result<(), M::Error> {
        let style = Style::Keyed(self.1);
        self.0.serialize_entry("ends", &ends.each_ref().map(|of| Item { of, style }))
    }

    fn moving(
        &mut self,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), M::Error> {
        if self.1.has(Layer::Moving) { self.0.serialize_entry(name, value) } else { Ok(()) }
    }
}

/// Writes members without their names.
struct Row<'t, 'a, S>(S, Layers, &'t Texts<'a>);

impl<'a, S: SerializeSeq> Members<'a> for Row<'_, 'a, S> {
    type Error = S::Error;

    fn layers(&self) -> Layers {
        self.1
    }

    fn text(&mut self, _: &'static str, text: Option<Cow<'a, str>>) -> Result<(), S::Error> {
        let number = text.map(|text| self.2.number(text));
        self.0.serialize_element(&number)
    }

    fn value(
        &mut self,
        _: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), S::Error> {
        self.0.serialize_element(value)
    }

    fn ends(&mut self, ends: &'a [End; 2]) -> Result<(), S::Error> {
        let style = Style::Row(self.1, self.2);
        self.0.serialize_element(&ends.each_ref().map(|of| Item { of, style }))
    }
}

/// Lists the names of members; before one whose values are numbers of texts stands `#`.
struct Header(Vec<String>, Layers);

impl<'a> Members<'a> for Header {
    type Error = std::convert::Infallible;

    fn layers(&self) -> Layers {
        self.1
    }

    fn text(&mut self, name: &'static str, _: Option<Cow<'a, str>>) -> Result<(), Self::Error> {
        self.0.push(format!("#{name}"));
        Ok(())
    }

    fn value(
        &mut self,
        name: &'static str,
        _: &(impl Serialize + ?Sized),
    ) -> Result<(), Self::Error> {
        self.0.push(name.to_owned());
        Ok(())
    }

    fn ends(&mut self, _: &'a [End; 2]) -> Result<(), Self::Error> {
        self.0.push("ends".to_owned());
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Style<'t, 'a> {
    Keyed(Layers),
    Row(Layers, &'t Texts<'a>),
}

/// One thing, in a style.
struct Item<'t, 'a, T> {
    of: &'a T,
    style: Style<'t, 'a>,
}

impl<'a, T: Listed<'a>> Serialize for Item<'_, 'a, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.style {
            Style::Keyed(layers) => {
                let mut keyed = Keyed(to.serialize_map(None)?, layers);
                self.of.tell(&mut keyed)?;
                keyed.0.end()
            }
            Style::Row(layers, texts) => {
                let mut row = Row(to.serialize_seq(None)?, layers, texts);
                self.of.tell(&mut row)?;
                row.0.end()
            }
        }
    }
}

/// The names of the members of each kind of row; empty if there is none.
#[derive(Debug, Serialize)]
struct Columns {
    nodes: Vec<String>,
    edges: Vec<String>,
    ends: Vec<String>,
}

fn header<'a, T: Listed<'a>>(first: Option<&'a T>, layers: Layers) -> Vec<String> {
    let mut header = Header(Vec::new(), layers);
    if let Some(Err(never)) = first.map(|first| first.tell(&mut header)) {
        match never {}
    }
    header.0
}

/// The members that every part of a map has, and those of its shape.
#[derive(Serialize)]
struct Written<'w, 'a> {
    v: u32,
    epoch: &'a str,
    seq: u64,
    layout_rev: i64,
    generated_at: UnixSeconds,
    t: UnixSeconds,
    shape: Shape,
    layers: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    sites: &'w [&'a Site],
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Columns>,
    nodes: Vec<Item<'w, 'a, Node>>,
    edges: Vec<Item<'w, 'a, Edge>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beyond: Option<&'w [Beyond<'a>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairs: Option<Vec<Pair<'a>>>,
    /// After the rows: they say which there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<&'w Texts<'a>>,
    alarms_open: usize,
}

impl Serialize for Taken<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let texts = Texts::default();
        let (whole, layers) = (self.whole, self.layers);
        let style = match self.shape {
            Shape::Columns => Style::Row(layers, &texts),
            Shape::Keyed | Shape::Sites => Style::Keyed(layers),
        };
        let in_rows = self.shape == Shape::Columns;
        let columns = || Columns {
            nodes: header(self.nodes.first().copied(), layers),
            edges: header(self.edges.first().copied(), layers),
            ends: header(self.edges.first().map(|edge| &edge.ends[0]), layers),
        };
        let by_sites = self.shape == Shape::Sites;
        let (nodes, edges) =
            if by_sites { (&[][..], &[][..]) } else { (&*self.nodes, &*self.edges) };
        let written = Written {
            v: whole.v,
            epoch: &whole.epoch,
            seq: whole.seq,
            layout_rev: whole.layout_rev,
            generated_at: whole.generated_at,
            t: whole.t,
            shape: self.shape,
            layers: layers.names(),
            site: self.site,
            sites: &self.sites,
            columns: in_rows.then(columns),
            nodes: nodes.iter().map(|of| Item { of: *of, style }).collect(),
            edges: edges.iter().map(|of| Item { of: *of, style }).collect(),
            beyond: self.beyond.as_deref(),
            pairs: by_sites.then(|| self.pairs()),
            texts: in_rows.then_some(&texts),
            alarms_open: whole.alarms_open,
        };
        written.serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::model::key::WgKey;
    use crate::model::path::RelayPath;
    use crate::model::state::{AgentStatus, EdgeState, RelayProof};
    use crate::topology::cut::Cut;
    use crate::topology::picture::{Picture, samples};

    /// What a reader makes of rows: the members that they stand for.
    fn unfold(written: &Value, kind: &str) -> Vec<Value> {
        let rows = written[kind].as_array().unwrap();
        rows.iter().map(|row| item(written, &written["columns"][kind], row)).collect()
    }

    fn item(written: &Value, header: &Value, row: &Value) -> Value {
        let (names, cells) = (header.as_array().unwrap(), row.as_array().unwrap());
        assert_eq!(names.len(), cells.len());
        let member = |(name, cell): (&Value, &Value)| {
            let name = name.as_str().unwrap();
            match name.strip_prefix('#') {
                Some(name) => {
                    let text =
                        cell.as_u64().map(|at| &written["texts"][usize::try_from(at).unwrap()]);
                    (name.to_owned(), text.cloned().unwrap_or_default())
                }
                None if name == "ends" => {
                    let ends = cell.as_array().unwrap().iter();
                    let ends = ends.map(|end| item(written, &written["columns"]["ends"], end));
                    (name.to_owned(), ends.collect())
                }
                None => (name.to_owned(), cell.clone()),
            }
        };
        Value::Object(names.iter().zip(cells).map(member).collect::<Map<_, _>>())
    }

    /// Links without what moves with every report: that is not in columns.
    fn still(edges: &Value) -> Value {
        let mut edges = edges.clone();
        for edge in edges.as_array_mut().unwrap() {
            for end in edge["ends"].as_array_mut().unwrap() {
                for name in ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"] {
                    assert!(end.as_object_mut().unwrap().remove(name).is_some(), "{name}");
                }
            }
        }
        edges
    }

    fn node(seed: u8) -> Node {
        let via = vec!["r1".parse().unwrap()];
        Node {
            agent_id: (!seed.is_multiple_of(3)).then(|| format!("n{seed}").parse().unwrap()),
            status: (!seed.is_multiple_of(3)).then_some(AgentStatus::Stale),
            site: format!("lab/{}", seed % 4),
            seen_at: seed.is_multiple_of(2).then_some(UnixSeconds(1_790_000_000)),
            addresses: vec![format!("10.0.0.{seed}")],
            relay_path: match seed % 2 {
                0 => RelayPath::direct(),
                _ => RelayPath::through(via, RelayProof::Proven),
            },
            x: f64::from(seed) / 10.0,
            ..samples::node(&format!("a:n{seed}"))
        }
    }

    fn link(from: u8, to: u8) -> Edge {
        let mut edge =
            samples::edge(&format!("e{from}-{to}"), [&*format!("a:n{from}"), &*format!("a:n{to}")]);
        edge.state = if from < to { EdgeState::Down } else { EdgeState::Up };
        edge.ends[0].public_key = Some(WgKey([from; 32]));
        edge.ends[1].endpoint = Some("192.0.2.1:51820".to_owned());
        edge.ends[1].allowed_ips = vec!["10.0.0.0/24".to_owned()];
        edge.ends[0].rx_bytes = Some(u64::from(to) << 40);
        edge
    }

    fn picture(nodes: &[u8], links: &[(u8, u8)]) -> Picture {
        Picture {
            epoch: "e1".to_owned(),
            nodes: nodes.iter().copied().map(node).collect(),
            edges: links.iter().map(|(from, to)| link(*from, *to)).collect(),
            ..Picture::default()
        }
    }

    fn written(whole: &Picture, cut: &Cut) -> Value {
        serde_json::to_value(cut.of(whole).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn every_shape_says_what_the_whole_map_says(
            nodes in proptest::collection::vec(any::<u8>(), 0..20),
            links in proptest::collection::vec(any::<(u8, u8)>(), 0..20),
        ) {
            let whole = picture(&nodes, &links);
            let told = serde_json::to_value(&whole).unwrap();
            let shape = |shape| Cut { shape: Some(shape), ..Cut::default() };
            let keyed = written(&whole, &shape(Shape::Keyed));
            for (name, value) in told.as_object().unwrap() {
                prop_assert_eq!(value, &keyed[name], "{}", name);
            }
            let columns = written(&whole, &shape(Shape::Columns));
            prop_assert_eq!(&told["nodes"], &Value::Array(unfold(&columns, "nodes")));
            prop_assert_eq!(&still(&told["edges"]), &Value::Array(unfold(&columns, "edges")));
        }
    }

    #[test]
    fn a_layer_that_is_not_asked_for_leaves_no_member() {
        let whole = picture(&[1, 2], &[(1, 2)]);
        let of = |layers: &str| Cut { layers: Layers::parse(layers).unwrap(), ..Cut::default() };
        let wireguard = written(&whole, &of("wireguard"));
        assert!(wireguard["nodes"][0].get("relay_path").is_none());
        assert!(wireguard["edges"][0]["ends"][1].get("allowed_ips").is_none());
        let subnets = written(&whole, &of("wireguard,subnets"));
        assert_eq!(subnets["edges"][0]["ends"][1]["allowed_ips"], json!(["10.0.0.0/24"]));
        let relays = written(&whole, &of("relays"));
        assert_eq!(
            (&relays["nodes"][0]["relay_path"], &relays["edges"]),
            (&json!(["r1"]), &json!([]))
        );
        let columns = Cut { shape: Some(Shape::Columns), ..of("wireguard") };
        let columns = written(&whole, &columns);
        assert!(!columns["columns"]["nodes"].to_string().contains("relay"));
    }

    #[test]
    fn sites_first_names_no_node() {
        let whole = picture(&[1, 2], &[(1, 2), (2, 1)]);
        let sites = written(&whole, &Cut { shape: Some(Shape::Sites), ..Cut::default() });
        assert_eq!(
            sites["pairs"],
            json!([{"source": "lab/1", "target": "lab/2", "states": {"up": 1, "down": 1}}])
        );
        assert_eq!((&sites["nodes"], &sites["edges"]), (&json!([]), &json!([])));
        assert!(!sites.to_string().contains("a:n1"));
    }
}
