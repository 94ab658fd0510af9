//! What is asked of the processor about messages to people.

use std::sync::Arc;

use crate::model::id::NotificationId;
use crate::notify::attempt::Outcome;
use crate::notify::plan::Plan;
use crate::store::notice::MessageRecord;

/// Something about messages to people.
#[derive(Debug)]
pub enum Wish {
    /// Put a plan into force.
    Adopt(Arc<Plan>),
    /// Take an attempt to send a message into account.
    Settle {
        /// The message.
        id: NotificationId,
        /// What came of it.
        outcome: Outcome,
    },
    /// Write a message that only says that the channel works.
    Test {
        /// The channel.
        channel: String,
        /// Who asks.
        by: String,
    },
    /// Send a message again that was given up.
    Again {
        /// The message as it is stored.
        message: Box<MessageRecord>,
        /// Who asks.
        by: String,
    },
}
