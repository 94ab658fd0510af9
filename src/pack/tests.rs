//! Frames there and back, and frames that are none.

use super::dictionary::{DICTIONARY_BYTES, Dictionary, measure};
use super::*;

/// Texts that have much in common.
fn texts() -> Vec<Vec<u8>> {
    let text = |n: u32| {
        let (a, b) = (n.wrapping_mul(2_654_435_761), n.wrapping_mul(40_503));
        format!(
            "{{\"hostname\":\"host-{n}\",\"interfaces\":[{{\"name\":\"eth{}\",\"mtu\":1500,\
             \"rx_bytes\":{a},\"tx_bytes\":{b}}}],\"routes\":[{{\"dst\":\"10.{}.0.0/16\"}}]}}",
            n % 7,
            n % 250,
        )
        .into_bytes()
    };
    (0..600).map(text).collect()
}

fn pack(plain: &[u8], against: Against<'_>) -> Vec<u8> {
    let mut buffer = Vec::new();
    assert!(Packer::new().unwrap().pack(plain, against, &mut buffer));
    buffer
}

fn unpack(frame: &[u8], against: Against<'_>, room: usize) -> Result<Vec<u8>, Unfit> {
    Unpacker::new().unwrap().unpack(frame, against, room)
}

#[test]
fn what_goes_in_comes_out_and_smaller_against_what_is_known() {
    let texts = texts();
    let dictionary = Dictionary::train(&texts, DICTIONARY_BYTES).unwrap();
    let (first, second) = (&texts[7], &texts[8]);
    let mut sizes = Vec::new();
    for against in
        [Against::Nothing, Against::Dictionary(&dictionary), Against::Text(first.as_slice())]
    {
        let frame = pack(second, against);
        assert_eq!(&unpack(&frame, against, second.len()).unwrap(), second);
        sizes.push(frame.len());
    }
    assert!(sizes[0] > 2 * sizes[1] && sizes[0] > 2 * sizes[2], "{sizes:?}");
}

#[test]
fn the_same_samples_make_the_same_dictionary() {
    let (one, other) = (
        Dictionary::train(&texts(), DICTIONARY_BYTES).unwrap(),
        Dictionary::train(&texts(), DICTIONARY_BYTES).unwrap(),
    );
    assert_eq!((one.id(), one.bytes()), (other.id(), other.bytes()));
    assert_eq!(Dictionary::new(one.bytes().clone()).unwrap().id(), one.id());
    let (plain, packed) = measure(&texts(), Some(&one)).unwrap();
    assert!(packed * 3 < plain && packed < measure(&texts(), None).unwrap().1);
    assert!(matches!(
        Dictionary::train(&texts()[..2], DICTIONARY_BYTES),
        Err(dictionary::Untrained::Samples(_))
    ));
}

#[test]
fn a_frame_against_something_else_is_not_taken_apart() {
    let texts = texts();
    let (one, other) = (
        Dictionary::train(&texts[..300], DICTIONARY_BYTES).unwrap(),
        Dictionary::train(&texts[300..], DICTIONARY_BYTES).unwrap(),
    );
    let frame = pack(&texts[5], Against::Dictionary(&one));
    for against in [Against::Nothing, Against::Dictionary(&other)] {
        assert_eq!(unpack(&frame, against, 5000), Err(Unfit::Malformed));
    }
}

#[test]
fn what_is_not_one_whole_frame_is_refused() {
    let frame = pack(&[b'a'; 5000], Against::Nothing);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9][..], &frame].concat();
    for (bytes, why) in [
        (Vec::new(), Unfit::Malformed),
        (b"{\"a\":1}".to_vec(), Unfit::Malformed),
        (frame[..frame.len() - 1].to_vec(), Unfit::Malformed),
        (frame[..5].to_vec(), Unfit::Malformed),
        ([&frame[..], &frame[..]].concat(), Unfit::NotOne),
        ([&frame[..], b"x"].concat(), Unfit::NotOne),
        (skippable, Unfit::Malformed),
    ] {
        assert_eq!(unpack(&bytes, Against::Nothing, 5000), Err(why), "{bytes:?}");
    }
}

#[test]
fn a_bomb_takes_no_more_than_the_room() {
    let told = pack(&vec![0; 50 << 20], Against::Nothing);
    assert_eq!(unpack(&told, Against::Nothing, 4096), Err(Unfit::TooLarge(4096)));
    // A streaming encoder does not know how much there will be.
    let untold = zstd::stream::encode_all(&vec![0; 5 << 20][..], 1).unwrap();
    assert!(matches!(zstd_safe::get_frame_content_size(&untold), Ok(None)));
    assert_eq!(unpack(&untold, Against::Nothing, 4096), Err(Unfit::TooLarge(4096)));
    assert_eq!(unpack(&untold, Against::Nothing, 5 << 20).map(|all| all.len()), Ok(5 << 20));
    let small = zstd::stream::encode_all(&b"small"[..], 1).unwrap();
    assert_eq!(unpack(&small, Against::Nothing, 4096).as_deref(), Ok(&b"small"[..]));
    // It says that it holds less than it does.
    let mut liar = pack(&[b'a'; 200], Against::Nothing);
    assert_eq!(liar[5], 200);
    liar[5] = 100;
    assert_eq!(unpack(&liar, Against::Nothing, 4096), Err(Unfit::Malformed));
}

#[test]
fn a_window_that_nobody_needs_is_refused() {
    let mut frame = zstd::stream::encode_all(&b"small"[..], 1).unwrap();
    assert_eq!(frame[4] & 0b0010_0000, 0);
    // 2^13 times 1 KiB is what is allowed, one step more is not.
    frame[5] = 13 << 3;
    assert_eq!(unpack(&frame, Against::Nothing, 4096).as_deref(), Ok(&b"small"[..]));
    for too_large in [(13 << 3) | 1, 14 << 3, 0xff] {
        frame[5] = too_large;
        assert_eq!(unpack(&frame, Against::Nothing, 4096), Err(Unfit::Window));
    }
}
