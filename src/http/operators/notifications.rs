//! Messages to people: what was told to whom, the channels, and what an operator can do about
//! them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::delivery::beat::BeatState;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{self, Id, Params};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::{AlarmId, NotificationId};
use crate::model::reach::Reach;
use crate::model::state::{MessageState, Telling};
use crate::model::time::UnixSeconds;
use crate::notify::attempt::OPENS_AFTER;
use crate::notify::plan::Channel;
use crate::notify::words;
use crate::process::handle::{Command, Done};
use crate::process::wish::Wish;
use crate::store::notice::{ChannelRow, Facts, MessageFilter, MessageItem, MessageRecord};

/// An alarm as a message tells of it.
#[derive(Debug, Serialize)]
pub struct ToldAlarm {
    /// The alarm.
    pub id: AlarmId,
    /// What is told of it.
    pub telling: Telling,
    /// The alarm as it was then.
    #[serde(flatten)]
    pub facts: Facts,
}

/// A message.
#[derive(Debug, Serialize)]
pub struct NotificationView {
    /// Its number.
    pub id: NotificationId,
    /// What its receiver knows it by, whatever the number of attempts.
    pub webhook_id: String,
    /// The channel it goes to.
    pub channel: String,
    /// `waiting`, `sent` or `dead`.
    pub state: MessageState,
    /// Its first line.
    pub title: String,
    /// When it was written.
    pub created_at: UnixSeconds,
    /// When it is tried next, if it waits.
    pub due_at: Option<UnixSeconds>,
    /// How often it was tried.
    pub attempts: u32,
    /// When the last attempt ended.
    pub tried_at: Option<UnixSeconds>,
    /// When it was taken, or given up.
    pub ended_at: Option<UnixSeconds>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Who asked for it, if it is a test.
    pub test_by: Option<String>,
    /// What it tells of.
    pub alarms: Vec<ToldAlarm>,
}

impl From<MessageRecord> for NotificationView {
    fn from(message: MessageRecord) -> Self {
        let title = words::title(&message);
        let waits = message.state == MessageState::Waiting;
        let told = |MessageItem { alarm, telling, facts }| ToldAlarm { id: alarm, telling, facts };
        Self {
            id: message.id,
            webhook_id: message.uid,
            channel: message.channel,
            state: message.state,
            title,
            created_at: message.created_at,
            due_at: waits.then_some(message.due_at),
            attempts: message.attempts,
            tried_at: message.tried_at,
            ended_at: message.ended_at,
            error: message.error,
            test_by: message.test_by,
            alarms: message.items.into_iter().map(told).collect(),
        }
    }
}

/// What of the messages is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// `waiting`, `sent` or `dead`.
    pub state: Option<String>,
    /// Only to this channel.
    pub channel: Option<String>,
    /// Only those that tell of this alarm.
    pub alarm: Option<i64>,
    /// Only after this message, oldest first.
    pub after: Option<i64>,
    /// Only before this message, newest first.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: Option<usize>,
}

impl Wanted {
    /// The filter that this asks for.
    pub fn filter(&self) -> Result<MessageFilter, ApiError> {
        let state = match self.state.as_deref().filter(|word| !word.is_empty()) {
            None => None,
            Some(word) => Some(MessageState::from_word(word).ok_or_else(|| {
                ApiError::bad_request("state must be one of: waiting, sent, dead.")
            })?),
        };
        Ok(MessageFilter {
            id: None,
            channel: self.channel.clone().filter(|name| !name.is_empty()),
            state,
            alarm: self.alarm.map(AlarmId),
            after: self.after.map(NotificationId),
            before: self.before.map(NotificationId),
            limit: params::rows(self.limit),
            reach: Reach::Whole,
        })
    }
}

/// `GET /api/v1/notifications`.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<NotificationView>>, ApiError> {
    let filter = wanted.filter()?;
    let found = state.read(&caller.lens, move |reader| reader.notifications(&filter)).await?;
    Ok(Json(found.into_iter().map(NotificationView::from).collect()))
}

/// How a channel fares.
#[derive(Debug, Clone, Serialize)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// `webhook` or `email`, perhaps with its template; `null` if it is in the plan no more.
    pub kind: Option<&'static str>,
    /// Where it leads, without anything secret.
    pub to: Option<String>,
    /// `ok`, `failing` or `unused`.
    pub state: &'static str,
    /// Attempts that failed since the last that succeeded.
    pub failures: u32,
    /// Nothing is tried before this time.
    pub open_until: Option<UnixSeconds>,
    /// When a message was last taken.
    pub ok_at: Option<UnixSeconds>,
    /// When an attempt last failed.
    pub failed_at: Option<UnixSeconds>,
    /// Why.
    pub error: Option<String>,
    /// Messages that wait.
    pub waiting: u64,
    /// When the oldest of them was written.
    pub oldest_waiting: Option<UnixSeconds>,
    /// Messages that were taken, ever.
    pub sent: u64,
    /// Attempts that failed, ever.
    pub failed: u64,
    /// Messages that were given up, ever.
    pub dead: u64,
    /// Messages that were given up and can be sent again.
    pub dead_kept: u64,
}

