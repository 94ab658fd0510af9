//! Reports that are packed against others, and with dictionaries: what goes in comes out, after a
//! batch that was given up, after retention, and beside damage.

use super::super::bases::USES;
use super::*;
use crate::pack::dictionary::{DICTIONARY_BYTES, Dictionary, measure};
use crate::pack::{Against, Packer};
use crate::store::dictionary::DictionaryRecord;
use crate::store::prune::{Limits, Prunable, Prune};

/// What an agent says in its n-th report: much that stays, and some that moves.
fn envelope(agent: i64, n: i64) -> Bytes {
    let moving = noise(agent * 1000 + n);
    Bytes::from(format!("{{\"moves\":\"{}\",\"stays\":\"{}\"}}", &moving[..40], noise(agent)))
}

fn said(id: i64, agent: i64, n: i64) -> Change {
    let mut change = report(id, agent);
    if let Some(report) = &mut change.report {
        report.envelope = envelope(agent, n);
    }
    change
}

fn opened(db: &Path) -> Opened {
    let mut opened = open(db, Durability::Full).unwrap();
    write(&mut opened, &[Change { agents: vec![agent(1), agent(2)], ..Change::default() }]);
    opened
}

fn read(db: &Path, id: i64) -> Vec<u8> {
    let found = open_read_only(db).unwrap().reports(&ReportFilter::whole(ReportId(id))).unwrap();
    found.into_iter().next().unwrap().envelope
}

fn number(db: &Path, sql: &str) -> i64 {
    Connection::open(db).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn trained(of: i64) -> DictionaryRecord {
    let common = noise(of);
    let text =
        |n: i64| format!("{}{}{}", &common[..900], noise(n), &common[900..1800]).into_bytes();
    let samples: Vec<Vec<u8>> = (0..300).map(text).collect();
    let made = Dictionary::train(&samples, DICTIONARY_BYTES).unwrap();
    let (plain, packed) = measure(&samples, Some(&made)).unwrap();
    DictionaryRecord {
        id: made.id().clone(),
        bytes: made.bytes().clone(),
        made_at: T,
        sample_bytes: plain as u64,
        packed_bytes: packed as u64,
    }
}

#[test]
fn the_next_reports_are_packed_against_one_and_read_alike_by_everybody() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    let all = 2 * i64::from(USES) + 4;
    for n in 1..=all {
        write(&mut opened, &[said(2 * n - 1, 1, n), said(2 * n, 2, n)]);
    }
    for n in 1..=all {
        assert_eq!(read(&db, 2 * n - 1), envelope(1, n));
        assert_eq!(read(&db, 2 * n), envelope(2, n));
    }
    // Two full turns and the begin of a third, of each of the two.
    assert_eq!(number(&db, "SELECT count(*) FROM reports WHERE base IS NULL"), 6);
    let foreign = "SELECT count(*) FROM reports r JOIN reports b ON b.report_id = r.base
        WHERE b.base IS NOT NULL OR b.agent_no <> r.agent_no";
    assert_eq!(number(&db, foreign), 0);
    let size = "SELECT max(octet_length(envelope)) FROM reports WHERE base IS NOT NULL";
    assert!(number(&db, size) < 150);
    let page = opened.writer.samples(ReportId(5), 3).unwrap();
    assert_eq!(page.envelopes, [envelope(2, 2), envelope(1, 2), envelope(2, 1)]);
    assert_eq!((page.next, page.newest), (ReportId(2), None));
}

#[test]
fn what_an_earlier_program_packed_is_read_beside_what_this_one_packs() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    for n in 1..=6 {
        write(&mut opened, &[said(n, 1, n)]);
    }
    assert_eq!(number(&db, "SELECT count(*) FROM reports WHERE encoding IS NULL"), 5);
    // Frames against the same base, as they were stored before, and bytes as they are.
    let conn = Connection::open(&db).unwrap();
    let mut frame = Vec::new();
    for n in [2, 4] {
        let before = envelope(1, 1);
        assert!(Packer::new().unwrap().pack(&envelope(1, n), Against::Text(&before), &mut frame));
        let sql = "UPDATE reports SET encoding = 'zstd', envelope = ?1 WHERE report_id = ?2";
        assert_eq!(conn.execute(sql, (&frame, n)).unwrap(), 1);
    }
    let sql = "UPDATE reports SET encoding = 'identity', envelope = ?1, base = NULL
        WHERE report_id = 5";
    assert_eq!(conn.execute(sql, [envelope(1, 5).as_ref()]).unwrap(), 1);
    write(&mut opened, &[said(7, 1, 7)]);
    opened.writer.close().unwrap();
    let mut opened = open(&db, Durability::Full).unwrap();
    write(&mut opened, &[said(8, 1, 8), said(9, 1, 9)]);
    for n in 1..=9 {
        assert_eq!(read(&db, n), envelope(1, n), "{n}");
    }
    assert_eq!(number(&db, "SELECT count(*) FROM reports WHERE base = 1 AND dict IS NULL"), 5);
    assert_eq!(number(&db, "SELECT base FROM reports WHERE report_id = 9"), 8);
    let all = opened.writer.samples(ReportId(10), 20).unwrap().envelopes;
    assert!(all.into_iter().eq((1..=9).rev().map(|n| envelope(1, n).to_vec())));
}

