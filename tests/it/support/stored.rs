//! What a manager has stored, read from its database.

use std::path::Path;

use kattila::model::id::ReportId;
use kattila::store::Reader as _;
use kattila::store::row::ReportFilter;
use kattila::store::sqlite::open_read_only;
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

/// The same, read as JSON.
pub(crate) fn reports(db: &Path) -> Vec<(i64, Value)> {
    let read = |(at, text): (i64, String)| (at, serde_json::from_str(&text).unwrap());
    envelopes(db).into_iter().map(read).collect()
}
