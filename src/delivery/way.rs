//! The ways to all channels of one plan.

use std::collections::BTreeMap;

use super::mail::Mail;
use super::web::Web;
use crate::model::time::UnixSeconds;
use crate::notify::attempt::Outcome;
use crate::notify::plan::{self, Plan};
use crate::store::notice::MessageRecord;

/// One way, ready to be used.
#[derive(Debug)]
enum Ready {
    Web(Box<Web>),
    Mail(Box<Mail>),
}

/// By channel, its way, or why there is none.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<String, Result<Ready, String>>);

impl Ways {
    /// Sets every way of a plan up; nothing is sent.
    pub(super) fn of(plan: &Plan) -> Self {
        let ready = |way: &plan::Way| match way.clone() {
            plan::Way::Webhook(hook) => {
                Web::new(hook, plan.console.clone()).map(|web| Ready::Web(Box::new(web)))
            }
            plan::Way::Email(email) => {
                Mail::new(email, plan.console.clone()).map(|mail| Ready::Mail(Box::new(mail)))
            }
        };
        Self(plan.channels.iter().map(|c| (c.name.clone(), ready(&c.way))).collect())
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: &MessageRecord, now: UnixSeconds) -> Outcome {
        match self.0.get(&message.channel) {
            Some(Ok(Ready::Web(web))) => web.send(message, now).await,
            Some(Ok(Ready::Mail(mail))) => mail.send(message, now).await,
            Some(Err(why)) => Outcome::Failed { why: why.clone(), retry_after_s: None },
            None => Outcome::Failed {
                why: "the channel is not set up yet".to_owned(),
                retry_after_s: None,
            },
        }
    }
}
