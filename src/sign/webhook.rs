//! Signatures of webhooks as Standard Webhooks has them (standard-webhooks/spec, version 1.0.0):
//! HMAC-SHA256 over `id.timestamp.body`, so that any receiver's library can check them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::hmac::mac;
use crate::model::time::UnixSeconds;

/// What a secret's text begins with.
const PREFIX: &str = "whsec_";

/// Fewest and most bytes of a secret (Standard Webhooks, "Signature scheme").
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The bytes of a secret such as `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`; `None` if it is none.
pub fn secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?);
    BYTES.contains(&bytes.len()).then_some(bytes)
}

/// One signature for the header `webhook-signature`: `v1,` and the MAC in base64.
pub fn signature(secret: &[u8], id: &str, at: UnixSeconds, body: &[u8]) -> String {
    let mut signed = format!("{id}.{at}.").into_bytes();
    signed.extend_from_slice(body);
    format!("v1,{}", STANDARD.encode(mac(secret, &signed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // The example of the specification's reference libraries.
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            UnixSeconds(1_614_265_330),
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_its_prefix_and_its_length() {
        assert!(secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_none());
        assert!(secret("whsec_c2hvcnQ=").is_none());
        assert!(secret("whsec_!!!").is_none());
    }
}
