//! WireGuard peers: the objects of `wg_peers`, and the values they share with `wg_dump`.

use serde::de::MapAccess;
use serde_json::value::RawValue;

use crate::model::report::Peer;
use crate::model::time::UnixSeconds;

use super::net::{self, Endpoint};
use super::notes::{At, Notes, quote};
use super::prefixes::Prefixes;
use super::scalar::{self, Drive, Key, Scalar};
use super::secret;
use super::section::Row;
use crate::wire::limits::{ALLOWED_IPS, NAME_BYTES, PEERS};

/// The end of the year 9999: later handshakes are milliseconds or rubbish.
const LATEST: i64 = 253_402_300_799;

impl Row for Peer {
    const SECTION: &'static str = "wg_peers";
    const WHAT: &'static str = "WireGuard peers";
    const MOST: usize = PEERS;
    const CUT: bool = false;

    fn read<'de, A: MapAccess<'de>>(
        mut object: A,
        at: At,
        notes: &mut Notes,
        into: &mut Vec<Self>,
    ) -> Result<bool, A::Error> {
        let (from, mut empty, mut key) = (notes.count(), true, Scalar::Null);
        let mut row = Draft::default();
        while let Some(Key(name)) = object.next_key()? {
            empty = false;
            match &*name {
                "public_key" => key = scalar::value(&mut object, notes)?,
                "allowed_ips" => {
                    object.next_value_seed(Drive(allowed(at, notes, &mut row.allowed_ips)))?
                }
                psk if secret::is_preshared_name(psk) => {
                    let raw: &'de RawValue = object.next_value()?;
                    notes.had_secrets |= secret::is_secret_value(raw.get());
                    row.has_psk |= secret::tells_of_key(raw.get());
                }
                plain if is_plain(plain) => {
                    let value = scalar::value(&mut object, notes)?;
                    row.member(plain, value, at, notes);
                }
                other => scalar::skip(&mut object, other, notes)?,
            }
        }
        let public_key = match &key {
            Scalar::Text(text) => notes.key(at.dot("public_key"), text),
            Scalar::Null if empty => None,
            other => {
                notes.wrong(at.dot("public_key"), "a key in base64", other);
                None
            }
        };
        if let Some(public_key) = public_key {
            notes.rename(from, at, || public_key.short());
            into.push(Self {
                interface: row.interface,
                public_key,
                endpoint: row.endpoint,
                allowed_ips: row.allowed_ips,
                latest_handshake: row.latest_handshake,
                rx_bytes: row.rx_bytes,
                tx_bytes: row.tx_bytes,
                persistent_keepalive: row.persistent_keepalive,
                has_psk: row.has_psk,
            });
        }
        Ok(!empty)
    }
}

/// A peer whose key is not known yet.
#[derive(Default)]
struct Draft {
    interface: String,
    endpoint: Option<String>,
    allowed_ips: Vec<ipnet::IpNet>,
    latest_handshake: UnixSeconds,
    rx_bytes: u64,
    tx_bytes: u64,
    persistent_keepalive: u16,
    has_psk: bool,
}

/// Whether [`Draft::member`] knows what to do with a member.
fn is_plain(name: &str) -> bool {
    matches!(
        name,
        "interface"
            | "endpoint"
            | "latest_handshake"
            | "rx_bytes"
            | "tx_bytes"
            | "persistent_keepalive"
            | "has_psk"
    )
}

impl Draft {
    /// Takes a plain value.
    fn member(&mut self, name: &str, value: Scalar<'_>, at: At, notes: &mut Notes) {
        match name {
            "interface" => {
                let name = notes.name(at.dot("interface"), NAME_BYTES, value);
                self.interface = name.unwrap_or_default();
            }
            "endpoint" => self.endpoint = endpoint(at, notes, value),
            "latest_handshake" => self.latest_handshake = handshake(at, notes, &value),
            "rx_bytes" => {
                self.rx_bytes = notes.whole(at.dot("rx_bytes"), &value).unwrap_or_default();
            }
            "tx_bytes" => {
                self.tx_bytes = notes.whole(at.dot("tx_bytes"), &value).unwrap_or_default();
            }
            "persistent_keepalive" => self.persistent_keepalive = keepalive(at, notes, &value),
            "has_psk" => match value {
                Scalar::Bool(has) => self.has_psk |= has,
                Scalar::Null => {}
                other => notes.wrong(at.dot("has_psk"), "true or false", &other),
            },
            _ => {}
        }
    }
}

fn allowed<'a>(at: At, notes: &'a mut Notes, into: &'a mut Vec<ipnet::IpNet>) -> Prefixes<'a> {
    let most = ("allowed ips of one peer", ALLOWED_IPS);
    Prefixes { notes, path: at.dot("allowed_ips"), most, network: true, into }
}

/// Reads allowed ips separated by commas; `Err` if there are too many.
pub(super) fn split_allowed(
    text: &str,
    at: At,
    notes: &mut Notes,
    into: &mut Vec<ipnet::IpNet>,
) -> Result<(), (&'static str, usize)> {
    allowed(at, notes, into).split(text)
}

/// An endpoint that can be used, as it was told.
pub(super) fn endpoint(at: At, notes: &mut Notes, value: Scalar<'_>) -> Option<String> {
    let Scalar::Text(text) = value else {
        if value != Scalar::Null {
            notes.wrong(at.dot("endpoint"), "address:port", &value);
        }
        return None;
    };
    match net::endpoint(&text) {
        Endpoint::None => None,
        Endpoint::Good => Some(text.into_owned()),
        Endpoint::Odd(remark) => {
            notes.add(at.dot("endpoint"), format!("{} {remark}", quote(&text)));
            Some(text.into_owned())
        }
        Endpoint::Bad(problem) => {
            notes.add(at.dot("endpoint"), format!("{} {problem}", quote(&text)));
            None
        }
    }
}

/// A time of handshake in Unix seconds; what cannot be one counts as never.
pub(super) fn handshake(at: At, notes: &mut Notes, value: &Scalar<'_>) -> UnixSeconds {
    match value.signed() {
        Some(seconds) if (0..=LATEST).contains(&seconds) => UnixSeconds(seconds),
        _ => {
            if !value.is_absent() {
                notes.wrong(at.dot("latest_handshake"), "a time in Unix seconds", value);
            }
            UnixSeconds(0)
        }
    }
}

/// Seconds between keepalives, or `off`.
pub(super) fn keepalive(at: At, notes: &mut Notes, value: &Scalar<'_>) -> u16 {
    match value {
        Scalar::Text(text) if matches!(&**text, "off" | "(none)") => 0,
        Scalar::Bool(false) => 0,
        other => notes
            .fitting(at.dot("persistent_keepalive"), "off or 1 to 65535 seconds", other)
            .unwrap_or_default(),
    }
}
