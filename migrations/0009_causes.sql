-- Which alarm an alarm follows from.
ALTER TABLE alarms ADD COLUMN inhibited_by INTEGER; -- the alarm it follows from; it may have been pruned since
ALTER TABLE alarms ADD COLUMN inhibited_until INTEGER; -- when it counts for itself again; NULL: its cause stands

-- What follows from an alarm.
CREATE INDEX alarms_by_cause ON alarms (inhibited_by) WHERE inhibited_by IS NOT NULL;
