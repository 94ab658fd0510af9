//! Dictionaries in a whole manager: learnt from what is stored, used from then on, replaced when
//! they are old, gone when nothing needs them, and every report still proves itself.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::fleet::Host;
use crate::support::manager::TestManager;
use crate::support::process::run;

const WEEK: i64 = 7 * 86_400;

fn numbers(db: &Path, sql: &str) -> Vec<i64> {
    let conn = Connection::open(db).unwrap();
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// One report of each of so many hosts.
async fn reports(kattila: &TestManager, from: usize, hosts: usize) {
    for number in from..from + hosts {
        let name = format!("host-{number}");
        let mut data = Host { name: "alpha", key: None, ..Host::alpha() }.data();
        data["hostname"] = json!(name);
        data["interfaces"][0]["rx_bytes"] = json!(number * 7_654_321);
        data["routes"] = json!([{ "dst": format!("10.{}.0.0/16", number % 250), "dev": "eth0" }]);
        kattila.agent(&name).report_v1(&data).await;
    }
}

async fn job(kattila: &TestManager) -> Value {
    let jobs = kattila.operator().json("/api/v1/jobs").await;
    let found = jobs.as_array().unwrap().iter().find(|job| job["name"] == "train-dictionary");
    found.unwrap().clone()
}

async fn verify(db: &Path) -> String {
    let db = db.display().to_string();
    let ended = run(Path::new("/"), &["verify", "--db", &db], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dictionary_is_learnt_used_replaced_and_removed() {
    let kattila = TestManager::start().await;
    let db = kattila.db();
    reports(&kattila, 0, 250).await;
    kattila.advance(10).await;
    assert_eq!(job(&kattila).await["rows"], 0, "too few reports");
    reports(&kattila, 250, 10).await;
    kattila.advance(600).await;
    assert_eq!(job(&kattila).await["rows"], 2, "one to pack with, and one for agents");
    assert_eq!(job(&kattila).await["last_error"], Value::Null);

    // From now on new hosts' reports are packed with it, and take less than half.
    reports(&kattila, 260, 10).await;
    assert_eq!(numbers(&db, "SELECT count(*) FROM reports WHERE dict IS NOT NULL"), [10]);
    let mean = "SELECT avg(octet_length(envelope)) * 10 / 10 FROM reports WHERE dict IS ";
    let sizes = |which: &str| {
        let sql = format!("SELECT CAST(({mean}{which}) AS INTEGER)");
        numbers(&db, &sql)[0]
    };
    assert!(sizes("NOT NULL") * 2 < sizes("NULL"), "{} {}", sizes("NOT NULL"), sizes("NULL"));

    // It fits and is young: nothing is learnt, until it is a week old.
    kattila.advance(600).await;
    assert_eq!(job(&kattila).await["rows"], 0);
    kattila.advance(WEEK).await;
    assert_eq!(job(&kattila).await["rows"], 1);
    assert_eq!(numbers(&db, "SELECT dict_no FROM dictionaries"), [1, 2]);
    let said = verify(&db).await;
    assert!(said.starts_with("270 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n"));

    // After a restart the reports are read as before, and new ones packed with the newer one.
    let kattila = kattila.restart().await;
    reports(&kattila, 270, 2).await;
    assert_eq!(numbers(&db, "SELECT DISTINCT dict FROM reports ORDER BY 1 DESC LIMIT 1"), [2]);

    // A copy is as good.
    let copy = db.with_file_name("copy.db");
    let (from, to) = (db.display().to_string(), copy.display().to_string());
    let ended = run(Path::new("/"), &["backup", "--db", &from, &to], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = verify(&copy).await;
    assert!(said.starts_with("272 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n"));
    kattila.stop().await;
}
