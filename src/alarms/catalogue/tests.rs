use super::*;

#[test]
fn one_rule_per_kind_in_the_words_of_the_model() {
    for kind in AlarmKind::ALL {
        let rules: Vec<_> = RULES.iter().filter(|r| r.kind == *kind).collect();
        let [rule] = rules[..] else { panic!("{kind} has {} rules", rules.len()) };
        assert_eq!(rule.latching, kind.is_latching(), "{kind}");
        assert!(rule.raise_count >= 1 && !rule.meaning.is_empty(), "{kind}");
        // One that is held open says so in the state that latching ones wait in.
        assert!(!rule.damped || !rule.latching, "{kind}");
        let ends = !matches!(rule.clear, ClearBy::Quiet { .. } | ClearBy::Person);
        assert!(!rule.damped || ends, "{kind}");
        // What only a person ends must offer the person a way.
        assert!(rule.clear != ClearBy::Person || rule.ack_clears, "{kind}");
    }
    assert_eq!(RULES.len(), AlarmKind::ALL.len());
}

#[test]
fn limits_have_names_of_their_own_and_defaults_that_may_be_written() {
    for rule in RULES {
        for (nth, limit) in rule.limits.iter().enumerate() {
            let what = format!("{} {}", rule.kind, limit.name);
            let twice = rule.limits.iter().take(nth).any(|other| other.name == limit.name);
            assert!(!twice && !limit.doc.is_empty(), "{what}");
            assert!((limit.least..=limit.most).contains(&limit.default), "{what}");
            let of_time = limit.unit == crate::alarms::tuning::Unit::Seconds;
            assert_eq!(of_time, limit.name.ends_with("_s"), "{what}");
        }
    }
}

#[test]
fn the_handbook_has_every_kind() {
    let handbook = include_str!("../../../docs/alarms.md");
    for kind in AlarmKind::ALL {
        let head = format!("### `{kind}`");
        let (_, section) = handbook.split_once(&head).expect(&head);
        let section = section.split("\n#").next().unwrap_or_default();
        assert_eq!(section.contains("**Damped.**"), rule(*kind).damped, "{head}");
        // Where clearing by hand is final, the section says so; elsewhere the promise holds.
        let limits = rule(*kind).limits.iter();
        for Limit { name, default, least, most, .. } in limits {
            let row = format!("| `{kind}` | `{name}` | {default} | {least} to {most} | ");
            assert!(handbook.contains(&row), "{row}");
        }
        let is_final = rule(*kind).comes_back == ComesBack::NextTime;
        assert_eq!(section.contains("**Cleared by hand:**"), is_final, "{head}");
    }
}
