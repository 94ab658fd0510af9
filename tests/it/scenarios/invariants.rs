//! What holds of alarms whatever happens: the nine invariants of docs/alarms.md, each over the
//! same histories drawn at random, of a whole manager on the virtual clock.
//!
//! `KATTILA_HISTORIES` says how many are drawn.

mod draw;
mod tape;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::sync::OnceCell;

use tape::{Course, Tape, play};

use crate::support::manager::START;

/// Histories, if nobody says how many.
const USUALLY: u64 = 8;

/// Histories that are played at the same time.
const AT_ONCE: usize = 4;

/// A round of reports: until the next look, what is due is told.
const ROUND_S: i64 = 30;

/// Silence that a manager which has just started blames nobody for.
const GRACE_S: i64 = 180;

/// Each history as drawn, and the same without what sets alarms aside.
static TAPES: OnceCell<Vec<[Tape; 2]>> = OnceCell::const_new();

async fn tapes() -> &'static [[Tape; 2]] {
    TAPES
        .get_or_init(|| async {
            #[expect(clippy::disallowed_methods, reason = "more take longer than a test may")]
            let wanted = std::env::var("KATTILA_HISTORIES").map_or(USUALLY, |n| n.parse().unwrap());
            let seeds: Vec<u64> = (1..=wanted).collect();
            let mut tapes = Vec::new();
            for some in seeds.chunks(AT_ONCE) {
                let plays = some.iter().map(|seed| {
                    let seed = *seed;
                    tokio::spawn(async move {
                        [play(seed, Course::Drawn).await, play(seed, Course::NothingAside).await]
                    })
                });
                for tape in plays.collect::<Vec<_>>() {
                    tapes.push(tape.await.unwrap());
                }
            }
            tapes
        })
        .await
}

/// All tapes as they were drawn.
async fn drawn() -> impl Iterator<Item = &'static Tape> {
    tapes().await.iter().map(|[tape, _]| tape)
}

fn id(alarm: &Value) -> i64 {
    alarm["id"].as_i64().unwrap()
}

fn text<'a>(alarm: &'a Value, name: &str) -> &'a str {
    alarm[name].as_str().unwrap_or_default()
}

fn thing(alarm: &Value) -> String {
    format!("{} {}", text(alarm, "kind"), text(alarm, "subject"))
}

fn is_of_link(alarm: &Value) -> bool {
    ["edge.", "allowedips.", "peer.", "endpoint."]
        .iter()
        .any(|p| text(alarm, "kind").starts_with(p))
}

/// A word by how bad it is.
fn rank(severity: &str) -> usize {
    let words = ["info", "warning", "minor", "major", "critical"];
    words.iter().position(|word| *word == severity).unwrap()
}

/// What was told of an alarm: when, what, and how bad it was then.
type Told = (i64, String, String);

