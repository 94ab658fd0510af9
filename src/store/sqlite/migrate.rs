//! How a database comes to be and grows: the migrations, each in one transaction with the
//! version it leads to.
//!
//! A new database goes through the same steps as an old one; `schema.sql` is where they lead,
//! and a test holds them to it.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::backup::damaged;
use super::error::fault;
use super::place::Place;
use crate::store::StoreError;

/// "Katt" in the file's header, so that `file` and this program know a database of ours.
const APPLICATION_ID: i64 = 0x4B61_7474;

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; the first leads to version 1. Append only: released steps never change.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_initial", sql: include_str!("../../../migrations/0001_initial.sql") },
    Migration {
        name: "0002_judged_at",
        sql: include_str!("../../../migrations/0002_judged_at.sql"),
    },
    Migration {
        name: "0003_late_reports",
        sql: include_str!("../../../migrations/0003_late_reports.sql"),
    },
    Migration {
        name: "0004_identities",
        sql: include_str!("../../../migrations/0004_identities.sql"),
    },
    Migration { name: "0005_relays", sql: include_str!("../../../migrations/0005_relays.sql") },
    Migration {
        name: "0006_events_in_force",
        sql: include_str!("../../../migrations/0006_events_in_force.sql"),
    },
    Migration { name: "0007_past", sql: include_str!("../../../migrations/0007_past.sql") },
    Migration { name: "0008_outbox", sql: include_str!("../../../migrations/0008_outbox.sql") },
    Migration { name: "0009_causes", sql: include_str!("../../../migrations/0009_causes.sql") },
    Migration {
        name: "0010_dictionaries",
        sql: include_str!("../../../migrations/0010_dictionaries.sql"),
    },
    Migration { name: "0011_flaps", sql: include_str!("../../../migrations/0011_flaps.sql") },
    Migration {
        name: "0012_set_aside",
        sql: include_str!("../../../migrations/0012_set_aside.sql"),
    },
    Migration { name: "0013_users", sql: include_str!("../../../migrations/0013_users.sql") },
    Migration { name: "0014_audit", sql: include_str!("../../../migrations/0014_audit.sql") },
    Migration {
        name: "0015_second_factor",
        sql: include_str!("../../../migrations/0015_second_factor.sql"),
    },
    Migration {
        name: "0016_layout_steps",
        sql: include_str!("../../../migrations/0016_layout_steps.sql"),
    },
    Migration { name: "0017_reach", sql: include_str!("../../../migrations/0017_reach.sql") },
    Migration { name: "0018_frames", sql: include_str!("../../../migrations/0018_frames.sql") },
    Migration {
        name: "0019_foreign_users",
        sql: include_str!("../../../migrations/0019_foreign_users.sql"),
    },
    Migration { name: "0020_metrics", sql: include_str!("../../../migrations/0020_metrics.sql") },
    Migration { name: "0021_masked", sql: include_str!("../../../migrations/0021_masked.sql") },
    Migration { name: "0022_shares", sql: include_str!("../../../migrations/0022_shares.sql") },
    Migration {
        name: "0023_masked_shares",
        sql: include_str!("../../../migrations/0023_masked_shares.sql"),
    },
    Migration { name: "0024_deltas", sql: include_str!("../../../migrations/0024_deltas.sql") },
    Migration { name: "0025_sites", sql: include_str!("../../../migrations/0025_sites.sql") },
];

/// What a file is, before anything is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing yet.
    New,
    /// A database of ours at this version, at most the newest.
    Ours(usize),
}

/// The version that this program writes.
pub(super) const fn newest() -> usize {
    MIGRATIONS.len()
}

/// Looks at a file without changing it; refuses foreign and newer ones.
pub(super) fn identify(conn: &Connection, place: &Place) -> Result<Identity, StoreError> {
    let foreign = || {
        place.refused(
            "is not a kattila database",
            "give KATTILA_DB another file; this one was left as it is",
        )
    };
    let (application_id, version, objects) = match header(conn) {
        Ok(header) => header,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(foreign());
        }
        Err(error) => {
            return Err(if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) {
                damaged(place, &error.to_string())
            } else {
                fault("the file's header", error)
            });
        }
    };
    match (application_id, usize::try_from(version), objects) {
        (0, Ok(0), 0) => Ok(Identity::New),
        (APPLICATION_ID, Ok(version @ 1..), _) if version <= newest() => {
            Ok(Identity::Ours(version))
        }
        (APPLICATION_ID, Ok(version @ 1..), _) => Err(place.refused(
            &format!(
                "was written by a newer kattila (schema {version}; this program knows up to {})",
                newest()
            ),
            "start the newer program, or give KATTILA_DB another file",
        )),
        _ => Err(foreign()),
    }
}

fn header(conn: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let number = |sql| conn.query_row(sql, [], |row| row.get(0));
    Ok((
        number("PRAGMA application_id")?,
        number("PRAGMA user_version")?,
        number("SELECT count(*) FROM sqlite_schema")?,
    ))
}

/// Brings the database to the newest version.
pub(super) fn migrate(
    conn: &mut Connection,
    place: &Place,
    identity: Identity,
) -> Result<(), StoreError> {
    let done = match identity {
        Identity::New => 0,
        Identity::Ours(version) => version,
    };
    migrate_to(conn, place, (done, newest()))
}

/// Takes the steps from one version to another.
pub(super) fn migrate_to(
    conn: &mut Connection,
    place: &Place,
    (done, wanted): (usize, usize),
) -> Result<(), StoreError> {
    for (step, migration) in MIGRATIONS.iter().enumerate().take(wanted).skip(done) {
        apply(conn, step + 1, migration).map_err(|error| {
            if let StoreError::Unavailable(_) = error {
                return error;
            }
            place.refused(
                &format!("cannot be brought to schema {} ({error})", migration.name),
                "it was left at its old version: start the older program, and report this",
            )
        })?;
    }
    Ok(())
}

fn apply(conn: &mut Connection, version: usize, migration: &Migration) -> Result<(), StoreError> {
    let told = |error| fault(migration.name, error);
    let step = conn.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(told)?;
    step.execute_batch(migration.sql).map_err(told)?;
    let orphan = step.query_row("SELECT \"table\" FROM pragma_foreign_key_check", [], |row| {
        row.get::<_, String>(0)
    });
    if let Ok(table) = orphan {
        return Err(StoreError::Constraint(format!("{table}: a row points at nothing")));
    }
    step.pragma_update(None, "application_id", APPLICATION_ID).map_err(told)?;
    step.pragma_update(None, "user_version", i64::try_from(version).unwrap_or(i64::MAX))
        .map_err(told)?;
    step.commit().map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_its_version_are_one() {
        let mut conn = Connection::open_in_memory().unwrap();
        let broken = Migration { name: "broken", sql: "CREATE TABLE a (b); CREATE TABLE a (b);" };
        assert!(apply(&mut conn, 1, &broken).is_err());
        assert_eq!(header(&conn), Ok((0, 0, 0)));
    }

    #[test]
    fn a_step_that_orphans_rows_is_undone() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "PRAGMA foreign_keys = ON;
             CREATE TABLE a (n INTEGER PRIMARY KEY);
             CREATE TABLE b (n INTEGER REFERENCES a (n) DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);",
        )
        .unwrap();
        let step = Migration { name: "orphans", sql: "DELETE FROM a;" };
        let error = apply(&mut conn, 2, &step).unwrap_err();
        assert!(error.to_string().contains("b: a row points at nothing"), "{error}");
        assert_eq!(conn.query_row("SELECT count(*) FROM a", [], |row| row.get(0)), Ok(1));
    }
}
