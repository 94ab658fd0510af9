//! What a manager has stored, read from its database.

use std::path::Path;

use kattila::model::id::ReportId;
use kattila::store::Reader as _;
use kattila::store::row::ReportFilter;
use kattila::store::sqlite::open_read_only;
use kattila::wire::frame;
use serde_json::Value;

/// Every stored envelope, in the order of storing, with the second it came.
pub(crate) fn envelopes(db: &Path) -> Vec<(i64, String)> {
    let reader = open_read_only(db).unwrap();
    let (mut all, mut after) = (Vec::new(), ReportId(0));
    loop {
        let page = reader.reports(&ReportFilter::onwards(after, 500)).unwrap();
        let Some(last) = page.last() else { return all };
        after = last.summary.id;
        for row in page {
            let received_at = row.summary.received_at.0;
            all.push((received_at, String::from_utf8(row.envelope).unwrap()));
        }
    }
}

/// A report in either shape as the JSON shape would have it.
pub(crate) fn read_report(bytes: &[u8]) -> Value {
    if !frame::is_frame(bytes) {
        return serde_json::from_slice(bytes).unwrap();
    }
    let (head, data) = frame::split(bytes).unwrap();
    let mut whole: Value = serde_json::from_slice(head).unwrap();
    if whole["enc"] == "identity" {
        whole["data"] = serde_json::from_slice(&bytes[data]).unwrap();
    }
    whole
}

/// The same, read as JSON.
pub(crate) fn reports(db: &Path) -> Vec<(i64, Value)> {
    let read = |(at, text): (i64, String)| (at, read_report(text.as_bytes()));
    envelopes(db).into_iter().map(read).collect()
}
