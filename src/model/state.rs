//! The closed vocabularies: states of agents, edges, ends and alarms, and how a report was signed.

use std::fmt;

use serde::{Deserialize, Serialize};

words!(
    /// How the manager sees an agent.
    AgentStatus {
        /// Waits for an admin's approval; its reports are refused until then.
        Pending = "pending",
        /// Reports arrive.
        Online = "online",
        /// Reports are late (`3R + 10 s`).
        Stale = "stale",
        /// No report for `6R`, at least 180 s.
        Offline = "offline",
        /// Taken out of service by an admin.
        Retired = "retired",
    }
);

words!(
    /// How a report was signed.
    Scheme {
        /// First generation: HMAC over the bytes of `data`.
        V1 = "v1",
        /// Second generation, shared key.
        V2Hmac = "v2-hmac",
        /// Second generation, the agent's own key.
        V2Ed25519 = "v2-ed25519",
    }
);

words!(
    /// Whether the relays of a report's path are known to have passed it on.
    RelayProof {
        /// Each of them signed for it.
        Proven = "proven",
        /// The origin says so; version 1 does not sign it.
        Claimed = "claimed",
    }
);

words!(
    /// Which bytes a version 1 signature covers.
    CanonForm {
        /// The bytes of `data` as received.
        Raw = "raw",
        /// No space between tokens.
        Compact = "compact",
        /// No space, object members sorted by key.
        CompactSorted = "compact_sorted",
        /// Python's default: a space after `,` and `:`.
        Spaced = "spaced",
        /// Python's default with `sort_keys`.
        SpacedSorted = "spaced_sorted",
    }
);

words!(
    /// Where a key of an agent's own stands.
    IdentityState {
        /// Waits for an admin.
        Pending = "pending",
        /// In force: the agent's reports must be signed with it.
        Pinned = "pinned",
        /// Was in force: rotated or unpinned.
        Retired = "retired",
        /// Turned down by an admin.
        Refused = "refused",
    }
);

words!(
    /// How a key of an agent's own came to be trusted.
    PinnedHow {
        /// The first one that was seen.
        Tofu = "tofu",
        /// An admin let it in.
        Approved = "approved",
        /// The key before it signed for it.
        Rotated = "rotated",
    }
);

words!(
    /// The verdict on an edge, from both ends' evidence.
    EdgeState {
        /// Alive: a young handshake at an end that can know.
        Up = "up",
        /// Nothing expects it alive and its handshake is old; healthy.
        Idle = "idle",
        /// Should be alive and is not.
        Down = "down",
        /// Traffic passes in one direction only.
        OneWay = "one_way",
        /// One end does not know the other's key.
        HalfConfigured = "half_configured",
        /// There has never been a handshake.
        Never = "never",
        /// No end has fresh evidence.
        Unknown = "unknown",
    }
);

words!(
    /// What one end of an edge shows; each half of a drawn link has its own.
    EndState {
        /// Handshake younger than T1.
        Up = "up",
        /// Old handshake, nothing expects it alive.
        Idle = "idle",
        /// Past T1, not yet T2, and expected alive.
        Overdue = "overdue",
        /// Past T2 and expected alive.
        Down = "down",
        /// Never had a handshake.
        Never = "never",
        /// The other end does not list this one, or this one not the other.
        Missing = "missing",
        /// No agent there, or its evidence is old.
        Unknown = "unknown",
    }
);

words!(
    /// How bad an alarm is, least first.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// May become a fault.
        Warning = "warning",
        /// A fault without loss of service.
        Minor = "minor",
        /// Loss of service.
        Major = "major",
        /// Loss of service for many, or of trust.
        Critical = "critical",
    }
);

words!(
    /// Where an alarm stands (a subset of ISA-18.2).
    AlarmState {
        /// The condition holds, the raise delay is not over; not shown as an alarm.
        Pending = "pending",
        /// Raised, nobody has acknowledged it.
        Active = "active",
        /// Raised and acknowledged.
        Acknowledged = "acknowledged",
        /// The condition is over, but a latching kind waits for an acknowledgement.
        Returned = "returned",
        /// Over.
        Cleared = "cleared",
    }
);

words!(
    /// What a message tells of an alarm.
    Telling {
        /// It was raised, or raised again after its condition was over.
        Raised = "raised",
        /// It comes and goes; nothing more is told of that until it is over.
        Flapping = "flapping",
        /// It is worse than it was when told last.
        Worse = "worse",
        /// It is still open, and nobody has acknowledged it.
        Repeated = "repeated",
        /// The same, to somebody who was not told before.
        Escalated = "escalated",
        /// Somebody acknowledged it.
        Acknowledged = "acknowledged",
        /// Its condition is over; it waits for somebody to acknowledge it.
        Returned = "returned",
        /// It is over.
        Cleared = "cleared",
    }
);

