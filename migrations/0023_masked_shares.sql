-- Shared links that show pseudonyms instead of names, addresses and keys.
ALTER TABLE shares ADD COLUMN mask BLOB CHECK (length(mask) = 32); -- what those are made of; NULL: it shows real names
