//! Scenario files: who does what when, and which alarms are and are not open then, run against a
//! whole manager on the virtual clock.
//!
//! A file of `tests/fixtures/scenarios` first names its hosts and links, then what happens at
//! `MINUTES:SECONDS`. Every host reports each 30 s and time passes in steps of 10 s.
//!
//! - `hosts A B`, `links A-B`, `label A role=gateway`: what there is. A link has keepalives.
//! - `silent A`, `back A`, `via A R`, `straight A`: how reports come, if at all.
//! - `cut A-B`, `mend A-B`, `forget A-B`, `list A-B`, `rest A-B`: links without handshakes, of
//!   which the second end forgot the first, that nobody uses. `use A-B`: one that rested is used.
//!   `strike A-B`: neither end lists the other any more, until `list`.
//! - `lose A N`: the next N reports of a host are lost.
//! - `oneway A-B`, `copied A-B`: what the second end sends is lost; the second end has its
//!   handshakes with another host that holds the first one's key. `mend` ends both.
//! - `mtu A BYTES`, `allow A B NETS`, `route A NET IF`, `unroute A NET`: A's `wg0`, what A lets in
//!   from B, A's routes. `address A NET`, `port A PORT`, `psk A B`, `nopsk A B`, `see A B AT`: the
//!   address and port of A's `wg0`, whether B has a preshared key there, B's endpoint for A.
//! - `version A TEXT`: of A's agent. `broken A N M`: with each report N packets more reached A's `eth0` broken,
//!   and M well, of 1,000 bytes. `backup`: one is made.
//! - `renewing SEED` beside the hosts: sessions are renewed after 120 to 145 s, drawn, and not with each
//!   report. `delay A SECONDS`: A's reports take so long. `leap SECONDS`: somebody sets the manager's
//!   clock; times below are by it.
//! - `clock A SECONDS`: how far A's clock is ahead. `nodefault A`, `default A`: its default route.
//! - `unplug A/IF`, `plug A/IF`, `fail A/IF`, `heal A/IF`, `reboot A`, `restart` (the manager),
//!   `away` (the manager is off for ten minutes), `ack KIND SUBJECT`,
//!   `shelve KIND SUBJECT SECONDS`, `maintain HOST SECONDS` (from now on).
//! - `label A NAME=VALUE` and `give A-B NET`, `take A-B NET` (allowed ips that A gives to B) at any
//!   time. `disk FREE TOTAL` (GiB), `certificate DAYS` (until it ends): what the manager finds.
//! - `setting NAME=VALUE` of the manager. `approve A`, where agents wait for an admin.
//! - `garble A`, `ungarble A`: reports that hold no report. `crowded`, `room`: whether more reports
//!   come than can be taken. `guess`: somebody tries a token. `spoil TABLE`, `repair TABLE`: of the
//!   database. `days N` pass, without a report.
//! - `hold A`, `pour A`: reports are kept, and sent late. `copy A`, `uncopy A`: another host reports as
//!   A. `leak A`, `seal A`: A tells its private key. `borrow A B`, `own A`: A uses B's WireGuard key.
//!   `unknown A`, `known A`: A has a peer that nobody knows. `forge A N`: reports in A's name without
//!   its key. `reuse`: a nonce of `host.one` for the second time. `keys unread`, `keys garbage`, `keys well`: what
//!   the manager finds where the keys are. `rollback`: its database is older than it should be. `tampered`: its audit was changed.
//! - `promise`: somebody says that background jobs are run, as the timers of a manager do, and
//!   `still MINUTES`: nobody runs any, and nobody reports. `rule KEY = VALUE; KEY = VALUE` beside the hosts: an entry of the rules file.
//! - `enrol N`: a host `own-N` with a key of its own comes, and reports from then on. `second N`: another
//!   key is offered for it; `unpin N` and `anew N`: an admin gives up its key, and it comes with that one.
//!   `remembers KIND SUBJECT : CAUSE`: the history has one such alarm, that ended so. `shared N`: somebody signs in its name with the shared key. `relayed N M STATUS`: M
//!   passes on what N reports, twice if that is to be refused. `called X Y`: the hosts `host.one` and
//!   `host.two` of version 1 report under these names. `keys aged N`: so many newer shared keys appeared long ago.
//! - `route KEY = VALUE; ...` beside the hosts: a route of the plan by which people are told.
//!   `messages`, and on the lines below, indented: what they were told since, in order. `refuse N`: the
//!   next N messages are not taken. `test N`: so many tests are sent.
//! - `says KIND SUBJECT : TEXT`: the message of the open alarm holds the text.
//! - `agree`: all pages and addresses tell the same now.
//! - `only`, and on the lines below, indented: the alarms that are open then, all of them, as
//!   `KIND SUBJECT SEVERITY STATE`, ` flapping`, ` shelved` or ` maintenance` if it is so, and
//!   ` < KIND SUBJECT` if it follows from that one, or
//!   ` < what is over` if that one has just ended.
//! - `never KIND`: no alarm of the kind is open at any report. `roots N`: at no report are more
//!   than N alarms open that follow from none.

mod injected;
mod invariants;
mod jitter;
mod kinds;
mod senders;
mod trust;
mod world;

use std::path::{Path, PathBuf};

use world::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios")
}

fn files() -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ext| ext == "txt"));
    let mut files: Vec<_> = paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Runs one file; answers how many looks at the alarms it took.
async fn run(name: &str, text: &str) -> usize {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let lines: Vec<&str> = lines.collect();
    let mut world = World::of(name, &lines).await;
    let mut looks = 0;
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let Some((at, what)) = line.split_once(' ').filter(|(at, _)| at.contains(':')) else {
            continue;
        };
        let (minutes, seconds) = at.split_once(':').unwrap();
        let at: i64 = minutes.parse::<i64>().unwrap() * 60 + seconds.parse::<i64>().unwrap();
        world.live_until(at).await;
        if matches!(what.trim(), "only" | "messages") {
            let mut wanted = Vec::new();
            while let Some(alarm) = lines.next_if(|line| line.starts_with(' ')) {
                wanted.push(alarm.trim().to_owned());
            }
            let found = if what.trim() == "only" {
                wanted.sort();
                world.alarms().await
            } else {
                world.others.messages()
            };
            assert_eq!(found, wanted, "{name} at {minutes}:{seconds}");
            looks += 1;
        } else {
            world.act(what.trim()).await;
        }
    }
    world.stop().await;
    looks
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_file_comes_true() {
    let files = files();
    assert!(files.len() >= 12, "{} files", files.len());
    let runs = files
        .into_iter()
        .map(|(name, text)| tokio::spawn(async move { (run(&name, &text).await, name) }));
    let mut failed = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        match run.await {
            Ok((looks, name)) => assert!(looks > 0, "{name} looks at nothing"),
            Err(error) => failed.push(error.to_string()),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
