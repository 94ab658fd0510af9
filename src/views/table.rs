//! Lists as CSV (RFC 4180), for spreadsheets and scripts: the same rows as the pages.
//!
//! What hosts tell may begin like a formula; such a cell gets an apostrophe in front, which
//! spreadsheets take for "this is text".

pub mod any;
pub mod history;

use csv::Writer;

use crate::model::audit::Sealed;
use crate::model::hex;
use crate::model::time::UnixSeconds;
use crate::store::row::AlarmRow;
use crate::topology::picture::{Edge, End, Picture};

use super::agents::AgentListItem;

/// How a table is told to browsers (RFC 4180, section 3).
pub const CSV: &str = "text/csv; charset=utf-8; header=present";

const AGENT_HEADS: [&str; 14] = [
    "agent_id",
    "hostname",
    "fleet_id",
    "site",
    "role",
    "status",
    "address",
    "last_seen_at",
    "links",
    "links_down",
    "alarms",
    "agent_version",
    "scheme",
    "relay_path",
];

const LINK_HEADS: [&str; 7] =
    ["id", "edge_type", "state", "reason", "since", "judged_at", "ends_agree"];

const END_HEADS: [&str; 9] = [
    "node",
    "label",
    "interface",
    "state",
    "latest_handshake",
    "rx_bytes",
    "tx_bytes",
    "endpoint",
    "allowed_ips",
];

const ALARM_HEADS: [&str; 18] = [
    "id",
    "kind",
    "severity",
    "state",
    "fleet_id",
    "agent_id",
    "subject",
    "message",
    "raised_at",
    "acknowledged_at",
    "acknowledged_by",
    "note",
    "cleared_at",
    "clear_cause",
    "inhibited_by",
    "shelved_until",
    "shelve_reason",
    "maintenance",
];

const AUDIT_HEADS: [&str; 9] =
    ["seq", "at", "who", "from", "act", "subject", "before", "after", "hash"];

