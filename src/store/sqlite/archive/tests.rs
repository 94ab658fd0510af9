//! The archive as a whole: real databases, written, crashed, opened again, and made anew from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::catalog;
use super::rebuild::{Rebuilt, Wanted, rebuild};
use super::*;
use crate::model::state::EventKind;
use crate::store::change::{Change, NewEvent};
use crate::store::sqlite::{Durability, Opened, Opening, open, open_at_rest, open_with};
use crate::store::{Reader as _, Writer as _};

const T: UnixSeconds = UnixSeconds(1_790_000_000);
const DAY: i64 = 86_400;

/// Everything in a database, table by table.
type Dump = BTreeMap<String, Vec<Vec<Value>>>;

fn dump(db: &Path) -> Dump {
    let conn = Connection::open(db).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = conn.prepare(names).unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = |name: &String| {
        let mut all = conn.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = all.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        let rows = all.query_map([], row).unwrap().map(Result::unwrap).collect();
        (name.clone(), rows)
    };
    names.iter().map(rows).collect()
}

struct Bench {
    dir: TempDir,
    clock: Clock,
    opened: Option<Opened>,
    keep_s: Option<i64>,
    count: usize,
}

impl Bench {
    fn new() -> Self {
        let mut this = Self::empty();
        this.open();
        this
    }

    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, clock: Clock::manual(T), opened: None, keep_s: None, count: 0 }
    }

    fn db(&self) -> PathBuf {
        self.dir.path().join("k.db")
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn open(&mut self) {
        let opening = Opening { archived: Some(self.terms()), ..Opening::default() };
        self.opened = Some(open_with(&self.db(), opening).unwrap());
    }

    fn terms(&self) -> Terms {
        let (dir, keep_s, clock) = (self.archive(), self.keep_s, self.clock.clone());
        Terms { dir, keep_s, bytes: None, clock }
    }

    fn opened(&mut self) -> &mut Opened {
        self.opened.as_mut().unwrap()
    }

    fn close(&mut self) {
        self.opened.take().unwrap().writer.close().unwrap();
    }

    /// Ends without order: what waits for the archive is left in the log.
    fn crash(&mut self) {
        drop(self.opened.take());
    }

    fn pass(&self, seconds: i64) {
        self.clock.set(self.clock.now().plus(seconds));
    }

    fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// Commits something of this many kilobytes.
    fn commit(&mut self, kilobytes: usize) {
        self.count += 1;
        let (at, count) = (self.now(), self.count);
        let event = NewEvent {
            at,
            recorded_at: at,
            kind: EventKind::ManagerStarted,
            fleet: None,
            agent: None,
            subject: format!("{count}-{}", "x".repeat(kilobytes * 1024)),
            before: None,
            after: None,
            report: None,
            cause: None,
        };
        let meta = vec![("probe", count.to_string())];
        let writer = &mut self.opened().writer;
        writer.begin().unwrap();
        writer.record(&Change { events: vec![event], meta, ..Change::default() }).unwrap();
        writer.commit().unwrap();
        // As if this clock were the file system's.
        let log = fs::File::options().write(true).open(self.dir.path().join("k.db-wal")).unwrap();
        let now = u64::try_from(at.0).unwrap();
        log.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(now)).unwrap();
    }

    /// What the database holds now.
    fn state(&mut self) -> Dump {
        let copy = self.dir.path().join("copy.db");
        fs::remove_file(&copy).unwrap_or_default();
        self.opened().reader.backup(&copy).unwrap();
        dump(&copy)
    }

    fn tend(&mut self) -> Result<u64, StoreError> {
        self.opened().reader.tend_archive()
    }

    fn archived(&mut self) -> Arc<Archive> {
        Arc::clone(self.opened().writer.keeper.as_ref().unwrap().archive())
    }

    /// Has everything archived.
    fn settle(&mut self) {
        assert!(self.archived().is_done(Duration::from_secs(60)));
    }

    fn back(&self, at: UnixSeconds) -> Result<(Rebuilt, Dump), StoreError> {
        let to = self.dir.path().join("back.db");
        for ending in ["", ".ack", ".lock"] {
            fs::remove_file(format!("{}{ending}", to.display())).unwrap_or_default();
        }
        let wanted = Wanted { archive: self.archive(), at, timeline: None };
        let made = rebuild(&wanted, &to)?;
        let found = dump(&to);
        fs::remove_file(&to).unwrap();
        Ok((made, found))
    }

    fn timelines(&self) -> Vec<String> {
        catalog::list(&self.archive()).unwrap().into_iter().map(|one| one.name).collect()
    }

    /// The files of a timeline that end like this.
    fn files(&self, timeline: &str, ending: &str) -> Vec<PathBuf> {
        let all = fs::read_dir(self.archive().join(timeline)).unwrap();
        let mut all: Vec<_> = all.map(|file| file.unwrap().path()).collect();
        all.retain(|path| path.to_str().unwrap().ends_with(ending));
        all.sort();
        all
    }
}

