//! Permutations of short names and of keys: Feistel networks of eight rounds whose round function is
//! HMAC-SHA256 (Luby and Rackoff, 1988: four rounds make a strong one). A name and its pseudonym
//! can be computed from each other with the key, without a table, and by nobody without it.
//!
//! Must never be used for a space of less than 64 bits.

use crate::sign::hmac::mac;

/// Rounds; more than the four that the proof asks for, since half of a short name is 32 bits.
const ROUNDS: u8 = 8;

fn rounded(key: &[u8; 32], (domain, round): (u8, u8), half: &[u8]) -> [u8; 32] {
    mac(key, &[b"round\0".as_slice(), &[domain, round], half].concat())
}

fn word(key: &[u8; 32], round: u8, half: u32) -> u32 {
    let [a, b, c, d, ..] = rounded(key, (64, round), &half.to_be_bytes());
    u32::from_be_bytes([a, b, c, d])
}

/// Both halves of 64 bits, the upper one first.
fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

/// The pseudonym of a name of 64 bits.
pub(super) fn narrow(key: &[u8; 32], value: u64) -> u64 {
    let (mut left, mut right) = halves(value);
    for round in 0..ROUNDS {
        (left, right) = (right, left ^ word(key, round, right));
    }
    u64::from(left) << 32 | u64::from(right)
}

/// The name of 64 bits behind a pseudonym.
pub(super) fn narrow_back(key: &[u8; 32], value: u64) -> u64 {
    let (mut left, mut right) = halves(value);
    for round in (0..ROUNDS).rev() {
        (left, right) = (right ^ word(key, round, left), left);
    }
    u64::from(left) << 32 | u64::from(right)
}

fn wide_word(key: &[u8; 32], round: u8, half: u128) -> u128 {
    let digest = rounded(key, (255, round), &half.to_be_bytes());
    digest.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

fn parts(value: [u8; 32]) -> (u128, u128) {
    let sum = |half: &[u8]| half.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
    let (left, right) = value.split_at(16);
    (sum(left), sum(right))
}

fn whole(left: u128, right: u128) -> [u8; 32] {
    let mut out = [0; 32];
    let bytes = left.to_be_bytes().into_iter().chain(right.to_be_bytes());
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    out
}

/// The pseudonym of 32 bytes.
pub(super) fn wide(key: &[u8; 32], value: [u8; 32]) -> [u8; 32] {
    let (mut left, mut right) = parts(value);
    for round in 0..ROUNDS {
        (left, right) = (right, left ^ wide_word(key, round, right));
    }
    whole(left, right)
}

/// The 32 bytes behind a pseudonym.
pub(super) fn wide_back(key: &[u8; 32], value: [u8; 32]) -> [u8; 32] {
    let (mut left, mut right) = parts(value);
    for round in (0..ROUNDS).rev() {
        (left, right) = (right ^ wide_word(key, round, left), left);
    }
    whole(left, right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn there_and_back(key: [u8; 32], short: u64, long: [u8; 32]) {
            prop_assert_eq!(narrow_back(&key, narrow(&key, short)), short);
            prop_assert_eq!(wide_back(&key, wide(&key, long)), long);
            prop_assert_ne!(wide(&key, long), long);
        }
    }

    #[test]
    fn another_key_leads_elsewhere() {
        assert_ne!(narrow(&[1; 32], 7), narrow(&[2; 32], 7));
        assert_ne!(narrow(&[1; 32], 7), 7);
    }
}
