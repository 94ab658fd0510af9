//! The desk: what every channel was told of every open alarm, what waits, how channels fare.
//!
//! Whatever it decides it puts into [`Changes`], to be written in the transaction
//! of what it decides about; a desk that is loaded from what was written goes on as this one
//! would.
//!
//! Rows grow with the open alarms and the channels. Of messages, only [`WAITING`] wait per
//! channel: while that many do, news stays in its rows, where later news takes its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::attempt::{self, OPENS_AFTER, Outcome};
use super::plan::Plan;
use super::route;
use super::row::{self, is_news, muted};
use super::terms::{Changes, DeskError, Health, Host, Stamp, facts};
use crate::model::hex;
use crate::model::id::{AlarmId, NotificationId};
use crate::model::state::{AlarmState, MessageState};
use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::store::change::AlarmRecord;
use crate::store::notice::{ChannelRecord, MessageItem, MessageRecord, TellRecord};

/// Messages that wait per channel at most; news beyond them waits in its rows.
pub const WAITING: usize = 16;

/// Alarms in one message at most; the others follow in the next.
pub const ITEMS: usize = 50;

/// Successes in a row after which a channel no longer counts as failing.
pub const GOOD_AGAIN: u32 = 3;

const REMOVED: &str = "the channel is not in KATTILA_NOTIFY_FILE any more";

/// See the module.
#[derive(Debug, Default)]
pub struct Desk {
    plan: Arc<Plan>,
    tells: BTreeMap<(AlarmId, String), TellRecord>,
    waiting: BTreeMap<NotificationId, MessageRecord>,
    channels: BTreeMap<String, ChannelRecord>,
    last: NotificationId,
    /// Rows that are muted: looked at again when their alarm changes. Not written: what mutes is
    /// in the alarm, so a restart finds them again.
    held: BTreeSet<(AlarmId, String)>,
    /// When something that is not muted is due at the earliest.
    earliest: Option<UnixSeconds>,
}

impl Desk {
    /// The desk as it was written, with the empty plan.
    pub fn load(
        tells: Vec<TellRecord>,
        waiting: Vec<MessageRecord>,
        channels: Vec<ChannelRecord>,
        last: NotificationId,
    ) -> Self {
        let tells = tells.into_iter().map(|row| ((row.alarm, row.channel.clone()), row));
        let mut desk = Self {
            plan: Arc::default(),
            tells: tells.collect(),
            waiting: waiting.into_iter().map(|message| (message.id, message)).collect(),
            channels: channels.into_iter().map(|c| (c.name.clone(), c)).collect(),
            last,
            held: BTreeSet::new(),
            earliest: None,
        };
        desk.look_ahead();
        desk
    }

