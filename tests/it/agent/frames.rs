//! In which shape an agent reports: what the manager says it takes, what it refuses, and what is sent
//! again after a kill.

use kattila::agent::shape::Preference;
use kattila::clock::Clock;
use kattila::wire::frame;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::frames::crowd;
use crate::support::host::TestHost;
use crate::support::manager::{START, TestManager};
use crate::support::scripted::{Reply, Request, Scripted};
use crate::support::stored::read_report;

/// A receipt of a manager that takes frames.
fn framed() -> Reply {
    let body = json!({
        "status": "ok", "report_id": 1, "server_time": 1, "interval": 30, "framed": true,
    });
    Reply::Answer(200, String::new(), body.to_string())
}

/// `json`, or how the data of a frame is encoded.
fn shape(request: &Request) -> String {
    match frame::is_frame(&request.bytes) {
        true => request.json()["enc"].as_str().unwrap().to_owned(),
        false => "json".to_owned(),
    }
}

async fn begin(preference: Preference) -> (Scripted, TestHost) {
    let door = Scripted::start().await;
    let clock = Clock::manual(START);
    let mut host = TestHost::with(&door.url(), clock, |settings| settings.shape = preference);
    // Enough to be worth compressing.
    host.fill(2000);
    (door, host)
}

async fn until_reports(door: &Scripted, host: &mut TestHost, count: usize) -> Vec<Request> {
    while door.reports().len() < count {
        host.step().await;
    }
    door.reports()
}

#[tokio::test]
async fn frames_are_sent_to_who_says_that_it_takes_them() {
    for (preference, enc) in
        [(Preference::Auto, "identity"), (Preference::Framed, "zstd"), (Preference::Json, "json")]
    {
        let (door, mut host) = begin(preference).await;
        door.script([Reply::receipt(30), framed(), framed(), framed()]);
        let reports = until_reports(&door, &mut host, 4).await;
        let shapes: Vec<_> = reports.iter().map(shape).collect();
        assert_eq!(shapes, ["json", "json", enc, enc], "{preference:?}");
    }
}

#[tokio::test]
async fn who_refuses_frames_gets_the_same_report_as_json() {
    for refusal in [
        Reply::refusal(415, "unsupported_media_type"),
        Reply::Answer(415, String::new(), "no problem".to_owned()),
        Reply::refusal(400, "malformed_json"),
    ] {
        let (door, mut host) = begin(Preference::Auto).await;
        door.then(framed());
        door.script([framed(), refusal]);
        let reports = until_reports(&door, &mut host, 4).await;
        let shapes: Vec<_> = reports.iter().map(shape).collect();
        assert_eq!(shapes, ["json", "identity", "json", "json"], "it is not tried at every turn");
        let (refused, again) = (reports[1].json(), reports[2].json());
        assert_eq!((&refused["tick"], &refused["data"]), (&again["tick"], &again["data"]));
        assert_eq!(again["timestamp"], refused["timestamp"], "at once");
        host.live(3700).await;
        assert_eq!(shape(door.reports().last().unwrap()), "identity");
        assert_eq!(host.waiting(), 0);
    }
}

#[tokio::test]
async fn a_compressed_report_in_doubt_goes_again_byte_for_byte_after_a_kill() {
    let (door, mut host) = begin(Preference::Framed).await;
    door.then(framed());
    door.script([framed(), Reply::HangUp, Reply::HangUp]);
    until_reports(&door, &mut host, 3).await;
    host.kill();
    let reports = until_reports(&door, &mut host, 4).await;
    assert_eq!(shape(&reports[1]), "zstd");
    assert!(reports[1].bytes == reports[2].bytes && reports[1].bytes == reports[3].bytes);
    assert_eq!(shape(&until_reports(&door, &mut host, 6).await[4]), "zstd", "it was told");
}

/// What the manager has stored of this agent, oldest first: encoding and dictionary.
fn kept(kattila: &TestManager, agent: &str) -> Vec<(String, Value)> {
    let conn = Connection::open(kattila.db()).unwrap();
    let sql = "SELECT report_id FROM reports JOIN agents USING (agent_no) WHERE agent_id = ?1";
    let mut statement = conn.prepare(sql).unwrap();
    let ids = statement.query_map([agent], |row| row.get::<_, i64>(0)).unwrap();
    let read = |id: i64| {
        let head = read_report(&crate::frames::stored(&kattila.db(), id).envelope);
        (head["enc"].as_str().unwrap_or("json").to_owned(), head["dict"].clone())
    };
    ids.map(|id| read(id.unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dictionary_is_fetched_kept_and_let_go_of() {
    let kattila = TestManager::start().await;
    crowd(&kattila, 260).await;
    kattila.advance(600).await;
    let url = format!("http://{}", kattila.addr());
    let clock = kattila.clock.clone();
    let mut host = TestHost::with(&url, clock, |settings| settings.shape = Preference::Framed);
    host.live(70).await;
    let id = host.agent().agent_id().to_string();
    let first = kept(&kattila, &id);
    let (enc, dict) = first.last().unwrap().clone();
    assert!(enc == "zstd" && dict.is_string(), "{first:?}");
    assert_eq!(first[0].0, "json");
    // The next run has it on disk: the manager is asked for it no more.
    host.restart();
    host.live(70).await;
    let second = kept(&kattila, &id);
    assert_eq!((&second.last().unwrap().1, second.len() > first.len()), (&dict, true));

    // A manager that has lost it refuses what is compressed with it: the same report comes as it is.
    let door = Scripted::start().await;
    door.then(Reply::Pass(kattila.addr()));
    door.enrol(Reply::Pass(kattila.addr()));
    host.move_to(&door.url());
    host.live(70).await;
    assert_eq!(door.reports().last().unwrap().json()["dict"], dict);
    Connection::open(kattila.db())
        .unwrap()
        .execute_batch("UPDATE reports SET frame_dict = NULL; DELETE FROM frame_dictionaries")
        .unwrap();
    let kattila = kattila.restart().await;
    door.then(Reply::Pass(kattila.addr()));
    door.enrol(Reply::Pass(kattila.addr()));
    let had = door.reports().len();
    host.live(70).await;
    let told: Vec<_> = door.reports()[had..].iter().map(Request::json).collect();
    assert_eq!((&told[0]["enc"], &told[0]["dict"]), (&json!("zstd"), &dict));
    assert_eq!((&told[1]["enc"], &told[1]["tick"]), (&json!("identity"), &told[0]["tick"]));
    assert!(told[2]["dict"].is_null(), "{}", told[2]);
    assert_eq!(host.waiting(), 0);
    kattila.stop().await;
}
