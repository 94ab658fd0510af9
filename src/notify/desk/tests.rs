mod histories;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::id::WindowId;
use crate::model::shelf::Shelved;
use crate::model::state::{AlarmKind, Severity, Telling};
use crate::notify::plan::{Channel, Secret, Template, Way, Webhook};
use crate::notify::route::{Route, Step};

const T: UnixSeconds = UnixSeconds(1_795_214_286);

fn channel(name: &str) -> Channel {
    let way = Way::Webhook(Webhook {
        url: Secret::new("http://127.0.0.1:1/"),
        template: Template::Kattila,
        secrets: Vec::new(),
        token: None,
        ca: None,
    });
    Channel { name: name.to_owned(), way, also: vec![Telling::Acknowledged, Telling::Returned] }
}

/// `chat` is told everything and again each hour, `pager` of what is major at once, `boss` of what
/// nobody acknowledges.
fn plan(names: &[&str]) -> Plan {
    let there = |name: &str| names.contains(&name);
    let mut major = Route::to(vec!["pager".into()]);
    (major.severity, major.group_wait_s, major.goes_on) = (Severity::Major, 0, true);
    let mut all = Route::to(vec!["chat".into()]);
    all.repeat_s = 3_600;
    all.escalate = vec![Step { after_s: 900, channels: vec!["boss".into()] }];
    let routes = [major, all].into_iter().map(|mut route| {
        route.channels.retain(|name| there(name));
        route.escalate.retain(|step| step.channels.iter().all(|name| there(name)));
        route
    });
    Plan {
        channels: names.iter().map(|name| channel(name)).collect(),
        routes: routes.collect(),
        ..Plan::default()
    }
}

/// What a whole manager would keep: open alarms, the desk, and what was written.
struct Office {
    desk: Desk,
    open: BTreeMap<i64, AlarmRecord>,
    tells: BTreeMap<(AlarmId, String), TellRecord>,
    messages: BTreeMap<NotificationId, MessageRecord>,
    channels: BTreeMap<String, ChannelRecord>,
    now: UnixSeconds,
    last: i64,
}

impl Office {
    fn new() -> Self {
        let mut office = Self {
            desk: Desk::default(),
            open: BTreeMap::new(),
            tells: BTreeMap::new(),
            messages: BTreeMap::new(),
            channels: BTreeMap::new(),
            now: T,
            last: 0,
        };
        office.adopt(&["chat", "pager", "boss"]);
        office
    }

    fn with(&mut self, act: impl FnOnce(&mut Desk, UnixSeconds, &mut Changes)) {
        let mut changes = Changes::default();
        act(&mut self.desk, self.now, &mut changes);
        for (key, row) in changes.tells {
            match row {
                Some(row) => self.tells.insert(key, row),
                None => self.tells.remove(&key),
            };
        }
        for (id, mut message) in changes.messages {
            if let Some(known) = self.messages.get(&id) {
                message.items = known.items.clone();
            }
            self.messages.insert(id, message);
        }
        self.channels.extend(changes.channels);
    }

    fn adopt(&mut self, names: &[&str]) {
        let plan = Arc::new(plan(names));
        self.with(|desk, now, changes| desk.adopt(plan, now, changes));
    }

    fn set(&mut self, id: i64, change: impl FnOnce(&mut AlarmRecord)) {
        let Some(mut alarm) = self.open.get(&id).cloned() else { return };
        change(&mut alarm);
        self.with(|desk, now, changes| desk.alarm(&alarm, &Host::default(), now, changes));
        if alarm.state == AlarmState::Cleared {
            self.open.remove(&id);
        } else {
            self.open.insert(id, alarm);
        }
    }

    fn raise(&mut self, severity: Severity) {
        self.last += 1;
        let id = self.last;
        let alarm = AlarmRecord {
            id: AlarmId(id),
            kind: AlarmKind::EdgeDown,
            subject: format!("e{id}"),
            severity,
            state: AlarmState::Active,
            fleet: None,
            agent: None,
            message: "down".into(),
            pending_since: self.now,
            raised_at: Some(self.now),
            acknowledged_at: None,
            acknowledged_by: None,
            note: None,
            returned_at: None,
            cleared_at: None,
            clear_cause: None,
            good_since: None,
            count: 0,
            report: None,
            inhibited_by: None,
            inhibited_until: None,
            own: severity,
            flapping_until: None,
            shelved: None,
            maintenance: None,
        };
        self.open.insert(id, alarm);
        self.set(id, |_| {});
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.plus(seconds);
        let (open, stamp) = (self.open.clone(), Stamp { now: self.now, seed: [1, 2] });
        self.with(|desk, _, changes| desk.tick(stamp, |id| open.get(&id.0).cloned(), changes));
    }

