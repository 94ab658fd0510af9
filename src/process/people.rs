//! What is decided about users: who is added, what they may do, and when their sessions end.
//!
//! [`decide`] is pure, so that the command for a stopped manager decides as the running one does.
//! Passwords come here hashed and setup codes as digests; neither is told in the history.

mod keep;
mod spend;

use std::collections::BTreeMap;

use super::draft::{About, Draft};
use super::fleet::Fleet;
use super::handle::{CommandError, Done};
use super::shares::{self, ShareWish};
use crate::model::access::Role;
use crate::model::reach::Reach;
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::people::{Factor, Foreign, SessionRecord, Setup, UserRecord};

/// Users there may be.
const MOST: usize = 1_000;

/// The users, by name.
pub type People = BTreeMap<String, UserRecord>;

/// Something about one user.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which, as `model::access::user_name` gives it.
    pub user: String,
    /// What.
    pub act: Act,
    /// Who wants it.
    pub by: String,
}

/// What is done about a user.
#[derive(Clone)]
pub enum Act {
    /// Add them.
    Add {
        /// What they may do.
        role: Role,
        /// How they come in first.
        entry: Entry,
        /// Which fleets they see.
        reach: Reach,
        /// Whether they are given pseudonyms.
        masked: bool,
    },
    /// Add them, if they are the first.
    AddFirst {
        /// Their password, hashed.
        password: String,
    },
    /// Let them do this from now on.
    Role(Role),
    /// Let them see these fleets from now on.
    Reach(Reach),
    /// Give them pseudonyms instead of names and addresses from now on, or not any more.
    Mask(bool),
    /// Keep them out.
    Disable,
    /// Let them in again.
    Enable,
    /// Give them this password, hashed.
    Password {
        /// The hash.
        password: String,
        /// What allows it.
        proof: Proof,
    },
    /// Take their password away, and let them choose one with a setup code.
    Reset(Setup),
    /// Ask them for one-time codes from now on.
    Factor {
        /// The secret, the step of the code that showed it works, digests of recovery codes.
        factor: Factor,
        /// The user as they were in this generation asks for it.
        generation: i64,
    },
    /// Ask them for none any more.
    DropFactor(Proof),
    /// End all their sessions.
    EndSessions,
    /// Forget them.
    Remove,
}

/// How somebody comes in first.
#[derive(Clone)]
pub enum Entry {
    /// With a password, hashed here.
    Password(String),
    /// With a setup code.
    Setup(Setup),
    /// At an OpenID provider, and never otherwise.
    Foreign(Foreign),
}

/// What allows a new password.
#[derive(Clone)]
pub enum Proof {
    /// An admin, who was let in.
    Admin,
    /// The old password, of the user as they were in this generation.
    Old(i64),
    /// The setup code with this digest.
    Setup([u8; 32]),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(...)")
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof(...)")
    }
}

impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Add { .. } => "Add",
            Self::AddFirst { .. } => "AddFirst",
            Self::Role(_) => "Role",
            Self::Reach(_) => "Reach",
            Self::Mask(_) => "Mask",
            Self::Disable => "Disable",
            Self::Enable => "Enable",
            Self::Password { .. } => "Password",
            Self::Reset(_) => "Reset",
            Self::Factor { .. } => "Factor",
            Self::DropFactor(_) => "DropFactor",
            Self::EndSessions => "EndSessions",
            Self::Remove => "Remove",
        })
    }
}

/// A session of a user that begins now.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The session, with the generation that was looked at.
    pub session: SessionRecord,
    /// The password hashed anew, if how it was hashed is of the past.
    pub rehashed: Option<String>,
    /// What was shown beside the password.
    pub second: Second,
}

/// What was shown beside a password; each counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// Nothing.
    Nothing,
    /// A session that this one follows.
    Session,
    /// Somebody else's word, who has seen to it: a trusted proxy, an OpenID provider.
    Vouched,
    /// The code of a step.
    Code(i64),
    /// A recovery code, by its digest.
    Recovery([u8; 32]),
}

/// A token that is revoked.
#[derive(Debug)]
pub struct Revoke {
    /// The token.
    pub record: SessionRecord,
    /// Who revokes it.
    pub by: String,
}

/// What is wanted of users and sessions.
#[derive(Debug)]
pub enum PeopleWish {
    /// Something about one user.
    Order(Order),
    /// A user signs in.
    SignIn(SignIn),
    /// A token is to open nothing any more.
    Revoke(Revoke),
    /// Something about a shared link.
    Share(ShareWish),
    /// A session or token was used; it stays away if it has ended meanwhile.
    Used([u8; 32], UnixSeconds),
}

