-- Past alarms of one thing, so that those of a few links are found without reading all others.
CREATE INDEX alarms_by_subject ON alarms (subject);
