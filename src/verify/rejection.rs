//! Why a request was refused: one variant per reason, with what the operator needs to find the
//! cause. No status codes, no secrets, no nonces.
//!
//! The text of a rejection is for the log. Up to and including [`Rejection::SignatureInvalid`]
//! the sender has proved nothing, and the agent named is a claim; [`Rejection::detail`] is what
//! the sender may be told.

use thiserror::Error;

use crate::model::id::{AgentId, FleetId, FrameDictId, Kid};
use crate::model::state::Scheme;
use crate::model::time::UnixSeconds;
use crate::pack::Unfit;
use crate::wire::codes::ErrorCode;
use crate::wire::envelope::EnvelopeError;

use super::relay::ChainFault;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The body is not an envelope.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// There is no key to check with.
    #[error(
        "no key is available to check signatures with; look at the key source on the settings page"
    )]
    KeysUnavailable,
    /// No key that may sign for this agent made this signature.
    #[error("signature of {agent} does not hold (scheme {scheme}, key {}); give the agent the current key", kid_or_none(.kid))]
    SignatureInvalid {
        /// Who the sender claims to be: not proved.
        agent: AgentId,
        /// How it was signed.
        scheme: Scheme,
        /// The key it names, if it names one.
        kid: Option<Kid>,
        /// Whether the key may be one that this manager has not fetched yet.
        may_be_new_key: bool,
    },
    /// A scheme older than the settings or the agent's own past allow.
    #[error("{agent} signed with {scheme}, which it may no longer use; configure it for version 2")]
    VersionDowngrade {
        /// Who.
        agent: AgentId,
        /// What it used.
        scheme: Scheme,
    },
    /// The agent has a key of its own and used the shared one.
    #[error("{agent} has a key of its own and must sign with it; unpin it if it was reinstalled")]
    IdentityRequired {
        /// Who.
        agent: AgentId,
    },
    /// Taken out of service.
    #[error("{agent} has been taken out of service; approve it again or remove the agent")]
    AgentRevoked {
        /// Who.
        agent: AgentId,
    },
    /// New agents are not taken.
    #[error("{agent} is new and enrolment is closed; set KATTILA_ENROLL or approve it")]
    EnrollmentClosed {
        /// Who.
        agent: AgentId,
    },
    /// Known, but not approved yet.
    #[error("{agent} waits for an admin's approval")]
    AwaitingApproval {
        /// Who.
        agent: AgentId,
    },
    /// An admin turned down this key.
    #[error("an admin refused the key that {agent} offers; approve it, or use another")]
    KeyRefused {
        /// Who.
        agent: AgentId,
    },
    /// Another key than the one the agent is known by, without that one's signature.
    #[error(
        "{agent} is known by another key; sign with that one too (prev_sig), or have an admin \
         unpin it"
    )]
    IdentityConflict {
        /// Who.
        agent: AgentId,
    },
    /// A new agent under a name that is not made of its key.
    #[error(
        "{agent} is new, and its name is not made of its key; use the agent_id {own}, or report \
         under the shared key first"
    )]
    NotItsName {
        /// Who.
        agent: AgentId,
        /// The name that would be.
        own: String,
    },
    /// A registration that was signed before the agent's keys were last changed.
    #[error(
        "{agent} signed its registration at {timestamp}, and all up to {taken_until} are done \
         with; the manager's clock says {now}: set the host's clock, then sign a new one"
    )]
    RegistrationStale {
        /// Who.
        agent: AgentId,
        /// Its time.
        timestamp: UnixSeconds,
        /// When the last change of the agent's keys was.
        taken_until: UnixSeconds,
        /// The manager's time.
        now: UnixSeconds,
    },
    /// Signed for another fleet than the agent's.
    #[error("{agent} signed for fleet {sent} but belongs to {known}; reset the agent to move it")]
    FleetMismatch {
        /// Who.
        agent: AgentId,
        /// What it sent.
        sent: FleetId,
        /// What it is known under.
        known: FleetId,
    },
    /// Signed too long ago or too far ahead.
    #[error(
        "{agent} signed at {timestamp}, the manager's clock says {now}, {max_skew} seconds are allowed; set the host's clock"
    )]
    TimestampSkew {
        /// Who.
        agent: AgentId,
        /// Its time.
        timestamp: UnixSeconds,
        /// The manager's time.
        now: UnixSeconds,
        /// What is allowed, in seconds.
        max_skew: i64,
    },
    /// A version 1 nonce that was used before.
    #[error("{agent} sent a report again that was accepted at {accepted_at}")]
    Replayed {
        /// Who.
        agent: AgentId,
        /// When the first one was accepted.
        accepted_at: UnixSeconds,
    },
    /// A version 1 body that was accepted before, of an agent whose bodies never repeat.
    #[error(
        "{agent} sent data again that was accepted at {accepted_at}, under a new nonce, though its \
         reports never repeat; someone may have recorded one: move the agent to version 2"
    )]
    BodyRepeated {
        /// Who.
        agent: AgentId,
        /// When the first one was accepted.
        accepted_at: UnixSeconds,
    },
    /// A version 1 body whose own time is off, of an agent whose time has been right.
    #[error(
        "{agent} sent data collected at {collected_at}, the manager's clock says {now}, {max_skew} \
         seconds are allowed; collect and sign anew, and if the agent did not send this, someone \
         has recorded a report: move the agent to version 2"
    )]
    CollectedSkew {
        /// Who.
        agent: AgentId,
        /// The time inside its data.
        collected_at: UnixSeconds,
        /// The manager's time.
        now: UnixSeconds,
        /// What is allowed, in seconds.
        max_skew: i64,
    },
    /// A version 2 tick that was used for other bytes, or is too old to tell.
    #[error("{agent} used tick {tick} before, or it is too old; use a larger one")]
    TickReplayed {
        /// Who.
        agent: AgentId,
        /// Which.
        tick: i64,
    },
    /// A version 2 nonce that was used for another report.
    #[error("{agent} used a nonce for two different reports; make a random one for each")]
    NonceReused {
        /// Who.
        agent: AgentId,
    },
    /// Too many.
    #[error("{} sends too much; wait {retry_after} seconds", agent_or_source(.agent))]
    RateLimited {
        /// The agent, or `None` if the limit is the address's.
        agent: Option<AgentId>,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// So many new agents that there is no room for one more.
    #[error(
        "{agent} is not registered, there are too many new agents; it may try again in {retry_after} \
         seconds, and an admin can allow more with KATTILA_RATE_NEW and KATTILA_AGENTS_MAX"
    )]
    NoRoom {
        /// Who.
        agent: AgentId,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// `data` is not what a report may hold.
    #[error("data of {agent} cannot be used: {detail}")]
    DataInvalid {
        /// Who.
        agent: AgentId,
        /// What is wrong and what to do.
        detail: String,
    },
    /// A frame whose data cannot be decompressed.
    #[error("data of {agent} cannot be decompressed: {fault}; send one whole zstd frame")]
    FrameUnfit {
        /// Who.
        agent: AgentId,
        /// What is wrong.
        fault: Unfit,
    },
    /// A frame that is compressed with a dictionary that is not, or no longer, here.
    #[error(
        "{agent} compressed its report with the dictionary {dict}, which is not known here; send \
         it with enc identity, then use the dictionary that the answer names"
    )]
    DictionaryUnknown {
        /// Who.
        agent: AgentId,
        /// Which.
        dict: FrameDictId,
    },
    /// The path of relays breaks a rule.
    #[error("what {relay} passes on is refused: {fault}")]
    Chain {
        /// The outermost relay: its signature holds.
        relay: AgentId,
        /// Which rule.
        fault: ChainFault,
    },
    /// What a relay passed on was refused.
    #[error("{why} (passed on by {relay})")]
    Relayed {
        /// The outermost relay: its signature holds.
        relay: AgentId,
        /// Whether another relay on the path is at fault, not the report.
        broken: bool,
        /// Why.
        why: Box<Rejection>,
    },
    /// More reports than can be stored at the moment.
    #[error("more reports are waiting than the queue takes; try again")]
    Overloaded,
    /// The disk or the database does not answer.
    #[error("storage is not available; look at the manager's disk, then try again")]
    StorageUnavailable,
    /// Not ready yet.
    #[error("the manager is starting; try again")]
    Starting,
}

