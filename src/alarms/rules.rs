//! The rules: facts before and after in, observations out.
//!
//! A rule says what it saw, every time it looks; whether that raises or ends anything is
//! the business of `lifecycle`. A rule that cannot tell says nothing, so that missing evidence
//! never ends an alarm.

pub mod agent;
pub mod backup;
pub mod edge;
pub mod errors;
pub mod graph;
pub mod identity;
pub mod iface;
pub mod ingest;
pub mod link;
pub mod manager;
pub mod meant;
pub mod member;
pub mod peer;
pub mod relay;
pub mod service;
pub mod silence;
pub mod tables;

use std::borrow::Cow;

use ipnet::IpNet;

use crate::model::id::{AgentId, AgentNo, FleetId, ReportId};
use crate::model::state::AlarmKind;

use super::catalogue::rule;
use super::lifecycle::Observation;

/// Which agent a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct AgentFacts<'a> {
    /// Its number.
    pub no: AgentNo,
    /// Its id.
    pub id: &'a AgentId,
    /// Its fleet.
    pub fleet: &'a FleetId,
    /// Its name for people.
    pub name: &'a str,
    /// The report that is looked at, if one is.
    pub report: Option<ReportId>,
    /// Whether that report is late (see [`agent::is_late`]).
    pub late: bool,
}

impl<'a> AgentFacts<'a> {
    /// An observation about this agent, or about something of it, that does not hold.
    fn good(&self, kind: AlarmKind, subject: impl Into<Cow<'a, str>>) -> Observation<'a> {
        Observation {
            kind,
            subject: subject.into(),
            fleet: Some(self.fleet),
            agent: Some(self.no),
            also: None,
            holds: false,
            late: self.late,
            severity: rule(kind).severity,
            message: String::new(),
            report: self.report,
        }
    }

    /// An observation about this agent, or about something of it, that holds.
    fn bad(
        &self,
        kind: AlarmKind,
        subject: impl Into<Cow<'a, str>>,
        message: String,
    ) -> Observation<'a> {
        Observation { holds: true, message, ..self.good(kind, subject) }
    }
}

/// An observation about a fleet or the manager itself.
fn about<'a>(
    kind: AlarmKind,
    subject: impl Into<Cow<'a, str>>,
    trouble: Option<String>,
) -> Observation<'a> {
    Observation {
        kind,
        subject: subject.into(),
        fleet: None,
        agent: None,
        also: None,
        holds: trouble.is_some(),
        late: false,
        severity: rule(kind).severity,
        message: trouble.unwrap_or_default(),
        report: None,
    }
}

/// Prefixes that a sentence lists at most.
const LISTED: usize = 3;

/// The first few of these prefixes, for a sentence.
fn some_of(nets: &[IpNet]) -> String {
    let mut text: Vec<String> = nets.iter().take(LISTED).map(IpNet::to_string).collect();
    if nets.len() > LISTED {
        text.push(format!("{} more", nets.len() - LISTED));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests_support {
    use super::{AgentFacts, AgentId, AgentNo, FleetId, ReportId};
    use crate::model::time::UnixSeconds;

    /// When the tests take place.
    pub(super) const T: UnixSeconds = UnixSeconds(1_800_000_000);

    /// The agent the tests look at.
    pub(super) struct Sample {
        pub(super) id: AgentId,
        pub(super) fleet: FleetId,
    }

    impl Sample {
        pub(super) fn new() -> Self {
            Self { id: "gw1-id".parse().unwrap(), fleet: "lab".parse().unwrap() }
        }

        pub(super) fn agent(&self) -> AgentFacts<'_> {
            AgentFacts {
                no: AgentNo(1),
                id: &self.id,
                fleet: &self.fleet,
                name: "gw1",
                report: Some(ReportId(7)),
                late: false,
            }
        }
    }
}
