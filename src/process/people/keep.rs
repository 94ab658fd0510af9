//! What no act may do to users: leave nobody who can manage them, hide names from who manages them,
//! or open a second way in beside an OpenID provider. Pure.

use super::{Act, People};
use crate::model::access::Role;
use crate::process::handle::CommandError;
use crate::store::people::UserRecord;

/// Refuses what would leave users without one who can sign in and manage them.
pub(super) fn an_admin(people: &People, user: &UserRecord, act: &Act) -> Result<(), CommandError> {
    let loses_one = match act {
        Act::Role(role) => *role < Role::Admin,
        Act::Reach(reach) => !reach.is_whole(),
        Act::Disable | Act::Reset(_) | Act::Remove => true,
        Act::Add { .. }
        | Act::AddFirst { .. }
        | Act::Mask(_)
        | Act::Enable
        | Act::Password { .. }
        | Act::Factor { .. }
        | Act::DropFactor(_)
        | Act::EndSessions => false,
    };
    let manages = |user: &UserRecord| {
        let whole = user.role == Role::Admin && user.reach.is_whole();
        whole && !user.disabled && user.password.is_some()
    };
    let others = people.values().any(|other| other.name != user.name && manages(other));
    if loses_one && manages(user) && !others {
        let why = format!(
            "{} is the only admin who can sign in and sees all; make another first",
            user.name
        );
        return Err(CommandError::NotPossible(why));
    }
    Ok(())
}

/// Refuses pseudonyms for admins: whoever manages agents and keys must know which is which.
pub(super) fn admins_see(name: &str, (role, masked): (Role, bool)) -> Result<(), CommandError> {
    if masked && role == Role::Admin {
        let why =
            format!("{name} would be an admin under pseudonyms; give up one of the two first");
        return Err(CommandError::NotPossible(why));
    }
    Ok(())
}

/// Refuses a password to whom a provider signs in: they would come in where it keeps them out.
pub(super) fn foreign(user: &UserRecord, act: &Act) -> Result<(), CommandError> {
    let gives = matches!(act, Act::Password { .. } | Act::Reset(_) | Act::Factor { .. });
    match &user.foreign {
        Some(foreign) if gives => {
            let (name, issuer) = (&user.name, &foreign.issuer);
            let why = format!("{name} signs in at {issuer}, with no password or code of here");
            Err(CommandError::NotPossible(why))
        }
        Some(_) | None => Ok(()),
    }
}
