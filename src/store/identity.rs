//! What is kept of agents' own keys.

use std::net::IpAddr;

use crate::model::id::{AgentNo, Kid};
use crate::model::key::IdentityKey;
use crate::model::state::{IdentityState, PinnedHow};
use crate::model::time::UnixSeconds;

/// A key of an agent's own: asked for, in force, or past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRecord {
    /// Row number, given by the processor.
    pub no: i64,
    /// Whose.
    pub agent: AgentNo,
    /// The key.
    pub public_key: IdentityKey,
    /// Its name.
    pub kid: Kid,
    /// How it came, or would come, into force.
    pub how: PinnedHow,
    /// Where it stands.
    pub state: IdentityState,
    /// When it was asked for.
    pub registered_at: UnixSeconds,
    /// Registrations of the agent signed until then are not taken (again): when the last one
    /// was signed, or what it did was undone, whichever is later.
    pub taken_until: UnixSeconds,
    /// When it came into force; `None` = never.
    pub pinned_at: Option<UnixSeconds>,
    /// When it went out of force or was turned down.
    pub retired_at: Option<UnixSeconds>,
    /// When its agent was taken out of service, if it is.
    pub revoked_at: Option<UnixSeconds>,
    /// Address the registration came from.
    pub source: Option<IpAddr>,
}
