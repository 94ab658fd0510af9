use super::*;

fn mistakes(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_whole_file() {
    let text = r#"
[[rule]]
kinds = ["edge.*", "agent.offline"]
fleets = "lab*"
labels = { role = "gateway" }
severity = "critical"

[[rule]]
kinds = "edge.down"
raise_after = "3 reports"
clear_after = "2 reports"
limits = { t2_extra_s = 120 }

[[rule]]
kinds = "net.partition"
raise_after = "5m"
clear_after = "30s"
severity_at_most = "major"

[[rule]]
kinds = "peer.unknown"
enabled = false

[[rule]]
kinds = ["edge.expected_missing", "edge.unexpected"]
fleets = "lab"
links = ["alpha - beta", "alpha - 00c0-ffee"]
"#;
    let tuning = parse(text).unwrap();
    let lines = |kind| tuning.of_kind(kind).map(|entry| entry.line).collect::<Vec<_>>();
    assert_eq!(lines(AlarmKind::EdgeDown), [2, 8]);
    assert_eq!(lines(AlarmKind::AgentOffline), [2]);
    assert_eq!(lines(AlarmKind::AgentStale), [0_usize; 0]);
    let described = serde_json::to_string(&tuning.described()).unwrap();
    for part in [
        r#""net.partition":[{"clear_after":"30s","raise_after":"300s","severity_at_most":"major"}]"#,
        r#""edge.unexpected":[{"fleets":["lab"],"links":["alpha - beta","alpha - 00c0-ffee"]}]"#,
        r#""peer.unknown":[{"enabled":false}]"#,
        r#"{"fleets":["lab*"],"labels":{"role":"gateway"},"severity":"critical"}"#,
        r#"{"clear_after":"2 reports","limits":{"t2_extra_s":120},"raise_after":"3 reports"}"#,
    ] {
        assert!(described.contains(part), "{part} in {described}");
    }
    assert!(parse("").unwrap().is_empty());
}

const WRONG: &str = r#"colour = "red"
[[rule]]
kinds = "edge.dwn"
severity = "dreadful"
[[rule]]
kinds = ["agent.offline", "edge.down"]
limits = { t2_extra_s = 90 }
[[rule]]
kinds = "edge.down"
limits = { t2_extra_s = -1, t1_extra_s = "soon" }
[[rule]]
severity = "major"
severity_at_least = "minor"
[[rule]]
kinds = "peer.unknown"
severity_at_least = "major"
severity_at_most = "minor"
raise_after = "soon"
[[rule]]
kinds = "agent.offline"
raise_after = "3 reports"
clear_after = "60s"
[[rule]]
kinds = ["ingest.replay", "agent.rebooted"]
raise_after = "60s"
clear_after = "60s"
[[rule]]
kinds = "net.partition"
clear_after = "2 reports"
[[rule]]
kinds = "edge.down"
enable = true
[[rule]]
kinds = "agent.rebooted"
clear_after = "59s"
limits = { x = 1 }
[[rule]]
kinds = ["agent.version_old", "agent.stale"]
least_version = "1.4"
[[rule]]
kinds = "agent.version_old"
least_version = "new"
[[rule]]
kinds = ["edge.unexpected", "edge.down"]
links = ["alpha beta", "a - a"]
"#;

#[test]
fn every_mistake_is_told_with_its_line_and_key() {
    let told = mistakes(WRONG);
    for start in [
        "line 1: colour is not known; did you mean rule?",
        "line 3: rule.kinds \"edge.dwn\" fits no kind of alarm; did you mean edge.down?",
        "line 4: rule.severity \"dreadful\" must be one of: info, warning",
        "line 7: rule.limits \"t2_extra_s\" is no limit of agent.offline; it has: intervals, least_s",
        "line 10: rule.limits t2_extra_s of edge.down must be 0 to 86400",
        "line 10: rule.limits \"t1_extra_s\" must be a whole number",
        "line 11: rule.kinds is missing",
        "line 12: rule.severity stands beside",
        "line 16: rule.severity_at_least is worse than severity_at_most",
        "line 18: rule.raise_after \"soon\" must be such as \"3 reports\"",
        "line 21: rule.raise_after cannot be \"3 reports\": agent.offline is not counted in reports",
        "line 22: rule.clear_after cannot be \"60s\": agent.offline is ended by reports",
        "line 25: rule.raise_after cannot be \"60s\": agent.rebooted is about something that happened",
        "line 26: rule.clear_after cannot be \"60s\": ingest.replay is ended by a person only",
        "line 29: rule.clear_after cannot be \"2 reports\": net.partition is ended by time",
        "line 31: rule.kinds changes nothing",
        "line 32: rule.enable is not known; did you mean enabled?",
        "line 35: rule.clear_after cannot be \"59s\": agent.rebooted is counted by the minute",
        "line 39: rule.least_version belongs to agent.version_old alone",
        "line 42: rule.least_version \"new\" has no numbers",
        "line 45: rule.links belongs to edge.expected_missing and edge.unexpected alone",
        "line 45: rule.links is about whole fleets",
        "line 45: rule.links \"alpha beta\" must be two hosts",
        "line 45: rule.links \"a - a\" must be two hosts",
        "line 36: rule.limits \"x\" is no limit of agent.rebooted, which has none",
    ] {
        assert!(told.iter().any(|line| line.starts_with(start)), "{start} not in {told:#?}");
    }
}

#[test]
fn whatever_the_catalogue_says_may_be_written() {
    for rule in crate::alarms::catalogue::RULES {
        for limit in rule.limits {
            for value in [limit.least, limit.default, limit.most] {
                let (kind, name) = (rule.kind, limit.name);
                let text = format!("[[rule]]\nkinds = \"{kind}\"\nlimits = {{ {name} = {value} }}");
                assert!(parse(&text).is_ok(), "{text}");
            }
        }
    }
}
