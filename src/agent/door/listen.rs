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
        let wanted: Vec<SocketAddr> = match &self.serving {
            Serving::Off => Vec::new(),
            Serving::WireGuard => wireguard.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect(),
            Serving::At(addresses) => addresses.clone(),
        };
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
