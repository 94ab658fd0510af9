//! What the past costs to read: work is counted, not time.

use rusqlite::{StatementStatus, params};

use super::{opened, place};
use crate::store::sqlite::table::past::FACTS;

/// Steps of SQLite's machine, and of scans, to find what held in the middle of a history of so
/// many links and so many changes of each.
fn cost(links: i64, changes: i64) -> (i32, i32, usize) {
    let (_dir, db) = place();
    drop(opened(&db));
    let conn = rusqlite::Connection::open(&db).unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?3)
        INSERT INTO events (at, recorded_at, kind, subject, after)
        SELECT i / ?2, i / ?2, ?1, format('%016x', i % ?2), json_object('state', 'up') FROM n";
    for (kind, count) in [("edge.added", links), ("edge.state", links * changes)] {
        conn.execute(fill, params![kind, links, count]).unwrap();
    }
    let mut statement = conn.prepare(FACTS).unwrap();
    let found = statement.query_map([changes / 2], |_| Ok(())).unwrap().count();
    let status = |what| statement.get_status(what);
    (status(StatementStatus::VmStep), status(StatementStatus::FullscanStep), found)
}

#[test]
fn the_past_costs_what_there_is_and_not_how_often_it_changed() {
    let (short, _, found) = cost(50, 10);
    assert_eq!(found, 100);
    let (long, _, found) = cost(50, 400);
    assert_eq!(found, 100);
    assert!(long < short + short / 10, "{short} steps for 10 changes, {long} for 400");
    let (wide, _, _) = cost(500, 10);
    assert!(wide < 11 * short, "{short} steps for 50 links, {wide} for 500");
}
