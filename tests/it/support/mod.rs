//! What the tests act with.

pub(crate) mod dns;
