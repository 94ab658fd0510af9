//! What the writer remembers of each agent to pack its next report against: its last report that
//! was packed without another one. Lost with the run, and then made anew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::id::{AgentNo, ReportId};
use crate::pack::dictionary::Dictionary;

/// Reports that are packed against one before it is another's turn. The further a report is from
/// its base, the more differs; every base is a report at nearly full size.
pub(super) const USES: u8 = 15;

/// Bytes of bases kept, as packed: those of about 100,000 agents. When they are full, agents that
/// are not among them have their reports packed by themselves.
const BYTES: usize = 128 << 20;

/// What a base costs besides its bytes.
const ENTRY_BYTES: usize = 128;

/// A report that others are packed against.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) report: ReportId,
    /// As stored.
    pub(super) packed: Box<[u8]>,
    /// Size before packing.
    pub(super) size: usize,
    pub(super) dictionary: Option<Arc<Dictionary>>,
    /// Reports packed against it.
    pub(super) uses: u8,
    /// Whether it was used since the last look for those that are not.
    fresh: bool,
}

impl Base {
    pub(super) fn new(
        report: ReportId,
        packed: &[u8],
        size: usize,
        dictionary: Option<Arc<Dictionary>>,
    ) -> Self {
        Self { report, packed: packed.into(), size, dictionary, uses: 0, fresh: true }
    }

    fn bytes(&self) -> usize {
        self.packed.len() + ENTRY_BYTES
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
mod tests {
    use super::*;

    fn base(bytes: usize) -> Base {
        Base::new(ReportId(1), &vec![0; bytes], bytes, None)
    }

    #[test]
    fn a_base_serves_so_many_reports() {
        let mut bases = Bases::default();
        bases.put(AgentNo(1), base(100));
        for _ in 0..USES {
            bases.get(AgentNo(1)).unwrap().uses += 1;
        }
        assert!(bases.get(AgentNo(1)).is_none() && bases.get(AgentNo(2)).is_none());
        bases.drop(AgentNo(1));
        assert_eq!(bases.bytes, 0);
    }

    #[test]
    fn what_does_not_fit_is_not_kept_until_others_fall_silent() {
        let mut bases = Bases::default();
        for agent in 1..=3 {
            bases.put(AgentNo(agent), base(BYTES / 3 - ENTRY_BYTES));
        }
        bases.put(AgentNo(4), base(1000));
        assert!(bases.get(AgentNo(4)).is_none() && bases.get(AgentNo(1)).is_some());
        // The first look only begins to count; agent 3 is not heard of until the second.
        for _ in 0..2 {
            for _ in 0..3 {
                assert!(bases.get(AgentNo(1)).is_some() && bases.get(AgentNo(2)).is_some());
            }
            bases.put(AgentNo(4), base(1000));
        }
        assert!(bases.get(AgentNo(3)).is_none() && bases.get(AgentNo(1)).is_some());
        assert!(bases.get(AgentNo(4)).is_some());
        assert!(bases.bytes <= BYTES);
    }
}
