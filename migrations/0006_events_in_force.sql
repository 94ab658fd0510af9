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
