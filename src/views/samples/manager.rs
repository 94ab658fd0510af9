//! What the settings and the description of the API tell of the made-up manager.

use crate::model::access::Role;
use crate::views::api::{Asker, CodeItem, OperationItem, ParameterItem};
use crate::views::settings::{
    JobItem, KeyLine, KeySourceItem, ManagerItem, SettingItem, Stake, UsageItem,
};
use crate::views::thresholds::{CountItem, ThresholdItem, ThresholdsItem};

use super::NOW;

pub(in crate::views) fn keys() -> Vec<KeyLine> {
    vec![KeyLine {
        kid: "45819852fbdfc69a".to_owned(),
        state: "current",
        source: "dns",
        first_seen: NOW.minus(86_400),
        last_seen: NOW.minus(20),
        stake: Stake {
            agents: 4,
            named: vec!["hel-gw1".to_owned(), "oul-gw2".to_owned()],
            usable: true,
            last: true,
        },
    }]
}

pub(in crate::views) fn key_source() -> KeySourceItem {
    KeySourceItem {
        source: "TXT record _kattila.example.org".to_owned(),
        healthy: true,
        detail: "The last answer held one key.".to_owned(),
        last_read_at: Some(NOW.minus(20)),
        next_read_at: Some(NOW.plus(280)),
        dnssec: Some("not signed".to_owned()),
        notices: vec!["a key is shorter than it should be".to_owned()],
    }
}

fn settings() -> Vec<SettingItem> {
    vec![SettingItem {
        name: "KATTILA_REPORT_INTERVAL".to_owned(),
        meaning: "An agent is late after 100 s and down after 180 s.".to_owned(),
    }]
}

pub(in crate::views) fn manager() -> ManagerItem {
    let job = |name, last_run, running| JobItem {
        name,
        about: "Removes what is old",
        running,
        last_run,
        duration_ms: 41,
        rows: 1024,
        next_run: NOW.plus(300),
        failed: None,
    };
    let failed = Some((NOW.minus(60), "the disk is <full>".to_owned()));
    let jobs = vec![
        job("sweep", Some(NOW), false),
        JobItem { failed, ..job("prune-reports", Some(NOW.minus(60)), false) },
        job("prune-events", None, false),
        job("vacuum", Some(NOW), true),
    ];
    let limit = |field, label, in_force, tried| ThresholdItem { field, label, in_force, tried };
    let count = |label, now, then| CountItem { label, now, then };
    let thresholds = ThresholdsItem {
        limits: vec![
            limit("late_s", "Late after, seconds", 100, 60),
            limit("down_s", "Down after, seconds", 180, 120),
        ],
        counts: vec![
            count("Agents that are late", 1, 7),
            count("Links whose handshake is too old", 3, 4),
        ],
        agents: (7, 2),
        links: 4,
        tried: true,
    };
    ManagerItem { settings: settings(), jobs, thresholds }
}

pub(in crate::views) fn usage() -> UsageItem {
    UsageItem {
        generations: vec![("current, 45819852fbdfc69a".to_owned(), "4 agents".to_owned())],
        locked_out: vec![("gw%3A1".to_owned(), "gw:1".to_owned())],
        locked_out_count: "3 agents".to_owned(),
        left_out: 2,
    }
}

/// Some of the API.
pub(in crate::views) fn api() -> (Vec<OperationItem>, Vec<CodeItem>) {
    let id = ParameterItem {
        name: "id".to_owned(),
        place: "path".to_owned(),
        about: "Its id".to_owned(),
        kind: "string".to_owned(),
    };
    let one = |method: &str, path: &str, asker, summary: &str| OperationItem {
        method: method.to_owned(),
        path: path.to_owned(),
        asker,
        summary: summary.to_owned(),
        parameters: if path.contains("{id}") { vec![id.clone()] } else { Vec::new() },
        takes: (method == "POST").then(|| "{\n  \"name\": \"kim\"\n}".to_owned()),
        status: "200".to_owned(),
        kind: "application/json".to_owned(),
        answer: "{\n  \"status\": \"ok\"\n}".to_owned(),
    };
    let operations = vec![
        one("POST", "/status/updates", Asker::Agent, "Take a signed report"),
        one("GET", "/livez", Asker::Anybody, "Whether the manager lives"),
        one(
            "GET",
            "/api/v1/agents/{id}",
            Asker::Role(Role::Viewer),
            "One agent with all it reports",
        ),
        one("POST", "/api/v1/users", Asker::Role(Role::Admin), "Add a user"),
    ];
    let code = |code, status, title| CodeItem { code, status, title };
    let codes = vec![
        code("not_found", 404, "There is nothing here"),
        code("rate_limited", 429, "Too many requests"),
    ];
    (operations, codes)
}
