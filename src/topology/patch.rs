//! What changed between two maps, as `GET /api/v1/stream` tells it: of every thing its id and the
//! members that differ, with their values now.
//!
//! Values, not operations: whoever applies a patch twice, or one that holds several, ends in the
//! same map. What moves with every report (handshakes, counters) is in no patch. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::cut::Layers;
use super::picture::{Edge, End, Node, Site};
use super::shape::{Listed, Members};
use crate::model::time::UnixSeconds;

/// The difference between two pictures of one epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Patch {
    /// The picture it applies to.
    pub from: u64,
    /// The picture it leads to.
    pub seq: u64,
    /// When.
    pub t: UnixSeconds,
    /// Nodes.
    pub n: Part<Node>,
    /// Edges.
    pub e: Part<Edge>,
    /// Sites.
    pub s: Part<Site>,
    /// Open alarms.
    pub alarms: AlarmCount,
    /// The patch as it is sent, once somebody watches.
    #[serde(skip)]
    pub sent: Sent,
}

impl Patch {
    /// Its JSON. Written once, however many watch.
    pub fn json(&self) -> &str {
        // A picture's parts always have a JSON form.
        self.sent.0.get_or_init(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Several patches as one, from where the first applies to where the last leads. `None` if
    /// there are none, or if one does not follow from the one before.
    pub fn merged(patches: &[Arc<Self>]) -> Option<Self> {
        let (first, last) = (patches.first()?, patches.last()?);
        let follow = patches.windows(2).all(|two| matches!(two, [a, b] if a.seq == b.from));
        follow.then(|| Self {
            from: first.from,
            seq: last.seq,
            t: last.t,
            n: Part::merged(patches.iter().map(|patch| &patch.n)),
            e: Part::merged(patches.iter().map(|patch| &patch.e)),
            s: Part::merged(patches.iter().map(|patch| &patch.s)),
            alarms: last.alarms,
            sent: Sent::default(),
        })
    }
}

/// Text that is made of a patch when it is first asked for, and is no part of what the patch says.
#[derive(Debug, Default)]
pub struct Sent(OnceLock<String>);

impl Clone for Sent {
    /// A copy is made to be changed.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Sent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Open alarms as the stream tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AlarmCount {
    /// Active and not acknowledged.
    pub open: usize,
}

/// Changed and deleted things of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound(serialize = "Change<T>: Serialize"))]
pub struct Part<T> {
    /// New or changed.
    pub set: Vec<Change<T>>,
    /// Gone, by id.
    pub del: Vec<String>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { set: Vec::new(), del: Vec::new() }
    }
}

impl<T: Thing> Part<T> {
    /// Of each thing what was told last; what was told of it before stays told.
    fn merged<'p>(parts: impl Iterator<Item = &'p Self>) -> Self
    where
        T: 'p,
    {
        let mut last: BTreeMap<&'p str, Option<Change<T>>> = BTreeMap::new();
        for part in parts {
            for change in &part.set {
                let told = match last.get(change.now.id()) {
                    Some(Some(before)) => before.told.and(change.told),
                    // It was gone in between: whoever has it still must forget all of it.
                    Some(None) => Told::WHOLE,
                    None => change.told,
                };
                let now = change.now.clone();
                last.insert(change.now.id(), Some(Change { now, told }));
            }
            last.extend(part.del.iter().map(|id| (id.as_str(), None)));
        }
        let mut merged = Self::default();
        for (id, change) in last {
            match change {
                Some(change) => merged.set.push(change),
                None => merged.del.push(id.to_owned()),
            }
        }
        merged
    }
}

/// A thing that is new or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T> {
    /// All of it, as it is now.
    pub now: T,
    /// Which members are told.
    pub told: Told,
}

impl<T: Thing> Change<T> {
    /// Of something that nobody was told of.
    pub fn whole(now: T) -> Self {
        Self { now, told: Told::WHOLE }
    }

    /// All of it for those to whom it is new.
    #[must_use]
    pub fn or_whole(self, is_new: bool) -> Self {
        if is_new { Self::whole(self.now) } else { self }
    }
}

/// A set of members of a thing: of itself, and of the two ends of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told(u64);

/// The first bit of each end; a thing's own members begin at 0.
const ENDS: [u32; 2] = [32, 48];

const NODE: [&str; 15] = [
    "kind",
    "role",
    "agent_id",
    "label",
    "status",
    "fleet_id",
    "site",
    "x",
    "y",
    SEEN_AT,
    "alarms",
    "addresses",
    "relay_path",
    "relay_proof",
    "maintenance_until",
];
const SEEN_AT: &str = "seen_at";
const EDGE: [&str; 7] = ["source", "target", "edge_type", "state", "reason", "judged_at", "since"];
const END: [&str; 7] = [
    "agent_id",
    "interface",
    "public_key",
    "state",
    "endpoint",
    "allowed_ips",
    "persistent_keepalive",
];
const SITE: [&str; 6] = ["label", "fleet_id", "x", "y", "r", "counts"];

impl Told {
    /// Every member.
    pub const WHOLE: Self = Self(u64::MAX);
    /// No member.
    pub const NOTHING: Self = Self(0);

