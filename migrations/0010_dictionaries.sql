-- Dictionaries that reports are packed with, and which report another one is packed against.
CREATE TABLE dictionaries (
    dict_no      INTEGER PRIMARY KEY,                -- given by the store, grows with every dictionary
    dict_id      BLOB    NOT NULL UNIQUE CHECK (length(dict_id) = 8), -- first 8 bytes of the SHA-256 of its bytes
    bytes        BLOB    NOT NULL,                   -- as zstd trained it
    made_at      INTEGER NOT NULL,                   -- when
    sample_bytes INTEGER NOT NULL CHECK (sample_bytes > 0), -- size of the reports it was tried on
    packed_bytes INTEGER NOT NULL CHECK (packed_bytes >= 0) -- what they came to when packed with it
) STRICT;

ALTER TABLE reports ADD COLUMN dict INTEGER REFERENCES dictionaries (dict_no); -- the dictionary that envelope is packed with; NULL: none
ALTER TABLE reports ADD COLUMN base INTEGER; -- the report that envelope is packed against, an earlier one of the agent that has no base itself; NULL: none

-- Tells whether a dictionary is still needed.
CREATE INDEX reports_by_dict ON reports (dict) WHERE dict IS NOT NULL;
