//! Signs and verifies. The only module that touches hmac and sha2.

pub mod psk;
