-- How restless things are, and what that does to their alarms.
ALTER TABLE alarms ADD COLUMN own_severity TEXT CHECK (own_severity IN ('info', 'warning', 'minor', 'major', 'critical')); -- how bad its rule calls it; NULL: as severity says, no rules file changed it
ALTER TABLE alarms ADD COLUMN flapping_until INTEGER; -- it flaps, and is held open until then if its condition changes no more; NULL: it does not

-- How often the alarm about a thing came and went lately.
CREATE TABLE flaps (
    kind    TEXT    NOT NULL CHECK (kind GLOB '[a-z]*.[a-z]*'), -- dotted name of the catalogue
    subject TEXT    NOT NULL,                        -- which thing
    penalty INTEGER NOT NULL CHECK (penalty > 0),    -- thousandths of one change; halves every ten minutes
    at      INTEGER NOT NULL,                        -- when it was as much: at the last change
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

-- A new word, for what is told: both tables are made anew with it.
CREATE TABLE tellings_before AS SELECT * FROM tellings;
DROP TABLE tellings;
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
INSERT INTO tellings SELECT * FROM tellings_before;
DROP TABLE tellings_before;

CREATE TABLE items_before AS SELECT * FROM notification_items;
DROP TABLE notification_items;
CREATE TABLE notification_items (
    notification_id INTEGER NOT NULL REFERENCES notifications (notification_id) ON DELETE CASCADE, -- the message
    alarm_id        INTEGER NOT NULL,                -- the alarm; it may have been pruned since
    telling         TEXT    NOT NULL CHECK (telling IN ('raised', 'flapping', 'worse', 'repeated',
                    'escalated', 'acknowledged', 'returned', 'cleared')), -- what is told of it
    facts           TEXT    NOT NULL,                -- JSON: the alarm as it is told
    PRIMARY KEY (notification_id, alarm_id)
) STRICT, WITHOUT ROWID;
INSERT INTO notification_items SELECT * FROM items_before;
DROP TABLE items_before;

-- Who was told what of an alarm.
CREATE INDEX notification_items_by_alarm ON notification_items (alarm_id);
