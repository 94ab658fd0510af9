//! What goes into the audit: every act of a person, every event of a key, refusals, starts and
//! stops; in the same change as what it tells of, so that neither is stored without the other.
//!
//! Owns which command is told and in which words, and who asks: the door notes that around a
//! request ([`asked_by`]), and every command that is sent meanwhile takes it along. Decides nothing
//! about the fleet. Values told here hold no secrets.

use std::future::Future;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::account;
use super::acts::{Act, Acts, Outcome};
use super::commands;
use super::draft::Draft;
use super::engine::Engine;
use super::handle::{Command, CommandError, Done, ResetTarget};
use super::people::{self, PeopleWish, Revoke};
use super::places::Arranged;
use super::rates;
use super::shares::ShareWish;
use super::upkeep::Upkeep;
use super::wish::Wish;
use crate::model::audit::{Entry, Head, MANAGER, UNKNOWN};
use crate::model::id::{AgentId, AlarmId};
use crate::model::state::{EventKind, LayoutAct};
use crate::model::time::UnixSeconds;
use crate::model::window::Times;
use crate::sign::chain;
use crate::store::StoreError;
use crate::store::change::Change;
use crate::store::people::SessionRecord;
use crate::store::site::SiteWish;

/// Alarms whose state before and after is told; of an act on more, their count.
const ALARMS_TOLD: usize = 50;

/// Who asks, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The name of a user or token; `None` while it is not known, as at the sign-in.
    pub name: Option<String>,
    /// The address.
    pub from: Option<IpAddr>,
}

tokio::task_local! {
    static ASKER: Asker;
}

/// Does what somebody asked for; commands sent meanwhile are theirs.
pub async fn asked_by<F: Future>(asker: Asker, work: F) -> F::Output {
    ASKER.scope(asker, work).await
}

/// Lets work that goes on in a task of its own be that of whoever asks now.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let asker = asker();
    async move {
        match asker {
            Some(asker) => asked_by(asker, work).await,
            None => work.await,
        }
    }
}

/// Who asks now; `None` for the manager itself.
pub(super) fn asker() -> Option<Asker> {
    ASKER.try_with(Clone::clone).ok()
}

/// Gives entries their places; the end of the chain once the change is stored.
pub(super) fn seal(mut head: Head, entries: Vec<Entry>, change: &mut Change) -> Head {
    change.audit.extend(entries.into_iter().map(|entry| chain::seal(&mut head, entry)));
    head
}

/// Carries out a command and adds to its change what is to be told of it.
pub(super) fn carry_out(
    engine: &mut Engine,
    command: Command,
    asker: Option<Asker>,
    now: UnixSeconds,
) -> Result<(Draft, Result<Done, CommandError>), StoreError> {
    let last = matches!(command, Command::Record { kind: EventKind::ManagerStopped, .. });
    let is_time = last || matches!(command, Command::Tick);
    let telling = Telling::of(engine, &command, asker.as_ref());
    let before = telling.as_ref().and_then(|telling| telling.seen.look(engine));
    let (mut draft, outcome) = commands::carry_out(engine, command, now)?;
    if let (Some(telling), Ok(done)) = (telling, &outcome)
        && has_effect(done)
    {
        let Telling { who, act, subject, seen, after } = telling;
        let after = both(both(seen.look(engine), after), outcome_of(done));
        let text = |value: Option<Value>| value.map(|value| value.to_string());
        let entry = Entry::new(now, who, act, &subject).told(text(before), text(after));
        draft.audit.push(entry.from(asker.and_then(|asker| asker.from)));
    }
    of_events(&mut draft);
    if is_time {
        draft.audit.extend(engine.tally.take(now, last));
        account::follow(engine, &mut draft, last);
        rates::follow(engine, &mut draft, last);
    }
    Ok((draft, outcome))
}

/// Whether what was asked for was carried out at all: acts on alarms may have found none.
fn has_effect(done: &Done) -> bool {
    match done {
        Done::Acted(outcomes) => outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Done),
        Done::Reset { .. }
        | Done::Window { .. }
        | Done::Queued(_)
        | Done::Swept { .. }
        | Done::User { .. }
        | Done::Nothing => true,
    }
}

/// An agent's own key was asked for, pinned or exchanged.
pub(super) fn enrolled(draft: &mut Draft, source: Option<IpAddr>) {
    let of_keys = draft.change.events.iter().filter(|e| e.kind == EventKind::AgentIdentity);
    let entries = of_keys.map(|event| {
        let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
        let who = format!("agent {}", event.subject);
        Entry::new(draft.now, who.clone(), "agent.identity", &who)
            .told(text(&event.before), text(&event.after))
            .from(source)
    });
    let entries: Vec<_> = entries.collect();
    draft.audit.extend(entries);
}

