//! Texts against earlier ones and back, what that costs, and notes that nobody wrote.

use proptest::prelude::*;

use super::*;

const NOTHING: Beside<'static> = Beside { word: "", numbers: [None; 3] };

fn alone(bytes: &[u8]) -> Text<'_> {
    Text { bytes, beside: NOTHING }
}

/// Packs a text against another, holds what comes back to it, and tells the size.
fn there_and_back(text: Text<'_>, against: Text<'_>) -> usize {
    let mut packed = vec![7; 3];
    pack(text, against, &mut packed);
    let room = text.bytes.len();
    let made = unpack(&packed, against, (text.beside, room));
    assert_eq!(made.as_deref(), Ok(text.bytes), "{text:?} {against:?}");
    if room > 0 {
        assert_eq!(unpack(&packed, against, (text.beside, room - 1)), Err(Unlike));
    }
    packed.len()
}

fn size(old: &str, new: &str) -> usize {
    there_and_back(alone(new.as_bytes()), alone(old.as_bytes()))
}

#[test]
fn numbers_words_and_other_bytes_take_what_they_should() {
    for (old, new, bytes) in [
        ("", "", 0),
        ("[1,22,\"up\"]", "[1,22,\"up\"]", 0),
        // Kind, gap and one half byte.
        ("{\"a\":1500,\"rx\":100}", "{\"a\":1500,\"rx\":115}", 2),
        ("{\"a\":1500,\"rx\":100}", "{\"a\":1500,\"rx\":116}", 2),
        ("{\"a\":1500,\"rx\":100}", "{\"a\":1500,\"rx\":356}", 3),
        ("{\"a\":1500,\"rx\":356}", "{\"a\":1500,\"rx\":100}", 3),
        ("9", "10", 2),
        ("0", "999999999999999999", 12),
        ("999999999999999999", "0", 9),
        // Not numbers, or not written as they are.
        ("0", "9999999999999999999", 12),
        ("load 0.42", "load 0.05", 3),
        ("load 0.05", "load 0.42", 3),
        ("-5", "-6", 4),
        ("1e5", "1e6", 4),
        ("10", "010", 4),
        ("\"state\":\"up\"", "\"state\":\"down\"", 5),
        ("\"off\"", "25", 4),
        // A digest takes half its digits, a nonce three quarters of its signs.
        (&"b".repeat(64), &"0a".repeat(32), 35),
        ("AAECAwQFBgcICQoLDA0ODw", "7tVdUZgG0mmNbjf8VVMnGA", 19),
        // One element more, one less.
        ("[{\"dst\":1}]", "[{\"dst\":1},{\"dst\":2}]", 13),
        ("[{\"dst\":1},{\"dst\":2}]", "[{\"dst\":1}]", 3),
        ("", "a text", 8),
        ("a text", "", 2),
    ] {
        assert_eq!(size(old, new), bytes, "{old} {new}");
    }
}

#[test]
fn what_is_told_beside_takes_nothing() {
    let text = |nonce: &str, at: i64, tick: i64| {
        format!(
            "{{\"tick\":{tick},\"at\":{at},\"nonce\":\"{nonce}\",\"data\":{{\"at\":{},\"up\":{tick}}}}}",
            at - 2
        )
    };
    let told = |word, at: i64, tick| Beside { word, numbers: [Some(at), tick, Some(at - 2)] };
    let old = text("7tVdUZgG0mmN", 1_795_000_000, 17);
    let old = Text { bytes: old.as_bytes(), beside: told("7tVdUZgG0mmN", 1_795_000_000, Some(17)) };
    let new = text("i49CCjjwz05w", 95, 4_000);
    let new = |beside| Text { bytes: new.as_bytes(), beside };
    // Only where it stands first: the other number of the same value has grown.
    assert_eq!(there_and_back(new(told("i49CCjjwz05w", 95, Some(4_000))), old), 3);
    // What is told of one of them only, or is not one word, or is told wrongly.
    for (word, at, tick) in [
        ("i49CCjjwz05w", 95, None),
        ("", 95, Some(4_000)),
        ("no such word", -3, Some(4_000)),
        ("7tVdUZgG0mmN", 1_795_000_000, Some(17)),
        ("95", 95, Some(95)),
    ] {
        assert!(there_and_back(new(told(word, at, tick)), old) > 3);
    }
}