#[test]
fn what_a_row_tells_beside_its_envelope_is_not_in_it_twice() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    let told = |n: i64| {
        let mut change = report(n, 1);
        if let Some(report) = &mut change.report {
            (report.nonce, report.tick) = (format!("nonce-{n}"), Some(1000 + n));
            (report.timestamp, report.collected_at) = (T.plus(n * 30), Some(T.plus(n * 30 - 2)));
            report.envelope = Bytes::from(format!(
                "{{\"nonce\":\"nonce-{n}\",\"tick\":{},\"timestamp\":{},\"data\":{{\"collected_at\":{},\
                 \"hostname\":\"{}\"}}}}",
                1000 + n,
                T.plus(n * 30),
                T.plus(n * 30 - 2),
                noise(1),
            ));
        }
        change
    };
    let envelope = |n: i64| told(n).report.unwrap().envelope;
    write(&mut opened, &[told(1), told(2), told(3)]);
    assert_eq!(number(&db, "SELECT sum(octet_length(envelope)) FROM reports WHERE base = 1"), 0);
    for n in 1..=3 {
        assert_eq!(read(&db, n), envelope(n));
    }
    // So the row cannot tell anything else about it any more.
    let conn = Connection::open(&db).unwrap();
    conn.execute("UPDATE reports SET timestamp = timestamp + 1 WHERE report_id = 2", []).unwrap();
    assert_ne!(read(&db, 2), envelope(2));
    conn.execute("UPDATE reports SET nonce = 'nonce-11' WHERE report_id = 2", []).unwrap();
    assert!(read(&db, 2).is_empty());
    assert_eq!(read(&db, 3), envelope(3));
}

#[test]
fn how_a_report_is_signed_is_told_once_and_read_with_each() {
    const OTHER: &str = "0123456789abcdef";
    let (_dir, db) = place();
    let mut opened = opened(&db);
    let signed = |n: i64, agent: i64, scheme: Scheme, kid: &str| {
        let mut change = said(n, agent, n);
        if let Some(report) = &mut change.report {
            (report.scheme, report.kid) = (scheme, kid.parse().unwrap());
        }
        change
    };
    let (kid, all) = (
        "45819852fbdfc69a",
        [
            (1, Scheme::V2Hmac, "45819852fbdfc69a"),
            (2, Scheme::V2Hmac, "45819852fbdfc69a"),
            (3, Scheme::V2Hmac, OTHER),
            (4, Scheme::V2Ed25519, "45819852fbdfc69a"),
            (5, Scheme::V2Hmac, "45819852fbdfc69a"),
        ],
    );
    let changes: Vec<_> = all.iter().map(|(n, how, kid)| signed(*n, 1, *how, kid)).collect();
    write(&mut opened, &changes);
    // Rows of version 1 are looked for by that.
    write(&mut opened, &[signed(6, 2, Scheme::V1, kid), signed(7, 2, Scheme::V1, kid)]);
    assert_eq!(number(&db, "SELECT count(*) FROM reports WHERE base IS NOT NULL"), 5);
    let untold = "SELECT group_concat(report_id) FROM reports
        WHERE scheme IS NULL AND canon_form IS NULL AND kid IS NULL";
    let untold: String =
        Connection::open(&db).unwrap().query_row(untold, [], |r| r.get(0)).unwrap();
    assert_eq!(untold, "2,5");
    let how = |filter: &ReportFilter| -> Vec<_> {
        let rows = open_read_only(&db).unwrap().reports(filter).unwrap();
        rows.into_iter().map(|row| (row.summary.scheme, row.summary.kid.to_string())).collect()
    };
    let listed = how(&ReportFilter::onwards(ReportId(0), 5));
    let expected = all.map(|(_, scheme, kid)| (scheme, kid.to_owned()));
    assert_eq!(listed, expected);
    for (n, expected) in (1..).zip(expected) {
        assert_eq!(how(&ReportFilter::whole(ReportId(n))), [expected]);
    }
    // A base that is gone leaves the others to be read, and this one to be told as damaged.
    opened.writer.close().unwrap();
    Connection::open(&db).unwrap().execute("DELETE FROM reports WHERE report_id = 1", []).unwrap();
    assert_eq!(how(&ReportFilter::onwards(ReportId(0), 9)).len(), 6);
    assert!(read(&db, 5).is_empty() && !read(&db, 7).is_empty());
}

#[test]
fn a_batch_that_was_given_up_leaves_nothing_to_pack_against() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    opened.writer.begin().unwrap();
    opened.writer.record(&said(1, 1, 1)).unwrap();
    opened.writer.rollback();
    write(&mut opened, &[said(1, 2, 7), said(2, 1, 2), said(3, 1, 3)]);
    // A change that breaks a rule is taken back alone; its report was packed by then.
    opened.writer.begin().unwrap();
    let orphan = Change { identities: Vec::new(), ..said(4, 1, 4) };
    opened.writer.record(&Change { report: orphan.report, ..said(3, 1, 4) }).unwrap();
    assert!(opened.writer.record(&said(4, 2, 8)).is_err());
    opened.writer.record(&said(5, 2, 9)).unwrap();
    opened.writer.commit().unwrap();
    for (id, agent, n) in [(1, 2, 7), (2, 1, 2), (3, 1, 3), (4, 1, 4), (5, 2, 9)] {
        assert_eq!(read(&db, id), envelope(agent, n), "{id}");
    }
}

