use super::*;

const T: UnixSeconds = UnixSeconds(1_800_000_000);

fn seen(kind: AlarmKind, holds: bool) -> Observation<'static> {
    Observation {
        kind,
        subject: Cow::Borrowed("thing"),
        fleet: None,
        agent: Some(AgentNo(1)),
        also: None,
        holds,
        late: false,
        severity: rule(kind).severity,
        message: format!("{kind} is so"),
        report: Some(ReportId(7)),
    }
}

fn begin(kind: AlarmKind) -> (Alarm, Step) {
    Alarm::begin(AlarmId(1), &seen(kind, true), (Terms::of(kind), Flap::default()), T)
}

#[test]
fn raised_at_once_or_when_confirmed_often_enough() {
    let (alarm, step) = begin(AlarmKind::AgentOffline);
    assert_eq!((step, alarm.state, alarm.raised_at), (Step::Raised, AlarmState::Active, Some(T)));
    let (mut alarm, step) = begin(AlarmKind::EdgeHalfConfigured);
    assert_eq!((step, alarm.state, alarm.count), (Step::Noted, AlarmState::Pending, 1));
    let bad = seen(alarm.kind, true);
    assert_eq!(alarm.observe(&bad, T.plus(30)), Some(Step::Noted));
    assert_eq!(alarm.observe(&bad, T.plus(60)), Some(Step::Raised));
    assert_eq!((alarm.pending_since, alarm.raised_at), (T, Some(T.plus(60))));
    assert_eq!(alarm.report, Some(ReportId(7)));
    // Nothing new, nothing to store.
    assert_eq!(alarm.observe(&bad, T.plus(90)), None);
}

#[test]
fn what_does_not_last_is_dropped_untold() {
    let (mut alarm, _) = begin(AlarmKind::IfaceDown);
    assert_eq!(alarm.observe(&seen(alarm.kind, false), T.plus(30)), Some(Step::Dropped));
    assert_eq!((alarm.state, alarm.raised_at), (AlarmState::Cleared, None));
    assert!(!Step::Dropped.is_told());
}

#[test]
fn good_reports_must_come_in_a_row() {
    let (mut alarm, _) = begin(AlarmKind::AgentOffline);
    let (good, bad) = (seen(alarm.kind, false), seen(alarm.kind, true));
    assert_eq!(alarm.observe(&good, T.plus(10)), Some(Step::Noted));
    assert_eq!(alarm.good_since, Some(T.plus(10)));
    assert_eq!(alarm.observe(&bad, T.plus(20)), Some(Step::Noted));
    assert_eq!(alarm.good_since, None);
    assert_eq!(alarm.observe(&good, T.plus(30)), Some(Step::Noted));
    assert_eq!(alarm.observe(&good, T.plus(40)), Some(Step::Cleared));
    assert_eq!(alarm.clear_cause.as_deref(), Some("condition over"));
    assert_eq!(alarm.cleared_at, Some(T.plus(40)));
}

#[test]
fn an_acknowledgement_survives_a_flap_and_a_change_of_severity() {
    let (mut alarm, _) = begin(AlarmKind::AgentOffline);
    assert_eq!(
        alarm.acknowledge("kim", Some("power work".into()), T.plus(5)),
        Some(Step::Acknowledged)
    );
    assert_eq!(alarm.acknowledge("lee", None, T.plus(6)), None);
    assert_eq!(alarm.observe(&seen(alarm.kind, false), T.plus(10)), Some(Step::Noted));
    let worse = Observation { severity: Severity::Critical, ..seen(alarm.kind, true) };
    assert_eq!(alarm.observe(&worse, T.plus(20)), Some(Step::Escalated));
    assert_eq!(alarm.state, AlarmState::Acknowledged);
    assert_eq!(alarm.acknowledged_by.as_deref(), Some("kim"));
    assert_eq!(alarm.observe(&seen(alarm.kind, true), T.plus(30)), Some(Step::Eased));
    assert_eq!(alarm.acknowledge("lee", Some("later".into()), T.plus(40)), Some(Step::Noted));
    assert_eq!(alarm.note.as_deref(), Some("later"));
}

#[test]
fn latching_kinds_wait_for_a_person_unless_one_has_been_there() {
    let kind = AlarmKind::DnsPskUnexpected;
    let good = seen(kind, false);
    let (mut alarm, _) = begin(kind);
    assert_eq!(alarm.observe(&good, T.plus(10)), Some(Step::Returned));
    assert_eq!(alarm.returned_at, Some(T.plus(10)));
    assert_eq!(alarm.observe(&good, T.plus(20)), None);
    let (mut again, mut acked) = (alarm.clone(), alarm.clone());
    assert_eq!(again.observe(&seen(kind, true), T.plus(30)), Some(Step::Raised));
    assert_eq!((again.returned_at, again.raised_at), (None, Some(T)));
    assert_eq!(acked.acknowledge("kim", None, T.plus(30)), Some(Step::Cleared));
    assert_eq!(acked.clear_cause.as_deref(), Some("acknowledged"));
    let (mut early, _) = begin(kind);
    assert_eq!(early.acknowledge("kim", None, T), Some(Step::Acknowledged));
    assert_eq!(early.observe(&good, T.plus(10)), Some(Step::Cleared));
}

