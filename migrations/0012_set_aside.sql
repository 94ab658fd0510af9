-- Alarms on the shelf, and maintenance windows.
ALTER TABLE alarms ADD COLUMN shelved_at INTEGER; -- when a person shelved it; NULL: it is not shelved
ALTER TABLE alarms ADD COLUMN shelved_until INTEGER; -- when it counts again
ALTER TABLE alarms ADD COLUMN shelved_by TEXT; -- who shelved it
ALTER TABLE alarms ADD COLUMN shelve_reason TEXT; -- why
ALTER TABLE alarms ADD COLUMN maintenance INTEGER; -- the window that covers it, or did when it ended; the window may have been pruned since

-- What was raised between two times.
CREATE INDEX alarms_by_raised ON alarms (raised_at) WHERE raised_at IS NOT NULL;

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
