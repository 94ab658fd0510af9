-- Changes of places on the map that people made, as long as they can be taken back.
CREATE TABLE layout_steps (
    step   INTEGER PRIMARY KEY,                      -- counts up; the highest is taken back first
    at     INTEGER NOT NULL,                         -- when, on the manager's clock
    who    TEXT    NOT NULL,                         -- the user's or token's name
    act    TEXT    NOT NULL CHECK (act IN ('pin', 'unpin', 'rearrange')), -- what was done
    things INTEGER NOT NULL CHECK (things >= 0),     -- how many things were named, or moved
    before TEXT    NOT NULL                          -- the places as they were, a JSON array of node, site, x, y, r, pinned
) STRICT;
