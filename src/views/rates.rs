//! The part of `/reports` about how many reports come: two lines over time as inline SVG, and the
//! same figures as a table.

use crate::model::time::UnixSeconds;

use super::curves::Range;
use super::then::words;

/// Where lines are drawn in a picture of 400 by 150 units, which the page scales.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 392.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 126.0;

/// How many were accepted and refused in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateItem {
    /// When it begins.
    pub from: UnixSeconds,
    /// Accepted reports.
    pub accepted: u64,
    /// Refused requests.
    pub refused: u64,
}

/// What the part shows.
#[derive(Debug, Clone)]
pub struct RatesItem {
    /// Oldest first, each as long as the others; the last one still runs.
    pub items: Vec<RateItem>,
    /// How long each is: `minute` or `hour`.
    pub per: &'static str,
    /// Since when it is counted: nothing is known of the time before.
    pub since: UnixSeconds,
    /// The spans to choose from.
    pub ranges: Vec<Range>,
}

/// A count as a number to draw with.
fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A place from left to right, or from top to bottom, for an attribute.
#[derive(Debug)]
pub struct Mark {
    /// Where.
    pub at: String,
    /// What stands there.
    pub text: String,
}

impl RatesItem {
    /// How many in all: accepted, refused.
    pub fn totals(&self) -> (u64, u64) {
        let sum = |of: fn(&RateItem) -> u64| self.items.iter().map(of).sum();
        (sum(|item| item.accepted), sum(|item| item.refused))
    }

    /// The picture in a sentence.
    pub fn label(&self) -> String {
        let most = |of: fn(&RateItem) -> u64| self.items.iter().map(of).max().unwrap_or_default();
        let ((accepted, refused), per) = (self.totals(), self.per);
        format!(
            "Reports per {per}. Accepted: {accepted} in all, at most {} per {per}; refused: {refused} \
             in all, at most {} per {per}.",
            most(|item| item.accepted),
            most(|item| item.refused),
        )
    }

    /// Since when something is known, in words.
    pub fn since(&self) -> String {
        words(self.since)
    }

    /// The table, newest first: from when, accepted, refused. What was before counting began is left out.
    pub fn rows(&self) -> Vec<(String, u64, u64)> {
        let known = self.known().rev();
        known.map(|(_, item)| (words(item.from), item.accepted, item.refused)).collect()
    }

    /// The stretches that are known, each with its place.
    fn known(&self) -> impl DoubleEndedIterator<Item = (usize, &RateItem)> {
        let next = self.items.iter().skip(1).map(|item| Some(item.from)).chain([None]);
        let ended = next.map(|next| next.is_some_and(|next| next <= self.since));
        let ended: Vec<bool> = ended.collect();
        let all = self.items.iter().enumerate();
        all.filter(move |(n, _)| ended.get(*n) == Some(&false))
    }

    /// The line of what was accepted.
    pub fn accepted(&self) -> String {
        self.path(|item| item.accepted)
    }

    /// The line of what was refused.
    pub fn refused(&self) -> String {
        self.path(|item| item.refused)
    }

    /// The top of the scale: 1, 2 or 5 with zeros.
    fn top(&self) -> f64 {
        let most = self.items.iter().map(|item| item.accepted.max(item.refused)).max();
        let most = float(most.unwrap_or_default());
        let mut top = 10.0;
        for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
            if top >= most {
                break;
            }
            top *= factor;
        }
        top
    }

    fn x(&self, n: usize) -> f64 {
        let count = float(u64::try_from(self.items.len().max(1)).unwrap_or(u64::MAX));
        LEFT + float(u64::try_from(n).unwrap_or(u64::MAX)) / count * (RIGHT - LEFT)
    }

    /// A line of steps, as the `d` of a path.
    fn path(&self, of: fn(&RateItem) -> u64) -> String {
        let (mut path, top) = (String::new(), self.top());
        for (n, item) in self.known() {
            let y = BOTTOM - float(of(item)) / top * (BOTTOM - TOP);
            let step = if path.is_empty() { 'M' } else { 'L' };
            path += &format!("{step}{:.1} {y:.1}H{:.1}", self.x(n), self.x(n + 1));
        }
        path
    }

    /// The marks beside the picture.
    pub fn up(&self) -> Vec<Mark> {
        let mark = |part: f64| Mark {
            at: format!("{:.1}", BOTTOM - part * (BOTTOM - TOP)),
            text: format!("{:.0}", self.top() * part),
        };
        [0.0, 0.5, 1.0].map(mark).into()
    }

    /// The marks under the picture: every sixth of it.
    pub fn across(&self) -> Vec<Mark> {
        let sixth = (self.items.len() / 6).max(1);
        let inside = self.items.iter().enumerate().step_by(sixth).skip(1);
        let mark = |(n, item): (usize, &RateItem)| Mark {
            at: format!("{:.1}", self.x(n)),
            text: words(item.from).get(..5).unwrap_or_default().to_owned(),
        };
        inside.map(mark).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Six minutes, the first of them before anything was counted.
    pub(crate) fn sample() -> RatesItem {
        let start = UnixSeconds(1_795_183_200);
        let counts = [(0, 0), (3, 0), (20, 1), (20, 40), (18, 0), (2, 0)];
        let item = |((accepted, refused), n): (&(u64, u64), i64)| RateItem {
            from: start.plus(60 * n),
            accepted: *accepted,
            refused: *refused,
        };
        RatesItem {
            items: counts.iter().zip(0..).map(item).collect(),
            per: "minute",
            since: start.plus(70),
            ranges: vec![Range { words: "Hour", href: "/reports".to_owned(), current: true }],
        }
    }

    #[test]
    fn the_table_says_what_the_picture_shows_and_nothing_of_before() {
        let item = sample();
        let rows = item.rows();
        assert_eq!(rows.len(), 5);
        assert_eq!((rows[0].1, rows[2].1, rows[2].2, rows[4].1), (2, 20, 40, 3));
        assert_eq!(item.totals(), (63, 41));
        assert!(item.label().contains("Accepted: 63 in all, at most 20 per minute; refused: 41"));
        // The scale ends at 50; the first sixth is not drawn, nor is anything outside.
        let (accepted, refused) = (item.accepted(), item.refused());
        assert!(accepted.starts_with("M113.7 119.0H169.3L"), "{accepted}");
        assert!(refused.contains("L225.0 33.2H280.7") && refused.ends_with("H392.0"), "{refused}");
        assert_eq!(item.up().last().map(|mark| mark.text.clone()), Some("50".into()));
    }
}
