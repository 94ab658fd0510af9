//! Rotations, floods and validity periods against the policy.

use super::*;
use crate::keys::record::{Parsed, from_text};
use crate::keys::ring::{Generation, KEEP_AFTER_LEAVING_SECONDS};

const DAY: i64 = KEEP_AFTER_LEAVING_SECONDS;

fn key(name: &str) -> Found {
    let Parsed::Key(found) =
        from_text(format!("{name}-a-key-of-more-than-32-bytes-0000").as_bytes())
    else {
        panic!("{name}")
    };
    found
}

fn numbered(name: &str, seq: i64) -> Found {
    Found { seq: Some(seq), ..key(name) }
}

fn see(ring: &KeyRing, names: &[&str], now: i64) -> Observation {
    let found: Vec<_> = names.iter().map(|name| key(name)).collect();
    observe(ring, &found, KeySource::Dns, UnixSeconds(now))
}

fn names(ring: &KeyRing, now: i64) -> String {
    let name = |psk: &Psk| char::from(psk.secret[0]);
    ring.usable(UnixSeconds(now)).map(name).collect()
}

fn ring(steps: &[(&[&str], i64)]) -> KeyRing {
    steps.iter().fold(KeyRing::default(), |ring, (names, now)| see(&ring, names, *now).ring)
}

#[test]
fn three_rotations_keep_the_current_key_and_two_previous_ones() {
    let ring = ring(&[(&["A"], 0), (&["B"], 100), (&["C"], 200), (&["D"], 300)]);
    assert_eq!(names(&ring, 300), "DCB");
    assert_eq!(ring.generation(&key("B").kid), Some(Generation::Previous(2)));
    assert_eq!(ring.find_any(&key("A").kid).unwrap().state, KeyState::Retired);
}

#[test]
fn a_key_that_left_serves_for_a_day_even_if_nothing_is_fetched_any_more() {
    let ring = ring(&[(&["A"], 0), (&["B"], 100)]);
    assert_eq!(names(&ring, 100 + DAY - 1), "BA");
    assert_eq!(names(&ring, 100 + DAY), "B");
    let later = see(&ring, &["B"], 100 + DAY);
    assert_eq!(later.changes, [KeyChange { kid: key("A").kid, what: KeyChangeKind::Retired }]);
    assert_eq!(names(&ring, i64::MAX), "B", "the listed key stays for ever");
}

#[test]
fn the_order_of_an_answer_means_nothing() {
    let first = see(&KeyRing::default(), &["A", "B", "C"], 0);
    let second = see(&KeyRing::default(), &["C", "A", "B"], 0);
    assert_eq!(first.ring, second.ring);
    assert!(see(&first.ring, &["B", "C", "A"], 0).changes.is_empty());
    assert_eq!(names(&ring(&[(&["A"], 0), (&["A", "B"], 9)]), 9), "BA", "newest seen first");
}

#[test]
fn seq_decides_where_records_carry_it() {
    let found = [numbered("A", 7), numbered("B", 9), numbered("C", 8), numbered("D", 1)];
    let seen = observe(&KeyRing::default(), &found, KeySource::Dns, UnixSeconds(0));
    assert_eq!(names(&seen.ring, 0), "BCA");
    assert_eq!(seen.warnings, [KeyWarning::TooMany { listed: 4 }]);
    let rolled_back = observe(
        &seen.ring,
        &[numbered("A", 7), numbered("B", 9), numbered("C", 10)],
        KeySource::Dns,
        UnixSeconds(5),
    );
    assert_eq!(names(&rolled_back.ring, 5), "CBA");
}

#[test]
fn forged_answers_never_push_out_a_key_that_is_still_listed() {
    let good = ring(&[(&["A"], 0), (&["A", "B", "C"], 50)]);
    let flood: Vec<String> = (0..40).map(|n| format!("x{n}")).collect();
    let mut listed: Vec<&str> = flood.iter().map(String::as_str).collect();
    listed.extend(["A", "B", "C"]);
    let seen = see(&good, &listed, 60);
    assert_eq!(names(&seen.ring, 60).len(), 3);
    for name in ["A", "B", "C"] {
        assert!(seen.ring.find(&key(name).kid).is_some(), "{name}");
    }
    assert!(seen.warnings.iter().all(KeyWarning::is_unexpected));
    assert_eq!(seen.warnings.len(), 2, "{:?}", seen.warnings);
}