#[test]
fn reboots_count_up_and_need_a_quiet_hour_with_a_report() {
    let (mut alarm, step) = begin(AlarmKind::AgentRebooted);
    let (boot, quiet) = (seen(alarm.kind, true), seen(alarm.kind, false));
    assert_eq!((step, alarm.severity), (Step::Raised, Severity::Info));
    assert_eq!(alarm.observe(&quiet, T.plus(30)), None);
    assert_eq!(alarm.observe(&boot, T.plus(600)), Some(Step::Noted));
    assert_eq!(alarm.observe(&boot, T.plus(1_200)), Some(Step::Escalated));
    assert_eq!(alarm.severity, Severity::Warning);
    assert_eq!(alarm.observe(&boot, T.plus(1_800)), Some(Step::Noted));
    // An hour after the last, but only when the agent has spoken.
    assert_eq!(alarm.due(), None);
    assert_eq!(alarm.tick(T.plus(100_000)), None);
    assert_eq!(alarm.observe(&quiet, T.plus(5_399)), None);
    assert_eq!(alarm.observe(&quiet, T.plus(5_400)), Some(Step::Cleared));
}

#[test]
fn a_flood_is_recorded_once_a_minute() {
    let (mut alarm, _) = begin(AlarmKind::IngestBadHmac);
    let bad = seen(alarm.kind, true);
    let stored = (0..300).filter(|s| alarm.observe(&bad, T.plus(*s)).is_some()).count();
    assert_eq!(stored, 4);
    assert_eq!(alarm.due(), Some(T.plus(240 + 1_800)));
}

#[test]
fn late_reports_and_cleared_alarms_change_nothing() {
    let (mut alarm, _) = begin(AlarmKind::AgentOffline);
    for holds in [true, false] {
        let late = Observation { late: true, severity: Severity::Info, ..seen(alarm.kind, holds) };
        let before = alarm.clone();
        assert_eq!(alarm.observe(&late, T.plus(50)), None);
        assert_eq!(alarm, before);
    }
    assert_eq!(alarm.close("reset", T.plus(60)), Step::Cleared);
    let closed = alarm.clone();
    assert_eq!(alarm.observe(&seen(alarm.kind, true), T.plus(70)), None);
    assert_eq!(alarm.acknowledge("kim", None, T.plus(70)), None);
    assert_eq!(alarm.tick(T.plus(999_999)), None);
    assert_eq!(alarm, closed);
}

#[test]
fn a_message_that_follows_is_stored_and_not_told_again() {
    let news = |kind| Observation { message: "more is known".to_owned(), ..seen(kind, true) };
    let (mut offline, _) = begin(AlarmKind::AgentOffline);
    let step = offline.observe(&news(offline.kind), T.plus(30));
    assert_eq!((step, offline.message.as_str()), (Some(Step::Noted), "more is known"));
    assert_eq!(offline.observe(&news(offline.kind), T.plus(60)), None);
    let (mut stale, _) = begin(AlarmKind::AgentStale);
    assert_eq!(stale.observe(&news(stale.kind), T.plus(30)), None);
    assert_eq!(stale.message, "agent.stale is so");
}

#[test]
fn what_comes_and_goes_is_held_open_and_told_once() {
    let restless = [0, 0, 0].iter().fold(Flap::default(), |flap, _| flap.hit(T));
    let kind = AlarmKind::EdgeDown;
    let terms = Terms { raise_count: 1, ..Terms::of(kind) };
    let (alarm, step) = Alarm::begin(AlarmId(1), &seen(kind, true), (terms, restless), T);
    // The fourth change: it is told as one that flaps, and is held when it is over.
    assert_eq!((step, alarm.flapping_until), (Step::Raised, Some(T.plus(1_201))));
    let (mut alarm, _) = begin(AlarmKind::AgentOffline);
    alarm.flap = restless;
    let (good, bad) = (seen(alarm.kind, false), seen(alarm.kind, true));
    assert_eq!(alarm.observe(&good, T.plus(5)), Some(Step::Noted));
    assert_eq!(alarm.observe(&good, T.plus(10)), Some(Step::Cleared), "3.9 are not 4");
    let (mut alarm, _) = begin(AlarmKind::AgentOffline);
    alarm.flap = restless.hit(T);
    alarm.observe(&good, T.plus(5));
    assert_eq!(alarm.observe(&good, T.plus(10)), Some(Step::Flapping));
    assert!(alarm.is_held() && alarm.stands() && alarm.returned_at == Some(T.plus(10)));
    assert_eq!(alarm.observe(&good, T.plus(20)), None, "it is over already");
    assert_eq!(alarm.observe(&bad, T.plus(30)), Some(Step::Flipped));
    assert_eq!((alarm.returned_at, alarm.is_held()), (None, false));
    let worse = Observation { severity: Severity::Critical, ..bad };
    assert_eq!(alarm.observe(&worse, T.plus(40)), Some(Step::Escalated), "worse is told");
    let until = alarm.due().unwrap();
    assert_eq!(alarm.tick(until.minus(1)), None);
    assert_eq!(alarm.tick(until), Some(Step::Steadied));
    assert_eq!((alarm.state, alarm.due()), (AlarmState::Active, None));
    // What ended by other means is over.
    alarm.flapping_until = Some(until);
    assert_eq!(alarm.close("reset", until), Step::Cleared);
    assert_eq!((alarm.due(), alarm.flapping_until), (None, None));
}
