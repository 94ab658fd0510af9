//! The kernel's answers as the wire has them, made by the crate that speaks its language.

use std::net::IpAddr;

use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_wireguard::{WireguardAddressFamily, WireguardTimeSpec};
use proptest::prelude::*;

use super::*;

const PRIVATE: [u8; 32] = [0xA7; 32];
const PSK: [u8; 32] = [0x5C; 32];

fn allowed(address: &str, length: u8) -> WireguardAllowedIp {
    let address: IpAddr = address.parse().unwrap();
    let family =
        if address.is_ipv4() { WireguardAddressFamily::Ipv4 } else { WireguardAddressFamily::Ipv6 };
    WireguardAllowedIp(vec![
        WireguardAllowedIpAttr::Family(family),
        WireguardAllowedIpAttr::IpAddr(address),
        WireguardAllowedIpAttr::Cidr(length),
    ])
}

fn peer(key: u8, psk: [u8; 32], allowed_ips: Vec<WireguardAllowedIp>) -> WireguardPeer {
    WireguardPeer(vec![
        WireguardPeerAttribute::PublicKey([key; 32]),
        WireguardPeerAttribute::PresharedKey(psk),
        WireguardPeerAttribute::LastHandshake(WireguardTimeSpec {
            seconds: 1_795_217_689,
            nano_seconds: 5,
        }),
        WireguardPeerAttribute::PersistentKeepalive(25),
        WireguardPeerAttribute::TxBytes(948),
        WireguardPeerAttribute::RxBytes(924),
        WireguardPeerAttribute::Endpoint("[2001:db8::2]:51820".parse().unwrap()),
        WireguardPeerAttribute::AllowedIps(allowed_ips),
    ])
}

/// One datagram with these messages.
fn datagram(messages: Vec<Vec<WireguardAttribute>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for attributes in messages {
        let message = WireguardMessage { cmd: WireguardCmd::GetDevice, attributes };
        let mut message = GenlMessage::from_payload(message);
        message.set_resolved_family_id(28);
        let payload = NetlinkPayload::InnerMessage(message);
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), payload);
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }
    bytes
}

/// What the socket does with a datagram.
fn read(mut bytes: Vec<u8>) -> Device {
    scrub::scrub(&mut bytes);
    let (mut device, mut at) = (Device::default(), 0);
    while at < bytes.len() {
        type Message = NetlinkMessage<GenlMessage<WireguardMessage>>;
        let message = Message::deserialize(&bytes[at..]).unwrap();
        at += (message.header.length as usize).next_multiple_of(4);
        let NetlinkPayload::InnerMessage(message) = message.payload else { panic!() };
        take(&mut device, message.payload.attributes);
    }
    device
}

fn two_messages() -> Vec<u8> {
    datagram(vec![
        vec![
            WireguardAttribute::IfName("wg0".to_owned()),
            WireguardAttribute::PrivateKey(PRIVATE),
            WireguardAttribute::PublicKey([9; 32]),
            WireguardAttribute::ListenPort(51820),
            WireguardAttribute::Fwmark(0xca6c),
            WireguardAttribute::Peers(vec![
                peer(1, [0; 32], vec![allowed("10.0.0.1", 32)]),
                peer(2, PSK, vec![allowed("10.0.0.2", 32)]),
            ]),
        ],
        vec![
            WireguardAttribute::IfName("wg0".to_owned()),
            WireguardAttribute::Peers(vec![
                WireguardPeer(vec![
                    WireguardPeerAttribute::PublicKey([2; 32]),
                    WireguardPeerAttribute::AllowedIps(vec![allowed("fd00::", 8)]),
                ]),
                peer(3, [0; 32], vec![]),
            ]),
        ],
    ])
}

#[test]
fn a_peer_that_came_in_two_parts_is_one() {
    let device = read(two_messages());
    assert_eq!(device.public_key, Some(WgKey([9; 32])));
    assert_eq!((device.listen_port, device.fwmark), (51820, 0xca6c));
    let told: Vec<_> = device
        .peers
        .iter()
        .map(|peer| (peer.public_key.0[0], peer.has_psk, peer.allowed_ips.len()))
        .collect();
    assert_eq!(told, [(1, false, 1), (2, true, 2), (3, false, 0)]);
    let second = &device.peers[1];
    assert_eq!(second.latest_handshake, UnixSeconds(1_795_217_689));
    assert_eq!((second.rx_bytes, second.tx_bytes), (924, 948));
    assert_eq!(second.persistent_keepalive, 25);
    assert_eq!(second.endpoint, Some(Endpoint::Plain("[2001:db8::2]:51820".parse().unwrap())));
    assert_eq!((device.unreadable, device.left_out), (0, 0));
}

#[test]
fn keys_are_gone_before_anything_is_read() {
    let holds = |bytes: &[u8], key: &[u8]| bytes.windows(8).any(|window| window == &key[..8]);
    let mut bytes = two_messages();
    assert!(holds(&bytes, &PRIVATE) && holds(&bytes, &PSK));
    scrub::scrub(&mut bytes);
    assert!(!holds(&bytes, &PRIVATE) && !holds(&bytes, &PSK));
}

proptest! {
    /// Whatever stands in a datagram, and wherever it was cut, nothing panics.
    #[test]
    fn any_datagram_is_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        scrub::scrub(&mut bytes);
    }

    #[test]
    fn a_cut_datagram_keeps_no_key(cut in 0..500_usize) {
        let mut bytes = two_messages();
        bytes.truncate(cut);
        scrub::scrub(&mut bytes);
        for key in [PRIVATE, PSK] {
            prop_assert!(!bytes.windows(8).any(|window| window == &key[..8]));
        }
    }
}
