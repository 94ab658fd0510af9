-- Agents' counters over time.

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
