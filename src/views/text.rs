//! Numbers, times and states as people read them.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::model::proven::Proven;
use crate::model::state::{AgentStatus, AlarmState, EdgeState, EndState, Severity};
use crate::model::time::UnixSeconds;
use crate::topology::picture::{Node, NodeKind};

/// A length of time in one unit, rounded down: `42 s`, `7 min`, `2 h`, `3 d`.
pub fn span(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// A difference of clocks with its sign: `+3 s`, `−2 min`, `none`.
pub fn offset(seconds: i64) -> String {
    match seconds {
        0 => "none".to_owned(),
        1.. => format!("+{}", span(seconds)),
        _ => format!("−{}", span(seconds.saturating_neg())),
    }
}

/// A number of bytes in decimal units: `999 B`, `1.2 kB`, `34 MB`.
pub fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut scaled = count;
    let mut rest = 0;
    let mut unit = "B";
    for next in units {
        unit = next;
        if scaled < 1_000 {
            break;
        }
        if next == "PB" {
            break;
        }
        rest = scaled % 1_000;
        scaled /= 1_000;
    }
    if unit == "B" || scaled >= 10 {
        format!("{scaled} {unit}")
    } else {
        format!("{scaled}.{} {unit}", rest / 100)
    }
}

/// `1 link`, `2 links`.
pub fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Why a link is judged as it is, as a sentence beside a chip that tells the state already.
pub fn because(reason: &str) -> String {
    let bare = bare_reason(reason);
    let mut letters = bare.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if bare.is_empty() || bare.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// A reason without the state that it begins with.
pub fn bare_reason(reason: &str) -> &str {
    let told = EdgeState::ALL.iter().find_map(|state| {
        let word = state.as_str().replace('_', " ");
        reason.strip_prefix(word.as_str())?.strip_prefix(": ")
    });
    told.unwrap_or(reason)
}

/// A value for the query part of an address: everything but unreserved characters escaped.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

/// A time as an element: relative in the text, absolute on hover and for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    at: UnixSeconds,
    now: UnixSeconds,
    absolute: bool,
}

impl Moment {
    /// `2 min ago`; page.js keeps counting.
    pub fn ago(at: UnixSeconds, now: UnixSeconds) -> Self {
        Self { at, now, absolute: false }
    }

    /// The full time, as lists of history need it.
    pub fn full(at: UnixSeconds, now: UnixSeconds) -> Self {
        Self { at, now, absolute: true }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.at.to_rfc3339();
        let age = self.now.since(self.at);
        let relative = if age < 0 {
            format!("in {}", span(age.saturating_neg()))
        } else {
            format!("{} ago", span(age))
        };
        if self.absolute {
            write!(f, "<time datetime=\"{text}\" title=\"{relative}\">{text}</time>")
        } else {
            let at = self.at;
            write!(
                f,
                "<time datetime=\"{text}\" title=\"{text}\" data-age=\"{at}\">{relative}</time>"
            )
        }
    }
}

/// Made of digits and fixed words only.
impl HtmlSafe for Moment {}

/// A state as a coloured word with a mark; colour is never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip {
    kind: &'static str,
    word: &'static str,
}

impl Chip {
    /// An agent's status.
    pub fn agent(status: AgentStatus) -> Self {
        let (kind, word) = match status {
            AgentStatus::Online => ("up", "Reporting"),
            AgentStatus::Stale => ("late", "Late"),
            AgentStatus::Offline => ("down", "Down"),
            AgentStatus::Pending => ("stale", "Waiting for approval"),
            AgentStatus::Retired => ("stale", "Out of service"),
        };
        Self { kind, word }
    }

    /// A node of the map.
    pub fn node(node: &Node) -> Self {
        match (node.kind, node.status) {
            (NodeKind::Agent, Some(status)) => Self::agent(status),
            (NodeKind::Agent | NodeKind::External, _) => Self { kind: "stale", word: "No agent" },
        }
    }

    /// What came of proving a stored report again.
    pub fn proven(proven: &Proven) -> Self {
        let (kind, word) = match proven {
            Proven::Holds => ("up", "Holds"),
            Proven::Redacted => ("stale", "Secrets removed"),
            Proven::KeyNotKept => ("stale", "Key not kept"),
            Proven::Fails(_) => ("down", "Does not hold"),
        };
        Self { kind, word }
    }