#[derive(Debug, Clone)]
enum Step {
    Commit(usize),
    Pass(i64),
    Tend,
    Settle,
    Empty,
    Reopen,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..80).prop_map(Step::Commit),
        4 => (1_i64..5).prop_map(Step::Pass),
        1 => (DAY..8 * DAY).prop_map(Step::Pass),
        1 => Just(Step::Tend),
        1 => Just(Step::Settle),
        1 => Just(Step::Empty),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Whatever happens, every second since the first base comes back exactly as it was.
    #[test]
    fn every_second_comes_back(steps in proptest::collection::vec(step(), 5..40)) {
        let mut bench = Bench::new();
        prop_assert_eq!(bench.tend().unwrap(), 1);
        let first = bench.now();
        let mut known = BTreeMap::from([(first, bench.state())]);
        for step in steps {
            match step {
                Step::Commit(kilobytes) => bench.commit(kilobytes),
                Step::Pass(seconds) => {
                    // What the thread does once a second.
                    bench.settle();
                    bench.pass(seconds);
                }
                Step::Tend => {
                    bench.tend().unwrap();
                }
                Step::Settle => bench.settle(),
                Step::Empty => bench.opened().writer.checkpoint(true).unwrap(),
                Step::Reopen => {
                    bench.close();
                    bench.open();
                }
                Step::Crash => {
                    bench.crash();
                    bench.open();
                }
            }
            let (now, state) = (bench.now(), bench.state());
            known.insert(now, state);
        }
        bench.close();
        prop_assert_eq!(bench.timelines().len(), 1, "one unbroken row");
        let mut states: Vec<_> = known.into_iter().collect();
        // At rest the database says so, which is one commit more in the last second.
        let last = states.last_mut().unwrap();
        last.1 = dump(&bench.db());
        for (index, (at, state)) in states.iter().enumerate() {
            let (made, found) = bench.back(*at).unwrap();
            prop_assert!(found == *state, "at {at}: commit {}", made.commit);
            prop_assert!(made.at <= *at);
            if let Some((next, _)) = states.get(index + 1) {
                prop_assert!(bench.back(next.minus(1)).unwrap().1 == *state, "before {next}");
            }
        }
        prop_assert!(bench.back(first.minus(1)).unwrap_err().to_string().contains("begins at"));
    }
}

#[test]
fn under_load_the_log_stays_short_and_nothing_is_lost() {
    let mut bench = Bench::new();
    bench.tend().unwrap();
    let mut known = Vec::new();
    for _ in 0..40 {
        bench.pass(1);
        for _ in 0..10 {
            bench.commit(40);
        }
        known.push((bench.now(), bench.state()));
    }
    let wal = bench.opened().reader.stats().unwrap().wal_bytes;
    // 16 MB were written; SQLite cuts no log, so that this is the longest it has been.
    assert!(wal < 12 << 20, "{wal}");
    assert!(bench.opened().writer.counters().checkpoints > 1);
    bench.close();
    for (at, state) in known.iter().step_by(7) {
        assert!(bench.back(*at).unwrap().1 == *state, "{at}");
    }
}

