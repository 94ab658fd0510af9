//! A DNS server on loopback whose zones a test changes while it runs, and which misbehaves when
//! told to.
//!
//! Two hickory servers hold the same two zones, one of them unsigned, one signed, by a different
//! key on each server. A door of our own in front of them speaks UDP and TCP on one port, counts
//! what is asked, and can do to an answer what a network or an attacker would. A third server
//! speaks TLS when a test wants it.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_server::proto::dnssec::rdata::DNSKEY;
use hickory_server::proto::dnssec::{DnssecSigner, PublicKey as _, PublicKeyBuf, SigningKey as _};
use hickory_server::proto::op::{Message, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType, RrKey};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, DnssecZoneHandler as _, ZoneType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::certificates::Certified;

/// A name in the unsigned zone.
pub(crate) const PLAIN: &str = "_kattila.plain.example";

/// A name in the signed zone.
pub(crate) const SIGNED: &str = "_kattila.signed.example";

const PLAIN_ZONE: &str = "plain.example.";
const SIGNED_ZONE: &str = "signed.example.";

/// What the server does with a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    /// Answers it.
    #[default]
    None,
    /// Says that it cannot.
    Servfail,
    /// Says that it will not.
    Refused,
    /// Says that no such name exists.
    Nxdomain,
    /// Says that the name has no such record.
    NoData,
    /// Says nothing.
    Silent,
    /// Says nothing over UDP, answers over TCP.
    UdpLost,
    /// Sends the right id, followed by bytes that are no DNS message.
    Garbage,
    /// Says that the answer does not fit, and hangs up when asked over TCP.
    TruncatedThenTcpFails,
    /// Signs with a key that nobody trusts, as a forger would.
    SignedWithWrongKey,
    /// Loses the signatures, as a forger or an old forwarder would.
    SignaturesStripped,
}

/// The server; it stops when dropped.
pub(crate) struct TestDns {
    addr: SocketAddr,
    door: Arc<Door>,
    true_zones: Zones,
    forged_zones: Zones,
    anchor: String,
    tasks: JoinSet<()>,
    servers: Vec<Server<Catalog>>,
}

impl TestDns {
    /// Starts on a free port of the loopback address.
    pub(crate) async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into()).await
    }

    /// Starts on a free port of an address.
    pub(crate) async fn start_at(ip: IpAddr) -> Self {
        let (true_zones, anchor) = Zones::new();
        let (forged_zones, _) = Zones::new();
        let (true_server, honest) = true_zones.serve().await;
        let (forged_server, forger) = forged_zones.serve().await;
        let (udp, tcp) = bind_both(ip).await;
        let addr = udp.local_addr().unwrap();
        let door = Arc::new(Door {
            honest,
            forger,
            mode: Mutex::default(),
            questions: Mutex::default(),
            over_tcp: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&door).serve_udp(Arc::new(udp)));
        tasks.spawn(Arc::clone(&door).serve_tcp(tcp));
        let servers = vec![true_server, forged_server];
        Self { addr, door, true_zones, forged_zones, anchor, tasks, servers }
    }

    /// Opens a door that speaks DNS over TLS under this certificate, and its address. What is
    /// asked there is not counted; what is asked in plain at the UDP port beside it is.
    pub(crate) async fn speak_tls(&mut self, certified: &Certified) -> SocketAddr {
        let (udp, tcp) = bind_both(Ipv4Addr::LOCALHOST.into()).await;
        let addr = udp.local_addr().unwrap();
        let mut server = Server::new(self.true_zones.catalog());
        let patience = Duration::from_secs(60);
        server.register_tls_listener_with_tls_config(tcp, patience, tls(certified)).unwrap();
        self.servers.push(server);
        self.tasks.spawn(Arc::clone(&self.door).serve_udp(Arc::new(udp)));
        addr
    }

    /// Opens a door that answers whoever connects with what is no TLS, and its address. The UDP
    /// port beside it answers in plain, and counts.
    pub(crate) async fn speak_no_tls(&mut self) -> SocketAddr {
        let (udp, tcp) = bind_both(Ipv4Addr::LOCALHOST.into()).await;
        let addr = udp.local_addr().unwrap();
        self.tasks.spawn(Arc::clone(&self.door).serve_udp(Arc::new(udp)));
        self.tasks.spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                write_message(&mut stream, b"no TLS here!").await.unwrap_or_default();
            }
        });
        addr
    }

    /// Where to ask, over UDP and TCP.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Replaces the TXT records of a name: a list of records, each a list of strings of at most
    /// 255 bytes. The name lies in one of the two zones.
    pub(crate) async fn set_txt(&self, name: &str, records: &[Vec<Vec<u8>>], ttl: u32) {
        let data: Vec<RData> = records
            .iter()
            .map(|chunks| RData::TXT(TXT::from_bytes(chunks.iter().map(Vec::as_slice).collect())))
            .collect();
        self.replace(name, RecordType::TXT, &data, ttl).await;
    }

    /// Replaces the TXT records of a name by keys of one string each, with a TTL of 300 s.
    pub(crate) async fn set_keys(&self, name: &str, keys: &[&str]) {
        let records: Vec<_> = keys.iter().map(|key| vec![key.as_bytes().to_vec()]).collect();
        self.set_txt(name, &records, 300).await;
    }

    /// Makes a name another name for `target`.
    pub(crate) async fn set_cname(&self, name: &str, target: &str) {
        let data = RData::CNAME(CNAME(absolute(target)));
        self.replace(name, RecordType::CNAME, &[data], 300).await;
    }

    /// Does this with every question from now on.
    pub(crate) fn misbehave(&self, how: Misbehaviour) {
        *self.door.mode.lock().unwrap() = how;
    }

    /// How many different questions have arrived.
    pub(crate) fn queries(&self) -> usize {
        self.door.questions.lock().unwrap().len()
    }

    /// How many of them over TCP.
    pub(crate) fn queries_over_tcp(&self) -> usize {
        self.door.over_tcp.load(Ordering::SeqCst)
    }

    /// The signed zone's true DNSKEY as a line of a trust anchor file.
    pub(crate) fn anchor(&self) -> &str {
        &self.anchor
    }

    async fn replace(&self, name: &str, record_type: RecordType, data: &[RData], ttl: u32) {
        for zones in [&self.true_zones, &self.forged_zones] {
            zones.replace(&absolute(name), record_type, data, ttl).await;
        }
    }
}

