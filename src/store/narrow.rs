//! The read side as somebody sees it who may see some fleets only.
//!
//! One place for every verb: a question is narrowed before it is asked, so that limits and pages
//! count only what is seen, and what still names agents of others is washed. What belongs to the
//! manager as a whole is not there. Must never hand on a row that it has not looked at.

use std::sync::Arc;

use crate::model::id::AgentId;
use crate::model::life::AlarmLife;
use crate::model::reach::{Reach, Strangers};
use crate::model::time::UnixSeconds;

use super::carrier::{Carrier, CarrierFilter};
use super::dictionary::FrameDictionary;
use super::metrics::{Measured, MeasuredAsked, MeasuredTo, MetricsAsked, Stretch, Which, Whose};
use super::network::{NetworkFilter, Networks};
use super::notice::{MessageFilter, MessageRecord};
use super::past::{Changes, ChangesAsked, Past};
use super::row::{
    AgentDetail, AlarmFilter, AlarmRow, EventFilter, EventRow, KeyRow, ReportFilter, StoredReport,
};
use super::{Reader, StoreError};

/// What belongs to the manager as a whole, and is not there for whoever reads through a lens: the one
/// list of it, for every reader that shows less than there is.
macro_rules! nothing_of_the_whole {
    () => {
        fn audit(
            &self,
            _filter: &$crate::store::audit::AuditFilter,
        ) -> Result<Vec<$crate::model::audit::Sealed>, $crate::store::StoreError> {
            Ok(Vec::new())
        }

        fn due_notifications(
            &self,
            _now: $crate::model::time::UnixSeconds,
        ) -> Result<Vec<$crate::store::notice::MessageRecord>, $crate::store::StoreError> {
            Ok(Vec::new())
        }

        fn channels(
            &self,
        ) -> Result<Vec<$crate::store::notice::ChannelRow>, $crate::store::StoreError> {
            Ok(Vec::new())
        }

        fn late_reports(
            &self,
            _after: $crate::model::id::ReportId,
            _limit: usize,
        ) -> Result<Vec<$crate::store::metrics::LateReport>, $crate::store::StoreError> {
            Ok(Vec::new())
        }

        fn session(
            &self,
            _token_hash: &[u8; 32],
        ) -> Result<Option<$crate::store::row::SessionRow>, $crate::store::StoreError> {
            Ok(None)
        }

        fn sessions(
            &self,
            _filter: &$crate::store::people::SessionFilter,
        ) -> Result<Vec<$crate::store::row::SessionRow>, $crate::store::StoreError> {
            Ok(Vec::new())
        }

        fn users(
            &self,
            _name: Option<&str>,
        ) -> Result<Vec<$crate::store::people::UserRecord>, $crate::store::StoreError> {
            Ok(Vec::new())
        }

        fn stats(&self) -> Result<$crate::store::row::StoreStats, $crate::store::StoreError> {
            Ok($crate::store::row::StoreStats::default())
        }

        fn backup(&self, _to: &std::path::Path) -> Result<(), $crate::store::StoreError> {
            Err($crate::store::StoreError::Unavailable(
                "only the whole database is copied".to_owned(),
            ))
        }

        fn tend_archive(&self) -> Result<u64, $crate::store::StoreError> {
            Err($crate::store::StoreError::Unavailable(
                "only the whole database is archived".to_owned(),
            ))
        }
    };
}
pub(crate) use nothing_of_the_whole;

/// A reader within a reach.
#[derive(Debug)]
pub struct Narrow<'a> {
    whole: &'a dyn Reader,
    reach: Reach,
    strangers: Arc<Strangers>,
}

impl<'a> Narrow<'a> {
    /// This much of a reader, where these are the agents of others.
    pub fn new(whole: &'a dyn Reader, reach: Reach, strangers: Arc<Strangers>) -> Self {
        Self { whole, reach, strangers }
    }

    fn known(&self, agent: Option<AgentId>) -> Option<AgentId> {
        agent.filter(|id| !self.strangers.has(id))
    }

    /// Whether an agent is named and seen.
    fn sees(&self, which: &Which) -> Result<bool, StoreError> {
        match which {
            Which::Named(id) => Ok(self.agent(id)?.is_some()),
            Which::Numbered(_) => Ok(false),
        }
    }

    fn event(&self, mut row: EventRow) -> EventRow {
        row.agent_id = self.known(row.agent_id);
        self.strangers.wash(&mut row.subject);
        for value in [&mut row.before, &mut row.after].into_iter().flatten() {
            self.strangers.wash_value(value);
        }
        row
    }

