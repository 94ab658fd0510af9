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
mod tests;
