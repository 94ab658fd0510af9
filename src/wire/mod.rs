//! What travels: shapes, limits, signed bytes, codes.

pub mod data;
pub mod redact;
