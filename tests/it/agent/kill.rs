//! The real program, killed with -9 a hundred times while the manager is down and up: what it
//! accepted into its spool arrives, and nothing arrives twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kattila::wire::frame;
use rustix::process::Signal;

use super::program::Program;
use crate::support::dice::Dice;
use crate::support::manager::PSK;
use crate::support::process::Serve;
use crate::support::stored::envelopes;

const CYCLES: u64 = 100;

/// The manager is stopped, killed or started again in one of so many cycles.
const TURNS: u64 = 4;

/// Lines of the log that a run may live for. A run that finds nobody says nine at once, and then
/// waits between attempts.
const MOMENTS: u64 = 11;

/// The data of every report that is accepted into the spool, read beside the program.
fn accepted(spool: &Path) -> BTreeSet<String> {
    let Ok(files) = fs::read_dir(spool) else { return BTreeSet::new() };
    let reports = files.map(|file| file.unwrap().path());
    reports
        .filter(|path| path.extension().is_some_and(|ending| ending == "report"))
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|content| content.split_once('\n').unwrap().1.to_owned())
        .collect()
}

/// How many times each `data` is stored.
fn stored(db: &Path) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for (_, envelope) in envelopes(db) {
        let data = match frame::split(envelope.as_bytes()) {
            Some((_, data)) => &envelope[data],
            None => envelope.split_once(",\"data\":").unwrap().1.strip_suffix('}').unwrap(),
        };
        *times.entry(data.to_owned()).or_default() += 1;
    }
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_loses_or_doubles_what_the_spool_accepted() {
    let home = tempfile::tempdir().unwrap();
    let (db, spool) = (home.path().join("k.db"), home.path().join("state/spool"));
    let mut dice = Dice::new(0x6b61_7474_696c_6122);
    let first = Serve::start_with(home.path(), &db, &[("KATTILA_REPORT_INTERVAL", "1")]).await;
    let at = first.addr().to_string();
    let changed = [("KATTILA_LISTEN", at.as_str()), ("KATTILA_REPORT_INTERVAL", "1")];
    let url = format!("http://{at}");
    let mut manager = Some(first);
    let mut kept = BTreeSet::new();
    for cycle in 0..CYCLES {
        if dice.below(TURNS) == 0 {
            manager = match manager {
                Some(serve) => {
                    serve.signal(if dice.below(2) == 0 { Signal::KILL } else { Signal::TERM });
                    serve.ended().await;
                    None
                }
                None => Some(Serve::start_with(home.path(), &db, &changed).await),
            };
        }
        // Looks of different runs never look alike.
        let label = format!("cycle={cycle}");
        let mut agent = Program::start(home.path(), &settings(&url, &label));
        // The log says what happens, so any moment of it may be the last.
        for _ in 0..1 + dice.below(MOMENTS) {
            agent.line().await;
        }
        agent.signal(Signal::KILL);
        assert_eq!(agent.ended().await, None, "it was killed");
        kept.extend(accepted(&spool));
    }
    if manager.is_none() {
        manager = Some(Serve::start_with(home.path(), &db, &changed).await);
    }
    let mut agent = Program::start(home.path(), &settings(&url, "cycle=last"));
    while !accepted(&spool).is_empty() {
        agent.until("Report delivered").await;
    }
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().await, Some(0));
    kept.extend(accepted(&spool));
    manager.unwrap().stop().await;

    let stored = stored(&db);
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
    let lost: Vec<_> = kept.iter().filter(|data| !stored.contains_key(*data)).collect();
    assert!(lost.is_empty(), "accepted into the spool and lost: {lost:?}");
    assert!(kept.len() > 20, "only {} reports were ever spooled", kept.len());
    println!("{} spooled of {} stored over {CYCLES} kills", kept.len(), stored.len());
}

fn settings<'a>(url: &'a str, label: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("KATTILA_MANAGER", url),
        ("KATTILA_PSK", PSK),
        ("KATTILA_AGENT_DIR", "state"),
        ("KATTILA_LABELS", label),
        ("KATTILA_LOG", "debug"),
    ]
}
