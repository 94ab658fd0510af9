//! Events and reports as CSV.

use csv::Writer;
use serde_json::Value;

use super::text;
use crate::model::hex;
use crate::model::time::UnixSeconds;
use crate::store::row::{EventRow, ReportSummary};

const EVENT_HEADS: [&str; 11] = [
    "id",
    "at",
    "recorded_at",
    "kind",
    "fleet_id",
    "agent_id",
    "subject",
    "before",
    "after",
    "report_id",
    "cause",
];

const REPORT_HEADS: [&str; 14] = [
    "id",
    "agent_id",
    "scheme",
    "form",
    "kid",
    "timestamp",
    "collected_at",
    "received_at",
    "tick",
    "data_sha256",
    "redacted",
    "relay_path",
    "source",
    "envelope_bytes",
];

fn time(at: Option<UnixSeconds>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Events, one in a line, before and after as JSON. Times are Unix seconds.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn events(rows: &[EventRow]) -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(EVENT_HEADS)?;
    let words = |words: Option<&str>| text(words.unwrap_or_default());
    let json = |value: &Option<Value>| {
        value.as_ref().map(|value| text(&value.to_string())).unwrap_or_default()
    };
    for row in rows {
        out.write_record([
            row.id.to_string(),
            row.at.to_string(),
            row.recorded_at.to_string(),
            row.kind.as_str().to_owned(),
            words(row.fleet.as_ref().map(|fleet| fleet.as_str())),
            words(row.agent_id.as_ref().map(|agent| agent.as_str())),
            text(&row.subject),
            json(&row.before),
            json(&row.after),
            row.report.map(|id| id.to_string()).unwrap_or_default(),
            words(row.cause.as_deref()),
        ])?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Accepted reports without their content, one in a line. Times are Unix seconds.
///
/// # Errors
/// If the writer fails, which memory does not.
pub fn reports(rows: &[ReportSummary]) -> Result<Vec<u8>, csv::Error> {
    let mut out = Writer::from_writer(Vec::new());
    out.write_record(REPORT_HEADS)?;
    for row in rows {
        let relays = row.relay_path.relays().iter().map(ToString::to_string);
        out.write_record([
            row.id.to_string(),
            text(row.agent_id.as_str()),
            row.scheme.as_str().to_owned(),
            row.form.as_str().to_owned(),
            row.kid.to_string(),
            row.timestamp.to_string(),
            time(row.collected_at),
            row.received_at.to_string(),
            row.tick.map(|tick| tick.to_string()).unwrap_or_default(),
            hex::encode(&row.data_sha256),
            row.redacted.to_string(),
            text(&relays.collect::<Vec<_>>().join(" ")),
            row.source.map(|source| source.to_string()).unwrap_or_default(),
            row.envelope_bytes.to_string(),
        ])?;
    }
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_keep_what_they_tell_in_their_cells() {
        let mut rows = crate::views::samples::events();
        rows[0].subject = "=wg0, \"the\" one".to_owned();
        let text = String::from_utf8(events(&rows).expect("a table")).expect("text");
        assert_eq!(text.lines().count(), rows.len() + 1);
        assert!(text.starts_with("id,at,recorded_at,kind,"), "{text}");
        assert!(text.contains(",\"'=wg0, \"\"the\"\" one\","), "{text}");
    }
}
