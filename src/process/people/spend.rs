//! What was shown beside a password counts once. Pure.

use super::Second;
use crate::store::people::UserRecord;

/// Uses up what was shown beside the password; whether that is enough.
pub(super) fn second(user: &mut UserRecord, second: Second) -> bool {
    match (&mut user.factor, second) {
        (None, Second::Nothing) | (_, Second::Session | Second::Vouched) => true,
        (Some(factor), Second::Code(step)) => {
            let unused = step > factor.step;
            factor.step = factor.step.max(step);
            unused
        }
        (Some(factor), Second::Recovery(digest)) => {
            let before = factor.recovery.len();
            factor.recovery.retain(|left| *left != digest);
            factor.recovery.len() < before
        }
        (Some(_), Second::Nothing) | (None, Second::Code(_) | Second::Recovery(_)) => false,
    }
}
