//! The windows against a list of everything ever spent.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules { max_skew: 600, nonce_window: 0, seed: [7, 11] };
const START: i64 = 1_795_214_286;

fn v1(nonce: &str, timestamp: i64) -> Fresh<'_> {
    Fresh { nonce, timestamp: UnixSeconds(timestamp), tick: None }
}

fn v2(nonce: &str, timestamp: i64, tick: i64) -> Fresh<'_> {
    Fresh { nonce, timestamp: UnixSeconds(timestamp), tick: Some(tick) }
}

fn row(fresh: &Fresh<'_>, received_at: i64) -> SpentRow {
    SpentRow {
        nonce: fresh.nonce.to_owned(),
        timestamp: fresh.timestamp,
        received_at: UnixSeconds(received_at),
        tick: fresh.tick,
    }
}

/// A memory with the stored reports it loads from.
struct Agents {
    memory: ReplayMemory,
    stored: Vec<(AgentNo, SpentRow)>,
    loads: usize,
}

impl Agents {
    fn new(capacity: usize) -> Self {
        let mut memory = ReplayMemory::new(RULES, 0);
        memory.capacity = capacity;
        Self { memory, stored: Vec::new(), loads: 0 }
    }

    fn history(&self, agent: AgentNo, since: UnixSeconds) -> History {
        let rows = || self.stored.iter().filter(|(no, _)| *no == agent).map(|(_, row)| row);
        History {
            rows: rows().filter(|row| row.received_at >= since).cloned().collect(),
            last_tick: rows().filter_map(|row| row.tick).max(),
        }
    }

    fn judge(&mut self, agent: i64, fresh: &Fresh<'_>, now: i64) -> Judgement {
        let (agent, now) = (AgentNo(agent), UnixSeconds(now));
        let mut loaded = None;
        let since = now.minus(2 * RULES.max_skew);
        let history = self.history(agent, since);
        let judgement = self.memory.judge(agent, fresh, now, |asked| {
            loaded = Some(asked);
            Ok::<_, Infallible>(history)
        });
        self.loads += usize::from(loaded.is_some());
        assert!(loaded.is_none_or(|asked| asked == since));
        judgement.unwrap()
    }

    /// Judges, and commits what is fresh.
    fn report(&mut self, agent: i64, fresh: &Fresh<'_>, now: i64) -> Judgement {
        let judgement = self.judge(agent, fresh, now);
        if judgement == Judgement::Fresh {
            self.memory.admit(AgentNo(agent), fresh);
            self.stored.push((AgentNo(agent), row(fresh, now)));
        }
        judgement
    }
}

#[test]
fn a_nonce_is_spent_once_per_agent_while_its_timestamp_may_pass() {
    let mut agents = Agents::new(10);
    let report = v1("n", START + 600);
    assert_eq!(agents.report(1, &report, START), Judgement::Fresh);
    assert_eq!(agents.report(1, &report, START + 1), Judgement::NonceSeen);
    assert_eq!(agents.report(2, &report, START + 1), Judgement::Fresh);
    assert_eq!(agents.report(1, &v1("n", START + 1200), START + 1200), Judgement::NonceSeen);
    assert_eq!(agents.report(1, &v1("n", START + 1201), START + 1201), Judgement::Fresh);
    assert_eq!(agents.loads, 2);
}

#[test]
fn unexpired_nonces_are_never_pushed_out() {
    let mut agents = Agents::new(10);
    let nonces: Vec<String> = (0..NONCE_WINDOW).map(|i| format!("n{i}")).collect();
    for nonce in &nonces {
        assert_eq!(agents.report(1, &v1(nonce, START), START), Judgement::Fresh);
    }
    assert_eq!(agents.report(1, &v1("one more", START), START), Judgement::Full);
    assert_eq!(agents.report(1, &v1(&nonces[0], START), START), Judgement::NonceSeen);
    assert_eq!(agents.report(1, &v1("one more", START), START + 600), Judgement::Full);
    assert_eq!(agents.report(1, &v1("one more", START + 601), START + 601), Judgement::Fresh);
}

