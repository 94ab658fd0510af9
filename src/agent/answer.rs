//! What came back for one report, and what the protocol asks of an agent then (PROTOCOL 1.7).

use serde::Deserialize;

use crate::model::time::UnixSeconds;
use crate::wire::answer::{Receipt, Taken};

use super::seal::Seal;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: the report is stored, now or before.
    Stored(Receipt),
    /// Anything else that was answered.
    Refused(Refusal),
    /// Nothing that counts as an answer.
    Lost {
        /// Whether the report may have reached the manager.
        sent: bool,
        /// Why, for people.
        why: String,
    },
}

/// A refusal, with what its reader may need. Whoever stands between may answer too, so nothing
/// but the status is sure to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The problem's code; empty if there is none.
    pub code: String,
    /// What to do, in the manager's words.
    pub detail: String,
    /// Seconds the manager asks to wait.
    pub retry_after: Option<u32>,
    /// The manager's clock.
    pub server_time: Option<UnixSeconds>,
}

/// What to do with a report that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored.
    Delivered,
    /// It will never be taken: give it up.
    Hopeless,
    /// The same bytes again, later.
    Resend,
    /// Sign it anew with the keys of then, and not before so many seconds.
    SignAnew(u32),
    /// Its number is spent, and this report did not spend it: the manager knows higher ones.
    NewTick,
}

/// Why the shape of a report is to blame for its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// Its dictionary is not known.
    Dictionary,
    /// Frames are not.
    Frame,
}

/// A wrong signature is tried again after this many seconds: keys change at both ends at
/// different times.
const BAD_SIGNATURE_SECONDS: u32 = 60;

/// What only a person can put right is tried again after this many seconds.
const FORBIDDEN_SECONDS: u32 = 300;

impl Answer {
    /// Reads an answer. A 200 that is no receipt came from somebody else than the manager.
    pub fn read(status: u16, retry_after: Option<u32>, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Problem {
            #[serde(default)]
            code: String,
            #[serde(default)]
            detail: String,
            server_time: Option<UnixSeconds>,
            retry_after: Option<u32>,
        }
        if (200..300).contains(&status) {
            return match serde_json::from_slice(body) {
                Ok(receipt) => Self::Stored(receipt),
                Err(_) => Self::Lost {
                    sent: true,
                    why: format!("a {status} that is no receipt; is this a kattila manager?"),
                },
            };
        }
        let read = serde_json::from_slice::<Problem>(body).ok();
        let Some(problem) = read else {
            return Self::Refused(Refusal { status, retry_after, ..Refusal::default() });
        };
        Self::Refused(Refusal {
            status,
            code: problem.code,
            detail: problem.detail,
            retry_after: retry_after.or(problem.retry_after),
            server_time: problem.server_time,
        })
    }

    /// What to do with the report; `sent_before` if its tick was sent in an earlier attempt.
    pub fn verdict(&self, sent_before: bool) -> Verdict {
        match self {
            Self::Stored(Receipt { status: Taken::Ok | Taken::Duplicate, .. }) => {
                Verdict::Delivered
            }
            Self::Lost { .. } => Verdict::Resend,
            Self::Refused(Refusal { status, code, .. }) => match status {
                // The report is well, what takes it is not (yet) the manager's door.
                300..=399 | 404 | 405 | 407 => Verdict::SignAnew(FORBIDDEN_SECONDS),
                401 => Verdict::SignAnew(BAD_SIGNATURE_SECONDS),
                403 => Verdict::SignAnew(FORBIDDEN_SECONDS),
                409 if sent_before || code == "nonce_replayed" => Verdict::Delivered,
                409 => Verdict::NewTick,
                408 | 429 | 500.. => Verdict::Resend,
                _ => Verdict::Hopeless,
            },
        }
    }

