//! How an hour of an agent is written into one value: numbers of seven bits to a byte, lowest
//! first (LEB128), and nothing for what is zero or not told.
//!
//! A row is a version, how many slots each series has, and the series: its number among the
//! agent's names of that day, then its slots. A slot is a byte that says what it has (bit 0:
//! anything, 1: a handshake's age, 2 to 7: each counter), and if it has anything: the samples, the
//! seconds covered, a byte that says which counters did not stand still (bits 2 to 7), of each of
//! those the sum, the least rate and what the greatest has more, and of the age the last and what
//! the greatest has more.

use crate::model::key::WgKey;
use crate::model::metric::{Age, COUNTERS, Flow, Slot, Subject};

/// The one version there is.
const VERSION: u8 = 1;

/// A slot of which something is known.
const KNOWN: u8 = 1;
const AGED: u8 = 2;
/// The bit of the first counter; each next one has the next.
const FIRST: u8 = 4;

/// Series of one agent by their numbers of that day.
pub(super) type Numbered = Vec<(u64, Vec<Option<Slot>>)>;

/// Writes series of so many slots each.
pub(super) fn encode<'s>(
    slots: usize,
    series: impl ExactSizeIterator<Item = (u64, &'s [Option<Slot>])>,
) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, slots as u64);
    put(&mut out, series.len() as u64);
    for (number, known) in series {
        put(&mut out, number);
        for place in 0..slots {
            put_slot(&mut out, known.get(place).copied().flatten());
        }
    }
    out
}

fn put_slot(out: &mut Vec<u8>, slot: Option<Slot>) {
    let Some(slot) = slot else { return out.push(0) };
    let (mut told, mut moving) = (KNOWN | if slot.age.is_some() { AGED } else { 0 }, 0);
    let mut bit = FIRST;
    for flow in slot.flows {
        told |= if flow.is_some() { bit } else { 0 };
        moving |= if flow.is_some_and(|flow| flow != Flow::default()) { bit } else { 0 };
        bit = bit.wrapping_shl(1);
    }
    out.push(told);
    put(out, u64::from(slot.samples));
    put(out, u64::from(slot.covered_s));
    if told >= FIRST {
        out.push(moving);
    }
    for flow in slot.flows.into_iter().flatten().filter(|flow| *flow != Flow::default()) {
        put(out, flow.sum);
        put(out, flow.min);
        put(out, flow.max.saturating_sub(flow.min));
    }
    if let Some(age) = slot.age {
        put(out, age.last);
        put(out, age.max.saturating_sub(age.last));
    }
}

/// Reads them back; `None` if they are damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<Numbered> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    let rest = &mut rest;
    let slots = usize::try_from(take(rest)?).ok()?;
    let count = take(rest)?;
    let mut series = Vec::new();
    for _ in 0..count {
        let number = take(rest)?;
        // Each slot takes a byte at least, so what is damaged ends before it has taken much.
        let known: Option<Vec<_>> = (0..slots).map(|_| take_slot(rest)).collect();
        series.push((number, known?));
    }
    rest.is_empty().then_some(series)
}

fn take_slot(rest: &mut &[u8]) -> Option<Option<Slot>> {
    let told = byte(rest)?;
    if told & KNOWN == 0 {
        return Some(None);
    }
    let mut slot = Slot {
        samples: u32::try_from(take(rest)?).ok()?,
        covered_s: u32::try_from(take(rest)?).ok()?,
        ..Slot::default()
    };
    let moving = if told >= FIRST { byte(rest)? } else { 0 };
    let mut flows = [None; COUNTERS];
    let mut bit = FIRST;
    for flow in &mut flows {
        if told & bit != 0 {
            *flow = Some(if moving & bit == 0 { Flow::default() } else { take_flow(rest)? });
        }
        bit = bit.wrapping_shl(1);
    }
    slot.flows = flows;
    if told & AGED != 0 {
        let last = take(rest)?;
        slot.age = Some(Age { last, max: last.checked_add(take(rest)?)? });
    }
    Some(Some(slot))
}

