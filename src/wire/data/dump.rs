//! The text of `wg show all dump`, read as it stands between the quotes of its JSON string.
//!
//! The columns with private and preshared keys are only looked at, never unescaped or copied,
//! so that no second copy of a key has to be wiped.

use std::borrow::Cow;
use std::ops::Range;

use crate::model::key::WgKey;
use crate::model::report::Peer;

use super::notes::{At, Notes};
use super::scalar::Scalar;
use super::{hunt, peer, secret};
use crate::wire::limits::{INTERFACES, NAME_BYTES, PEERS};

/// What the dump says.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// WireGuard interfaces; the name is empty where the dump has no column for it.
    pub(super) interfaces: Vec<Device>,
    /// Peers; likewise.
    pub(super) peers: Vec<Peer>,
    /// Whether the text is empty or at least one line made sense. Otherwise it proves nothing.
    pub(super) understood: bool,
}

/// An interface line.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) public_key: Option<WgKey>,
    pub(super) listen_port: Option<u16>,
}

/// Where a line's columns are. wg(8) "show": an interface line is private key, public key,
/// listen port, fwmark; a peer line is public key, preshared key, endpoint, allowed ips, latest
/// handshake, received, sent, keepalive; `all` puts the interface's name first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    is_peer: bool,
    name: Option<usize>,
    /// The private or preshared key.
    secret: Option<usize>,
    /// The public key.
    key: usize,
    /// The first column after the keys.
    rest: usize,
}

impl Layout {
    /// Tells the layouts apart by their number of columns and whether they begin with a key.
    /// Lines from which the host cut the secret column are understood as well. Where the public
    /// key should be there must be something like one, or any sentence of five words would do.
    fn of(raw: &str, columns: &[Range<usize>]) -> Option<Self> {
        let column = |index: usize| {
            columns.get(index).and_then(|range| raw.get(range.clone())).unwrap_or_default()
        };
        let first = column(0);
        let key_first = secret::resembles_key(first) || secret::is_placeholder(first);
        let layout = |is_peer, name, secret, key, rest| Self { is_peer, name, secret, key, rest };
        let layout = match (columns.len(), key_first) {
            (5, _) => Some(layout(false, Some(0), Some(1), 2, 3)),
            (4, true) => Some(layout(false, None, Some(0), 1, 2)),
            (4, false) => Some(layout(false, Some(0), None, 1, 2)),
            (9, _) => Some(layout(true, Some(0), Some(2), 1, 3)),
            (8, true) => Some(layout(true, None, Some(1), 0, 2)),
            (8, false) => Some(layout(true, Some(0), None, 1, 2)),
            _ => None,
        };
        layout.filter(|layout: &Self| {
            let key = column(layout.key);
            secret::resembles_key(key) || (key == "(none)" && !layout.is_peer)
        })
    }
}

/// Calls `each` with every line's columns, as ranges of `raw`, the inside of a JSON string.
/// Columns are separated by tabs; spaces do as well, since no column holds one.
fn lines<'a>(raw: &'a str, mut each: impl FnMut(&[Range<usize>])) {
    let mut columns: Vec<Range<usize>> = Vec::with_capacity(9);
    let (mut start, mut at) = (0, 0);
    let bytes: &'a [u8] = raw.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let (meaning, length) = match byte {
            b'\\' => escape(bytes.get(at + 1..).unwrap_or_default()),
            other => (other, 1),
        };
        if matches!(meaning, b'\n' | b'\t' | b'\r' | b' ') {
            if at > start {
                columns.push(start..at);
            }
            start = at + length;
            if meaning == b'\n' {
                each(&columns);
                columns.clear();
            }
        }
        at += length;
    }
    if bytes.len() > start {
        columns.push(start..bytes.len());
    }
    each(&columns);
}

/// What the escape after a backslash means (a space's like, or anything else as `?`) and its
/// length with the backslash.
fn escape(after: &[u8]) -> (u8, usize) {
    match after.first() {
        Some(b'n') => (b'\n', 2),
        Some(b't') => (b'\t', 2),
        Some(b'r') => (b'\r', 2),
        Some(b'u') => {
            let code = after
                .get(1..5)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits.get(0..4)?, 16).ok());
            (code.unwrap_or(b'?'), 6)
        }
        _ => (b'?', 2),
    }
}

/// A column's text.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    match serde_json::from_str::<String>(&["\"", raw, "\""].concat()) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(raw),
    }
}