type Zone = Arc<InMemoryZoneHandler<TokioRuntimeProvider>>;

/// The unsigned and the signed zone.
struct Zones {
    plain: Zone,
    signed: Zone,
}

impl Zones {
    /// Empty zones, the second signed with a new key; and that key as trust anchor.
    fn new() -> (Self, String) {
        let mut signed = zone(SIGNED_ZONE, Some(NxProofKind::Nsec));
        let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
        let key = Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
        let public: PublicKeyBuf = key.to_public_key().unwrap();
        let encoded = STANDARD.encode(public.public_bytes());
        let dnskey = DNSKEY::from_key(&public);
        let anchor = format!("{SIGNED_ZONE} 3600 IN DNSKEY {} 3 15 {encoded}\n", dnskey.flags());
        let day = Duration::from_secs(86_400);
        let signer = DnssecSigner::new(dnskey, Box::new(key), absolute(SIGNED_ZONE), day);
        signed.add_zone_signing_key_mut(signer).unwrap();
        signed.secure_zone_mut().unwrap();
        (Self { plain: Arc::new(zone(PLAIN_ZONE, None)), signed: Arc::new(signed) }, anchor)
    }

    fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::new();
        catalog.upsert(absolute(PLAIN_ZONE).into(), vec![self.plain.clone()]);
        catalog.upsert(absolute(SIGNED_ZONE).into(), vec![self.signed.clone()]);
        catalog
    }

    /// A hickory server for the zones, and its address.
    async fn serve(&self) -> (Server<Catalog>, SocketAddr) {
        let (udp, tcp) = bind_both(Ipv4Addr::LOCALHOST.into()).await;
        let addr = udp.local_addr().unwrap();
        let mut server = Server::new(self.catalog());
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(60), 64);
        (server, addr)
    }

    async fn replace(&self, name: &Name, record_type: RecordType, data: &[RData], ttl: u32) {
        let signed = absolute(SIGNED_ZONE).zone_of(name);
        assert!(signed || absolute(PLAIN_ZONE).zone_of(name), "{name} is in none of the zones");
        let zone = if signed { &self.signed } else { &self.plain };
        zone.records_mut().await.remove(&RrKey::new(name.into(), record_type));
        for data in data {
            let record = Record::from_rdata(name.clone(), ttl, data.clone());
            let serial = zone.serial().await;
            // False for a record that is listed twice: a zone holds a set.
            zone.upsert(record, serial).await;
        }
        if signed {
            zone.secure_zone().await.unwrap();
        }
    }
}

/// What a server needs to speak TLS.
fn tls(Certified { cert, key }: &Certified) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

fn zone(origin: &str, proof: Option<NxProofKind>) -> InMemoryZoneHandler<TokioRuntimeProvider> {
    let origin = absolute(origin);
    let server = origin.prepend_label("ns").unwrap();
    let soa = SOA::new(server.clone(), server.clone(), 1, 3600, 60, 86_400, 60);
    let mut zone =
        InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny, proof);
    for (name, data) in [
        (&origin, RData::SOA(soa)),
        (&origin, RData::NS(NS(server.clone()))),
        (&server, RData::A(A(Ipv4Addr::LOCALHOST))),
    ] {
        assert!(zone.upsert_mut(Record::from_rdata(name.clone(), 300, data), 1));
    }
    zone
}

fn absolute(name: &str) -> Name {
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    name
}

