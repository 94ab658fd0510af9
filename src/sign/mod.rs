//! Signs, verifies, hashes and makes nonces. The only module that touches `hmac`, `sha2`, `sha1`, `argon2`,
//! `ed25519-dalek` and `ring`.

pub mod chain;
pub mod digest;
pub mod ed25519;
pub mod hmac;
pub mod jws;
pub mod nonce;
pub mod password;
pub mod psk;
pub mod relay;
pub mod totp;
pub mod webhook;
