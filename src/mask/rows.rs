//! What comes out of storage, under pseudonyms: every member of every row by what it is.
//!
//! What people wrote (notes, reasons) is not shown; bytes as they were signed are not given at all.
//! Must never let a member through that it does not name.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value;

use super::faces::Faces;
use super::text::HIDDEN;
use super::{Guise, address};
use crate::model::id::EdgeId;
use crate::model::life::AlarmLife;
use crate::model::metric::Subject;
use crate::model::report::{Interface, Peer, Problem, Route};
use crate::model::state::EventKind;
use crate::model::window::{Scope, Window};
use crate::store::carrier::{Carrier, Carries};
use crate::store::change::{AgentRecord, LEARNT_LATER};
use crate::store::identity::IdentityRecord;
use crate::store::layout::LayoutRecord;
use crate::store::network::{Exit, Network};
use crate::store::notice::{Facts, MessageRecord};
use crate::store::past::Past;
use crate::store::row::{AgentDetail, AlarmRow, EventRow, ReportSummary, StoredReport};
use crate::store::site::SiteSet;
use crate::topology::leads::Led;

/// Protocols of routes that tell nothing (`/etc/iproute2/rt_protos`).
const PROTOCOLS: [&str; 10] =
    ["kernel", "boot", "static", "ra", "dhcp", "babel", "bird", "ospf", "bgp", "zebra"];

/// Tables and kinds of routes that tell nothing (ip-route(8)).
const TABLES: [&str; 10] = [
    "main",
    "local",
    "default",
    "unicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "broadcast",
    "multicast",
    "throw",
];

impl Faces {
    /// An event.
    pub fn event(&self, row: EventRow) -> EventRow {
        let guise = self.guise();
        // What people did is told in a sentence with what they wrote.
        let acted = row.kind == EventKind::AdminAction;
        let agent = row.agent_id.as_ref().map(|id| id.as_str());
        let value = |value: &Value| if acted { Value::Null } else { self.value(value) };
        EventRow {
            subject: if acted { HIDDEN.to_owned() } else { self.about(&row.subject, agent) },
            fleet: row.fleet.as_ref().map(|fleet| guise.fleet(fleet)),
            agent_id: row.agent_id.as_ref().map(|id| guise.agent(id)),
            before: row.before.as_ref().map(value),
            after: row.after.as_ref().map(value),
            cause: row.cause.map(|cause| self.cause(cause)),
            id: row.id,
            at: row.at,
            recorded_at: row.recorded_at,
            kind: row.kind,
            report: row.report,
        }
    }

    /// Who or what caused something; the word that marks late events stays what it is.
    fn cause(&self, real: String) -> String {
        if real == LEARNT_LATER { real } else { self.text(&real) }
    }

    /// What something is about: an agent by its id, or what its text says.
    fn about(&self, subject: &str, agent: Option<&str>) -> String {
        match agent {
            Some(id) if id == subject => self.guise().named("agent", id),
            Some(_) | None => self.text(subject),
        }
    }

    /// An alarm.
    pub fn alarm(&self, mut row: AlarmRow) -> AlarmRow {
        let guise = self.guise();
        let alarm = &mut row.alarm;
        alarm.subject = self.about(&alarm.subject, row.agent_id.as_ref().map(|id| id.as_str()));
        alarm.message = self.text(&alarm.message);
        alarm.fleet = alarm.fleet.as_ref().map(|fleet| guise.fleet(fleet));
        alarm.acknowledged_by = alarm.acknowledged_by.as_deref().map(|by| guise.person(by));
        alarm.note = alarm.note.as_ref().map(|_text| HIDDEN.to_owned());
        alarm.clear_cause = alarm.clear_cause.take().map(|cause| self.text(&cause));
        if let Some(shelved) = &mut alarm.shelved {
            shelved.by = guise.person(&shelved.by);
            HIDDEN.clone_into(&mut shelved.reason);
        }
        row.agent_id = row.agent_id.as_ref().map(|id| guise.agent(id));
        row
    }

    /// An alarm's life.
    pub fn life(&self, life: AlarmLife) -> AlarmLife {
        AlarmLife {
            subject: self.text(&life.subject),
            clear_cause: life.clear_cause.map(|cause| self.text(&cause)),
            ..life
        }
    }

    /// A message, without what became of it on its way.
    pub fn message(&self, mut message: MessageRecord) -> MessageRecord {
        message.uid = self.guise().digits(&message.uid);
        message.channel = self.guise().named("channel", &message.channel);
        (message.error, message.test_by) = (None, None);
        for item in &mut message.items {
            self.facts(&mut item.facts);
        }
        message
    }

