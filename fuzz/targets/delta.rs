//! Any two texts, and any notes about one: a text that is packed against another comes back, and notes
//! that nobody wrote do no harm.
#![no_main]

use kattila::pack::delta::{Beside, Text, pack, unpack};
use libfuzzer_sys::fuzz_target;

/// More than what any input can make.
const ROOM: usize = 1 << 16;

fuzz_target!(|input: &[u8]| {
    // Two lengths, then the earlier text, the later one, and notes.
    let Some((&[first, second], rest)) = input.split_first_chunk() else { return };
    let cut = |text: &'static str, at: u8| text.get(..usize::from(at % 8)).unwrap_or_default();
    let old = Beside { word: cut("abc12345", first), numbers: [Some(1), Some(22), None] };
    let new = Beside { word: cut("xyz98765", second), numbers: [Some(333), None, Some(4)] };
    let share = |part: u8, bytes: usize| usize::from(part) * bytes / 255;
    let (earlier, rest) = rest.split_at(share(first, rest.len()));
    let (later, notes) = rest.split_at(share(second, rest.len()));
    let against = Text { bytes: earlier, beside: old };

    let mut packed = Vec::new();
    pack(Text { bytes: later, beside: new }, against, &mut packed);
    assert!(packed.len() <= 4 * later.len() + 16);
    assert_eq!(unpack(&packed, against, (new, later.len())).as_deref(), Ok(later));
    if !later.is_empty() {
        assert!(unpack(&packed, against, (new, later.len() - 1)).is_err());
    }
    if let Ok(made) = unpack(notes, against, (new, ROOM)) {
        // What is made of it can be packed again, whatever the notes were.
        pack(Text { bytes: &made, beside: new }, against, &mut packed);
        assert_eq!(unpack(&packed, against, (new, made.len())).as_ref(), Ok(&made));
    }
});