    /// Everything that waits is taken, or fails.
    fn deliver(&mut self, outcome: &Outcome) {
        let waiting: Vec<NotificationId> = self
            .messages
            .values()
            .filter(|message| message.state == MessageState::Waiting)
            .map(|message| message.id)
            .collect();
        for id in waiting {
            self.with(|desk, now, changes| {
                desk.settle(id, outcome, now, changes);
            });
        }
    }

    /// A restart, or a failed transaction: everything from what was written.
    fn reload(&mut self) {
        let bare = |message: &MessageRecord| MessageRecord { items: Vec::new(), ..message.clone() };
        let waiting = self.messages.values().filter(|m| m.state == MessageState::Waiting).map(bare);
        let plan = Arc::clone(self.desk.plan());
        self.desk = Desk::load(
            self.tells.values().cloned().collect(),
            waiting.collect(),
            self.channels.values().cloned().collect(),
            self.messages.keys().last().copied().unwrap_or_default(),
        );
        self.desk.keep_plan(plan);
    }

    /// What each channel was told of each alarm, in order.
    fn told(&self) -> BTreeMap<(AlarmId, String), Vec<(Telling, Severity)>> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for message in self.messages.values() {
            for item in &message.items {
                let key = (item.alarm, message.channel.clone());
                told.entry(key).or_default().push((item.telling, item.facts.severity));
            }
        }
        told
    }
}

