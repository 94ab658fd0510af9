//! What the manager says back to an agent, for both ends to write and read.

use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, FrameDictId, Kid, ReportId};
use crate::model::time::UnixSeconds;

use super::codes::ErrorCode;

/// How a report was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Taken {
    /// Stored now.
    Ok,
    /// Stored before: the same bytes sent again.
    Duplicate,
}

/// The body of a 200 to `POST /status/updates`, sent only after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Stored now or before.
    pub status: Taken,
    /// The stored report.
    pub report_id: ReportId,
    /// The manager's clock.
    pub server_time: UnixSeconds,
    /// Seconds until the next report is expected.
    pub interval: u32,
    /// Whether framed reports are taken; managers that do not say so take none.
    #[serde(default)]
    pub framed: bool,
    /// The dictionary to compress them with, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dict: Option<FrameDictId>,
}

/// The body of a 200 to `POST /status/register` of version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Always [`Taken::Ok`].
    pub status: Taken,
}

/// How an enrolment was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The key is in force: the agent's reports must be signed with it from now on.
    Enrolled,
    /// It waits for an admin; until then nothing has changed.
    PendingApproval,
}

/// The body of a 200, 201 or 202 to `POST /status/register` of version 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// What the key is now.
    pub status: Standing,
    /// Whose.
    pub agent_id: AgentId,
    /// Its name.
    pub kid: Kid,
    /// The manager's clock.
    pub server_time: UnixSeconds,
    /// Seconds until the next report is expected.
    pub interval: u32,
    /// Whether framed reports are taken; managers that do not say so take none.
    #[serde(default)]
    pub framed: bool,
    /// The dictionary to compress them with, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dict: Option<FrameDictId>,
}

/// The body of every refusal: `application/problem+json` (RFC 9457) with members of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:kattila:error:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words for a person, the same for every answer with this code.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What a program should look at.
    pub code: ErrorCode,
    /// What is wrong with this request and what to do.
    pub detail: String,
    /// Names the request in the manager's log.
    pub request_id: String,
    /// The manager's clock, when clocks are the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_time: Option<UnixSeconds>,
    /// Seconds a timestamp may be off, when clocks are the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_skew: Option<i64>,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// When the report that spent this nonce was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<UnixSeconds>,
}

impl Problem {
    /// A refusal without the optional members.
    pub fn new(code: ErrorCode, status: u16, detail: String, request_id: String) -> Self {
        Self {
            kind: format!("urn:kattila:error:{code}"),
            title: code.title().to_owned(),
            status,
            code,
            detail,
            request_id,
            server_time: None,
            max_skew: None,
            retry_after: None,
            accepted_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_on_the_wire() {
        let receipt = Receipt {
            status: Taken::Duplicate,
            report_id: ReportId(7),
            server_time: UnixSeconds(1_795_214_286),
            interval: 30,
            framed: true,
            dict: None,
        };
        assert_eq!(
            serde_json::to_string(&receipt).unwrap(),
            r#"{"status":"duplicate","report_id":7,"server_time":1795214286,"interval":30,"framed":true}"#
        );
        let older = r#"{"status":"ok","report_id":7,"server_time":1795214286,"interval":30}"#;
        let older: Receipt = serde_json::from_str(older).unwrap();
        assert!(!older.framed && older.dict.is_none());
        let mut problem =
            Problem::new(ErrorCode::RateLimited, 429, "Wait.".to_owned(), "r1".to_owned());
        problem.retry_after = Some(3);
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"type":"urn:kattila:error:rate_limited","title":"Too many requests","#,
                r#""status":429,"code":"rate_limited","detail":"Wait.","request_id":"r1","#,
                r#""retry_after":3}"#
            )
        );
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
    }
}