    fn alarm(&self, mut row: AlarmRow) -> AlarmRow {
        row.agent_id = self.known(row.agent_id);
        self.strangers.wash(&mut row.alarm.subject);
        self.strangers.wash(&mut row.alarm.message);
        row
    }

    /// A message with the alarms that are seen.
    fn message(&self, mut message: MessageRecord) -> MessageRecord {
        // What became of it on its way is between the manager and the channel.
        (message.error, message.test_by) = (None, None);
        message.items.retain(|item| self.reach.sees_of(item.facts.fleet_id.as_ref()));
        for item in &mut message.items {
            item.facts.agent_id = self.known(item.facts.agent_id.take());
            self.strangers.wash(&mut item.facts.subject);
            self.strangers.wash(&mut item.facts.message);
        }
        message
    }
}

impl Reader for Narrow<'_> {
    fn agent(&self, id: &AgentId) -> Result<Option<AgentDetail>, StoreError> {
        let found = self.whole.agent(id)?;
        Ok(found.filter(|detail| self.reach.sees(&detail.agent.fleet)))
    }

    fn reports(&self, filter: &ReportFilter) -> Result<Vec<StoredReport>, StoreError> {
        self.whole.reports(&ReportFilter { reach: self.reach.clone(), ..filter.clone() })
    }

    fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, StoreError> {
        let filter = EventFilter { reach: self.reach.clone(), ..filter.clone() };
        Ok(self.whole.events(&filter)?.into_iter().map(|row| self.event(row)).collect())
    }

    fn past(&self, at: UnixSeconds) -> Result<Past, StoreError> {
        let mut past = self.whole.past(at)?;
        past.facts.retain(|fact| self.reach.sees_of(fact.fleet.as_ref()));
        past.alarms.retain(|alarms| self.reach.sees_of(alarms.fleet.as_ref()));
        Ok(past)
    }

    fn changes(&self, asked: &ChangesAsked) -> Result<Changes, StoreError> {
        let asked = ChangesAsked { reach: self.reach.clone(), ..asked.clone() };
        let mut changes = self.whole.changes(&asked)?;
        changes.events = changes.events.into_iter().map(|row| self.event(row)).collect();
        Ok(changes)
    }

    fn alarms(&self, filter: &AlarmFilter) -> Result<Vec<AlarmRow>, StoreError> {
        let filter = AlarmFilter { reach: self.reach.clone(), ..filter.clone() };
        Ok(self.whole.alarms(&filter)?.into_iter().map(|row| self.alarm(row)).collect())
    }

    fn alarm_lives(
        &self,
        span: (UnixSeconds, UnixSeconds),
        _reach: &Reach,
        limit: usize,
    ) -> Result<Vec<AlarmLife>, StoreError> {
        let mut lives = self.whole.alarm_lives(span, &self.reach, limit)?;
        for life in &mut lives {
            self.strangers.wash(&mut life.subject);
        }
        Ok(lives)
    }

    fn notifications(&self, filter: &MessageFilter) -> Result<Vec<MessageRecord>, StoreError> {
        let filter = MessageFilter { reach: self.reach.clone(), ..filter.clone() };
        let found = self.whole.notifications(&filter)?.into_iter();
        Ok(found.map(|message| self.message(message)).collect())
    }

    /// What stored reports are unpacked with; they tell no values.
    fn frame_dictionaries(&self) -> Result<Vec<FrameDictionary>, StoreError> {
        self.whole.frame_dictionaries()
    }

    fn metrics(&self, asked: &MetricsAsked) -> Result<Vec<Stretch>, StoreError> {
        if self.sees(&asked.agent)? { self.whole.metrics(asked) } else { Ok(Vec::new()) }
    }

    /// Of one agent that is named and seen.
    fn measured(
        &self,
        asked: &MeasuredAsked,
        each: &mut dyn FnMut(Measured),
    ) -> Result<MeasuredTo, StoreError> {
        let seen = match &asked.whose {
            Whose::One(which) => self.sees(which)?,
            Whose::After(..) => false,
        };
        if seen { self.whole.measured(asked, each) } else { Ok(MeasuredTo::default()) }
    }

    fn carriers(&self, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError> {
        let all = CarrierFilter { limit: usize::MAX, ..filter.clone() };
        let mut found = self.whole.carriers(&all)?;
        found.retain(|carrier| self.reach.sees(&carrier.fleet_id));
        found.truncate(filter.limit);
        Ok(found)
    }

    fn networks(&self, filter: &NetworkFilter) -> Result<Networks, StoreError> {
        self.whole.networks(&NetworkFilter { reach: self.reach.clone(), ..filter.clone() })
    }

    /// What stored reports are proved with; no answer shows it.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.whole.keys()
    }

    nothing_of_the_whole!();
}