#[derive(Debug, Clone)]
enum Act {
    Raise(Severity),
    Severity(usize, Severity),
    Acknowledge(usize),
    Return(usize),
    Again(usize),
    Clear(usize),
    /// It flaps, or does so no more.
    Flap(usize),
    Shelve(usize, bool),
    Maintain(usize, bool),
    Follow(usize, bool),
    Pass(i64),
    Deliver(bool),
    Reload,
    Plan(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let severity = prop::sample::select(Severity::ALL);
    let which = 0..4_usize;
    prop_oneof![
        3 => severity.clone().prop_map(Act::Raise),
        2 => (which.clone(), severity).prop_map(|(n, s)| Act::Severity(n, s)),
        1 => which.clone().prop_map(Act::Acknowledge),
        1 => which.clone().prop_map(Act::Return),
        1 => which.clone().prop_map(Act::Again),
        1 => which.clone().prop_map(Act::Flap),
        3 => which.clone().prop_map(Act::Clear),
        2 => (which.clone(), any::<bool>()).prop_map(|(n, on)| Act::Shelve(n, on)),
        2 => (which.clone(), any::<bool>()).prop_map(|(n, on)| Act::Maintain(n, on)),
        1 => (which, any::<bool>()).prop_map(|(n, on)| Act::Follow(n, on)),
        4 => prop::sample::select(vec![1_i64, 15, 30, 900, 3_600]).prop_map(Act::Pass),
        2 => any::<bool>().prop_map(Act::Deliver),
        2 => Just(Act::Reload),
        1 => (0..3_usize).prop_map(Act::Plan),
    ]
}

/// What changes only whether people are told.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest changes more")]
fn set_aside(office: &mut Office, act: &Act) {
    let nth = |office: &Office, n: usize| office.open.keys().nth(n).copied().unwrap_or(0);
    match act {
        Act::Flap(n) => {
            let (id, until) = (nth(office, *n), office.now.plus(1_200));
            office.set(id, |alarm| {
                let is_over = alarm.flapping_until.take().is_some();
                alarm.flapping_until = (!is_over).then_some(until);
            });
        }
        Act::Shelve(n, on) => {
            let id = nth(office, *n);
            let (at, until) = (office.now, office.now.plus(3_600));
            let shelf = Shelved { at, until, by: "kim".into(), reason: "parts".into() };
            office.set(id, |alarm| alarm.shelved = on.then_some(shelf));
        }
        Act::Maintain(n, on) => {
            let id = nth(office, *n);
            office.set(id, |alarm| alarm.maintenance = on.then_some(WindowId(1)));
        }
        Act::Follow(n, on) => {
            let id = nth(office, *n);
            office.set(id, |alarm| alarm.inhibited_by = on.then_some(AlarmId(9_999)));
        }
        _ => {}
    }
}

fn carry_out(office: &mut Office, act: &Act) {
    let nth = |office: &Office, n: usize| office.open.keys().nth(n).copied().unwrap_or(0);
    match act {
        Act::Raise(severity) => office.raise(*severity),
        Act::Severity(n, severity) => {
            let id = nth(office, *n);
            office.set(id, |alarm| alarm.severity = *severity);
        }
        Act::Acknowledge(n) => {
            let id = nth(office, *n);
            office.set(id, |alarm| alarm.state = AlarmState::Acknowledged);
        }
        Act::Return(n) => {
            let id = nth(office, *n);
            office.set(id, |alarm| {
                if alarm.state == AlarmState::Active {
                    alarm.state = AlarmState::Returned;
                }
            });
        }
        Act::Again(n) => {
            let id = nth(office, *n);
            office.set(id, |alarm| {
                if alarm.state == AlarmState::Returned {
                    alarm.state = AlarmState::Active;
                }
            });
        }
        Act::Clear(n) => {
            let id = nth(office, *n);
            let now = office.now;
            office.set(id, |alarm| {
                (alarm.state, alarm.cleared_at) = (AlarmState::Cleared, Some(now));
            });
        }
        Act::Flap(_) | Act::Shelve(..) | Act::Maintain(..) | Act::Follow(..) => {
            set_aside(office, act);
        }
        Act::Pass(seconds) => office.pass(*seconds),
        Act::Deliver(true) => office.deliver(&Outcome::Taken),
        Act::Deliver(false) => {
            office.deliver(&Outcome::Failed { why: "answered 503".into(), retry_after_s: None });
        }
        Act::Reload => office.reload(),
        Act::Plan(n) => {
            let plans: [&[&str]; 3] = [&["chat", "pager", "boss"], &["chat"], &["pager", "boss"]];
            office.adopt(plans[*n]);
        }
    }
}

#[test]
fn what_follows_from_another_alarm_is_told_once_it_counts_for_itself() {
    let mut office = Office::new();
    office.raise(Severity::Major);
    office.pass(60);
    for _ in 0..2 {
        office.raise(Severity::Major);
    }
    for id in [2, 3] {
        office.set(id, |alarm| alarm.inhibited_by = Some(AlarmId(1)));
    }
    office.pass(60);
    let chat = |office: &Office, id: i64| {
        let told = office.told();
        let told = told.get(&(AlarmId(id), "chat".to_owned())).cloned().unwrap_or_default();
        told.into_iter().map(|(telling, _)| telling).collect::<Vec<_>>()
    };
    assert_eq!(chat(&office, 1), [Telling::Raised]);
    assert_eq!((chat(&office, 2), chat(&office, 3)), (vec![], vec![]));
    // One ends with its cause, the other does not.
    for id in [1, 2] {
        office.set(id, |alarm| alarm.state = AlarmState::Cleared);
    }
    office.set(3, |alarm| alarm.inhibited_by = None);
    office.pass(60);
    assert_eq!(chat(&office, 1), [Telling::Raised, Telling::Cleared]);
    assert_eq!(chat(&office, 2), []);
    assert_eq!(chat(&office, 3), [Telling::Raised]);
    // What was told of is told to be over, whatever it follows from by then.
    office.set(3, |alarm| alarm.inhibited_by = Some(AlarmId(9)));
    office.set(3, |alarm| alarm.state = AlarmState::Cleared);
    office.pass(60);
    assert_eq!(chat(&office, 3), [Telling::Raised, Telling::Cleared]);
}

#[test]
fn nobody_is_told_of_what_is_set_aside_and_all_of_it_when_that_ends() {
    let told = |office: &Office| -> Vec<Telling> {
        let told = office.told().remove(&(AlarmId(1), "chat".to_owned())).unwrap_or_default();
        told.into_iter().map(|(telling, _)| telling).collect()
    };
    let shelf = |office: &Office| Shelved {
        at: office.now,
        until: office.now.plus(9_000),
        by: "kim".into(),
        reason: "parts".into(),
    };
    for in_maintenance in [false, true] {
        let mut office = Office::new();
        let aside = |office: &mut Office, on: bool| {
            let shelf = shelf(office);
            office.set(1, |alarm| {
                alarm.shelved = (on && !in_maintenance).then_some(shelf);
                alarm.maintenance = (on && in_maintenance).then_some(WindowId(1));
            });
        };
        office.raise(Severity::Warning);
        aside(&mut office, true);
        for _ in 0..100 {
            office.pass(60);
        }
        assert_eq!((told(&office), office.messages.len()), (vec![], 0));
        aside(&mut office, false);
        office.pass(0);
        assert_eq!(told(&office), [Telling::Raised], "at once: its group's wait is long over");
        // Set aside again it is not repeated; only maintenance keeps back that it is worse.
        aside(&mut office, true);
        for _ in 0..100 {
            office.pass(60);
        }
        assert_eq!(told(&office), [Telling::Raised]);
        office.set(1, |alarm| alarm.severity = Severity::Critical);
        office.pass(30);
        let worse = told(&office).contains(&Telling::Worse);
        assert_eq!(worse, !in_maintenance);
        aside(&mut office, false);
        office.pass(30);
        assert!(told(&office).contains(&Telling::Worse), "{:?}", told(&office));
        aside(&mut office, true);
        office.set(1, |alarm| alarm.state = AlarmState::Cleared);
        office.pass(30);
        assert_eq!(told(&office).last(), Some(&Telling::Cleared));
    }
}
