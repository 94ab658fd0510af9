//! The rows that an accepted envelope makes: the agent's, and the one that proves the report.

use std::net::IpAddr;

use crate::model::id::{AgentNo, ReportId};
use crate::model::report::ReportData;
use crate::model::time::UnixSeconds;
use crate::store::change::NewReport;
use crate::verify::Verified;
use crate::wire::envelope::data_value;
use crate::wire::redact::{redact, redact_frame};

/// The row that proves a report, without the secrets it carried.
pub(super) fn audit_row(
    id: ReportId,
    agent: AgentNo,
    verified: &Verified,
    data: &ReportData,
    source: Option<IpAddr>,
    now: UnixSeconds,
) -> NewReport {
    let redacted = data.had_secrets;
    let envelope = if redacted {
        // What relays put around it would hold the secret again.
        let origin = verified.origin();
        match verified.frame() {
            Some(_) => redact_frame(origin, verified.data()).into(),
            None => redact(origin, data_value(origin).unwrap_or_default()).into(),
        }
    } else {
        verified.body().clone()
    };
    NewReport {
        id,
        agent,
        scheme: verified.scheme(),
        form: verified.form(),
        kid: verified.kid().clone(),
        timestamp: verified.timestamp(),
        collected_at: data.collected_at,
        received_at: now,
        tick: verified.tick(),
        nonce: verified.nonce().to_owned(),
        data_sha256: *verified.data_sha256(),
        envelope,
        frame_dict: verified.frame().and_then(|frame| frame.dict.clone()).filter(|_| !redacted),
        redacted,
        relay_path: verified.relay_path().clone(),
        source,
        late: false,
    }
}