impl Rejection {
    /// The same, of a report that a relay passed on.
    #[must_use]
    pub fn through(self, relay: &AgentId) -> Self {
        Self::Relayed { relay: relay.clone(), broken: false, why: Box::new(self) }
    }

    /// The same, of another relay on the path.
    #[must_use]
    pub fn broken(self, relay: &AgentId) -> Self {
        let relay = relay.clone();
        if let Self::Chain { fault, .. } = self {
            return Self::Chain { relay, fault };
        }
        Self::Relayed { relay, broken: true, why: Box::new(self) }
    }

    /// The reason, whoever passed the request on.
    pub fn reason(&self) -> &Self {
        let mut reason = self;
        while let Self::Relayed { why, .. } = reason {
            reason = why;
        }
        reason
    }

    /// The relay that sent the request, if its signature holds.
    pub fn relay(&self) -> Option<&AgentId> {
        if let Self::Relayed { relay, .. } | Self::Chain { relay, .. } = self {
            return Some(relay);
        }
        None
    }

    /// What is wrong with the path of a report, if it is the path that breaks the rules: relays
    /// that are too many, turn in a loop or are not numbered one by one, or one whose signature
    /// does not hold. Says who passed it on, and what is wrong.
    pub fn broken_path(&self) -> Option<(&AgentId, String)> {
        if let Self::Chain { relay, fault } = self {
            let breaks =
                matches!(fault, ChainFault::TooDeep | ChainFault::Loop(_) | ChainFault::Hop { .. });
            return breaks.then(|| (relay, fault.to_string()));
        }
        let Self::Relayed { relay, broken: true, why } = self else { return None };
        let Self::SignatureInvalid { agent, .. } = why.reason() else { return None };
        Some((relay, format!("the signature of the relay {agent} does not hold")))
    }

