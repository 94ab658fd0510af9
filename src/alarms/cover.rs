//! Which maintenance window covers an agent or a fleet.
//!
//! Holds all windows and knows which of them are open. Asking costs as much as there are open
//! ones; nothing is looked at until one opens or ends, or is made or ended by a person.

use std::collections::BTreeMap;

use crate::model::id::{AgentId, FleetId, WindowId};
use crate::model::time::UnixSeconds;
use crate::model::window::{Scope, Window};

/// A window that covers something now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// Which.
    pub window: WindowId,
    /// Until when it is open this time.
    pub until: UnixSeconds,
}

/// All windows.
#[derive(Debug, Default)]
pub struct Cover {
    windows: BTreeMap<WindowId, Window>,
    /// Those that are open, the one that ends last first.
    open: Vec<(Covered, Scope)>,
    /// When one opens or ends; `None` before the first look.
    turns_at: Option<UnixSeconds>,
    /// Nobody has been told yet which are open.
    fresh: bool,
}

impl Cover {
    /// The windows as they were stored. The first [`Cover::turn`] tells which are open, and is
    /// news in any case: windows may have ended since.
    pub fn load(windows: Vec<Window>) -> Self {
        let windows = windows.into_iter().map(|window| (window.id, window)).collect();
        Self { windows, fresh: true, ..Self::default() }
    }

    /// Lets time pass; whether other windows are open than before, or until another time.
    pub fn turn(&mut self, now: UnixSeconds) -> bool {
        if self.turns_at.is_some_and(|at| now < at) {
            return false;
        }
        let mut turns_at = UnixSeconds(i64::MAX);
        let mut open = Vec::new();
        for window in self.windows.values() {
            let Some(span) = window.next(now) else { continue };
            if span.holds(now) {
                let covered = Covered { window: window.id, until: span.until };
                open.push((covered, window.scope.clone()));
                turns_at = turns_at.min(span.until);
            } else {
                turns_at = turns_at.min(span.from);
            }
        }
        open.sort_by_key(|(covered, _)| (std::cmp::Reverse(covered.until), covered.window));
        self.turns_at = Some(turns_at);
        let changed = open != self.open || std::mem::take(&mut self.fresh);
        self.open = open;
        changed
    }

    /// Takes a new window, or one that was ended; the next [`Cover::turn`] tells what follows.
    pub fn put(&mut self, window: Window) {
        self.windows.insert(window.id, window);
        self.turns_at = None;
    }

    /// Forgets a window.
    pub fn remove(&mut self, id: WindowId) {
        self.windows.remove(&id);
        self.turns_at = None;
    }

    /// A window.
    pub fn get(&self, id: WindowId) -> Option<&Window> {
        self.windows.get(&id)
    }

    /// All of them, by number.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = &Window> {
        self.windows.values()
    }

    /// Whether any is open.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What covers an agent: of several windows the one that ends last.
    pub fn of_agent(
        &self,
        id: &AgentId,
        fleet: &FleetId,
        labels: &BTreeMap<String, String>,
    ) -> Option<Covered> {
        let mut open = self.open.iter();
        open.find(|(_, scope)| scope.means(id, fleet, labels)).map(|(covered, _)| *covered)
    }

    /// What covers a fleet as a whole.
    pub fn of_fleet(&self, fleet: &FleetId) -> Option<Covered> {
        let is_meant = |scope: &Scope| matches!(scope, Scope::Fleet(name) if name == fleet);
        self.open.iter().find(|(_, scope)| is_meant(scope)).map(|(covered, _)| *covered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::window::{Span, Times};

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn window(id: i64, scope: &str, who: &str, (from, until): (i64, i64)) -> Window {
        Window {
            id: WindowId(id),
            scope: Scope::read(scope, who).unwrap(),
            times: Times::Once(Span { from: T.plus(from), until: T.plus(until) }),
            reason: "new disks".into(),
            by: "kim".into(),
            made_at: T,
            ended: None,
        }
    }

    fn of(cover: &Cover, agent: &str, fleet: &str, site: &str) -> Option<i64> {
        let labels = BTreeMap::from([("site".to_owned(), site.to_owned())]);
        let found = cover.of_agent(&agent.parse().unwrap(), &fleet.parse().unwrap(), &labels);
        found.map(|covered| covered.window.0)
    }

    #[test]
    fn whom_a_window_covers_and_when() {
        let mut cover = Cover::load(vec![
            window(1, "agent", "a", (0, 100)),
            window(2, "fleet", "lab", (50, 200)),
            window(3, "label", "site=hel", (50, 150)),
        ]);
        assert!(cover.turn(T) && cover.is_open());
        assert_eq!([of(&cover, "a", "x", "-"), of(&cover, "b", "lab", "hel")], [Some(1), None]);
        assert!(!cover.turn(T.plus(49)), "nothing opens before its time");
        assert!(cover.turn(T.plus(50)));
        assert_eq!(of(&cover, "a", "lab", "hel"), Some(2), "the one that ends last");
        assert_eq!([of(&cover, "b", "x", "hel"), of(&cover, "b", "x", "oul")], [Some(3), None]);
        assert_eq!(cover.of_fleet(&"lab".parse().unwrap()).map(|c| c.until), Some(T.plus(200)));
        assert!(cover.turn(T.plus(100)) && of(&cover, "a", "x", "-").is_none());
        assert!(cover.turn(T.plus(200)) && !cover.is_open());
        assert!(!cover.turn(T.plus(9_999)));
    }

    #[test]
    fn a_window_that_is_made_or_ended_counts_at_once() {
        let mut cover = Cover::default();
        assert!(!cover.turn(T));
        cover.put(window(1, "agent", "a", (-10, 100)));
        assert!(cover.turn(T) && of(&cover, "a", "x", "-").is_some());
        let ended = Window {
            ended: Some((T.plus(5), "kim".into())),
            ..cover.get(WindowId(1)).unwrap().clone()
        };
        cover.put(ended);
        assert!(cover.turn(T.plus(5)) && !cover.is_open());
        cover.remove(WindowId(1));
        assert!(!cover.turn(T.plus(6)) && cover.windows().len() == 0);
    }
}
