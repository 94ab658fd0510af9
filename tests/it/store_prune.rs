//! What every store must do when something has been kept for long enough: part of the contract
//! in `store_contract`.

use std::collections::BTreeSet;
use std::sync::Arc;

use kattila::model::id::{AgentNo, ReportId};
use kattila::model::state::{AlarmState, EventKind, Scheme};
use kattila::model::time::UnixSeconds;
use kattila::store::change::{AlarmRecord, Change, LEARNT_LATER, NewEvent, NewReport};
use kattila::store::earlier::Earlier;
use kattila::store::prune::{CHUNK_ROWS, Limits, Prunable, Prune};
use kattila::store::row::{AlarmFilter, EventFilter, ReportFilter};
use kattila::store::{Reader, Writer};
use serde_json::json;

use crate::store_samples::{T, agent, alarm, event, frame_dictionary, only_report, report};

type Store = (Box<dyn Writer>, Arc<dyn Reader>);

/// A chunk that keeps what is at most this old, at this time.
fn aged(what: Prunable, age: i64, now: UnixSeconds) -> Prune {
    let limits = Limits { age: Some(age), bytes: None };
    Prune { what, limits, now, replay_s: 0, replay_v1_s: 0, after: 0 }
}

/// Prunes to the end; how many rows each chunk took.
fn prune(writer: &mut dyn Writer, mut chunk: Prune) -> Vec<u64> {
    let mut taken = Vec::new();
    loop {
        let pruned = writer.prune(&chunk).unwrap();
        taken.push(pruned.removed);
        match pruned.next {
            Some(next) => chunk.after = next,
            None => return taken,
        }
    }
}

fn write(writer: &mut dyn Writer, changes: &[Change]) {
    writer.begin().unwrap();
    changes.iter().for_each(|change| writer.record(change).unwrap());
    writer.commit().unwrap();
}

fn agents(numbers: &[i64]) -> Change {
    Change { agents: numbers.iter().map(|no| agent(*no)).collect(), ..Change::default() }
}

/// A report of version 2.
fn v2(id: i64, no: i64) -> NewReport {
    NewReport { scheme: Scheme::V2Hmac, ..report(id, no) }
}

fn of(report: NewReport) -> Change {
    Change { report: Some(report), ..Change::default() }
}

/// The numbers of the reports that are left.
fn left(reader: &dyn Reader) -> Vec<i64> {
    let rows = reader.reports(&ReportFilter::onwards(ReportId(0), 10_000)).unwrap();
    rows.iter().map(|row| row.summary.id.0).collect()
}

pub(crate) fn old_reports_leave_in_chunks((mut writer, reader): Store) {
    // Of agent 2 there is one, of agent 3 the last is late; the second proves an alarm.
    let mut changes = vec![agents(&[1, 2, 3])];
    for id in 1..=600 {
        changes.push(match id {
            10 => of(v2(id, 2)),
            11 => of(v2(id, 3)),
            12 => of(NewReport { late: true, collected_at: Some(T), ..v2(id, 3) }),
            _ => of(v2(id, 1)),
        });
    }
    let proved = AlarmRecord { report: Some(ReportId(2)), ..alarm(1, "e1", AlarmState::Active) };
    changes.push(Change { alarms: vec![proved], ..Change::default() });
    write(&mut *writer, &changes);

    // Ages count from the last receipt, T + 600, however far the clock has jumped.
    let chunk = aged(Prunable::Reports, 99, T.plus(1_000_000));
    let taken = prune(&mut *writer, chunk);
    assert_eq!(taken, [256 - 5, 500 - 256 - 2], "at most {CHUNK_ROWS} rows are looked at");
    // The second is packed against 1, and those from 500 on against 498.
    let kept: Vec<i64> = [1, 2, 10, 11, 12, 498].into_iter().chain(500..=600).collect();
    assert_eq!(left(&*reader), kept);
    assert_eq!(reader.stats().unwrap().reports, 107);
    assert_eq!(prune(&mut *writer, chunk), [0], "once is enough");
    assert_eq!(writer.load_fleet().unwrap().last_report, ReportId(600));

    // Longer limits bring nothing back and take nothing more; the alarm's end frees its proof.
    assert_eq!(prune(&mut *writer, aged(Prunable::Reports, 400, T.plus(600))), [0]);
    let over = Change { alarms: vec![alarm(1, "e1", AlarmState::Cleared)], ..Change::default() };
    write(&mut *writer, &[over]);
    assert_eq!(prune(&mut *writer, chunk), [2]);
    assert_eq!(left(&*reader)[..2], [10, 11]);

    // What the agent itself has sent since takes the place of what was its last.
    write(&mut *writer, &[of(v2(601, 3)), of(v2(602, 1)), of(v2(603, 1))]);
    let chunk = aged(Prunable::Reports, 0, T.plus(603));
    assert_eq!(prune(&mut *writer, chunk), [101]);
    // The late one measured last, and what the others are packed against.
    assert_eq!(left(&*reader), [10, 11, 12, 588, 601, 602, 603]);
}

