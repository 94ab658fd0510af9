//! Links that were shared: made, opened, taken back, and what becomes of them when their maker sees
//! less or is gone.
//!
//! A link never shows more than its maker may see: what it shows only ever shrinks, in the same
//! change as the maker's own reach. Tokens come here as digests. Must never tell a token.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::draft::{About, Draft};
use super::fleet::Fleet;
use super::handle::{CommandError, Done};
use super::people::People;
use crate::model::hex;
use crate::model::reach::Reach;
use crate::model::state::EventKind;
use crate::store::people::UserRecord;
use crate::store::share::ShareRecord;

/// Links that are kept at most, of everybody.
pub const MOST: usize = 1_000;

/// Bytes of a digest that name a link: nobody can find the token from them.
const ID_BYTES: usize = 8;

/// The links, by the digest of their tokens.
pub type Shares = BTreeMap<[u8; 32], ShareRecord>;

/// What is wanted of a shared link.
#[derive(Debug, Clone)]
pub enum ShareWish {
    /// Make one.
    Make(ShareRecord),
    /// Somebody opened the one with this digest.
    Opened([u8; 32]),
    /// Take the one with this digest back.
    End {
        /// Which.
        hash: [u8; 32],
        /// Who wants it.
        by: String,
    },
}

/// What names a link where people see it; not what opens it.
pub fn id_of(hash: &[u8; 32]) -> String {
    hex::encode(hash.get(..ID_BYTES).unwrap_or_default())
}

impl ShareWish {
    /// Who wants it; `None` for a visitor.
    pub(super) fn by(&self) -> Option<&str> {
        match self {
            Self::Make(share) => Some(&share.made_by),
            Self::Opened(_) => None,
            Self::End { by, .. } => Some(by),
        }
    }

    /// What the audit calls it, about which link, and what it tells of it.
    pub(super) fn told(&self) -> (&'static str, String, Option<Value>) {
        match self {
            Self::Make(share) => {
                let after = json!({
                    "view": share.view, "fleets": share.reach.fleets(),
                    "expires_at": share.expires_at, "named": share.named,
                    "masked": share.mask.is_some(),
                });
                ("share.make", id_of(&share.token_hash), Some(after))
            }
            Self::Opened(hash) => ("share.open", id_of(hash), None),
            Self::End { hash, .. } => ("share.revoke", id_of(hash), None),
        }
    }
}

/// Does what is wanted.
pub(super) fn carry_out(
    fleet: &mut Fleet,
    draft: &mut Draft,
    wish: ShareWish,
) -> Result<Done, CommandError> {
    match wish {
        ShareWish::Make(share) => make(fleet, draft, share)?,
        ShareWish::Opened(hash) => {
            let mut share = live(fleet, draft, &hash)?;
            share.opened = share.opened.saturating_add(1);
            share.last_opened_at = Some(draft.now);
            put(fleet, draft, share);
        }
        ShareWish::End { hash, by } => {
            let share = live(fleet, draft, &hash)?;
            draft.cause = Some(by);
            note(draft, &format!("took back the shared link {}", id_of(&hash)), &share);
            remove(fleet, draft, hash);
        }
    }
    Ok(Done::Nothing)
}

fn make(fleet: &mut Fleet, draft: &mut Draft, share: ShareRecord) -> Result<(), CommandError> {
    // Who was limited or kept out since they asked shares nothing that they do not see.
    let maker = fleet.people.get(&share.made_by);
    let may = |user: &UserRecord| left(&share, user).is_some_and(|left| left == share);
    let is_held = if share.by_user { maker.is_some_and(may) } else { !share.reach.is_whole() };
    if !is_held {
        return Err(CommandError::NotPossible("something changed meanwhile".to_owned()));
    }
    if fleet.shares.len() >= MOST {
        let why = format!("there are {MOST} shared links, which is the most; take some back first");
        return Err(CommandError::NotPossible(why));
    }
    draft.cause = Some(share.made_by.clone());
    let (id, until) = (id_of(&share.token_hash), share.expires_at.to_rfc3339());
    note(draft, &format!("shared a link ({id}) until {until}"), &share);
    put(fleet, draft, share);
    Ok(())
}