words!(
    /// Where a message stands.
    MessageState {
        /// It is to be sent, or sent again.
        Waiting = "waiting",
        /// Its receiver took it.
        Sent = "sent",
        /// It was given up.
        Dead = "dead",
    }
);

words!(
    /// What an alarm is about; the dotted names of the catalogue.
    AlarmKind {
        /// Reports are late.
        AgentStale = "agent.stale",
        /// Reports have stopped.
        AgentOffline = "agent.offline",
        /// It stops and comes back, again and again.
        AgentFlapping = "agent.flapping",
        /// The host's boot id changed.
        AgentRebooted = "agent.rebooted",
        /// Reports arrive only through other agents.
        AgentRelayOnly = "agent.relay_only",
        /// Everybody behind a relay is silent.
        RelayDead = "relay.dead",
        /// A relay passes on what breaks the rules of the path.
        RelayChainBad = "relay.chain_bad",
        /// An interface went down while it should be up.
        IfaceDown = "iface.down",
        /// An interface disappeared.
        IfaceGone = "iface.gone",
        /// An edge that should be alive is not.
        EdgeDown = "edge.down",
        /// One end lists the other, the other does not list it.
        EdgeHalfConfigured = "edge.half_configured",
        /// Packets pass in one direction of an edge only.
        EdgeOneWay = "edge.one_way",
        /// Both ends tell different last handshakes.
        EdgeDisagree = "edge.disagree",
        /// One end's address is not in the other's allowed ips.
        AllowedIpsMismatch = "allowedips.mismatch",
        /// A tunnel's packets do not fit.
        MtuMismatch = "mtu.mismatch",
        /// No route leads into the interface for what a peer may use.
        RouteMissing = "route.missing",
        /// A peer may not use any more what it could.
        AllowedIpsMoved = "allowedips.moved",
        /// One overlay address on several hosts.
        OverlayIpDuplicate = "overlay_ip.duplicate",
        /// A link that is configured has never worked.
        PeerNeverUp = "peer.never_up",
        /// A peer keeps changing its address.
        EndpointFlapping = "endpoint.flapping",
        /// Others send to a port that an interface has left.
        ListenPortChanged = "listen_port.changed",
        /// A peer's preshared key was removed.
        WgPskRemoved = "wg_psk.removed",
        /// A peer's key belongs to no agent.
        PeerUnknown = "peer.unknown",
        /// The agent's clock is off.
        AgentClockSkew = "agent.clock_skew",
        /// The agent's clock is not kept right.
        AgentClockDrift = "agent.clock_drift",
        /// The agent's clock was set back.
        AgentClockWentBack = "agent.clock_went_back",
        /// A host lost its last default route.
        DefaultRouteChanged = "default_route.changed",
        /// Signatures that do not verify.
        IngestBadHmac = "ingest.bad_hmac",
        /// A nonce was used again with other content.
        IngestReplay = "ingest.replay",
        /// A version 1 report looks recorded.
        IngestReplaySuspect = "ingest.replay_suspect",
        /// The TXT record cannot be read; old keys stay in use.
        DnsPskStale = "dns_psk.stale",
        /// The TXT record holds something it should not.
        DnsPskUnexpected = "dns_psk.unexpected",
        /// A fleet's live network fell apart.
        NetPartition = "net.partition",
        /// The manager's own clock is suspect.
        ManagerClock = "manager.clock",
        /// Most agents fell silent at once: the manager itself is cut off.
        ManagerMassSilence = "manager.mass_silence",
        /// The database lost acknowledged reports.
        StorageRolledBack = "storage.rolled_back",
        /// The audit does not hang together.
        AuditChainBroken = "audit.chain_broken",
        /// A report carried a private or preshared key.
        SecretInReport = "report.secret",
        /// Two hosts use one agent's name, or a second key was offered for it.
        IdentityConflict = "identity.conflict",
        /// An agent with a key of its own was spoken for with the shared one.
        IdentityDowngrade = "identity.downgrade",
        /// An agent's key was taken as first seen.
        IdentityPinned = "identity.pinned",
        /// An agent signs with a shared key that will not last.
        KeyOldInUse = "key.old_in_use",
        /// One WireGuard key on several hosts.
        WgKeyDuplicate = "wg_key.duplicate",
        /// A channel does not take the messages about alarms.
        NotifyFailing = "notify.failing",
        /// An agent carries what other ways carried before.
        SpofNew = "spof.new",
        /// Of several links between two sites one is left, or none.
        RedundancyLost = "redundancy.lost",
        /// An agent reports, and all its links are dead.
        NodeIsolated = "node.isolated",
        /// Many agents report through one relay alone.
        RelaySpof = "relay.spof",
        /// An agent has been offline for a month.
        AgentNeverReturned = "agent.never_returned",
        /// Agents, or keys of theirs, wait for an admin.
        AgentUnapproved = "agent.unapproved",
        /// Reports are correctly signed, and their content cannot be used.
        PayloadRejected = "payload.rejected",
        /// Reports wait for too long, or are turned away.
        IngestLag = "ingest.lag",
        /// A background job fails, or does not run.
        JobFailed = "job.failed",
        /// Somebody guesses tokens.
        LoginBruteforce = "login.bruteforce",
        /// One prefix ends at several hosts.
        RouteConflict = "route.conflict",
        /// The disk of the database is nearly full, or its log grows.
        DbPressure = "db.pressure",
        /// The certificate of the door ends soon.
        TlsExpiring = "tls.expiring",
        /// An agent's program is older than it may be.
        AgentVersionOld = "agent.version_old",
        /// The last backup is too long ago.
        BackupStale = "backup.stale",
        /// Packets reach an interface broken, or cannot leave it.
        IfaceErrors = "iface.errors",
        /// A link that is meant to be there is not.
        EdgeExpectedMissing = "edge.expected_missing",
        /// A link is there that is not meant to be.
        EdgeUnexpected = "edge.unexpected",
    }
);

