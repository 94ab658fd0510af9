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
    last_opened_at INTEGER                           -- when it was opened last; NULL: never
) STRICT, WITHOUT ROWID;
