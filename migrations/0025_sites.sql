-- Past alarms of one thing, so that those of a few links are found without reading all others.
CREATE INDEX alarms_by_subject ON alarms (subject);

-- Operators give agents sites in place of what their hosts say.
ALTER TABLE agents ADD COLUMN site_set TEXT;
