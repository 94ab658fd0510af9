//! What the agent reads of its own host: interfaces, addresses and routes from the kernel by
//! netlink, WireGuard from the kernel and from daemons' sockets, the rest from `/proc`.
//!
//! It runs no commands and parses no output. It never fails as a whole: what could not be read
//! is absent and named among the problems. Private and preshared keys go no further than the
//! two readers that meet them ([`kernel`], [`uapi`]); the types behind them have no room for
//! keys. One dump per kind and look, nothing in between.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what the kernel may say grows with every release, and a reader wants a part of it"
)]

pub mod check;
pub mod snapshot;

mod bounds;
mod device;
mod host;
mod kernel;
mod links;
mod names;
mod netlink;
mod routes;
mod trouble;
mod uapi;
mod underlay;
mod watch;
mod wireguard;

use std::fmt;
use std::io;
use std::path::PathBuf;

use netlink_sys::protocols::NETLINK_ROUTE;

use crate::model::time::UnixSeconds;

use kernel::Kernel;
use links::Links;
use netlink::Socket;
use snapshot::Snapshot;
use trouble::{About, Troubles};
use watch::Watch;

/// Where a host keeps what is not asked by netlink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The proc file system.
    pub proc: PathBuf,
    /// Where WireGuard daemons put their sockets; of two with one name the first counts.
    pub uapi: Vec<PathBuf>,
}

impl Default for Places {
    /// A real host's.
    fn default() -> Self {
        let uapi = ["/run/wireguard", "/var/run/wireguard"].map(PathBuf::from).to_vec();
        Self { proc: PathBuf::from("/proc"), uapi }
    }
}

/// Reads the host again and again; keeps its sockets open.
pub struct Collector {
    places: Places,
    route: Option<Socket>,
    kernel: Kernel,
    watch: Watch,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("places", &self.places).finish_non_exhaustive()
    }
}

/// Finds out what is missing on this host for a full report, and what to do about it.
pub async fn check(places: Places) -> Vec<check::Finding> {
    let mut collector = Collector::new(places);
    let (snapshot, troubles) = collector.look(UnixSeconds(0)).await;
    check::findings(&collector.places, &snapshot, &troubles)
}

impl Collector {
    /// A collector that has not looked yet; opens nothing.
    pub fn new(places: Places) -> Self {
        Self { places, route: None, kernel: Kernel::default(), watch: Watch::default() }
    }

    /// Looks at the host.
    pub async fn collect(&mut self, now: UnixSeconds) -> Snapshot {
        let (mut snapshot, troubles) = self.look(now).await;
        snapshot.problems = troubles.into_problems();
        snapshot
    }

    /// Waits until an interface or an address differs from what the last look found. Before the
    /// first look it waits for ever. May be dropped and called again at any time; changes come
    /// in bursts, so a caller should wait a moment before it looks.
    pub async fn changed(&mut self) {
        self.watch.changed().await;
    }

    async fn look(&mut self, now: UnixSeconds) -> (Snapshot, Troubles) {
        let mut snapshot = Snapshot { collected_at: now, ..Snapshot::default() };
        let mut troubles = Troubles::default();
        host::read(&self.places.proc, &mut snapshot, &mut troubles);
        if let Err(error) = self.watch.begin() {
            let detail = format!("of interfaces are seen only from report to report: {error}");
            troubles.add(About::Network, "changes", detail);
        }
        let mut route = self.open(&mut troubles);
        let links = match &mut route {
            Some(socket) => read_links(socket, &mut troubles).await,
            None => None,
        };
        if let Some(links) = &links {
            self.watch.learn(links);
        }
        if let (Some(socket), Some(links)) = (&mut route, &links) {
            read_routes(socket, links, &mut snapshot, &mut troubles).await;
        }
        let links = links.unwrap_or_default();
        let is_known = !links.is_empty();
        let devices =
            wireguard::devices(&mut self.kernel, &self.places, &links, &mut troubles).await;
        let mut rows = wireguard::Rows::default();
        rows.fill(&devices, underlay::Underlay::new(&links, route.as_mut())).await;
        snapshot.wg_peers = devices.is_known.then_some(rows.peers);
        snapshot.interfaces = is_known.then(|| {
            let mut interfaces = links::finish(links);
            wireguard::tell(&mut interfaces, &devices.found);
            interfaces
        });
        bounds::fit(&mut snapshot, &mut troubles);
        self.route = route;
        (snapshot, troubles)
    }

