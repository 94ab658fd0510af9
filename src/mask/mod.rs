//! Pseudonyms: what somebody may look at who must not learn names and addresses, with the structure
//! and the states of the real thing.
//!
//! A [`Guise`] is a key of 32 bytes and what follows from it. Names become keyed digests; keys of
//! WireGuard and ids of links are permuted, so that they can be turned back here and nowhere else;
//! addresses keep what they share with their neighbours ([`address`]); sentences keep the words that
//! are the program's own ([`text`]). The same key and name give the same pseudonym everywhere, so
//! that two answers can be laid side by side. Whoever knows some real pairs can infer the prefixes
//! around them: this is for screenshots, colleagues and guests, not for publication.
//!
//! Must never let a text through that it does not know the meaning of.

pub mod address;
pub mod faces;
pub mod picture;
pub mod rows;
pub mod text;

mod permute;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::hex;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::{IdentityKey, WgKey};
use crate::model::path::RelayPath;
use crate::model::reach::Reach;
use crate::sign::hmac::mac;
use crate::topology::picture::Picture;

/// Digits of a pseudonym: 48 bits, so that two of 100,000 hosts share one in a run of fifty
/// thousand.
pub const DIGITS: usize = 12;

/// Roles that the map knows; any other word of a host is told as the first.
const ROLES: [&str; 4] = ["agent", "gateway", "relay", "external"];

/// Names that the manager gives itself, and what stands for nobody; they tell nothing.
const OWN_NAMES: [&str; 6] = ["admin", "anonymous", "manager", "unknown", "the setup code", ""];

/// How somebody sees: how far, and under which pseudonyms if not under real names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lens {
    /// How far.
    pub reach: Reach,
    /// Under which pseudonyms; `None`: under real names.
    pub guise: Option<Guise>,
}

impl Lens {
    /// Everything under real names.
    pub fn whole() -> Self {
        Self::default()
    }

    /// As far as that, under real names.
    pub fn of(reach: Reach) -> Self {
        Self { reach, guise: None }
    }

    /// The reach in the words of its pseudonyms: what is masked has these fleets.
    pub fn told_reach(&self) -> Reach {
        match (&self.guise, &self.reach) {
            (Some(guise), Reach::Fleets(own)) => {
                Reach::only(own.iter().map(|fleet| guise.fleet(fleet)))
            }
            (Some(_) | None, reach) => reach.clone(),
        }
    }

    /// Whether that is everything under real names: nothing has to be worked out.
    pub fn is_clear(&self) -> bool {
        self.reach.is_whole() && self.guise.is_none()
    }

    /// Just as far, under real names: for what is masked after it was worked out.
    pub fn unmasked(&self) -> Self {
        Self::of(self.reach.clone())
    }
}

/// What pseudonyms are made of; copies share the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Guise {
    key: Arc<Zeroizing<[u8; 32]>>,
}

impl std::hash::Hash for Guise {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.as_slice().hash(state);
    }
}

impl fmt::Debug for Guise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guise(hidden)")
    }
}

impl Guise {
    /// Of a key.
    pub fn of(key: [u8; 32]) -> Self {
        Self { key: Arc::new(Zeroizing::new(key)) }
    }

    fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// What tells apart the answers of two guises and tells nothing else: 16 digits.
    pub fn tag(&self) -> String {
        let mut tag = hex::encode(&mac(self.key(), b"tag"));
        tag.truncate(16);
        tag
    }

    /// The digits of a name, whatever it names: an agent that is called like its site shows the
    /// same digits.
    fn digits(&self, name: &str) -> String {
        let mut digits = hex::encode(&mac(self.key(), &[b"name\0", name.as_bytes()].concat()));
        digits.truncate(DIGITS);
        digits
    }

    fn named(&self, kind: &str, name: &str) -> String {
        format!("{kind}-{}", self.digits(name))
    }

    /// A fleet; the one that nobody named tells nothing.
    pub fn fleet(&self, real: &FleetId) -> FleetId {
        if *real == FleetId::unnamed() {
            return real.clone();
        }
        self.named("fleet", real.as_str()).parse().unwrap_or_else(|_never| FleetId::unnamed())
    }

    /// An agent's id.
    pub fn agent(&self, real: &AgentId) -> AgentId {
        // A pseudonym follows the rule of ids; the real one never stands in for it.
        let masked = self.named("agent", real.as_str()).parse();
        masked.unwrap_or_else(|_never| AgentId::nobody())
    }

    /// What should be an agent's id, and was never proven to be.
    pub fn agent_text(&self, real: &str) -> String {
        self.named("agent", real)
    }

    /// A host's name.
    pub fn host(&self, real: &str) -> String {
        self.named("host", real)
    }

    /// What a node is called: its host's name, or else its agent's id.
    fn label(&self, real: &str, agent: &AgentId) -> String {
        if real == agent.as_str() { self.agent(agent).to_string() } else { self.host(real) }
    }

    /// A site's name, of the label `site` or of a gateway.
    pub fn site(&self, real: &str) -> String {
        if real.is_empty() { String::new() } else { self.named("site", real) }
    }

    /// A site's id, `FLEET/NAME`.
    pub fn site_id(&self, real: &str) -> String {
        match real.split_once('/') {
            Some((fleet, name)) => format!("{}/{}", self.fleet_text(fleet), self.site(name)),
            None => self.site(real),
        }
    }

    fn fleet_text(&self, real: &str) -> String {
        match real.parse() {
            Ok(fleet) => self.fleet(&fleet).to_string(),
            Err(_odd) => self.named("fleet", real),
        }
    }

