use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::alarms::catalogue::{ClearBy, RULES, rule};
use crate::model::state::Severity;

const T: UnixSeconds = UnixSeconds(1_800_000_000);

/// Subjects of two agents and one of none.
const SUBJECTS: &[(&str, Option<AgentNo>)] =
    &[("a", Some(AgentNo(1))), ("b", Some(AgentNo(2))), ("fleet", None)];

fn seen(kind: AlarmKind, subject: usize, holds: bool) -> Observation<'static> {
    let (name, agent) = SUBJECTS[subject];
    Observation {
        kind,
        subject: Cow::Borrowed(name),
        fleet: None,
        agent,
        also: None,
        holds,
        late: false,
        severity: rule(kind).severity,
        message: "so".into(),
        report: None,
    }
}

#[derive(Debug, Clone)]
enum Op {
    See { kind: AlarmKind, subject: usize, holds: bool, late: bool, severity: Severity },
    Wait(i64),
    Acknowledge(usize),
    Clear(usize),
    Reset(i64),
}

fn any_op(kinds: Vec<AlarmKind>) -> impl Strategy<Value = Op> {
    let see = (
        proptest::sample::select(kinds),
        0..SUBJECTS.len(),
        prop::bool::weighted(0.6),
        prop::bool::weighted(0.1),
        proptest::sample::select(Severity::ALL),
    )
        .prop_map(|(kind, subject, holds, late, severity)| Op::See {
            kind,
            subject,
            holds,
            late,
            severity,
        });
    prop_oneof![
        12 => see,
        4 => proptest::sample::select(vec![1_i64, 29, 30, 60, 300, 1_800, 3_600]).prop_map(Op::Wait),
        1 => (0_usize..8).prop_map(Op::Acknowledge),
        1 => (0_usize..8).prop_map(Op::Clear),
        1 => (1_i64..3).prop_map(Op::Reset),
    ]
}

/// Three kinds at a time, so that a history comes back to the same alarms often.
fn any_history() -> impl Strategy<Value = Vec<Op>> {
    proptest::sample::subsequence(AlarmKind::ALL, 3)
        .prop_flat_map(|kinds| proptest::collection::vec(any_op(kinds), 0..120))
}

/// A manager in small: a book, its clock, and what was stored of it.
struct World {
    book: Book,
    now: UnixSeconds,
    stored: BTreeMap<AlarmId, Alarm>,
    flaps: BTreeMap<(AlarmKind, String), Flap>,
    told: Vec<Transition>,
}