/// What each channel was told of each alarm, in order.
fn tellings(tape: &Tape) -> BTreeMap<(String, i64), Vec<Told>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for message in &tape.messages {
        for alarm in message["alarms"].as_array().unwrap() {
            let told = (
                message["created_at"].as_i64().unwrap() - START.0,
                text(alarm, "telling").to_owned(),
                text(alarm, "severity").to_owned(),
            );
            let key = (text(message, "channel").to_owned(), id(alarm));
            all.entry(key).or_default().push(told);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_do_what_the_invariants_are_about() {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for tape in drawn().await {
        let mut add = |what, n| *count.entry(what).or_default() += n;
        add("alarms", tape.all.len());
        add("messages", tape.messages.len());
        add("restarts", tape.restarts.len());
        add("resets", tape.resets.len());
        add("pours", tape.pours.len());
        let told = tellings(tape);
        let tellings = |word: &str| told.values().flatten().filter(|t| t.1 == word).count();
        add("worse", tellings("worse"));
        add("cleared", tellings("cleared"));
        let open = || tape.looks.iter().flat_map(|look| look.alarms.values());
        add("shelved", open().filter(|alarm| !alarm["shelved_until"].is_null()).count());
        add("maintenance", open().filter(|alarm| !alarm["maintenance"].is_null()).count());
        add("acknowledged", open().filter(|alarm| text(alarm, "state") == "acknowledged").count());
        add("flapping", open().filter(|alarm| alarm["flapping"] == true).count());
        add("stale", open().filter(|alarm| !alarm["stale_since"].is_null()).count());
        add("following", open().filter(|alarm| !alarm["inhibited_by"].is_null()).count());
    }
    let never: Vec<_> = count.iter().filter(|(_, n)| **n == 0).collect();
    assert!(never.is_empty() && count["alarms"] > 100, "{count:?}");
}

/// 1: what is set aside is recorded as if it were not, and nobody is told that it began.
#[tokio::test(flavor = "multi_thread")]
async fn suppression_mutes_messages_and_never_recording() {
    for [tape, nothing_aside] in tapes().await {
        let lives = |tape: &Tape| -> BTreeSet<String> {
            let life = |a: &Value| format!("{} {} {}", thing(a), a["raised_at"], a["cleared_at"]);
            tape.all.iter().map(life).collect()
        };
        let (with, without) = (lives(tape), lives(nothing_aside));
        let differ: Vec<_> = with.symmetric_difference(&without).collect();
        assert!(differ.is_empty(), "history {}: {differ:#?}", tape.seed);
        for ((channel, alarm), told) in tellings(tape) {
            for (at, what, _) in told {
                let aside = |alarm: &Value| {
                    let is_news = what == "raised" || what == "flapping";
                    let shelved = !alarm["shelved_until"].is_null();
                    (is_news && shelved) || (what != "cleared" && !alarm["maintenance"].is_null())
                };
                let around: Vec<_> = tape.around(at, alarm).collect();
                let was_aside = around.len() == 2 && around.iter().all(|alarm| aside(alarm));
                assert!(!was_aside, "history {}: {channel} {what} {around:#?}", tape.seed);
            }
        }
    }
}

/// 2: a channel that was told that an alarm began is told once, and last of all, that it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_notified_raise_has_its_notified_clear() {
    for tape in drawn().await {
        for ((channel, alarm), told) in tellings(tape) {
            let words: Vec<&str> = told.iter().map(|(_, what, _)| what.as_str()).collect();
            let cleared = words.iter().filter(|what| **what == "cleared").count();
            let begun = words.iter().filter(|what| **what == "raised").count();
            assert!(
                cleared == 1 && begun <= 1 && words.len() > 1 && words.last() == Some(&"cleared"),
                "history {}: {channel}, alarm {alarm}: {words:?}",
                tape.seed
            );
        }
    }
}

/// 3: who falls silent takes none of its alarms back; they say that their evidence is old.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_going_silent_marks_its_alarms_and_clears_none() {
    for tape in drawn().await {
        for pair in tape.looks.windows(2) {
            for host in pair[0].silent.intersection(&pair[1].silent) {
                for alarm in tape.told_by(&pair[0], host) {
                    if !alarm["returned_at"].is_null() {
                        // The last that was heard is that its condition was over.
                        continue;
                    }
                    let Some(now) = pair[1].alarms.get(&id(alarm)) else {
                        let over = tape.all.iter().find(|one| id(one) == id(alarm)).unwrap();
                        let cause = text(over, "clear_cause");
                        assert_ne!(cause, "condition over", "history {}: {over:#}", tape.seed);
                        continue;
                    };
                    let late = tape.status(&pair[1], host) != "online";
                    let marked = !now["stale_since"].is_null();
                    assert_eq!(marked, late, "history {} at {}: {now:#}", tape.seed, pair[1].at);
                }
            }
        }
    }
}

/// 4: a restart changes no alarm, and nobody is blamed for a silence of before.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_no_state_and_blames_nobody_at_once() {
    for tape in drawn().await {
        for (at, before, after) in &tape.restarts {
            assert_eq!(before, after, "history {} at {at}", tape.seed);
            let silence = ["agent.offline", "agent.stale", "relay.dead", "manager.isolated"];
            for alarm in &tape.all {
                let Some(raised) = alarm["raised_at"].as_i64().map(|at| at - START.0) else {
                    continue;
                };
                let at_once = raised > *at && raised < at + GRACE_S;
                let blames = silence.contains(&text(alarm, "kind")) && tape.was_silent(alarm, *at);
                assert!(!(at_once && blames), "history {}: {at} {alarm:#}", tape.seed);
            }
        }
    }
}

