-- Reports that told of the past when they came, found again by the time they tell of. Those that
-- an older program stored are not among them: it wrote no history from them either.
CREATE TABLE late_reports (
    agent_no    INTEGER NOT NULL REFERENCES agents (agent_no), -- whose
    measured_at INTEGER NOT NULL,                    -- when its values were read, agent's clock
    report_id   INTEGER NOT NULL,                    -- the report
    behind_id   INTEGER NOT NULL,                    -- the agent's last report before it that was not late; 0: none
    PRIMARY KEY (agent_no, measured_at, report_id)
) STRICT, WITHOUT ROWID;

-- Whether a report was late.
CREATE UNIQUE INDEX late_reports_by_report ON late_reports (report_id);

-- What a link's state was at any time.
CREATE INDEX events_of_edges ON events (subject, at) WHERE kind GLOB 'edge.*';
