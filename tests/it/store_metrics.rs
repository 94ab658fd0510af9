//! What every store must do with counters over time: part of the contract in `store_contract`.

use std::sync::Arc;

use kattila::model::id::{AgentNo, ReportId};
use kattila::model::metric::{Age, Flow, HOUR_S, Slot, Subject};
use kattila::model::time::UnixSeconds;
use kattila::store::change::{Change, NewReport};
use kattila::store::metrics::{
    Grain, HourRecord, MeasuredAsked, MetricsAsked, Of, SeriesHour, Which, Whose,
};
use kattila::store::{Reader, Writer};

use crate::store_samples::{T, agent, report, wg_key};

type Store = (Box<dyn Writer>, Arc<dyn Reader>);

/// A whole hour.
const HOUR: UnixSeconds = UnixSeconds(T.0 - T.0 % HOUR_S);

fn write(writer: &mut dyn Writer, change: &Change) {
    writer.begin().unwrap();
    writer.record(change).unwrap();
    writer.commit().unwrap();
}

fn eth0() -> Subject {
    Subject::Interface("eth0".into())
}

fn peer() -> Subject {
    Subject::Peer("wg0".into(), wg_key(7))
}

fn slot(sum: u64) -> Slot {
    let flow = Some(Flow { sum, min: sum / 600, max: sum / 200 });
    let flows = [flow, Some(Flow::default()), None, None, None, None];
    Slot { samples: 5, covered_s: 300, flows, age: Some(Age { last: 3, max: 119 }) }
}

fn series(subject: Subject, sum: u64) -> SeriesHour {
    let mut slots = vec![None; 12];
    slots[3] = Some(slot(sum));
    SeriesHour { subject, slots, whole: slot(sum) }
}

fn hour(agent: i64, hour: i64, series: Vec<SeriesHour>) -> HourRecord {
    HourRecord { agent: AgentNo(agent), start: HOUR.plus(hour * HOUR_S), series }
}

fn asked(of: Of, grain: Grain) -> MetricsAsked {
    let agent = Which::Named("agent-1".parse().unwrap());
    MetricsAsked { agent, of, from: HOUR, to: HOUR.plus(30 * HOUR_S), grain }
}

pub(crate) fn hours_come_back_and_are_replaced((mut writer, reader): Store) {
    let hours = vec![
        hour(1, 0, vec![series(eth0(), 600)]),
        hour(2, 0, vec![series(eth0(), 999)]),
        // Another day, where the numbers of names are others.
        hour(1, 29, vec![series(peer(), 1_200), series(eth0(), 1_800)]),
    ];
    let agents = vec![agent(1), agent(2)];
    write(&mut *writer, &Change { agents, metrics: hours, ..Change::default() });
    let all = reader.metrics(&asked(Of::Everything, Grain::FiveMinutes)).unwrap();
    let starts: Vec<_> = all.iter().map(|row| row.start.since(HOUR) / HOUR_S).collect();
    assert_eq!(starts, [0, 29]);
    assert_eq!(all[0].series, [(eth0(), series(eth0(), 600).slots)]);
    let found = all[1].series.iter().find(|(subject, _)| *subject == peer()).unwrap();
    assert_eq!(found.1[3], Some(slot(1_200)));
    let hourly = reader.metrics(&asked(Of::One(peer()), Grain::Hour)).unwrap();
    assert!(hourly[0].series.is_empty());
    assert_eq!(hourly[1].series, [(peer(), vec![Some(slot(1_200))])]);
    let interfaces = reader.metrics(&asked(Of::Interfaces, Grain::Hour)).unwrap();
    assert_eq!(interfaces[1].series, [(eth0(), vec![Some(slot(1_800))])]);

    // Another account takes the place of the first; rows by the hour alone may be kept.
    let coarse = SeriesHour { slots: Vec::new(), ..series(peer(), 60) };
    let metrics = vec![hour(1, 0, vec![series(eth0(), 1)]), hour(1, 1, vec![coarse])];
    write(&mut *writer, &Change { metrics, ..Change::default() });
    let fine = reader.metrics(&asked(Of::Everything, Grain::FiveMinutes)).unwrap();
    assert_eq!(fine.len(), 2);
    assert_eq!(fine[0].series[0].1[3], Some(slot(1)));
    assert_eq!(reader.metrics(&asked(Of::Everything, Grain::Hour)).unwrap().len(), 3);
    let nobody = MetricsAsked {
        agent: Which::Named("agent-9".parse().unwrap()),
        ..asked(Of::Everything, Grain::Hour)
    };
    assert!(reader.metrics(&nobody).unwrap().is_empty());
}

pub(crate) fn reports_are_found_by_when_they_were_measured((mut writer, reader): Store) {
    let agents = vec![agent(1), agent(2), agent(3)];
    write(&mut *writer, &Change { agents, ..Change::default() });
    let at = |id: i64, no: i64, measured: i64, received: i64| NewReport {
        collected_at: Some(T.plus(measured)),
        timestamp: T.plus(received),
        received_at: T.plus(received),
        ..report(id, no)
    };
    let late = NewReport { late: true, ..at(4, 1, 150, 9_000) };
    let all = [at(1, 1, 100, 101), at(2, 2, 160, 160), at(3, 1, 200, 203), late];
    for report in all {
        write(&mut *writer, &Change { report: Some(report), ..Change::default() });
    }
    let find = |whose: Whose, from: i64, to: i64| {
        let (from, to) = (T.plus(from), T.plus(to));
        let asked = MeasuredAsked { whose, from, to, slack_s: 60 };
        let mut found = Vec::new();
        let reached = reader.measured(&asked, &mut |one| {
            assert!(!one.envelope.is_empty());
            found.push((one.agent.0, one.at.since(T)));
        });
        (reached.unwrap(), found)
    };
    let (to, found) = find(Whose::After(AgentNo(0), 2), 100, 200);
    assert_eq!(found, [(1, 100), (1, 150), (2, 160)], "the late one as well");
    assert!(to.any && to.more && to.agents == [AgentNo(1), AgentNo(2)]);
    let (to, found) = find(Whose::After(AgentNo(2), 2), 100, 200);
    assert!(found.is_empty() && !to.more && to.agents == [AgentNo(3)]);
    let (to, found) = find(Whose::After(AgentNo(0), 9), 4_000, 5_000);
    assert!(found.is_empty() && !to.any && to.agents.is_empty());
    let (_, found) = find(Whose::One(Which::Numbered(AgentNo(1))), 150, 201);
    assert_eq!(found, [(1, 200), (1, 150)]);
    let (_, found) = find(Whose::One(Which::Named("agent-2".parse().unwrap())), 0, 201);
    assert_eq!(found, [(2, 160)]);

    let late = reader.late_reports(ReportId(0), 10).unwrap();
    assert_eq!(late.len(), 1);
    assert_eq!(
        (late[0].id, late[0].agent, late[0].measured_at),
        (ReportId(4), AgentNo(1), T.plus(150))
    );
    assert!(reader.late_reports(ReportId(4), 10).unwrap().is_empty());
}
