//! What pages about the past say beside their content: which second they show, and the ways to
//! other seconds and back to the present.

use std::collections::BTreeMap;

use crate::model::time::UnixSeconds;

use super::text::Moment;

/// The second that a page shows.
#[derive(Debug, Clone)]
pub struct Viewing {
    /// The second.
    pub at: UnixSeconds,
    /// The page of the present, without its query.
    pub path: String,
    /// What else of the query stays, ending in `&`, or nothing.
    pub keep: String,
    /// The last change before it.
    pub previous: Option<UnixSeconds>,
    /// The first change after it.
    pub next: Option<UnixSeconds>,
    /// What was learnt only later, and when: names of nodes and links.
    pub learnt_later: BTreeMap<String, UnixSeconds>,
}

impl Viewing {
    /// The second in words: `14:02:11, 20 Nov 2026`.
    pub fn words(&self) -> String {
        words(self.at)
    }

    /// The second for machines.
    pub fn rfc3339(&self) -> String {
        self.at.to_rfc3339()
    }

    /// The same page at another second.
    pub fn to(&self, at: &UnixSeconds) -> String {
        format!("{}?{}at={at}", self.path, self.keep)
    }

    /// The same page at present.
    pub fn back(&self) -> String {
        let keep = self.keep.trim_end_matches('&');
        if keep.is_empty() { self.path.clone() } else { format!("{}?{keep}", self.path) }
    }

    /// What else of the query stays, by name and value.
    pub fn kept(&self) -> Vec<(&str, String)> {
        let pairs = self.keep.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name, decoded(value))).collect()
    }

    /// When the state of a node or link then was learnt, if that was later.
    pub fn learnt(&self, id: &str, now: UnixSeconds) -> Option<Moment> {
        self.learnt_later.get(id).map(|at| Moment::full(*at, now))
    }

    /// What differs between that second and the present.
    pub fn changes(&self) -> String {
        format!("/changes?from={}", self.at)
    }
}

/// A time in words, UTC.
pub fn words(at: UnixSeconds) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_rfc3339();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|n| MONTHS.get(n.wrapping_sub(1)));
    let day = part(8, 10).trim_start_matches('0');
    format!("{}, {day} {} {}", part(11, 19), month.unwrap_or(&""), part(0, 4))
}

/// A value of a query as it was before [`super::text::encode`].
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::text::encode;

    #[test]
    fn a_second_is_told_in_words() {
        assert_eq!(words(UnixSeconds(1_795_183_331)), "14:02:11, 20 Nov 2026");
        assert_eq!(words(UnixSeconds(0)), "00:00:00, 1 Jan 1970");
    }

    #[test]
    fn what_was_asked_stays_on_the_way_through_time() {
        let text = "state:down \"ä&b\" 100%";
        let viewing = Viewing {
            at: UnixSeconds(50),
            path: "/links".into(),
            keep: format!("q={}&", encode(text)),
            previous: None,
            next: None,
            learnt_later: BTreeMap::new(),
        };
        assert_eq!(viewing.kept(), [("q", text.to_owned())]);
        assert!(viewing.to(&UnixSeconds(40)).ends_with("&at=40"));
        assert!(viewing.back().starts_with("/links?q=") && !viewing.back().contains("at="));
    }
}
