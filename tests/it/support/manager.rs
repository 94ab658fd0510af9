//! A whole manager on port 0, a real database file and a clock turned by hand.

use std::net::SocketAddr;
use std::path::PathBuf;

use kattila::clock::Clock;
use kattila::config::Config;
use kattila::config::source::Values;
use kattila::manager::{Manager, StartError};
use kattila::model::time::UnixSeconds;
use kattila::store::sqlite;
use tempfile::TempDir;

use super::actors::{Admin, Agent, Operator};

/// When the tests take place: 2026-11-20T22:38:06Z, the time of the protocol's vectors.
pub(crate) const START: UnixSeconds = UnixSeconds(1_795_214_286);

/// The pre-shared key of the tests' fleets.
pub(crate) const PSK: &str = "kattila-test-psk-000000000000000";

/// The admin token of the tests' managers.
pub(crate) const ADMIN_TOKEN: &str = "admin-token-of-the-tests-0000000";

/// A running manager and what it stands on.
pub(crate) struct TestManager {
    manager: Option<Manager>,
    pub(crate) clock: Clock,
    dir: TempDir,
    settings: Vec<(String, String)>,
}

impl TestManager {
    /// A manager with the usual settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A manager with further settings; a later one of a name wins.
    pub(crate) async fn start_with(more: &[(&str, &str)]) -> Self {
        Self::start_at(Clock::manual(START), more).await
    }

    /// A manager whose clock and timers run by themselves, for users that cannot be told the
    /// time: programs and browsers.
    pub(crate) async fn start_live(more: &[(&str, &str)]) -> Self {
        Self::start_at(Clock::system(), more).await
    }

    async fn start_at(clock: Clock, more: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = vec![
            ("KATTILA_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("KATTILA_DB".to_owned(), dir.path().join("k.db").display().to_string()),
            ("KATTILA_PSK".to_owned(), PSK.to_owned()),
            ("KATTILA_ADMIN_TOKEN".to_owned(), ADMIN_TOKEN.to_owned()),
        ];
        for (name, value) in more {
            settings.retain(|(other, _)| other != name);
            settings.push(((*name).to_owned(), (*value).to_owned()));
        }
        let mut this = Self { manager: None, clock, dir, settings };
        this.manager = Some(this.bind().await.unwrap());
        this
    }

    /// Another manager with the same settings, on the same database.
    pub(crate) async fn bind(&self) -> Result<Manager, StartError> {
        let config = Config::load(&Values::from_pairs(self.settings.clone())).unwrap();
        Manager::bind(config, self.clock.clone()).await
    }

    pub(crate) fn manager(&self) -> &Manager {
        self.manager.as_ref().unwrap()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.manager().addr()
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.dir.path().join("k.db")
    }

    /// Takes a table away from the manager, behind its back: what needs it fails.
    pub(crate) fn spoil(&self, table: &str) {
        let rename = format!("ALTER TABLE {table} RENAME TO {table}_away");
        rusqlite::Connection::open(self.db()).unwrap().execute_batch(&rename).unwrap();
    }

    /// Gives it back.
    pub(crate) fn repair(&self, table: &str) {
        let rename = format!("ALTER TABLE {table}_away RENAME TO {table}");
        rusqlite::Connection::open(self.db()).unwrap().execute_batch(&rename).unwrap();
    }

    /// An agent that signs version 2 under the usual key.
    pub(crate) fn agent(&self, id: &str) -> Agent {
        Agent::new(id, self.addr(), self.clock.clone())
    }

    pub(crate) fn operator(&self) -> Operator {
        Operator::new(self.addr(), ADMIN_TOKEN)
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(self.addr(), ADMIN_TOKEN)
    }

    /// Lets time pass, a second at a time where something may be due, and the timers act.
    pub(crate) async fn advance(&self, seconds: i64) {
        self.clock.set(self.clock.now().plus(seconds));
        self.manager().step().await;
    }

    /// Stops in order, and starts again on the same database.
    pub(crate) async fn restart(mut self) -> Self {
        assert!(self.manager.take().unwrap().shutdown().await, "a part did not stop in order");
        self.manager = Some(self.bind().await.unwrap());
        self
    }

    /// Restarts with some settings changed.
    pub(crate) async fn restart_with(mut self, changed: &[(&str, &str)]) -> Self {
        for (name, value) in changed {
            self.settings.retain(|(other, _)| other != name);
            self.settings.push(((*name).to_owned(), (*value).to_owned()));
        }
        self.restart().await
    }

    /// Stops in order and looks over what is left: every table sound, every report provable.
    pub(crate) async fn stop(mut self) {
        assert!(self.manager.take().unwrap().shutdown().await, "a part did not stop in order");
        let reader = sqlite::open_read_only(&self.db()).unwrap();
        reader.quick_check().unwrap();
    }
}
