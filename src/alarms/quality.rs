//! How good the alarms are: how often each kind comes, how long it stays, whether anybody acts
//! (ISA-18.2 and EEMUA 191 measure the same).
//!
//! Pure arithmetic over the alarms that were raised in a time.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::life::AlarmLife;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

/// Raised again within this many seconds of its end, an alarm has flapped.
pub const FLAP_S: i64 = 600;

/// Open for longer than this many seconds, an alarm stands.
pub const STANDING_S: i64 = 86_400;

/// Subjects that are named.
const SUBJECTS: usize = 10;

/// The cause of an end that came by itself.
const BY_ITSELF: &str = "condition over";

/// What is told of one kind, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How often it was raised.
    pub raised: usize,
    /// Those that are open still.
    pub open: usize,
    /// The median of the seconds they were open, up to now for those that are.
    pub open_median_s: Option<i64>,
    /// Nine in ten were open for at most so many seconds.
    pub open_p90_s: Option<i64>,
    /// Those open for more than a day.
    pub standing: usize,
    /// Those that somebody acknowledged.
    pub acknowledged: usize,
    /// The median of the seconds from the raise to that.
    pub ack_median_s: Option<i64>,
    /// Those raised again within ten minutes of the end of the one before.
    pub flapped: usize,
    /// Those that ended by themselves before anybody acknowledged them.
    pub unattended: usize,
    /// Those that were acknowledged and ended by themselves all the same.
    pub without_action: usize,
    /// Those that followed from another alarm.
    pub followers: usize,
}

/// A thing with many alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frequent {
    /// What the alarms were about.
    pub kind: AlarmKind,
    /// Which thing.
    pub subject: String,
    /// How often.
    pub raised: usize,
}

/// How good the alarms of a time were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quality {
    /// All kinds together.
    pub all: Tally,
    /// Each kind that was raised, the most frequent first.
    pub kinds: Vec<(AlarmKind, Tally)>,
    /// The things with the most alarms.
    pub subjects: Vec<Frequent>,
    /// Alarms that followed from none, per day, in hundredths: what people had to look at.
    pub per_day_hundredths: i64,
}

/// Measures alarms that were raised from a time to another; `now` ends those that are open.
pub fn measure(
    lives: &[AlarmLife],
    (from, to): (UnixSeconds, UnixSeconds),
    now: UnixSeconds,
) -> Quality {
    let mut lives: Vec<&AlarmLife> = lives.iter().collect();
    lives.sort_by_key(|life| life.raised_at);
    let mut of_kind: BTreeMap<AlarmKind, Vec<(&AlarmLife, bool)>> = BTreeMap::new();
    let mut of_subject: BTreeMap<(AlarmKind, &str), (usize, Option<UnixSeconds>)> = BTreeMap::new();
    let mut every = Vec::with_capacity(lives.len());
    for life in lives {
        let (count, ended) = of_subject.entry((life.kind, &life.subject)).or_default();
        let flapped = ended.is_some_and(|ended| life.raised_at.since(ended) <= FLAP_S);
        *count += 1;
        *ended = life.cleared_at;
        every.push((life, flapped));
        of_kind.entry(life.kind).or_default().push((life, flapped));
    }
    let all = tally(&every, now);
    let mut kinds: Vec<(AlarmKind, Tally)> =
        of_kind.iter().map(|(kind, lives)| (*kind, tally(lives, now))).collect();
    kinds.sort_by_key(|(kind, tally)| (std::cmp::Reverse(tally.raised), *kind));
    let subjects = of_subject.iter().map(|((kind, subject), (raised, _))| Frequent {
        kind: *kind,
        subject: (*subject).to_owned(),
        raised: *raised,
    });
    let mut subjects: Vec<Frequent> = subjects.collect();
    subjects.sort_by_key(|thing| std::cmp::Reverse(thing.raised));
    subjects.truncate(SUBJECTS);
    let own = i64::try_from(all.raised - all.followers).unwrap_or(i64::MAX);
    let per_day_hundredths = own.saturating_mul(8_640_000) / to.since(from).max(1);
    Quality { all, kinds, subjects, per_day_hundredths }
}