    /// The socket for interfaces, addresses and routes.
    fn open(&mut self, troubles: &mut Troubles) -> Option<Socket> {
        let opened = match self.route.take() {
            Some(socket) => Ok(socket),
            None => Socket::open(NETLINK_ROUTE, netlink::leave),
        };
        let failed = |error: io::Error| {
            troubles.add(About::Network, "interfaces", trouble::table(&error));
            troubles.add(About::Network, "routes", trouble::table(&error));
        };
        opened.map_err(failed).ok()
    }
}

async fn read_links(socket: &mut Socket, troubles: &mut Troubles) -> Option<Links> {
    match links::read(socket).await {
        Ok(dump) => {
            if dump.unreadable > 0 {
                let detail = "lack some that this agent does not understand".to_owned();
                troubles.add(About::Network, "interfaces", detail);
            }
            Some(dump.kept)
        }
        Err(error) => {
            troubles.add(About::Network, "interfaces", trouble::table(&error));
            None
        }
    }
}

async fn read_routes(
    socket: &mut Socket,
    links: &Links,
    snapshot: &mut Snapshot,
    troubles: &mut Troubles,
) {
    match routes::read(socket, links).await {
        Ok(dump) => {
            if dump.unreadable > 0 {
                let detail = "lack some that this agent does not understand".to_owned();
                troubles.add(About::Network, "routes", detail);
            }
            snapshot.routes_truncated = dump.kept.more;
            snapshot.routes = Some(dump.kept.routes);
        }
        Err(error) => troubles.add(About::Network, "routes", trouble::table(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_without_anything_is_read_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { proc: dir.path().join("proc"), uapi: vec![dir.path().join("none")] };
        let mut collector = Collector::new(places);
        let snapshot = collector.collect(UnixSeconds(7)).await;
        assert_eq!(snapshot.collected_at, UnixSeconds(7));
        let lo = snapshot.interfaces.iter().flatten().find(|interface| interface.name == "lo");
        assert!(lo.is_some(), "{snapshot:?}");
        assert!(snapshot.routes.is_some());
        let paths: Vec<_> = snapshot.problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["boot_id", "hostname", "load", "uptime_seconds"]);
    }

    #[tokio::test]
    async fn a_look_can_run_on_any_thread() {
        let mut collector = Collector::new(Places::default());
        let look = tokio::spawn(async move {
            let first = collector.collect(UnixSeconds(1)).await;
            (first, collector.collect(UnixSeconds(2)).await)
        });
        let (first, second) = look.await.unwrap();
        assert_eq!(first.boot_id, second.boot_id);
        assert_eq!(first.hostname, second.hostname);
    }

    /// A socket that nobody listens on, and one that answers nonsense.
    #[tokio::test]
    async fn odd_sockets_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        drop(std::os::unix::net::UnixListener::bind(path("wgdead.sock")).unwrap());
        let silent = tokio::net::UnixListener::bind(path("wgodd.sock")).unwrap();
        tokio::spawn(async move {
            let (stream, _) = silent.accept().await.unwrap();
            drop(stream);
        });
        std::fs::write(path("not-a-socket"), "").unwrap();
        let places = Places { uapi: vec![dir.path().to_owned()], ..Places::default() };
        let snapshot = Collector::new(places).collect(UnixSeconds(0)).await;
        assert_eq!(snapshot.wg_peers, None, "one of them could not be read, so nothing is known");
        let details: Vec<_> = snapshot.problems.iter().map(|p| p.detail.as_str()).collect();
        let [dead, odd] = details[..] else { panic!("{details:?}") };
        assert!(dead.contains("wgdead") && dead.contains("is dead"), "{dead}");
        assert!(odd.contains("wgodd") && odd.contains("WireGuard daemon"), "{odd}");
    }
}