    /// The verdict on a link.
    pub fn edge(state: EdgeState) -> Self {
        let (kind, word) = match state {
            EdgeState::Up => ("up", "Up"),
            EdgeState::Idle => ("stale", "Idle"),
            EdgeState::Down => ("down", "Down"),
            EdgeState::OneWay => ("late", "One way"),
            EdgeState::HalfConfigured => ("late", "Half configured"),
            EdgeState::Never => ("stale", "Never connected"),
            EdgeState::Unknown => ("stale", "Unknown"),
        };
        Self { kind, word }
    }

    /// What one end of a link shows.
    pub fn end(state: EndState) -> Self {
        let (kind, word) = match state {
            EndState::Up => ("up", "Handshake is young"),
            EndState::Idle => ("stale", "Idle, nothing expects it"),
            EndState::Overdue => ("late", "Handshake overdue"),
            EndState::Down => ("down", "No handshake"),
            EndState::Never => ("stale", "No handshake yet"),
            EndState::Missing => ("late", "Does not list the other end"),
            EndState::Unknown => ("stale", "No fresh report"),
        };
        Self { kind, word }
    }

    /// How bad an alarm is.
    pub fn severity(severity: Severity) -> Self {
        let kind = match severity {
            Severity::Critical | Severity::Major => "down",
            Severity::Minor | Severity::Warning => "late",
            Severity::Info => "stale",
        };
        Self { kind, word: severity.as_str() }
    }

    /// Where an alarm stands.
    pub fn alarm(state: AlarmState) -> Self {
        let (kind, word) = match state {
            AlarmState::Pending => ("stale", "Pending"),
            AlarmState::Active => ("down", "Open"),
            AlarmState::Acknowledged => ("late", "Acknowledged"),
            AlarmState::Returned => ("late", "Over, not acknowledged"),
            AlarmState::Cleared => ("stale", "Cleared"),
        };
        Self { kind, word }
    }

    /// Good, doubtful or bad, in a fixed word.
    pub const fn plain(kind: &'static str, word: &'static str) -> Self {
        Self { kind, word }
    }

    /// The word alone.
    pub const fn word(self) -> &'static str {
        self.word
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.kind {
            "up" => '●',
            "late" => '◐',
            "down" => '✕',
            _ => '○',
        };
        write!(f, "<span class=\"chip chip-{}\">{mark} {}</span>", self.kind, self.word)
    }
}

/// Made of words fixed in this file and in `model::state` only.
impl HtmlSafe for Chip {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_keep_one_unit() {
        let words: Vec<String> = [-5, 0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(span).into();
        assert_eq!(words, ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]);
        assert_eq!(offset(-600), "−10 min");
        assert_eq!(offset(i64::MIN), format!("−{}", span(i64::MAX)));
    }

    #[test]
    fn bytes_keep_two_digits_at_least() {
        let words: Vec<String> = [0, 999, 1_000, 1_290, 34_567_890, u64::MAX].map(bytes).into();
        assert_eq!(words, ["0 B", "999 B", "1.0 kB", "1.2 kB", "34 MB", "18446 PB"]);
    }

    #[test]
    fn a_time_is_told_in_both_ways() {
        let at = UnixSeconds(951_782_400);
        assert_eq!(
            Moment::ago(at, at.plus(130)).to_string(),
            "<time datetime=\"2000-02-29T00:00:00Z\" title=\"2000-02-29T00:00:00Z\" \
             data-age=\"951782400\">2 min ago</time>"
        );
        assert!(Moment::ago(at, at.minus(130)).to_string().contains("in 2 min"));
    }

    #[test]
    fn a_reason_does_not_repeat_the_state_of_its_chip() {
        assert_eq!(because("down: no answer for 9 min"), "No answer for 9 min.");
        assert_eq!(because("half configured: b does not list a"), "B does not list a.");
        assert_eq!(because("No handshake yet."), "No handshake yet.");
        assert_eq!(because("upstairs: x"), "Upstairs: x.");
        assert_eq!(because(""), "");
    }

    #[test]
    fn query_values_are_escaped() {
        assert_eq!(encode("a b&c=ä/~"), "a%20b%26c%3D%C3%A4%2F~");
    }

    #[test]
    fn no_chip_brings_markup_of_its_own() {
        let states = Severity::ALL.iter().map(|s| Chip::severity(*s));
        let ends = EndState::ALL.iter().map(|s| Chip::end(*s));
        for chip in states.chain(ends).chain(EdgeState::ALL.iter().map(|s| Chip::edge(*s))) {
            assert!(!chip.word().contains(['<', '&', '"']), "{chip:?}");
        }
    }
}
