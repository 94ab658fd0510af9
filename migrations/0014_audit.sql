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
