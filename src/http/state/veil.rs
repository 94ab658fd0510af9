//! The read side as somebody sees it who is given pseudonyms.
//!
//! One place for every verb: what a question names is looked up behind its pseudonym, and what is
//! answered is masked. A pseudonym of nobody, and a real name, find nothing. Texts are looked for
//! among what is told, never among what is behind it. Bytes as they were signed are not here.
//! Must never hand on a row that it has not masked.

use std::sync::Arc;

use crate::mask::faces::Faces;
use crate::model::id::{AgentId, FleetId};
use crate::model::life::AlarmLife;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::process::refusals::Refusal;
use crate::process::summary::AgentSummary;
use crate::store::carrier::{Carrier, CarrierFilter};
use crate::store::dictionary::FrameDictionary;
use crate::store::metrics::{Measured, MeasuredAsked, MeasuredTo, MetricsAsked, Stretch};
use crate::store::narrow::nothing_of_the_whole;
use crate::store::network::{NetworkFilter, Networks};
use crate::store::notice::{MessageFilter, MessageRecord};
use crate::store::past::{Changes, ChangesAsked, Past};
use crate::store::row::{
    AgentDetail, AlarmFilter, AlarmRow, EventFilter, EventRow, KeyRow, ReportFilter, StoredReport,
    Things, ToldOf,
};
use crate::store::{Reader, StoreError};

/// Alarms among which a text is looked for.
const LOOKED_AT: usize = 10_000;

/// A reader under pseudonyms.
#[derive(Debug)]
pub(super) struct Veil<'a> {
    real: &'a dyn Reader,
    faces: Arc<Faces>,
}

/// What a question names, behind its pseudonym: nothing named is nothing, nobody behind it is the
/// end of the question.
type Behind<T> = Result<Option<T>, Nobody>;

/// A pseudonym of nobody.
struct Nobody;

impl<'a> Veil<'a> {
    /// Over a reader, with whom there is.
    pub(super) fn new(real: &'a dyn Reader, faces: Arc<Faces>) -> Self {
        Self { real, faces }
    }

    fn agent_behind(&self, named: Option<&AgentId>) -> Behind<AgentId> {
        named.map(|id| self.faces.agent(id).cloned().ok_or(Nobody)).transpose()
    }

    fn fleet_behind(&self, named: Option<&FleetId>) -> Behind<FleetId> {
        named.map(|id| self.faces.fleet(id).cloned().ok_or(Nobody)).transpose()
    }

    /// Those of the things that somebody is behind.
    fn things(&self, masked: &Things) -> Things {
        Things {
            agents: masked.agents.iter().filter_map(|id| self.faces.agent(id).cloned()).collect(),
            edges: masked.edges.iter().filter_map(|id| self.faces.edge_id(id)).collect(),
        }
    }

    fn event_filter(&self, asked: &EventFilter) -> Result<EventFilter, Nobody> {
        let subject = asked.subject.as_deref();
        Ok(EventFilter {
            agent: self.agent_behind(asked.agent.as_ref())?,
            subject: subject.map(|text| self.faces.subject(text).ok_or(Nobody)).transpose()?,
            things: asked.things.as_ref().map(|things| self.things(things)),
            ..asked.clone()
        })
    }

    fn alarm_filter(&self, asked: &AlarmFilter) -> Result<AlarmFilter, Nobody> {
        Ok(AlarmFilter {
            agent: self.agent_behind(asked.agent.as_ref())?,
            fleet: self.fleet_behind(asked.fleet.as_ref())?,
            things: asked.things.as_ref().map(|things| self.things(things)),
            told: None,
            ..asked.clone()
        })
    }

    /// The alarms in whose masked words the words stand, among the last ones about the things.
    fn told(&self, behind: &AlarmFilter, told: &ToldOf) -> Result<Vec<AlarmRow>, StoreError> {
        let things = told.of.as_ref().map(|things| self.things(things));
        let among = AlarmFilter { things, limit: LOOKED_AT, ..behind.clone() };
        let found = self.real.alarms(&among)?.into_iter().map(|row| self.faces.alarm(row));
        let has = |AlarmRow { alarm, .. }: &AlarmRow| {
            told.is_in(&format!("{} {}", alarm.message, alarm.subject))
        };
        Ok(found.filter(has).collect())
    }
}

