//! HMAC-SHA256 (RFC 2104, FIPS 198-1) as both generations of agents use it.
//!
//! The first generation signs the bytes of `data` with the shared key itself; the second signs
//! a text with a key derived for that one purpose, so that a signature made for one thing can
//! never be taken for another. Comparisons take the same time wherever the first difference is.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::hex;
use crate::wire::signing::{REGISTER_KEY, RELAY_KEY, REPORT_KEY};

/// A key made from a shared key for one purpose; wiped when dropped.
pub type DerivedKey = Zeroizing<[u8; 32]>;

/// HMAC-SHA256 of a message.
pub fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key, message).finalize().into_bytes().into()
}

/// Whether `tag` is the HMAC-SHA256 of a message; constant time in the tag.
pub fn is_mac(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    keyed(key, message).verify_slice(tag).is_ok()
}

/// The signature of a first-generation report, in lowercase hexadecimal. `data` are the exact
/// bytes that will be sent.
pub fn v1(psk: &[u8], data: &[u8]) -> String {
    hex::encode(&mac(psk, data))
}

/// The signature of a second-generation report, in lowercase hexadecimal. `signing_string` is
/// what [`crate::wire::signing::Report::text`] returns.
pub fn v2(psk: &[u8], signing_string: &str) -> String {
    hex::encode(&mac(report_key(psk).as_slice(), signing_string.as_bytes()))
}

/// The key that signs second-generation reports.
pub fn report_key(psk: &[u8]) -> DerivedKey {
    Zeroizing::new(mac(psk, REPORT_KEY.as_bytes()))
}

/// The key that vouches for second-generation enrolments.
pub fn register_key(psk: &[u8]) -> DerivedKey {
    Zeroizing::new(mac(psk, REGISTER_KEY.as_bytes()))
}

/// The key that signs what relays wrap around reports.
pub fn relay_key(psk: &[u8]) -> DerivedKey {
    Zeroizing::new(mac(psk, RELAY_KEY.as_bytes()))
}

fn keyed(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104)")]
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    hmac.update(message);
    hmac
}