impl World {
    fn new() -> Self {
        Self {
            book: Book::default(),
            now: T,
            stored: BTreeMap::new(),
            flaps: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    fn restart(&mut self) {
        let last_id = self.stored.keys().max().copied().unwrap_or_default();
        self.book = self.loaded(last_id);
    }

    fn loaded(&self, last_id: AlarmId) -> Book {
        let flaps = self.flaps.iter().map(|((kind, of), flap)| (*kind, of.clone(), *flap));
        Book::load(self.stored.values().cloned(), flaps, last_id)
    }

    fn run(&mut self, op: &Op) -> Vec<Transition> {
        let nth = |book: &Book, n: usize| book.alarms().nth(n).map(|a| a.id);
        let transitions: Vec<Transition> = match op {
            Op::See { kind, subject, holds, late, severity } => {
                let seen = Observation {
                    late: *late,
                    severity: *severity,
                    ..seen(*kind, *subject, *holds)
                };
                self.book.observe(&seen, self.now).into_iter().collect()
            }
            Op::Wait(seconds) => {
                self.now = self.now.plus(*seconds);
                self.book.tick(self.now)
            }
            Op::Acknowledge(n) => nth(&self.book, *n)
                .and_then(|id| self.book.acknowledge(id, "kim", None, self.now).ok().flatten())
                .into_iter()
                .collect(),
            Op::Clear(n) => nth(&self.book, *n)
                .and_then(|id| self.book.clear(id, "kim", self.now).ok())
                .unwrap_or_default(),
            Op::Reset(agent) => self.book.reset_agent(AgentNo(*agent), self.now),
        };
        for t in &transitions {
            self.stored.insert(t.alarm.id, t.alarm.clone());
            if t.alarm.flap.at == self.now {
                let thing = (t.alarm.kind, t.alarm.subject.clone());
                self.flaps.insert(thing, t.alarm.flap);
            }
        }
        self.told.extend(transitions.iter().cloned());
        transitions
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// At most one alarm per kind and subject is open, and what is stored is what is open.
    #[test]
    fn one_open_alarm_per_kind_and_subject(history in any_history()) {
        let mut world = World::new();
        for op in &history {
            world.run(op);
            let open: Vec<&Alarm> =
                world.stored.values().filter(|a| a.state != AlarmState::Cleared).collect();
            let things: BTreeSet<_> = open.iter().map(|a| (a.kind, &a.subject)).collect();
            prop_assert_eq!(things.len(), open.len());
            prop_assert!(open.into_iter().eq(world.book.alarms()));
        }
    }

    /// Every index of the book says what a freshly loaded book's says.
    #[test]
    fn the_indexes_stay_true(history in any_history()) {
        let mut world = World::new();
        for op in &history {
            world.run(op);
        }
        let fresh = world.loaded(world.book.last_id);
        prop_assert_eq!(&world.book.due, &fresh.due);
        prop_assert_eq!(&world.book.by_agent, &fresh.by_agent);
        for (kind, subjects) in &world.book.by_subject {
            prop_assert_eq!(subjects, &fresh.by_subject.get(kind).cloned().unwrap_or_default());
        }
    }

    /// A restart at any moments changes nothing of what is told or stored.
    #[test]
    fn restarts_change_nothing(history in any_history(), restarts in proptest::collection::vec(any::<bool>(), 120)) {
        let (mut steady, mut restarting) = (World::new(), World::new());
        for (op, restart) in history.iter().zip(restarts) {
            if restart {
                restarting.restart();
            }
            prop_assert_eq!(steady.run(op), restarting.run(op));
        }
    }

    /// However long an agent is silent, none of its alarms ends or returns. Only where the
    /// manager itself is the witness does time end anything.
    #[test]
    fn silence_never_clears(history in any_history(), days in 1_i64..400) {
        let mut world = World::new();
        for op in &history {
            world.run(op);
        }
        for _ in 0..3 {
            for ended in world.run(&Op::Wait(days * 86_400)) {
                let by_time = matches!(
                    rule(ended.alarm.kind).clear,
                    ClearBy::Steady { .. } | ClearBy::Quiet { needs_report: false, .. }
                );
                // One that flapped was over when its host said so; that it is steady is time's to say.
                let flapped = rule(ended.alarm.kind).damped
                    && (ended.step == Step::Steadied || ended.alarm.returned_at.is_some());
                if flapped {
                    continue;
                }
                prop_assert!(by_time || ended.step == Step::Raised, "{:?}", ended);
                // What has held long enough is raised, whoever was seen to tell of it.
                let is_told_by_the_manager = matches!(
                    ended.alarm.kind,
                    AlarmKind::NetPartition
                        | AlarmKind::IngestBadHmac
                        | AlarmKind::RelayChainBad
                        | AlarmKind::IngestLag
                        | AlarmKind::LoginBruteforce
                );
                prop_assert!(is_told_by_the_manager || ended.step == Step::Raised, "{:?}", ended);
            }
        }
    }

    /// Late reports raise nothing, clear nothing, count for nothing.
    #[test]
    fn late_reports_do_nothing(history in any_history()) {
        let (mut with, mut without) = (World::new(), World::new());
        for op in &history {
            let transitions = with.run(op);
            if matches!(op, Op::See { late: true, .. }) {
                prop_assert!(transitions.is_empty());
            } else {
                prop_assert_eq!(transitions, without.run(op));
            }
        }
    }

    /// Whoever is told of an alarm is told of its end once, and of nothing about it before its
    /// raise or after its end.
    #[test]
    fn who_is_told_of_the_raise_is_told_of_the_end(history in any_history()) {
        let mut world = World::new();
        for op in &history {
            world.run(op);
        }
        let ids: BTreeSet<AlarmId> = world.told.iter().map(|t| t.alarm.id).collect();
        for id in ids {
            let steps: Vec<Step> =
                world.told.iter().filter(|t| t.alarm.id == id).map(|t| t.step).collect();
            let told: Vec<Step> = steps.iter().copied().filter(|s| s.is_told()).collect();
            prop_assert!(told.first().is_none_or(|s| *s == Step::Raised), "{:?}", steps);
            let ends = steps.iter().filter(|s| matches!(s, Step::Cleared | Step::Dropped)).count();
            let open = world.book.get(id).is_some();
            prop_assert_eq!(ends, usize::from(!open), "{:?}", steps);
            if !open {
                let last = if told.is_empty() { Step::Dropped } else { Step::Cleared };
                prop_assert_eq!(steps.last().copied(), Some(last));
            }
        }
    }

    /// An acknowledgement belongs to one alarm: it comes from a person and is gone with it.
    #[test]
    fn an_acknowledgement_dies_with_its_alarm(history in any_history()) {
        let mut world = World::new();
        let mut acknowledged = BTreeSet::new();
        for op in &history {
            for t in world.run(op) {
                if matches!(op, Op::Acknowledge(_)) {
                    acknowledged.insert(t.alarm.id);
                }
                let by_person = acknowledged.contains(&t.alarm.id);
                prop_assert_eq!(t.alarm.acknowledged_by.is_some(), by_person, "{:?}", t);
                prop_assert!(by_person || t.alarm.state != AlarmState::Acknowledged);
            }
        }
    }

    /// What flaps is held open as one alarm, with its acknowledgement, and each change of its
    /// condition is recorded; it ends when it has been over, and nothing changed, for ten minutes.
    #[test]
    fn what_flaps_is_one_alarm_recorded_all_the_same(
        pauses in proptest::collection::vec(1_i64..200, 8..60),
        acknowledged in any::<bool>(),
    ) {
        let kind = AlarmKind::AgentRelayOnly;
        let mut book = Book::default();
        let (mut now, mut seen_so_far) = (T, Vec::new());
        for (nth, pause) in pauses.iter().enumerate() {
            now = now.plus(*pause);
            // Three bad reports raise it, one good one ends it.
            for _ in 0..3 {
                let Some(t) = book.observe(&seen(kind, 0, nth % 2 == 0), now) else { continue };
                if t.alarm.flapping_until.is_some() && acknowledged {
                    book.acknowledge(t.alarm.id, "kim", None, now).unwrap();
                }
                seen_so_far.push(t);
            }
        }
        let begins = seen_so_far.iter().position(|t| t.alarm.flapping_until.is_some());
        let (before, after) = seen_so_far.split_at(begins.unwrap_or(seen_so_far.len()));
        let usual = [Step::Noted, Step::Raised, Step::Cleared];
        prop_assert!(before.iter().all(|t| usual.contains(&t.step)));
        let Some((first, rest)) = after.split_first() else { return Ok(()) };
        prop_assert!(matches!(first.step, Step::Raised | Step::Flapping), "{:?}", first);
        let id = first.alarm.id;
        prop_assert!(rest.iter().all(|t| t.step == Step::Flipped && t.alarm.id == id), "{:?}", rest);
        let open = book.get(id).unwrap().clone();
        prop_assert_eq!(open.acknowledged_by.is_some(), acknowledged);
        let until = open.flapping_until.unwrap();
        prop_assert!((1_200..=2_401).contains(&until.since(open.flap.at)) || !rest.is_empty());
        prop_assert!(until.since(open.flap.at) >= 600 && book.tick(until.minus(1)).is_empty());
        let over = if open.returned_at.is_some() { Step::Cleared } else { Step::Steadied };
        prop_assert_eq!(book.tick(until)[0].step, over);
    }

    /// Worse is told again, better is not, and the message keeps step.
    #[test]
    fn only_a_rise_of_severity_is_told_again(history in any_history()) {
        let mut world = World::new();
        for op in &history {
            let before: BTreeMap<AlarmId, Severity> =
                world.book.alarms().map(|a| (a.id, a.severity)).collect();
            for t in world.run(op) {
                let was = before.get(&t.alarm.id).copied().unwrap_or(t.alarm.severity);
                match t.step {
                    Step::Escalated => prop_assert!(t.alarm.severity > was),
                    Step::Eased => prop_assert!(t.alarm.severity < was),
                    Step::Noted if t.alarm.state != AlarmState::Pending => {
                        prop_assert_eq!(t.alarm.severity, was);
                    }
                    Step::Noted
                    | Step::Dropped
                    | Step::Raised
                    | Step::Inhibited
                    | Step::Released
                    | Step::Acknowledged
                    | Step::Shelved
                    | Step::Unshelved
                    | Step::Covered
                    | Step::Uncovered
                    | Step::Returned
                    | Step::Flapping
                    | Step::Flipped
                    | Step::Steadied
                    | Step::Cleared => {}
                }
            }
        }
    }

    /// A reset ends all alarms of the agent, with that cause, and no others.
    #[test]
    fn a_reset_closes_the_agents_alarms(history in any_history(), agent in 1_i64..3) {
        let mut world = World::new();
        for op in &history {
            world.run(op);
        }
        let agent = AgentNo(agent);
        let others = world.book.alarms().filter(|a| a.agent != Some(agent)).count();
        let own = world.book.of_agent(agent).count();
        let closed = world.book.reset_agent(agent, world.now);
        prop_assert_eq!(closed.len(), own);
        for t in &closed {
            prop_assert_eq!(t.alarm.clear_cause.as_deref(), Some("reset"));
            prop_assert_eq!((t.alarm.state, t.alarm.agent), (AlarmState::Cleared, Some(agent)));
        }
        prop_assert_eq!(world.book.alarms().count(), others);
        prop_assert_eq!(world.book.of_agent(agent).count(), 0);
    }
}

/// The shortest life of every kind.
#[test]
fn every_kind_can_be_raised_and_ended() {
    for rule in RULES {
        let mut world = World::new();
        for n in 0..rule.raise_count {
            let at = world.now.plus(i64::from(n) * 30);
            world.book.observe(&seen(rule.kind, 0, true), at);
        }
        world.book.tick(world.now.plus(rule.raise_after_s));
        let alarm = world.book.find(rule.kind, "a").expect("is open").clone();
        assert_eq!(alarm.state, AlarmState::Active, "{}", rule.kind);
        assert_eq!(world.book.unacknowledged().values().sum::<usize>(), 1);
        let later = world.now.plus(100_000);
        for n in 0..10 {
            world.book.observe(&seen(rule.kind, 0, false), later.plus(n * 60));
        }
        world.book.tick(later.plus(10_000));
        if rule.latching {
            let acked = world.book.acknowledge(alarm.id, "kim", Some("seen".into()), later);
            assert_eq!(acked.unwrap().unwrap().step, Step::Cleared, "{}", rule.kind);
        }
        assert_eq!(world.book.alarms().count(), 0, "{}", rule.kind);
        assert_eq!(world.book.next_due(), None);
    }
}

#[test]
fn what_is_not_open_can_be_neither_acknowledged_nor_cleared() {
    let mut book = Book::default();
    let pending = book.observe(&seen(AlarmKind::IfaceDown, 0, true), T).unwrap().alarm.id;
    for id in [pending, AlarmId(77)] {
        assert_eq!(book.acknowledge(id, "kim", None, T), Err(BookError::NotOpen(id)));
        assert_eq!(book.clear(id, "kim", T), Err(BookError::NotOpen(id)));
    }
    let raised = book.observe(&seen(AlarmKind::IfaceDown, 0, true), T).unwrap().alarm.id;
    let cleared = book.clear(raised, "kim", T).unwrap();
    assert_eq!(cleared[0].alarm.clear_cause.as_deref(), Some("cleared by kim"));
    // It is so still: a new alarm, with the whole delay before it.
    let again = book.observe(&seen(AlarmKind::IfaceDown, 0, true), T.plus(30)).unwrap();
    assert_eq!((again.step, again.alarm.acknowledged_at), (Step::Noted, None));
    assert!(again.alarm.id > raised);
    let gone = book.close_subject(AlarmKind::IfaceDown, "a", "interface removed", T).unwrap();
    assert_eq!(gone.step, Step::Dropped);
}
