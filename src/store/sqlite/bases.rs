//! What the writer remembers of each agent to pack its next report against: its last report that
//! was packed without another one. Lost with the run, and then made anew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::id::{AgentNo, Kid, ReportId};
use crate::model::state::{CanonForm, Scheme};
use crate::pack::delta::Beside;
use crate::pack::dictionary::Dictionary;
use crate::store::change::NewReport;

/// Reports that are packed against one before it is another's turn. The further a report is from
/// its base, the more differs; every base is a report of a kilobyte.
pub(super) const USES: u8 = 31;

/// Bytes of bases kept, as packed: those of about 100,000 agents. When they are full, agents that
/// are not among them have their reports packed by themselves.
const BYTES: usize = 128 << 20;

/// What a base costs besides its bytes.
const ENTRY_BYTES: usize = 192;

/// What other columns of a report's row tell, and its envelope most likely, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) nonce: String,
    /// When it was signed, its counter, and when it was measured.
    pub(super) numbers: [Option<i64>; 3],
}

impl Told {
    pub(super) fn beside(&self) -> Beside<'_> {
        Beside { word: &self.nonce, numbers: self.numbers }
    }
}

/// What a report's row is going to tell.
pub(super) fn beside(report: &NewReport) -> Beside<'_> {
    let NewReport { nonce, timestamp, tick, collected_at, .. } = report;
    Beside { word: nonce, numbers: [Some(timestamp.0), *tick, collected_at.map(|at| at.0)] }
}

/// A report that others are packed against.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) report: ReportId,
    /// As stored.
    pub(super) packed: Box<[u8]>,
    /// Size before packing.
    pub(super) size: usize,
    pub(super) dictionary: Option<Arc<Dictionary>>,
    pub(super) told: Told,
    signed: (Scheme, CanonForm, Kid),
    /// Reports packed against it.
    uses: u8,
    /// Bytes of the smallest of them, and what the others took more than that, in all.
    least: usize,
    excess: usize,
    /// Whether it was used since the last look for those that are not.
    fresh: bool,
}

impl Base {
    pub(super) fn new(
        report: &NewReport,
        packed: &[u8],
        dictionary: Option<Arc<Dictionary>>,
    ) -> Self {
        Self {
            report: report.id,
            packed: packed.into(),
            size: report.envelope.len(),
            dictionary,
            told: Told { nonce: report.nonce.clone(), numbers: beside(report).numbers },
            signed: (report.scheme, report.form, report.kid.clone()),
            uses: 0,
            least: usize::MAX,
            excess: 0,
            fresh: true,
        }
    }

    /// Whether a report need not tell how it is signed: as this one. Of version 1, rows are looked for
    /// by that.
    pub(super) fn is_signed_like(&self, report: &NewReport) -> bool {
        let (scheme, form, kid) = &self.signed;
        let like = (report.scheme, report.form) == (*scheme, *form) && report.kid == *kid;
        like && report.scheme != Scheme::V1
    }

    /// Whether a report is to be kept as packed against it: it has to gain more than by itself, and
    /// once reports have cost another base, because they look different from now on, it is the
    /// better base for those to come.
    pub(super) fn serves(&mut self, size: usize, packed: usize) -> bool {
        self.least = self.least.min(packed);
        self.excess += packed - self.least;
        let gained = size.saturating_sub(packed);
        let serves = gained > self.size.saturating_sub(self.packed.len())
            && self.excess <= self.packed.len();
        self.uses += u8::from(serves);
        serves
    }

    fn bytes(&self) -> usize {
        self.packed.len() + self.told.nonce.len() + ENTRY_BYTES
    }
}

/// One base of each agent, as far as they fit.
///
/// A base is always one that the agent's last stored report is, or is packed against: retention
/// never takes those.
#[derive(Debug, Default)]
pub(super) struct Bases {
    by_agent: HashMap<AgentNo, Base>,
    bytes: usize,
    /// Reports since the last look for bases that nobody uses.
    since_look: usize,
}

impl Bases {
    /// The agent's base, if another report may be packed against it.
    pub(super) fn get(&mut self, agent: AgentNo) -> Option<&mut Base> {
        self.since_look += 1;
        let base = self.by_agent.get_mut(&agent).filter(|base| base.uses < USES)?;
        base.fresh = true;
        Some(base)
    }

    /// Gives the agent another base, or none if there is no room.
    pub(super) fn put(&mut self, agent: AgentNo, base: Base) {
        self.drop(agent);
        if self.bytes + base.bytes() > BYTES {
            self.let_go_of_idle();
        }
        if self.bytes + base.bytes() <= BYTES {
            self.bytes += base.bytes();
            self.by_agent.insert(agent, base);
        }
    }

    /// Takes an agent's base away.
    pub(super) fn drop(&mut self, agent: AgentNo) {
        if let Some(base) = self.by_agent.remove(&agent) {
            self.bytes -= base.bytes();
        }
    }

    /// Takes away the bases of agents that have not reported for as long as all others took to
    /// report twice.
    fn let_go_of_idle(&mut self) {
        if self.since_look < 2 * self.by_agent.len() {
            return;
        }
        self.since_look = 0;
        self.by_agent.retain(|_, base| std::mem::replace(&mut base.fresh, false));
        self.bytes = self.by_agent.values().map(Base::bytes).sum();
    }
}

#[cfg(test)]
mod tests;