pub(crate) fn reports_that_may_come_again_stay((mut writer, reader): Store) {
    let mut changes = vec![agents(&[1, 2])];
    changes.extend((1..=100).map(|id| of(if id % 2 == 0 { v2(id, 1) } else { report(id, 2) })));
    write(&mut *writer, &changes);
    let chunk = aged(Prunable::Reports, 0, T.plus(100));
    assert_eq!(prune(&mut *writer, Prune { replay_s: 10, replay_v1_s: 50, ..chunk }), [66]);
    // The last before the first that all keep, then version 1, then all; 45 and 78 are what others
    // are packed against.
    let of_v1 = (51..88).step_by(2).chain([89]);
    let all: BTreeSet<i64> = of_v1.chain([45, 78, 88]).chain(90..=100).collect();
    let expected: Vec<i64> = all.into_iter().collect();
    assert_eq!(left(&*reader), expected);
    // The memory of one agent is whole within its time.
    let since = Earlier::Since(T.plus(90));
    let known = writer.earlier(AgentNo(1), &since).unwrap().reports;
    assert_eq!(known.iter().map(|row| row.id.0).collect::<Vec<_>>(), [90, 92, 94, 96, 98, 100]);
}

pub(crate) fn size_takes_the_oldest_reports((mut writer, reader): Store) {
    let mut changes = vec![agents(&[1])];
    changes.extend((1..=1000).map(|id| of(v2(id, 1))));
    write(&mut *writer, &changes);
    let sized = |bytes| Prune {
        limits: Limits { age: None, bytes: Some(bytes) },
        ..aged(Prunable::Reports, 0, T.plus(1000))
    };
    assert_eq!(prune(&mut *writer, sized(1 << 20)), [0], "they fit");
    // One of them weighs between 200 and 400 bytes.
    assert!(prune(&mut *writer, sized(100_000)).iter().sum::<u64>() >= 500);
    let rows = left(&*reader);
    assert!((250..=500).contains(&rows.len()) && rows.ends_with(&[999, 1000]), "{}", rows.len());
    assert!(prune(&mut *writer, sized(100_000)).iter().sum::<u64>() < 5, "it stays so");
    let none = Limits::default();
    assert_eq!(prune(&mut *writer, Prune { limits: none, ..sized(0) }), [0], "no limit, no end");
}

