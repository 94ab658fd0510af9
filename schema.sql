-- Kattila's database as it is at the newest version, for people and for the test that holds
-- the migrations to it. The program never runs this file: it applies migrations/ in order.
-- Times are Unix seconds. Sizes are bytes.

CREATE TABLE agents (
    agent_no        INTEGER PRIMARY KEY,             -- given by the manager, dense from 1, never reused
    agent_id        TEXT    NOT NULL UNIQUE,         -- the name the agent signs with
    fleet_id        TEXT    NOT NULL,                -- the agents that share keys and one address space
    hostname        TEXT,                            -- NULL: it has not told one
    agent_version   TEXT,                            -- version of the agent program
    registered_at   INTEGER NOT NULL,                -- first accepted, or accepted again after being forgotten
    last_seen_at    INTEGER,                         -- receipt of the last report, as of the last flush; NULL: none yet
    last_tick       INTEGER,                         -- highest tick (version 2), as of the last flush
    status          TEXT    NOT NULL                 -- how the manager sees it
                    CHECK (status IN ('pending', 'online', 'stale', 'offline', 'retired')),
    status_since    INTEGER NOT NULL,                -- when the status began
    scheme          TEXT    CHECK (scheme IN ('v1', 'v2-hmac', 'v2-ed25519')), -- of the last changed report
    canon_form      TEXT    CHECK (canon_form IN
                    ('raw', 'compact', 'compact_sorted', 'spaced', 'spaced_sorted')), -- bytes its v1 signature covers
    kid             BLOB    CHECK (length(kid) = 8), -- key of the last changed report
    boot_id         TEXT,                            -- changes with every boot of the host
    uptime_seconds  INTEGER,                         -- of the host, as of the last flush
    load1           REAL,                            -- load average over 1 minute, as of the last flush
    load5           REAL,                            -- over 5 minutes
    load15          REAL,                            -- over 15 minutes
    labels          TEXT    NOT NULL DEFAULT '{}',   -- JSON object, string to string
    problems        TEXT    NOT NULL DEFAULT '[]',   -- JSON array of {path, detail}: what was not understood
    clock_offset    INTEGER NOT NULL,                -- agent's timestamp minus the manager's clock, seconds
    relay_path      TEXT    NOT NULL DEFAULT '[]',   -- JSON array of agent ids the last report came through
    source          TEXT,                            -- IP address the last report came from
    interfaces_hash INTEGER NOT NULL,                -- content hash of the interfaces; 64 bits, the sign bit is one of them
    routes_hash     INTEGER NOT NULL,                -- content hash of the routes, likewise
    peers_hash      INTEGER NOT NULL,                -- content hash of the peers, likewise
    forgotten       INTEGER NOT NULL DEFAULT 0 CHECK (forgotten IN (0, 1)), -- 1: hidden until it reports again
    relay_proven    INTEGER NOT NULL DEFAULT 0 CHECK (relay_proven IN (0, 1)), -- 1: the relays of relay_path signed for it; 0: none, or a claim
    may_relay       INTEGER NOT NULL DEFAULT 1 CHECK (may_relay IN (0, 1)), -- 0: an admin forbade it to pass on others' reports
    site_set        TEXT                             -- JSON {site, by, at, told}: the site that somebody gave it, who and when, and what its host says; NULL: nobody did
) STRICT;

-- Agents' own keys, with their history: stored reports stay provable after a rotation, and a
-- recorded registration cannot bring back what was undone.

CREATE TABLE identities (
    identity_no   INTEGER PRIMARY KEY,               -- given by the manager, grows with every registration of a key
    agent_no      INTEGER NOT NULL REFERENCES agents (agent_no), -- whose
    public_key    BLOB    NOT NULL CHECK (length(public_key) = 32), -- Ed25519 public key
    kid           BLOB    NOT NULL CHECK (length(kid) = 8), -- first 8 bytes of its SHA-256
    how           TEXT    NOT NULL CHECK (how IN ('tofu', 'approved', 'rotated')), -- taken as first seen, let in by an admin, or vouched for by the key before
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'pinned', 'retired', 'refused')), -- waits for an admin; in force; no longer; turned down
    registered_at INTEGER NOT NULL,                  -- when it was asked for, manager's clock
    taken_until   INTEGER NOT NULL,                  -- registrations of the agent signed until then are not taken again
    pinned_at     INTEGER,                           -- when it came into force; NULL: never
    retired_at    INTEGER,                           -- when it went out of force or was turned down; NULL: it was not
    revoked_at    INTEGER,                           -- when its agent was taken out of service; NULL: it is in service
    source        TEXT                               -- IP address the registration came from
) STRICT;