    /// A role of a label, as far as the map knows it.
    pub fn role(&self, real: &str) -> &'static str {
        ROLES.iter().find(|role| **role == real).copied().unwrap_or("agent")
    }

    /// A person or a token; the manager's own names tell nothing.
    pub fn person(&self, real: &str) -> String {
        if OWN_NAMES.contains(&real) { real.to_owned() } else { self.named("user", real) }
    }

    /// A WireGuard key.
    pub fn key_of(&self, real: &WgKey) -> WgKey {
        WgKey(permute::wide(self.key(), real.0))
    }

    /// The WireGuard key behind a pseudonym.
    pub fn real_key(&self, masked: &WgKey) -> WgKey {
        WgKey(permute::wide_back(self.key(), masked.0))
    }

    /// An agent's own key.
    pub fn identity_key(&self, real: &IdentityKey) -> IdentityKey {
        IdentityKey(permute::wide(self.key(), real.0))
    }

    /// 64 digits of a digest: it could be compared with that of what was guessed.
    pub fn digest(&self, real: &str) -> String {
        hex::encode(&mac(self.key(), &[b"digest\0", real.as_bytes()].concat()))
    }

    /// The same for bytes.
    pub fn digest_bytes(&self, real: &[u8; 32]) -> [u8; 32] {
        mac(self.key(), &[b"digest\0", real.as_slice()].concat())
    }

    /// A name made of a digest, 16 hexadecimal digits: of a link, or of a key.
    pub fn short_id(&self, real: &str) -> String {
        match short(real) {
            Some(value) => format!("{:016x}", permute::narrow(self.key(), value)),
            None => self.digits(real),
        }
    }

    /// The name behind a pseudonym, whether there is such a thing or not.
    pub fn real_short_id(&self, masked: &str) -> Option<String> {
        Some(format!("{:016x}", permute::narrow_back(self.key(), short(masked)?)))
    }

    /// A key's name.
    pub fn kid(&self, real: &Kid) -> Kid {
        let masked = self.short_id(real.as_str()).parse();
        masked.unwrap_or_else(|_never| Kid::of_digest(&[0; 32]))
    }

    /// A node's id: `a:AGENT` or `x:FLEET:KEY`.
    pub fn node_id(&self, real: &str) -> String {
        if let Some(agent) = real.strip_prefix("a:") {
            return format!("a:{}", self.named("agent", agent));
        }
        let parts = real.strip_prefix("x:").and_then(|rest| rest.split_once(':'));
        let Some((fleet, key)) = parts else { return self.named("node", real) };
        let key = match key.parse() {
            Ok(key) => self.key_of(&key).to_string(),
            Err(_odd) => self.named("peer", key),
        };
        format!("x:{}:{key}", self.fleet_text(fleet))
    }

    /// An address that stays one: the mark of foreign ranges has no place in it.
    pub fn ip(&self, real: IpAddr) -> IpAddr {
        address::bare(self.key(), real)
    }

    /// Addresses and networks as texts; what is none of them is left out.
    pub fn addresses(&self, real: &[String]) -> Vec<String> {
        real.iter().filter_map(|text| address::masked(self.key(), text)).collect()
    }

    fn endpoint(&self, real: Option<&str>) -> Option<String> {
        let real = real?;
        match address::endpoint(self.key(), real) {
            Some(masked) => Some(masked),
            // A host's name with a port.
            None => real.rsplit_once(':').map(|(host, port)| format!("{}:{port}", self.host(host))),
        }
    }

    /// The way of a report.
    pub fn way(&self, real: &RelayPath) -> RelayPath {
        match real.proof() {
            Some(proof) => {
                RelayPath::through(real.relays().iter().map(|id| self.agent(id)).collect(), proof)
            }
            None => RelayPath::direct(),
        }
    }

    /// A hardware address, as a local one (IEEE 802, the second bit of the first byte).
    pub fn mac(&self, real: &str) -> Option<String> {
        if !is_mac(real) {
            return None;
        }
        let digest = mac(self.key(), &[b"mac\0", real.to_ascii_lowercase().as_bytes()].concat());
        let rest: Vec<String> = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        Some(format!("02:{}", rest.join(":")))
    }
}

/// Whether a text is a hardware address: six bytes or more with colons between.
fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let byte = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(parts.len(), 6 | 8 | 20) && parts.iter().all(byte)
}

/// The value of 16 lowercase hexadecimal digits.
fn short(text: &str) -> Option<u64> {
    let fits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if fits { u64::from_str_radix(text, 16).ok() } else { None }
}

/// A picture under pseudonyms.
#[derive(Debug)]
pub struct Masked {
    /// The picture.
    pub picture: Picture,
    /// Pseudonyms of the ids of nodes, links and sites.
    pub ids: HashMap<String, String>,
}

impl Masked {
    /// The pseudonym of an id that is on the picture.
    pub fn id(&self, real: &str) -> Option<&str> {
        self.ids.get(real).map(String::as_str)
    }
}

/// The picture under pseudonyms, with those of its ids.
pub fn masked(real: &Picture, guise: &Guise) -> Masked {
    let nodes = real.nodes.iter().map(|node| (node.id.clone(), guise.node_id(&node.id)));
    let sites = real.sites.iter().map(|site| (site.id.clone(), guise.site_id(&site.id)));
    let edges = real.edges.iter().map(|edge| (edge.id.clone(), guise.short_id(&edge.id)));
    let ids = nodes.chain(sites).chain(edges).collect();
    Masked { picture: picture::Painter::new(guise.clone()).paint(real), ids }
}

#[cfg(test)]
mod tests;