#[test]
fn three_new_keys_at_once_do_not_flush_the_last_good_one() {
    let seen = see(&ring(&[(&["A"], 0)]), &["x", "y", "z"], 60);
    assert_eq!(seen.warnings, [KeyWarning::SeveralNew { count: 3 }]);
    assert!(names(&seen.ring, 60).contains('A'));
    let back = see(&seen.ring, &["A"], 120);
    assert_eq!(back.ring.generation(&key("A").kid), Some(Generation::Current));
}

#[test]
fn a_rotation_of_three_into_one_takes_effect_at_once() {
    let seen = see(&ring(&[(&["A", "B", "C"], 0)]), &["D"], 60);
    let usable = names(&seen.ring, 60);
    assert!(usable.starts_with('D') && usable.len() == 3, "{usable}");
    assert!(seen.warnings.is_empty());
}

#[test]
fn validity_periods_are_honoured_without_a_new_answer() {
    let next = Found { nbf: Some(UnixSeconds(100)), seq: Some(2), ..key("B") };
    let seen = observe(&ring(&[(&["A"], 0)]), &[key("A"), next], KeySource::Dns, UnixSeconds(50));
    assert_eq!(names(&seen.ring, 99), "A");
    assert_eq!(names(&seen.ring, 100), "AB");
    assert_eq!(seen.ring.generation(&key("A").kid), Some(Generation::Current));

    let over = Found { exp: Some(UnixSeconds(50)), ..key("C") };
    let seen = observe(&seen.ring, &[over], KeySource::Dns, UnixSeconds(50));
    assert_eq!(seen.warnings, [KeyWarning::Expired { kid: key("C").kid }]);
    assert_eq!(names(&seen.ring, 60), "A", "a list without usable keys changes nothing");
}

#[test]
fn a_revoked_key_does_not_come_back() {
    let ring = ring(&[(&["A"], 0), (&["A", "B"], 10)]).revoke(&key("A").kid).unwrap();
    let seen = see(&ring, &["A", "B"], 20);
    assert_eq!(seen.warnings, [KeyWarning::Revoked { kid: key("A").kid }]);
    assert_eq!(names(&seen.ring, 20), "B");
}

#[test]
fn a_file_is_taken_at_its_word_and_in_its_order() {
    let list = |names: &[&str], ring: &KeyRing, now| {
        let found: Vec<_> = names.iter().map(|name| key(name)).collect();
        observe(ring, &found, KeySource::File, UnixSeconds(now))
    };
    let first = list(&["A", "B", "C"], &KeyRing::default(), 0);
    assert_eq!(names(&first.ring, 0), "ABC");
    let second = list(&["F", "D", "E"], &first.ring, 5);
    assert_eq!(names(&second.ring, 5), "FDE");
    assert!(second.warnings.is_empty());
    let third = list(&["G"], &second.ring, 9);
    assert_eq!(names(&third.ring, 9).len(), 3, "the last two stay for a day");
    assert!(names(&third.ring, 9).starts_with('G'));
}

#[test]
fn changes_tell_what_became_of_each_key() {
    let seen = see(&ring(&[(&["A"], 0)]), &["B"], 10);
    let told: Vec<_> = seen.changes.iter().map(|c| (c.kid.clone(), c.what)).collect();
    assert_eq!(
        told,
        [
            (key("B").kid, KeyChangeKind::Added),
            (key("A").kid, KeyChangeKind::Left),
            (key("B").kid, KeyChangeKind::BecameCurrent),
        ]
    );
    let back = see(&seen.ring, &["A", "B"], 20);
    assert_eq!(back.changes, [KeyChange { kid: key("A").kid, what: KeyChangeKind::CameBack }]);
}

#[test]
fn short_keys_are_advice_only() {
    let Parsed::Key(short) = from_text(b"sixteen-bytes-ok") else { panic!("a key") };
    let seen = observe(&KeyRing::default(), &[short], KeySource::Dns, UnixSeconds(0));
    assert!(!seen.ring.is_empty());
    assert!(!seen.warnings[0].is_unexpected(), "{}", seen.warnings[0]);
}
