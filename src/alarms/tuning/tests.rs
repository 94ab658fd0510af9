use super::*;
use crate::alarms::rules::edge::{T1_EXTRA_S, T2_EXTRA_S};

const KIND: AlarmKind = AlarmKind::EdgeDown;

fn entry(set: Settings) -> Entry {
    Entry { kinds: vec![KIND], set, ..Entry::default() }
}

fn t2(value: i64) -> Settings {
    Settings { limits: vec![("t2_extra_s".into(), value)], ..Settings::default() }
}

fn labels(role: &str) -> BTreeMap<String, String> {
    [("role".to_owned(), role.to_owned())].into()
}

#[test]
fn later_entries_win_value_by_value_where_they_fit() {
    let lab: FleetId = "lab".parse().unwrap();
    let gateways = vec![("role".to_owned(), "gate*".to_owned())];
    let tuning = Tuning::new(vec![
        entry(t2(100)),
        Entry { fleets: vec!["l*b".into()], ..entry(t2(200)) },
        Entry { labels: gateways, ..entry(t2(300)) },
        Entry { kinds: vec![AlarmKind::AgentOffline], ..entry(t2(400)) },
    ]);
    let gateway = tuning.fitting(&labels("gateway"));
    assert!(
        tuning.fitting(&labels("host")).is_empty() && tuning.fitting(&BTreeMap::new()).is_empty()
    );
    let at = |fleet, labels| {
        let limits = Limits::of(&tuning, KIND, Place { fleet, labels });
        (limits.get(&T1_EXTRA_S), limits.get(&T2_EXTRA_S))
    };
    assert_eq!(at(None, Fitting::default()), (0, 100));
    assert_eq!(at(Some(&lab), Fitting::default()), (0, 200));
    assert_eq!(at(Some(&lab), gateway), (0, 300));
    assert_eq!(at(None, Fitting::default().or(gateway)), (0, 300), "either end of a link");
    assert_eq!(Limits::usual(KIND).get(&T2_EXTRA_S), 90);
}

#[test]
fn severities_are_bounded_by_the_last_word() {
    use Severity as S;
    let bounds = |sets: Vec<(Option<S>, Option<S>)>| {
        let set = |(at_least, at_most)| Settings { at_least, at_most, ..Settings::default() };
        let tuning = Tuning::new(sets.into_iter().map(set).map(entry).collect());
        let terms = tuning.terms(KIND, Place::default());
        [S::Info, S::Minor, S::Critical].map(|own| terms.severity(own))
    };
    assert_eq!(bounds(vec![]), [S::Info, S::Minor, S::Critical]);
    assert_eq!(bounds(vec![(Some(S::Major), Some(S::Major))]), [S::Major; 3]);
    assert_eq!(bounds(vec![(Some(S::Minor), None)]), [S::Minor, S::Minor, S::Critical]);
    // What was said before gives way.
    let both = vec![(Some(S::Major), None), (None, Some(S::Warning))];
    assert_eq!(bounds(both), [S::Warning; 3]);
    let both = vec![(None, Some(S::Warning)), (Some(S::Major), None)];
    assert_eq!(bounds(both), [S::Major; 3]);
}

#[test]
fn delays_take_the_place_of_the_catalogues() {
    let terms = |kind, set| {
        let tuning = Tuning::new(vec![Entry { kinds: vec![kind], ..entry(set) }]);
        tuning.terms(kind, Place::default())
    };
    let raise = |delay| Settings { raise_after: Some(delay), ..Settings::default() };
    let clear = |delay| Settings { clear_after: Some(delay), ..Settings::default() };
    let told = |terms: Terms| (terms.raise_count, terms.raise_after_s);
    assert_eq!(told(Terms::of(KIND)), (2, 0));
    assert_eq!(told(terms(KIND, raise(Delay::Reports(5)))), (5, 0));
    assert_eq!(told(terms(KIND, raise(Delay::Seconds(90)))), (1, 90));
    let kept = terms(KIND, clear(Delay::Reports(4))).clear;
    assert_eq!(kept, ClearBy::Reports { count: 4 });
    let kept = terms(AlarmKind::NetPartition, clear(Delay::Seconds(5))).clear;
    assert_eq!(kept, ClearBy::Steady { after_s: 5 });
    let kept = terms(AlarmKind::AgentRebooted, clear(Delay::Seconds(600))).clear;
    assert_eq!(kept, ClearBy::Quiet { after_s: 600, needs_report: true });
    // Silence ends nothing, whatever is asked.
    assert_eq!(terms(KIND, clear(Delay::Seconds(1))).clear, ClearBy::Reports { count: 1 });
}
