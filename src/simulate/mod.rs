//! A fleet of made-up hosts that speak the real protocol.