-- One key of an agent is in force, and one waits, at a time; also finds the key of a report.
CREATE UNIQUE INDEX identities_in_force ON identities (agent_no, state)
    WHERE state IN ('pinned', 'pending');
CREATE INDEX identities_by_kid ON identities (agent_no, kid);

-- What reports have in common, learnt from stored ones, so that it need not be in each of them.
-- The newest one is in use; the others are kept as long as a report is packed with them.
CREATE TABLE dictionaries (
    dict_no      INTEGER PRIMARY KEY,                -- given by the store, grows with every dictionary
    dict_id      BLOB    NOT NULL UNIQUE CHECK (length(dict_id) = 8), -- first 8 bytes of the SHA-256 of its bytes
    bytes        BLOB    NOT NULL,                   -- as zstd trained it
    made_at      INTEGER NOT NULL,                   -- when
    sample_bytes INTEGER NOT NULL CHECK (sample_bytes > 0), -- size of the reports it was tried on
    packed_bytes INTEGER NOT NULL CHECK (packed_bytes >= 0) -- what they came to when packed with it
) STRICT;

-- What agents compress their framed reports with. The newest one is told to agents, the three newest
-- are taken; the others are kept as long as a report needs them.
CREATE TABLE frame_dictionaries (
    dict_no      INTEGER PRIMARY KEY,                -- given by the store, grows with every dictionary
    dict_id      BLOB    NOT NULL UNIQUE CHECK (length(dict_id) = 32), -- SHA-256 of its bytes
    bytes        BLOB    NOT NULL,                   -- as zstd trained it, from the form of reports without their values
    made_at      INTEGER NOT NULL,                   -- when
    sample_bytes INTEGER NOT NULL CHECK (sample_bytes > 0), -- size of the data it was tried on
    packed_bytes INTEGER NOT NULL CHECK (packed_bytes >= 0) -- what they came to when packed with it
) STRICT;

-- One row per accepted report, never changed: the audit trail and the replay memory. Retention
-- deletes from the oldest on; each agent's last report before the others it keeps stays.
-- Small columns stand before the envelope so that lists do not read its pages.
CREATE TABLE reports (
    report_id       INTEGER PRIMARY KEY,             -- given by the manager, grows with every accepted report
    agent_no        INTEGER NOT NULL REFERENCES agents (agent_no), -- who signed it
    scheme          TEXT    CHECK (scheme IN ('v1', 'v2-hmac', 'v2-ed25519')), -- how; NULL: as base, and of version 2
    canon_form      TEXT    CHECK (canon_form IN
                    ('raw', 'compact', 'compact_sorted', 'spaced', 'spaced_sorted')), -- which bytes the signature covers; NULL: as base
    kid             BLOB    CHECK (length(kid) = 8), -- name of the key that verified it; NULL: as base
    timestamp       INTEGER NOT NULL,                -- when it was signed, agent's clock
    collected_at    INTEGER,                         -- when its values were read, agent's clock; NULL: not told
    received_at     INTEGER NOT NULL,                -- when the manager took it, manager's clock
    tick            INTEGER,                         -- version 2 counter; NULL in version 1
    nonce           TEXT    NOT NULL,                -- spent by this row
    data_sha256     BLOB    NOT NULL CHECK (length(data_sha256) = 32), -- of the bytes of data as received; of a frame as sent, compressed or not
    redacted        INTEGER NOT NULL CHECK (redacted IN (0, 1)), -- 1: secrets were removed, the signature no longer matches
    relay_path      TEXT,                            -- JSON array of agent ids, next to the origin first; NULL: none
    source          TEXT,                            -- IP address the request came from
    envelope_bytes  INTEGER NOT NULL CHECK (envelope_bytes >= 0), -- size of the envelope before encoding
    encoding        TEXT    CHECK (encoding IN ('identity', 'zstd')), -- how envelope is kept; NULL: as what differs from that of base (src/pack/delta), where nonce, timestamp, tick and collected_at of both rows are told besides
    envelope        BLOB    NOT NULL,                -- the request body as verified, secrets removed
    relay_proven    INTEGER CHECK (relay_proven IN (0, 1)), -- 1: the relays of relay_path signed for it; 0: a claim; NULL: no path, or of version 4 or before: then proven unless the scheme is v1
    dict            INTEGER REFERENCES dictionaries (dict_no), -- the dictionary that envelope is packed with; NULL: none
    base            INTEGER,                         -- the report that envelope is packed against or differs from, an earlier one of the agent that has no base itself; NULL: none
    frame_dict      INTEGER REFERENCES frame_dictionaries (dict_no) -- the dictionary that the agent compressed its data with; NULL: none
) STRICT;

-- Replay memory and lists of one agent. The row number is the last part of every index entry,
-- so this is (agent_no, report_id).
CREATE INDEX reports_by_agent ON reports (agent_no);

