//! Made-up alarms, and the pages that tell of them.

use super::*;

fn alarm(id: i64, kind: AlarmKind, severity: Severity, state: AlarmState, text: &str) -> AlarmRow {
    let acknowledged = state == AlarmState::Acknowledged;
    AlarmRow {
        alarm: AlarmRecord {
            id: AlarmId(id),
            kind,
            subject: "oul-gw2".to_owned(),
            severity,
            state,
            fleet: "lab".parse().ok(),
            agent: Some(AgentNo(2)),
            message: text.to_owned(),
            pending_since: NOW.minus(900),
            raised_at: Some(NOW.minus(840)),
            acknowledged_at: acknowledged.then(|| NOW.minus(60)),
            acknowledged_by: acknowledged.then(|| "admin".to_owned()),
            note: acknowledged.then(|| "cable is on order".to_owned()),
            returned_at: None,
            cleared_at: None,
            clear_cause: None,
            good_since: None,
            count: 1,
            report: None,
            inhibited_by: None,
            inhibited_until: None,
            own: severity,
            flapping_until: None,
            shelved: None,
            maintenance: None,
        },
        agent_id: "oul-gw2".parse().ok(),
        children: 0,
    }
}

pub(in crate::views) fn alarms() -> Vec<AlarmRow> {
    use AlarmState::{Acknowledged, Active};
    vec![
        alarm(9, AlarmKind::PeerUnknown, Severity::Info, Active, "A key belongs to no agent."),
        alarm(8, AlarmKind::EdgeDown, Severity::Major, Acknowledged, "hel-gw1 to oul-gw2 is down."),
        alarm(
            7,
            AlarmKind::AgentOffline,
            Severity::Major,
            Active,
            "oul-gw2 has not reported for 2 h.",
        ),
    ]
}

/// One that is open, one that comes every week, one that is over.
pub(in crate::views) fn windows() -> Vec<Window> {
    let window = |id, scope, times, reason: &str| Window {
        id: WindowId(id),
        scope,
        times,
        reason: reason.to_owned(),
        by: "admin".to_owned(),
        made_at: NOW.minus(90_000),
        ended: None,
    };
    let agent = || Scope::Agent("oul-gw2".parse().expect("an agent"));
    let once = |from, until| Times::Once(Span { from: NOW.minus(from), until: NOW.plus(until) });
    let site = Scope::Label { name: "site".to_owned(), value: "Helsinki".to_owned() };
    let weekly = Times::Weekly {
        days: [false, false, false, false, false, true, true],
        start: 22 * 60,
        lasts_s: 7_200,
        utc_offset_s: 7_200,
    };
    vec![
        window(1, agent(), once(86_400, -80_000), "moved to another rack"),
        window(2, agent(), once(600, 3_000), "new disks"),
        window(3, site, weekly, "updates"),
    ]
}

/// The same with what follows from the agent's silence.
pub(in crate::views) fn incidents() -> Vec<AlarmRow> {
    use AlarmState::{Acknowledged, Active};
    let told = |id, kind, severity, text: &str| alarm(id, kind, severity, Active, text);
    let mut rows = vec![
        told(12, AlarmKind::AgentStale, Severity::Warning, "oul-gw2 is late: no report for 2 h."),
        told(
            11,
            AlarmKind::EdgeDown,
            Severity::Major,
            "oul-gw2 - tre-gw1 is down: oul-gw2 is silent.",
        ),
        alarm(10, AlarmKind::EdgeDown, Severity::Major, Acknowledged, "oul-gw2 - hel-gw1 is down."),
    ];
    for row in &mut rows {
        row.alarm.inhibited_by = Some(AlarmId(7));
    }
    rows.extend(alarms());
    rows
}

/// An open alarm with everything that can be told of one.
pub(in crate::views) fn alarm_page() -> Result<String, askama::Error> {
    let ctx = context("Alarm 7", Nav::Alarms);
    let mut rows = alarms();
    let (row, follower) = (rows.remove(2), rows.remove(0));
    let cause = rows.remove(0);
    let event = |ago: i64, kind, cause: Option<&str>, more: serde_json::Value| {
        let mut after = serde_json::json!({
            "id": 7, "severity": "major", "message": row.alarm.message,
        });
        after.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        EventRow {
            id: EventId(900 - ago),
            at: NOW.minus(ago),
            recorded_at: NOW.minus(ago),
            kind,
            after: Some(after),
            cause: cause.map(str::to_owned),
            report: None,
            ..events().remove(0)
        }
    };
    use EventKind as K;
    let none = || serde_json::json!({});
    let until = NOW.plus(3_600);
    let events = [
        event(840, K::AlarmRaised, None, none()),
        event(700, K::AlarmRaised, None, serde_json::json!({"severity": "critical"})),
        event(600, K::AlarmAcknowledged, Some("olga"), serde_json::json!({"note": "on it"})),
        event(
            500,
            K::AlarmShelved,
            Some("olga"),
            serde_json::json!({"shelved_until": until, "shelve_reason": "parts ordered"}),
        ),
        event(400, K::AlarmMaintenance, None, serde_json::json!({"maintenance": 2})),
    ];
    let messages = [notices::about(AlarmId(7), NOW.minus(810))];
    crate::views::alarm::page(
        &ctx,
        &crate::views::alarm::Told {
            row: &row,
            events: &events,
            messages: &messages,
            cause: Some(&cause),
            followers: &[follower],
            evidence: &[("oul-gw2".to_owned(), proven_reports())],
        },
    )
}

/// Two kinds over some days.
pub(in crate::views) fn quality_page() -> Result<String, askama::Error> {
    use crate::views::quality::{Shown, TallyItem, Thing};
    let tally = |raised, followers| TallyItem {
        raised,
        open: 1,
        open_median_s: Some(150),
        open_p90_s: Some(7_300),
        standing: 1,
        acknowledged: 2,
        ack_median_s: Some(40),
        flapped: 1,
        unattended: 3,
        without_action: 1,
        followers,
    };
    let shown = Shown {
        from: NOW.minus(3 * 86_400),
        to: NOW,
        all: tally(12, 3),
        kinds: vec![("agent.offline", tally(9, 1)), ("edge.down", tally(3, 2))],
        subjects: vec![(
            "agent.offline",
            Thing { name: "oul-gw2".to_owned(), href: Some("/agents/oul-gw2".to_owned()) },
            7,
        )],
        per_day_hundredths: 307,
        cut: false,
    };
    crate::views::quality::page(&context("Quality of alarms", Nav::Alarms), &shown)
}
