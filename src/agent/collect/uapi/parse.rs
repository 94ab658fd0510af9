//! The answer to `get=1`: lines of `key=value`, ended by an empty one.
//!
//! Fed in pieces of any size. The private key becomes the public one, a preshared key becomes a
//! yes or no, and both are wiped at once; no other value of theirs is ever made, and no error
//! quotes what was read.

use std::net::SocketAddr;

use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

use crate::agent::collect::device::{Device, Endpoint};
use crate::model::hex::nibble;
use crate::model::key::WgKey;
use crate::model::time::UnixSeconds;

/// Longest line; the longest real one, a key, has 77 octets.
const LINE_BYTES: usize = 1024;

/// Longest endpoint with a zone: an address, an interface's name and a port.
const ENDPOINT_BYTES: usize = 128;

/// Why an answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Broken {
    /// The daemon says no.
    #[error("it refuses with error {0}")]
    Refused(i32),
    /// A line, or all of them, without an end.
    #[error("its answer is too long")]
    TooLong,
    /// The answer stopped in its middle.
    #[error("its answer broke off")]
    Unfinished,
}

/// Reads an answer.
pub(super) struct Reader {
    device: Device,
    /// The line so far; never grows beyond its first capacity, so no copy is left behind.
    line: Zeroizing<Vec<u8>>,
    /// Whether the lines are about a peer that is kept.
    place: Place,
    errno: i32,
}

/// What the lines are about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Device,
    Peer,
    /// A peer that is left out.
    Nothing,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            device: Device::default(),
            line: Zeroizing::new(Vec::with_capacity(LINE_BYTES)),
            place: Place::Device,
            errno: 0,
        }
    }
}

impl Reader {
    /// Takes a piece of the answer; whether it was the last one.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<bool, Broken> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            if self.line.len() + text.len() > LINE_BYTES {
                return Err(Broken::TooLong);
            }
            self.line.extend_from_slice(text);
            if !ends {
                continue;
            }
            if self.line.is_empty() {
                return if self.errno == 0 { Ok(true) } else { Err(Broken::Refused(self.errno)) };
            }
            let line = std::mem::replace(&mut self.line, Zeroizing::new(Vec::new()));
            self.take(&line);
            self.line = line;
            self.line.zeroize();
        }
        Ok(false)
    }

    /// What was read, once [`Reader::feed`] said that it was the last piece.
    pub(super) fn finish(self) -> Device {
        self.device
    }

    /// Takes a line. Keys that are not known are passed over: the protocol grows.
    fn take(&mut self, line: &[u8]) {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
            self.device.unreadable += 1;
            return;
        };
        let (key, value) = (text.get(..equals), text.get(equals + 1..));
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        let understood = match key {
            b"private_key" => self.private_key(value),
            b"public_key" => self.public_key(value),
            b"preshared_key" => self.preshared_key(value),
            _ => match (std::str::from_utf8(key), std::str::from_utf8(value)) {
                (Ok(key), Ok(value)) => self.plain(key, value).is_some(),
                _ => false,
            },
        };
        if !understood {
            self.device.unreadable += 1;
        }
    }

    fn private_key(&mut self, value: &[u8]) -> bool {
        let Some(private) = octets(value) else { return false };
        // All zero: no key is set.
        self.device.public_key = private.iter().any(|byte| *byte != 0).then(|| {
            let secret = StaticSecret::from(*private);
            WgKey(PublicKey::from(&secret).to_bytes())
        });
        true
    }

    fn public_key(&mut self, value: &[u8]) -> bool {
        let key = octets(value).map(|key| WgKey(*key));
        self.place = Place::Nothing;
        if let Some(key) = key
            && self.device.begin(key).is_some()
        {
            self.place = Place::Peer;
        }
        key.is_some()
    }

    fn preshared_key(&mut self, value: &[u8]) -> bool {
        if self.place == Place::Peer
            && let Some(peer) = self.device.peers.last_mut()
        {
            peer.has_psk = value.iter().any(|digit| *digit != b'0');
        }
        !value.is_empty()
    }

    /// Takes a line that holds no key; `None` if its value is not understood.
    fn plain(&mut self, key: &str, value: &str) -> Option<()> {
        match (key, self.place) {
            ("errno", _) => self.errno = value.parse().ok()?,
            ("listen_port", Place::Device) => self.device.listen_port = value.parse().ok()?,
            ("fwmark", Place::Device) => self.device.fwmark = value.parse().ok()?,
            ("allowed_ip", Place::Peer) => self.device.allow(value.parse().ok()?),
            ("allowed_ip", Place::Nothing) => self.device.left_out += 1,
            (_, Place::Peer) => self.of_peer(key, value)?,
            (_, Place::Device | Place::Nothing) => {}
        }
        Some(())
    }

    fn of_peer(&mut self, key: &str, value: &str) -> Option<()> {
        let peer = self.device.peers.last_mut()?;
        match key {
            "endpoint" => peer.endpoint = Some(endpoint(value)?),
            "persistent_keepalive_interval" => peer.persistent_keepalive = value.parse().ok()?,
            "rx_bytes" => peer.rx_bytes = value.parse().ok()?,
            "tx_bytes" => peer.tx_bytes = value.parse().ok()?,
            "last_handshake_time_sec" => {
                peer.latest_handshake = UnixSeconds(value.parse::<i64>().ok()?.max(0));
            }
            _ => {}
        }
        Some(())
    }
}

/// The octets of a key of 64 hexadecimal digits.
fn octets(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0_u8; 32]);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != key.len() {
        return None;
    }
    for (octet, [high, low]) in key.iter_mut().zip(pairs) {
        *octet = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(key)
}

/// `address:port`, `[address]:port` or `[address%zone]:port`.
fn endpoint(text: &str) -> Option<Endpoint> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Endpoint::Plain(address));
    }
    let (address, rest) = text.strip_prefix('[')?.split_once('%')?;
    let (zone, port) = rest.split_once("]:")?;
    let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
    let is_zone = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = is_address && is_zone && port.parse::<u16>().is_ok() && text.len() <= ENDPOINT_BYTES;
    fits.then(|| Endpoint::Zoned { text: text.to_owned(), zone: zone.to_owned() })
}

#[cfg(test)]
mod tests;
