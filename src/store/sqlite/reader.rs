//! The read side: whole answers, each from one consistent state, each stopped after two seconds.

use std::path::Path;
use std::sync::Arc;

use super::archive::Archive;
use super::backup;
use super::envelope::Reading;
use super::migrate;
use super::place::Place;
use super::pool::{Pool, READ_LIMIT};
use super::prune;
use super::settings::open_reader;
use super::shelf::Shelf;
use super::table::{
    agents, alarms, audit, carriers, channels, events, frame_dictionaries, identities, interfaces,
    keys, metrics, networks, notifications, past, peers, reports, routes, sessions, users,
};
use crate::model::audit::Sealed;
use crate::model::id::{AgentId, EventId, ReportId};
use crate::model::life::AlarmLife;
use crate::model::reach::Reach;
use crate::model::spread::Spread;
use crate::model::time::UnixSeconds;
use crate::store::audit::AuditFilter;
use crate::store::carrier::{Carrier, CarrierFilter};
use crate::store::dictionary::FrameDictionary;
use crate::store::metrics::{
    LateReport, Measured, MeasuredAsked, MeasuredTo, MetricsAsked, Stretch,
};
use crate::store::network::{NetworkFilter, Networks};
use crate::store::notice::{ChannelRow, MessageFilter, MessageRecord};
use crate::store::past::{Changes, ChangesAsked, Past};
use crate::store::people::{SessionFilter, UserRecord};
use crate::store::prune::Prunable;
use crate::store::row::{
    AgentDetail, AlarmFilter, AlarmRow, EventFilter, EventRow, KeyRow, ReportFilter, SessionRow,
    StoreStats, StoredReport,
};
use crate::store::{Reader, StoreError};

/// The SQLite read side. Its connections cannot write.
#[derive(Debug)]
pub struct SqliteReader {
    pool: Pool,
    place: Place,
    shelf: Arc<Shelf>,
    archive: Option<Arc<Archive>>,
    /// How long the writer's commits took, if there is one beside it.
    commit_times: Option<Arc<Spread>>,
}

impl SqliteReader {
    pub(super) fn open(place: Place, shelf: Arc<Shelf>) -> Result<Self, StoreError> {
        Ok(Self {
            pool: Pool::open(&place, READ_LIMIT)?,
            place,
            shelf,
            archive: None,
            commit_times: None,
        })
    }

    /// The same beside a writer: it may archive, and notes how long commits take.
    pub(super) fn beside(self, archive: Option<Arc<Archive>>, commit_times: &Arc<Spread>) -> Self {
        Self { archive, commit_times: Some(Arc::clone(commit_times)), ..self }
    }

    /// Checks the whole file for damage, however long that takes; `Refused` tells what is wrong.
    pub fn quick_check(&self) -> Result<(), StoreError> {
        backup::quick_check(&mut open_reader(&self.place)?, &self.place, None).map(|_ended| ())
    }
}

impl Reader for SqliteReader {
    fn agent(&self, id: &AgentId) -> Result<Option<AgentDetail>, StoreError> {
        self.pool.read(|conn| {
            let Some(agent) = agents::find(conn, id)? else { return Ok(None) };
            let peers = peers::of(conn, agent.no)?;
            Ok(Some(AgentDetail {
                interfaces: interfaces::of(conn, agent.no)?,
                routes: routes::of(conn, agent.no)?,
                peers: peers.into_iter().map(|record| (record.peer, record.edge)).collect(),
                identities: identities::of(conn, agent.no)?,
                agent,
            }))
        })
    }

    fn reports(&self, filter: &ReportFilter) -> Result<Vec<StoredReport>, StoreError> {
        self.pool.read(|conn| reports::list(&Reading { conn, shelf: &self.shelf }, filter))
    }

    fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, StoreError> {
        self.pool.read(|conn| events::list(conn, filter))
    }

    fn audit(&self, filter: &AuditFilter) -> Result<Vec<Sealed>, StoreError> {
        self.pool.read(|conn| audit::list(conn, filter))
    }

