//! One sample of everything the API answers and takes, built from the real types, so that the
//! description cannot tell of a member that does not exist.

mod aside;
mod audit;
mod layout;
mod map;
mod metrics;
mod notices;
mod past;
mod people;
mod rules;
mod things;
mod ways;

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::time::UnixSeconds;
use crate::wire::answer::Problem;
use crate::wire::codes::ErrorCode;

use super::admin::Cleared;
use super::error::status;
use super::health::Alive;
use super::operators::OK;

const NOW: UnixSeconds = UnixSeconds(1_795_214_286);
const JSON: &str = "application/json";

/// What is told of one route.
#[derive(Debug)]
pub struct Sample {
    /// What it does, in one line.
    pub summary: &'static str,
    /// What may stand in its query.
    pub query: &'static [Parameter],
    /// What it takes.
    pub body: Option<Value>,
    /// The status of its answer.
    pub status: &'static str,
    /// The type of its answer.
    pub kind: &'static str,
    /// What it answers.
    pub answer: Value,
}

/// A part of a query.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether it is a whole number.
    pub number: bool,
}

const fn text(name: &'static str, about: &'static str) -> Parameter {
    Parameter { name, about, number: false }
}

const fn number(name: &'static str, about: &'static str) -> Parameter {
    Parameter { name, about, number: true }
}

const LIMIT: Parameter = number("limit", "At most this many, 1 to 1000, 100 if not told");
const OF_AGENT: Parameter = text("agent_id", "Only of this agent");

const ASKED: Parameter =
    text("q", "Only what this asks for, such as state:down site:hel; docs/api.md has the language");
const QUERY: &[Parameter] = &[ASKED];
const TOLD_QUERY: &[Parameter] = &[text("at", "The time (Unix seconds or RFC 3339)")];
const LOG_QUERY: &[Parameter] = &[
    ASKED,
    OF_AGENT,
    text("subject", "Only about this thing; of events alone"),
    number("before", "Only before the row with this id"),
    text("at", "Only what was known by then (Unix seconds or RFC 3339)"),
    number("limit", "At most this many, the last ones, 1 to 10000, 10000 if not told"),
    ANON,
];
const THEN: Parameter = text("at", "Asked of the map as it was then (Unix seconds or RFC 3339)");
const SEARCH_QUERY: &[Parameter] = &[
    ASKED,
    THEN,
    text(
        "ids",
        "In place of q: names of nodes and links, at most 200, by commas; tells where they are",
    ),
];
const ANON: Parameter =
    text("anon", "1: under pseudonyms, which stay the same as long as the database does");
const GRAPH_QUERY: &[Parameter] = &[
    ASKED,
    text("at", "As it was then (Unix seconds or RFC 3339)"),
    ANON,
    text("p", "1: only what is in trouble"),
    text("only", "Rows of the map's legend, by commas, such as down or -idle"),
    text("focus", "The node in the middle of a neighbourhood, by id"),
    text("hops", "How many links wide that is, 1 to 3"),
    text("site", "Only of this site, by id"),
    text("path", "The way from one node or address to another, by a comma"),
];
const EDGE_QUERY: &[Parameter] = &[ASKED, text("after", "Only after the link with this id"), LIMIT];
const ALARM_QUERY: &[Parameter] = &[
    text(
        "state",
        "active, acknowledged, returned, cleared, shelved, maintenance or all; without it, all \
         that are not cleared",
    ),
    text("kind", "Only of this kind, such as edge.down"),
    text("severity", "Only as bad as this, or worse"),
    text("fleet_id", "Only of this fleet"),
    text("q", "Only about what this query finds, or with its texts in their words"),
    text("from", "Only raised at or after this time (Unix seconds or RFC 3339)"),
    text("to", "Only raised before this time"),
    number("since", "Only raised, or cleared, at or after this time"),
    OF_AGENT,
    number("before", "Only before the alarm with this id"),
    LIMIT,
];
const WINDOW_QUERY: &[Parameter] = &[text("state", "Only in this state: now, coming or past")];
const REPORT_QUERY: &[Parameter] =
    &[ASKED, OF_AGENT, number("before", "Only before the report with this id"), LIMIT];
const SEEN_KEY: &[Parameter] =
    &[text("kid", "The key whose fingerprint was compared; no other is let in")];