/// The link with this digest, if it shows anything.
fn live(fleet: &Fleet, draft: &Draft, hash: &[u8; 32]) -> Result<ShareRecord, CommandError> {
    let found = fleet.shares.get(hash).filter(|share| share.is_live(draft.now));
    found.cloned().ok_or_else(|| CommandError::NotPossible("this link has ended by now".to_owned()))
}

/// Puts what a person did into the history.
fn note(draft: &mut Draft, what: &str, share: &ShareRecord) {
    let subject = format!("{what} that shows {}", share.reach.words());
    draft.event(EventKind::AdminAction, About { fleet: None, agent: None, subject }, None, None);
}

fn put(fleet: &mut Fleet, draft: &mut Draft, share: ShareRecord) {
    draft.change.shares.push(share.clone());
    draft.effects.shares = true;
    fleet.shares.insert(share.token_hash, share);
}

fn remove(fleet: &mut Fleet, draft: &mut Draft, hash: [u8; 32]) {
    draft.change.shares_removed.push(hash);
    draft.effects.shares = true;
    fleet.shares.remove(&hash);
}

/// What a start finds of stored links: people may have been changed while no manager ran.
pub(super) fn held(stored: Vec<ShareRecord>, people: &People) -> Shares {
    let seen = |share: ShareRecord| {
        if !share.by_user {
            return Some(share);
        }
        // Not somebody else who has the name by now.
        let maker = people.get(&share.made_by);
        left(&share, maker.filter(|user| user.created_at <= share.created_at)?)
    };
    stored.into_iter().filter_map(seen).map(|share| (share.token_hash, share)).collect()
}

/// What is left of a link whose maker is this user; `None` if nothing is.
fn left(share: &ShareRecord, maker: &UserRecord) -> Option<ShareRecord> {
    // Who is given pseudonyms shows nobody real names.
    let told = maker.masked && share.mask.is_none();
    let reach = within(&share.reach, &maker.reach);
    let shows = !maker.disabled && !told && !reach.fleets().is_empty();
    shows.then(|| ShareRecord { reach, ..share.clone() })
}

/// The part of one reach that lies in another.
fn within(one: &Reach, other: &Reach) -> Reach {
    Reach::only(one.fleets().into_iter().filter(|fleet| other.sees(fleet)))
}

/// A user changes: their links show no more than they see themselves, and nothing once they are
/// kept out or gone.
pub(super) fn follow(
    fleet: &mut Fleet,
    draft: &mut Draft,
    (name, user): (&str, Option<&UserRecord>),
) {
    let Some(user) = user else { return end_of(fleet, draft, (name, true)) };
    let theirs = fleet.shares.values().filter(|share| share.by_user && share.made_by == name);
    let theirs: Vec<ShareRecord> = theirs.cloned().collect();
    for share in theirs {
        match left(&share, user) {
            Some(same) if same == share => {}
            Some(less) => put(fleet, draft, less),
            None => remove(fleet, draft, share.token_hash),
        }
    }
}

/// Ends the links of a user, or of a token, for good.
pub(super) fn end_of(fleet: &mut Fleet, draft: &mut Draft, (name, by_user): (&str, bool)) {
    let theirs = |share: &&ShareRecord| share.by_user == by_user && share.made_by == name;
    let hashes: Vec<_> = fleet.shares.values().filter(theirs).map(|one| one.token_hash).collect();
    for hash in hashes {
        remove(fleet, draft, hash);
    }
}

/// Takes out what has ended.
pub(super) fn sweep(fleet: &mut Fleet, draft: &mut Draft) {
    let over = fleet.shares.values().filter(|share| !share.is_live(draft.now));
    let over: Vec<_> = over.map(|share| share.token_hash).collect();
    for hash in over {
        remove(fleet, draft, hash);
    }
}