fn tally(lives: &[(&AlarmLife, bool)], now: UnixSeconds) -> Tally {
    let mut open_s = Vec::with_capacity(lives.len());
    let mut ack_s = Vec::new();
    let mut tally = Tally { raised: lives.len(), ..Tally::default() };
    for (life, flapped) in lives {
        let seconds = life.cleared_at.unwrap_or(now).since(life.raised_at).max(0);
        open_s.push(seconds);
        ack_s.extend(life.acknowledged_at.map(|at| at.since(life.raised_at).max(0)));
        let by_itself = life.clear_cause.as_deref() == Some(BY_ITSELF);
        tally.open += usize::from(life.cleared_at.is_none());
        tally.standing += usize::from(seconds > STANDING_S);
        tally.flapped += usize::from(*flapped);
        tally.followers += usize::from(life.follows);
        tally.unattended += usize::from(by_itself && life.acknowledged_at.is_none());
        tally.without_action += usize::from(by_itself && life.acknowledged_at.is_some());
    }
    tally.acknowledged = ack_s.len();
    tally.open_median_s = nearest(&mut open_s, 50);
    tally.open_p90_s = nearest(&mut open_s, 90);
    tally.ack_median_s = nearest(&mut ack_s, 50);
    tally
}

/// The smallest value that so many percent do not exceed (nearest rank).
fn nearest(values: &mut [i64], percent: usize) -> Option<i64> {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::Severity;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    /// `kind subject raised acked cleared cause follows`, seconds after T, `-` for none.
    fn lives(table: &str) -> Vec<AlarmLife> {
        let life = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = |word: &str| word.parse().ok().map(|seconds| T.plus(seconds));
            AlarmLife {
                kind: AlarmKind::from_word(words[0]).unwrap(),
                subject: words[1].to_owned(),
                severity: Severity::Major,
                raised_at: at(words[2]).unwrap(),
                acknowledged_at: at(words[3]),
                cleared_at: at(words[4]),
                clear_cause: (words[5] != "-").then(|| words[5].replace('_', " ")),
                follows: words[6] == "yes",
            }
        };
        table.lines().filter(|line| !line.trim().is_empty()).map(life).collect()
    }

    fn day() -> (UnixSeconds, UnixSeconds) {
        (T, T.plus(86_400))
    }

    #[test]
    fn a_day_of_alarms() {
        let lives = lives(
            "agent.offline a    0   60  300 condition_over  no
             agent.offline a  900    - 1000 condition_over  no
             agent.offline a 1601    - 1700 cleared_by_kim  no
             agent.offline b    0    -    - -               no
             edge.down     l   10    -   20 condition_over yes
             edge.down     l 5000 5100 5200 acknowledged    no",
        );
        let quality = measure(&lives, day(), T.plus(90_000));
        let (kind, offline) = quality.kinds[0];
        assert_eq!(kind, AlarmKind::AgentOffline);
        let expected = Tally {
            raised: 4,
            open: 1,
            open_median_s: Some(100),
            open_p90_s: Some(90_000),
            standing: 1,
            acknowledged: 1,
            ack_median_s: Some(60),
            // 900 is 600 after 300; 1601 is 601 after 1000.
            flapped: 1,
            unattended: 1,
            without_action: 1,
            followers: 0,
        };
        assert_eq!(offline, expected);
        let (_, link) = quality.kinds[1];
        assert_eq!((link.raised, link.followers, link.unattended), (2, 1, 1));
        assert_eq!((link.acknowledged, link.without_action), (1, 0), "the person ended it");
        assert_eq!((quality.all.raised, quality.all.flapped), (6, 1));
        assert_eq!(quality.per_day_hundredths, 500, "five a day that follow from none");
        let first = &quality.subjects[0];
        assert_eq!((first.kind, first.subject.as_str(), first.raised), (kind, "a", 3));
    }

    #[test]
    fn nothing_raised_is_nothing_told() {
        let quality = measure(&[], day(), T);
        assert_eq!((quality.all, quality.per_day_hundredths), (Tally::default(), 0));
        assert!(quality.kinds.is_empty() && quality.subjects.is_empty());
        // A time without length divides nothing by nothing.
        assert_eq!(measure(&[], (T, T), T).per_day_hundredths, 0);
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        for (count, median, p90) in [(1, 1, 1), (2, 1, 2), (10, 5, 9), (11, 6, 10), (100, 50, 90)] {
            let mut values: Vec<i64> = (1..=count).rev().collect();
            let found = (nearest(&mut values, 50), nearest(&mut values, 90));
            assert_eq!(found, (Some(median), Some(p90)), "{count}");
        }
    }
}