fn take_flow(rest: &mut &[u8]) -> Option<Flow> {
    let (sum, min) = (take(rest)?, take(rest)?);
    Some(Flow { sum, min, max: min.checked_add(take(rest)?)? })
}

/// Writes the names of a day: each a kind, a length, the interface, and of a peer its key.
pub(super) fn encode_names(names: &[Subject]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for name in names {
        let (kind, interface, key) = match name {
            Subject::Interface(interface) => (0, interface, None),
            Subject::Peer(interface, key) => (1, interface, Some(key)),
        };
        out.push(kind);
        put(&mut out, interface.len() as u64);
        out.extend_from_slice(interface.as_bytes());
        out.extend(key.iter().flat_map(|key| key.0));
    }
    out
}

/// Reads them back, in order; `None` if they are damaged.
pub(super) fn decode_names(bytes: &[u8]) -> Option<Vec<Subject>> {
    let mut rest = bytes.strip_prefix(&[VERSION])?;
    let rest = &mut rest;
    let mut names = Vec::new();
    while !rest.is_empty() {
        let kind = byte(rest)?;
        let length = usize::try_from(take(rest)?).ok()?;
        let (interface, after) = rest.split_at_checked(length)?;
        *rest = after;
        let interface = String::from_utf8(interface.to_vec()).ok()?;
        names.push(match kind {
            0 => Subject::Interface(interface),
            1 => {
                let (key, after) = rest.split_first_chunk::<32>()?;
                *rest = after;
                Subject::Peer(interface, WgKey(*key))
            }
            _ => return None,
        });
    }
    Some(names)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = byte(rest)?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow() -> impl Strategy<Value = Option<Flow>> {
        prop::option::of((any::<u64>(), 0..1_u64 << 50, 0..1_u64 << 50).prop_map(
            |(sum, min, more)| {
                if sum % 3 == 0 { Flow::default() } else { Flow { sum, min, max: min + more } }
            },
        ))
    }

    fn slot() -> impl Strategy<Value = Option<Slot>> {
        let age = prop::option::of((0..1_u64 << 33, 0..1_u64 << 33))
            .prop_map(|age| age.map(|(last, more)| Age { last, max: last + more }));
        let slot = (any::<u32>(), any::<u32>(), prop::array::uniform6(flow()), age)
            .prop_map(|(samples, covered_s, flows, age)| Slot { samples, covered_s, flows, age });
        prop::option::of(slot)
    }

    fn name() -> impl Strategy<Value = Subject> {
        let interface = "[a-z0-9.é]{0,15}";
        (interface, any::<bool>(), any::<[u8; 32]>()).prop_map(|(interface, peer, key)| {
            if peer { Subject::Peer(interface, WgKey(key)) } else { Subject::Interface(interface) }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            series in prop::collection::vec((any::<u64>(), prop::collection::vec(slot(), 12)), 0..5),
        ) {
            let written = encode(12, series.iter().map(|(n, slots)| (*n, slots.as_slice())));
            prop_assert_eq!(decode(&written), Some(series));
            for cut in 0..written.len() {
                prop_assert!(decode(&written[..cut]).is_none());
            }
        }

        #[test]
        fn names_are_read_as_they_were(names in prop::collection::vec(name(), 0..8)) {
            prop_assert_eq!(decode_names(&encode_names(&names)), Some(names));
        }

        #[test]
        fn nonsense_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read = (decode(&bytes), decode_names(&bytes));
        }
    }

    #[test]
    fn an_idle_series_takes_five_bytes_a_slot() {
        let still = Some(Flow::default());
        let idle = Slot { samples: 10, covered_s: 300, flows: [still; 6], age: None };
        let bytes = encode(12, [(3, [Some(idle); 12].as_slice())].into_iter());
        assert_eq!(bytes.len(), 4 + 12 * 5);
    }
}
