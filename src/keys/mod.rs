//! The key ring and where keys come from.
