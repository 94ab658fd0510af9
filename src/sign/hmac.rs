//! Signatures with a pre-shared key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::hex;

/// Makes the key of version 2 reports different from every other use of the pre-shared key.
const REPORT_KEY: &str = "kattila/v2/report";

/// The signature of a version 1 report: HMAC-SHA256 over the bytes of `data`, as 64 digits.
pub fn v1(psk: &[u8], data: &[u8]) -> String {
    hex::encode(&mac(psk, data))
}

/// The signature of a version 2 report over its signing string, as 64 digits.
pub fn v2(psk: &[u8], signing_string: &str) -> String {
    hex::encode(&mac(&mac(psk, REPORT_KEY.as_bytes()), signing_string.as_bytes()))
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // RFC 2104 defines the MAC for keys of any length, so there is no error to return.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
