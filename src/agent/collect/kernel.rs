//! WireGuard in the kernel, by generic netlink.
//!
//! Asked only where there is an interface of kind `wireguard`, so that a look never loads the
//! module. Needs `CAP_NET_ADMIN`. A peer with many allowed ips may come in several parts; they
//! are put together.
//!
//! Source: kernel `Documentation/netlink/specs/wireguard.yaml`, `include/uapi/linux/wireguard.h`.

mod scrub;

use std::io;
use std::ops::ControlFlow;

use ipnet::IpNet;
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_wireguard::{
    WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute, WireguardCmd, WireguardMessage,
    WireguardPeer, WireguardPeerAttribute,
};
use netlink_sys::protocols::NETLINK_GENERIC;

use crate::model::key::WgKey;
use crate::model::time::UnixSeconds;

use super::device::{Device, Endpoint};
use super::netlink::{Dump, Socket};

/// The name the kernel knows WireGuard by (`WG_GENL_NAME`).
const FAMILY: &str = "wireguard";

/// A way to the kernel's WireGuard.
#[derive(Default)]
pub(super) struct Kernel {
    socket: Option<Socket>,
    /// The family's number; the module has another one when it is loaded anew.
    family: Option<u16>,
}

impl Kernel {
    /// Reads one interface.
    pub(super) async fn read(&mut self, interface: &str) -> io::Result<Device> {
        match self.try_read(interface).await {
            // The module was unloaded and loaded meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.family.is_some() => {
                self.family = None;
                self.try_read(interface).await
            }
            outcome => outcome,
        }
    }

    async fn try_read(&mut self, interface: &str) -> io::Result<Device> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open(NETLINK_GENERIC, scrub::scrub)?,
        };
        let outcome = self.ask(&mut socket, interface).await;
        self.socket = Some(socket);
        outcome
    }

    async fn ask(&mut self, socket: &mut Socket, interface: &str) -> io::Result<Device> {
        let family = match self.family {
            Some(family) => family,
            None => *self.family.insert(number(socket).await?),
        };
        let request = WireguardMessage {
            cmd: WireguardCmd::GetDevice,
            attributes: vec![WireguardAttribute::IfName(interface.to_owned())],
        };
        let mut request = GenlMessage::from_payload(request);
        request.set_resolved_family_id(family);
        let dump: Dump<Device> = socket
            .dump(&request, |device: &mut Device, message: GenlMessage<WireguardMessage>| {
                take(device, message.payload.attributes);
                ControlFlow::Continue(())
            })
            .await?;
        let mut device = dump.kept;
        device.unreadable += dump.unreadable;
        interface.clone_into(&mut device.name);
        Ok(device)
    }
}

/// Asks for the family's number; `NotFound` if the kernel has no WireGuard.
async fn number(socket: &mut Socket) -> io::Result<u16> {
    let request = GenlMessage::from_payload(GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(FAMILY.to_owned())],
    });
    let answer = socket.ask(request).await?;
    let number = answer.payload.nlas.into_iter().find_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(number) => Some(number),
        _ => None,
    });
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Takes one message's part of an interface.
fn take(device: &mut Device, attributes: Vec<WireguardAttribute>) {
    for attribute in attributes {
        match attribute {
            WireguardAttribute::PublicKey(key) => {
                device.public_key = Some(WgKey(key)).filter(|key| key.0 != [0; 32]);
            }
            WireguardAttribute::ListenPort(port) => device.listen_port = port,
            WireguardAttribute::Fwmark(mark) => device.fwmark = mark,
            WireguardAttribute::Peers(peers) => {
                for peer in peers {
                    take_peer(device, peer);
                }
            }
            _ => {}
        }
    }
}

/// Takes one peer, or a further part of the one before.
fn take_peer(device: &mut Device, peer: WireguardPeer) {
    let key = peer.iter().find_map(|attribute| match attribute {
        WireguardPeerAttribute::PublicKey(key) => Some(WgKey(*key)),
        _ => None,
    });
    let Some(key) = key else {
        device.unreadable += 1;
        return;
    };
    let goes_on = device.peers.last().is_some_and(|last| last.public_key == key);
    if !goes_on && device.begin(key).is_none() {
        return;
    }
    for attribute in peer.0 {
        if let WireguardPeerAttribute::AllowedIps(prefixes) = attribute {
            for allowed in prefixes {
                match prefix(&allowed) {
                    Some(prefix) => device.allow(prefix),
                    None => device.unreadable += 1,
                }
            }
            continue;
        }
        let Some(peer) = device.peers.last_mut() else { return };
        match attribute {
            // What the scrubbing left of the key: nothing but whether there is one.
            WireguardPeerAttribute::PresharedKey(key) => peer.has_psk = key != [0; 32],
            WireguardPeerAttribute::Endpoint(address) => {
                peer.endpoint = Some(Endpoint::Plain(address));
            }
            WireguardPeerAttribute::PersistentKeepalive(seconds) => {
                peer.persistent_keepalive = seconds;
            }
            WireguardPeerAttribute::LastHandshake(time) => {
                peer.latest_handshake = UnixSeconds(time.seconds.max(0));
            }
            WireguardPeerAttribute::RxBytes(bytes) => peer.rx_bytes = bytes,
            WireguardPeerAttribute::TxBytes(bytes) => peer.tx_bytes = bytes,
            _ => {}
        }
    }
}

fn prefix(allowed: &WireguardAllowedIp) -> Option<IpNet> {
    let (mut address, mut length) = (None, None);
    for attribute in allowed.iter() {
        if let WireguardAllowedIpAttr::IpAddr(found) = attribute {
            address = Some(*found);
        } else if let WireguardAllowedIpAttr::Cidr(found) = attribute {
            length = Some(*found);
        }
    }
    IpNet::new(address?, length?).ok()
}

#[cfg(test)]
mod tests;
