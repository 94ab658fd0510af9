use super::*;

#[test]
fn times_are_read_in_every_way_people_write_them() {
    let wanted = UnixSeconds(1_795_183_320);
    for text in [
        "1795183320",
        " 2026-11-20T14:02:00Z ",
        "2026-11-20T16:02:00+02:00",
        "2026-11-20 14:02:00",
        "2026-11-20T14:02",
        "2026-11-20 14:02",
    ] {
        assert_eq!(time(text).unwrap(), wanted, "{text}");
    }
    assert_eq!(time("2026-11-20").unwrap(), UnixSeconds(1_795_132_800));
    for text in ["yesterday", "2026-13-01", "14:02", "1e9"] {
        assert!(time(text).unwrap_err().detail().contains("is no time"), "{text}");
    }
    assert_eq!(maybe_time(Some(" ")).unwrap(), None);
}

#[test]
fn a_step_is_as_bad_as_the_worst_in_it() {
    let tally = |step, kind, word: Option<&str>, count| Tally {
        step,
        kind,
        word: word.map(str::to_owned),
        count,
    };
    let found = buckets(
        UnixSeconds(1000),
        60,
        &[
            tally(0, EventKind::EdgeAdded, None, 2),
            tally(3, EventKind::AgentStatus, Some("online"), 1),
            tally(3, EventKind::AlarmRaised, Some("critical"), 1),
            tally(3, EventKind::EdgeState, Some("down"), 3),
        ],
    );
    let plain: Vec<_> = found.iter().map(|b| (b.at.0, b.count, b.worst, b.kinds.len())).collect();
    assert_eq!(plain, [(1000, 2, Severity::Info, 1), (1180, 5, Severity::Critical, 3)]);
}