/// What follows from an order.
#[derive(Debug)]
pub struct Decided {
    /// The user as they are now; `None` if they are gone.
    pub user: Option<UserRecord>,
    /// Whether their sessions end.
    pub ends_sessions: bool,
    /// What is told of it.
    pub told: String,
}

/// Decides about an order; the users stay as they are.
pub fn decide(
    people: &People,
    Order { user: name, act, by }: &Order,
    now: UnixSeconds,
) -> Result<Decided, CommandError> {
    let known = people.get(name);
    let added = |user: UserRecord| {
        let (role, fleets) = (user.role, user.reach.addition());
        let masked = if user.masked { ", under pseudonyms" } else { "" };
        let told = format!("added the user {name} with the role {role}{fleets}{masked}");
        Decided { user: Some(user), ends_sessions: false, told }
    };
    match act {
        Act::Add { .. } | Act::AddFirst { .. } if known.is_some() => {
            Err(CommandError::NotPossible(format!("there is a user {name} already")))
        }
        Act::Add { .. } if people.len() >= MOST => {
            Err(CommandError::NotPossible(format!("there are {MOST} users, which is the most")))
        }
        Act::Add { role, entry, reach, masked } => {
            keep::admins_see(name, (*role, *masked))?;
            let user = fresh(name, (*role, entry), by, now);
            Ok(added(UserRecord { reach: reach.clone(), masked: *masked, ..user }))
        }
        Act::AddFirst { password } if people.is_empty() => {
            let entry = Entry::Password(password.clone());
            Ok(added(fresh(name, (Role::Admin, &entry), by, now)))
        }
        Act::AddFirst { .. } => Err(CommandError::NotPossible("there are users by now".to_owned())),
        Act::Role(_)
        | Act::Reach(_)
        | Act::Mask(_)
        | Act::Disable
        | Act::Enable
        | Act::Password { .. }
        | Act::Reset(_)
        | Act::Factor { .. }
        | Act::DropFactor(_)
        | Act::EndSessions
        | Act::Remove => {
            let user = known.ok_or(CommandError::UserNotFound)?;
            keep::an_admin(people, user, act)?;
            keep::foreign(user, act)?;
            change(user.clone(), act, now)
        }
    }
}

/// Somebody who was not there before.
fn fresh(name: &str, (role, entry): (Role, &Entry), by: &str, now: UnixSeconds) -> UserRecord {
    let (password, setup, foreign) = match entry {
        Entry::Password(password) => (Some(password.clone()), None, None),
        Entry::Setup(setup) => (None, Some(setup.clone()), None),
        Entry::Foreign(foreign) => (None, None, Some(foreign.clone())),
    };
    UserRecord {
        name: name.to_owned(),
        role,
        password_at: password.is_some().then_some(now),
        password,
        setup,
        disabled: false,
        // Above those of anybody who had this name before.
        generation: now.0,
        created_at: now,
        created_by: by.to_owned(),
        last_sign_in_at: None,
        last_sign_in_from: None,
        reach: Reach::Whole,
        factor: None,
        foreign,
        masked: false,
    }
}

/// What an act makes of somebody who is there.
fn change(mut user: UserRecord, act: &Act, now: UnixSeconds) -> Result<Decided, CommandError> {
    let name = user.name.clone();
    let told = match act {
        Act::Role(role) => {
            keep::admins_see(&name, (*role, user.masked))?;
            let before = std::mem::replace(&mut user.role, *role);
            format!("gave the user {name} the role {role} instead of {before}")
        }
        Act::Reach(reach) => {
            let before = std::mem::replace(&mut user.reach, reach.clone());
            format!("lets the user {name} see {} instead of {}", reach.words(), before.words())
        }
        Act::Mask(masked) => {
            keep::admins_see(&name, (user.role, *masked))?;
            user.masked = *masked;
            let what = if *masked { "pseudonyms" } else { "real names and addresses" };
            format!("gives the user {name} {what} from now on")
        }
        Act::Disable => {
            user.disabled = true;
            format!("disabled the user {name}")
        }
        Act::Enable => {
            user.disabled = false;
            format!("enabled the user {name}")
        }
        Act::Password { password, proof } => {
            allow(&user, proof, now)?;
            user.password = Some(password.clone());
            (user.password_at, user.setup) = (Some(now), None);
            format!("the user {name} has a new password")
        }
        Act::Reset(setup) => {
            (user.password, user.password_at) = (None, None);
            user.setup = Some(setup.clone());
            format!("reset the password of the user {name}")
        }
        Act::Factor { factor, generation } => {
            allow(&user, &Proof::Old(*generation), now)?;
            user.factor = Some(factor.clone());
            format!("the user {name} signs in with a second factor from now on")
        }
        Act::DropFactor(proof) => {
            allow(&user, proof, now)?;
            if user.factor.take().is_none() {
                return Err(CommandError::NotPossible(format!("{name} has no second factor")));
            }
            format!("the user {name} has no second factor any more")
        }
        Act::EndSessions => format!("ended the sessions of the user {name}"),
        Act::Remove => {
            let told = format!("removed the user {name}");
            return Ok(Decided { user: None, ends_sessions: true, told });
        }
        // Decided before.
        Act::Add { .. } | Act::AddFirst { .. } => return Err(CommandError::UserNotFound),
    };
    user.generation = user.generation.saturating_add(1).max(now.0);
    Ok(Decided { user: Some(user), ends_sessions: true, told })
}

