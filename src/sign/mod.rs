//! Signs, verifies and hashes. The only module that touches `hmac` and `sha2`.

pub mod digest;
pub mod hmac;
pub mod psk;
