//! What an agent does after each answer of the protocol (PROTOCOL 1.7), and when none comes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kattila::agent::client::ProxyWay;
use kattila::clock::Clock;
use kattila::keys::source::SourceConfig;
use kattila::sign::psk::kid_of_psk;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::support::host::TestHost;
use crate::support::manager::{PSK, START};
use crate::support::scripted::{Reply, Request, Scripted};

const OTHER_PSK: &str = "kattila-test-psk-111111111111111";

async fn begin() -> (Scripted, TestHost) {
    let door = Scripted::start().await;
    let host = TestHost::new(&door.url(), Clock::manual(START));
    (door, host)
}

fn n(request: &Request) -> Value {
    request.json()["data"]["n"].clone()
}

/// Steps until so many reports have come; the seconds that passed before each of them.
async fn until_reports(door: &Scripted, host: &mut TestHost, count: usize) -> Vec<i64> {
    let (mut waits, mut before) = (Vec::new(), host.clock.now());
    while door.reports().len() < count {
        let (had, now) = (door.reports().len(), host.clock.now());
        host.step().await;
        if door.reports().len() > had {
            waits.push(now.since(before));
            before = now;
        }
    }
    waits
}

#[tokio::test]
async fn the_first_report_goes_at_once_and_the_next_after_the_interval_told() {
    let (door, mut host) = begin().await;
    door.then(Reply::receipt(200));
    let waits = until_reports(&door, &mut host, 4).await;
    assert_eq!(waits[0], 0);
    assert!((180..=221).contains(&waits[1]), "{waits:?}");
    let reports = door.reports();
    assert_eq!(reports.iter().map(n).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let ticks: Vec<_> = reports.iter().map(|r| r.json()["tick"].as_i64().unwrap()).collect();
    assert!(ticks.is_sorted_by(|a, b| a < b), "{ticks:?}");
    assert_eq!(reports[0].json()["data"]["fleet_id"], "fleet-a");
    assert_eq!(host.waiting(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_report_itself_drops_it() {
    for (status, code) in [
        (400, "malformed_json"),
        (413, "data_too_large"),
        (415, "content_encoding"),
        (422, "data_invalid"),
    ] {
        let (door, mut host) = begin().await;
        door.script([Reply::refusal(status, code)]);
        until_reports(&door, &mut host, 2).await;
        let second = &door.reports()[1];
        assert_eq!(n(second), 2, "{code}: the first is not sent again");
        let problem = second.json()["data"]["problems"][0]["detail"].clone();
        assert!(problem.as_str().unwrap().contains("refused"), "{problem}");
        assert_eq!(host.waiting(), 0);
        until_reports(&door, &mut host, 3).await;
        assert!(door.reports()[2].json()["data"].get("problems").is_none(), "told once");
    }
}

#[tokio::test]
async fn what_may_be_stored_is_sent_again_as_it_was() {
    for reply in [
        Reply::HangUp,
        Reply::refusal(408, "request_timeout"),
        Reply::refusal(429, "rate_limited"),
        Reply::refusal(500, "internal"),
        Reply::refusal(502, "upstream_unreachable"),
        Reply::refusal(503, "overloaded"),
        Reply::Answer(200, String::new(), "<html>sign in here</html>".to_owned()),
    ] {
        let (door, mut host) = begin().await;
        door.script(vec![reply.clone(); 5]);
        let waits = until_reports(&door, &mut host, 6).await;
        // Whole seconds of a manual clock, rounded up: 0.5 to 1.5 times 1, 2, 4, 8, 16 s.
        for (wait, least, most) in
            [(waits[1], 1, 2), (waits[2], 1, 3), (waits[3], 2, 6), (waits[4], 4, 12)]
        {
            assert!((least..=most).contains(&wait), "{reply:?}: {waits:?}");
        }
        let reports = door.reports();
        assert!(reports[1..].iter().all(|again| again.body == reports[0].body), "{reply:?}");
    }
}

#[tokio::test]
async fn the_manager_may_ask_for_patience() {
    for (status, code) in [(429, "rate_limited"), (503, "starting")] {
        let (door, mut host) = begin().await;
        door.script([Reply::refusal(status, code).with("retry-after: 40")]);
        let waits = until_reports(&door, &mut host, 2).await;
        assert!((40..=51).contains(&waits[1]), "{waits:?}");
        assert_eq!(door.reports()[1].body, door.reports()[0].body);
    }
}

#[tokio::test]
async fn old_bytes_are_signed_anew_under_their_tick() {
    let (door, mut host) = begin().await;
    door.then(Reply::HangUp);
    host.live(700).await;
    let reports = door.reports();
    let first = reports[0].json();
    let (mut same, mut anew) = (0, Vec::new());
    for report in &reports {
        let report = report.json();
        assert_eq!(report["tick"], first["tick"], "one report is in doubt, and it goes first");
        assert_eq!(report["data"], first["data"]);
        if report["timestamp"] == first["timestamp"] {
            same += 1;
        } else {
            anew.push(report);
        }
    }
    assert!(same > 8 && !anew.is_empty(), "{same} and {}", anew.len());
    let age = anew[0]["timestamp"].as_i64().unwrap() - first["timestamp"].as_i64().unwrap();
    assert!((540..=640).contains(&age), "{age}");
    assert_ne!(anew[0]["nonce"], first["nonce"]);
    // The first copy had arrived after all: its tick is spent, and the report is delivered.
    let before = reports.len();
    door.script([Reply::refusal(409, "tick_replayed")]);
    door.then(Reply::receipt(30));
    until_reports(&door, &mut host, before + 3).await;
    let after = door.reports().split_off(before);
    assert_eq!(after[0].json()["tick"], first["tick"]);
    assert!(after[1..].iter().all(|report| report.json()["tick"] != first["tick"]));
    assert!(after[1..].iter().all(|report| n(report) != n(&reports[0])));
}

#[tokio::test]
async fn a_spent_tick_that_this_report_did_not_spend_is_raised() {
    let (door, mut host) = begin().await;
    door.script(vec![Reply::refusal(409, "tick_replayed"); 3]);
    let waits = until_reports(&door, &mut host, 4).await;
    assert_eq!(waits, [0, 0, 0, 0]);
    let reports = door.reports();
    assert!(reports.iter().all(|report| n(report) == 1), "the same look");
    let ticks: Vec<_> = reports.iter().map(|r| r.json()["tick"].as_i64().unwrap()).collect();
    assert!(ticks.is_sorted_by(|a, b| b - a >= 60_000), "{ticks:?}");
}

#[tokio::test]
async fn a_wrong_signature_reads_the_key_again_and_waits() {
    let door = Scripted::start().await;
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("psk");
    let put = |key: &str| {
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    put(PSK);
    let mut host = TestHost::with(&door.url(), Clock::manual(START), |settings| {
        settings.keys = SourceConfig::File(file.clone());
    });
    door.script([Reply::refusal(401, "signature_invalid")]);
    until_reports(&door, &mut host, 1).await;
    put(OTHER_PSK);
    until_reports(&door, &mut host, 2).await;
    let reports = door.reports();
    let signed = |n: usize| reports[n].json()["timestamp"].as_i64().unwrap();
    assert!(signed(1) - signed(0) >= 60, "{} and {}", signed(0), signed(1));
    assert_eq!(reports[0].json()["kid"], kid_of_psk(PSK.as_bytes()).as_str());
    assert_eq!(reports[1].json()["kid"], kid_of_psk(OTHER_PSK.as_bytes()).as_str());
    host.live(120).await;
    let mut seen: Vec<_> = door.reports()[1..].iter().map(|r| n(r).as_u64().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), door.reports().len() - 1, "nothing twice");
    assert!(seen.contains(&1), "the refused one arrives as well");
}

#[tokio::test]
async fn what_a_person_must_put_right_is_tried_every_five_minutes() {
    for (status, code) in [
        (403, "timestamp_skew"),
        (403, "agent_revoked"),
        (403, "fleet_mismatch"),
        (404, "not_found"),
        (405, "method_not_allowed"),
    ] {
        let (door, mut host) = begin().await;
        door.script(vec![Reply::refusal(status, code); 3]);
        let waits = until_reports(&door, &mut host, 4).await;
        assert!(waits[1..].iter().all(|wait| (300..=400).contains(wait)), "{code}: {waits:?}");
        host.live(200).await;
        assert!(door.reports().iter().any(|report| n(report) == 1), "{code}: nothing is lost");
        let times = door.reports()[3..].iter().filter(|report| n(report) == 1).count();
        assert_eq!(times, 1, "{code}");
    }
}

#[tokio::test]
async fn a_report_that_makes_the_manager_fail_does_not_block_the_others_for_ever() {
    let (door, mut host) = begin().await;
    door.then(Reply::refusal(500, "internal"));
    host.live(4000).await;
    door.then(Reply::receipt(30));
    let before = door.reports().len();
    until_reports(&door, &mut host, before + 1).await;
    assert_ne!(n(&door.reports()[before]), n(&door.reports()[0]));
}

#[tokio::test]
async fn an_enrolled_agent_signs_with_its_own_key_and_needs_no_other() {
    let (door, mut host) = begin().await;
    door.enrol(Reply::enrolled(201));
    until_reports(&door, &mut host, 1).await;
    let enrolment = door.enrolments()[0].json();
    assert_eq!(enrolment["hostname"], "gw-1");
    assert_eq!(enrolment["agent_id"], host.agent().agent_id().as_str());
    assert_eq!(door.reports()[0].json()["alg"], "ed25519");
    // Not after a restart either, when no key can be had.
    host.settings.keys = SourceConfig::File(host.beside("no-such-file"));
    host.restart();
    until_reports(&door, &mut host, 2).await;
    assert_eq!(door.reports()[1].json()["alg"], "ed25519");
    assert_eq!(door.enrolments().len(), 1);
}

#[tokio::test]
async fn a_manager_that_enrols_nobody_gets_the_shared_key_and_is_asked_again() {
    let (door, mut host) = begin().await;
    door.enrol(Reply::refusal(403, "enrollment_closed"));
    host.live(600).await;
    assert_eq!(door.enrolments().len(), 1);
    assert!(door.reports().iter().all(|report| report.json()["alg"] == "hmac-sha256"));
    door.enrol(Reply::enrolled(200));
    host.live(3600).await;
    assert_eq!(door.enrolments().len(), 2);
    assert_eq!(door.reports().last().unwrap().json()["alg"], "ed25519");
}

#[tokio::test]
async fn an_agent_that_waits_for_approval_is_polite_and_loses_nothing() {
    let (door, mut host) = begin().await;
    door.enrol(Reply::enrolled(202));
    host.live(600).await;
    assert_eq!(door.reports().len(), 0);
    let asked = door.enrolments().len();
    assert!((8..=13).contains(&asked), "{asked} times in ten minutes");
    let waiting = host.waiting();
    assert!(waiting >= 18, "{waiting}");
    door.enrol(Reply::enrolled(201));
    host.live(600).await;
    assert_eq!(host.waiting(), 0);
    let mut all: Vec<_> = door.reports().iter().map(|r| n(r).as_u64().unwrap()).collect();
    all.sort_unstable();
    let count = u64::try_from(all.len()).unwrap();
    assert_eq!(all, (1..=count).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn a_manager_that_forgot_the_key_is_told_it_again() {
    let (door, mut host) = begin().await;
    door.enrol(Reply::enrolled(201));
    door.script([Reply::receipt(30), Reply::refusal(401, "signature_invalid")]);
    until_reports(&door, &mut host, 3).await;
    assert_eq!(door.enrolments().len(), 2);
    assert_eq!(door.reports()[2].json()["alg"], "ed25519");
}

#[tokio::test]
async fn an_agent_that_forgot_its_enrolment_is_reminded() {
    let (door, mut host) = begin().await;
    door.enrol(Reply::refusal(404, "not_found"));
    until_reports(&door, &mut host, 1).await;
    door.enrol(Reply::enrolled(200));
    door.script([Reply::refusal(403, "identity_required")]);
    let waits = until_reports(&door, &mut host, 3).await;
    assert!(waits[1] <= 1, "no need to wait: {waits:?}");
    assert_eq!(door.reports()[2].json()["alg"], "ed25519");
}

#[tokio::test]
async fn changes_are_reported_soon_but_not_each_by_itself() {
    let (door, mut host) = begin().await;
    door.then(Reply::receipt(300));
    until_reports(&door, &mut host, 1).await;
    // The clock stands at the next look; a change long after the last one waits a second.
    host.agent().hasten();
    let before = host.clock.now();
    until_reports(&door, &mut host, 2).await;
    assert!(host.clock.now().since(before) >= 0);
    let changed_at = door.reports()[1].json()["timestamp"].as_i64().unwrap();
    host.clock.set(kattila::model::time::UnixSeconds(changed_at + 1));
    for _ in 0..10 {
        host.agent().hasten();
    }
    until_reports(&door, &mut host, 3).await;
    let third = door.reports()[2].json()["timestamp"].as_i64().unwrap();
    assert!((5..=6).contains(&(third - changed_at)), "{}", third - changed_at);
    assert_eq!(door.reports().len(), 3);
}

/// With the host's own clock: the manager wants a report an hour, and a change does not wait.
#[tokio::test]
async fn a_change_wakes_a_sleeping_agent() {
    let door = Scripted::start().await;
    door.then(Reply::receipt(3600));
    let mut host = TestHost::new(&door.url(), Clock::system());
    let made_up = host.made_up();
    let second = async {
        door.until_reports(1).await;
        made_up.change();
        door.until_reports(2).await;
    };
    let guarded = tokio::time::timeout(std::time::Duration::from_secs(120), second);
    host.agent().until(guarded).await.expect("the change was not reported");
}

#[tokio::test]
async fn a_proxy_is_gone_through_if_there_is_one() {
    let door = Scripted::start().await;
    let mut host = TestHost::with("http://kattila.invalid", Clock::manual(START), |settings| {
        let url = Zeroizing::new(door.url());
        settings.way.proxy = Some(ProxyWay { url, except: Some("10.0.0.0/8".to_owned()) });
    });
    host.step().await;
    assert_eq!(door.reports()[0].path, "http://kattila.invalid/status/updates");
    let mut host = TestHost::with("http://127.0.0.1:1", Clock::manual(START), |settings| {
        let url = Zeroizing::new(door.url());
        settings.way.proxy = Some(ProxyWay { url, except: Some("127.0.0.1".to_owned()) });
    });
    host.step().await;
    assert_eq!((door.reports().len(), host.waiting()), (1, 1), "not for this address");
}
