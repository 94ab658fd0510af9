-- What was true of every link and agent at any time: the last event of a kind about a thing. When
-- it began to hold is when the manager learnt it, or, if a late report tells it, when it happened.
CREATE INDEX events_of_the_map
    ON events (kind, subject, CASE WHEN cause = 'learnt later' THEN at ELSE recorded_at END)
    WHERE kind GLOB 'edge.*' OR kind GLOB 'agent.*';

-- What changed between two times.
CREATE INDEX events_by_time
    ON events (CASE WHEN cause = 'learnt later' THEN at ELSE recorded_at END)
    WHERE kind GLOB 'edge.*' OR kind GLOB 'agent.*' OR kind GLOB 'alarm.*';
