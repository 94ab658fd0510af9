use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::agent::seal::{Sender, Signer};
use crate::agent::shape::Packing;
use crate::sign::psk::kid_of_psk;

const BOUNDS: Bounds = Bounds { bytes: 1024 * 1024, age: 3600 };

fn seal(tick: i64, data: &[u8]) -> Seal {
    let secret = Zeroizing::new(b"kattila-test-psk-000000000000000".to_vec());
    let signer = Signer::Psk { kid: kid_of_psk(&secret), secret };
    let sender = Sender {
        agent_id: "0123456789abcdef".parse().unwrap(),
        fleet_id: "fleet-a".parse().unwrap(),
    };
    Seal::new(&signer, &sender, (tick, UnixSeconds(1)), (data, &Packing::Json)).unwrap()
}

fn report(n: u64) -> Vec<u8> {
    format!("{{\"n\":{n},\"f\":\"{}\"}}", "x".repeat(50)).into_bytes()
}

fn spool() -> (TempDir, Spool) {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path(), BOUNDS).unwrap();
    (dir, spool)
}

fn contents(spool: &mut Spool) -> Vec<Vec<u8>> {
    let numbers: Vec<_> = spool.list().map(|(number, _)| number).collect();
    numbers.into_iter().filter_map(|n| Some(spool.read(n).unwrap()?.0)).collect()
}

#[test]
fn what_is_accepted_is_there_after_a_restart() {
    let (dir, mut spool) = spool();
    for n in 1..4 {
        spool.accept(&report(n), UnixSeconds(n.cast_signed())).unwrap();
    }
    let middle = spool.list().nth(1).unwrap().0;
    spool.remove(middle).unwrap();
    let bytes = spool.bytes();
    let mut again = Spool::open(dir.path(), BOUNDS).unwrap();
    assert_eq!(contents(&mut again), [report(1), report(3)]);
    assert_eq!(again.bytes(), bytes);
    assert_eq!(again.read(again.newest().unwrap()).unwrap().unwrap().1, UnixSeconds(3));
    assert!(again.losses().is_empty());
}

#[test]
fn numbers_are_never_given_twice() {
    let (dir, mut spool) = spool();
    let first = spool.accept_in_doubt(&report(1), UnixSeconds(1), &seal(1, &report(1))).unwrap();
    spool.remove(first).unwrap();
    // The report is gone, the file that named it is not.
    assert!(dir.path().join(DOUBT).exists());
    let mut again = Spool::open(dir.path(), BOUNDS).unwrap();
    assert_eq!(again.doubt(), None);
    let second = again.accept(&report(2), UnixSeconds(2)).unwrap();
    assert!(second > first);
    assert_eq!(Spool::open(dir.path(), BOUNDS).unwrap().doubt(), None, "it was never sent");
}

#[test]
fn the_report_in_doubt_and_its_seal_survive() {
    let (dir, mut spool) = spool();
    spool.accept(&report(1), UnixSeconds(1)).unwrap();
    let seal = seal(7, &report(2));
    let number = spool.accept_in_doubt(&report(2), UnixSeconds(2), &seal).unwrap();
    let mut again = Spool::open(dir.path(), BOUNDS).unwrap();
    assert_eq!(again.doubt(), Some(&Doubt::new(number, &seal)));
    again.clear_doubt().unwrap();
    let again = Spool::open(dir.path(), BOUNDS).unwrap();
    assert_eq!((again.doubt(), again.len()), (None, 2));
}

#[test]
fn the_oldest_goes_when_the_spool_is_full_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), Bounds { bytes: 450, age: 3600 }).unwrap();
    let doubtful = seal(1, &report(1));
    spool.accept_in_doubt(&report(1), UnixSeconds(1), &doubtful).unwrap();
    for n in 2..8 {
        spool.accept(&report(n), UnixSeconds(n.cast_signed())).unwrap();
        assert!(spool.bytes() <= 450);
    }
    let left = contents(&mut spool);
    assert_eq!(left.first(), Some(&report(1)), "what may have been sent is not dropped");
    assert_eq!(left.last(), Some(&report(7)));
    let dropped = 7 - left.len() as u64;
    assert!(dropped > 0);
    assert_eq!(spool.losses(), Losses { full: dropped, ..Losses::default() });
    spool.settle(spool.losses());
    assert!(spool.losses().is_empty());
}

