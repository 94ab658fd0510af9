//! Samples of messages to people.

use crate::delivery::beat::BeatState;
use crate::http::operators::alarms::AlarmDetail;
use crate::http::operators::notifications::{
    ChannelView, Channels, NotificationView, Notified, Queued, ToldAlarm,
};
use crate::model::id::{AlarmId, FleetId, NotificationId};
use crate::model::state::{AlarmKind, AlarmState, MessageState, Severity, Telling};
use crate::store::notice::Facts;

use super::{NOW, things};

pub(super) fn alarm() -> AlarmDetail {
    let notified = Notified {
        channel: "chat".into(),
        telling: Telling::Raised,
        notification: NotificationId(7),
        state: MessageState::Sent,
        at: NOW,
        ended_at: Some(NOW),
    };
    AlarmDetail { alarm: things::alarm(), notified: vec![notified] }
}

pub(super) fn notification() -> Option<NotificationView> {
    let facts = Facts {
        kind: AlarmKind::EdgeDown,
        severity: Severity::Major,
        state: AlarmState::Active,
        fleet_id: Some(FleetId::unnamed()),
        agent_id: things::agent_id(),
        hostname: Some("gw-1".into()),
        subject: "0011223344556677".into(),
        message: "the link gw-1 - gw-2 is down".into(),
        raised_at: Some(NOW),
        acknowledged_at: Some(NOW),
        acknowledged_by: Some("admin".into()),
        note: Some("cable ordered".into()),
        returned_at: Some(NOW),
        cleared_at: Some(NOW),
        clear_cause: Some("condition over".into()),
        flapping: true,
    };
    Some(NotificationView {
        id: NotificationId(7),
        webhook_id: "msg_0f8a1c2d3e4f5a6b7c8d9e0f".into(),
        channel: "chat".into(),
        state: MessageState::Waiting,
        title: "major: edge.down gw-1".into(),
        created_at: NOW,
        due_at: Some(NOW.plus(5)),
        attempts: 1,
        tried_at: Some(NOW),
        ended_at: Some(NOW),
        error: Some("answered 503".into()),
        test_by: Some("admin".into()),
        alarms: vec![ToldAlarm { id: AlarmId(12), telling: Telling::Raised, facts }],
    })
}

pub(super) fn channels() -> Channels {
    let channel = ChannelView {
        name: "chat".into(),
        kind: Some("webhook (slack)"),
        to: Some("https://hooks.slack.com".into()),
        state: "retrying",
        failures: 1,
        open_until: Some(NOW),
        ok_at: Some(NOW),
        failed_at: Some(NOW),
        error: Some("answered 503".into()),
        waiting: 1,
        oldest_waiting: Some(NOW),
        sent: 41,
        failed: 1,
        dead: 0,
        dead_kept: 0,
    };
    let heartbeat = BeatState {
        place: "https://watch.example.org".into(),
        every: 60,
        ok_at: Some(NOW),
        failed_at: Some(NOW),
        error: Some("answered 503".into()),
        status: Some("ok"),
    };
    let mistakes = vec!["notify.toml: line 3: channel.url is missing".into()];
    Channels { channels: vec![channel], heartbeat: Some(heartbeat), mistakes }
}

pub(super) fn queued() -> Queued {
    Queued { notification: NotificationId(8) }
}