/// The inside of a JSON string, if the raw value is one.
fn inside(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a column holds a private or preshared key. In lines of no known layout everything
/// that resembles a key counts.
fn is_secret(raw: &str, layout: Option<Layout>, columns: &[Range<usize>], index: usize) -> bool {
    let column = columns.get(index).and_then(|range| raw.get(range.clone())).unwrap_or_default();
    match layout {
        Some(layout) => layout.secret == Some(index) && !secret::is_placeholder(column),
        None => secret::resembles_key(column),
    }
}

/// Calls `each` with every range of `raw` (the inside of a JSON string) that holds a private or
/// preshared key.
pub(super) fn secrets(raw: &str, mut each: impl FnMut(Range<usize>)) {
    lines(raw, |columns| {
        let layout = Layout::of(raw, columns);
        for (index, range) in columns.iter().enumerate() {
            if is_secret(raw, layout, columns, index) {
                each(range.clone());
            }
        }
    });
}

/// Whether a value of the member `wg_dump`, as it stands in the JSON text, holds a private or
/// preshared key.
pub(super) fn holds_secrets(value: &str) -> bool {
    let Some(raw) = inside(value) else { return !hunt::find(value).is_empty() };
    let mut found = false;
    secrets(raw, |_| found = true);
    found
}

/// Reads the member's value as it stands in the JSON text; `None` if it says nothing.
pub(super) fn read(value: &str, notes: &mut Notes) -> Result<Option<Dump>, &'static str> {
    let Some(raw) = inside(value) else {
        notes.had_secrets |= holds_secrets(value);
        if value != "null" {
            notes.add("wg_dump", "must be the text of `wg show all dump`");
        }
        return Ok(None);
    };
    let mut reader = Reader { raw, number: 0, full: None, dump: Dump::default(), notes };
    let mut any = false;
    lines(raw, |columns| {
        reader.number += 1;
        if !columns.is_empty() && reader.full.is_none() {
            any = true;
            reader.line(columns);
        }
    });
    let Reader { full, mut dump, notes, .. } = reader;
    if let Some((what, limit)) = full {
        return Err(notes.too_many(what, limit));
    }
    dump.understood = !any || !dump.interfaces.is_empty() || !dump.peers.is_empty();
    Ok(Some(dump))
}

struct Reader<'a, 'n> {
    raw: &'a str,
    number: usize,
    full: Option<(&'static str, usize)>,
    dump: Dump,
    notes: &'n mut Notes,
}

impl<'a> Reader<'a, '_> {
    fn column(&self, columns: &[Range<usize>], index: usize) -> Cow<'a, str> {
        let raw: &'a str = self.raw;
        unescape(columns.get(index).and_then(|range| raw.get(range.clone())).unwrap_or_default())
    }

    fn line(&mut self, columns: &[Range<usize>]) {
        let layout = Layout::of(self.raw, columns);
        self.notes.had_secrets |=
            (0..columns.len()).any(|index| is_secret(self.raw, layout, columns, index));
        let at = At { section: "wg_dump", index: self.number };
        match layout {
            Some(layout) if layout.is_peer => self.peer(columns, layout, at),
            Some(layout) => self.interface(columns, layout, at),
            None => self.notes.add(
                at,
                format!(
                    "is no line of `wg show all dump`: 5 columns for an interface, 9 for a peer, \
                     not {}, with a public key",
                    columns.len()
                ),
            ),
        }
    }

    /// The interface's name: empty if there is no column for it, `None` if it cannot be one.
    fn name(&mut self, columns: &[Range<usize>], layout: Layout, at: At) -> Option<String> {
        match layout.name {
            None => Some(String::new()),
            Some(index) => {
                let text = Scalar::Text(self.column(columns, index));
                self.notes.name(at.dot("interface"), NAME_BYTES, text)
            }
        }
    }

    fn interface(&mut self, columns: &[Range<usize>], layout: Layout, at: At) {
        let from = self.notes.count();
        let Some(name) = self.name(columns, layout, at) else { return };
        if self.dump.interfaces.iter().any(|known| known.name == name) {
            self.notes.add(at, "is a second line for its interface; the first one counts");
            self.notes.rename(from, at, || &name);
            return;
        }
        if self.dump.interfaces.len() >= INTERFACES {
            self.full = Some(("interfaces", INTERFACES));
            return;
        }
        let key = self.column(columns, layout.key);
        let public_key = match &*key {
            "(none)" => None,
            text => self.notes.key(at.dot("public_key"), text),
        };
        let port = Scalar::Text(self.column(columns, layout.rest));
        let port = self.notes.fitting(at.dot("listen_port"), "a port", &port);
        self.notes.rename(from, at, || &name);
        let listen_port = port.filter(|port| *port != 0);
        self.dump.interfaces.push(Device { name, public_key, listen_port });
    }

    fn peer(&mut self, columns: &[Range<usize>], layout: Layout, at: At) {
        if self.dump.peers.len() >= PEERS {
            self.full = Some(("WireGuard peers", PEERS));
            return;
        }
        let from = self.notes.count();
        let Some(interface) = self.name(columns, layout, at) else { return };
        let key = self.column(columns, layout.key);
        let Some(public_key) = self.notes.key(at.dot("public_key"), &key) else { return };
        let text = |index: usize| Scalar::Text(self.column(columns, layout.rest + index));
        let (endpoint, handshake) = (text(0), text(2));
        let (received, sent, keepalive) = (text(3), text(4), text(5));
        let allowed = self.column(columns, layout.rest + 1);
        let psk = layout.secret.and_then(|index| columns.get(index));
        let psk = psk.and_then(|range| self.raw.get(range.clone())).unwrap_or_default();
        let mut allowed_ips = Vec::new();
        if let Err(limit) = peer::split_allowed(&allowed, at, self.notes, &mut allowed_ips) {
            self.full = Some(limit);
            return;
        }
        self.dump.peers.push(Peer {
            interface,
            public_key,
            endpoint: peer::endpoint(at, self.notes, endpoint),
            allowed_ips,
            latest_handshake: peer::handshake(at, self.notes, &handshake),
            rx_bytes: self.notes.whole(at.dot("rx_bytes"), &received).unwrap_or_default(),
            tx_bytes: self.notes.whole(at.dot("tx_bytes"), &sent).unwrap_or_default(),
            persistent_keepalive: peer::keepalive(at, self.notes, &keepalive),
            has_psk: !secret::says_none(psk),
        });
        self.notes.rename(from, at, || public_key.short());
    }
}
