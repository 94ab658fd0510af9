//! Setting alarms aside: on the shelf until a time, and by a maintenance window.
//!
//! Both only keep people from being told. The state, its delays and what is recorded are the
//! same as without.

use crate::model::id::{AlarmId, WindowId};
use crate::model::shelf::Shelved;
use crate::model::state::AlarmState;
use crate::model::time::UnixSeconds;

use super::book::{Book, BookError, Transition};
use super::lifecycle::{Alarm, Step};

impl Alarm {
    /// Puts it on the shelf, or changes until when and why. `None` if it is not shown.
    pub fn shelve(&mut self, shelved: Shelved) -> Option<Step> {
        match self.state {
            AlarmState::Pending | AlarmState::Cleared => None,
            AlarmState::Active | AlarmState::Acknowledged | AlarmState::Returned => {
                self.shelved = Some(shelved);
                Some(Step::Shelved)
            }
        }
    }

    /// Takes it from the shelf. `None` if it is not there.
    pub fn unshelve(&mut self) -> Option<Step> {
        self.shelved.take().map(|_| Step::Unshelved)
    }

    /// Takes it from the shelf if its time there is over.
    pub(super) fn leave_shelf(&mut self, now: UnixSeconds) -> Option<Step> {
        let is_over = self.shelved.as_ref().is_some_and(|shelved| shelved.until <= now);
        if is_over { self.unshelve() } else { None }
    }

    /// Says which maintenance window covers it, if one does.
    pub fn cover(&mut self, by: Option<WindowId>) -> Option<Step> {
        let before = std::mem::replace(&mut self.maintenance, by);
        match (before, by) {
            _ if before == by => None,
            (_, Some(_)) => Some(Step::Covered),
            (_, None) => Some(Step::Uncovered),
        }
    }

    /// Whether it waits for somebody: raised, not acknowledged, and not set aside.
    pub fn asks(&self) -> bool {
        self.state == AlarmState::Active && self.shelved.is_none() && self.maintenance.is_none()
    }
}

impl Book {
    /// Somebody shelves an alarm.
    pub fn shelve(
        &mut self,
        id: AlarmId,
        shelved: Shelved,
    ) -> Result<Option<Transition>, BookError> {
        self.shown(id)?;
        Ok(self.change(id, |alarm| alarm.shelve(shelved)))
    }

    /// Somebody takes an alarm from the shelf. `Ok(None)` if it is not there.
    pub fn unshelve(&mut self, id: AlarmId) -> Result<Option<Transition>, BookError> {
        self.shown(id)?;
        Ok(self.change(id, Alarm::unshelve))
    }

    /// Says which maintenance window covers an alarm, if one does.
    pub fn cover(&mut self, id: AlarmId, by: Option<WindowId>) -> Option<Transition> {
        self.change(id, |alarm| alarm.cover(by))
    }