    /// Whether the shape that a report was sealed in is to blame: a manager that does not know frames
    /// says so of its type, or, where something between changed that, of its JSON.
    pub fn misfit(&self, seal: &Seal) -> Option<Misfit> {
        let Self::Refused(Refusal { status, code, .. }) = self else { return None };
        match (status, code.as_str()) {
            (422, "dictionary_unknown") if seal.dictionary().is_some() => Some(Misfit::Dictionary),
            (415, _) | (400, "malformed_json") if seal.is_framed() => Some(Misfit::Frame),
            _ => None,
        }
    }

    /// The answer in a few words, for the log.
    pub fn in_words(&self) -> String {
        match self {
            Self::Stored(Receipt { status: Taken::Ok, report_id, .. }) => {
                format!("stored as report {report_id}")
            }
            Self::Stored(Receipt { report_id, .. }) => {
                format!("stored before as report {report_id}")
            }
            Self::Refused(Refusal { status, code, detail, .. }) if code.is_empty() => {
                format!("HTTP status {status} {detail}").trim_end().to_owned()
            }
            Self::Refused(Refusal { status, code, detail, .. }) => {
                format!("{status} {code}: {detail}")
            }
            Self::Lost { why, .. } => format!("no answer: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codes::ErrorCode;

    fn refused(status: u16, code: &str) -> Answer {
        Answer::read(status, None, format!("{{\"code\":\"{code}\",\"detail\":\"d\"}}").as_bytes())
    }

    #[test]
    fn receipts_and_what_only_looks_like_one() {
        let ok = br#"{"status":"ok","report_id":7,"server_time":1,"interval":30}"#;
        let answer = Answer::read(200, None, ok);
        assert_eq!(answer.in_words(), "stored as report 7");
        assert_eq!(answer.verdict(false), Verdict::Delivered);
        for portal in [&b"<html>sign in</html>"[..], b"{}", b""] {
            let answer = Answer::read(200, None, portal);
            assert_eq!(answer.verdict(false), Verdict::Resend, "{answer:?}");
        }
    }

    #[test]
    fn every_row_of_the_protocol() {
        let anew = Verdict::SignAnew;
        for (status, code, verdict) in [
            (400, "malformed_json", Verdict::Hopeless),
            (401, "signature_invalid", anew(60)),
            (403, "timestamp_skew", anew(300)),
            (404, "not_found", anew(300)),
            (405, "method_not_allowed", anew(300)),
            (408, "request_timeout", Verdict::Resend),
            (409, "tick_replayed", Verdict::NewTick),
            (409, "nonce_replayed", Verdict::Delivered),
            (413, "data_too_large", Verdict::Hopeless),
            (415, "content_encoding", Verdict::Hopeless),
            (422, "data_invalid", Verdict::Hopeless),
            (429, "rate_limited", Verdict::Resend),
            (500, "internal", Verdict::Resend),
            (502, "upstream_unreachable", Verdict::Resend),
            (503, "overloaded", Verdict::Resend),
            (301, "", anew(300)),
        ] {
            assert_eq!(refused(status, code).verdict(false), verdict, "{status} {code}");
        }
        assert_eq!(refused(409, "tick_replayed").verdict(true), Verdict::Delivered);
    }

    #[test]
    fn the_codes_are_the_managers() {
        for code in ["nonce_replayed", "tick_replayed", "identity_required", "enrollment_closed"] {
            assert!(ErrorCode::ALL.iter().any(|known| known.as_str() == code), "{code}");
        }
    }

    #[test]
    fn waiting_is_told_by_header_or_body() {
        let body = br#"{"code":"overloaded","retry_after":7,"server_time":9}"#;
        let Answer::Refused(told) = Answer::read(503, None, body) else { panic!() };
        assert_eq!((told.retry_after, told.server_time), (Some(7), Some(UnixSeconds(9))));
        let Answer::Refused(told) = Answer::read(503, Some(3), b"<html>") else { panic!() };
        assert_eq!((told.retry_after, told.code.as_str()), (Some(3), ""));
    }
}
