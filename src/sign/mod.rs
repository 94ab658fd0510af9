//! Signs, verifies and hashes. The only module that touches `hmac`, `sha2` and
//! `ed25519-dalek`.

pub mod digest;
pub mod ed25519;
pub mod hmac;
pub mod psk;
pub mod relay;