/// What the manager found of its keys and rules by itself: told as the events are.
fn of_events(draft: &mut Draft) {
    let told = |kind| matches!(kind, EventKind::KeysChanged | EventKind::RulesChanged);
    let by_itself = draft.audit.is_empty();
    let entries = draft.change.events.iter().filter(|event| told(event.kind) && by_itself);
    let entries = entries.map(|event| {
        let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
        Entry::new(draft.now, MANAGER, event.kind.as_str(), &event.subject)
            .told(text(&event.before), text(&event.after))
    });
    let entries: Vec<_> = entries.collect();
    draft.audit.extend(entries);
}

/// What came of an act, where that is more than how the thing is now.
fn outcome_of(done: &Done) -> Option<Value> {
    Some(match done {
        Done::Reset { agents, interfaces, edges, alarms } => {
            json!({"agents": agents, "interfaces": interfaces, "edges": edges, "alarms": alarms})
        }
        Done::Window { window, agents } => json!({"window": window, "agents": agents}),
        Done::Queued(id) => json!({ "notification": id }),
        Done::Swept { .. } | Done::Acted(_) | Done::User { .. } | Done::Nothing => return None,
    })
}

/// The members of two objects in one.
fn both(one: Option<Value>, other: Option<Value>) -> Option<Value> {
    match (one, other) {
        (Some(Value::Object(mut all)), Some(Value::Object(more))) => {
            all.extend(more);
            Some(Value::Object(all))
        }
        (one, other) => one.or(other),
    }
}

/// What is told of a command.
struct Telling {
    who: String,
    act: &'static str,
    subject: String,
    seen: Seen,
    /// How it is afterwards, where that is known beforehand.
    after: Option<Value>,
}

/// What is looked at before and after.
enum Seen {
    Agent(AgentId),
    Alarms(Vec<AlarmId>),
    Rules,
    User(String),
    Nothing,
}

impl Telling {
    fn new(who: &str, act: &'static str, subject: impl Into<String>) -> Self {
        let (who, subject) = (who.to_owned(), subject.into());
        Self { who, act, subject, seen: Seen::Nothing, after: None }
    }

    fn seeing(self, seen: Seen) -> Self {
        Self { seen, ..self }
    }

    fn with(self, after: Value) -> Self {
        Self { after: Some(after), ..self }
    }

    /// `None` for what time does, and for what is no act of anybody's.
    fn of(engine: &Engine, command: &Command, asker: Option<&Asker>) -> Option<Self> {
        let about = |by: &str, act, id: &AgentId| {
            Self::new(by, act, format!("agent {id}")).seeing(Seen::Agent(id.clone()))
        };
        Some(match command {
            Command::Reset { target, forget, identity, by } => {
                let after = json!({ "forget": forget, "identity": identity });
                let told = match target {
                    ResetTarget::Agent(id) => format!("agent {id}"),
                    ResetTarget::Fleet(fleet) => format!("fleet {fleet}"),
                    ResetTarget::All => "all agents".to_owned(),
                };
                Self::new(by, "agent.reset", told).with(after)
            }
            Command::Alarms(wish) => Self::alarms(engine, wish),
            Command::Maintenance(wish) => Self::upkeep(wish),
            Command::Approve { agent, by, .. } => about(by, "agent.approve", agent),
            Command::Refuse { agent, by } => about(by, "agent.refuse", agent),
            Command::MayRelay { agent, by, .. } => about(by, "agent.relay", agent),
            Command::Revoke { agent, by } => about(by, "agent.revoke", agent),
            Command::SetSite(SiteWish { agents, site, by }) => {
                let named = agents.iter().take(ALARMS_TOLD).map(AgentId::as_str);
                let named = named.collect::<Vec<_>>().join(", ");
                Self::new(by, "agent.site", format!("{} agents: {named}", agents.len()))
                    .with(json!({ "site": site }))
            }
            Command::PutSession(record) => return Self::session(record, asker),
            Command::FirstToken(record) => Self::made(record, MANAGER),
            Command::DropSession { of, .. } => {
                let (who, of) = (asker?.name.as_deref()?, of.as_ref()?);
                Self::new(who, "session.end", format!("session of {}", of.name))
            }
            Command::People(wish) => return Self::people(wish, asker),
            Command::Note { by, what } => Self::new(by, "note", what.as_str()),
            Command::RunJob { by, job } => Self::new(by, "job.run", format!("job {job}")),
            Command::Record { kind, subject } => Self::new(MANAGER, kind.as_str(), subject),
            Command::Tell(wish) => return Self::wish(wish),
            Command::Rules(rules) => {
                Self::new(MANAGER, "rules.read", rules.by.as_str()).seeing(Seen::Rules)
            }
            Command::Arrange(arranged) => Self::arranged(arranged),
            Command::RevokeKey { key, by } => {
                let state = json!({ "state": key.state });
                Self::new(by, "key.revoke", format!("key {}", key.kid)).with(state)
            }
            // Each of its changes is told by itself.
            Command::Keys { .. }
            | Command::Ping
            | Command::Tick
            | Command::Sweep
            | Command::Ran(..)
            | Command::Dictionary(_)
            | Command::Layout { .. }
            | Command::Condition(_) => return None,
        })
    }

