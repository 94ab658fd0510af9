//! Which key made a signature. Every key is tried and the results are joined, so that the time
//! taken tells neither which key matched nor how far a wrong one went.

use crate::keys::ring::Psk;
use crate::model::id::Kid;
use crate::model::key::IdentityKey;
use crate::model::state::CanonForm;
use crate::sign::ed25519;
use crate::sign::hmac;
use crate::wire::canon::Forms;
use crate::wire::envelope::{HeadV2, SignatureV2};
use crate::wire::signing::text_of;

/// The key and the form of a version 1 signature. Forms after the one that holds are not
/// tried: which form an agent signs is no secret.
pub(super) fn find_v1<'a>(
    keys: impl Iterator<Item = &'a Psk>,
    data: &[u8],
    forms: impl Iterator<Item = CanonForm>,
    mac: &[u8; 32],
) -> Option<(Kid, CanonForm)> {
    let keys: Vec<&Psk> = keys.collect();
    let texts = Forms::new(data);
    for form in forms {
        let bytes = texts.get(form);
        let mut found = None;
        for key in &keys {
            found = found.or(hmac::is_mac(&key.secret, &bytes, mac).then_some(&key.kid));
        }
        if let Some(kid) = found {
            return Some((kid.clone(), form));
        }
    }
    None
}

/// The key of a version 2 signature. `kid` is only a hint: a signature made with a known key
/// under another name holds, and names the key that made it.
pub(super) fn find_v2<'a>(
    keys: impl Iterator<Item = &'a Psk>,
    head: &HeadV2<'_>,
    data_sha256: [u8; 32],
) -> Option<Kid> {
    let SignatureV2::Hmac(mac) = &head.signature else { return None };
    let text = text_of(head, data_sha256);
    let mut found = None;
    for key in keys {
        found = found.or(is_report_mac(&key.secret, &text, mac).then_some(&key.kid));
    }
    found.cloned()
}

/// A sound key that nobody signs with (RFC 8032, 7.1, test 1): agents without a key of their
/// own are checked against it, so that the time taken does not tell who has one.
const DECOY: IdentityKey = IdentityKey([
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
]);

/// The shared key that made a relay's signature.
pub(super) fn find_relay<'a>(
    keys: impl Iterator<Item = &'a Psk>,
    text: &str,
    mac: &[u8; 32],
) -> Option<Kid> {
    let mut found = None;
    for key in keys {
        found = found.or(is_relay_mac(&key.secret, text, mac).then_some(&key.kid));
    }
    found.cloned()
}

/// Whether a shared key made a relay's signature.
pub(super) fn is_relay_mac(secret: &[u8], text: &str, mac: &[u8; 32]) -> bool {
    hmac::is_mac(hmac::relay_key(secret).as_slice(), text.as_bytes(), mac)
}

/// Whether the key pinned to an agent, if one is, signed a text.
pub(super) fn pinned_signed(
    pinned: Option<&IdentityKey>,
    text: &str,
    signature: &[u8; 64],
) -> bool {
    ed25519::holds(pinned.unwrap_or(&DECOY), text.as_bytes(), signature) && pinned.is_some()
}

/// Whether the key pinned to the agent made a version 2 signature.
pub(super) fn is_by_pinned(
    pinned: Option<&IdentityKey>,
    head: &HeadV2<'_>,
    data_sha256: [u8; 32],
) -> bool {
    holds_own(pinned.unwrap_or(&DECOY), head, data_sha256) && pinned.is_some()
}

/// Whether a version 2 signature made with an agent's own key holds.
pub(super) fn holds_own(key: &IdentityKey, head: &HeadV2<'_>, data_sha256: [u8; 32]) -> bool {
    let SignatureV2::Ed25519(signature) = &head.signature else { return false };
    ed25519::holds(key, text_of(head, data_sha256).as_bytes(), signature)
}

/// Whether a version 1 signature holds.
pub(super) fn holds_v1(secret: &[u8], data: &[u8], form: CanonForm, mac: &[u8; 32]) -> bool {
    hmac::is_mac(secret, &Forms::new(data).get(form), mac)
}

/// Whether a version 2 signature made with a shared key holds.
pub(super) fn holds_v2(secret: &[u8], head: &HeadV2<'_>, data_sha256: [u8; 32]) -> bool {
    let SignatureV2::Hmac(mac) = &head.signature else { return false };
    is_report_mac(secret, &text_of(head, data_sha256), mac)
}

fn is_report_mac(secret: &[u8], text: &str, mac: &[u8; 32]) -> bool {
    hmac::is_mac(hmac::report_key(secret).as_slice(), text.as_bytes(), mac)
}