    /// The plan in force.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Goes on with a plan that was in force before the desk was loaded again.
    pub fn keep_plan(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Puts a plan into force. What waits for a channel that is not in it is given up; whoever was
    /// told of an alarm by such a channel will find the end of it among what was given up.
    pub fn adopt(&mut self, plan: Arc<Plan>, now: UnixSeconds, changes: &mut Changes) {
        self.plan = plan;
        let gone = |plan: &Plan, name: &str| plan.channel(name).is_none();
        let ids: Vec<NotificationId> = self
            .waiting
            .values()
            .filter(|message| gone(&self.plan, &message.channel))
            .map(|message| message.id)
            .collect();
        for id in ids {
            let Some(mut message) = self.waiting.remove(&id) else { continue };
            self.lose(&mut message, now, changes);
            changes.messages.insert(id, message);
        }
        let untold: Vec<(AlarmId, String)> = self
            .tells
            .iter()
            .filter(|((_, name), row)| row.told.is_none() && gone(&self.plan, name))
            .map(|(key, _)| key.clone())
            .collect();
        for key in untold {
            self.put(key, None, changes);
        }
        for channel in &self.plan.channels {
            self.channels.entry(channel.name.clone()).or_insert_with(|| {
                let fresh = ChannelRecord { name: channel.name.clone(), ..Default::default() };
                changes.channels.insert(channel.name.clone(), fresh.clone());
                fresh
            });
        }
    }

    /// Takes an alarm as it is now.
    pub fn alarm(
        &mut self,
        alarm: &AlarmRecord,
        host: &Host,
        now: UnixSeconds,
        changes: &mut Changes,
    ) {
        let Some(_raised) = alarm.raised_at else { return };
        let from = (alarm.id, String::new());
        let known: Vec<TellRecord> = self
            .tells
            .range(from..)
            .take_while(|((id, _), _)| *id == alarm.id)
            .map(|(_, row)| row.clone())
            .collect();
        let facts = facts(alarm, host);
        let told: BTreeSet<String> = known.iter().map(|row| row.channel.clone()).collect();
        for before in known {
            self.release(&before);
            let also = self.plan.channel(&before.channel).map_or(&[][..], |channel| &channel.also);
            let news_at = now.plus(self.plan.news_wait(&before.channel));
            let after = row::follow(&before, alarm, facts.clone(), also, news_at);
            if after.as_ref() != Some(&before) {
                self.put((before.alarm, before.channel), after, changes);
            }
        }
        if !matches!(alarm.state, AlarmState::Active | AlarmState::Returned) {
            return;
        }
        // Who is not told yet may have to be by now: it is worse, the hours or the plan changed.
        let orders = route::orders(&self.plan, alarm, &host.labels, now);
        for order in orders.into_iter().filter(|order| !told.contains(&order.channel)) {
            let row = TellRecord {
                alarm: alarm.id,
                channel: order.channel,
                told: None,
                told_at: None,
                next: Some(order.telling),
                due_at: Some(order.due_at),
                repeat_s: order.repeat_s,
                facts: facts.clone(),
            };
            self.put((row.alarm, row.channel.clone()), Some(row), changes);
        }
    }

    /// Puts what is due into messages. `find` knows the open alarms.
    pub fn tick(
        &mut self,
        stamp: Stamp,
        find: impl Fn(AlarmId) -> Option<AlarmRecord>,
        changes: &mut Changes,
    ) {
        if self.earliest.is_none_or(|at| stamp.now < at) {
            return;
        }
        let held = |row: &TellRecord| self.held.contains(&(row.alarm, row.channel.clone()));
        let is_due = |row: &&TellRecord| row.due_at.is_some_and(|at| at <= stamp.now) && !held(row);
        let due = self.tells.values().filter(is_due);
        let names: BTreeSet<String> = due.map(|row| row.channel.clone()).collect();
        for name in names {
            let waits = self.waiting.values().filter(|message| message.channel == name).count();
            if waits < WAITING {
                self.write(&name, stamp, &find, changes);
            }
        }
        self.look_ahead();
    }

    /// Writes one message to a channel: what is due, and the news that waits for it.
    fn write(
        &mut self,
        name: &str,
        stamp: Stamp,
        find: &impl Fn(AlarmId) -> Option<AlarmRecord>,
        changes: &mut Changes,
    ) {
        let now = stamp.now;
        let rows: Vec<TellRecord> =
            self.tells.values().filter(|row| row.channel == name).cloned().collect();
        let (mut items, mut any_due) = (Vec::new(), false);
        let mut tellings = Vec::new();
        for row in rows {
            let (Some(next), Some(due)) = (row.next, row.due_at) else { continue };
            if due > now && !is_news(next) {
                continue;
            }
            if find(row.alarm).is_some_and(|alarm| muted(&alarm, next).is_some()) {
                self.held.insert((row.alarm, row.channel));
                continue;
            }
            any_due |= due <= now;
            tellings.push((row, next));
        }
        if !any_due {
            return;
        }
        tellings.sort_by_key(|(row, _)| row.due_at);
        for (row, next) in tellings.into_iter().take(ITEMS) {
            let after = row::told(&row, next, now);
            self.put((row.alarm, row.channel), after, changes);
            items.push(MessageItem { alarm: row.alarm, telling: next, facts: row.facts });
        }
        items.sort_by_key(|item| std::cmp::Reverse(item.facts.severity));
        self.post(name, items, None, stamp, changes);
    }

    /// Writes a message that says no more than that the channel works.
    pub fn test(
        &mut self,
        name: &str,
        by: &str,
        stamp: Stamp,
        changes: &mut Changes,
    ) -> Result<NotificationId, DeskError> {
        if self.plan.channel(name).is_none() {
            return Err(DeskError::NoChannel);
        }
        self.has_room(name)?;
        self.hurry(name, stamp.now, changes);
        Ok(self.post(name, Vec::new(), Some(by.to_owned()), stamp, changes))
    }

    /// Sends a message again that was given up.
    pub fn again(
        &mut self,
        message: MessageRecord,
        now: UnixSeconds,
        changes: &mut Changes,
    ) -> Result<(), DeskError> {
        if message.state != MessageState::Dead || self.waiting.contains_key(&message.id) {
            return Err(DeskError::NotDead);
        }
        if self.plan.channel(&message.channel).is_none() {
            return Err(DeskError::NoChannel);
        }
        self.has_room(&message.channel)?;
        self.hurry(&message.channel, now, changes);
        let message = MessageRecord {
            state: MessageState::Waiting,
            due_at: now,
            attempts: 0,
            ended_at: None,
            ..message
        };
        self.keep(&message);
        changes.messages.insert(message.id, message);
        Ok(())
    }

    /// Takes an attempt into account; `None` if the message does not wait any more.
    pub fn settle(
        &mut self,
        id: NotificationId,
        outcome: &Outcome,
        now: UnixSeconds,
        changes: &mut Changes,
    ) -> Option<(String, Health)> {
        let message = self.waiting.get_mut(&id)?;
        let name = message.channel.clone();
        let channel = self.channels.entry(name.clone()).or_insert_with(|| named(&name));
        attempt::settle(message, channel, outcome, now);
        let dead = message.state == MessageState::Dead;
        let health = match outcome {
            Outcome::Taken => Health::Good,
            Outcome::Failed { why, .. } | Outcome::Refused { why } => {
                let failing = dead || channel.failures >= OPENS_AFTER;
                if failing { Health::Failing(why.clone()) } else { Health::Unclear }
            }
        };
        changes.channels.insert(name.clone(), channel.clone());
        changes.messages.insert(id, message.clone());
        if message.state != MessageState::Waiting {
            self.waiting.remove(&id);
        }
        Some((name, health))
    }

    fn has_room(&self, name: &str) -> Result<(), DeskError> {
        let waits = self.waiting.values().filter(|message| message.channel == name).count();
        if waits < 2 * WAITING { Ok(()) } else { Err(DeskError::Full) }
    }

    /// A person wants to know now: nothing of the channel waits for its time any more.
    fn hurry(&mut self, name: &str, now: UnixSeconds, changes: &mut Changes) {
        for message in self.waiting.values_mut().filter(|message| message.channel == name) {
            message.due_at = message.due_at.min(now);
            changes.messages.insert(message.id, message.clone());
        }
        let channel = self.channels.entry(name.to_owned()).or_insert_with(|| named(name));
        if channel.open_until.take().is_some() {
            changes.channels.insert(name.to_owned(), channel.clone());
        }
    }

    fn post(
        &mut self,
        name: &str,
        items: Vec<MessageItem>,
        test_by: Option<String>,
        Stamp { now, seed: [a, b] }: Stamp,
        changes: &mut Changes,
    ) -> NotificationId {
        self.last = NotificationId(self.last.0 + 1);
        let id = self.last;
        let digest = sha256(format!("kattila notification {a} {b} {id} {now}").as_bytes());
        let mut uid = hex::encode(&digest);
        uid.truncate(24);
        let mut message = MessageRecord {
            id,
            uid: format!("msg_{uid}"),
            channel: name.to_owned(),
            state: MessageState::Waiting,
            created_at: now,
            due_at: now,
            attempts: 0,
            tried_at: None,
            ended_at: None,
            error: None,
            test_by,
            items,
        };
        if self.plan.channel(name).is_none() {
            self.lose(&mut message, now, changes);
        } else {
            self.keep(&message);
        }
        changes.messages.insert(id, message);
        id
    }

    /// Gives up a message to a channel that is not there.
    fn lose(&mut self, message: &mut MessageRecord, now: UnixSeconds, changes: &mut Changes) {
        let name = message.channel.clone();
        let channel = self.channels.entry(name.clone()).or_insert_with(|| named(&name));
        message.error = Some(REMOVED.to_owned());
        attempt::give_up(message, channel, now);
        changes.channels.insert(name, channel.clone());
    }

    fn keep(&mut self, message: &MessageRecord) {
        self.waiting.insert(message.id, MessageRecord { items: Vec::new(), ..message.clone() });
    }

    /// Looks at a row again that was muted.
    fn release(&mut self, row: &TellRecord) {
        if self.held.remove(&(row.alarm, row.channel.clone())) {
            let due = row.due_at.filter(|at| self.earliest.is_none_or(|first| *at < first));
            self.earliest = due.or(self.earliest);
        }
    }

    fn put(&mut self, key: (AlarmId, String), row: Option<TellRecord>, changes: &mut Changes) {
        self.held.remove(&key);
        match &row {
            Some(row) => {
                let due = row.due_at.filter(|at| self.earliest.is_none_or(|first| *at < first));
                self.earliest = due.or(self.earliest);
                self.tells.insert(key.clone(), row.clone());
            }
            None => {
                self.tells.remove(&key);
            }
        }
        changes.tells.insert(key, row);
    }

    fn look_ahead(&mut self) {
        let told = self.tells.iter().filter(|(key, _)| !self.held.contains(*key));
        self.earliest = told.filter_map(|(_, row)| row.due_at).min();
    }
}

fn named(name: &str) -> ChannelRecord {
    ChannelRecord { name: name.to_owned(), ..ChannelRecord::default() }
}

#[cfg(test)]
mod tests;
