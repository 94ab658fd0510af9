//! Takes private and preshared keys out of the kernel's answer before anything reads it.
//!
//! The kernel hands both out with every look at a device. They are overwritten in the receive
//! buffer itself, so that no parser can copy them: a private key by zeros, a preshared key by
//! zeros or, if one is set, by ones.
//!
//! Layout: netlink messages of 16 octets of header, 4 of generic header, then attributes
//! (`struct nlattr`: length and type, two octets each, padded to four).

use std::ops::Range;

use zeroize::Zeroize as _;

/// Octets before a message's attributes: `struct nlmsghdr` and `struct genlmsghdr`.
const HEADERS: usize = 16 + 4;

/// Octets of an attribute's own header.
const ATTRIBUTE: usize = 4;

/// Bits of a type that are flags (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const TYPE_MASK: u16 = 0x3fff;

/// `WGDEVICE_A_PRIVATE_KEY`.
const PRIVATE_KEY: u16 = 3;

/// `WGDEVICE_A_PEERS`.
const PEERS: u16 = 8;

/// `WGPEER_A_PRESHARED_KEY`.
const PRESHARED_KEY: u16 = 2;

/// Overwrites the keys of all messages of a datagram.
pub(super) fn scrub(datagram: &mut [u8]) {
    let mut at = 0;
    while let Some(length) = number(datagram, at, 4).filter(|length| *length >= HEADERS) {
        let end = (at + length).min(datagram.len());
        device(datagram, at + HEADERS..end);
        at += length.next_multiple_of(4);
    }
}

fn device(bytes: &mut [u8], within: Range<usize>) {
    each(bytes, within, |bytes, kind, value| match kind {
        PRIVATE_KEY => wipe(bytes, value),
        PEERS => each(bytes, value, |bytes, _, peer| each(bytes, peer, preshared)),
        _ => {}
    });
}

fn preshared(bytes: &mut [u8], kind: u16, value: Range<usize>) {
    if kind != PRESHARED_KEY {
        return;
    }
    let is_set = bytes.get(value.clone()).is_some_and(|key| key.iter().any(|byte| *byte != 0));
    wipe(bytes, value.clone());
    if is_set && let Some(key) = bytes.get_mut(value) {
        key.fill(1);
    }
}

fn wipe(bytes: &mut [u8], range: Range<usize>) {
    if let Some(secret) = bytes.get_mut(range) {
        secret.zeroize();
    }
}

/// Visits the attributes that stand in a range, with the place of their value.
fn each(
    bytes: &mut [u8],
    within: Range<usize>,
    mut visit: impl FnMut(&mut [u8], u16, Range<usize>),
) {
    let mut at = within.start;
    while at + ATTRIBUTE <= within.end {
        let Some(length) = number(bytes, at, 2).filter(|length| *length >= ATTRIBUTE) else {
            return;
        };
        let kind = number(bytes, at + 2, 2).and_then(|kind| u16::try_from(kind).ok());
        // An attribute that claims to reach further is cut off, not passed over: its octets may
        // be a key all the same.
        let end = (at + length).min(within.end);
        visit(bytes, kind.unwrap_or_default() & TYPE_MASK, at + ATTRIBUTE..end);
        at += length.next_multiple_of(4);
    }
}

/// A number of the host's byte order.
fn number(bytes: &[u8], at: usize, octets: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + octets)?;
    match octets {
        2 => Some(u16::from_ne_bytes(bytes.try_into().ok()?).into()),
        _ => usize::try_from(u32::from_ne_bytes(bytes.try_into().ok()?)).ok(),
    }
}