const REFUSAL_QUERY: &[Parameter] = &[ASKED, LIMIT];
const EVENT_QUERY: &[Parameter] = &[
    number("after", "Only after the event with this id"),
    number("before", "The last ones before the event with this id"),
    ASKED,
    OF_AGENT,
    text("subject", "Only about this thing"),
    LIMIT,
];

const AUDIT_QUERY: &[Parameter] = &[
    text("who", "Only by this user, token or agent (agent ID), manager or unknown"),
    text("act", "Only this act, such as agent.revoke; with a dot at its end, all that begin so"),
    text("q", "Only with this text in who, from, act, subject, before or after"),
    text("from", "Only at or after this time (Unix seconds or RFC 3339)"),
    text("to", "Only before this time"),
    number("before", "Only before the entry with this number"),
    LIMIT,
];

const NOTICE_QUERY: &[Parameter] = &[
    text("state", "Only in this state: waiting, sent or dead"),
    text("channel", "Only to this channel"),
    number("alarm", "Only those that tell of the alarm with this id"),
    number("after", "Only after the notification with this id, oldest first"),
    number("before", "Only before the notification with this id"),
    LIMIT,
];

const MAP_QUERY: &[Parameter] = &[
    text("at", "As it was then (Unix seconds or RFC 3339), with since when that can be told"),
    ANON,
    text("layers", "wireguard, subnets and relays, separated by commas; all if not told"),
    text("site", "The id of the site whose nodes are wanted; all if not told"),
    text("shape", "keyed, columns, sites, or auto; keyed if not told"),
];
const HISTORY_QUERY: &[Parameter] = &[
    text("from", "Where to begin (Unix seconds or RFC 3339); a day before the end if not told"),
    text("to", "Where to end; now if not told"),
    number("buckets", "How many steps, 1 to 480, 96 if not told"),
    text("at", "The time whose previous and next change are asked for"),
];
const DIFF_QUERY: &[Parameter] = &[
    text("from", "The earlier time (Unix seconds or RFC 3339); a day before the later if not told"),
    text("to", "The later time; now if not told"),
];

const PATH_QUERY: &[Parameter] = &[
    text("from", "The agent where it begins: its id, its host name or one of its addresses"),
    text("to", "The address, or an agent"),
    text("source", "The source address, if not the one the first host would take"),
];
const NET_QUERY: &[Parameter] =
    &[text("net", "An address or a prefix"), text("fleet_id", "Only in this fleet"), LIMIT];

const LIMITED: &[Parameter] = &[LIMIT];
const NETWORKS_QUERY: &[Parameter] = &[
    text("sort", "`known`, `prefix` or `fleet`; `-` in front the other way round"),
    text("after", "The `next` of the page before"),
    LIMIT,
];
const WEAK_QUERY: &[Parameter] = &[LIMIT, THEN];

const WITHOUT: &[Parameter] = &[
    text("without", "Agent ids, ids of nodes on the map and of links, separated by commas"),
    THEN,
];

/// The sample of a route.
pub fn of(method: &str, path: &str) -> Option<Sample> {
    people::of(method, path)
        .or_else(|| layout::of(method, path))
        .or_else(|| if method == "GET" { giving(path) } else { taking(method, path) })
}

/// The answers about alarms and maintenance.
fn about_alarms(path: &str) -> Option<Sample> {
    let (summary, query, answer) = match path {
        "/status/alarms" | "/api/v1/alarms" => {
            ("Alarms, newest first", ALARM_QUERY, list(&things::alarm()))
        }
        "/api/v1/alarms/quality" => {
            ("How often alarms come and whether anybody acts", DIFF_QUERY, value(&aside::quality()))
        }
        "/api/v1/alarms/{id}" => {
            ("One alarm, and who was told of it", &[][..], value(&notices::alarm()))
        }
        "/api/v1/export/alarms.csv" => return Some(export(ALARM_QUERY)),
        "/api/v1/maintenance" => {
            ("Maintenance windows", WINDOW_QUERY, value(&vec![aside::window()]))
        }
        _ => return None,
    };
    Some(Sample { summary, query, body: None, status: "200", kind: JSON, answer })
}

/// What is no JSON.
fn dictionary() -> Sample {
    Sample {
        summary: "What agents compress framed reports with; the id is the SHA-256 of the bytes",
        query: &[],
        body: None,
        status: "200",
        kind: "application/octet-stream",
        answer: Value::from("the bytes, as zstd trained them"),
    }
}

