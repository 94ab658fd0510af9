-- Most reports are kept as what differs from an earlier one. That is no word of `encoding` but none,
-- which costs nothing in a row, and no rule of the column has to change for it; and how such a report
-- is signed is told once, with the earlier one.
ALTER TABLE reports ALTER COLUMN encoding DROP NOT NULL;
ALTER TABLE reports ALTER COLUMN scheme DROP NOT NULL;
ALTER TABLE reports ALTER COLUMN canon_form DROP NOT NULL;
ALTER TABLE reports ALTER COLUMN kid DROP NOT NULL;