#[test]
fn version_2_is_never_full() {
    let mut agents = Agents::new(10);
    for tick in 1..500 {
        let nonce = format!("n{tick}");
        assert_eq!(agents.report(1, &v2(&nonce, START, tick), START), Judgement::Fresh);
    }
    let window = agents.memory.windows.peek(&AgentNo(1)).unwrap();
    assert_eq!(window.nonces.len(), NONCE_WINDOW);
    assert_eq!(agents.judge(1, &v2("n1", START, 500), START), Judgement::NonceSeen);
    // Nonces that an agent spent before it changed to version 2 stay spent.
    let mut mixed = Agents::new(10);
    assert_eq!(mixed.report(1, &v1("first", START), START), Judgement::Fresh);
    for tick in 1..500 {
        mixed.report(1, &v2(&format!("n{tick}"), START + 1, tick), START);
    }
    assert_eq!(mixed.judge(1, &v1("first", START), START), Judgement::NonceSeen);
}

#[test]
fn ticks_may_be_late_but_not_twice() {
    let mut agents = Agents::new(10);
    let mut at = |tick| agents.report(1, &v2(&format!("n{tick}"), START, tick), START);
    assert_eq!(at(1000), Judgement::Fresh);
    assert_eq!(at(1000), Judgement::TickSeen);
    assert_eq!(at(873), Judgement::Fresh, "127 below the highest");
    assert_eq!(at(872), Judgement::TickTooOld, "128 below the highest");
    assert_eq!(at(873), Judgement::TickSeen);
    assert_eq!(at(1001), Judgement::Fresh);
    assert_eq!(at(1000), Judgement::TickSeen);
    assert_eq!(at(873), Judgement::TickTooOld);
    assert_eq!(at(999), Judgement::Fresh);
    assert_eq!(at(i64::MAX), Judgement::Fresh);
    assert_eq!(at(1), Judgement::TickTooOld);
}

#[test]
fn the_highest_tick_outlives_the_rows() {
    let history = History { rows: Vec::new(), last_tick: Some(5000) };
    let mut memory = ReplayMemory::new(RULES, 10);
    let mut judge = |tick| {
        let load = |_| Ok::<_, Infallible>(history.clone());
        memory.judge(AgentNo(1), &v2("n", START, tick), UnixSeconds(START), load).unwrap()
    };
    assert_eq!(judge(5000), Judgement::TickSeen);
    assert_eq!(judge(5001), Judgement::Fresh);
    assert_eq!(judge(4000), Judgement::TickTooOld);
}

#[test]
fn judging_spends_nothing_and_a_failed_commit_is_forgotten() {
    let mut agents = Agents::new(10);
    let report = v1("n", START);
    assert_eq!(agents.judge(1, &report, START), Judgement::Fresh);
    assert_eq!(agents.judge(1, &report, START), Judgement::Fresh);
    agents.memory.admit(AgentNo(1), &report);
    assert_eq!(agents.judge(1, &report, START), Judgement::NonceSeen);
    agents.memory.forget(AgentNo(1));
    assert_eq!(agents.judge(1, &report, START), Judgement::Fresh);
}

#[test]
fn a_failed_load_judges_nothing() {
    let mut memory = ReplayMemory::new(RULES, 10);
    let report = v1("n", START);
    let result = memory.judge(AgentNo(1), &report, UnixSeconds(START), |_| Err("disk"));
    assert_eq!(result, Err("disk"));
    assert!(memory.is_empty(), "an empty window would say that nothing was ever spent");
}

#[test]
fn evicted_agents_are_loaded_again() {
    let mut agents = Agents::new(3);
    for round in 0..2 {
        for agent in 0..10 {
            let expected = if round == 0 { Judgement::Fresh } else { Judgement::NonceSeen };
            assert_eq!(agents.report(agent, &v1("n", START), START), expected);
            assert!(agents.memory.len() <= 3);
        }
    }
    assert_eq!(agents.loads, 20);
}

