//! A verdict's reason: one sentence with the arithmetic in it.

use super::{EndEvidence, Limits};
use crate::model::state::AgentStatus;
use crate::model::time::duration_text;

/// What the sentences are made of.
pub(super) struct Facts<'f, 'n> {
    pub(super) a: &'f EndEvidence<'n>,
    pub(super) b: &'f EndEvidence<'n>,
    pub(super) keepalive: u16,
    pub(super) limits: Limits,
}

impl<'f, 'n> Facts<'f, 'n> {
    fn ends(&self) -> [&'f EndEvidence<'n>; 2] {
        [self.a, self.b]
    }

    /// Who saw the handshake of this age.
    fn witness(&self, age: i64) -> &'n str {
        self.ends()
            .into_iter()
            .find(|e| e.testifies() && e.age(self.limits) == Some(age))
            .map_or(self.a.name, |e| e.name)
    }

    pub(super) fn up(&self, age: i64) -> String {
        let Limits { t1, t2 } = self.limits;
        let who = self.witness(age);
        let text = if age <= t1 {
            format!("up: last handshake {age} s ago on {who}, within {t1} s (T1)")
        } else {
            format!(
                "up, but late: last handshake {age} s ago on {who}, more than {t1} s (T1){}; \
                 counts as down after {t2} s (T2)",
                self.expectation()
            )
        };
        text + &self.filter_note()
    }

    pub(super) fn idle(&self, age: i64) -> String {
        format!(
            "idle: last handshake {} ago on {}, and nothing expects one (no keepalive, \
             nothing sent)",
            long(age),
            self.witness(age)
        )
    }

    pub(super) fn down(&self, age: i64) -> String {
        format!(
            "down: last handshake {} ago on {}, more than {} s (T2){}{}",
            long(age),
            self.witness(age),
            self.limits.t2,
            self.expectation(),
            self.cause()
        )
    }

    pub(super) fn never(&self) -> String {
        let tried = self
            .ends()
            .into_iter()
            .find(|e| e.testifies() && e.tx_bytes > 0 && e.rx_bytes == 0)
            .map(|e| format!("; {} has sent {} bytes without an answer", e.name, e.tx_bytes))
            .unwrap_or_default();
        let gone = self.lost().map(|lost| format!("; {lost}")).unwrap_or_default();
        format!("never: no handshake yet between {} and {}{tried}{gone}", self.a.name, self.b.name)
    }

    pub(super) fn gone(&self) -> String {
        format!("down: {}", self.lost().unwrap_or_default())
    }

    /// Which interface is gone, if one is: what a host that reports says comes first.
    fn lost(&self) -> Option<String> {
        let mut ends = self.ends();
        ends.sort_by_key(|end| !end.fresh);
        let lost = |end: &EndEvidence<'_>| {
            let interface = end.gone?;
            Some(if end.fresh {
                format!("{interface} is gone on {}", end.name)
            } else {
                format!("{interface} was gone on {} when it last reported", end.name)
            })
        };
        ends.into_iter().find_map(lost)
    }

    pub(super) fn one_way(&self, from: &EndEvidence<'_>, to: &EndEvidence<'_>) -> String {
        let sent: u64 =
            from.d_tx.iter().flatten().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        format!(
            "one way: {} sent {sent} bytes in its last two reports, {} received none of them{}",
            from.name,
            to.name,
            self.filter_note()
        )
    }

    pub(super) fn no_witness(&self) -> String {
        let mut parts = Vec::new();
        for end in self.ends() {
            parts.push(if !end.has_agent {
                format!("{} has no agent", end.name)
            } else if !end.fresh {
                format!("{} {}", end.name, silence(end.agent_status))
            } else {
                format!("{} says nothing of it", end.name)
            });
        }
        format!("unknown: {}", parts.join(", "))
    }

    pub(super) fn clock_went_back(&self) -> String {
        let who = self
            .ends()
            .into_iter()
            .find(|e| e.testifies() && e.clock_went_back(self.limits))
            .map_or(self.a.name, |e| e.name);
        format!("unknown: {who} reports a handshake from the future; its clock went back")
    }

    fn expectation(&self) -> String {
        if self.keepalive > 0 {
            return format!(", with keepalive {} s", self.keepalive);
        }
        self.ends()
            .into_iter()
            .find(|e| e.sends())
            .map(|e| format!(", while {} keeps sending", e.name))
            .unwrap_or_default()
    }

    /// The likeliest cause that the evidence names.
    fn cause(&self) -> String {
        for end in self.ends() {
            if end.has_agent && end.fresh && end.interface_up == Some(false) {
                return format!("; the interface is down on {}", end.name);
            }
        }
        for end in self.ends() {
            if end.has_agent && !end.fresh {
                return format!("; {} {}", end.name, silence(end.agent_status));
            }
        }
        for end in self.ends() {
            if end.sends() && end.hears_nothing() {
                return format!("; {} sends without an answer", end.name);
            }
        }
        self.filter_note()
    }

    fn filter_note(&self) -> String {
        for (end, other) in [(self.a, self.b), (self.b, self.a)] {
            if end.testifies() && end.allowed_ips_ok == Some(false) {
                return format!(
                    "; {} drops packets from {}: its address is outside its allowed ips",
                    end.name, other.name
                );
            }
        }
        String::new()
    }
}

fn silence(status: Option<AgentStatus>) -> &'static str {
    match status {
        Some(AgentStatus::Retired) => "is retired",
        Some(AgentStatus::Pending) => "waits for approval",
        Some(AgentStatus::Offline) => "has stopped reporting",
        Some(AgentStatus::Stale | AgentStatus::Online) | None => "has not reported lately",
    }
}

/// An age beside limits in seconds: in seconds too, until that says nothing to people.
fn long(age: i64) -> String {
    if age < COMPARABLE_S { format!("{age} s") } else { duration_text(age) }
}

/// Ages up to here are compared with T1 and T2 in one's head.
const COMPARABLE_S: i64 = 1000;
