//! What only a SQLite file can do wrong: the lock, a kill, a full disk, a lost log, a reader
//! that holds the log, foreign files.

mod asked;
mod commit;
mod files;
mod late;
mod packed;
mod past;
mod readers;
mod steps;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;

use super::backup::restore;
use super::{Durability, Opened, open, open_read_only};
use crate::model::hex;
use crate::model::id::{AgentNo, FleetId, ReportId};
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, CanonForm, EventKind, Scheme};
use crate::model::time::UnixSeconds;
use crate::store::change::{AgentRecord, Change, NewEvent, NewReport};
use crate::store::earlier::Earlier;
use crate::store::row::{EventFilter, ReportFilter};
use crate::store::{Reader as _, StoreError, Writer as _};

const T: UnixSeconds = UnixSeconds(1_795_000_000);

fn agent(no: i64) -> AgentRecord {
    AgentRecord {
        no: AgentNo(no),
        id: format!("agent-{no}").parse().unwrap(),
        fleet: FleetId::unnamed(),
        hostname: None,
        agent_version: None,
        registered_at: T,
        last_seen_at: None,
        last_tick: None,
        status: AgentStatus::Online,
        status_since: T,
        scheme: None,
        canon_form: None,
        kid: None,
        boot_id: None,
        uptime_seconds: None,
        load: None,
        labels: std::collections::BTreeMap::new(),
        problems: Vec::new(),
        clock_offset: 0,
        relay_path: RelayPath::direct(),
        source: None,
        interfaces_hash: 0,
        routes_hash: u64::MAX,
        peers_hash: 0,
        forgotten: false,
        may_relay: true,
        site_set: None,
    }
}

fn report(id: i64, agent: i64) -> Change {
    let seed = id.to_le_bytes();
    Change {
        report: Some(NewReport {
            id: ReportId(id),
            agent: AgentNo(agent),
            scheme: Scheme::V1,
            form: CanonForm::Raw,
            kid: "45819852fbdfc69a".parse().unwrap(),
            timestamp: T.plus(id),
            collected_at: None,
            received_at: T.plus(id),
            tick: None,
            nonce: format!("nonce-{id}"),
            data_sha256: [7; 32],
            // Incompressible enough that a report takes room.
            envelope: Bytes::from(hex::encode(&seed.repeat(200)) + &noise(id)),
            frame_dict: None,
            redacted: false,
            relay_path: RelayPath::direct(),
            source: None,
            late: false,
        }),
        ..Change::default()
    }
}

/// Text that differs from report to report and does not compress well.
fn noise(id: i64) -> String {
    let mut state = id.cast_unsigned().wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::new();
    for _ in 0..200 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    hex::encode(&bytes)
}

fn first_agent() -> Change {
    Change { agents: vec![agent(1)], ..Change::default() }
}

fn event() -> Change {
    let event = NewEvent {
        at: T,
        recorded_at: T,
        kind: EventKind::ManagerStarted,
        fleet: None,
        agent: None,
        subject: String::from("manager"),
        before: None,
        after: None,
        report: None,
        cause: None,
    };
    Change { events: vec![event], ..Change::default() }
}

fn write(opened: &mut Opened, changes: &[Change]) {
    opened.writer.begin().unwrap();
    for change in changes {
        opened.writer.record(change).unwrap();
    }
    opened.writer.commit().unwrap();
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    (dir, db)
}

fn opened(db: &Path) -> Opened {
    open(db, Durability::Full).unwrap()
}

fn stored(opened: &Opened) -> u64 {
    opened.reader.stats().unwrap().reports
}

fn refused(result: Result<Opened, StoreError>) -> String {
    let Err(error @ StoreError::Refused { .. }) = result else { panic!("{result:?}") };
    error.to_string()
}

fn wal_bytes(db: &Path) -> u64 {
    std::fs::metadata(db.with_extension("db-wal")).map_or(0, |file| file.len())
}