    /// An alarm and all that follow from it, by number; nothing if it is not shown.
    pub fn incident(&self, root: AlarmId) -> Vec<AlarmId> {
        if self.shown(root).is_err() {
            return Vec::new();
        }
        let follows = |alarm: &&Alarm| {
            let by = |alarm: &&Alarm| alarm.inhibited_by.and_then(|id| self.get(id));
            std::iter::successors(Some(*alarm), by).any(|alarm| alarm.id == root)
        };
        let shown = self.alarms().filter(|alarm| alarm.state != AlarmState::Pending);
        shown.filter(follows).map(|alarm| alarm.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::lifecycle::Observation;
    use crate::model::state::{AlarmKind, Severity};

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn seen(subject: &str, holds: bool) -> Observation<'_> {
        Observation {
            kind: AlarmKind::AgentOffline,
            subject: subject.into(),
            fleet: None,
            agent: None,
            also: None,
            holds,
            late: false,
            severity: Severity::Major,
            message: "it is silent".into(),
            report: None,
        }
    }

    fn shelf(until: i64) -> Shelved {
        Shelved { at: T, until: T.plus(until), by: "kim".into(), reason: "parts ordered".into() }
    }

    /// A book with an alarm about alpha that was raised at T.
    fn with_one() -> (Book, AlarmId) {
        let mut book = Book::default();
        let raised = book.observe(&seen("alpha", true), T).unwrap();
        assert_eq!(raised.step, Step::Raised);
        (book, raised.alarm.id)
    }

    fn asking(book: &Book) -> usize {
        book.unacknowledged().values().sum()
    }

    #[test]
    fn a_shelf_ends_by_itself_at_its_time_and_not_before() {
        let (mut book, id) = with_one();
        assert_eq!(book.shelve(id, shelf(600)).unwrap().unwrap().step, Step::Shelved);
        assert_eq!((book.next_due(), asking(&book)), (Some(T.plus(600)), 0));
        assert!(book.tick(T.plus(599)).is_empty());
        // A restart in between changes nothing.
        let mut book = Book::load(book.alarms().cloned(), [], id);
        let steps: Vec<Step> = book.tick(T.plus(600)).into_iter().map(|t| t.step).collect();
        assert_eq!((steps.as_slice(), asking(&book)), (&[Step::Unshelved][..], 1));
        assert_eq!(book.next_due(), None);
    }

    #[test]
    fn a_shelf_ends_with_its_alarm_and_can_be_taken_back() {
        let (mut book, id) = with_one();
        book.shelve(id, shelf(600)).unwrap();
        book.shelve(id, shelf(900)).unwrap();
        assert_eq!(book.next_due(), Some(T.plus(900)), "the later wish counts");
        assert_eq!(book.unshelve(id).unwrap().unwrap().step, Step::Unshelved);
        assert_eq!(book.unshelve(id), Ok(None));
        book.shelve(id, shelf(900)).unwrap();
        book.observe(&seen("alpha", false), T.plus(30));
        let cleared = book.observe(&seen("alpha", false), T.plus(60)).unwrap();
        assert_eq!((cleared.step, cleared.alarm.shelved), (Step::Cleared, None));
        assert_eq!(book.next_due(), None);
        assert!(book.shelve(id, shelf(900)).is_err() && book.unshelve(id).is_err());
        let again = book.observe(&seen("alpha", true), T.plus(90)).unwrap();
        assert_eq!((again.step, again.alarm.shelved), (Step::Raised, None));
    }

    #[test]
    fn an_acknowledged_alarm_stays_so_on_the_shelf() {
        let (mut book, id) = with_one();
        book.acknowledge(id, "kim", None, T).unwrap();
        let shelved = book.shelve(id, shelf(60)).unwrap().unwrap();
        assert_eq!(shelved.alarm.state, AlarmState::Acknowledged);
        let back = book.tick(T.plus(60)).remove(0);
        assert_eq!((back.step, back.alarm.state), (Step::Unshelved, AlarmState::Acknowledged));
    }

    #[test]
    fn a_window_covers_and_uncovers_once() {
        let (mut book, id) = with_one();
        let step = |t: Option<Transition>| t.map(|t| t.step);
        assert_eq!(step(book.cover(id, Some(WindowId(1)))), Some(Step::Covered));
        assert_eq!((step(book.cover(id, Some(WindowId(1)))), asking(&book)), (None, 0));
        assert_eq!(step(book.cover(id, Some(WindowId(2)))), Some(Step::Covered), "another one");
        assert_eq!(step(book.cover(id, None)), Some(Step::Uncovered));
        assert_eq!((step(book.cover(id, None)), asking(&book)), (None, 1));
    }

    #[test]
    fn an_incident_is_a_cause_with_all_that_follows() {
        let (mut book, root) = with_one();
        let next = book.observe(&seen("beta", true), T).unwrap().alarm.id;
        let last = book.observe(&seen("gamma", true), T).unwrap().alarm.id;
        let other = book.observe(&seen("delta", true), T).unwrap().alarm.id;
        book.inhibit(next, Some(root), None);
        book.inhibit(last, Some(next), None);
        assert_eq!(book.incident(root), [root, next, last]);
        assert_eq!(book.incident(next), [next, last]);
        assert_eq!(book.incident(other), [other]);
        assert!(book.incident(AlarmId(99)).is_empty());
    }
}
