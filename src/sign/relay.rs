//! Wraps what a relay passes on: the bytes inside stay as they are, the relay signs over their
//! digest (PROTOCOL 1.5).

use std::fmt;

use crate::model::id::Kid;
use crate::wire::envelope::SignatureV2;
use crate::wire::relay::{Stamp, TooLarge, body};
use crate::wire::signing::Relay;

use super::digest::sha256;
use super::ed25519::SecretKey;
use super::hmac;
use super::psk::kid_of_psk;

/// What a relay signs with.
#[derive(Clone, Copy)]
pub enum RelaySigner<'a> {
    /// A key of its own: what managers take.
    Own(&'a SecretKey),
    /// The fleet's shared key: taken only where `KATTILA_RELAY_PSK=1`.
    Shared(&'a [u8]),
}

impl fmt::Debug for RelaySigner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelaySigner({})", self.kid())
    }
}

impl RelaySigner<'_> {
    /// The name of the key.
    pub fn kid(&self) -> Kid {
        match self {
            Self::Own(key) => key.kid(),
            Self::Shared(psk) => kid_of_psk(psk),
        }
    }

    const fn alg(&self) -> &'static str {
        match self {
            Self::Own(_) => "ed25519",
            Self::Shared(_) => "hmac-sha256",
        }
    }

    fn sign(&self, text: &str) -> SignatureV2 {
        match self {
            Self::Own(key) => SignatureV2::Ed25519(key.sign(text.as_bytes())),
            Self::Shared(psk) => {
                let derived = hmac::relay_key(psk);
                SignatureV2::Hmac(hmac::mac(derived.as_slice(), text.as_bytes()))
            }
        }
    }
}

/// The body that a relay sends on: `inner`, byte for byte, in an envelope of the relay's.
/// [`crate::wire::relay::next_hop`] says which `hop` the stamp needs.
pub fn wrap(
    inner: &[u8],
    stamp: &Stamp<'_>,
    signer: &RelaySigner<'_>,
) -> Result<Vec<u8>, TooLarge> {
    let kid = signer.kid();
    let signed = Relay {
        alg: signer.alg(),
        kid: &kid,
        fleet_id: stamp.fleet_id,
        relay_id: stamp.relay_id,
        hop: stamp.hop,
        timestamp: stamp.timestamp,
        nonce: stamp.nonce,
        inner_sha256: sha256(inner),
    };
    body(stamp, (&signer.sign(&signed.text()), &kid), inner)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use crate::model::id::{AgentId, FleetId};
    use crate::model::time::UnixSeconds;
    use crate::sign::ed25519;
    use crate::wire::limits::{BODY_BYTES, DATA_BYTES};
    use crate::wire::relay::{HeadRelay, next_hop, parse};

    use super::*;

    const NONCE: &str = "AAECAwQFBgcICQoLDA0ODw";
    const PSK: &[u8] = b"kattila-test-psk-000000000000000";

    fn names() -> (FleetId, AgentId) {
        ("fleet-a".parse().unwrap(), "0123456789abcdef0123456789abcdef".parse().unwrap())
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(&std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    fn wrapped(inner: &[u8], signer: &RelaySigner<'_>) -> Result<Vec<u8>, TooLarge> {
        let (fleet_id, relay_id) = names();
        let hop = next_hop(inner).unwrap_or(1);
        let timestamp = UnixSeconds(1_795_214_286);
        let stamp =
            Stamp { fleet_id: &fleet_id, relay_id: &relay_id, hop, timestamp, nonce: NONCE };
        wrap(inner, &stamp, signer)
    }

    fn holds(head: &HeadRelay<'_>) -> bool {
        let text = Relay::of(head, sha256(&head.inner)).text();
        match &head.signature {
            SignatureV2::Ed25519(sig) => ed25519::holds(&key().public(), text.as_bytes(), sig),
            SignatureV2::Hmac(mac) => {
                hmac::is_mac(hmac::relay_key(PSK).as_slice(), text.as_bytes(), mac)
            }
        }
    }

    #[test]
    fn the_documented_vector() {
        let body = wrapped(b"{}", &RelaySigner::Own(&key())).unwrap();
        let head = parse(&body).unwrap();
        assert_eq!(
            Relay::of(&head, sha256(&head.inner)).text(),
            "KATTILA2-RELAY\ned25519\n56475aa75463474c\nfleet-a\n\
             0123456789abcdef0123456789abcdef\n1\n1795214286\nAAECAwQFBgcICQoLDA0ODw\n\
             44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"
        );
        let sig = URL_SAFE_NO_PAD
            .encode(key().sign(Relay::of(&head, sha256(&head.inner)).text().as_bytes()));
        assert_eq!(
            String::from_utf8(body.clone()).unwrap(),
            format!(
                r#"{{"v":2,"kind":"relay","alg":"ed25519","kid":"56475aa75463474c","fleet_id":"fleet-a","relay_id":"0123456789abcdef0123456789abcdef","hop":1,"timestamp":1795214286,"nonce":"AAECAwQFBgcICQoLDA0ODw","sig":"{sig}","inner_b64":"e30"}}"#
            )
        );
        let docs = include_str!("../../docs/protocol.md");
        assert!(docs.contains(&sig), "docs/protocol.md lacks {sig}");
    }

    #[test]
    fn three_wraps_of_the_largest_report_fit_and_a_fourth_does_not() {
        let data = URL_SAFE_NO_PAD.encode(vec![b' '; DATA_BYTES]);
        let filler = "x".repeat(500);
        let mut body = format!(r#"{{"v":2,"head":"{filler}","data_b64":"{data}"}}"#).into_bytes();
        for hop in 1..=3 {
            body = wrapped(&body, &RelaySigner::Own(&key())).unwrap();
            assert!(body.len() <= BODY_BYTES);
            assert_eq!(parse(&body).unwrap().hop, hop);
        }
        let len = body.len();
        let TooLarge(wanted) = wrapped(&body, &RelaySigner::Own(&key())).unwrap_err();
        assert!(wanted > BODY_BYTES && wanted > len, "{wanted}");
    }

    proptest! {
        #[test]
        fn what_is_wrapped_comes_out_again(
            inner in prop::collection::vec(any::<u8>(), 1..600),
            shared in any::<bool>(),
        ) {
            let key = key();
            let signer =
                if shared { RelaySigner::Shared(PSK) } else { RelaySigner::Own(&key) };
            let body = wrapped(&inner, &signer).unwrap();
            let head = parse(&body).unwrap();
            prop_assert_eq!(&head.inner, &inner);
            prop_assert_eq!(&head.kid, &signer.kid());
            prop_assert!(holds(&head));
        }

        /// A changed byte makes an envelope that cannot be read, or whose signature is bad.
        #[test]
        fn no_byte_can_be_changed(
            inner in prop::collection::vec(any::<u8>(), 1..60),
            shared in any::<bool>(),
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
        ) {
            let key = key();
            let signer =
                if shared { RelaySigner::Shared(PSK) } else { RelaySigner::Own(&key) };
            let mut body = wrapped(&inner, &signer).unwrap();
            let at = at.index(body.len());
            body[at] ^= flip;
            prop_assert!(parse(&body).map_or(true, |head| !holds(&head)));
        }
    }
}
