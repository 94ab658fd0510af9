//! An archive that was begun by a program of an earlier schema goes on under this one.

use super::*;
use crate::store::sqlite::log::frames;
use crate::store::sqlite::{migrate, settings};

/// A version of which there were programs.
const EARLIER: usize = 20;

/// An earlier program at work: it writes to the database and tells the archive.
struct Earlier {
    keeper: Keeper,
    conn: Connection,
    commits: i64,
}

impl Earlier {
    fn begin(bench: &Bench) -> Self {
        let place = Place::find(&bench.db()).unwrap();
        place.create_if_missing().unwrap();
        let mut conn = settings::open_writer(&place).unwrap();
        settings::prepare_new(&conn).unwrap();
        settings::set_writer(&conn, Durability::Full).unwrap();
        let (keeper, _none) = begin(&place, &conn, (true, Some(bench.terms()))).unwrap();
        migrate::migrate_to(&mut conn, &place, (0, EARLIER)).unwrap();
        let mut this = Self { keeper: keeper.unwrap(), conn, commits: 0 };
        this.commit();
        this
    }

    fn commit(&mut self) {
        self.commits += 1;
        let sql = format!(
            "BEGIN; INSERT OR REPLACE INTO meta VALUES ('store.commit_seq', '{0}'), ('earlier', '{0}'); COMMIT",
            self.commits
        );
        self.conn.execute_batch(&sql).unwrap();
        let archive = self.keeper.archive();
        archive.note(self.commits, frames(&self.conn).unwrap());
        assert!(archive.is_done(Duration::from_secs(60)));
    }
}

fn version(db: &Path) -> usize {
    let conn = Connection::open(db).unwrap();
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    usize::try_from(version).unwrap()
}

#[test]
fn every_second_before_and_after_an_upgrade_comes_back() {
    let mut bench = Bench::empty();
    let mut earlier = Earlier::begin(&bench);
    earlier.keeper.archive().tend().unwrap();
    bench.pass(60);
    earlier.commit();
    let before = (bench.now(), dump(&bench.db()));
    drop(earlier);
    bench.pass(60);
    bench.open();
    let copy = bench.opened().earlier.clone().unwrap();
    assert!(dump(&copy) == before.1, "the copy is as it was before the upgrade");
    bench.commit(1);
    bench.close();
    let after = (bench.now(), dump(&bench.db()));
    assert_eq!(bench.timelines().len(), 1, "the archive goes on over the upgrade");

    for (at, wanted) in [&before, &after] {
        assert!(bench.back(*at).unwrap().1 == *wanted, "{at}");
    }
    // What comes back from before is a database of that version, and grows like any other.
    let to = bench.dir.path().join("then.db");
    let wanted = Wanted { archive: bench.archive(), at: before.0, timeline: None };
    rebuild(&wanted, &to).unwrap();
    assert_eq!(version(&to), EARLIER);
    let opened = open(&to, Durability::Full).unwrap();
    assert!(opened.rolled_back.is_none() && opened.earlier.is_some());
    opened.writer.close().unwrap();
    assert_eq!(version(&to), migrate::newest());
}