    fn alarms(engine: &Engine, wish: &Acts) -> Self {
        let (act, after) = match &wish.act {
            Act::Acknowledge { note } => ("alarm.acknowledge", json!({ "note": note })),
            Act::Shelve { reason, .. } => ("alarm.shelve", json!({ "reason": reason })),
            Act::Unshelve => ("alarm.unshelve", json!({})),
            Act::Clear => ("alarm.clear", json!({})),
        };
        let list = |ids: &[AlarmId]| {
            let told: Vec<_> = ids.iter().take(ALARMS_TOLD).map(ToString::to_string).collect();
            told.join(", ")
        };
        let subject = match (wish.alarms.len(), wish.incidents.len()) {
            (1, 0) => format!("alarm {}", list(&wish.alarms)),
            (alarms, 0) => format!("{alarms} alarms: {}", list(&wish.alarms)),
            (0, incidents) => format!("{incidents} incidents: {}", list(&wish.incidents)),
            (alarms, incidents) => format!("{alarms} alarms and {incidents} incidents"),
        };
        let book = &engine.fleet.book;
        let followers = wish.incidents.iter().flat_map(|root| book.incident(*root));
        let mut ids: Vec<_> = wish.alarms.iter().copied().chain(followers).collect();
        ids.sort_unstable();
        ids.dedup();
        Self::new(&wish.by, act, subject).seeing(Seen::Alarms(ids)).with(after)
    }

    fn arranged(arranged: &Arranged) -> Self {
        let act = match arranged.act {
            LayoutAct::Pin => "layout.pin",
            LayoutAct::Unpin => "layout.unpin",
            LayoutAct::Rearrange => "layout.rearrange",
            LayoutAct::Undo => "layout.undo",
        };
        let named = arranged.records.iter().take(ALARMS_TOLD).map(|row| row.node.as_str());
        let after = json!({
            "layout_rev": arranged.rev,
            "moved": arranged.records.len(),
            "first": named.collect::<Vec<_>>(),
        });
        Self::new(&arranged.by, act, format!("{} things on the map", arranged.count)).with(after)
    }

    fn upkeep(wish: &Upkeep) -> Self {
        match wish {
            Upkeep::Make { scope, times, reason, by, .. } => {
                let after = both(Some(times_of(times)), Some(json!({ "reason": reason })));
                let told = Self::new(by, "maintenance.make", scope.to_string());
                Self { after, ..told }
            }
            Upkeep::End { window, by, .. } => {
                Self::new(by, "maintenance.end", format!("maintenance window {window}"))
            }
        }
    }

    fn wish(wish: &Wish) -> Option<Self> {
        match wish {
            Wish::Test { channel, by } => {
                Some(Self::new(by, "channel.test", format!("channel {channel}")))
            }
            Wish::Again { message, by } => {
                Some(Self::new(by, "notification.retry", format!("notification {}", message.id)))
            }
            Wish::Adopt(_) | Wish::Settle { .. } => None,
        }
    }

