-- Framed reports (PROTOCOL 1.10): the dictionaries that agents compress with, and which report
-- needs which.
CREATE TABLE frame_dictionaries (
    dict_no      INTEGER PRIMARY KEY,                -- given by the store, grows with every dictionary
    dict_id      BLOB    NOT NULL UNIQUE CHECK (length(dict_id) = 32), -- SHA-256 of its bytes
    bytes        BLOB    NOT NULL,                   -- as zstd trained it, from the form of reports without their values
    made_at      INTEGER NOT NULL,                   -- when
    sample_bytes INTEGER NOT NULL CHECK (sample_bytes > 0), -- size of the data it was tried on
    packed_bytes INTEGER NOT NULL CHECK (packed_bytes >= 0) -- what they came to when packed with it
) STRICT;

ALTER TABLE reports ADD COLUMN frame_dict INTEGER REFERENCES frame_dictionaries (dict_no); -- the dictionary that the agent compressed its data with; NULL: none

-- Tells whether one of them is still needed.
CREATE INDEX reports_by_frame_dict ON reports (frame_dict) WHERE frame_dict IS NOT NULL;
