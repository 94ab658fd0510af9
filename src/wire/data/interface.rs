//! Interfaces: plain objects and those of `ip -j -s addr`, `ip -j -d addr`, `ip -j -s link`.

use serde::de::{MapAccess, SeqAccess};

use crate::model::report::{Counters, Interface, LinkState};

use super::net;
use super::notes::{At, Member, Notes, quote};
use super::prefixes::Prefixes;
use super::scalar::{self, Drive, Key, Scalar, Sink};
use super::section::Row;
use crate::wire::limits::{ADDRESSES, INTERFACES, NAME_BYTES};

/// Flags kept per interface; the kernel has 19 (`if.h`).
const MAX_FLAGS: usize = 32;

/// Longest flag kept, in bytes.
const MAX_FLAG: usize = 32;

/// An interface of which nothing but the name is known.
pub(super) fn named(name: String) -> Interface {
    Interface {
        name,
        mac: None,
        mtu: None,
        state: LinkState::Unknown,
        flags: Vec::new(),
        addresses: Vec::new(),
        public_key: None,
        listen_port: None,
        counters: Counters::default(),
    }
}

impl Row for Interface {
    const SECTION: &'static str = "interfaces";
    const WHAT: &'static str = "interfaces";
    const MOST: usize = INTERFACES;
    const CUT: bool = false;

    fn read<'de, A: MapAccess<'de>>(
        mut object: A,
        at: At,
        notes: &mut Notes,
        into: &mut Vec<Self>,
    ) -> Result<bool, A::Error> {
        let mut row = named(String::new());
        let (from, mut empty) = (notes.count(), true);
        while let Some(Key(key)) = object.next_key()? {
            empty = false;
            match &*key {
                "name" | "ifname" => {
                    let name = scalar::value(&mut object, notes)?;
                    let name = notes.name(at.dot("name"), NAME_BYTES, name);
                    row.name = name.unwrap_or_default();
                }
                "flags" => object.next_value_seed(Drive(Flags {
                    notes,
                    path: at.dot("flags"),
                    into: &mut row.flags,
                }))?,
                "addresses" | "addr_info" => object.next_value_seed(Drive(Prefixes {
                    notes,
                    path: at.dot("addresses"),
                    most: ("addresses on one interface", ADDRESSES),
                    network: false,
                    into: &mut row.addresses,
                }))?,
                "stats64" | "stats" => object.next_value_seed(Drive(Stats {
                    notes,
                    path: at.dot("stats64"),
                    into: &mut row.counters,
                }))?,
                plain if is_plain(plain) => {
                    let value = scalar::value(&mut object, notes)?;
                    member(&mut row, plain, &value, at, notes);
                }
                other => scalar::skip(&mut object, other, notes)?,
            }
        }
        if !row.name.is_empty() {
            notes.rename(from, at, || &row.name);
            into.push(row);
        } else if !empty && notes.count() == from {
            notes.add(at, "has no name");
        }
        Ok(!empty)
    }
}

/// Whether [`member`] knows what to do with a member.
fn is_plain(key: &str) -> bool {
    matches!(
        key,
        "mac"
            | "address"
            | "mtu"
            | "state"
            | "operstate"
            | "rx_bytes"
            | "tx_bytes"
            | "rx_errors"
            | "tx_errors"
            | "rx_dropped"
            | "tx_dropped"
            | "public_key"
            | "listen_port"
    )
}

/// Takes a plain value.
fn member(row: &mut Interface, key: &str, value: &Scalar<'_>, at: At, notes: &mut Notes) {
    match key {
        "mac" => row.mac = mac(value, Some(at.dot("mac")), notes).or(row.mac.take()),
        // For a tunnel, iproute2 prints its local IP address here.
        "address" => row.mac = row.mac.take().or_else(|| mac(value, None, notes)),
        "mtu" => row.mtu = notes.fitting(at.dot("mtu"), "a number of bytes", value),
        "state" | "operstate" => row.state = state(value, at, notes),
        "public_key" => {
            row.public_key = match value {
                Scalar::Null => None,
                Scalar::Text(text) if matches!(&**text, "" | "(none)") => None,
                Scalar::Text(text) => notes.key(at.dot("public_key"), text),
                other => {
                    notes.wrong(at.dot("public_key"), "a key in base64", other);
                    None
                }
            };
        }
        "listen_port" => {
            let port: Option<u16> = notes.fitting(at.dot("listen_port"), "a port", value);
            // The kernel says 0 before the first bind.
            row.listen_port = port.filter(|port| *port != 0);
        }
        "rx_bytes" => row.counters.rx_bytes = notes.whole(at.dot("rx_bytes"), value),
        "tx_bytes" => row.counters.tx_bytes = notes.whole(at.dot("tx_bytes"), value),
        "rx_errors" => row.counters.rx_errors = notes.whole(at.dot("rx_errors"), value),
        "tx_errors" => row.counters.tx_errors = notes.whole(at.dot("tx_errors"), value),
        "rx_dropped" => row.counters.rx_dropped = notes.whole(at.dot("rx_dropped"), value),
        "tx_dropped" => row.counters.tx_dropped = notes.whole(at.dot("tx_dropped"), value),
        _ => {}
    }
}

