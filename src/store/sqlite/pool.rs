//! A few read-only connections, each lent for one short read.
//!
//! A read that is stopped in time cannot keep the checkpoint from the end of the log for long:
//! that is what bounds the log.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::error::fault;
use super::place::Place;
use super::settings::{open_reader, set_reader};
use crate::store::StoreError;

/// Connections: more would only wait for the same two or four cores.
const READERS: usize = 4;

/// How long one read may take, and how long it may wait for a connection.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(2);

/// Steps of SQLite's machine between two looks at the time: some tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
    limit: Duration,
}

impl Pool {
    /// Opens the connections.
    pub(super) fn open(place: &Place, limit: Duration) -> Result<Self, StoreError> {
        let mut idle = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let conn = open_reader(place)?;
            set_reader(&conn)?;
            idle.push(conn);
        }
        Ok(Self::of(idle, limit))
    }

    /// A pool of these connections.
    pub(super) fn of(idle: Vec<Connection>, limit: Duration) -> Self {
        Self { idle: Mutex::new(idle), returned: Condvar::new(), limit }
    }

    /// Reads one consistent state of the database; stopped when the time is over.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut lent = self.lend()?;
        let Some(conn) = lent.conn.as_mut() else {
            return Err(StoreError::Unavailable(String::from("a reader is missing")));
        };
        let (start, limit) = (Instant::now(), self.limit);
        conn.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || start.elapsed() >= limit))
            .map_err(|error| fault("a reader", error))?;
        let snapshot = conn.unchecked_transaction().map_err(|error| fault("a reader", error))?;
        // Nothing was written, so dropping the transaction only ends it.
        work(&snapshot)
    }

    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let (mut idle, _) = self
            .returned
            .wait_timeout_while(self.idle(), READ_LIMIT, |idle| idle.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        match idle.pop() {
            Some(conn) => Ok(Lent { pool: self, conn: Some(conn) }),
            None => Err(StoreError::Unavailable(String::from(
                "all readers of the database are busy; ask again in a moment",
            ))),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} idle)", self.idle().len())
    }
}

/// A connection that goes back to the pool whatever happens.
struct Lent<'p> {
    pool: &'p Pool,
    conn: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.idle().push(conn);
            self.pool.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endless(conn: &Connection) -> Result<i64, StoreError> {
        const SQL: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            SELECT count(*) FROM n";
        conn.query_row(SQL, [], |row| row.get(0)).map_err(|error| fault("n", error))
    }

    #[test]
    fn an_endless_read_is_stopped_and_its_connection_reads_on() {
        let pool = Pool::of(vec![Connection::open_in_memory().unwrap()], Duration::ZERO);
        let error = pool.read(endless).unwrap_err();
        assert!(error.to_string().contains("took too long"), "{error}");
        let one = pool.read(|conn| {
            conn.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))
                .map_err(|error| fault("n", error))
        });
        assert_eq!(one.unwrap(), 1);
    }

    #[test]
    fn a_panicking_read_gives_its_connection_back() {
        let pool = Pool::of(vec![Connection::open_in_memory().unwrap()], READ_LIMIT);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.read(|_| -> Result<(), StoreError> { panic!("a bug above") })
        }));
        assert!(result.is_err());
        assert_eq!(format!("{pool:?}"), "Pool(1 idle)");
        assert!(pool.read(|_| Ok(())).is_ok());
    }
}
