//! Lists that are narrowed to what a query finds: the same rows as a search through all of them
//! gives, page by page, for a price that follows what was asked for and not what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::model::id::{AgentId, AlarmId, EdgeId, EventId};
use crate::store::row::{AlarmFilter, Things, ToldOf};
use crate::store::sqlite::place::Place;
use crate::store::sqlite::settings;
use crate::store::sqlite::table::{alarms, events};

/// Agents, of which every twentieth is quiet: of it there are only the first events.
const AGENTS: i64 = 100_000;

/// What every agent and link is told of once, then all but the quiet ones again.
const FILL: &str = "
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    INSERT INTO agents (agent_no, agent_id, fleet_id, registered_at, status, status_since,
            clock_offset, interfaces_hash, routes_hash, peers_hash)
        SELECT i, 'agent-' || i, 'lab', 0, 'online', 0, 0, 0, 0, 0 FROM n;
    INSERT INTO events (at, recorded_at, kind, agent_no, subject)
        SELECT 0, 0, 'agent.registered', agent_no, agent_id FROM agents;
    INSERT INTO events (at, recorded_at, kind, subject)
        SELECT 0, 0, 'edge.state', printf('%016x', agent_no) FROM agents WHERE agent_no <= 1000;
    INSERT INTO events (at, recorded_at, kind, agent_no, subject)
        SELECT 0, 0, 'alarm.raised', 99999, 'edge.down ' || printf('%016x', agent_no)
        FROM agents WHERE agent_no <= 1000 AND agent_no % 7 = 0;
    INSERT INTO events (at, recorded_at, kind, agent_no, subject)
        SELECT 1, 1, 'agent.changed', agent_no, agent_id FROM agents WHERE agent_no % 20 <> 0;
    INSERT INTO alarms (alarm_id, kind, subject, severity, state, agent_no, message, pending_since,
            raised_at, cleared_at, count)
        SELECT agent_no, 'agent.offline', agent_id, 'major',
            CASE WHEN agent_no % 1000 = 0 THEN 'active' ELSE 'cleared' END, agent_no,
            'agent ' || agent_id || ' is silent', 0, 0,
            CASE WHEN agent_no % 1000 = 0 THEN NULL ELSE 1 END, 0
        FROM agents WHERE agent_no <= 20000;
    INSERT INTO alarms (alarm_id, kind, subject, severity, state, agent_no, message, pending_since,
            raised_at, cleared_at, count)
        SELECT 20000 + agent_no, 'edge.down', printf('%016x', agent_no), 'major', 'cleared', 1,
            'a link is down', 0, 0, 1, 0
        FROM agents WHERE agent_no <= 1000;";

/// A connection that counts the steps of SQLite's machine.
struct Counted {
    conn: Connection,
    steps: Arc<AtomicU64>,
}