-- Finds a version 1 body that carries no time of its own and comes again (KATTILA_V1_BODY_DEDUP).
-- Bodies that tell their time are found by it and pay nothing here; eight bytes find the row,
-- the row has the rest.
CREATE INDEX reports_v1_bodies ON reports (agent_no, substr(data_sha256, 1, 8))
    WHERE scheme = 'v1' AND collected_at IS NULL;

-- Tells whether a dictionary is still needed.
CREATE INDEX reports_by_dict ON reports (dict) WHERE dict IS NOT NULL;

-- Tells whether a dictionary of agents is still needed.
CREATE INDEX reports_by_frame_dict ON reports (frame_dict) WHERE frame_dict IS NOT NULL;

-- Reports that told of the past when they came, found again by the time they tell of.
CREATE TABLE late_reports (
    agent_no    INTEGER NOT NULL REFERENCES agents (agent_no), -- whose
    measured_at INTEGER NOT NULL,                    -- when its values were read, agent's clock
    report_id   INTEGER NOT NULL,                    -- the report
    behind_id   INTEGER NOT NULL,                    -- the agent's last report before it that was not late; 0: none
    PRIMARY KEY (agent_no, measured_at, report_id)
) STRICT, WITHOUT ROWID;

-- Whether a report was late.
CREATE UNIQUE INDEX late_reports_by_report ON late_reports (report_id);

CREATE TABLE agent_interfaces (
    agent_no    INTEGER NOT NULL REFERENCES agents (agent_no), -- whose
    name        TEXT    NOT NULL,                    -- kernel name
    mac         TEXT,                                -- link-layer address
    mtu         INTEGER,                             -- largest packet, bytes
    state       TEXT    NOT NULL CHECK (state IN ('up', 'down', 'unknown')), -- operational state
    flags       TEXT    NOT NULL,                    -- JSON array, sorted
    addresses   TEXT    NOT NULL,                    -- JSON array of ADDRESS/LENGTH, sorted
    public_key  BLOB    CHECK (length(public_key) = 32), -- own WireGuard key
    listen_port INTEGER,                             -- own WireGuard UDP port
    rx_bytes    INTEGER,                             -- counters since boot, as of the last change of the interface
    tx_bytes    INTEGER,                             -- bytes sent
    rx_errors   INTEGER,                             -- packets received with errors
    tx_errors   INTEGER,                             -- packets that could not be sent
    rx_dropped  INTEGER,                             -- packets dropped on receipt
    tx_dropped  INTEGER,                             -- packets dropped before sending
    PRIMARY KEY (agent_no, name)
) STRICT, WITHOUT ROWID;

-- A route is its whole row; '' stands for "none" because a key part cannot be NULL.
CREATE TABLE agent_routes (
    agent_no    INTEGER NOT NULL REFERENCES agents (agent_no), -- whose
    dst         TEXT    NOT NULL,                    -- destination, ADDRESS/LENGTH
    table_name  TEXT    NOT NULL,                    -- routing table
    metric      INTEGER NOT NULL,                    -- preference, lower first
    gateway     TEXT    NOT NULL,                    -- next hop; '': none
    dev         TEXT    NOT NULL,                    -- outgoing interface; '': none
    protocol    TEXT    NOT NULL,                    -- who installed it; '': not told
    kind        TEXT    NOT NULL,                    -- unicast, blackhole, ...
    PRIMARY KEY (agent_no, dst, table_name, metric, gateway, dev, protocol, kind)
) STRICT, WITHOUT ROWID;

