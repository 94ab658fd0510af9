//! Answers of a real wireguard-go, with keys put back in place of the hidden ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::model::hex;

const HEALTHY: &str = include_str!("../../../../../tests/fixtures/uapi/healthy.txt");
const ROAMED: &str = include_str!("../../../../../tests/fixtures/uapi/roamed.txt");

/// A private key, and what `wg pubkey` makes of it.
const PRIVATE: [u8; 32] = [0xA7; 32];
const PUBLIC: &str = "oJX6e1RsrrdpwEMUfJ62kp9jkfN84OoVFhEeAPtGFTA=";

/// The capture as the socket sent it.
fn answer(capture: &str, private: [u8; 32], psk: [u8; 32]) -> String {
    let body = capture.split_once('\n').unwrap().1;
    let (private, psk) = (hex::encode(&private), hex::encode(&psk));
    body.replace("private_key=(hidden)", &format!("private_key={private}"))
        .replace("preshared_key=(hidden)", &format!("preshared_key={psk}"))
        + "\n"
}

fn read(text: &[u8]) -> Result<Option<Device>, Broken> {
    let mut reader = Reader::default();
    let done = reader.feed(text)?;
    Ok(done.then(|| reader.finish()))
}

fn whole(text: &str) -> Device {
    read(text.as_bytes()).unwrap().unwrap()
}

/// Whether a text holds a key, or a good part of it, in any spelling.
fn tells(text: &str, key: &[u8]) -> bool {
    let spellings = [hex::encode(key), STANDARD.encode(key), format!("{key:?}")];
    let lower = text.to_ascii_lowercase();
    spellings.iter().any(|spelling| {
        let part = &spelling[..24];
        text.contains(part) || lower.contains(&part.to_ascii_lowercase())
    })
}

#[test]
fn a_real_answer() {
    let device = whole(&answer(HEALTHY, PRIVATE, [0; 32]));
    assert_eq!(device.public_key.unwrap().to_string(), PUBLIC);
    assert_eq!((device.listen_port, device.fwmark), (51820, 0));
    assert_eq!((device.unreadable, device.left_out, device.peers.len()), (0, 0, 3));
    let peer = &device.peers[0];
    assert_eq!(peer.public_key.to_string(), "+cPa/grEW0WUzDlKYh1DePqROk58e+lF0QTCZRn3/yI=");
    assert_eq!(peer.endpoint, Some(Endpoint::Plain("10.77.0.2:51820".parse().unwrap())));
    assert_eq!(peer.latest_handshake, UnixSeconds(1_795_217_689));
    assert_eq!((peer.rx_bytes, peer.tx_bytes), (924, 948));
    assert_eq!((peer.persistent_keepalive, peer.has_psk), (0, false));
    let allowed: Vec<String> = peer.allowed_ips.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["10.99.0.2/32", "fd99::2/128", "192.168.2.0/24"]);
    let other: Vec<u16> = device.peers.iter().map(|peer| peer.persistent_keepalive).collect();
    assert_eq!(other, [0, 25, 25]);
}

#[test]
fn a_preshared_key_is_a_yes() {
    let device = whole(&answer(ROAMED, PRIVATE, [0x5C; 32]));
    assert!(device.peers.iter().all(|peer| peer.has_psk));
}

#[test]
fn a_device_without_a_key_has_no_public_one() {
    assert_eq!(whole(&answer(HEALTHY, [0; 32], [0; 32])).public_key, None);
    assert_eq!(whole("errno=0\n\n"), Device::default());
}

#[test]
fn a_refusal_and_other_odd_answers() {
    assert_eq!(read(b"errno=-5\n\n"), Err(Broken::Refused(-5)));
    assert_eq!(read(b"listen_port=1\n").unwrap(), None);
    assert_eq!(read(&[b'a'; 2000]), Err(Broken::TooLong));
    let odd = whole("listen_port=67130\nno line\nfwmark=51820\nallowed_ip=10.0.0.0/8\n\n");
    assert_eq!((odd.listen_port, odd.fwmark, odd.unreadable), (0, 51820, 2));
    let odd = whole("public_key=zz\nrx_bytes=1\nallowed_ip=10.0.0.0/8\nnew_thing=1\n\n");
    assert_eq!((odd.peers.len(), odd.unreadable), (0, 1));
}

#[test]
fn endpoints_with_a_zone() {
    let zoned = endpoint("[fe80::1%eth0]:51820");
    let text = "[fe80::1%eth0]:51820".to_owned();
    assert_eq!(zoned, Some(Endpoint::Zoned { text, zone: "eth0".to_owned() }));
    for bad in ["[fe80::1%]:1", "[10.0.0.1%eth0]:1", "[fe80::1%eth0]:70000", "x", "[fe80::1%a b]:1"]
    {
        assert_eq!(endpoint(bad), None, "{bad}");
    }
}

#[test]
fn more_than_a_report_holds_is_counted() {
    let mut text = String::from("listen_port=1\n");
    for n in 0..2050_u32 {
        let key = hex::encode(&[n.to_be_bytes(); 8].concat());
        text += &format!("public_key={key}\nallowed_ip=10.0.0.1/32\n");
    }
    let device = whole(&(text + "errno=0\n\n"));
    assert_eq!((device.peers.len(), device.left_out), (2048, 4));
    let mut text = format!("public_key={}\n", "ab".repeat(32));
    for n in 0..300_u32 {
        text += &format!("allowed_ip=10.{}.{}.0/24\n", n / 256, n % 256);
    }
    let device = whole(&(text + "\n"));
    assert_eq!((device.peers[0].allowed_ips.len(), device.left_out), (256, 44));
}

proptest! {
    /// Nothing that stands in an answer makes the reader panic, however it is cut up.
    #[test]
    fn any_bytes_in_any_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..600), piece in 1..64_usize) {
        let mut reader = Reader::default();
        for piece in bytes.chunks(piece) {
            if reader.feed(piece) != Ok(false) {
                break;
            }
        }
        drop(reader.finish());
    }

    /// Lines of the protocol's own keys with odd values.
    #[test]
    fn any_lines(lines in proptest::collection::vec(
        ("(private_key|public_key|preshared_key|endpoint|allowed_ip|errno|fwmark|rx_bytes|x)", "[ -~]{0,80}"),
        0..40,
    )) {
        let text: String = lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let outcome = read((text + "\n").as_bytes());
        let is_whole = matches!(outcome, Ok(Some(_)) | Err(Broken::Refused(_)));
        prop_assert!(is_whole, "{outcome:?}");
    }

    /// Whatever the keys are and wherever the answer is cut up or broken, neither the device nor
    /// an error tells them.
    #[test]
    fn no_key_comes_through(
        private in any::<[u8; 32]>(),
        psk in any::<[u8; 32]>(),
        piece in 1..200_usize,
        cut in 0..1500_usize,
        upper in any::<bool>(),
    ) {
        let mut text = answer(HEALTHY, private, psk);
        if upper {
            text = text.replace("private_key=", "PRIVATE_KEY=");
        }
        let mut reader = Reader::default();
        for piece in text.as_bytes()[..cut.min(text.len())].chunks(piece) {
            if let Err(error) = reader.feed(piece) {
                let told = format!("{error} {error:?}");
                prop_assert!(!tells(&told, &private));
            }
        }
        let told = format!("{:?}", reader.finish());
        prop_assert!(!tells(&told, &private), "{told}");
        prop_assert!(!tells(&told, &psk), "{told}");
    }
}
