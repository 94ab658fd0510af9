-- People who sign in by name and password.
CREATE TABLE users (
    name            TEXT    NOT NULL PRIMARY KEY,    -- in lower case
    role            TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')), -- what they may do
    password        TEXT,                            -- Argon2id of the password as a PHC string; NULL: none is chosen yet
    password_at     INTEGER,                         -- when it was chosen
    setup_hash      BLOB    CHECK (length(setup_hash) = 32), -- SHA-256 of the setup code with which they choose one
    setup_until     INTEGER,                         -- when the setup code ends
    disabled        INTEGER NOT NULL CHECK (disabled IN (0, 1)), -- 1: they may not sign in
    generation      INTEGER NOT NULL,                -- rises with each change that ends their sessions
    created_at      INTEGER NOT NULL,                -- when they were added
    created_by      TEXT    NOT NULL,                -- who added them
    last_sign_in_at INTEGER,                         -- when they last signed in
    last_sign_in_from TEXT                           -- from which address
) STRICT, WITHOUT ROWID;

ALTER TABLE sessions ADD COLUMN generation INTEGER; -- the user's generation when the session began; NULL: it is no user's
ALTER TABLE sessions ADD COLUMN source TEXT; -- the address it was opened from; NULL: not known
ALTER TABLE sessions ADD COLUMN made_by TEXT; -- who made the token; NULL: not known, or a session

CREATE INDEX sessions_by_name ON sessions (name);
