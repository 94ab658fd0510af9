use super::*;

fn stored(secret: &str, state: &str, first_seen: i64) -> StoredKey {
    StoredKey {
        kid: kid_of_psk(secret.as_bytes()),
        secret: Zeroizing::new(secret.as_bytes().to_vec()),
        source: "dns".to_owned(),
        first_seen: UnixSeconds(first_seen),
        last_seen: UnixSeconds(first_seen),
        state: state.to_owned(),
        seq: None,
        nbf: None,
        exp: None,
        left_at: None,
    }
}

fn names(ring: &KeyRing, now: i64) -> Vec<String> {
    ring.usable(UnixSeconds(now))
        .map(|psk| String::from_utf8(psk.secret.to_vec()).unwrap())
        .collect()
}

#[test]
fn a_stored_ring_comes_back_in_order_and_bounded() {
    let ring = KeyRing::from_stored(vec![
        stored("retired", "retired", 0),
        StoredKey { left_at: Some(UnixSeconds(50)), ..stored("left", "previous", 30) },
        stored("listed", "previous", 10),
        stored("current", "current", 20),
        stored("nonsense", "whatever", 20),
        StoredKey { left_at: Some(UnixSeconds(40)), ..stored("fourth", "previous", 30) },
    ]);
    assert_eq!(names(&ring, 60), ["current", "listed", "left"]);
    assert_eq!(KeyRing::from_stored(ring.stored()), ring, "storing loses nothing");
    assert_eq!(ring.generation(&kid_of_psk(b"current")), Some(Generation::Current));
    assert_eq!(ring.generation(&kid_of_psk(b"left")), Some(Generation::Previous(2)));
    assert_eq!(ring.generation(&kid_of_psk(b"fourth")), None);
    assert_eq!(ring.find_any(&kid_of_psk(b"fourth")).unwrap().state, KeyState::Retired);
    assert!(ring.find(&kid_of_psk(b"retired")).is_none());
}

#[test]
fn times_bound_the_use_of_a_key() {
    let ring = KeyRing::from_stored(vec![
        StoredKey { exp: Some(UnixSeconds(100)), ..stored("ends", "current", 3) },
        StoredKey { nbf: Some(UnixSeconds(100)), ..stored("begins", "previous", 2) },
        StoredKey { left_at: Some(UnixSeconds(0)), ..stored("left", "previous", 1) },
    ]);
    assert_eq!(names(&ring, 99), ["ends", "left"]);
    assert_eq!(names(&ring, 100), ["begins", "left"]);
    assert_eq!(names(&ring, 86_399), ["begins", "left"]);
    assert_eq!(names(&ring, 86_400), ["begins"]);
}

#[test]
fn a_revoked_key_is_gone_for_good_and_another_becomes_current() {
    let ring =
        KeyRing::from_stored(vec![stored("leaked", "current", 2), stored("old", "previous", 1)]);
    let after = ring.revoke(&kid_of_psk(b"leaked")).unwrap();
    assert_eq!(names(&after, 5), ["old"]);
    assert_eq!(after.generation(&kid_of_psk(b"old")), Some(Generation::Current));
    assert_eq!(after.changed_since(&ring).len(), 2);
    assert!(ring.revoke(&kid_of_psk(b"unknown")).is_none());
    assert!(after.revoke(&kid_of_psk(b"old")).unwrap().is_empty());
}

#[test]
fn a_ban_keeps_a_key_away_without_knowing_it() {
    let ring = KeyRing::from_stored(vec![stored("leaked", "current", 2)]);
    assert!(ring.stored().iter().all(|key| !key.is_revoked()));
    let leaked = kid_of_psk(b"leaked");
    let bans = ring.revoke(&leaked).unwrap().stored().into_iter();
    let bans: Vec<_> = bans.filter(StoredKey::is_revoked).map(StoredKey::without_bytes).collect();
    assert!(bans[0].secret.is_empty() && bans[0].kid == leaked);
    let restarted = KeyRing::from_stored(bans);
    assert_eq!(restarted.find_any(&leaked).unwrap().state, KeyState::Revoked);
    let damaged = StoredKey { secret: Zeroizing::default(), ..stored("x", "current", 1) };
    assert!(KeyRing::from_stored(vec![damaged]).is_empty(), "no bytes never verify");
}

#[test]
fn debug_shows_names_only() {
    let ring = KeyRing::from_stored(vec![stored("very-secret-key-0", "current", 0)]);
    let shown = format!("{ring:?} {:?}", ring.stored());
    assert!(!shown.contains("very-secret") && shown.contains("current"), "{shown}");
    assert!(!shown.contains("118, 101"), "{shown}");
}
