//! The whole system on a real WireGuard network that the test builds itself: a hub with spokes,
//! a triangle, a chain whose far end can only relay, and a host whose underlay is IPv6 only, each
//! a host of its own with real `wireguard-go`, configured by real `wg`, that runs the real
//! `kattila agent` with no more rights than its systemd unit gives it; the hub runs the real
//! `kattila serve`. What happens is done to the hosts; what is asserted is what the manager's API
//! says of it, and what its map shows in a browser.
//!
//! Root, namespaces, `/dev/net/tun`, `wireguard-go`, `wg`, Node and Chromium must be there. Where
//! one of them is missing these tests fail with what the system said.

mod events;
mod network;
mod relays;
mod silence;
mod watch;