/// Whether a proof holds for the user as they are now.
fn allow(user: &UserRecord, proof: &Proof, now: UnixSeconds) -> Result<(), CommandError> {
    let holds = match proof {
        Proof::Admin => true,
        Proof::Old(generation) => *generation == user.generation && !user.disabled,
        Proof::Setup(hash) => {
            let fits = |setup: &Setup| setup.hash == *hash && setup.until > now;
            !user.disabled && user.setup.as_ref().is_some_and(fits)
        }
    };
    if holds {
        Ok(())
    } else {
        Err(CommandError::NotPossible("something changed meanwhile".into()))
    }
}

/// Does what is wanted.
pub(super) fn carry_out(
    fleet: &mut Fleet,
    draft: &mut Draft,
    wish: PeopleWish,
) -> Result<Done, CommandError> {
    match wish {
        PeopleWish::Order(order) => obey(fleet, draft, &order),
        PeopleWish::SignIn(wish) => sign_in(fleet, draft, wish),
        PeopleWish::Revoke(Revoke { record, by }) => {
            draft.cause = Some(by);
            draft.change.sessions_removed.push(record.token_hash);
            shares::end_of(fleet, draft, (&record.name, false));
            let subject =
                format!("revoked the token {} with the role {}", record.name, record.role);
            let about = About { fleet: None, agent: None, subject };
            draft.event(EventKind::AdminAction, about, None, None);
            Ok(Done::Nothing)
        }
        PeopleWish::Share(wish) => shares::carry_out(fleet, draft, wish),
        PeopleWish::Used(hash, at) => {
            draft.change.sessions_used.push((hash, at));
            Ok(Done::Nothing)
        }
    }
}

fn obey(fleet: &mut Fleet, draft: &mut Draft, order: &Order) -> Result<Done, CommandError> {
    let Decided { user, ends_sessions, told } = decide(&fleet.people, order, draft.now)?;
    draft.cause = Some(order.by.clone());
    if ends_sessions {
        draft.change.users_ended.push(order.user.clone());
    }
    let least = user.as_ref().map_or(i64::MAX, |user| user.generation);
    shares::follow(fleet, draft, (&order.user, user.as_ref()));
    match user {
        Some(user) => keep(fleet, draft, user),
        None => {
            fleet.people.remove(&order.user);
            draft.change.users_removed.push(order.user.clone());
        }
    }
    let about = About { fleet: None, agent: None, subject: told };
    draft.event(EventKind::AdminAction, about, None, None);
    Ok(Done::User { least })
}

/// Begins a session, if the user is still as they were when their password was looked at.
fn sign_in(
    fleet: &mut Fleet,
    draft: &mut Draft,
    SignIn { session, rehashed, second }: SignIn,
) -> Result<Done, CommandError> {
    let user = fleet.people.get(&session.name).ok_or(CommandError::UserNotFound)?;
    if user.disabled || Some(user.generation) != session.generation {
        return Err(CommandError::NotPossible("something changed meanwhile".to_owned()));
    }
    let mut user = user.clone();
    if !spend::second(&mut user, second) {
        return Err(CommandError::NotPossible("this code was used before".to_owned()));
    }
    user.last_sign_in_at = Some(draft.now);
    user.last_sign_in_from.clone_from(&session.source);
    user.password = rehashed.or(user.password);
    draft.change.sessions.push(session);
    keep(fleet, draft, user);
    Ok(Done::Nothing)
}

fn keep(fleet: &mut Fleet, draft: &mut Draft, user: UserRecord) {
    draft.change.users.push(user.clone());
    fleet.people.insert(user.name.clone(), user);
}

#[cfg(test)]
mod tests;