#[test]
fn a_change_at_rest_is_archived_and_one_without_an_archive_begins_a_timeline() {
    let mut bench = Bench::new();
    bench.tend().unwrap();
    bench.commit(1);
    bench.close();
    bench.pass(10);
    let mut opened = open_at_rest(&bench.db(), bench.clock.clone()).unwrap();
    opened.writer.begin().unwrap();
    let meta = vec![("at_rest", "yes".to_owned())];
    opened.writer.record(&Change { meta, ..Change::default() }).unwrap();
    opened.writer.commit().unwrap();
    opened.writer.close().unwrap();
    assert_eq!(bench.back(bench.now()).unwrap().1, dump(&bench.db()));
    bench.pass(10);
    let opened = open(&bench.db(), Durability::Full).unwrap();
    assert!(opened.warnings.iter().any(|told| told.contains("ends here")), "{:?}", opened.warnings);
    opened.writer.close().unwrap();
    bench.open();
    assert_eq!(bench.timelines().len(), 2);
    bench.tend().unwrap();
    bench.close();
    assert_eq!(bench.back(bench.now()).unwrap().1, dump(&bench.db()));
}

#[test]
fn a_database_that_a_stranger_wrote_to_begins_a_timeline() {
    let mut bench = Bench::new();
    bench.tend().unwrap();
    bench.close();
    let stranger = Connection::open(bench.db()).unwrap();
    stranger.execute("INSERT INTO meta VALUES ('stranger', '1')", []).unwrap();
    stranger.close().unwrap();
    bench.pass(1);
    bench.open();
    assert_eq!(bench.timelines().len(), 2);
}

#[test]
fn an_older_database_put_back_begins_a_timeline_and_the_last_that_had_begun_is_asked() {
    let mut bench = Bench::new();
    bench.tend().unwrap();
    bench.commit(1);
    bench.close();
    let before = dump(&bench.db());
    let older = bench.dir.path().join("older.db");
    fs::copy(bench.db(), &older).unwrap();
    bench.pass(100);
    bench.open();
    bench.commit(1);
    bench.close();
    let (left, newer) = (bench.now(), dump(&bench.db()));
    fs::copy(&older, bench.db()).unwrap();
    fs::remove_file(bench.dir.path().join("k.db.ack")).unwrap();
    bench.pass(100);
    bench.open();
    bench.tend().unwrap();
    bench.close();
    let names = bench.timelines();
    assert_eq!(names.len(), 2);
    assert!(bench.back(left).unwrap().1 == newer);
    assert!(bench.back(left.minus(1)).unwrap().1 == before);
    let (made, found) = bench.back(bench.now()).unwrap();
    assert_eq!((made.timeline, found), (names[1].clone(), dump(&bench.db())));
    let of_first =
        Wanted { archive: bench.archive(), at: bench.now(), timeline: Some(names[0].clone()) };
    let to = bench.dir.path().join("first.db");
    rebuild(&of_first, &to).unwrap();
    assert!(dump(&to) == newer);
    assert!(rebuild(&of_first, &to).unwrap_err().to_string().contains("in the way"));
}