/// What `wg` and `ip` told of hosts of the lab and of the mesh, at several times.
const CAPTURED: [&[u8]; 8] = [
    include_bytes!("../../../tests/fixtures/mesh/1-healthy/node1.wg-dump.txt"),
    include_bytes!("../../../tests/fixtures/mesh/4-node3-cable-cut/node1.wg-dump.txt"),
    include_bytes!("../../../tests/fixtures/mesh/1-healthy/node1.ip-s-addr.json"),
    include_bytes!("../../../tests/fixtures/mesh/4-node3-cable-cut/node1.ip-s-addr.json"),
    include_bytes!("../../../tests/fixtures/lab/02-all-up/a.wg_show_all_dump"),
    include_bytes!("../../../tests/fixtures/lab/05-peer-removed-c-wg-down/a.wg_show_all_dump"),
    include_bytes!("../../../tests/fixtures/mesh/1-healthy/node1.ip-route-all.json"),
    include_bytes!("../../../tests/fixtures/mesh/8-babel-routes/node1.ip-route-all.json"),
];

#[test]
fn what_hosts_tell_comes_back_against_whatever_they_told_before() {
    for old in CAPTURED {
        for new in CAPTURED {
            there_and_back(alone(new), alone(old));
        }
    }
    // Only counters and handshakes moved.
    let [before, after, links_before, links_after, ..] = CAPTURED;
    assert!(there_and_back(alone(after), alone(before)) * 20 < after.len());
    assert!(there_and_back(alone(links_after), alone(links_before)) * 50 < links_after.len());
}

/// Texts of a few words, so that two of them often have some in common.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[0-9]{1,21}",
        2 => "[a-f0-9]{1,8}",
        2 => "[A-Za-z0-9_=/+-]{1,6}",
        4 => proptest::sample::select(vec!["{\"a\":", ",", "\"", "1795000000", "0", "up", "}", "."])
            .prop_map(str::to_owned),
    ];
    prop_oneof![
        3 => proptest::collection::vec(piece, 0..40).prop_map(|all| all.concat().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

/// A text and another one made of it.
fn two_texts() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let changed = (any_text(), proptest::collection::vec((any::<u16>(), any_text()), 0..4));
    let changed = changed.prop_map(|(old, changes)| {
        let mut new = old.clone();
        for (at, put) in changes {
            let at = usize::from(at) % (new.len() + 1);
            let end = (at + put.len() % 5).min(new.len());
            new.splice(at..end, put);
        }
        (old, new)
    });
    prop_oneof![(any_text(), any_text()), changed]
}

fn any_beside() -> impl Strategy<Value = (String, [Option<i64>; 3])> {
    let number = proptest::option::of(prop_oneof![Just(1_795_000_000), 0_i64..20, any::<i64>(),]);
    ("[0-9a-f.]{0,3}", [number.clone(), number.clone(), number])
}

proptest! {
    #[test]
    fn any_text_comes_back_against_any_other(
        (old, new) in two_texts(),
        (was, is) in (any_beside(), any_beside()),
    ) {
        let told = |(word, numbers): &(String, [Option<i64>; 3])| (word.clone(), *numbers);
        let ((word, numbers), (later, counted)) = (told(&was), told(&is));
        let against = Text { bytes: &old, beside: Beside { word: &word, numbers } };
        let text = Text { bytes: &new, beside: Beside { word: &later, numbers: counted } };
        let size = there_and_back(text, against);
        // However unlike they are, no more than all of it and a little for each word.
        prop_assert!(size <= 4 * new.len() + 16);
    }

    #[test]
    fn notes_that_nobody_wrote_make_no_more_than_the_room(
        packed in proptest::collection::vec(any::<u8>(), 0..60),
        old in any_text(),
        room in 0_usize..300,
        (word, numbers) in any_beside(),
    ) {
        let beside = Beside { word: &word, numbers };
        if let Ok(made) = unpack(&packed, alone(&old), (beside, room)) {
            prop_assert!(made.len() <= room);
        }
    }

    #[test]
    fn damaged_notes_make_another_text_or_none(
        (old, new) in two_texts(),
        (at, bit) in (any::<usize>(), 0_u8..8),
    ) {
        let mut packed = Vec::new();
        pack(alone(&new), alone(&old), &mut packed);
        if !packed.is_empty() {
            let at = at % packed.len();
            packed[at] ^= 1 << bit;
            for cut in [packed.len(), at] {
                if let Ok(made) = unpack(&packed[..cut], alone(&old), (NOTHING, new.len())) {
                    prop_assert!(made.len() <= new.len());
                }
            }
        }
    }
}

#[test]
fn counts_beyond_all_texts_end_at_once() {
    let old = b"{\"a\":1,\"b\":2}";
    for packed in [
        // A gap, bytes left out, bytes put in, a length: each as large as can be told.
        vec![0x0f, 0xff, 0xff, 0xff, 0xff, 0xf7, 0x10],
        vec![0xf0, 0xff, 0xff, 0xff, 0xff, 0xf7, 0x00],
        vec![0xf0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x70],
        vec![0xe0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x70],
        vec![0xe0, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        // Less than nothing, and more than a number.
        vec![0xd0, 0x02],
        vec![0xd0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(unpack(&packed, alone(old), (NOTHING, 1 << 20)), Err(Unlike), "{packed:x?}");
    }
}
