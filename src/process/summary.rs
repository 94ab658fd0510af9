//! An agent in one line, as lists and pages show it.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, CanonForm, IdentityState, PinnedHow, Scheme};
use crate::model::time::UnixSeconds;

/// An agent in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentSummary {
    /// Its name.
    pub agent_id: AgentId,
    /// Its host's name.
    pub hostname: Option<String>,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// Its program's version.
    pub agent_version: Option<String>,
    /// When it was first accepted.
    pub registered_at: UnixSeconds,
    /// When its last report was received.
    pub last_seen_at: Option<UnixSeconds>,
    /// Its last tick.
    pub last_tick: Option<i64>,
    /// How the manager sees it.
    pub status: AgentStatus,
    /// Since when.
    pub status_since: UnixSeconds,
    /// How its last report was signed.
    pub scheme: Option<Scheme>,
    /// Which bytes its version 1 signature covers.
    pub form: Option<CanonForm>,
    /// Which key signed its last report.
    pub kid: Option<Kid>,
    /// Its interfaces' names.
    pub interfaces: Vec<String>,
    /// How many WireGuard peers it lists.
    pub peers: usize,
    /// How many links it has, listed by it or by others.
    pub links: usize,
    /// How many of those are down.
    pub links_down: usize,
    /// Its WireGuard addresses.
    pub addresses: Vec<String>,
    /// Its `site` label.
    pub site: Option<String>,
    /// Its `role` label.
    pub role: Option<String>,
    /// Items of its last report that could not be understood.
    pub problems: usize,
    /// `timestamp` minus the manager's clock, in seconds.
    pub clock_offset: i64,
    /// The way its last report took.
    #[serde(flatten)]
    pub relay_path: RelayPath,
    /// Whether it may pass on what others report, as far as admins are concerned.
    pub may_relay: bool,
    /// Agents whose last report came through this one.
    pub relays_for: Vec<AgentId>,
    /// Address its last report or registration came from.
    pub source: Option<IpAddr>,
    /// Until when a maintenance window covers it, if one does.
    pub maintenance_until: Option<UnixSeconds>,
    /// Its own key, in force or waiting for an admin.
    pub identity: Option<Identity>,
}

/// An agent's own key in one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identity {
    /// `pinned` or `pending`.
    pub state: IdentityState,
    /// The Ed25519 public key in base64url.
    pub public_key: IdentityKey,
    /// Its name: the first 16 digits of the fingerprint.
    pub kid: Kid,
    /// What people compare: the SHA-256 of the key, 64 hexadecimal digits.
    pub fingerprint: String,
    /// How it came, or would come, into force.
    pub how: PinnedHow,
    /// When it was pinned; of a pending one, when it was asked for.
    pub since: UnixSeconds,
    /// Address it was asked for from.
    pub source: Option<IpAddr>,
    /// Whether the agent's id is made of this key.
    pub certified: bool,
}
