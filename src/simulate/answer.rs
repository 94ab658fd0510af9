//! What the manager answered, and what an agent does next (the table of the protocol).

use std::borrow::Cow;

use serde::Deserialize;

/// The answer to one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: stored.
    Stored,
    /// 200: stored before, this was a repetition.
    Duplicate,
    /// 200 or 201: the host's own key is pinned.
    Enrolled,
    /// Anything else, by status and problem code.
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's code, or `unknown`.
        code: Box<str>,
        /// Seconds the manager asked to wait.
        retry_after: Option<u32>,
    },
    /// No answer came.
    Lost(Loss),
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection could not be made.
    Unreachable,
    /// The connection ended before the answer.
    Closed,
    /// The answer took longer than [`super::connection::ANSWER_SECONDS`].
    Timeout,
}

impl Answer {
    /// Reads an answer; `body` is looked at only as far as needed.
    pub fn read(status: u16, retry_after: Option<u32>, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body<'a> {
            status: Option<serde_json::Value>,
            #[serde(borrow)]
            code: Option<Cow<'a, str>>,
        }
        let Ok(read) = serde_json::from_slice::<Body<'_>>(body) else {
            return Self::Refused { status, code: "unreadable".into(), retry_after };
        };
        let word = read.status.as_ref().and_then(serde_json::Value::as_str);
        match (status, word) {
            (200, Some("ok")) => Self::Stored,
            (200, Some("duplicate")) => Self::Duplicate,
            (200 | 201, Some("enrolled")) => Self::Enrolled,
            _ => {
                let code = read.code.as_deref().or(word).unwrap_or("unknown").into();
                Self::Refused { status, code, retry_after }
            }
        }
    }

    /// How the answer is called in counts.
    pub fn label(&self) -> Cow<'static, str> {
        match self {
            Self::Stored => "200 ok".into(),
            Self::Duplicate => "200 duplicate".into(),
            Self::Enrolled => "enrolled".into(),
            Self::Refused { status, code, .. } => format!("{status} {code}").into(),
            Self::Lost(Loss::Unreachable) => "no answer: unreachable".into(),
            Self::Lost(Loss::Closed) => "no answer: connection closed".into(),
            Self::Lost(Loss::Timeout) => "no answer: timeout".into(),
        }
    }
}

/// What an agent does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Goes on with its next report when that is due.
    Report,
    /// Goes on, but not before this many seconds have passed.
    Hold(u32),
    /// Sends the same bytes again after about this many seconds.
    Resend(u32),
    /// Gives up these bytes, which are about to be too old, and signs anew at once.
    SignAgain,
}

/// Seconds after which the same bytes are no longer sent: a minute before the manager's limit.
const RESEND_SECONDS: i64 = 540;
/// The longest wait between two attempts, in seconds.
const LONGEST_WAIT: u32 = 60;

/// What to do after `answer` to the attempt number `attempt` (from 0) with bytes that were
/// signed `age` seconds ago.
pub fn next(answer: &Answer, attempt: u32, age: i64) -> Next {
    let wait = match answer {
        Answer::Stored | Answer::Duplicate | Answer::Enrolled => return Next::Report,
        Answer::Lost(_) => backoff(attempt),
        Answer::Refused { status, retry_after, .. } => match status {
            202 | 401 => return Next::Hold(60),
            403 => return Next::Hold(300),
            408 | 429 | 500..=599 => retry_after.unwrap_or_else(|| backoff(attempt)),
            _ => return Next::Report,
        },
    };
    if age.saturating_add(wait.into()) > RESEND_SECONDS {
        Next::SignAgain
    } else {
        Next::Resend(wait)
    }
}

/// 1, 2, 4, ... seconds.
fn backoff(attempt: u32) -> u32 {
    1_u32.checked_shl(attempt).filter(|wait| *wait != 0).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after: Option<u32>) -> Answer {
        Answer::Refused { status, code: "x".into(), retry_after }
    }

    #[test]
    fn answers_are_read_by_status_and_code() {
        let ok = br#"{"status":"ok","report_id":7,"server_time":1,"interval":30}"#;
        assert_eq!(Answer::read(200, None, ok), Answer::Stored);
        let again = br#"{"status":"duplicate","report_id":7}"#;
        assert_eq!(Answer::read(200, None, again), Answer::Duplicate);
        let problem = br#"{"type":"urn:x","title":"t","status":401,"code":"signature_invalid"}"#;
        assert_eq!(Answer::read(401, None, problem).label(), "401 signature_invalid");
        let enrolled = br#"{"status":"enrolled","kid":"56475aa75463474c"}"#;
        assert_eq!(Answer::read(201, None, enrolled), Answer::Enrolled);
        let waits = Answer::read(202, None, br#"{"status":"pending_approval"}"#);
        assert_eq!(waits.label(), "202 pending_approval");
        assert_eq!(next(&waits, 0, 0), Next::Hold(60));
        assert_eq!(Answer::read(502, None, b"<html>").label(), "502 unreadable");
        assert_eq!(Answer::read(200, None, b"{}").label(), "200 unknown");
    }

    #[test]
    fn every_answer_has_its_next_step() {
        assert_eq!(next(&Answer::Stored, 0, 0), Next::Report);
        assert_eq!(next(&refused(409, None), 0, 0), Next::Report);
        assert_eq!(next(&refused(413, None), 0, 0), Next::Report);
        assert_eq!(next(&refused(401, None), 0, 0), Next::Hold(60));
        assert_eq!(next(&refused(403, None), 0, 0), Next::Hold(300));
        assert_eq!(next(&refused(429, Some(17)), 0, 0), Next::Resend(17));
        assert_eq!(next(&refused(503, None), 3, 10), Next::Resend(8));
        assert_eq!(next(&Answer::Lost(Loss::Closed), 0, 0), Next::Resend(1));
        for attempt in [6, 31, 32, 1000] {
            assert_eq!(next(&Answer::Lost(Loss::Timeout), attempt, 0), Next::Resend(60));
        }
        assert_eq!(next(&Answer::Lost(Loss::Timeout), 9, 481), Next::SignAgain);
    }
}