#[test]
fn what_others_are_packed_against_stays_as_long_as_they() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    for n in 1..=60 {
        write(&mut opened, &[said(n, 1, n)]);
    }
    let prune = |opened: &mut Opened, keep: i64| {
        let limits = Limits { age: Some(keep), bytes: None };
        let what = Prunable::Reports;
        let chunk = Prune { what, limits, now: T.plus(60), replay_s: 0, replay_v1_s: 0, after: 0 };
        opened.writer.prune(&chunk).unwrap()
    };
    // Report 33 is the second base, and 36 the first that all keep.
    for _ in 0..2 {
        prune(&mut opened, 24);
    }
    let left = "SELECT group_concat(report_id) FROM (SELECT report_id FROM reports
        WHERE report_id < 38 ORDER BY report_id)";
    let left: String = Connection::open(&db).unwrap().query_row(left, [], |r| r.get(0)).unwrap();
    assert_eq!(left, "33,35,36,37");
    for n in [33, 35, 36, 60] {
        assert_eq!(read(&db, n), envelope(1, n));
    }
    for n in 61..=64 {
        write(&mut opened, &[said(n, 1, n)]);
        prune(&mut opened, 0);
        assert_eq!(read(&db, n), envelope(1, n));
    }
}

#[test]
fn dictionaries_stay_as_long_as_a_report_needs_them_and_are_told_when_they_are_gone() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    write(&mut opened, &[said(1, 1, 1)]);
    for (n, id) in [(1, 2), (2, 3), (3, 4)] {
        let change = Change { dictionary: Some(trained(n)), ..Change::default() };
        write(&mut opened, &[change]);
        // Another agent each time, so that it is packed by itself.
        if n != 2 {
            write(&mut opened, &[said(id, n.min(2), 1)]);
        }
    }
    assert_eq!(opened.writer.samples(ReportId(1), 1).unwrap().newest, Some(trained(3)));
    let kept = "SELECT count(*) FROM dictionaries";
    assert_eq!(number(&db, kept), 1, "no report was packed with the first two");
    assert_eq!(number(&db, "SELECT count(*) FROM reports WHERE dict IS NOT NULL"), 1);
    let reopened = |opened: Opened| {
        opened.writer.close().unwrap();
        open(&db, Durability::Full).unwrap()
    };
    let mut opened = reopened(opened);
    write(&mut opened, &[said(5, 1, 2)]);
    assert_eq!(read(&db, 5), envelope(1, 2));
    write(&mut opened, &[Change { dictionary: Some(trained(1)), ..Change::default() }]);
    assert_eq!(number(&db, kept), 2);
    opened.writer.close().unwrap();
    // Damage, then absence: each only for the reports that need it.
    for sql in [
        "UPDATE dictionaries SET bytes = zeroblob(length(bytes))",
        "PRAGMA foreign_keys = OFF; DELETE FROM dictionaries",
    ] {
        Connection::open(&db).unwrap().execute_batch(sql).unwrap();
        assert!(read(&db, 4).is_empty() && read(&db, 5).is_empty());
        assert_eq!(read(&db, 1), envelope(1, 1));
    }
}

#[test]
fn a_damaged_base_takes_along_what_is_packed_against_it_and_nothing_else() {
    let (_dir, db) = place();
    let mut opened = opened(&db);
    write(&mut opened, &[said(1, 1, 1), said(2, 1, 2), said(3, 2, 1), said(4, 2, 2)]);
    opened.writer.close().unwrap();
    let damage = |sql: &str| Connection::open(&db).unwrap().execute_batch(sql).unwrap();
    damage("UPDATE reports SET envelope = substr(envelope, 1, 50) WHERE report_id = 1");
    assert!(read(&db, 1).is_empty() && read(&db, 2).is_empty());
    assert_eq!((read(&db, 3), read(&db, 4)), (envelope(2, 1).to_vec(), envelope(2, 2).to_vec()));
    damage("DELETE FROM reports WHERE report_id = 3");
    assert!(read(&db, 4).is_empty());
    // Sizes and encodings that are not what they were.
    for sql in ["envelope_bytes = envelope_bytes + 1", "encoding = 'identity'", "dict = 7"] {
        let (_dir, db) = place();
        let mut opened = self::opened(&db);
        write(&mut opened, &[said(1, 1, 1), said(2, 1, 2)]);
        opened.writer.close().unwrap();
        let sql =
            format!("PRAGMA foreign_keys = OFF; UPDATE reports SET {sql} WHERE report_id = 2");
        Connection::open(&db).unwrap().execute_batch(&sql).unwrap();
        assert!(read(&db, 2).is_empty() && !read(&db, 1).is_empty(), "{sql}");
    }
}