#[test]
fn an_archive_that_takes_nothing_stops_nobody_and_is_told_until_it_works_again() {
    let mut bench = Bench::new();
    bench.tend().unwrap();
    bench.opened().writer.log.give_up_above_bytes = 6 << 20;
    let timeline = bench.archive().join(&bench.timelines()[0]);
    fs::remove_dir_all(bench.archive()).unwrap();
    fs::write(bench.archive(), "no directory").unwrap();
    bench.commit(1);
    let archive = bench.archived();
    assert!(!archive.is_done(Duration::from_secs(60)));
    assert!(archive.trouble().unwrap().contains("has taken nothing for 0 s"));
    assert!(bench.opened().reader.stats().unwrap().archive.unwrap().failing);
    while archive.lock().broken.is_none() {
        bench.commit(40);
    }
    // Now the log is emptied again.
    let most = bench.opened().reader.stats().unwrap().wal_bytes;
    assert!(most > 6 << 20, "{most}");
    for _ in 0..200 {
        bench.commit(40);
    }
    assert!(bench.opened().reader.stats().unwrap().wal_bytes <= most + (1 << 20));
    assert!(bench.tend().unwrap_err().to_string().contains("there is no archive"));
    fs::remove_file(bench.archive()).unwrap();
    bench.pass(5);
    assert_eq!(bench.tend().unwrap(), 1, "a base of a new timeline");
    assert!(!timeline.exists());
    bench.commit(1);
    bench.close();
    assert!(bench.back(bench.now()).unwrap().1 == dump(&bench.db()));
}

#[test]
fn what_is_damaged_is_told_and_what_is_before_it_comes_back() {
    let mut bench = Bench::new();
    bench.tend().unwrap();
    let mut known = Vec::new();
    for _ in 0..3 {
        bench.pass(1);
        bench.commit(3);
        known.push((bench.now(), bench.state()));
        bench.settle();
        // Another run, another part.
        bench.crash();
        bench.open();
    }
    bench.pass(1);
    bench.close();
    let timeline = bench.timelines().remove(0);
    let parts = bench.files(&timeline, ".part");
    assert!(parts.len() >= 3, "{parts:?}");
    let whole = fs::read(&parts[1]).unwrap();
    for change in 0..2 {
        let mut bytes = whole.clone();
        if change == 0 {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        } else {
            bytes.truncate(whole.len() - 1);
        }
        fs::write(&parts[1], bytes).unwrap();
        assert!(bench.back(known[0].0).unwrap().1 == known[0].1);
        let error = bench.back(bench.now()).unwrap_err().to_string();
        assert!(error.contains("lacks record") && error.contains("earlier time"), "{error}");
    }
    fs::remove_file(&parts[1]).unwrap();
    assert!(bench.back(bench.now()).unwrap_err().to_string().contains("lacks record"));
    fs::write(&parts[1], &whole).unwrap();
    assert!(bench.back(known[2].0).unwrap().1 == known[2].1);
    // A torn end is what a crash leaves.
    let last = parts.last().unwrap();
    let bytes = fs::read(last).unwrap();
    fs::write(last, &bytes[..bytes.len() - 1]).unwrap();
    let (made, _) = bench.back(bench.now()).unwrap();
    assert!(made.torn_bytes > 0 && !made.is_followed);
}

#[test]
fn what_is_older_than_asked_leaves_and_every_second_since_stays() {
    let mut bench = Bench::new();
    bench.keep_s = Some(10 * DAY);
    bench.close();
    bench.open();
    let mut known = Vec::new();
    for _ in 0..30 {
        bench.commit(4);
        bench.settle();
        bench.tend().unwrap();
        known.push((bench.now(), bench.state()));
        bench.pass(DAY);
    }
    let now = bench.now();
    bench.close();
    let stretch = catalog::list(&bench.archive()).unwrap().remove(0);
    let from = stretch.from.unwrap();
    assert!(now.since(from) >= 10 * DAY && now.since(from) <= 25 * DAY, "{stretch:?}");
    for (at, state) in known.iter().filter(|(at, _)| *at >= from) {
        assert!(bench.back(*at).unwrap().1 == *state, "{at}");
    }
    let parts = bench.files(&stretch.name, ".part");
    assert!(!parts[0].ends_with("log-000000000001.part"), "{parts:?}");
}

mod upgrade;
