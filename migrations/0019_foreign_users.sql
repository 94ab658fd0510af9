-- Users who sign in at an OpenID provider.
ALTER TABLE users ADD COLUMN issuer TEXT; -- the OpenID provider where they sign in (iss); NULL: they sign in with a password
ALTER TABLE users ADD COLUMN subject TEXT CHECK ((subject IS NULL) = (issuer IS NULL)); -- who they are there (sub), for ever

-- Nobody at a provider is two users.
CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject) WHERE subject IS NOT NULL;
