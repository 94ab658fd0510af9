//! What came of a form, told once on the page that it leads to.
//!
//! It is kept here beside the session whose form it was, never in an address: what an address says,
//! whoever made the link says. A restart forgets it. Must not read a clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::access::Way;
use crate::model::time::UnixSeconds;

/// Seconds after which nobody waits for it any more: a redirect takes less.
const KEPT_S: i64 = 300;

/// Sessions with something to be told; each has one sentence of some 100 bytes.
const MOST: usize = 1_000;

/// What is to be told to one session.
#[derive(Debug)]
struct Flash {
    page: String,
    words: String,
    at: UnixSeconds,
}

/// What is to be told, by the SHA-256 of the session's token.
#[derive(Debug, Default)]
pub struct Flashes(Mutex<HashMap<[u8; 32], Flash>>);

impl Flashes {
    /// Keeps a sentence for a session, for the page at this path without its query. What it had is
    /// forgotten.
    pub fn put(&self, session: [u8; 32], (page, words): (&str, String), now: UnixSeconds) {
        let page = page.split('?').next().unwrap_or_default().to_owned();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, flash| is_fresh(flash, now));
            if kept.len() >= MOST {
                kept.clear();
            }
        }
        kept.insert(session, Flash { page, words, at: now });
    }

    /// Takes the sentence out, if there is one for this page.
    pub fn take(&self, way: &Way, page: &str, now: UnixSeconds) -> Option<String> {
        let Way::Session { hash, .. } = way else { return None };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(hash)?.page != page {
            return None;
        }
        kept.remove(hash).filter(|flash| is_fresh(flash, now)).map(|flash| flash.words)
    }
}

fn is_fresh(flash: &Flash, now: UnixSeconds) -> bool {
    now.since(flash.at) < KEPT_S
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn session(n: u8) -> Way {
        Way::Session { hash: [n; 32], form_token: "f".to_owned() }
    }

    #[test]
    fn it_is_told_once_to_that_session_on_that_page_and_not_much_later() {
        let flashes = Flashes::default();
        let put = || flashes.put([1; 32], ("/agents?q=a", "Done.".to_owned()), T);
        put();
        assert_eq!(flashes.take(&session(2), "/agents", T), None);
        assert_eq!(flashes.take(&Way::Anonymous, "/agents", T), None);
        assert_eq!(flashes.take(&session(1), "/alarms", T), None);
        assert_eq!(flashes.take(&session(1), "/agents", T).as_deref(), Some("Done."));
        assert_eq!(flashes.take(&session(1), "/agents", T), None);
        put();
        assert_eq!(flashes.take(&session(1), "/agents", T.plus(KEPT_S)), None);
    }

    #[test]
    fn there_are_never_too_many() {
        let flashes = Flashes::default();
        for n in 0..3 * MOST {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            flashes.put(hash, ("/agents", "Done.".to_owned()), T);
        }
        assert!(flashes.0.lock().unwrap().len() <= MOST);
    }
}
