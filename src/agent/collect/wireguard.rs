//! Brings WireGuard from the kernel and from daemons together.

use std::io::{self, ErrorKind};

use futures_util::stream::{self, StreamExt as _};

use super::device::{Device, Endpoint, Known};
use super::kernel::Kernel;
use super::links::Links;
use super::snapshot::{Interface, Peer};
use super::trouble::{self, About, Troubles};
use super::underlay::Underlay;
use super::{Places, uapi};

/// The member of `data` that problems of WireGuard are about.
const PEERS: &str = "wg_peers";

/// The kind of the kernel's own WireGuard interfaces.
const KIND: &str = "wireguard";

/// Daemons asked at a time: those that hang cost one wait, not one each.
const AT_ONCE: usize = 8;

/// All WireGuard interfaces that could be read.
#[derive(Debug, Default)]
pub(super) struct Devices {
    pub(super) found: Vec<Device>,
    /// Whether the list says something: it is empty because there are none, or holds some.
    /// Where nothing could be read, nothing is said.
    pub(super) is_known: bool,
}

/// Reads every WireGuard interface of the host.
pub(super) async fn devices(
    kernel: &mut Kernel,
    places: &Places,
    links: &Links,
    troubles: &mut Troubles,
) -> Devices {
    let mut found = Vec::new();
    let mut failed = false;
    let names = links.values().filter(|link| link.interface.kind.as_deref() == Some(KIND));
    let names: Vec<String> = names.map(|link| link.interface.name.clone()).collect();
    for name in &names {
        match kernel.read(name).await {
            Ok(device) => found.push(device),
            Err(error) => {
                failed = true;
                troubles.add(About::Kernel, PEERS, trouble::kernel(name, &error));
            }
        }
    }
    let sockets = uapi::sockets(&places.uapi, |directory, error| {
        failed = true;
        let detail =
            format!("of daemons cannot be read: {} cannot be listed: {error}", directory.display());
        troubles.add(About::Daemons, PEERS, detail);
    });
    let sockets = sockets.into_iter().filter(|(name, _)| !names.contains(name));
    let reads = sockets.map(|(name, socket)| async move {
        let outcome = uapi::read(&name, &socket).await;
        (name, outcome)
    });
    let mut answers = stream::iter(reads).buffered(AT_ONCE);
    while let Some((name, outcome)) = answers.next().await {
        match daemon(&name, outcome, links, troubles) {
            Ok(device) => found.extend(device),
            Err(Unknown) => failed = true,
        }
    }
    for device in &mut found {
        tidy(device, troubles);
    }
    Devices { is_known: !failed || !found.is_empty(), found }
}

/// A daemon that could not be read.
struct Unknown;

/// Judges a daemon's answer. A dead daemon is known well: it has no interface and no peers any
/// more. A socket whose interface is not here belongs to another network namespace: its
/// directory is shared, its interface is not.
fn daemon(
    name: &str,
    outcome: io::Result<Device>,
    links: &Links,
    troubles: &mut Troubles,
) -> Result<Option<Device>, Unknown> {
    let is_here = links.is_empty() || links.values().any(|link| link.interface.name == name);
    match outcome {
        Ok(device) => Ok(is_here.then_some(device)),
        Err(error) => {
            troubles.add(About::Daemons, PEERS, trouble::daemon(name, &error));
            let is_dead = error.kind() == ErrorKind::ConnectionRefused;
            if is_dead { Ok(None) } else { Err(Unknown) }
        }
    }
}

/// Says what is missing, and sorts.
fn tidy(device: &mut Device, troubles: &mut Troubles) {
    let name = &device.name;
    if device.unreadable > 0 {
        let detail = format!("of {name} hold values that this agent does not understand");
        troubles.add(About::Daemons, PEERS, detail);
    }
    if device.left_out > 0 {
        let detail = format!("of {name} or their allowed ips are more than a report holds");
        troubles.add(About::Size, PEERS, detail);
    }
    for peer in &mut device.peers {
        peer.allowed_ips.sort();
        peer.allowed_ips.dedup();
    }
    device.peers.sort_by_key(|peer| peer.public_key);
}

/// The peers of all devices as the report has them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) peers: Vec<Peer>,
}

impl Rows {
    /// Takes all peers, with the way to each.
    pub(super) async fn fill(&mut self, devices: &Devices, mut underlay: Underlay<'_>) {
        for device in &devices.found {
            for peer in &device.peers {
                let way = match &peer.endpoint {
                    Some(endpoint) => underlay.of(device, endpoint).await,
                    None => None,
                };
                self.peers.push(row(&device.name, peer, way));
            }
        }
        self.peers
            .sort_by(|a, b| (&a.interface, &a.public_key).cmp(&(&b.interface, &b.public_key)));
    }
}

fn row(interface: &str, peer: &Known, underlay: Option<String>) -> Peer {
    Peer {
        interface: interface.to_owned(),
        public_key: peer.public_key,
        endpoint: peer.endpoint.as_ref().map(|endpoint| match endpoint {
            Endpoint::Plain(address) => address.to_string(),
            Endpoint::Zoned { text, .. } => text.clone(),
        }),
        underlay,
        allowed_ips: peer.allowed_ips.clone(),
        latest_handshake: peer.latest_handshake,
        rx_bytes: peer.rx_bytes,
        tx_bytes: peer.tx_bytes,
        persistent_keepalive: peer.persistent_keepalive,
        has_psk: peer.has_psk,
    }
}

/// Tells the interfaces their own keys and ports.
pub(super) fn tell(interfaces: &mut [Interface], devices: &[Device]) {
    for device in devices {
        let own = interfaces.iter_mut().find(|interface| interface.name == device.name);
        if let Some(interface) = own {
            interface.public_key = device.public_key;
            interface.listen_port = Some(device.listen_port).filter(|port| *port != 0);
            interface.fwmark = Some(device.fwmark).filter(|mark| *mark != 0);
        }
    }
}