/// Agents, one in a line. Times are Unix seconds, `relay_path` is ids between blanks.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn agents(items: &[AgentListItem]) -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(AGENT_HEADS)?;
    for item in items {
        let relays = item.relay_path.relays().iter().map(ToString::to_string);
        let seen = item.last_seen_at.map(|at| at.0.to_string());
        out.write_record([
            text(&item.id),
            text(&item.label),
            text(&item.fleet),
            text(&item.site),
            text(&item.role),
            item.status.as_str().to_owned(),
            text(&item.address),
            seen.unwrap_or_default(),
            item.links.to_string(),
            item.links_down.to_string(),
            item.alarms.to_string(),
            text(item.version.as_deref().unwrap_or_default()),
            item.scheme.map(|scheme| scheme.as_str().to_owned()).unwrap_or_default(),
            text(&relays.collect::<Vec<_>>().join(" ")),
        ])?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Links of a picture, one in a line, each with what both its ends say.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn links(picture: &Picture, shown: impl Fn(&Edge) -> bool) -> Result<Vec<u8>, csv::Error> {
    let labels: std::collections::BTreeMap<&str, &str> =
        picture.nodes.iter().map(|node| (node.id.as_str(), node.label.as_str())).collect();
    let mut out = Writer::from_writer(Vec::new());
    let ends = ["source", "target"].into_iter();
    let ends = ends.flat_map(|end| END_HEADS.map(|head| format!("{end}_{head}")));
    out.write_record(LINK_HEADS.map(str::to_owned).into_iter().chain(ends))?;
    for edge in picture.edges.iter().filter(|edge| shown(edge)) {
        let [a, b] = &edge.ends;
        let agree = if a.state == b.state { "yes" } else { "no" };
        let own = [
            text(&edge.id),
            edge.edge_type.to_owned(),
            edge.state.as_str().to_owned(),
            text(&edge.reason),
            edge.since.0.to_string(),
            edge.judged_at.0.to_string(),
            agree.to_owned(),
        ];
        let label = |id: &str| labels.get(id).copied().unwrap_or(id).to_owned();
        let source = end(&edge.source, &label(&edge.source), a);
        let target = end(&edge.target, &label(&edge.target), b);
        out.write_record(own.into_iter().chain(source).chain(target))?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn end(node: &str, label: &str, end: &End) -> [String; 9] {
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        text(node),
        text(label),
        text(end.interface.as_deref().unwrap_or_default()),
        end.state.as_str().to_owned(),
        end.latest_handshake.map(|at| at.0.to_string()).unwrap_or_default(),
        number(end.rx_bytes),
        number(end.tx_bytes),
        text(end.endpoint.as_deref().unwrap_or_default()),
        text(&end.allowed_ips.join(" ")),
    ]
}

/// Alarms, one in a line. Times are Unix seconds.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn alarms(rows: &[AlarmRow]) -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(ALARM_HEADS)?;
    let time = |at: Option<UnixSeconds>| at.map(|at| at.to_string()).unwrap_or_default();
    let words = |words: Option<&str>| text(words.unwrap_or_default());
    for AlarmRow { alarm, agent_id, .. } in rows {
        let shelf = alarm.shelved.as_ref();
        out.write_record([
            alarm.id.to_string(),
            alarm.kind.as_str().to_owned(),
            alarm.severity.as_str().to_owned(),
            alarm.state.as_str().to_owned(),
            words(alarm.fleet.as_ref().map(|fleet| fleet.as_str())),
            words(agent_id.as_ref().map(|agent| agent.as_str())),
            text(&alarm.subject),
            text(&alarm.message),
            time(alarm.raised_at),
            time(alarm.acknowledged_at),
            words(alarm.acknowledged_by.as_deref()),
            words(alarm.note.as_deref()),
            time(alarm.cleared_at),
            words(alarm.clear_cause.as_deref()),
            alarm.inhibited_by.map(|by| by.to_string()).unwrap_or_default(),
            time(shelf.map(|shelved| shelved.until)),
            words(shelf.map(|shelved| shelved.reason.as_str())),
            alarm.maintenance.map(|window| window.to_string()).unwrap_or_default(),
        ])?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// The first line of the audit.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn audit_heads() -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(AUDIT_HEADS)?;
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Entries of the audit, one in a line, without heads. Times are Unix seconds.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn audit(rows: &[Sealed]) -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    let words = |words: Option<&str>| text(words.unwrap_or_default());
    for Sealed { entry, head } in rows {
        out.write_record([
            head.seq.to_string(),
            entry.at.to_string(),
            text(&entry.who),
            words(entry.from.as_deref()),
            text(&entry.act),
            text(&entry.subject),
            words(entry.before.as_deref()),
            words(entry.after.as_deref()),
            hex::encode(&head.hash),
        ])?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Rows of cells under their heads; what hosts tell is [`text`] already.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn plain(
    heads: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(heads)?;
    for row in rows {
        out.write_record(row)?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// A text that no spreadsheet takes for a formula.
pub fn text(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{value}") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::samples::picture;

    fn lines(table: Result<Vec<u8>, csv::Error>) -> Vec<String> {
        let text = String::from_utf8(table.expect("a table")).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_row_has_every_column() {
        let items = AgentListItem::from_picture(&picture());
        let lines = lines(agents(&items));
        assert_eq!(lines.len(), items.len() + 1);
        assert!(lines[0].starts_with("agent_id,hostname,fleet_id,site,role,status,"));
        let down = lines.iter().find(|line| line.contains("oul-gw2")).expect("the dead gateway");
        assert!(down.contains(",lab,Oulu,gateway,offline,10.200.0.1,"), "{down}");
    }

    #[test]
    fn alarms_tell_what_people_wrote_as_text() {
        let mut rows = crate::views::samples::alarms::alarms();
        rows[1].alarm.note = Some("=1+1".to_owned());
        let lines = lines(alarms(&rows));
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("id,kind,severity,state,") && lines[2].contains(",'=1+1,"));
        assert!(lines[3].starts_with("7,agent.offline,major,active,lab,oul-gw2,"), "{}", lines[3]);
    }

    #[test]
    fn links_tell_both_ends_and_only_what_is_asked_for() {
        let picture = picture();
        let all = lines(links(&picture, |_| true));
        assert_eq!(all.len(), picture.edges.len() + 1);
        assert!(all[0].contains(",source_node,source_label,") && all[0].contains(",target_state,"));
        let one = lines(links(&picture, |edge| edge.id == "00000000000000b2"));
        assert_eq!(one.len(), 2);
        assert!(one[1].contains("hel-gw1") && one[1].contains("oul-gw2"), "{}", one[1]);
    }

    #[test]
    fn what_a_host_says_is_no_formula_and_breaks_no_line() {
        let mut items = AgentListItem::from_picture(&picture());
        items.truncate(1);
        items[0].label = "=cmd|' /C calc'!A0".into();
        items[0].site = "a \"b\", c".into();
        let lines = lines(agents(&items));
        assert!(lines[1].contains(",'=cmd|"), "{}", lines[1]);
        assert!(lines[1].contains(",\"a \"\"b\"\", c\","), "{}", lines[1]);
    }
}
