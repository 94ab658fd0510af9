-- Messages to people about alarms.

-- What each channel was told of each alarm, and what it will be told next. A row goes when the
-- channel has been told that the alarm is over, or when the alarm is over and it was told nothing.
CREATE TABLE tellings (
    alarm_id INTEGER NOT NULL,                       -- the alarm
    channel  TEXT    NOT NULL,                       -- the channel's name
    told     TEXT    CHECK (told IN ('info', 'warning', 'minor', 'major', 'critical')), -- how bad it was when last told; NULL: not told yet
    told_at  INTEGER,                                -- when that was put into a message
    next     TEXT    CHECK (next IN ('raised', 'worse', 'repeated', 'escalated', 'acknowledged',
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
    telling         TEXT    NOT NULL CHECK (telling IN ('raised', 'worse', 'repeated',
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