impl Reader for Veil<'_> {
    fn agent(&self, id: &AgentId) -> Result<Option<AgentDetail>, StoreError> {
        let Some(id) = self.faces.agent(id) else { return Ok(None) };
        Ok(self.real.agent(id)?.map(|detail| self.faces.detail(detail)))
    }

    /// Without envelopes; who asks for these is told of no report.
    fn reports(&self, filter: &ReportFilter) -> Result<Vec<StoredReport>, StoreError> {
        let Ok(agent) = self.agent_behind(filter.agent.as_ref()) else { return Ok(Vec::new()) };
        if filter.envelopes {
            return Ok(Vec::new());
        }
        let things = filter.things.as_ref().map(|things| self.things(things));
        let behind = ReportFilter { agent, things, ..filter.clone() };
        let found = self.real.reports(&behind)?.into_iter();
        Ok(found.map(|report| self.faces.guise().report(&report)).collect())
    }

    fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, StoreError> {
        let Ok(filter) = self.event_filter(filter) else { return Ok(Vec::new()) };
        Ok(self.real.events(&filter)?.into_iter().map(|row| self.faces.event(row)).collect())
    }

    fn past(&self, at: UnixSeconds) -> Result<Past, StoreError> {
        Ok(self.faces.past(self.real.past(at)?))
    }

    fn changes(&self, asked: &ChangesAsked) -> Result<Changes, StoreError> {
        let mut changes = self.real.changes(asked)?;
        changes.events = changes.events.into_iter().map(|row| self.faces.event(row)).collect();
        Ok(changes)
    }

    fn alarms(&self, filter: &AlarmFilter) -> Result<Vec<AlarmRow>, StoreError> {
        let Ok(behind) = self.alarm_filter(filter) else { return Ok(Vec::new()) };
        let Some(told) = &filter.told else {
            let found = self.real.alarms(&behind)?.into_iter();
            return Ok(found.map(|row| self.faces.alarm(row)).collect());
        };
        let mut found = self.told(&behind, told)?;
        if behind.things.is_some() {
            let about = self.real.alarms(&behind)?.into_iter();
            found.extend(about.map(|row| self.faces.alarm(row)));
        }
        found.sort_by_key(|row| std::cmp::Reverse(row.alarm.id));
        found.dedup_by_key(|row| row.alarm.id);
        found.truncate(filter.limit);
        Ok(found)
    }

    fn alarm_lives(
        &self,
        span: (UnixSeconds, UnixSeconds),
        reach: &Reach,
        limit: usize,
    ) -> Result<Vec<AlarmLife>, StoreError> {
        let lives = self.real.alarm_lives(span, reach, limit)?.into_iter();
        Ok(lives.map(|life| self.faces.life(life)).collect())
    }

    fn notifications(&self, filter: &MessageFilter) -> Result<Vec<MessageRecord>, StoreError> {
        if filter.channel.is_some() {
            // Channels have no way back from their pseudonyms.
            return Ok(Vec::new());
        }
        let found = self.real.notifications(filter)?.into_iter();
        Ok(found.map(|message| self.faces.message(message)).collect())
    }

    fn frame_dictionaries(&self) -> Result<Vec<FrameDictionary>, StoreError> {
        Ok(Vec::new())
    }

    /// Curves are made of rows that hold real names, and masked when they are made.
    fn metrics(&self, _asked: &MetricsAsked) -> Result<Vec<Stretch>, StoreError> {
        Ok(Vec::new())
    }

    fn measured(
        &self,
        _asked: &MeasuredAsked,
        _each: &mut dyn FnMut(Measured),
    ) -> Result<MeasuredTo, StoreError> {
        Ok(MeasuredTo::default())
    }

    fn carriers(&self, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError> {
        let Ok(fleet) = self.fleet_behind(filter.fleet.as_ref()) else { return Ok(Vec::new()) };
        let guise = self.faces.guise();
        let behind = CarrierFilter { fleet, net: guise.real_net(&filter.net), ..filter.clone() };
        let found = self.real.carriers(&behind)?.into_iter();
        // Their order would tell the order of the real names.
        Ok(filter.arrange(found.map(|carrier| guise.carrier(carrier)).collect()))
    }

    fn networks(&self, filter: &NetworkFilter) -> Result<Networks, StoreError> {
        let guise = self.faces.guise();
        // Their order would tell the order of the real names, and pages follow that of pseudonyms.
        let all = NetworkFilter { after: None, limit: usize::MAX, ..filter.clone() };
        let Networks { networks, .. } = self.real.networks(&all)?;
        let masked = networks.into_iter().map(|network| guise.network(network)).collect();
        Ok(filter.arrange(masked))
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        Ok(Vec::new())
    }

    nothing_of_the_whole!();
}

/// An agent in one line, under pseudonyms.
pub(super) fn summary(faces: &Faces, agent: AgentSummary) -> AgentSummary {
    let guise = faces.guise();
    let identity = agent.identity.map(|mut identity| {
        identity.public_key = guise.identity_key(&identity.public_key);
        identity.kid = guise.kid(&identity.kid);
        identity.fingerprint = guise.digest(&identity.fingerprint);
        identity.source = identity.source.map(|ip| guise.ip(ip));
        identity
    });
    AgentSummary {
        agent_id: guise.agent(&agent.agent_id),
        hostname: agent.hostname.as_deref().map(|name| guise.host(name)),
        fleet_id: guise.fleet(&agent.fleet_id),
        agent_version: agent.agent_version.as_deref().and_then(|text| guise.version(text)),
        kid: agent.kid.as_ref().map(|kid| guise.kid(kid)),
        interfaces: agent.interfaces.iter().map(|name| guise.interface(name)).collect(),
        addresses: guise.addresses(&agent.addresses),
        site: agent.site.as_deref().map(|site| guise.site(site)),
        role: agent.role.as_deref().map(|role| guise.role(role).to_owned()),
        relay_path: guise.way(&agent.relay_path),
        relays_for: agent.relays_for.iter().map(|id| guise.agent(id)).collect(),
        source: agent.source.map(|ip| guise.ip(ip)),
        identity,
        ..agent
    }
}

/// A refused request, under pseudonyms.
pub(super) fn refusal(faces: &Faces, refusal: Refusal) -> Refusal {
    let guise = faces.guise();
    Refusal {
        detail: faces.text(&refusal.detail),
        agent_id: refusal.agent_id.map(|id| guise.agent_text(&id)),
        source: refusal.source.map(|ip| guise.ip(ip)),
        ..refusal
    }
}