/// Questions about ways and losses, and what was said and happened before.
fn questions(path: &str) -> Option<Sample> {
    let (summary, query, answer) = match path {
        "/api/v1/path" => {
            ("The way from a host to an address, and back", PATH_QUERY, value(&ways::path()))
        }
        "/api/v1/carriers" => {
            ("Who carries a prefix, the most specific first", NET_QUERY, list(&ways::carrier()))
        }
        "/api/v1/networks" => (
            "The networks that routes and tunnels lead to",
            NETWORKS_QUERY,
            value(&ways::networks()),
        ),
        "/api/v1/what-if" => {
            ("What would be lost without some hosts or links", WITHOUT, value(&ways::loss()))
        }
        "/api/v1/weak-points" => {
            ("The weakest hosts and links", WEAK_QUERY, value(&ways::weakest()))
        }
        "/api/v1/agents/{id}/told" => {
            ("What its last report by a time said", TOLD_QUERY, value(&things::told()))
        }
        "/api/v1/export/events.csv" | "/api/v1/export/reports.csv" => {
            return Some(export(LOG_QUERY));
        }
        _ => return None,
    };
    Some(Sample { summary, query, body: None, status: "200", kind: JSON, answer })
}

/// What a route answers beside its sample, in other shapes.
pub fn others(path: &str) -> Vec<Value> {
    match path {
        "/api/v1/topology" => map::shapes(),
        _ => Vec::new(),
    }
}

fn giving(path: &str) -> Option<Sample> {
    if path == "/status/dictionaries/{id}" {
        return Some(dictionary());
    }
    let others = about_alarms(path).or_else(|| audit::of(path)).or_else(|| metrics::of(path));
    if let Some(sample) = others.or_else(|| questions(path)) {
        return Some(sample);
    }
    let none: &[Parameter] = &[];
    let (summary, query, answer) = match path {
        "/status/healthcheck" => ("Whether reports can be taken", none, value(&things::health())),
        "/livez" => ("Whether the manager lives", none, value(&Alive { status: "ok" })),
        "/readyz" => ("Whether it is ready, with reasons", none, value(&things::readiness())),
        "/status/agents" => ("Agents", QUERY, list(&things::agent_summary())),
        "/api/v1/topology" => ("The whole map", MAP_QUERY, value(&map::picture())),
        "/api/v1/history" => {
            ("How often something changed, step by step", HISTORY_QUERY, value(&past::history()))
        }
        "/api/v1/diff" => ("What differs between two times", DIFF_QUERY, value(&past::diff())),
        "/api/v1/stream" => return Some(stream()),
        "/api/v1/export/{id}" => return Some(export(GRAPH_QUERY)),
        "/api/v1/agents/{id}" => ("One agent with all it reports", none, value(&things::agent())),
        "/api/v1/search" => {
            ("What of the map a query asks for", SEARCH_QUERY, value(&map::found()))
        }
        "/api/v1/edges" => ("Links, by id", EDGE_QUERY, list(&map::edge())),
        "/api/v1/edges/{id}" => ("One link with both its ends", none, value(&map::edge_view())),
        "/api/v1/reports" => {
            ("Stored reports, newest first", REPORT_QUERY, list(&things::report()))
        }
        "/api/v1/reports/{id}" => (
            "One stored report with the bytes that were signed",
            none,
            value(&things::whole_report()),
        ),
        "/api/v1/refusals" => {
            ("What was refused lately, newest first", REFUSAL_QUERY, list(&things::refusal()))
        }
        "/api/v1/keys" => ("The key ring, by key ids", none, value(&things::keys())),
        "/api/v1/events" => ("The history, oldest first", EVENT_QUERY, list(&things::event())),
        "/api/v1/enrollments" => {
            ("Agents and keys that wait for an admin", none, list(&things::waiting()))
        }
        "/api/v1/keys/usage" => ("Who signs with which key", none, value(&things::key_usage())),
        "/api/v1/jobs" => ("Background jobs and how they stand", none, list(&things::job())),
        "/api/v1/notifications" => {
            ("Messages to people, newest first", NOTICE_QUERY, list(&notices::notification()))
        }
        "/api/v1/rules" => ("Alarms' catalogue, and what is changed", none, value(&rules::rules())),
        "/api/v1/channels" => ("How channels fare", none, value(&notices::channels())),
        "/api/v1/openapi.json" => ("This description", none, json!({"openapi": "3.1.0"})),
        _ => return None,
    };
    Some(Sample { summary, query, body: None, status: "200", kind: JSON, answer })
}