    /// Of members in the order of their names, those that differ.
    fn of<const N: usize>(_: &[&str; N], differs: [bool; N]) -> Self {
        Self(differs.iter().rev().fold(0, |bits, differs| (bits << 1) | u64::from(*differs)))
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, names: &[&str], first: u32, name: &str) -> bool {
        let at = names.iter().position(|known| *known == name);
        at.is_some_and(|at| (self.0 >> first >> at) & 1 == 1)
    }
}

/// Something on the map.
pub trait Thing: Clone {
    /// Its id on the map.
    fn id(&self) -> &str;

    /// What is to be told of it to whoever knows it as it was `before`. What moves with every
    /// report does not count.
    fn since(&self, before: &Self) -> Told;
}

impl Thing for Node {
    fn id(&self) -> &str {
        &self.id
    }

    fn since(&self, before: &Self) -> Told {
        let differs = [
            self.kind != before.kind,
            self.role != before.role,
            self.agent_id != before.agent_id,
            self.label != before.label,
            self.status != before.status,
            self.fleet_id != before.fleet_id,
            self.site != before.site,
            self.x != before.x,
            self.y != before.y,
            false,
            self.alarms != before.alarms,
            self.addresses != before.addresses,
            self.relay_path.relays() != before.relay_path.relays(),
            self.relay_path.proof() != before.relay_path.proof(),
            self.maintenance_until != before.maintenance_until,
        ];
        let told = Told::of(&NODE, differs);
        if told == Told::NOTHING {
            return told;
        }
        // With any change comes when it was heard last.
        told.and(Told::of(&NODE, NODE.map(|name| name == SEEN_AT)))
    }
}

impl Thing for Edge {
    fn id(&self) -> &str {
        &self.id
    }

    fn since(&self, before: &Self) -> Told {
        let differs = [
            self.source != before.source,
            self.target != before.target,
            self.edge_type != before.edge_type,
            self.state != before.state,
            self.reason != before.reason,
            self.judged_at != before.judged_at,
            self.since != before.since,
        ];
        let ends = self.ends.iter().zip(&before.ends).zip(ENDS);
        ends.fold(Told::of(&EDGE, differs), |told, ((end, before), first)| {
            told.and(Told(end_since(end, before).0 << first))
        })
    }
}

fn end_since(end: &End, before: &End) -> Told {
    let differs = [
        end.agent_id != before.agent_id,
        end.interface != before.interface,
        end.public_key != before.public_key,
        end.state != before.state,
        end.endpoint != before.endpoint,
        end.allowed_ips != before.allowed_ips,
        end.persistent_keepalive != before.persistent_keepalive,
    ];
    Told::of(&END, differs)
}

impl Thing for Site {
    fn id(&self) -> &str {
        &self.id
    }

    fn since(&self, before: &Self) -> Told {
        let differs = [
            self.label != before.label,
            self.fleet_id != before.fleet_id,
            self.x != before.x,
            self.y != before.y,
            self.r != before.r,
            self.counts != before.counts,
        ];
        Told::of(&SITE, differs)
    }
}

/// Writes the members that are told, and the id.
struct Only<M> {
    to: M,
    told: Told,
    names: &'static [&'static str],
    first: u32,
}

impl<M> Only<M> {
    fn tells(&self, name: &str) -> bool {
        name == "id" || self.told.has(self.names, self.first, name)
    }
}

impl<'a, M: SerializeMap> Members<'a> for Only<M> {
    type Error = M::Error;

    fn layers(&self) -> Layers {
        Layers::ALL
    }

    fn text(&mut self, name: &'static str, text: Option<Cow<'a, str>>) -> Result<(), M::Error> {
        if self.tells(name) { self.to.serialize_entry(name, &text) } else { Ok(()) }
    }

    fn value(
        &mut self,
        name: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), M::Error> {
        if self.tells(name) { self.to.serialize_entry(name, value) } else { Ok(()) }
    }

    fn ends(&mut self, [from, to]: &'a [End; 2]) -> Result<(), M::Error> {
        let [first, second] = ENDS;
        if self.told.0 >> first == 0 {
            return Ok(());
        }
        let told = self.told;
        let ends = [(from, first), (to, second)];
        let ends = ends.map(|(of, first)| Excerpt { of, told, names: &END, first });
        self.to.serialize_entry("ends", &ends)
    }
}

/// Some members of one thing.
struct Excerpt<'a, T> {
    of: &'a T,
    told: Told,
    names: &'static [&'static str],
    first: u32,
}

impl<'a, T: Listed<'a>> Serialize for Excerpt<'a, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { of, told, names, first } = *self;
        let mut only = Only { to: to.serialize_map(None)?, told, names, first };
        of.tell(&mut only)?;
        only.to.end()
    }
}

impl Serialize for Change<Node> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Excerpt { of: &self.now, told: self.told, names: &NODE, first: 0 }.serialize(to)
    }
}

impl Serialize for Change<Edge> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Excerpt { of: &self.now, told: self.told, names: &EDGE, first: 0 }.serialize(to)
    }
}

impl Serialize for Change<Site> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Excerpt { of: &self.now, told: self.told, names: &SITE, first: 0 }.serialize(to)
    }
}

#[cfg(test)]
mod tests;