pub(crate) fn what_is_cut_off_is_told((mut writer, _reader): Store) {
    // Received at T + id, measured at T + 10 id.
    let at = |id: i64, late: bool| {
        of(NewReport { late, collected_at: Some(T.plus(10 * id)), ..v2(id, 1) })
    };
    let young = kattila::store::change::AgentRecord { registered_at: T.plus(9), ..agent(2) };
    let young = Change { agents: vec![young], ..Change::default() };
    let mut changes = vec![agents(&[1]), young];
    changes.extend((1..=9).map(|id| at(id, false)));
    write(&mut *writer, &changes);
    let cut = |writer: &mut dyn Writer, agent, at| {
        writer.earlier(AgentNo(agent), &Earlier::Around(T.plus(at))).unwrap().cut
    };
    assert!(!cut(&mut *writer, 1, 5), "nothing is missing yet");
    assert_eq!(prune(&mut *writer, aged(Prunable::Reports, 4, T.plus(9))), [2]);
    // The first stays as what others are packed against, and tells nothing. The fourth stays, so from its measurement on nothing is missing.
    for (at, expected) in [(5, true), (39, true), (40, false), (45, false), (999, false)] {
        assert_eq!(cut(&mut *writer, 1, at), expected, "{at}");
    }
    assert!(!cut(&mut *writer, 2, 5), "an agent that came later has lost nothing");
    // Where the next one is of a time that the history tells no more, nothing is to be told.
    let told: Vec<_> = (10..=12).map(|n| said(n, EventKind::AgentStatus, 1, "agent-1")).collect();
    let history = Change { events: told, ..Change::default() };
    let newest = of(NewReport { collected_at: Some(T.plus(120)), ..v2(100, 1) });
    write(&mut *writer, &[history, newest]);
    assert!(prune(&mut *writer, aged(Prunable::Events, 45, T.plus(100))).iter().sum::<u64>() > 0);
    for (at, expected) in [(45, true), (49, true), (50, false), (59, false), (60, false)] {
        assert_eq!(cut(&mut *writer, 1, at), expected, "{at}");
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds tell what is")]
fn said(n: i64, kind: EventKind, agent: i64, subject: &str) -> NewEvent {
    let (at, value) = (T.plus(n), Some(json!(n)));
    let empty =
        NewEvent { before: None, after: None, cause: None, report: None, ..event(None, "") };
    let (before, after) = match kind {
        EventKind::InterfaceRemoved | EventKind::AlarmCleared => (value, None),
        // Things that are told apart by their value.
        EventKind::RouteAdded | EventKind::AddressAdded => (None, Some(json!("x"))),
        EventKind::RouteRemoved | EventKind::AddressRemoved => (Some(json!("x")), None),
        _ => (None, value),
    };
    let (agent, subject) = (Some(AgentNo(agent)), subject.to_owned());
    NewEvent { at, recorded_at: at, kind, agent, subject, before, after, ..empty }
}

/// The numbers of the events that are left.
fn lines(reader: &dyn Reader) -> Vec<i64> {
    let all = EventFilter { limit: 10_000, ..EventFilter::default() };
    reader.events(&all).unwrap().iter().map(|row| row.id.0).collect()
}

pub(crate) fn the_last_word_on_each_thing_stays((mut writer, reader): Store) {
    use EventKind as K;
    let told = [
        (K::InterfaceAdded, 1, "eth0"),       // 1: what eth0 is ...
        (K::InterfaceChanged, 1, "eth0"),     // 2: ... void by 3
        (K::InterfaceChanged, 1, "eth0"),     // 3: ... as it was changed last
        (K::AddressAdded, 1, "eth0"),         // 4: void by 5
        (K::AddressRemoved, 1, "eth0"),       // 5: 1 told of the address
        (K::InterfaceAdded, 2, "eth0"),       // 6: of another host, void by 9
        (K::AddressAdded, 2, "eth0"),         // 7: void by 9
        (K::InterfaceChanged, 2, "eth0"),     // 8: void by 9
        (K::InterfaceRemoved, 2, "eth0"),     // 9: says that it is gone
        (K::ManagerStarted, 1, "0.1"),        // 10: says nothing that lasts
        (K::EdgeAdded, 1, "e1"),              // 11
        (K::EdgeState, 1, "e1"),              // 12: void by 13, whoever told it
        (K::EdgeState, 2, "e1"),              // 13
        (K::RouteAdded, 1, "10.0.0.0/8"),     // 14: void by 15
        (K::RouteRemoved, 1, "10.0.0.0/8"),   // 15: says that it is gone
        (K::AlarmRaised, 1, "edge.down e1"),  // 16: open
        (K::AlarmRaised, 1, "edge.down e2"),  // 17: void by 18
        (K::AlarmCleared, 1, "edge.down e2"), // 18: says that it is over
        (K::AgentStatus, 1, "agent-1"),       // 19
    ];
    let mut changes = vec![agents(&[1, 2]), only_report(1, 1)];
    let of = |event: NewEvent| Change { events: vec![event], ..Change::default() };
    for (n, (kind, agent, subject)) in (1..).zip(told) {
        changes.push(of(said(n, kind, agent, subject)));
    }
    // 20: learnt last and true before 19; 21 stands within the kept time.
    let late = NewEvent {
        at: T.plus(18),
        cause: Some(LEARNT_LATER.to_owned()),
        ..said(20, K::AgentStatus, 1, "agent-1")
    };
    changes.extend([of(late), of(said(100, K::AgentStatus, 1, "agent-1"))]);
    write(&mut *writer, &changes);
    let newest = Change {
        report: Some(NewReport { received_at: T.plus(100), ..v2(2, 1) }),
        ..Change::default()
    };
    write(&mut *writer, &[newest]);

    let chunk = aged(Prunable::Events, 50, T.plus(100));
    assert_eq!(prune(&mut *writer, chunk).iter().sum::<u64>(), 10);
    assert_eq!(lines(&*reader), [1, 3, 5, 9, 11, 13, 15, 16, 18, 19, 21]);
    assert_eq!(reader.stats().unwrap().events, 11);
    assert_eq!(prune(&mut *writer, chunk), [0]);

    // The newest event stays whatever it says, and so does what it does not speak of. What
    // was gone before is told no more; that the interface is gone still is.
    write(&mut *writer, &[of(said(101, K::InterfaceRemoved, 1, "eth0"))]);
    write(&mut *writer, &[of(said(102, K::AlarmCleared, 1, "edge.down e1"))]);
    let later = NewReport { received_at: T.plus(900), ..v2(3, 1) };
    write(&mut *writer, &[Change { report: Some(later), ..Change::default() }]);
    prune(&mut *writer, aged(Prunable::Events, 50, T.plus(900)));
    assert_eq!(lines(&*reader), [11, 13, 16, 21, 22, 23]);
}

pub(crate) fn dictionaries_stay_while_a_report_needs_them((mut writer, reader): Store) {
    let add = |n| Change { frame_dictionary: Some(frame_dictionary(n)), ..Change::default() };
    let known = |reader: &dyn Reader| -> Vec<_> {
        reader.frame_dictionaries().unwrap().into_iter().map(|one| one.made_at.since(T)).collect()
    };
    let needs = |id, n| NewReport { frame_dict: Some(frame_dictionary(n).id), ..v2(id, 1) };
    write(&mut *writer, &[agents(&[1]), add(1), add(2), of(needs(1, 2)), of(needs(2, 1))]);
    for n in 3..=7 {
        write(&mut *writer, &[add(n)]);
    }
    // Beside those that are needed the four newest stay, whatever happens.
    assert_eq!(known(&*reader), [1, 2, 4, 5, 6, 7]);
    assert_eq!(known(&*reader).len(), writer.load_fleet().unwrap().frame_dictionaries.len());
    // The last one before those that all keep stays, too.
    let later = |id, s| of(NewReport { received_at: T.plus(s), ..needs(id, 2) });
    write(&mut *writer, &[later(3, 800), later(4, 900)]);
    prune(&mut *writer, aged(Prunable::Reports, 50, T.plus(900)));
    // So does what both are packed against.
    assert_eq!(left(&*reader), [1, 3, 4]);
    assert_eq!(known(&*reader), [2, 4, 5, 6, 7]);
}

pub(crate) fn history_leaves_in_chunks((mut writer, reader): Store) {
    let mut changes = vec![agents(&[1])];
    changes.extend((1..=600).map(|n| Change {
        report: Some(v2(n, 1)),
        events: vec![said(n, EventKind::AgentStatus, 1, "agent-1")],
        ..Change::default()
    }));
    // What tells of a time that is far ahead is not waited for, and holds nothing.
    let far = NewEvent { at: T.plus(9_000_000), ..said(300, EventKind::InterfaceAdded, 1, "eth9") };
    changes.insert(300, Change { events: vec![far], ..Change::default() });
    write(&mut *writer, &changes);
    let taken = prune(&mut *writer, aged(Prunable::Events, 100, T.plus(600)));
    assert!(taken.iter().all(|rows| *rows <= u64::try_from(CHUNK_ROWS).unwrap()), "{taken:?}");
    assert_eq!(taken, [255, 244]);
    let rest = lines(&*reader);
    assert_eq!((rest.len(), rest[0]), (102, 500));

    let bytes = Limits { age: None, bytes: Some(10_000) };
    let sized = Prune { limits: bytes, ..aged(Prunable::Events, 0, T.plus(600)) };
    prune(&mut *writer, sized);
    let rest = lines(&*reader).len();
    assert!((60..110).contains(&rest), "{rest}");
    assert_eq!(prune(&mut *writer, sized).iter().sum::<u64>(), 0);
    prune(&mut *writer, aged(Prunable::Events, -100, T.plus(600)));
    assert_eq!(lines(&*reader), [600, 601], "the newest stays, and what held before it");
}

pub(crate) fn cleared_alarms_leave((mut writer, reader): Store) {
    let state = |id| if id % 3 == 0 { AlarmState::Active } else { AlarmState::Cleared };
    let alarms: Vec<_> = (1..=600).map(|id| alarm(id, &format!("e{id}"), state(id))).collect();
    // Cleared long after it was raised.
    let late = AlarmRecord { cleared_at: Some(T.plus(590)), ..alarms[0].clone() };
    let change = Change { alarms, ..Change::default() };
    let late = Change { alarms: vec![late], ..Change::default() };
    let newest = of(v2(600, 1));
    write(&mut *writer, &[agents(&[1]), change, late, newest]);
    let all = |cleared| {
        let filter = AlarmFilter { cleared, limit: 10_000, ..AlarmFilter::default() };
        let rows = reader.alarms(&filter).unwrap();
        rows.iter().rev().map(|row| row.alarm.id.0).collect::<Vec<_>>()
    };
    // Cleared two seconds after they were raised; kept from T + 500 on.
    let taken = prune(&mut *writer, aged(Prunable::Alarms, 100, T.plus(600)));
    assert_eq!(taken, [170, 161]);
    let expected: Vec<i64> = [1].into_iter().chain((498..600).filter(|n| n % 3 != 0)).collect();
    assert_eq!(all(true), expected);
    assert_eq!(all(false).len(), 200, "open ones have no age");

    let bytes = Limits { age: None, bytes: Some(10_000) };
    let sized = Prune { limits: bytes, ..aged(Prunable::Alarms, 0, T.plus(600)) };
    assert!(prune(&mut *writer, sized).iter().sum::<u64>() > 20);
    assert!(!all(true).is_empty() && all(false).len() == 200);
    // The highest number stays in use.
    let last = alarm(600, "e600", AlarmState::Cleared);
    write(&mut *writer, &[Change { alarms: vec![last], ..Change::default() }]);
    prune(&mut *writer, aged(Prunable::Alarms, -1000, T.plus(600)));
    assert_eq!(all(true).last(), Some(&600));
}

pub(crate) fn what_is_free_is_given_back((mut writer, reader): Store) {
    // 8 MiB that cannot be made smaller.
    let mut seed = 7_u64;
    let mut noise = || {
        let bytes = std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()
        });
        bytes.take(1024).flatten().collect::<Vec<u8>>()
    };
    let mut changes = vec![agents(&[1])];
    changes.extend((1..=1000).map(|id| of(NewReport { envelope: noise().into(), ..v2(id, 1) })));
    write(&mut *writer, &changes);
    let give_back = aged(Prunable::FreePages, 0, T.plus(1000));
    assert_eq!(prune(&mut *writer, give_back), [0], "nothing is free");
    prune(&mut *writer, aged(Prunable::Reports, 99, T.plus(1000)));
    let taken = prune(&mut *writer, give_back);
    assert!(taken.len() > 4 && taken.iter().all(|pages| *pages <= 256), "{taken:?}");
    assert_eq!(prune(&mut *writer, give_back), [0]);
    assert_eq!(left(&*reader).len(), 101);
    writer.close().unwrap();
    let bytes = reader.stats().unwrap().db_bytes;
    assert!((800_000..2_500_000).contains(&bytes), "{bytes}");
}

pub(crate) fn a_chunk_waits_for_the_end_of_a_batch((mut writer, reader): Store) {
    let reports = (1..=4).map(|id| of(v2(id, 1)));
    let all: Vec<_> = [agents(&[1])].into_iter().chain(reports).collect();
    write(&mut *writer, &all);
    let chunk = aged(Prunable::Reports, 0, T.plus(4));
    writer.begin().unwrap();
    writer.record(&of(v2(5, 1))).unwrap();
    assert!(writer.prune(&chunk).is_err());
    writer.commit().unwrap();
    assert_eq!(left(&*reader), [1, 2, 3, 4, 5], "the batch is unharmed");
    assert_eq!(prune(&mut *writer, chunk), [1], "the clock's time counts if it is earlier");
    // The first is what the others are packed against.
    assert_eq!(left(&*reader), [1, 3, 4, 5]);
}