/// A link-layer address; a value that is none is a problem only where `path` is given.
fn mac(value: &Scalar<'_>, path: Option<Member>, notes: &mut Notes) -> Option<String> {
    let mac = match value {
        Scalar::Text(text) => net::mac(text),
        _ => None,
    };
    if let (None, Some(path), false) = (&mac, path, value.is_absent()) {
        notes.wrong(path, "a link-layer address", value);
    }
    mac.filter(|mac| !net::is_zero_mac(mac))
}

/// The words of `operstate` (RFC 2863, kernel `Documentation/networking/operstates.rst`). Only
/// `UP` passes packets; of the rest, `UNKNOWN` alone may.
fn state(value: &Scalar<'_>, at: At, notes: &mut Notes) -> LinkState {
    const DOWN: [&str; 5] = ["down", "lowerlayerdown", "notpresent", "dormant", "testing"];
    match value {
        Scalar::Text(text) if text.eq_ignore_ascii_case("up") => LinkState::Up,
        Scalar::Text(text) if text.is_empty() || text.eq_ignore_ascii_case("unknown") => {
            LinkState::Unknown
        }
        Scalar::Text(text) if DOWN.iter().any(|word| text.eq_ignore_ascii_case(word)) => {
            LinkState::Down
        }
        Scalar::Null => LinkState::Unknown,
        other => {
            notes.wrong(at.dot("state"), "up, down or unknown", other);
            LinkState::Unknown
        }
    }
}

/// Reads flags.
struct Flags<'a> {
    notes: &'a mut Notes,
    path: Member,
    into: &'a mut Vec<String>,
}

impl<'de> Sink<'de> for Flags<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong(self.path, "a list of words", &value);
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.into.reserve(list.size_hint().unwrap_or(6).min(MAX_FLAGS));
        let mut index = 0;
        while let Some(value) = scalar::element(&mut list, self.notes)? {
            match value {
                Scalar::Text(word)
                    if (1..=MAX_FLAG).contains(&word.len())
                        && word.bytes().all(|b| b.is_ascii_graphic()) =>
                {
                    if self.into.len() < MAX_FLAGS {
                        self.into.push(word.into_owned());
                    }
                }
                Scalar::Text(word) => {
                    let detail = format!("{} is not a flag", quote(&word));
                    self.notes.add(self.path.nth(index), detail);
                }
                other => self.notes.wrong(self.path.nth(index), "a word", &other),
            }
            index += 1;
        }
        Ok(())
    }
}

/// Reads `stats64`.
struct Stats<'a> {
    notes: &'a mut Notes,
    path: Member,
    into: &'a mut Counters,
}

impl<'de> Sink<'de> for Stats<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong(self.path, "an object with rx and tx", &value);
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { notes, path, into } = self;
        while let Some(Key(key)) = object.next_key()? {
            let counts = match &*key {
                "rx" => [&mut into.rx_bytes, &mut into.rx_errors, &mut into.rx_dropped],
                "tx" => [&mut into.tx_bytes, &mut into.tx_errors, &mut into.tx_dropped],
                other => {
                    scalar::skip(&mut object, other, notes)?;
                    continue;
                }
            };
            object.next_value_seed(Drive(Direction { notes, path, counts }))?;
        }
        Ok(())
    }
}

/// Reads one direction of `stats64`: bytes, errors, dropped.
struct Direction<'a, 'n> {
    notes: &'n mut Notes,
    path: Member,
    counts: [&'a mut Option<u64>; 3],
}

impl<'de> Sink<'de> for Direction<'_, '_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong(self.path, "counters in objects rx and tx", &value);
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let [bytes, errors, dropped] = self.counts;
        while let Some(Key(key)) = object.next_key()? {
            let count = match &*key {
                "bytes" => &mut *bytes,
                "errors" => &mut *errors,
                "dropped" => &mut *dropped,
                other => {
                    scalar::skip(&mut object, other, self.notes)?;
                    continue;
                }
            };
            let value = scalar::value(&mut object, self.notes)?;
            *count = self.notes.whole(self.path, &value);
        }
        Ok(())
    }
}