-- A peer names its edge without a foreign key: checking it when an edge goes would need an
-- index as large as this table, for no verb.
CREATE TABLE wg_peers (
    agent_no             INTEGER NOT NULL REFERENCES agents (agent_no), -- the agent that lists the peer
    interface            TEXT    NOT NULL,           -- on which of its interfaces
    public_key           BLOB    NOT NULL CHECK (length(public_key) = 32), -- the peer
    endpoint             TEXT,                       -- ADDRESS:PORT packets go to
    allowed_ips          TEXT    NOT NULL,           -- JSON array of ADDRESS/LENGTH, sorted
    latest_handshake     INTEGER NOT NULL,           -- agent's clock, 0: never; as of the last flush
    rx_bytes             INTEGER NOT NULL,           -- received from the peer, as of the last flush
    tx_bytes             INTEGER NOT NULL,           -- sent to the peer, as of the last flush
    persistent_keepalive INTEGER NOT NULL,           -- seconds, 0: off
    has_psk              INTEGER NOT NULL CHECK (has_psk IN (0, 1)), -- a preshared key is set; the key is never sent
    edge_id              TEXT    NOT NULL,           -- the edge this is an end of
    measured_at          INTEGER NOT NULL,           -- when the values were read, agent's clock; as of the last flush
    PRIMARY KEY (agent_no, interface, public_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE topology_edges (
    edge_id      TEXT    NOT NULL PRIMARY KEY CHECK (length(edge_id) = 16), -- hexadecimal, derived from both ends
    fleet_id     TEXT    NOT NULL,                   -- its fleet
    a_agent_no   INTEGER REFERENCES agents (agent_no), -- end drawn as source; NULL: no agent there
    a_interface  TEXT,                               -- its WireGuard interface
    a_public_key BLOB    CHECK (length(a_public_key) = 32), -- its key
    a_state      TEXT    NOT NULL CHECK (a_state IN
                 ('up', 'idle', 'overdue', 'down', 'never', 'missing', 'unknown')), -- what it shows
    b_agent_no   INTEGER REFERENCES agents (agent_no), -- the other end; NULL: no agent there
    b_interface  TEXT,                               -- its WireGuard interface
    b_public_key BLOB    CHECK (length(b_public_key) = 32), -- its key
    b_state      TEXT    NOT NULL CHECK (b_state IN
                 ('up', 'idle', 'overdue', 'down', 'never', 'missing', 'unknown')), -- what it shows
    state        TEXT    NOT NULL CHECK (state IN
                 ('up', 'idle', 'down', 'one_way', 'half_configured', 'never', 'unknown')), -- the verdict
    reason       TEXT    NOT NULL,                   -- the verdict in one sentence
    since        INTEGER NOT NULL,                   -- when the state began
    first_seen   INTEGER NOT NULL,                   -- when the edge was first seen
    judged_at    INTEGER NOT NULL DEFAULT 0          -- when the sentence was judged: ages in it are as of then
) STRICT, WITHOUT ROWID;

-- Kinds of alarms and events are an open list, so they are held to a form and not to a list:
-- a list could only grow by rewriting the table.
CREATE TABLE alarms (
    alarm_id        INTEGER PRIMARY KEY,             -- given by the manager
    kind            TEXT    NOT NULL CHECK (kind GLOB '[a-z]*.[a-z]*'), -- dotted name of the catalogue
    subject         TEXT    NOT NULL,                -- which thing
    severity        TEXT    NOT NULL                 -- how bad
                    CHECK (severity IN ('info', 'warning', 'minor', 'major', 'critical')),
    state           TEXT    NOT NULL                 -- where it stands; pending: the raise delay runs
                    CHECK (state IN ('pending', 'active', 'acknowledged', 'returned', 'cleared')),
    fleet_id        TEXT,                            -- NULL: not about a fleet
    agent_no        INTEGER REFERENCES agents (agent_no), -- NULL: not about an agent
    message         TEXT    NOT NULL,                -- one sentence for a person
    pending_since   INTEGER NOT NULL,                -- when the condition began to hold
    raised_at       INTEGER,                         -- when the raise delay was over
    acknowledged_at INTEGER,                         -- when a person acknowledged it
    acknowledged_by TEXT,                            -- who
    note            TEXT,                            -- with what words
    returned_at     INTEGER,                         -- when a latching alarm's condition was over
    cleared_at      INTEGER,                         -- when it ended
    clear_cause     TEXT,                            -- why it ended
    good_since      INTEGER,                         -- since when the opposite holds (off-delay)
    count           INTEGER NOT NULL,                -- consecutive observations for or against the condition
    report_id       INTEGER,                         -- the report that proves it; it may have been pruned since
    inhibited_by    INTEGER,                         -- the alarm it follows from; it may have been pruned since
    inhibited_until INTEGER,                         -- when it counts for itself again; NULL: its cause stands
    own_severity    TEXT CHECK (own_severity IN ('info', 'warning', 'minor', 'major', 'critical')), -- how bad its rule calls it; NULL: as severity says, no rules file changed it
    flapping_until  INTEGER,                         -- it flaps, and is held open until then if its condition changes no more; NULL: it does not
    shelved_at      INTEGER,                         -- when a person shelved it; NULL: it is not shelved
    shelved_until   INTEGER,                         -- when it counts again
    shelved_by      TEXT,                            -- who shelved it
    shelve_reason   TEXT,                            -- why
    maintenance     INTEGER                          -- the window that covers it, or did when it ended; the window may have been pruned since
) STRICT;

-- One alarm per kind and subject is open at a time; also lists the open ones.
CREATE UNIQUE INDEX alarms_open ON alarms (kind, subject) WHERE state <> 'cleared';

-- Past alarms of one agent.
CREATE INDEX alarms_by_agent ON alarms (agent_no);

-- What follows from an alarm.
CREATE INDEX alarms_by_cause ON alarms (inhibited_by) WHERE inhibited_by IS NOT NULL;

-- How often the alarm about a thing came and went lately.
CREATE TABLE flaps (
    kind    TEXT    NOT NULL CHECK (kind GLOB '[a-z]*.[a-z]*'), -- dotted name of the catalogue
    subject TEXT    NOT NULL,                        -- which thing
    penalty INTEGER NOT NULL CHECK (penalty > 0),    -- thousandths of one change; halves every ten minutes
    at      INTEGER NOT NULL,                        -- when it was as much: at the last change
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

-- What was raised between two times.
CREATE INDEX alarms_by_raised ON alarms (raised_at) WHERE raised_at IS NOT NULL;

-- Past alarms of one thing, such as a link.
CREATE INDEX alarms_by_subject ON alarms (subject);

-- Maintenance windows: while one is open, nobody is told of alarms about the agents it means.
CREATE TABLE maintenance (
    window_id    INTEGER PRIMARY KEY,                -- given by the manager
    scope        TEXT    NOT NULL CHECK (scope IN ('agent', 'fleet', 'label')), -- what names its agents
    who          TEXT    NOT NULL,                   -- an agent's id, a fleet's id, or a label as name=value
    from_at      INTEGER,                            -- when it begins; NULL: it comes every week
    until_at     INTEGER,                            -- when it is over; NULL: it comes every week
    days         INTEGER,                            -- on which days it opens, 1 for Monday, 2, 4 ... 64 for Sunday; NULL: it is open once
    start_minute INTEGER,                            -- minutes after midnight, in local time, at which it opens
    lasts_s      INTEGER,                            -- seconds it stays open then
    utc_offset_s INTEGER,                            -- seconds that local time is ahead of UTC
    reason       TEXT    NOT NULL,                   -- why
    made_by      TEXT    NOT NULL,                   -- who made it
    made_at      INTEGER NOT NULL,                   -- when
    ended_at     INTEGER,                            -- when a person ended it; NULL: nobody did
    ended_by     TEXT,                               -- who
    CHECK ((from_at IS NULL) = (until_at IS NULL) AND (from_at IS NULL) <> (days IS NULL)) -- once or weekly
) STRICT;

-- What changed, when, and which report proves it. Append-only: see the triggers.
CREATE TABLE events (
    event_id    INTEGER PRIMARY KEY,                 -- grows with every event
    at          INTEGER NOT NULL,                    -- when it happened, host's clock for reported changes
    recorded_at INTEGER NOT NULL,                    -- when the manager learnt it
    kind        TEXT    NOT NULL CHECK (kind GLOB '[a-z]*.[a-z]*'), -- dotted name
    fleet_id    TEXT,                                -- NULL: not about a fleet
    agent_no    INTEGER REFERENCES agents (agent_no), -- NULL: not about an agent
    subject     TEXT    NOT NULL,                    -- which thing
    before      TEXT,                                -- JSON; NULL: it appeared
    after       TEXT,                                -- JSON; NULL: it disappeared
    report_id   INTEGER,                             -- the report that proves it; it may have been pruned since
    cause       TEXT                                 -- who or what, where that is not a report; 'learnt later': a report that came late
) STRICT;

-- History of one agent, in order (the row number is the last part of the entry).
CREATE INDEX events_by_agent ON events (agent_no) WHERE agent_no IS NOT NULL;

-- History of one thing, such as an edge.
CREATE INDEX events_by_subject ON events (subject);

-- What a link's state was at any time.
CREATE INDEX events_of_edges ON events (subject, at) WHERE kind GLOB 'edge.*';

-- What was true of every link and agent at any time: the last event of a kind about a thing. When
-- it began to hold is when the manager learnt it, or, if a late report tells it, when it happened.
CREATE INDEX events_of_the_map
    ON events (kind, subject, CASE WHEN cause = 'learnt later' THEN at ELSE recorded_at END)
    WHERE kind GLOB 'edge.*' OR kind GLOB 'agent.*';

-- What changed between two times.
CREATE INDEX events_by_time
    ON events (CASE WHEN cause = 'learnt later' THEN at ELSE recorded_at END)
    WHERE kind GLOB 'edge.*' OR kind GLOB 'agent.*' OR kind GLOB 'alarm.*';

CREATE TRIGGER events_are_not_rewritten BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- Retention first writes the mark, then deletes below it; the mark stays as evidence.
-- The newest event always stays, so that numbers never start again. What stays below the mark is
-- the last event of each thing that is still there.
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
WHEN OLD.event_id >= coalesce(
        (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'store.events_pruned_below'), 0)
    OR OLD.event_id = (SELECT max(event_id) FROM events)
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- What the history still says of things whose last event is older than the events that are kept:
-- retention leaves that event in its table and finds it here when a newer one is over, too.
CREATE TABLE events_in_force (
    agent_no INTEGER NOT NULL,                       -- whose thing; 0: it is named without its agent
    subject  TEXT    NOT NULL,                       -- the event's subject
    part     TEXT    NOT NULL,                       -- which fact about it
    at       INTEGER NOT NULL,                       -- the event's time
    event_id INTEGER NOT NULL,                       -- the event
    gone     INTEGER,                                -- NULL: the thing is there; else it is gone, and this is told until retention has been over this event
    PRIMARY KEY (agent_no, subject, part)
) STRICT, WITHOUT ROWID;

-- What is gone and need not be told much longer.
CREATE INDEX events_of_what_is_gone ON events_in_force (gone) WHERE gone IS NOT NULL;

-- What each channel was told of each alarm, and what it will be told next. A row goes when the
-- channel has been told that the alarm is over, or when the alarm is over and it was told nothing.
CREATE TABLE tellings (
    alarm_id INTEGER NOT NULL,                       -- the alarm
    channel  TEXT    NOT NULL,                       -- the channel's name
    told     TEXT    CHECK (told IN ('info', 'warning', 'minor', 'major', 'critical')), -- how bad it was when last told; NULL: not told yet
    told_at  INTEGER,                                -- when that was put into a message
    next     TEXT    CHECK (next IN ('raised', 'flapping', 'worse', 'repeated', 'escalated', 'acknowledged',
             'returned', 'cleared')),                -- what is told next; NULL: nothing until the alarm changes
    due_at   INTEGER,                                -- when
    repeat_s INTEGER NOT NULL,                       -- seconds between two tellings while nobody acknowledges; 0: told once
    facts    TEXT    NOT NULL,                       -- JSON: the alarm as of its last change
    PRIMARY KEY (alarm_id, channel)
) STRICT, WITHOUT ROWID;

-- The outbox and the log of what was delivered.
CREATE TABLE notifications (
    notification_id INTEGER PRIMARY KEY,             -- given by the manager
    uid             TEXT    NOT NULL,                -- what the receiver knows it by, the same for every attempt
    channel         TEXT    NOT NULL,                -- the channel's name
    state           TEXT    NOT NULL                 -- where it stands
                    CHECK (state IN ('waiting', 'sent', 'dead')),
    created_at      INTEGER NOT NULL,                -- when it was written
    due_at          INTEGER NOT NULL,                -- when it is sent, or tried again
    attempts        INTEGER NOT NULL,                -- how often it was tried
    tried_at        INTEGER,                         -- when the last attempt ended
    ended_at        INTEGER,                         -- when it was taken, or given up
    error           TEXT,                            -- why the last attempt failed, or why it was given up
    test_by         TEXT                             -- who asked for it; NULL: it tells of alarms
) STRICT;

-- What waits, channel by channel, in order.
CREATE INDEX notifications_waiting ON notifications (channel) WHERE state = 'waiting';

-- What was given up and can be sent again.
CREATE INDEX notifications_dead ON notifications (channel) WHERE state = 'dead';

-- The alarms a message tells of.
CREATE TABLE notification_items (
    notification_id INTEGER NOT NULL REFERENCES notifications (notification_id) ON DELETE CASCADE, -- the message
    alarm_id        INTEGER NOT NULL,                -- the alarm; it may have been pruned since
    telling         TEXT    NOT NULL CHECK (telling IN ('raised', 'flapping', 'worse', 'repeated',
                    'escalated', 'acknowledged', 'returned', 'cleared')), -- what is told of it
    facts           TEXT    NOT NULL,                -- JSON: the alarm as it is told
    PRIMARY KEY (notification_id, alarm_id)
) STRICT, WITHOUT ROWID;

-- Who was told what of an alarm.
CREATE INDEX notification_items_by_alarm ON notification_items (alarm_id);

-- How each channel fares.
CREATE TABLE channels (
    channel    TEXT    NOT NULL PRIMARY KEY,         -- its name
    failures   INTEGER NOT NULL,                     -- attempts that failed since the last that succeeded
    successes  INTEGER NOT NULL,                     -- attempts that succeeded since the last that failed
    open_until INTEGER,                              -- nothing is tried before, because too many failed
    ok_at      INTEGER,                              -- when a message was last taken
    failed_at  INTEGER,                              -- when an attempt last failed
    error      TEXT,                                 -- why
    sent       INTEGER NOT NULL,                     -- messages that were taken
    failed     INTEGER NOT NULL,                     -- attempts that failed
    dead       INTEGER NOT NULL                      -- messages that were given up
) STRICT, WITHOUT ROWID;

-- Where things are on the map.
CREATE TABLE layout (
    node      TEXT    NOT NULL PRIMARY KEY,          -- a site's or node's name on the map
    site      TEXT,                                  -- the site a node belongs to; NULL: this is a site
    x         REAL    NOT NULL,                      -- abscissa
    y         REAL    NOT NULL,                      -- ordinate
    r         REAL    NOT NULL,                      -- radius of a site's circle; 0: a node
    pinned    INTEGER NOT NULL CHECK (pinned IN (0, 1)), -- 1: held in place by a person
    rev       INTEGER NOT NULL,                      -- the layout revision that placed it
    placed_at INTEGER NOT NULL,                      -- when
    gone_at   INTEGER                                -- since when nothing is there
) STRICT, WITHOUT ROWID;

-- Pre-shared keys in use and in memory. The file, and every backup, is as secret as they are.
CREATE TABLE psk_keys (
    kid        BLOB    NOT NULL PRIMARY KEY CHECK (length(kid) = 8), -- names the key without telling it
    secret     BLOB    NOT NULL,                     -- the key
    source     TEXT    NOT NULL CHECK (source IN ('dns', 'file', 'environment')), -- where it was found
    first_seen INTEGER NOT NULL,                     -- first present in its source
    last_seen  INTEGER NOT NULL,                     -- last present in its source
    state      TEXT    NOT NULL                      -- what it may still sign
               CHECK (state IN ('current', 'previous', 'retired', 'revoked')),
    seq        INTEGER,                              -- its record's seq; NULL: it has none
    nbf        INTEGER,                              -- not to be used before; NULL: at once
    exp        INTEGER,                              -- not to be used from then on; NULL: no end
    left_at    INTEGER                               -- when its source stopped listing it; NULL: it is listed
) STRICT, WITHOUT ROWID;

-- Signed-in browsers and API tokens.
CREATE TABLE sessions (
    token_hash   BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256 of the token; the token is not kept
    name         TEXT    NOT NULL,                   -- who
    role         TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')), -- what they may do
    kind         TEXT    NOT NULL CHECK (kind IN ('session', 'token')), -- browser or script
    form_token   TEXT,                               -- SHA-256 of the form token tied to the session
    created_at   INTEGER NOT NULL,                   -- when it was made
    last_used_at INTEGER NOT NULL,                   -- when it was last used
    expires_at   INTEGER,                            -- when it ends at the latest; NULL: it does not
    generation   INTEGER,                            -- the user's generation when the session began; NULL: it is no user's
    source       TEXT,                               -- the address it was opened from; NULL: not known
    made_by      TEXT,                               -- who made the token; NULL: not known, or a session
    fleets       TEXT,                               -- the fleets it sees, as a JSON array; NULL: all, and the manager itself
    masked       INTEGER NOT NULL DEFAULT 0 CHECK (masked IN (0, 1)) -- 1: it is given pseudonyms instead of names and addresses
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_name ON sessions (name);

-- People who sign in by name and password.
CREATE TABLE users (
    name            TEXT    NOT NULL PRIMARY KEY,    -- in lower case
    role            TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')), -- what they may do
    password        TEXT,                            -- Argon2id of the password as a PHC string; NULL: none is chosen yet
    password_at     INTEGER,                         -- when it was chosen
    setup_hash      BLOB    CHECK (length(setup_hash) = 32), -- SHA-256 of the setup code with which they choose one
    setup_until     INTEGER,                         -- when the setup code ends
    disabled        INTEGER NOT NULL CHECK (disabled IN (0, 1)), -- 1: they may not sign in
    generation      INTEGER NOT NULL,                -- rises with each change that ends their sessions
    created_at      INTEGER NOT NULL,                -- when they were added
    created_by      TEXT    NOT NULL,                -- who added them
    last_sign_in_at INTEGER,                         -- when they last signed in
    last_sign_in_from TEXT,                          -- from which address
    totp_secret     BLOB    CHECK (length(totp_secret) = 20), -- the secret of their one-time codes (RFC 6238); NULL: they have no second factor
    totp_step       INTEGER,                         -- the step of the last code that was used: none before or at it counts
    recovery        BLOB    CHECK (length(recovery) % 32 = 0), -- SHA-256 of each recovery code that is left, one after another
    fleets          TEXT,                            -- the fleets they see, as a JSON array; NULL: all, and the manager itself
    issuer          TEXT,                            -- the OpenID provider where they sign in (iss); NULL: they sign in with a password
    subject         TEXT    CHECK ((subject IS NULL) = (issuer IS NULL)), -- who they are there (sub), for ever
    masked          INTEGER NOT NULL DEFAULT 0 CHECK (masked IN (0, 1)) -- 1: they are given pseudonyms instead of names and addresses
) STRICT, WITHOUT ROWID;

-- Nobody at a provider is two users.
CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject) WHERE subject IS NOT NULL;

-- Who did what, in a chain of hashes. Kept for ever: a row that leaves is a row that cannot be told
-- from one that was taken away.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,                     -- the number in the chain, without gap from 1
    at      INTEGER NOT NULL,                        -- when, on the manager's clock
    who     TEXT    NOT NULL,                        -- a user's or token's name, 'agent ID', 'manager' or 'unknown'
    source  TEXT,                                    -- the address it came from; NULL: from no other host
    act     TEXT    NOT NULL,                        -- what was done, dotted
    subject TEXT    NOT NULL,                        -- to what
    before  TEXT,                                    -- how it was, as JSON; NULL: not told
    after   TEXT,                                    -- how it is now, as JSON; NULL: not told
    hash    BLOB    NOT NULL CHECK (length(hash) = 32) -- SHA-256 over the hash before and this row
) STRICT;

-- Changes of places on the map that people made, as long as they can be taken back.
CREATE TABLE layout_steps (
    step   INTEGER PRIMARY KEY,                      -- counts up; the highest is taken back first
    at     INTEGER NOT NULL,                         -- when, on the manager's clock
    who    TEXT    NOT NULL,                         -- the user's or token's name
    act    TEXT    NOT NULL CHECK (act IN ('pin', 'unpin', 'rearrange')), -- what was done
    things INTEGER NOT NULL CHECK (things >= 0),     -- how many things were named, or moved
    before TEXT    NOT NULL                          -- the places as they were, a JSON array of node, site, x, y, r, pinned
) STRICT;

-- What was done between two times.
CREATE INDEX audit_by_time ON audit (at);

CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

-- Small values by name; names that begin with 'store.' belong to the store itself:
-- store.commit_seq counts commits, store.flushed_upto is the last report contained in the
-- "as of the last flush" columns, store.clean_stop is 1 after an orderly stop. Retention has
-- been over everything below store.reports_pruned_below and store.events_pruned_below; what was
-- true can be told from store.events_since on. store.audit_head is the number and hash of the last
-- entry of the audit.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,                 -- which
    value TEXT NOT NULL                              -- its value
) STRICT, WITHOUT ROWID;

-- What the numbers in the rows of a day stand for. A day of an agent is a row.
CREATE TABLE metric_names (
    place INTEGER PRIMARY KEY,                       -- day since 1970, UTC, times 2^32, plus the agent's number
    names BLOB    NOT NULL                           -- interfaces and peers, in the order of their numbers
) STRICT;

-- An hour of an agent in twelve slots of five minutes.
CREATE TABLE metric_5m (
    place INTEGER PRIMARY KEY,                       -- hour since 1970, UTC, times 2^32, plus the agent's number
    slots BLOB    NOT NULL                           -- by interface and peer: reports, seconds covered, sum and rates of counters, age of handshakes
) STRICT;

-- The same hour as one slot.
CREATE TABLE metric_1h (
    place INTEGER PRIMARY KEY,                       -- hour since 1970, UTC, times 2^32, plus the agent's number
    slots BLOB    NOT NULL                           -- by interface and peer, likewise
) STRICT;

-- How much there is of each hour, for retention.
CREATE TABLE metric_hours (
    hour     INTEGER PRIMARY KEY,                    -- since 1970, UTC
    rows_5m  INTEGER NOT NULL,                       -- rows of metric_5m
    bytes_5m INTEGER NOT NULL,                       -- their bytes
    rows_1h  INTEGER NOT NULL,                       -- rows of metric_1h
    bytes_1h INTEGER NOT NULL                        -- their bytes
) STRICT;

-- Links that show one view of some fleets, for a while, to whoever holds them.
CREATE TABLE shares (
    token_hash     BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32), -- SHA-256 of the link's token; the token is not kept
    view           TEXT    NOT NULL,                 -- path and query of the page that it opens
    fleets         TEXT    NOT NULL,                 -- the fleets it shows, as a JSON array
    made_by        TEXT    NOT NULL,                 -- who made it
    by_user        INTEGER NOT NULL CHECK (by_user IN (0, 1)), -- 1: they are a user; 0: a token of a program
    named          INTEGER NOT NULL CHECK (named IN (0, 1)), -- 1: visitors are told who made it
    created_at     INTEGER NOT NULL,                 -- when it was made
    expires_at     INTEGER NOT NULL,                 -- when it ends
    opened         INTEGER NOT NULL,                 -- how often it was opened
    last_opened_at INTEGER,                          -- when it was opened last; NULL: never
    mask           BLOB CHECK (length(mask) = 32) -- what its pseudonyms are made of; NULL: it shows real names
) STRICT, WITHOUT ROWID;
