//! The key ring and where keys come from.

pub mod ring;
