-- People and programs that are given pseudonyms instead of names and addresses.
ALTER TABLE users ADD COLUMN masked INTEGER NOT NULL DEFAULT 0 CHECK (masked IN (0, 1)); -- 1: they are given pseudonyms instead of names and addresses
ALTER TABLE sessions ADD COLUMN masked INTEGER NOT NULL DEFAULT 0 CHECK (masked IN (0, 1)); -- 1: it is given pseudonyms instead of names and addresses
