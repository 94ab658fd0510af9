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
