//! Opens the door where the settings say, and follows the host's WireGuard addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use zeroize::Zeroizing;

use super::PORT;
use super::serve::connection;
use super::station::Station;

/// Open connections at all addresses together.
const CONNECTIONS: usize = 64;

/// Connections waiting to be accepted.
const BACKLOG: u32 = 64;

/// Addresses at most: a host has a handful of WireGuard interfaces.
const ADDRESSES: usize = 64;

/// After an accept failed for lack of file descriptors, others get this long to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the door is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serving {
    /// Nowhere.
    Off,
    /// At the addresses of the host's WireGuard interfaces.
    WireGuard,
    /// At these.
    At(Vec<SocketAddr>),
}

impl Serving {
    /// The addresses for the door on a host with these WireGuard addresses.
    fn addresses(&self, wireguard: &[IpAddr]) -> Vec<SocketAddr> {
        match self {
            Self::Off => Vec::new(),
            Self::WireGuard => wireguard.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect(),
            Self::At(addresses) => addresses.clone(),
        }
    }
}

/// Whether the door could be opened on a host with these WireGuard addresses: what is found, or
/// what is in the way and what to do. Opens it for a moment at most, and takes no connection.
///
/// # Errors
/// Each address that cannot be had, and why.
pub fn check(serving: &Serving, wireguard: &[IpAddr]) -> Result<String, String> {
    let wanted = serving.addresses(wireguard);
    match serving {
        Serving::Off => return Ok("stays closed, as KATTILA_RELAY says".to_owned()),
        Serving::WireGuard if wanted.is_empty() => {
            return Ok("no WireGuard address yet to open it at".to_owned());
        }
        Serving::WireGuard | Serving::At(_) => {}
    }
    let tried = wanted.iter().take(ADDRESSES).map(|addr| (addr, bind(*addr).err()));
    let tried: Vec<_> = tried.collect();
    let shut: Vec<String> = tried
        .iter()
        .filter_map(|(addr, error)| Some(format!("{addr}: {}", in_the_way(error.as_ref()?))))
        .collect();
    if shut.is_empty() {
        let open: Vec<String> = tried.iter().map(|(addr, _)| addr.to_string()).collect();
        return Ok(format!("can be opened at {}", open.join(", ")));
    }
    Err(format!("cannot be opened at {}", shut.join("; ")))
}

fn in_the_way(error: &io::Error) -> String {
    let known = [
        (
            io::ErrorKind::AddrInUse,
            "another program has this port; stop it, or set KATTILA_RELAY to other addresses, or \
             to off",
        ),
        (
            io::ErrorKind::AddrNotAvailable,
            "this host does not have this address; correct KATTILA_RELAY",
        ),
        (
            io::ErrorKind::PermissionDenied,
            "the agent's user may not open it; take a port over 1023 in KATTILA_RELAY",
        ),
    ];
    let words = known.into_iter().find(|(kind, _)| *kind == error.kind());
    words.map_or_else(
        || format!("{error}; set KATTILA_RELAY to other addresses, or to off"),
        |(_, words)| words.to_owned(),
    )
}

/// What the settings say about the door.
#[derive(Clone)]
pub struct DoorSettings {
    /// Where it is.
    pub serving: Serving,
    /// The token that may reset; without one nobody may.
    pub token: Option<Zeroizing<String>>,
}

impl fmt::Debug for DoorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DoorSettings({:?})", self.serving)
    }
}

/// One address: open until dropped, or not to be had.
#[derive(Debug)]
enum Spot {
    Open(#[expect(dead_code, reason = "ends the task when dropped")] AbortOnDropHandle<()>),
    Failed,
}

/// All addresses at which the door is open.
#[derive(Debug)]
pub struct Listeners {
    serving: Serving,
    station: Arc<Station>,
    spots: BTreeMap<SocketAddr, Spot>,
    slots: Arc<Semaphore>,
}

impl Listeners {
    /// Opens nothing yet.
    pub fn new(serving: Serving, station: Arc<Station>) -> Self {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        Self { serving, station, spots: BTreeMap::new(), slots }
    }

    /// Goes by other settings from the next look on.
    pub fn set(&mut self, serving: Serving) {
        self.serving = serving;
    }

    /// Opens and closes so that the door is where it should be; the host has these WireGuard
    /// addresses.
    pub fn follow(&mut self, wireguard: &[IpAddr]) {
        let wanted = self.serving.addresses(wireguard);
        self.spots.retain(|addr, _| wanted.contains(addr));
        for addr in wanted.into_iter().take(ADDRESSES) {
            self.open(addr);
        }
    }

    fn open(&mut self, addr: SocketAddr) {
        let known = self.spots.get(&addr);
        if matches!(known, Some(Spot::Open(_))) {
            return;
        }
        let spot = match bind(addr) {
            Ok(listener) => {
                tracing::info!(%addr, "The agent's door is open");
                let accepting =
                    accept(listener, Arc::clone(&self.station), Arc::clone(&self.slots));
                Spot::Open(AbortOnDropHandle::new(tokio::spawn(accepting)))
            }
            Err(error) => {
                // Tried again at every look, told once.
                if known.is_none() {
                    tracing::warn!(%addr, %error, "The agent's door cannot open here");
                }
                Spot::Failed
            }
        };
        self.spots.insert(addr, spot);
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, station: Arc<Station>, slots: Arc<Semaphore>) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        match accepted {
            Ok((stream, source)) => {
                // Over the limit it is closed unread: the neighbour takes another path.
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
                let station = Arc::clone(&station);
                open.spawn(async move {
                    connection(stream, source.ip().to_canonical(), station).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "A neighbour's connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_in_the_way_of_the_door_is_told() {
        let off = check(&Serving::Off, &[IpAddr::from([10, 0, 0, 1])]).unwrap();
        assert!(off.contains("closed"), "{off}");
        let nowhere = check(&Serving::WireGuard, &[]).unwrap();
        assert!(nowhere.contains("no WireGuard address"), "{nowhere}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = listener.local_addr().unwrap();
        let error = check(&Serving::At(vec![taken]), &[]).unwrap_err();
        assert!(error.contains(&taken.to_string()) && error.contains("another program"), "{error}");
        drop(listener);
        let open = check(&Serving::At(vec![taken]), &[]).unwrap();
        assert_eq!(open, format!("can be opened at {taken}"));
        // TEST-NET-1 is nobody's own address.
        let foreign = check(&Serving::WireGuard, &[IpAddr::from([192, 0, 2, 1])]).unwrap_err();
        assert!(foreign.starts_with("cannot be opened at 192.0.2.1:5087: this host"), "{foreign}");
    }
}
