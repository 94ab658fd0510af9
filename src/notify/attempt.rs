//! What follows from an attempt to send a message: when the next one is, when the message is
//! given up, and when a channel is left alone for a while.

use crate::model::state::MessageState;
use crate::model::time::UnixSeconds;
use crate::store::notice::{ChannelRecord, MessageRecord};

/// Failures in a row after which a channel is left alone for a while.
pub const OPENS_AFTER: u32 = 5;

/// Seconds that it is left alone at first; each further failure doubles them.
const OPEN_S: i64 = 60;

/// Seconds before the second attempt; each further failure doubles them.
const FIRST_RETRY_S: i64 = 5;

/// Most seconds between two attempts.
const LONGEST_S: i64 = 900;

/// Most seconds that a receiver's own wish (`Retry-After`) is heeded for.
const LONGEST_WISH_S: i64 = 3_600;

/// Attempts after which a message is given up: about a day of them.
pub const ATTEMPTS: u32 = 100;

/// Characters of a failure's words that are kept.
const WHY_CHARS: usize = 300;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Taken,
    /// It may have arrived or not, or may be taken later.
    Failed {
        /// Why, without anything secret.
        why: String,
        /// Seconds after which the receiver wants to be asked again.
        retry_after_s: Option<i64>,
    },
    /// The receiver does not take it, now or later.
    Refused {
        /// Why, without anything secret.
        why: String,
    },
}

/// Takes an attempt into account.
pub fn settle(
    message: &mut MessageRecord,
    channel: &mut ChannelRecord,
    outcome: &Outcome,
    now: UnixSeconds,
) {
    message.attempts = message.attempts.saturating_add(1);
    message.tried_at = Some(now);
    match outcome {
        Outcome::Taken => {
            (message.state, message.ended_at, message.error) =
                (MessageState::Sent, Some(now), None);
            channel.failures = 0;
            channel.successes = channel.successes.saturating_add(1);
            channel.open_until = None;
            channel.ok_at = Some(now);
            channel.sent = channel.sent.saturating_add(1);
        }
        Outcome::Failed { why, retry_after_s } => {
            failed(message, channel, why, now);
            if message.attempts >= ATTEMPTS {
                give_up(message, channel, now);
            } else {
                let wish = retry_after_s.unwrap_or(0).clamp(0, LONGEST_WISH_S);
                message.due_at = now.plus(wait_s(message).max(wish));
            }
        }
        Outcome::Refused { why } => {
            failed(message, channel, why, now);
            give_up(message, channel, now);
        }
    }
}

fn failed(message: &mut MessageRecord, channel: &mut ChannelRecord, why: &str, now: UnixSeconds) {
    let why: String = why
        .chars()
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .take(WHY_CHARS)
        .collect();
    channel.failures = channel.failures.saturating_add(1);
    channel.successes = 0;
    channel.failed = channel.failed.saturating_add(1);
    channel.failed_at = Some(now);
    channel.error = Some(why.clone());
    message.error = Some(why);
    if channel.failures >= OPENS_AFTER {
        let alone = doubled(OPEN_S, channel.failures - OPENS_AFTER);
        channel.open_until = Some(now.plus(alone));
    }
}

/// Gives a message up, with the error it has.
pub fn give_up(message: &mut MessageRecord, channel: &mut ChannelRecord, now: UnixSeconds) {
    (message.state, message.ended_at) = (MessageState::Dead, Some(now));
    channel.dead = channel.dead.saturating_add(1);
}

/// Seconds until the next attempt: doubled with each, and spread by up to a quarter with the
/// message's own name as seed, so that what failed together does not come back together.
fn wait_s(message: &MessageRecord) -> i64 {
    let wait = doubled(FIRST_RETRY_S, message.attempts.saturating_sub(1));
    let dice = message.uid.bytes().fold(u64::from(message.attempts), |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let spread = u64::try_from(wait / 4).unwrap_or(0) + 1;
    wait + i64::try_from(dice % spread).unwrap_or(0)
}

fn doubled(first: i64, times: u32) -> i64 {
    first.saturating_mul(1 << times.min(20)).min(LONGEST_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::NotificationId;

    const T: UnixSeconds = UnixSeconds(1_795_214_286);

    fn message() -> MessageRecord {
        MessageRecord {
            id: NotificationId(1),
            uid: "msg_1".into(),
            channel: "chat".into(),
            state: MessageState::Waiting,
            created_at: T,
            due_at: T,
            attempts: 0,
            tried_at: None,
            ended_at: None,
            error: None,
            test_by: None,
            items: Vec::new(),
        }
    }

    fn fail(retry_after_s: Option<i64>) -> Outcome {
        Outcome::Failed { why: "answered 503".into(), retry_after_s }
    }

    #[test]
    fn attempts_go_apart_and_end() {
        let (mut message, mut channel) = (message(), ChannelRecord::default());
        let mut now = T;
        let mut waits = Vec::new();
        while message.state == MessageState::Waiting {
            settle(&mut message, &mut channel, &fail(None), now);
            waits.push(message.due_at.since(now));
            now = message.due_at;
        }
        assert_eq!(waits.len(), usize::try_from(ATTEMPTS).unwrap());
        for (step, wait) in waits.iter().take(12).enumerate() {
            let least = (FIRST_RETRY_S << step).min(LONGEST_S);
            assert!((least..=least + least / 4).contains(wait), "{step}: {wait}");
        }
        let tried = now.since(T);
        assert!((64_800..172_800).contains(&tried), "{tried} s of attempts");
        assert_eq!((channel.dead, channel.failed), (1, u64::from(ATTEMPTS)));
    }

    #[test]
    fn a_receivers_wish_is_heeded_but_not_for_ever() {
        let (mut message, mut channel) = (message(), ChannelRecord::default());
        settle(&mut message, &mut channel, &fail(Some(120)), T);
        assert_eq!(message.due_at, T.plus(120));
        settle(&mut message, &mut channel, &fail(Some(1 << 40)), T);
        assert_eq!(message.due_at, T.plus(LONGEST_WISH_S));
    }

    #[test]
    fn five_failures_leave_a_channel_alone_until_one_succeeds() {
        let mut channel = ChannelRecord::default();
        let refused = Outcome::Refused { why: "answered 410\r\nGone".into() };
        for count in 1..=6 {
            let mut message = message();
            settle(&mut message, &mut channel, &refused, T);
            assert_eq!(message.state, MessageState::Dead);
            assert_eq!(message.error.as_deref(), Some("answered 410  Gone"));
            let alone = [None, None, None, None, Some(60), Some(120)][count - 1];
            assert_eq!(channel.open_until, alone.map(|s| T.plus(s)), "after {count}");
        }
        settle(&mut message(), &mut channel, &Outcome::Taken, T.plus(200));
        assert_eq!((channel.open_until, channel.failures, channel.successes), (None, 0, 1));
        assert_eq!((channel.sent, channel.dead, channel.failed), (1, 6, 6));
    }
}