fn taking(method: &str, path: &str) -> Option<Sample> {
    if let Some(sample) = aside::of(method, path) {
        return Some(sample);
    }
    let (summary, body, answer) = match path {
        "/status/updates" => {
            ("Take a signed report", Some(things::envelope()), value(&things::receipt()))
        }
        "/status/register" => return Some(enrolment()),
        "/api/v1/agents/{id}/approve" => return Some(approval()),
        "/api/v1/agents/{id}/refuse" => {
            ("Turn down an agent or key that waits for approval", None, value(&OK))
        }
        "/api/v1/agents/{id}/relay" => (
            "Let an agent pass on what others report, or forbid it",
            Some(json!({"allowed": false})),
            value(&OK),
        ),
        "/api/v1/sites" => (
            "Give agents a site, or each the one back that its host says",
            Some(json!({"agents": ["gw-1"], "site": "hel"})),
            value(&OK),
        ),
        "/api/v1/agents/{id}/revoke" => ("Take an agent out of service", None, value(&OK)),
        "/api/v1/keys/{id}/revoke" => ("Withdraw a key for good", None, value(&things::revoked())),
        "/api/v1/jobs/{id}/run" => return Some(run()),
        "/api/v1/channels/{id}/test" => {
            return Some(queued("Send a test to a channel; the id is its name"));
        }
        "/api/v1/notifications/{id}/retry" => {
            return Some(queued("Send a notification again that was given up"));
        }
        "/status/admin/reset" => (
            "Clear the topology state of one agent, of a fleet, or of all",
            Some(json!({"agent_id": "gw-1", "forget": false, "identity": false})),
            value(&Cleared { status: "ok", agents: 1, interfaces: 4, edges: 3, alarms: 0 }),
        ),
        _ => return None,
    };
    Some(Sample { summary, query: &[], body, status: "200", kind: JSON, answer })
}

fn enrolment() -> Sample {
    Sample {
        summary: "Pin, or rotate, an agent's own key; version 1: take an announcement",
        query: &[],
        body: Some(things::enrolment()),
        status: "201",
        kind: JSON,
        answer: value(&things::enrolled()),
    }
}

fn approval() -> Sample {
    Sample {
        summary: "Let in an agent, or the key that waits for it; take it back into service",
        query: SEEN_KEY,
        body: None,
        status: "200",
        kind: JSON,
        answer: value(&OK),
    }
}

fn run() -> Sample {
    Sample {
        summary: "Have a background job begin now; the id is its name",
        query: &[],
        body: None,
        status: "202",
        kind: JSON,
        answer: value(&things::job()),
    }
}

fn queued(summary: &'static str) -> Sample {
    let answer = value(&notices::queued());
    Sample { summary, query: &[], body: None, status: "202", kind: JSON, answer }
}

fn export(query: &'static [Parameter]) -> Sample {
    Sample {
        summary: "A table as CSV (agents.csv, links.csv, alarms.csv, events.csv, reports.csv) or the map as a graph (map.json, \
                  map.graphml, map.dot) and its links (map.csv)",
        query,
        body: None,
        status: "200",
        kind: "text/csv",
        answer: json!("agent_id,hostname,...\ngw-1,gw-1,...\n"),
    }
}

fn stream() -> Sample {
    let answer =
        json!("event: hello\ndata: {\"epoch\":\"e1\",\"seq\":41,\"layout_rev\":1,\"now\":1}\n\n");
    let kind = "text/event-stream";
    Sample { summary: "The map as it changes", query: &[], body: None, status: "200", kind, answer }
}

/// A refusal.
pub fn problem() -> Value {
    let code = ErrorCode::TimestampSkew;
    let detail = "the agent's clock is 700 seconds slow; set the host's clock".to_owned();
    let mut problem =
        Problem::new(code, status(code).as_u16(), detail, "5f0c21aa0000002a".to_owned());
    problem.server_time = Some(NOW);
    problem.max_skew = Some(600);
    value(&problem)
}

fn value(sample: &impl Serialize) -> Value {
    // Types of the API always have a JSON form.
    serde_json::to_value(sample).unwrap_or_default()
}

fn list(sample: &impl Serialize) -> Value {
    Value::Array(vec![value(sample)])
}