    fn people(wish: &PeopleWish, asker: Option<&Asker>) -> Option<Self> {
        use people::Act;
        let order = match wish {
            PeopleWish::Order(order) => order,
            PeopleWish::SignIn(sign_in) => return Self::session(&sign_in.session, asker),
            PeopleWish::Share(wish) => return Some(Self::share(wish, asker)),
            PeopleWish::Used(..) => return None,
            PeopleWish::Revoke(Revoke { record, by }) => {
                return Some(Self::new(by, "token.revoke", format!("token {}", record.name)));
            }
        };
        let (act, after) = match &order.act {
            Act::Add { .. } | Act::AddFirst { .. } => ("user.add", None),
            Act::Role(_) => ("user.role", None),
            Act::Reach(_) => ("user.fleets", None),
            Act::Mask(_) => ("user.mask", None),
            Act::Disable => ("user.disable", None),
            Act::Enable => ("user.enable", None),
            Act::Password { .. } => ("user.password", None),
            Act::Factor { .. } => ("user.factor", None),
            Act::DropFactor(_) => ("user.drop_factor", None),
            Act::Reset(_) => ("user.reset", None),
            Act::EndSessions => ("user.end_sessions", None),
            Act::Remove => ("user.remove", Some(json!({ "removed": true }))),
        };
        let told = Self::new(&order.by, act, format!("user {}", order.user));
        Some(Self { after, ..told.seeing(Seen::User(order.user.clone())) })
    }

    fn share(wish: &ShareWish, asker: Option<&Asker>) -> Self {
        let visitor = asker.and_then(|asker| asker.name.as_deref()).unwrap_or(UNKNOWN);
        let (act, id, after) = wish.told();
        let told = Self::new(wish.by().unwrap_or(visitor), act, format!("share {id}"));
        Self { after, ..told }
    }

    /// A session that was opened, or a token that was made; `None` for one that was only used.
    fn session(record: &SessionRecord, asker: Option<&Asker>) -> Option<Self> {
        if record.last_used_at != record.created_at {
            return None;
        }
        let by = asker.and_then(|asker| asker.name.as_deref());
        Some(if record.kind == "session" {
            let after = json!({ "role": record.role, "expires_at": record.expires_at });
            let subject = format!("session of {}", record.name);
            Self::new(by.unwrap_or(&record.name), "session.begin", subject).with(after)
        } else {
            Self::made(record, by.unwrap_or(UNKNOWN))
        })
    }

    fn made(record: &SessionRecord, by: &str) -> Self {
        let fleets = record.reach.fleets();
        let after = json!({
            "role": record.role, "fleets": fleets, "masked": record.masked,
            "expires_at": record.expires_at,
        });
        Self::new(by, "token.make", format!("token {}", record.name)).with(after)
    }
}

/// When a maintenance window is open.
fn times_of(times: &Times) -> Value {
    match times {
        Times::Once(span) => json!({ "from": span.from, "until": span.until }),
        Times::Weekly { days, start, lasts_s, utc_offset_s } => json!({
            "days": days, "start_minute": start, "lasts_s": lasts_s, "utc_offset_s": utc_offset_s,
        }),
    }
}

impl Seen {
    /// How the thing is now.
    fn look(&self, engine: &Engine) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Rules => Some(json!({ "changes": engine.fleet.book.tuning().described() })),
            Self::Agent(id) => agent(engine, id),
            Self::User(name) => engine.fleet.people.get(name).map(|user| {
                json!({
                    "role": user.role.as_str(),
                    "fleets": user.reach.fleets(),
                    "masked": user.masked,
                    "disabled": user.disabled,
                    "has_password": user.password.is_some(),
                    "second_factor": user.factor.is_some(),
                    "provider": user.foreign.as_ref().map(|foreign| &foreign.issuer),
                })
            }),
            Self::Alarms(ids) => {
                // One that is not open is told as null.
                let state = |id: &AlarmId| {
                    let told = engine.fleet.book.get(*id).map(|alarm| {
                        let shelved = alarm.shelved.as_ref().map(|shelved| shelved.until);
                        json!({ "state": alarm.state, "shelved_until": shelved })
                    });
                    (id.to_string(), told.unwrap_or_default())
                };
                let told: serde_json::Map<_, _> = ids.iter().take(ALARMS_TOLD).map(state).collect();
                Some(json!({ "alarms": told, "count": ids.len() }))
            }
        }
    }
}

fn agent(engine: &Engine, id: &AgentId) -> Option<Value> {
    let fleet = &engine.fleet;
    let agent = fleet.by_id.get(id).and_then(|no| fleet.agents.get(no))?;
    let record = &agent.record;
    Some(json!({
        "status": record.status,
        "may_relay": record.may_relay,
        "forgotten": record.forgotten,
        "key": agent.keys.pinned().map(|row| row.kid.to_string()),
        "waiting_key": agent.keys.pending().map(|row| row.kid.to_string()),
        "revoked": agent.keys.is_revoked(),
    }))
}
