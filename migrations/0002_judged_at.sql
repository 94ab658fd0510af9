-- When the sentence about a link was judged. It may be renewed while the state stays, so that
-- `since` does not tell. Of rows from before only the state's beginning is known.
ALTER TABLE topology_edges ADD COLUMN judged_at INTEGER NOT NULL DEFAULT 0;
UPDATE topology_edges SET judged_at = since;