words!(
    /// What somebody did to the map.
    LayoutAct {
        /// Put nodes or sites somewhere and pinned them there.
        Pin = "pin",
        /// Let go of what was pinned.
        Unpin = "unpin",
        /// Had everything placed anew.
        Rearrange = "rearrange",
        /// Took the last change back.
        Undo = "undo",
    }
);

words!(
    /// What kind of change an event records.
    EventKind {
        /// An agent was seen for the first time, or again after being forgotten.
        AgentRegistered = "agent.registered",
        /// Host name, version, boot id, fleet, labels or scheme changed.
        AgentChanged = "agent.changed",
        /// `online`, `stale`, `offline`, ...
        AgentStatus = "agent.status",
        /// Its reports take another way: straight, or through which relays.
        AgentRelayPath = "agent.relay_path",
        /// An admin let it pass on others' reports, or forbade it.
        AgentMayRelay = "agent.may_relay",
        /// An admin cleared the agent's topology state.
        AgentReset = "agent.reset",
        /// An agent's own key was asked for, pinned, rotated, unpinned, refused or revoked.
        AgentIdentity = "agent.identity",
        /// An interface appeared.
        InterfaceAdded = "interface.added",
        /// An interface changed.
        InterfaceChanged = "interface.changed",
        /// An interface disappeared.
        InterfaceRemoved = "interface.removed",
        /// An address was added to an interface.
        AddressAdded = "address.added",
        /// An address was removed from an interface.
        AddressRemoved = "address.removed",
        /// A route appeared.
        RouteAdded = "route.added",
        /// A route disappeared.
        RouteRemoved = "route.removed",
        /// A WireGuard peer appeared.
        PeerAdded = "peer.added",
        /// A WireGuard peer's endpoint, allowed ips, keepalive or preshared flag changed.
        PeerChanged = "peer.changed",
        /// A WireGuard peer disappeared.
        PeerRemoved = "peer.removed",
        /// An edge appeared.
        EdgeAdded = "edge.added",
        /// An edge's verdict changed.
        EdgeState = "edge.state",
        /// An edge disappeared.
        EdgeRemoved = "edge.removed",
        /// An alarm was raised.
        AlarmRaised = "alarm.raised",
        /// An alarm was acknowledged.
        AlarmAcknowledged = "alarm.acknowledged",
        /// A latching alarm's condition is over.
        AlarmReturned = "alarm.returned",
        /// An alarm was cleared.
        AlarmCleared = "alarm.cleared",
        /// An alarm was found to follow from another one, or not to follow from it any more.
        AlarmInhibited = "alarm.inhibited",
        /// An alarm began to flap, came or went while it did, or does so no more.
        AlarmFlapping = "alarm.flapping",
        /// An alarm was shelved, or for another time.
        AlarmShelved = "alarm.shelved",
        /// An alarm is not shelved any more: somebody took it back, or its time was over.
        AlarmUnshelved = "alarm.unshelved",
        /// A maintenance window covers an alarm, or covers it no more.
        AlarmMaintenance = "alarm.maintenance",
        /// The key ring changed.
        KeysChanged = "keys.changed",
        /// How people are told of alarms changed, or could not be changed.
        NotifyChanged = "notify.changed",
        /// The certificate of the door changed, or could not be changed.
        TlsChanged = "tls.changed",
        /// The rules of alarms changed, or could not be changed.
        RulesChanged = "rules.changed",
        /// The manager started.
        ManagerStarted = "manager.started",
        /// The manager stopped in order.
        ManagerStopped = "manager.stopped",
        /// An admin acted: sign-in, approval, ...
        AdminAction = "admin.action",
    }
);
