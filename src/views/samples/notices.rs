//! Made-up channels, messages and rules of alarms.

use crate::model::id::{AlarmId, NotificationId};
use crate::model::state::{AlarmKind, AlarmState, MessageState, Severity, Telling};
use crate::model::time::UnixSeconds;
use crate::store::notice::{Facts, MessageItem, MessageRecord};
use crate::views::notifications::{BeatItem, ChannelItem, NoticeItem, Overview};
use crate::views::rules::{ChangeItem, EntryItem, KindItem, LimitItem, RulesItem};

use super::NOW;

pub(in crate::views) fn overview() -> Overview {
    let leads = |kind: &str, to: &str| Some((kind.to_owned(), to.to_owned()));
    let chat = ChannelItem {
        name: "chat".to_owned(),
        leads: leads("webhook (slack)", "https://hooks.slack.com"),
        ok_at: Some(NOW.minus(40)),
        sent: 412,
        ..ChannelItem::default()
    };
    let mail = ChannelItem {
        name: "mail".to_owned(),
        leads: leads("email", "ops@example.org by mail.example.org:587"),
        failing: true,
        failures: 7,
        open_until: Some(NOW.plus(200)),
        ok_at: Some(NOW.minus(86_400)),
        failed: Some((NOW.minus(40), "no connection (Connection refused (os error 111))".into())),
        waiting: 3,
        dead: 1,
        sent: 17,
    };
    let old = ChannelItem { name: "old".to_owned(), dead: 2, ..ChannelItem::default() };
    let heartbeat = BeatItem {
        place: "https://hc-ping.com".to_owned(),
        every: 60,
        status: Some("warn"),
        ok_at: Some(NOW.minus(20)),
        failed: None,
    };
    Overview {
        channels: vec![chat, mail, old],
        heartbeat: Some(heartbeat),
        mistakes: vec!["notify.toml: line 12: channel.url is missing".to_owned()],
    }
}

/// A message that told of an alarm.
pub(in crate::views) fn about(alarm: AlarmId, at: UnixSeconds) -> MessageRecord {
    let facts = Facts {
        kind: AlarmKind::AgentOffline,
        severity: Severity::Major,
        state: AlarmState::Active,
        fleet_id: None,
        agent_id: None,
        hostname: None,
        subject: "oul-gw2".to_owned(),
        message: "oul-gw2 has not reported for 2 h.".to_owned(),
        flapping: false,
        raised_at: Some(at),
        acknowledged_at: None,
        acknowledged_by: None,
        note: None,
        returned_at: None,
        cleared_at: None,
        clear_cause: None,
    };
    MessageRecord {
        id: NotificationId(4),
        uid: "msg_0".to_owned(),
        channel: "chat".to_owned(),
        state: MessageState::Sent,
        created_at: at,
        due_at: at,
        attempts: 1,
        tried_at: Some(at),
        ended_at: Some(at),
        error: None,
        test_by: None,
        items: vec![MessageItem { alarm, telling: Telling::Raised, facts }],
    }
}

pub(in crate::views) fn notices() -> Vec<NoticeItem> {
    let item = |id, channel: &str, state, title: &str, lines: &[&str]| NoticeItem {
        alarms: vec![7],
        id,
        channel: channel.to_owned(),
        state,
        title: title.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        created_at: NOW.minus(60),
        due_at: NOW.plus(13),
        attempts: 1,
        ended_at: (state != MessageState::Waiting).then_some(NOW.minus(30)),
        error: (state != MessageState::Sent).then(|| "answered 503".to_owned()),
    };
    let down = "major: agent.offline oul-gw2 (lab): no report for 3 min, since \
                2026-11-21T01:50:00Z";
    vec![
        item(
            3,
            "chat",
            MessageState::Sent,
            "2 alarms: 1 open, 1 cleared",
            &[
                down,
                "cleared: edge.down hel-gw1 (lab): no handshake for 412 s [condition over after 12 min]",
            ],
        ),
        item(2, "mail", MessageState::Waiting, "major: agent.offline oul-gw2", &[down]),
        item(
            1,
            "mail",
            MessageState::Dead,
            "Test message from Kattila",
            &["Kattila can reach you: this is a test, nothing is wrong. Asked for by admin."],
        ),
    ]
}

pub(in crate::views) fn rules() -> RulesItem {
    let t2 = LimitItem {
        name: "t2_extra_s",
        value: 90,
        about: "seconds from the warning until the link counts as down",
    };
    let entry = EntryItem {
        line: 12,
        whom: "fleet lab, role=gate*".into(),
        what: vec!["severity critical".into(), "t2_extra_s 120".into()],
    };
    let down = KindItem {
        kind: "edge.down",
        meaning: "A link that should be alive has had no handshake for longer than any healthy \
                  link can go without, or lost the interface at one end.",
        severity: Severity::Warning,
        raised: "after 2 reports".into(),
        ends: "after 1 report".into(),
        limits: vec![t2],
        changed: vec![entry],
    };
    let stale = KindItem {
        kind: "agent.stale",
        meaning: "An agent that reported has not reported for three intervals and 10 s.",
        raised: "at once".into(),
        limits: Vec::new(),
        changed: Vec::new(),
        ..down.clone()
    };
    let change = ChangeItem {
        at: NOW.minus(400),
        by: "hangup (rules.toml of alice)".into(),
        kind: "edge.down",
        before: "the catalogue's".into(),
        after: "fleet lab, role=gate*: severity critical, t2_extra_s 120".into(),
    };
    RulesItem {
        kinds: vec![down, stale],
        changes: vec![change],
        mistakes: vec!["rules.toml: line 3: rule.kinds \"edge.dwn\" fits no kind of alarm".into()],
        has_file: true,
    }
}
