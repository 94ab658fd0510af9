-- People and programs that see some fleets only.
ALTER TABLE users ADD COLUMN fleets TEXT; -- the fleets they see, as a JSON array; NULL: all, and the manager itself
ALTER TABLE sessions ADD COLUMN fleets TEXT; -- the fleets it sees, as a JSON array; NULL: all, and the manager itself
