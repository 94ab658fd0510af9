-- A second factor of users who want one.
ALTER TABLE users ADD COLUMN totp_secret BLOB CHECK (length(totp_secret) = 20); -- the secret of their one-time codes (RFC 6238); NULL: they have no second factor
ALTER TABLE users ADD COLUMN totp_step INTEGER; -- the step of the last code that was used: none before or at it counts
ALTER TABLE users ADD COLUMN recovery BLOB CHECK (length(recovery) % 32 = 0); -- SHA-256 of each recovery code that is left, one after another