/// All channels, and what is wrong with the plan.
#[derive(Debug, Serialize)]
pub struct Channels {
    /// The channels of the plan, and those of former plans.
    pub channels: Vec<ChannelView>,
    /// The heartbeat, if the plan has one.
    pub heartbeat: Option<BeatState>,
    /// What is wrong with the plan's file since it was changed; the plan before is in force.
    pub mistakes: Vec<String>,
}

impl Channels {
    /// The channels as they stand.
    pub async fn read(state: &AppState) -> Result<Self, ApiError> {
        let rows = state.read(&Lens::whole(), |reader| reader.channels()).await?;
        let standing = state.deliverer.standing();
        let view = |row| {
            let ChannelRow { channel, .. } = &row;
            let planned = standing.plan.channel(&channel.name);
            ChannelView::new(row, planned)
        };
        Ok(Self {
            channels: rows.into_iter().map(view).collect(),
            heartbeat: state.deliverer.beat().state(),
            mistakes: standing.mistakes,
        })
    }
}

impl ChannelView {
    fn new(row: ChannelRow, planned: Option<&Channel>) -> Self {
        let ChannelRow { channel, waiting, oldest_waiting, dead_kept } = row;
        let used = channel.ok_at.is_some() || channel.failed_at.is_some();
        Self {
            kind: planned.map(Channel::kind),
            to: planned.map(Channel::place),
            state: match (channel.failures, used) {
                (OPENS_AFTER.., _) => "failing",
                (1.., _) => "retrying",
                (0, true) => "ok",
                (0, false) => "unused",
            },
            name: channel.name,
            failures: channel.failures,
            open_until: channel.open_until,
            ok_at: channel.ok_at,
            failed_at: channel.failed_at,
            error: channel.error,
            waiting,
            oldest_waiting,
            sent: channel.sent,
            failed: channel.failed,
            dead: channel.dead,
            dead_kept,
        }
    }
}

/// `GET /api/v1/channels`.
pub async fn channels(State(state): State<AppState>) -> Result<Json<Channels>, ApiError> {
    Channels::read(&state).await.map(Json)
}

/// The number of a message that will be sent.
#[derive(Debug, Serialize)]
pub struct Queued {
    /// The message; its state tells what came of it.
    pub notification: NotificationId,
}

/// `POST /api/v1/channels/{id}/test`.
pub async fn test(
    State(state): State<AppState>,
    caller: Caller,
    Id(channel): Id<String>,
) -> Result<(StatusCode, Json<Queued>), ApiError> {
    queue_test(&state, channel, caller.name)
        .await
        .map(|queued| (StatusCode::ACCEPTED, Json(queued)))
}

/// Has a test sent.
pub async fn queue_test(state: &AppState, channel: String, by: String) -> Result<Queued, ApiError> {
    if state.deliverer.standing().plan.channel(&channel).is_none() {
        return Err(ApiError::not_found("channel in KATTILA_NOTIFY_FILE"));
    }
    queued(state, Wish::Test { channel, by }).await
}

/// `POST /api/v1/notifications/{id}/retry`.
pub async fn retry(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
) -> Result<(StatusCode, Json<Queued>), ApiError> {
    let queued = queue_again(&state, NotificationId(id), caller.name).await?;
    Ok((StatusCode::ACCEPTED, Json(queued)))
}

/// Has a message sent again that was given up.
pub async fn queue_again(
    state: &AppState,
    id: NotificationId,
    by: String,
) -> Result<Queued, ApiError> {
    let filter = MessageFilter::one(id);
    let whole = Lens::whole();
    let found = state.read(&whole, move |reader| reader.notifications(&filter)).await?.pop();
    let message = found.ok_or_else(|| ApiError::not_found("notification"))?;
    queued(state, Wish::Again { message: Box::new(message), by }).await
}

async fn queued(state: &AppState, wish: Wish) -> Result<Queued, ApiError> {
    match state.command(Command::Tell(wish)).await? {
        Done::Queued(notification) => Ok(Queued { notification }),
        Done::Reset { .. }
        | Done::Swept { .. }
        | Done::Acted(_)
        | Done::Window { .. }
        | Done::User { .. }
        | Done::Nothing => Err(ApiError::internal("a message was not queued")),
    }
}

/// What a channel was told of one alarm.
#[derive(Debug, Clone, Serialize)]
pub struct Notified {
    /// The channel.
    pub channel: String,
    /// What it was told.
    pub telling: Telling,
    /// The message.
    pub notification: NotificationId,
    /// Where the message stands.
    pub state: MessageState,
    /// When the message was written.
    pub at: UnixSeconds,
    /// When it was taken, or given up.
    pub ended_at: Option<UnixSeconds>,
}

impl Notified {
    /// Who was told what of an alarm by these messages, oldest first.
    pub fn of(alarm: AlarmId, messages: Vec<MessageRecord>) -> Vec<Self> {
        let about = |item: &&MessageItem| item.alarm == alarm;
        let all = messages.into_iter().rev().filter_map(|message| {
            let telling = message.items.iter().find(about)?.telling;
            Some(Self {
                channel: message.channel,
                telling,
                notification: message.id,
                state: message.state,
                at: message.created_at,
                ended_at: message.ended_at,
            })
        });
        all.collect()
    }
}