impl Counted {
    fn open(db: &Path) -> Self {
        let mut conn = settings::open_reader(&Place::find(db).unwrap()).unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&steps);
        let each = move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        };
        conn.progress_handler(1, Some(each)).unwrap();
        Self { conn, steps }
    }

    fn count<T>(&self, work: impl FnOnce(&Connection) -> T) -> (T, u64) {
        let before = self.steps.load(Ordering::Relaxed);
        let found = work(&self.conn);
        (found, self.steps.load(Ordering::Relaxed) - before)
    }

    /// The numbers of one page of events, and what they cost.
    fn events(&self, things: &Things, before: i64) -> (Vec<i64>, u64) {
        let filter = EventFilter {
            before: Some(EventId(before)),
            things: Some(things.clone()),
            limit: 100,
            ..EventFilter::default()
        };
        let (rows, steps) = self.count(|conn| events::list(conn, &filter).unwrap());
        (rows.into_iter().rev().map(|row| row.id.0).collect(), steps)
    }

    /// All pages of events.
    fn paged(&self, things: &Things) -> Vec<i64> {
        let (mut all, mut before) = (Vec::new(), i64::MAX);
        loop {
            let (page, _) = self.events(things, before);
            let Some(last) = page.last() else { return all };
            before = *last;
            all.extend(page);
        }
    }

    fn alarms(&self, filter: AlarmFilter) -> (Vec<i64>, u64) {
        let filter = AlarmFilter { limit: 100, ..filter };
        let (rows, steps) = self.count(|conn| alarms::list(conn, &filter).unwrap());
        (rows.into_iter().map(|row| row.alarm.id.0).collect(), steps)
    }

    fn searched(&self, sql: &str) -> Vec<i64> {
        let mut statement = self.conn.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

fn agents(numbers: impl Iterator<Item = i64>) -> Vec<AgentId> {
    numbers.map(|no| format!("agent-{no}").parse().unwrap()).collect()
}

fn edges(numbers: impl Iterator<Item = i64>) -> Vec<EdgeId> {
    numbers.map(|no| format!("{no:016x}").parse().unwrap()).collect()
}

#[test]
fn a_narrowed_page_costs_what_was_asked_for_among_a_hundred_thousand_agents() {
    let (_dir, db) = place();
    drop(opened(&db));
    Connection::open(&db).unwrap().execute_batch(FILL).unwrap();
    let counted = Counted::open(&db);

    // Two agents and a link, of which nothing was heard for a hundred thousand events.
    let few = Things { agents: agents([20, 41].into_iter()), edges: edges([7].into_iter()) };
    let wanted = "SELECT event_id FROM events WHERE agent_no IN (20, 41)
        OR subject IN ('0000000000000007', 'edge.down 0000000000000007') ORDER BY event_id DESC";
    let (found, steps) = counted.events(&few, i64::MAX);
    assert_eq!((&found, found.len()), (&counted.searched(wanted), 5));
    assert!(steps < 2_000, "{steps}");

    // Everybody who is quiet: more than are looked at, and none of the last events is theirs.
    let quiet =
        Things { agents: agents((1..=AGENTS).filter(|no| no % 20 == 0)), edges: Vec::new() };
    let (found, steps) = counted.events(&quiet, i64::MAX);
    let wanted = "SELECT event_id FROM events WHERE agent_no % 20 = 0 ORDER BY event_id DESC";
    assert_eq!(found, counted.searched(wanted)[..100]);
    assert!(steps < 60 * 5_000 + 50_000, "{steps}");

    // Everybody: the last rows answer.
    let all = Things { agents: agents(1..=AGENTS), edges: Vec::new() };
    let (found, all_steps) = counted.events(&all, i64::MAX);
    assert_eq!(found.len(), 100);
    assert!(all_steps < 30 * u64::try_from(AGENTS).unwrap(), "{all_steps}");

    // Page by page, each row once, though many tell of two of the things.
    let some = Things { agents: agents((99_990..=99_999).chain(1..=40)), edges: edges(1..=200) };
    let wanted = "SELECT event_id FROM events WHERE agent_no BETWEEN 99990 AND 99999
        OR agent_no <= 40 OR substr(subject, -16) <= printf('%016x', 200)
            AND (kind = 'edge.state' OR kind = 'alarm.raised') ORDER BY event_id DESC";
    assert_eq!(counted.paged(&some), counted.searched(wanted));
}

#[test]
fn alarms_that_are_over_are_found_by_thing_and_by_word() {
    let (_dir, db) = place();
    drop(opened(&db));
    Connection::open(&db).unwrap().execute_batch(FILL).unwrap();
    let counted = Counted::open(&db);
    let of = |things: Things| AlarmFilter { things: Some(things), ..AlarmFilter::default() };
    let few = || Things { agents: agents([3, 5000].into_iter()), edges: edges([9].into_iter()) };
    let cleared = AlarmFilter { cleared: true, ..of(few()) };
    let (found, steps) = counted.alarms(cleared.clone());
    assert_eq!(found, [20_009, 3]);
    assert!(steps < 2_000, "{steps}");
    assert_eq!(counted.alarms(of(few())).0, [5000], "what is open");
    assert_eq!(counted.alarms(AlarmFilter { either: true, ..of(few()) }).0, [20_009, 5000, 3]);
    let before = AlarmFilter { before: Some(AlarmId(20_009)), ..cleared.clone() };
    assert_eq!(counted.alarms(before).0, [3]);

    // About the things, or in these words and about others.
    let words = vec![vec!["AGENT-7 ".to_owned(), "agent-8 ".to_owned()], vec!["silent".to_owned()]];
    let told = |of| Some(ToldOf { words: words.clone(), of });
    assert_eq!(
        counted.alarms(AlarmFilter { told: told(None), ..cleared.clone() }).0,
        [20_009, 8, 7, 3]
    );
    let eight = Things { agents: agents([8, 9].into_iter()), edges: Vec::new() };
    assert_eq!(
        counted.alarms(AlarmFilter { told: told(Some(eight)), ..cleared }).0,
        [20_009, 8, 3]
    );
    let open = AlarmFilter {
        told: Some(ToldOf { words: vec![vec!["agent-2000 ".to_owned()]], of: None }),
        ..of(few())
    };
    assert_eq!(counted.alarms(open).0, [5000, 2000]);
}