/// UDP and TCP on one port. Another process may hold the TCP port of a free UDP port: try again.
async fn bind_both(ip: IpAddr) -> (UdpSocket, TcpListener) {
    for _ in 0..50 {
        let udp = UdpSocket::bind((ip, 0)).await.unwrap();
        match TcpListener::bind(udp.local_addr().unwrap()).await {
            Ok(tcp) => return (udp, tcp),
            Err(e) if e.kind() == ErrorKind::AddrInUse => {}
            Err(e) => unreachable!("TCP at {ip}: {e}"),
        }
    }
    unreachable!("no port is free for both UDP and TCP")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// What clients talk to.
struct Door {
    honest: SocketAddr,
    forger: SocketAddr,
    mode: Mutex<Misbehaviour>,
    /// Every question as sent: the same bytes again are the same question, sent again because
    /// the answer was slow.
    questions: Mutex<HashSet<Vec<u8>>>,
    over_tcp: AtomicUsize,
}

impl Door {
    async fn serve_udp(self: Arc<Self>, socket: Arc<UdpSocket>) {
        let mut tasks = JoinSet::new();
        let mut buffer = vec![0; 65_536];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            let (door, socket) = (Arc::clone(&self), Arc::clone(&socket));
            let question = buffer.get(..length).unwrap().to_vec();
            tasks.spawn(async move {
                if let Some(reply) = door.reply(&question, Transport::Udp).await {
                    // The client may have hung up.
                    socket.send_to(&reply, client).await.unwrap_or_default();
                }
            });
        }
    }

    async fn serve_tcp(self: Arc<Self>, listener: TcpListener) {
        let mut tasks = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let door = Arc::clone(&self);
            tasks.spawn(async move {
                while let Ok(question) = read_message(&mut stream).await {
                    match door.reply(&question, Transport::Tcp).await {
                        Some(reply) => write_message(&mut stream, &reply).await.unwrap_or_default(),
                        None if door.mode() == Misbehaviour::Silent => {}
                        None => return,
                    }
                }
            });
        }
    }

    fn mode(&self) -> Misbehaviour {
        *self.mode.lock().unwrap()
    }

    async fn reply(&self, question: &[u8], transport: Transport) -> Option<Vec<u8>> {
        self.questions.lock().unwrap().insert(question.to_vec());
        self.over_tcp.fetch_add(usize::from(transport == Transport::Tcp), Ordering::SeqCst);
        match (self.mode(), transport) {
            (Misbehaviour::None, _) | (Misbehaviour::UdpLost, Transport::Tcp) => {
                Some(pass(self.honest, question, transport).await)
            }
            (Misbehaviour::SignedWithWrongKey, _) => {
                Some(pass(self.forger, question, transport).await)
            }
            (Misbehaviour::SignaturesStripped, _) => {
                Some(stripped(&pass(self.honest, question, transport).await))
            }
            (Misbehaviour::Servfail, _) => Some(empty(question, ResponseCode::ServFail, false)),
            (Misbehaviour::Refused, _) => Some(empty(question, ResponseCode::Refused, false)),
            (Misbehaviour::Nxdomain, _) => Some(empty(question, ResponseCode::NXDomain, false)),
            (Misbehaviour::NoData, _) => Some(empty(question, ResponseCode::NoError, false)),
            (Misbehaviour::Garbage, _) => {
                let id = question.get(..2).unwrap();
                Some([id, &[0xff; 40]].concat())
            }
            (Misbehaviour::TruncatedThenTcpFails, Transport::Udp) => {
                Some(empty(question, ResponseCode::NoError, true))
            }
            (Misbehaviour::TruncatedThenTcpFails, Transport::Tcp)
            | (Misbehaviour::UdpLost, Transport::Udp)
            | (Misbehaviour::Silent, _) => None,
        }
    }
}

/// Lets a hickory server answer.
async fn pass(server: SocketAddr, question: &[u8], transport: Transport) -> Vec<u8> {
    match transport {
        Transport::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            socket.send_to(question, server).await.unwrap();
            let mut buffer = vec![0; 65_536];
            let length = socket.recv(&mut buffer).await.unwrap();
            buffer.truncate(length);
            buffer
        }
        Transport::Tcp => {
            let mut stream = TcpStream::connect(server).await.unwrap();
            write_message(&mut stream, question).await.unwrap();
            read_message(&mut stream).await.unwrap()
        }
    }
}

async fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_message(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    stream.write_u16(u16::try_from(message.len()).unwrap()).await?;
    stream.write_all(message).await
}

/// An answer without records.
fn empty(question: &[u8], code: ResponseCode, truncated: bool) -> Vec<u8> {
    let question = Message::from_vec(question).unwrap();
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.response_code = code;
    answer.metadata.truncation = truncated;
    answer.add_queries(question.queries);
    answer.to_vec().unwrap()
}

fn stripped(answer: &[u8]) -> Vec<u8> {
    let mut answer = Message::from_vec(answer).unwrap();
    let dnssec = |record: &Record| {
        let record_type = record.record_type();
        record_type == RecordType::RRSIG || record_type == RecordType::NSEC
    };
    answer.answers.retain(|record| !dnssec(record));
    answer.authorities.retain(|record| !dnssec(record));
    answer.to_vec().unwrap()
}