#[test]
fn what_is_too_old_goes_and_is_counted() {
    let (_dir, mut spool) = spool();
    for n in [10, 20, 30] {
        spool.accept(&report(n), UnixSeconds(n.cast_signed())).unwrap();
    }
    spool.expire(UnixSeconds(3625)).unwrap();
    assert_eq!(contents(&mut spool), [report(30)]);
    assert_eq!(spool.losses().old, 2);
}

/// A crash may leave the file that was being written at any length, under its unfinished name;
/// a broken disk may leave the finished one so. Neither is sent, both are counted, and nothing
/// else is touched.
#[test]
fn a_file_cut_at_any_byte_is_found() {
    let (dir, mut spool) = spool();
    spool.accept(&report(1), UnixSeconds(1)).unwrap();
    let number = spool.accept(&report(2), UnixSeconds(2)).unwrap();
    let path = dir.path().join(name(number, UnixSeconds(2)));
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        let part = &whole[..cut];
        fs::write(&path, part).unwrap();
        fs::write(
            dir.path().join(format!("{}{UNFINISHED}", name(SpoolNo(9), UnixSeconds(9)))),
            part,
        )
        .unwrap();
        let mut spool = Spool::open(dir.path(), BOUNDS).unwrap();
        assert_eq!(contents(&mut spool), [report(1)], "cut at {cut}");
        assert_eq!(spool.losses(), Losses { torn: 2, ..Losses::default() });
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_flipped_bit_is_found() {
    let (dir, mut spool) = spool();
    let number = spool.accept(&report(1), UnixSeconds(1)).unwrap();
    let path = dir.path().join(name(number, UnixSeconds(1)));
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 4;
        fs::write(&path, &bad).unwrap();
        let mut spool = Spool::open(dir.path(), BOUNDS).unwrap();
        // Hexadecimal digits may be written in upper case and mean the same.
        let found = spool.read(spool.newest().unwrap()).unwrap().map(|(data, _)| data);
        assert!(found.is_none() || found == Some(report(1)), "bit of byte {at}");
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_doubt_cut_at_any_byte_names_nothing() {
    let (dir, mut spool) = spool();
    let doubtful = seal(1, &report(1));
    spool.accept_in_doubt(&report(1), UnixSeconds(1), &doubtful).unwrap();
    let whole = fs::read(dir.path().join(DOUBT)).unwrap();
    for cut in 0..whole.len() {
        fs::write(dir.path().join(DOUBT), &whole[..cut]).unwrap();
        assert_eq!(Spool::open(dir.path(), BOUNDS).unwrap().doubt(), None, "cut at {cut}");
    }
}

/// What may happen to a spool.
#[derive(Debug, Clone)]
enum Act {
    Accept(u64),
    AcceptInDoubt(u64),
    Remove(usize),
    ClearDoubt,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u64..1000).prop_map(Act::Accept),
        1 => (0_u64..1000).prop_map(Act::AcceptInDoubt),
        2 => (0_usize..8).prop_map(Act::Remove),
        1 => Just(Act::ClearDoubt),
        2 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Whatever happens in whatever order, the spool holds what a plain list would.
    #[test]
    fn a_spool_is_a_list_that_survives(acts in proptest::collection::vec(act(), 1..40)) {
        let (dir, mut spool) = spool();
        let mut model: Vec<(SpoolNo, Vec<u8>)> = Vec::new();
        let mut doubt: Option<SpoolNo> = None;
        for act in acts {
            match act {
                Act::Accept(n) => {
                    let number = spool.accept(&report(n), UnixSeconds(1)).unwrap();
                    model.push((number, report(n)));
                }
                Act::AcceptInDoubt(n) => {
                    let sealed = seal(1, &report(n));
                    let number =
                        spool.accept_in_doubt(&report(n), UnixSeconds(1), &sealed).unwrap();
                    model.push((number, report(n)));
                    doubt = Some(number);
                }
                Act::Remove(at) if at < model.len() => {
                    let (number, _) = model.remove(at);
                    spool.remove(number).unwrap();
                    doubt = doubt.filter(|doubtful| *doubtful != number);
                }
                Act::Remove(_) => {}
                Act::ClearDoubt => {
                    spool.clear_doubt().unwrap();
                    doubt = None;
                }
                Act::Restart => spool = Spool::open(dir.path(), BOUNDS).unwrap(),
            }
            let expected: Vec<_> = model.iter().map(|(_, data)| data.clone()).collect();
            prop_assert_eq!(contents(&mut spool), expected);
            prop_assert_eq!(spool.doubt().map(|doubt| doubt.number), doubt);
            prop_assert!(model.is_sorted_by_key(|(number, _)| *number));
        }
    }
}