/// 5: of one thing one alarm of a kind is open, pending ones too.
#[tokio::test(flavor = "multi_thread")]
async fn one_alarm_of_a_kind_is_open_about_a_thing() {
    for tape in drawn().await {
        for look in &tape.looks {
            let mut seen = BTreeSet::new();
            for open in &look.stored {
                assert!(seen.insert(open), "history {} at {}: {open}", tape.seed, look.at);
            }
            assert!(look.alarms.len() <= look.stored.len());
        }
    }
}

/// 6: an acknowledgement ends with its alarm and with nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_dies_on_clear_and_survives_flaps() {
    for tape in drawn().await {
        let mut acknowledged = BTreeSet::new();
        for look in &tape.looks {
            for (number, alarm) in &look.alarms {
                let is_so = !alarm["acknowledged_at"].is_null();
                let by_somebody = tape.acknowledged.contains(number);
                assert!(!is_so || by_somebody, "history {}: {alarm:#}", tape.seed);
                let was_so = acknowledged.contains(number);
                assert!(is_so || !was_so, "history {} at {}: {alarm:#}", tape.seed, look.at);
                if is_so {
                    acknowledged.insert(*number);
                }
            }
        }
    }
}

/// 7: what gets worse is told again; what gets better is not.
#[tokio::test(flavor = "multi_thread")]
async fn worse_is_told_again_and_better_is_not() {
    for tape in drawn().await {
        for ((_, alarm), told) in tellings(tape) {
            let mut most = 0;
            for (at, what, severity) in &told {
                let now = rank(severity);
                match what.as_str() {
                    "worse" => assert!(now > most, "history {}: {at} {told:?}", tape.seed),
                    "raised" | "flapping" | "cleared" => {}
                    other => panic!("history {}: {other}", tape.seed),
                }
                most = most.max(now);
            }
            // Two looks in a row as bad as nobody was told, with nothing that holds it back.
            let told_by = |at: i64| {
                let before = told.iter().filter(|(told, ..)| *told <= at);
                before.map(|(.., severity)| rank(severity)).max()
            };
            for pair in tape.looks.windows(3) {
                let as_bad = |look: &tape::Look| {
                    let alarm = look.alarms.get(&alarm)?;
                    alarm["maintenance"].is_null().then(|| rank(text(alarm, "severity")))
                };
                let (Some(one), Some(two), Some(three)) =
                    (as_bad(&pair[0]), as_bad(&pair[1]), as_bad(&pair[2]))
                else {
                    continue;
                };
                let least = one.min(two).min(three);
                let Some(told_then) = told_by(pair[2].at).filter(|_| told[0].0 <= pair[0].at)
                else {
                    continue;
                };
                assert!(told_then >= least, "history {} at {}: {told:?}", tape.seed, pair[2].at);
            }
        }
    }
}

/// 8: reports that come late are kept, and raise nothing.
#[tokio::test(flavor = "multi_thread")]
async fn late_reports_write_history_and_raise_nothing() {
    for tape in drawn().await {
        for pour in &tape.pours {
            assert_eq!(pour.stored_more, pour.sent, "history {}", tape.seed);
            let open = |alarms: &[Value]| -> BTreeSet<String> {
                // That there are late ones is told, and it is no alarm about what they hold.
                alarms.iter().map(thing).filter(|thing| !thing.starts_with("agent.stale")).collect()
            };
            let (before, after) = (open(&pour.before), open(&pour.after));
            let new: Vec<_> = after.difference(&before).collect();
            assert!(new.is_empty(), "history {} at {}: {new:?}", tape.seed, pour.at);
        }
    }
}

/// 9: a reset closes the agent's alarms, and says that it did.
#[tokio::test(flavor = "multi_thread")]
async fn an_admin_reset_closes_the_alarms_of_the_agent() {
    for tape in drawn().await {
        for (at, before) in &tape.resets {
            for alarm in before {
                let over = tape.all.iter().find(|one| id(one) == id(alarm)).unwrap();
                let end = over["cleared_at"].as_i64().unwrap() - START.0;
                let cause = text(over, "clear_cause");
                assert_eq!((end, cause), (*at, "reset"), "history {}: {over:#}", tape.seed);
            }
        }
    }
}
