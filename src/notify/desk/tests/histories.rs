//! Over whatever histories: who was told is told the end.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// ALARMS 2 (2) and (7): what was told of is told to be over, once and last; no channel hears
    /// of an end before it heard of the alarm, and each telling of worse is worse.
    #[test]
    fn what_was_told_is_told_to_be_over_exactly_once(acts in prop::collection::vec(act(), 1..60)) {
        let mut office = Office::new();
        for act in &acts {
            carry_out(&mut office, act);
        }
        // In the end everything is over, and everybody has had the time to hear of it.
        for id in office.open.keys().copied().collect::<Vec<_>>() {
            let now = office.now;
            office.set(id, |alarm| {
                (alarm.state, alarm.cleared_at) = (AlarmState::Cleared, Some(now));
            });
        }
        for _ in 0..40 {
            office.pass(60);
            office.deliver(&Outcome::Taken);
        }
        prop_assert!(office.tells.is_empty(), "{:?}", office.tells);
        for ((alarm, channel), told) in office.told() {
            let (last, first) = (told[told.len() - 1].0, told[0].0);
            prop_assert_eq!(last, Telling::Cleared, "{} {}: {:?}", alarm, channel, &told);
            prop_assert_eq!(told.iter().filter(|(t, _)| *t == Telling::Cleared).count(), 1);
            prop_assert!(matches!(first, Telling::Raised | Telling::Escalated), "{:?}", &told);
            let mut known = told[0].1;
            for (telling, severity) in &told[1..] {
                prop_assert!(*telling != Telling::Worse || *severity > known, "{:?}", &told);
                if *telling != Telling::Cleared {
                    known = *severity;
                }
            }
        }
        // What flaps is told once each time it begins to, and neither again nor to more people.
        let items = || office.messages.values().flat_map(|message| &message.items);
        let again = [Telling::Repeated, Telling::Escalated];
        prop_assert!(!items().any(|item| item.facts.flapping && again.contains(&item.telling)));
        let begins = acts.iter().filter(|act| matches!(act, Act::Flap(_))).count();
        let flapping = items().filter(|item| item.telling == Telling::Flapping).count();
        prop_assert!(flapping <= 3 * begins, "three channels");
        // Nothing is lost: every message was taken, or was given up with a reason.
        for message in office.messages.values() {
            prop_assert!(message.state != MessageState::Waiting);
            prop_assert!(message.state == MessageState::Sent || message.error.is_some());
        }
    }

    /// A desk that is loaded from what was written goes on as the one that wrote it.
    #[test]
    fn a_restart_changes_nothing(acts in prop::collection::vec(act(), 1..40)) {
        let (mut steady, mut restarted) = (Office::new(), Office::new());
        for act in &acts {
            carry_out(&mut steady, act);
            carry_out(&mut restarted, act);
            restarted.reload();
        }
        prop_assert_eq!(steady.told(), restarted.told());
        prop_assert_eq!(&steady.tells, &restarted.tells);
        prop_assert_eq!(&steady.messages, &restarted.messages);
    }

    /// Suppression mutes messages: of what is acknowledged at once nobody is told, and while a
    /// channel takes nothing, what waits for it stays bounded.
    #[test]
    fn what_waits_is_bounded(raises in 1..200_i64) {
        let mut office = Office::new();
        for _ in 0..raises {
            office.raise(Severity::Warning);
            office.pass(30);
        }
        let waiting = |name: &str| {
            let all = office.messages.values().filter(|m| m.state == MessageState::Waiting);
            all.filter(|m| m.channel == name).count()
        };
        prop_assert!(waiting("chat") <= WAITING);
        prop_assert_eq!(waiting("pager"), 0, "no warning for the pager");
    }
}

#[test]
fn an_acknowledged_alarm_is_not_told_and_a_worse_one_is_told_again() {
    let mut office = Office::new();
    office.raise(Severity::Warning);
    office.set(1, |alarm| alarm.state = AlarmState::Acknowledged);
    office.pass(30);
    assert!(office.messages.is_empty());
    office.raise(Severity::Warning);
    office.pass(30);
    office.set(2, |alarm| alarm.severity = Severity::Critical);
    office.pass(30);
    office.set(2, |alarm| alarm.severity = Severity::Minor);
    office.pass(30);
    let told = office.told().remove(&(AlarmId(2), "chat".into())).unwrap();
    assert_eq!(told, [(Telling::Raised, Severity::Warning), (Telling::Worse, Severity::Critical)]);
}

#[test]
fn who_is_called_only_for_worse_is_called_when_it_gets_worse() {
    let mut office = Office::new();
    office.raise(Severity::Warning);
    office.pass(30);
    let pager = (AlarmId(1), "pager".to_owned());
    assert!(!office.told().contains_key(&pager));
    office.set(1, |alarm| alarm.severity = Severity::Major);
    office.pass(0);
    assert_eq!(office.told().remove(&pager).unwrap(), [(Telling::Raised, Severity::Major)]);
}
