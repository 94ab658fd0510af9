//! Rows to pages. Pure.