#[test]
fn a_clock_set_back_does_not_open_the_door_to_old_reports() {
    let mut agents = Agents::new(10);
    let old = v1("old", START);
    assert_eq!(agents.report(1, &old, START), Judgement::Fresh);
    let day = START + 86_400;
    assert_eq!(agents.report(1, &v1("new", day), day), Judgement::Fresh);
    let window = agents.memory.windows.peek(&AgentNo(1)).unwrap();
    assert_eq!(window.nonces.len(), 1, "the old nonce expired");
    assert_eq!(agents.report(1, &old, START + 10), Judgement::NonceSeen);
    // A clock that is slewed back by a second reloads nothing.
    let loads = agents.loads;
    agents.judge(1, &old, START + 9);
    assert_eq!(agents.loads, loads);
}

#[derive(Debug, Clone)]
enum Step {
    Report { agent: i64, nonce: u8, offset: i64, tick: Option<i64> },
    Clock(i64),
    Forget(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tick = prop_oneof![Just(None), (1_i64..300).prop_map(Some)];
    let report = (0_i64..4, 0_u8..30, -700_i64..700, tick)
        .prop_map(|(agent, nonce, offset, tick)| Step::Report { agent, nonce, offset, tick });
    let clock = prop_oneof![4 => 0_i64..120, 1 => -90_i64..0, 1 => -4000_i64..4000];
    prop::collection::vec(
        prop_oneof![12 => report, 3 => clock.prop_map(Step::Clock), 1 => (0_i64..4).prop_map(Step::Forget)],
        1..200,
    )
}

/// What a list of everything ever accepted says of a version 1 report.
fn nonce_is_alive(stored: &[(AgentNo, SpentRow)], agent: i64, nonce: &str, now: i64) -> bool {
    stored.iter().any(|(no, row)| {
        *no == AgentNo(agent) && row.nonce == nonce && row.timestamp.0 + RULES.max_skew >= now
    })
}

proptest! {
    #[test]
    fn random_histories_agree_with_the_list(steps in steps()) {
        let mut agents = Agents::new(3);
        let mut now = START;
        for step in steps {
            match step {
                Step::Clock(by) => now += by,
                Step::Forget(agent) => agents.memory.forget(AgentNo(agent)),
                // The clock has refused it before the window is asked.
                Step::Report { offset, .. } if offset.abs() > RULES.max_skew => {}
                Step::Report { agent, nonce, offset, tick } => {
                    let nonce = format!("n{nonce}");
                    let fresh = Fresh { nonce: &nonce, timestamp: UnixSeconds(now + offset), tick };
                    let highest = agents.history(AgentNo(agent), UnixSeconds(i64::MIN)).last_tick;
                    let is_same = agents.stored.iter().any(|(no, row)| {
                        let same = (row.tick, row.timestamp) == (tick, fresh.timestamp);
                        *no == AgentNo(agent) && row.nonce == nonce && same
                    });
                    let is_alive = nonce_is_alive(&agents.stored, agent, &nonce, now);
                    let judgement = agents.report(agent, &fresh, now);
                    if is_same {
                        prop_assert_ne!(judgement, Judgement::Fresh, "the same report again");
                    }
                    match tick {
                        None if is_alive => prop_assert_eq!(judgement, Judgement::NonceSeen),
                        None => prop_assert_eq!(judgement, Judgement::Fresh),
                        Some(tick) => {
                            let below = highest.unwrap_or(0) - tick;
                            prop_assert_eq!(judgement == Judgement::TickTooOld, below >= TICK_WINDOW);
                            prop_assert!(below >= 0 || judgement != Judgement::TickSeen);
                            if below < 0 {
                                let expected =
                                    if is_alive { Judgement::NonceSeen } else { Judgement::Fresh };
                                prop_assert_eq!(judgement, expected);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_window_of_ticks_agrees_with_a_set(ticks in prop::collection::vec(1_i64..400, 1..300)) {
        let mut window = Ticks::default();
        let mut spent = std::collections::BTreeSet::new();
        for tick in ticks {
            let highest = spent.last().copied().unwrap_or(0);
            let expected = match highest - tick {
                ..0 => Judgement::Fresh,
                TICK_WINDOW.. => Judgement::TickTooOld,
                _ if spent.contains(&tick) => Judgement::TickSeen,
                _ => Judgement::Fresh,
            };
            prop_assert_eq!(window.judge(tick), expected);
            if expected == Judgement::Fresh {
                window.spend(tick);
                spent.insert(tick);
            }
        }
    }
}