    fn past(&self, at: UnixSeconds) -> Result<Past, StoreError> {
        self.pool.read(|conn| past::at(conn, at))
    }

    fn changes(&self, asked: &ChangesAsked) -> Result<Changes, StoreError> {
        self.pool.read(|conn| past::changes(conn, asked))
    }

    fn alarms(&self, filter: &AlarmFilter) -> Result<Vec<AlarmRow>, StoreError> {
        self.pool.read(|conn| alarms::list(conn, filter))
    }

    fn alarm_lives(
        &self,
        span: (UnixSeconds, UnixSeconds),
        reach: &Reach,
        limit: usize,
    ) -> Result<Vec<AlarmLife>, StoreError> {
        self.pool.read(|conn| alarms::lives(conn, span, reach, limit))
    }

    fn notifications(&self, filter: &MessageFilter) -> Result<Vec<MessageRecord>, StoreError> {
        self.pool.read(|conn| notifications::find(conn, filter))
    }

    fn due_notifications(&self, now: UnixSeconds) -> Result<Vec<MessageRecord>, StoreError> {
        self.pool.read(|conn| notifications::due(conn, now))
    }

    fn channels(&self) -> Result<Vec<ChannelRow>, StoreError> {
        self.pool.read(channels::rows)
    }

    fn carriers(&self, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError> {
        self.pool.read(|conn| carriers::find(conn, filter))
    }

    fn networks(&self, filter: &NetworkFilter) -> Result<Networks, StoreError> {
        self.pool.read(|conn| networks::find(conn, filter))
    }

    fn frame_dictionaries(&self) -> Result<Vec<FrameDictionary>, StoreError> {
        self.pool.read(frame_dictionaries::list)
    }

    fn metrics(&self, asked: &MetricsAsked) -> Result<Vec<Stretch>, StoreError> {
        self.pool.read(|conn| metrics::list(conn, asked))
    }

    fn measured(
        &self,
        asked: &MeasuredAsked,
        each: &mut dyn FnMut(Measured),
    ) -> Result<MeasuredTo, StoreError> {
        let shelf = &self.shelf;
        self.pool.read(|conn| metrics::measured(&Reading { conn, shelf }, asked, each))
    }

    fn late_reports(&self, after: ReportId, limit: usize) -> Result<Vec<LateReport>, StoreError> {
        self.pool.read(|conn| metrics::late(conn, after, limit))
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.pool.read(keys::list)
    }

    fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
        self.pool.read(|conn| sessions::find(conn, token_hash))
    }

    fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionRow>, StoreError> {
        self.pool.read(|conn| sessions::list(conn, filter))
    }

    fn users(&self, name: Option<&str>) -> Result<Vec<UserRecord>, StoreError> {
        self.pool.read(|conn| users::list(conn, name))
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let (reports, events, last_event, audit) = self.pool.read(|conn| {
            let (reports, events) = (reports::range(conn)?, events::range(conn)?);
            let counted = (
                prune::count(conn, Prunable::Reports, reports)?,
                prune::count(conn, Prunable::Events, events)?,
            );
            Ok((counted.0, counted.1, events.1, audit::noted(conn)?))
        })?;
        Ok(StoreStats {
            db_bytes: size(self.place.db()),
            wal_bytes: size(&self.place.wal()),
            reports,
            events,
            last_event: EventId(last_event),
            audit,
            schema_version: u32::try_from(migrate::newest()).unwrap_or(u32::MAX),
            archive: self.archive.as_ref().map(|archive| archive.stats()),
            commit_times: self.commit_times.as_ref().map(|times| times.told()).unwrap_or_default(),
        })
    }

    fn tend_archive(&self) -> Result<u64, StoreError> {
        self.archive.as_ref().map_or(Ok(0), |archive| archive.tend())
    }

    fn backup(&self, to: &Path) -> Result<(), StoreError> {
        backup::backup(&open_reader(&self.place)?, to)
    }
}
