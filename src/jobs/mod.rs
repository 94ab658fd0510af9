//! What happens by time.
