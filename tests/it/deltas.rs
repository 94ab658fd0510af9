//! Reports as a whole manager keeps them: as what differs from an earlier one, in every shape, read
//! alike by everybody, and proved byte for byte.

use std::path::Path;

use kattila::wire::frame::Frame;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::frames::{Framer, accept, stored};
use crate::support::fleet::{ALPHA, Host};
use crate::support::manager::TestManager;
use crate::support::own::Own;
use crate::support::process::{Ended, run};

const TURNS: i64 = 6;

async fn verify(db: &Path) -> Ended {
    run(Path::new("/"), &["verify", "--db", &db.display().to_string()], &[]).await
}

fn number(db: &Path, sql: &str) -> i64 {
    Connection::open(db).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// What a host says at a turn: counters move always, and a route comes in the middle.
fn said(kattila: &TestManager, turn: i64) -> Value {
    let mut data = Host::alpha().data();
    data["collected_at"] = json!(kattila.clock.now().0 - 1);
    data["uptime_seconds"] = json!(1000 + 30 * turn);
    data["load"] = json!([0.05 * f64::from(i32::try_from(turn).unwrap()), 0.5, 1e-7]);
    for (number, interface) in data["interfaces"].as_array_mut().unwrap().iter_mut().enumerate() {
        let number = i64::try_from(number).unwrap();
        interface["rx_bytes"] = json!(1_000_000_007 * (number + 1) + turn * 123_456);
        interface["tx_bytes"] = json!(if turn == 3 { 0 } else { 77 * turn });
    }
    if turn >= 4 {
        let route = json!({ "dst": "198.51.100.0/24", "gateway": "192.0.2.254", "dev": "eth0" });
        data["routes"].as_array_mut().unwrap().push(route);
    }
    data
}

/// Hosts that report in each shape, so many times.
async fn of_every_shape(kattila: &TestManager) {
    let (mut first, mut second) = (kattila.agent("first"), kattila.agent(ALPHA));
    let mut own = Own::new(kattila, 7);
    let registered = own.register().await;
    assert!(registered.status < 300, "{}", registered.text());
    let mut plain = Framer::new("00000000000000f1");
    let mut packed = Framer::new("00000000000000f2");
    for turn in 0..TURNS {
        kattila.advance(30).await;
        let data = said(kattila, turn);
        first.report_v1(&data).await;
        second.report(&data).await;
        let sealed = own.seal(&data.to_string());
        let answer = own.send(&sealed).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let data = data.to_string();
        let frame = plain.seal(kattila, &Frame::identity(), data.as_bytes());
        accept(kattila, frame).await;
        let frame = packed.zstd(kattila, &data, None);
        accept(kattila, frame).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_is_kept_as_what_differs_and_proves_itself() {
    let kattila = TestManager::start().await;
    let db = kattila.db();
    of_every_shape(&kattila).await;
    let deltas = "SELECT count(*) FROM reports JOIN agents USING (agent_no)
        WHERE encoding IS NULL AND agent_id <> '00000000000000f2'";
    assert_eq!(number(&db, deltas), 4 * (TURNS - 1), "all but each host's first");
    let ended = verify(&db).await;
    assert!(ended.said.starts_with("30 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n"));
    // What the row tells is what was signed, or the report proves nothing.
    let rows = "SELECT report_id FROM reports WHERE encoding IS NULL AND agent_no =
        (SELECT agent_no FROM agents WHERE agent_id = ?1) ORDER BY report_id";
    let conn = Connection::open(&db).unwrap();
    let mut statement = conn.prepare(rows).unwrap();
    let rows = statement.query_map([ALPHA], |row| row.get::<_, i64>(0)).unwrap();
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>().unwrap();
    let changes =
        ["timestamp = timestamp + 1", "tick = tick - 1", "collected_at = 7", "nonce = 'another'"];
    for (change, id) in changes.iter().zip(&rows) {
        assert!(!stored(&db, *id).envelope.is_empty());
        let sql = format!("UPDATE reports SET {change} WHERE report_id = {id}");
        assert_eq!(conn.execute(&sql, []).unwrap(), 1);
    }
    let ended = verify(&db).await;
    assert_eq!(ended.code, Some(1));
    let failed = ended.said.lines().take_while(|line| line.starts_with("report "));
    let named: Vec<_> =
        failed.map(|line| line.split(' ').nth(1).unwrap().parse::<i64>().unwrap()).collect();
    assert_eq!(named, rows[..4], "{ended:?}");
    assert!(ended.said.contains("\n26 ok, 0 redacted, 0 signed with a key not kept, 4 failed\n"));
    kattila.stop().await;
}