    /// The code of the answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Envelope(error) => error.code(),
            Self::KeysUnavailable => ErrorCode::KeysUnavailable,
            Self::SignatureInvalid { .. } => ErrorCode::SignatureInvalid,
            Self::VersionDowngrade { .. } => ErrorCode::VersionDowngrade,
            Self::IdentityRequired { .. } => ErrorCode::IdentityRequired,
            Self::AgentRevoked { .. } => ErrorCode::AgentRevoked,
            Self::EnrollmentClosed { .. } | Self::KeyRefused { .. } => ErrorCode::EnrollmentClosed,
            Self::IdentityConflict { .. } | Self::NotItsName { .. } => ErrorCode::IdentityConflict,
            Self::AwaitingApproval { .. } => ErrorCode::PendingApproval,
            Self::FleetMismatch { .. } => ErrorCode::FleetMismatch,
            Self::TimestampSkew { .. }
            | Self::CollectedSkew { .. }
            | Self::RegistrationStale { .. } => ErrorCode::TimestampSkew,
            Self::Replayed { .. } | Self::BodyRepeated { .. } => ErrorCode::NonceReplayed,
            Self::TickReplayed { .. } => ErrorCode::TickReplayed,
            Self::NonceReused { .. } => ErrorCode::NonceReused,
            Self::Chain { fault, .. } => match fault {
                ChainFault::TooDeep => ErrorCode::RelayTooDeep,
                ChainFault::Loop(_) => ErrorCode::RelayLoop,
                ChainFault::Hop { .. } => ErrorCode::RelayHop,
                ChainFault::Fleet { .. } => ErrorCode::FleetMismatch,
                ChainFault::Barred(_) | ChainFault::SharedKey(_) => ErrorCode::RelayNotAllowed,
            },
            Self::Relayed { why, .. } => why.code(),
            Self::RateLimited { .. } | Self::NoRoom { .. } => ErrorCode::RateLimited,
            Self::DataInvalid { .. } => ErrorCode::DataInvalid,
            Self::FrameUnfit { .. } => ErrorCode::DataInvalid,
            Self::DictionaryUnknown { .. } => ErrorCode::DictionaryUnknown,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::StorageUnavailable => ErrorCode::StorageUnavailable,
            Self::Starting => ErrorCode::Starting,
        }
    }

    /// What the sender is told: the whole reason, except that every failure of a signature
    /// reads the same.
    pub fn detail(&self) -> String {
        if matches!(self.reason(), Self::SignatureInvalid { .. }) {
            return "the signature does not hold; read the key again, then sign the exact bytes \
                    that are sent"
                .to_owned();
        }
        self.reason().to_string()
    }

    /// The agent it is about: a claim unless [`Self::is_authenticated`].
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Envelope(_)
            | Self::KeysUnavailable
            | Self::Overloaded
            | Self::StorageUnavailable
            | Self::Starting => None,
            Self::RateLimited { agent, .. } => agent.as_ref(),
            Self::Relayed { why, .. } => why.agent(),
            Self::Chain { relay, .. } => Some(relay),
            Self::SignatureInvalid { agent, .. }
            | Self::VersionDowngrade { agent, .. }
            | Self::IdentityRequired { agent }
            | Self::NoRoom { agent, .. }
            | Self::AgentRevoked { agent }
            | Self::EnrollmentClosed { agent }
            | Self::AwaitingApproval { agent }
            | Self::KeyRefused { agent }
            | Self::IdentityConflict { agent }
            | Self::NotItsName { agent, .. }
            | Self::RegistrationStale { agent, .. }
            | Self::FleetMismatch { agent, .. }
            | Self::TimestampSkew { agent, .. }
            | Self::Replayed { agent, .. }
            | Self::BodyRepeated { agent, .. }
            | Self::CollectedSkew { agent, .. }
            | Self::TickReplayed { agent, .. }
            | Self::NonceReused { agent }
            | Self::FrameUnfit { agent, .. }
            | Self::DictionaryUnknown { agent, .. }
            | Self::DataInvalid { agent, .. } => Some(agent),
        }
    }

    /// Whether the agent named has proved that it holds a key.
    pub fn is_authenticated(&self) -> bool {
        self.agent().is_some() && !matches!(self.reason(), Self::SignatureInvalid { .. })
    }

    /// Whether the keys should be fetched once more and the request checked again: an agent
    /// may know a new key before the manager does.
    pub fn wants_new_keys(&self) -> bool {
        match self {
            Self::KeysUnavailable => true,
            Self::SignatureInvalid { may_be_new_key, .. } => *may_be_new_key,
            Self::Relayed { why, .. } => why.wants_new_keys(),
            Self::Envelope(_)
            | Self::VersionDowngrade { .. }
            | Self::IdentityRequired { .. }
            | Self::AgentRevoked { .. }
            | Self::EnrollmentClosed { .. }
            | Self::AwaitingApproval { .. }
            | Self::KeyRefused { .. }
            | Self::IdentityConflict { .. }
            | Self::NotItsName { .. }
            | Self::RegistrationStale { .. }
            | Self::FleetMismatch { .. }
            | Self::TimestampSkew { .. }
            | Self::Replayed { .. }
            | Self::BodyRepeated { .. }
            | Self::CollectedSkew { .. }
            | Self::TickReplayed { .. }
            | Self::NonceReused { .. }
            | Self::Chain { .. }
            | Self::RateLimited { .. }
            | Self::NoRoom { .. }
            | Self::DataInvalid { .. }
            | Self::FrameUnfit { .. }
            | Self::DictionaryUnknown { .. }
            | Self::Overloaded
            | Self::StorageUnavailable
            | Self::Starting => false,
        }
    }
}

fn kid_or_none(kid: &Option<Kid>) -> &str {
    kid.as_ref().map_or("not named", Kid::as_str)
}

fn agent_or_source(agent: &Option<AgentId>) -> &str {
    agent.as_ref().map_or("this address", AgentId::as_str)
}

#[cfg(test)]
mod tests;