    fn facts(&self, facts: &mut Facts) {
        let guise = self.guise();
        facts.subject = self.about(&facts.subject, facts.agent_id.as_ref().map(|id| id.as_str()));
        facts.message = self.text(&facts.message);
        facts.fleet_id = facts.fleet_id.as_ref().map(|fleet| guise.fleet(fleet));
        facts.agent_id = facts.agent_id.as_ref().map(|id| guise.agent(id));
        facts.hostname = facts.hostname.as_deref().map(|name| guise.host(name));
        facts.acknowledged_by = facts.acknowledged_by.as_deref().map(|by| guise.person(by));
        facts.note = facts.note.as_ref().map(|_text| HIDDEN.to_owned());
        facts.clear_cause = facts.clear_cause.take().map(|cause| self.text(&cause));
    }

    /// What the history says of a time.
    pub fn past(&self, past: Past) -> Past {
        let guise = self.guise();
        let mut alarms = past.alarms;
        for alarm in &mut alarms {
            alarm.fleet = alarm.fleet.as_ref().map(|fleet| guise.fleet(fleet));
            alarm.agent_id = alarm.agent_id.as_ref().map(|id| guise.agent(id));
        }
        Past {
            since: past.since,
            facts: past.facts.into_iter().map(|fact| self.event(fact)).collect(),
            alarms,
            layout: past.layout.into_iter().map(|place| guise.place(place)).collect(),
        }
    }

    /// An agent in full.
    pub fn detail(&self, detail: AgentDetail) -> AgentDetail {
        let guise = self.guise();
        AgentDetail {
            agent: self.record(&detail.agent),
            interfaces: detail.interfaces.into_iter().map(|one| guise.card(one)).collect(),
            routes: detail.routes.into_iter().map(|route| guise.route(route)).collect(),
            peers: detail.peers.into_iter().map(|(peer, edge)| guise.peer(&peer, &edge)).collect(),
            identities: detail.identities.into_iter().map(|one| guise.identity(&one)).collect(),
        }
    }

    fn record(&self, agent: &AgentRecord) -> AgentRecord {
        let guise = self.guise();
        let labels: BTreeMap<String, String> = agent
            .labels
            .iter()
            .map(|(name, value)| (guise.label_name(name), guise.label_value(name, value)))
            .collect();
        let problem = |problem: &Problem| Problem {
            path: self.text(&problem.path),
            detail: self.text(&problem.detail),
        };
        AgentRecord {
            id: guise.agent(&agent.id),
            fleet: guise.fleet(&agent.fleet),
            hostname: agent.hostname.as_deref().map(|name| guise.host(name)),
            agent_version: agent.agent_version.as_deref().and_then(|text| guise.version(text)),
            kid: agent.kid.as_ref().map(|kid| guise.kid(kid)),
            boot_id: agent.boot_id.as_deref().map(|id| guise.digits(id)),
            labels,
            site_set: agent.site_set.as_ref().map(|set| SiteSet {
                site: guise.site(&set.site),
                by: guise.person(&set.by),
                at: set.at,
                told: set.told.as_deref().map(|site| guise.site(site)),
            }),
            problems: agent.problems.iter().map(problem).collect(),
            relay_path: guise.way(&agent.relay_path),
            source: agent.source.map(|ip| guise.ip(ip)),
            ..agent.clone()
        }
    }
}

impl Guise {
    /// Where something is drawn: a node or a site.
    fn place(&self, place: LayoutRecord) -> LayoutRecord {
        LayoutRecord {
            node: self.drawn(&place.node),
            site: place.site.map(|id| self.site_id(&id)),
            ..place
        }
    }

    /// The id of what is drawn: a node's, or a site's.
    pub fn drawn(&self, real: &str) -> String {
        let is_node = real.starts_with("a:") || real.starts_with("x:");
        if is_node { self.node_id(real) } else { self.site_id(real) }
    }

    fn net(&self, real: &IpNet) -> IpNet {
        address::net(self.key(), real)
    }

    /// The network behind a pseudonym.
    pub fn real_net(&self, masked: &IpNet) -> IpNet {
        address::real_net(self.key(), masked)
    }

    fn card(&self, card: Interface) -> Interface {
        Interface {
            name: self.interface(&card.name),
            mac: card.mac.as_deref().and_then(|text| self.mac(text)),
            addresses: card.addresses.iter().map(|net| self.net(net)).collect(),
            public_key: card.public_key.as_ref().map(|key| self.key_of(key)),
            flags: card.flags.into_iter().filter(|flag| is_flag(flag)).collect(),
            ..card
        }
    }

    fn route(&self, route: Route) -> Route {
        let known = |text: String, words: &[&str]| {
            let number = text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
            if number || words.contains(&text.as_str()) { text } else { self.named("table", &text) }
        };
        Route {
            table: known(route.table, &TABLES),
            dst: self.net(&route.dst),
            metric: route.metric,
            gateway: route.gateway.map(|ip| self.ip(ip)),
            dev: route.dev.as_deref().map(|name| self.interface(name)),
            protocol: route.protocol.map(|text| known(text, &PROTOCOLS)),
            kind: known(route.kind, &TABLES),
        }
    }

