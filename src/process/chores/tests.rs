use super::*;

fn at(seconds: i64) -> UnixSeconds {
    UnixSeconds(1_800_000_000).plus(seconds)
}

fn ran(chores: &Chores, chore: Chore, when: UnixSeconds, failed: Option<&str>) -> Option<String> {
    let failed = failed.map(|why| (when, why.to_owned()));
    let past = Past { at: when, duration_ms: 5, rows: 0, failed, failures: 0 };
    chores.with(chore, |entry| entry.end(past))
}

#[test]
fn a_chore_is_due_at_once_then_by_its_period_and_when_asked_for() {
    let chores = Chores::restored(|_| None);
    assert_eq!(chores.due(at(0)), Chore::ALL);
    for chore in Chore::ALL {
        assert!(ran(&chores, *chore, at(0), None).is_some(), "the first run is written down");
    }
    assert!(chores.due(at(59)).is_empty());
    assert_eq!(chores.due(at(60)), [Chore::Sweep, Chore::Archive]);
    assert_eq!(chores.due(at(-5)), Chore::ALL, "a clock set back delays nothing");
    assert!(chores.ask(Chore::Vacuum));
    assert_eq!(chores.due(at(1)), [Chore::Vacuum]);
    assert_eq!(chores.one(Chore::Vacuum, at(1)).unwrap().next_run, at(1));
    assert!(ran(&chores, Chore::Vacuum, at(1), None).is_none(), "nothing to tell");
    assert_eq!(chores.one(Chore::Vacuum, at(2)).unwrap().next_run, at(301));
}

#[test]
fn a_failure_is_remembered_over_successes_and_restarts() {
    let chores = Chores::restored(|_| None);
    let text = ran(&chores, Chore::Sweep, at(0), Some("the disk is full")).unwrap();
    assert!(ran(&chores, Chore::Sweep, at(60), None).is_some(), "that it works again");
    assert!(ran(&chores, Chore::Sweep, at(120), None).is_none());
    let state = chores.one(Chore::Sweep, at(120)).unwrap();
    assert_eq!((state.last_run, state.last_error_at), (Some(at(120)), Some(at(0))));
    let again = Chores::restored(|name| (name == "job.sweep").then_some(text.as_str()));
    let state = again.one(Chore::Sweep, at(61)).unwrap();
    assert_eq!(state.last_error.as_deref(), Some("the disk is full"));
    assert_eq!((state.last_run, state.next_run), (Some(at(0)), at(60)));
    assert_eq!(again.one(Chore::Vacuum, at(61)).unwrap().last_run, None);
}

#[test]
fn health_counts_failures_in_a_row_also_over_a_restart_and_sees_what_does_not_run() {
    let of = |chores: &Chores, now: UnixSeconds| {
        let all = chores.health(now);
        let found = all.into_iter().find(|health| health.name == "sweep").unwrap();
        (found.failures, found.overdue_s)
    };
    let chores = Chores::restored(|_| None);
    assert_eq!(of(&chores, at(9_999)), (0, None), "never run yet");
    ran(&chores, Chore::Sweep, at(0), Some("full")).unwrap();
    let text = ran(&chores, Chore::Sweep, at(60), Some("full")).unwrap();
    assert_eq!(of(&chores, at(61)), (2, None));
    let again = Chores::restored(|name| (name == "job.sweep").then_some(text.as_str()));
    assert_eq!(of(&again, at(61)), (2, None));
    assert_eq!(of(&again, at(999)), (2, None), "nobody promised to run it");
    again.promise();
    ran(&again, Chore::Sweep, at(120), None).unwrap();
    assert_eq!(of(&again, at(299)), (0, None));
    assert_eq!(of(&again, at(300)), (0, Some(120)), "two periods beyond its time");
    again.with(Chore::Vacuum, |entry| entry.running = true);
    assert_eq!(of(&again, at(300)), (0, None), "it waits for another");
}

#[test]
fn what_runs_is_neither_due_nor_to_be_asked_for() {
    let chores = Chores::restored(|_| None);
    chores.with(Chore::Sweep, |entry| entry.running = true);
    assert!(!chores.due(at(0)).contains(&Chore::Sweep));
    assert!(!chores.ask(Chore::Sweep));
}

#[test]
fn names_find_their_chore() {
    for chore in Chore::ALL {
        assert_eq!(Chore::from_name(chore.name()), Some(*chore));
        assert_eq!(chore.kept_as(), format!("job.{}", chore.name()));
    }
    assert_eq!(Chore::from_name("Sweep"), None);
}
