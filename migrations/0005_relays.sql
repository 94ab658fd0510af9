-- How reports come through other agents, and which agents may pass them on.
-- Of reports from before, `relay_proven` stays NULL: those of version 2 were signed for, those of
-- version 1 count as claims.
ALTER TABLE agents ADD COLUMN relay_proven INTEGER NOT NULL DEFAULT 0 CHECK (relay_proven IN (0, 1));
ALTER TABLE agents ADD COLUMN may_relay INTEGER NOT NULL DEFAULT 1 CHECK (may_relay IN (0, 1));
UPDATE agents SET relay_proven = relay_path <> '[]' AND coalesce(scheme, 'v1') <> 'v1';
ALTER TABLE reports ADD COLUMN relay_proven INTEGER CHECK (relay_proven IN (0, 1));