    fn peer(&self, peer: &Peer, edge: &EdgeId) -> (Peer, EdgeId) {
        let masked = Peer {
            interface: self.interface(&peer.interface),
            public_key: self.key_of(&peer.public_key),
            endpoint: self.endpoint(peer.endpoint.as_deref()),
            allowed_ips: peer.allowed_ips.iter().map(|net| self.net(net)).collect(),
            ..peer.clone()
        };
        let id = self.short_id(edge.as_str()).parse();
        (masked, id.unwrap_or_else(|_never| EdgeId::of_digest(&[0; 32])))
    }

    /// A key of an agent's own.
    fn identity(&self, identity: &IdentityRecord) -> IdentityRecord {
        IdentityRecord {
            public_key: self.identity_key(&identity.public_key),
            kid: self.kid(&identity.kid),
            source: identity.source.map(|ip| self.ip(ip)),
            ..identity.clone()
        }
    }

    /// What is known of a stored report.
    pub fn summary(&self, report: &ReportSummary) -> ReportSummary {
        ReportSummary {
            agent_id: self.agent(&report.agent_id),
            kid: self.kid(&report.kid),
            nonce: self.digits(&report.nonce),
            data_sha256: self.digest_bytes(&report.data_sha256),
            relay_path: self.way(&report.relay_path),
            source: report.source.map(|ip| self.ip(ip)),
            ..report.clone()
        }
    }

    /// A stored report without what was signed.
    pub fn report(&self, report: &StoredReport) -> StoredReport {
        StoredReport { summary: self.summary(&report.summary), envelope: Vec::new(), own_key: None }
    }

    /// Who has, reaches or may use a prefix.
    pub fn carrier(&self, carrier: Carrier) -> Carrier {
        let how = match carrier.how {
            Carries::Address { interface, address } => Carries::Address {
                interface: self.interface(&interface),
                address: self.net(&address),
            },
            Carries::Route(route) => Carries::Route(self.route(route)),
            Carries::AllowedIp { interface, public_key, net } => Carries::AllowedIp {
                interface: self.interface(&interface),
                public_key: self.key_of(&public_key),
                net: self.net(&net),
            },
        };
        Carrier {
            agent_id: self.agent(&carrier.agent_id),
            hostname: carrier.hostname.as_deref().map(|name| self.host(name)),
            fleet_id: self.fleet(&carrier.fleet_id),
            how,
        }
    }

    /// A network, and who routes it.
    pub fn network(&self, network: Network) -> Network {
        let exit = |exit: Exit| Exit {
            agent_id: self.agent(&exit.agent_id),
            interface: exit.interface.as_deref().map(|name| self.interface(name)),
        };
        let mut exits: Vec<Exit> = network.exits.into_iter().map(exit).collect();
        // Their order would tell the order of the real names.
        exits.sort_unstable();
        Network {
            inside: network.inside,
            fleet_id: self.fleet(&network.fleet_id),
            net: self.net(&network.net),
            exits,
        }
    }

    /// A network as the map shows it.
    pub fn led(&self, led: &Led) -> Led {
        let nodes = |ids: &[String]| {
            let mut masked: Vec<String> = ids.iter().map(|id| self.node_id(id)).collect();
            masked.sort_unstable();
            masked
        };
        Led {
            fleet_id: self.fleet(&led.fleet_id),
            prefix: self.net(&led.prefix),
            inside: led.inside,
            by_routes: nodes(&led.by_routes),
            by_allowed_ips: nodes(&led.by_allowed_ips),
        }
    }

    /// What a curve is about.
    pub fn measured(&self, real: Subject) -> Subject {
        match real {
            Subject::Interface(name) => Subject::Interface(self.interface(&name)),
            Subject::Peer(name, key) => Subject::Peer(self.interface(&name), self.key_of(&key)),
        }
    }

    /// A maintenance window; a reason is what a person wrote.
    pub fn window(&self, window: &Window) -> Window {
        let scope = match &window.scope {
            Scope::Agent(id) => Scope::Agent(self.agent(id)),
            Scope::Fleet(fleet) => Scope::Fleet(self.fleet(fleet)),
            Scope::Label { name, value } => {
                Scope::Label { name: self.label_name(name), value: self.label_value(name, value) }
            }
        };
        Window {
            id: window.id,
            scope,
            times: window.times,
            reason: HIDDEN.to_owned(),
            by: self.person(&window.by),
            made_at: window.made_at,
            ended: window.ended.as_ref().map(|(at, by)| (*at, self.person(by))),
        }
    }
}

/// Whether a text is a flag as `ip link` prints it.
fn is_flag(text: &str) -> bool {
    text.len() <= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'))
}
