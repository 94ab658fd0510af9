//! The whole system on a real WireGuard network that the test builds itself: a hub with spokes,
//! a triangle, a chain and a host whose underlay is IPv6 only, each a host of its own with real
//! `wireguard-go`, configured by real `wg`, that runs the real `kattila agent`; the hub runs the
//! real `kattila serve`. What happens is done to the hosts; what is asserted is what the
//! manager's API says of it.
//!
//! Root, namespaces, `/dev/net/tun`, `wireguard-go` and `wg` must be there. Where one of them is
//! missing these tests fail with what the system said.

mod events;
mod network;
mod watch;
