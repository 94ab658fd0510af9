//! The page of notifications and its forms.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::operators::notifications::{self as notices, ChannelView, Channels, Wanted};
use crate::http::params::{Id, Params};
use crate::http::state::AppState;
use crate::model::id::NotificationId;
use crate::notify::words;
use crate::store::notice::{MessageFilter, MessageRecord};
use crate::views::list::OLDEST_FIRST;
use crate::views::notifications::{self, BeatItem, ChannelItem, NoticeItem, Overview, Shown};
use crate::views::page::Nav;

use super::{Reader, done, html};

/// Messages on one page.
const ROWS: usize = 50;

/// In which order they are shown.
#[derive(Debug, Default, Deserialize)]
pub struct Order {
    #[serde(default)]
    sort: String,
}

/// `GET /notifications`.
pub async fn page(
    State(state): State<AppState>,
    reader: Reader,
    Params(wanted): Params<Wanted>,
    Params(order): Params<Order>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Notifications", Nav::Alarms);
    let oldest_first = order.sort == OLDEST_FIRST;
    let goes_on = wanted.after.is_some() || wanted.before.is_some();
    let filter = MessageFilter { limit: ROWS, ..wanted.filter()? };
    let filter = if oldest_first {
        let after = filter.after.or(Some(NotificationId(0)));
        MessageFilter { after, before: None, ..filter }
    } else {
        MessageFilter { after: None, ..filter }
    };
    let (only, channel) = (filter.state, filter.channel.clone());
    let found = state.read(&reader.lens, move |store| store.notifications(&filter)).await?;
    let rows: Vec<NoticeItem> = found.into_iter().map(notice).collect();
    // Channels are the manager's.
    let overview =
        if context.whole { overview(Channels::read(&state).await?) } else { Overview::default() };
    let shown =
        Shown { state: only, channel: channel.as_deref(), limit: ROWS, oldest_first, goes_on };
    html(notifications::page(&context, &overview, &rows, &shown))
}

/// `POST /channels/{id}/test`.
pub async fn test(
    State(state): State<AppState>,
    caller: Caller,
    Id(channel): Id<String>,
) -> Result<Response, ApiError> {
    let told =
        format!("A test message to {channel} is on its way; the log below tells what comes of it.");
    notices::queue_test(&state, channel, caller.name).await?;
    Ok(done(&state, &caller.way, ("/notifications", told)))
}

/// `POST /notifications/{id}/retry`.
pub async fn retry(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
) -> Result<Response, ApiError> {
    notices::queue_again(&state, NotificationId(id), caller.name).await?;
    Ok(done(&state, &caller.way, ("/notifications", format!("Message {id} is tried again."))))
}

fn notice(message: MessageRecord) -> NoticeItem {
    NoticeItem {
        id: message.id.0,
        title: words::title(&message),
        lines: words::text(&message, None).lines().map(str::to_owned).collect(),
        alarms: message.items.iter().map(|item| item.alarm.0).collect(),
        channel: message.channel,
        state: message.state,
        created_at: message.created_at,
        due_at: message.due_at,
        attempts: message.attempts,
        ended_at: message.ended_at,
        error: message.error,
    }
}

fn overview(found: Channels) -> Overview {
    let beat = found.heartbeat.map(|beat| BeatItem {
        place: beat.place,
        every: beat.every,
        status: beat.status,
        ok_at: beat.ok_at,
        failed: beat.failed_at.zip(beat.error),
    });
    Overview {
        channels: found.channels.into_iter().map(channel).collect(),
        heartbeat: beat,
        mistakes: found.mistakes,
    }
}

fn channel(view: ChannelView) -> ChannelItem {
    ChannelItem {
        failing: view.state == "failing",
        name: view.name,
        leads: view.kind.map(str::to_owned).zip(view.to),
        failures: view.failures,
        open_until: view.open_until,
        ok_at: view.ok_at,
        failed: view.failed_at.zip(view.error),
        waiting: view.waiting,
        dead: view.dead_kept,
        sent: view.sent,
    }
}
