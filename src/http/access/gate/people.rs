//! Users at the gate: they sign in by name and password, choose a password with a setup code, and
//! every change about them ends their sessions here as it does in the store.

use std::net::IpAddr;

use zeroize::Zeroizing;

use crate::http::access::sessions::ABSOLUTE_SECONDS;
use crate::http::access::token;
use crate::http::error::ApiError;
use crate::model::password::Password;
use crate::process::handle::CommandError;
use crate::process::people::{Act, Order, Proof, SignIn};
use crate::sign::password::Match;
use crate::store::change::SessionRecord;
use crate::store::people::{SessionFilter, UserRecord};

use super::Gate;

/// Who wants in, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The user's name, as `model::access::user_name` gives it.
    pub name: &'a str,
    /// The address.
    pub source: Option<IpAddr>,
}

impl Gate {
    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<UserRecord>, ApiError> {
        self.kept.users(None).await
    }

    /// The user of a name.
    pub async fn user(&self, name: &str) -> Result<Option<UserRecord>, ApiError> {
        Ok(self.kept.users(Some(name.to_owned())).await?.into_iter().next())
    }

    /// Sessions and tokens as stored, those that are over left out.
    pub async fn sessions(&self, filter: SessionFilter) -> Result<Vec<SessionRecord>, ApiError> {
        let now = self.clock.now();
        let mut found = self.kept.list(filter).await?;
        found.retain(|record| !super::is_over(record, now));
        Ok(found)
    }

    /// Changes something about a user; whatever it was, their sessions end.
    pub async fn order(&self, order: Order) -> Result<(), CommandError> {
        let name = order.user.clone();
        let least = self.kept.order(order).await?;
        self.known.end_of_user(&name, least);
        Ok(())
    }

    /// A password as it is stored.
    pub async fn hash(&self, password: Password) -> Result<String, ApiError> {
        self.hashing.hash(password).await
    }

    /// Opens a session for a user whose password this is: the session's own token. Who is not a
    /// user, is kept out or has no password costs the same time and gets the same answer.
    pub async fn sign_in_user(
        &self,
        attempt: Attempt<'_>,
        typed: Zeroizing<String>,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.allow_sign_in()?;
        let user = self.user(attempt.name).await?.filter(|user| !user.disabled);
        let stored = user.as_ref().and_then(|user| user.password.clone());
        let matched = self.hashing.compare(typed.clone(), stored).await?;
        let (Some(user), Match::Right | Match::Outdated) = (user, matched) else { return Ok(None) };
        let rehashed = match matched {
            // What is weak by today's rules cannot be hashed anew; it goes on as it is.
            Match::Outdated => match Password::chosen(typed, &user.name) {
                Ok(password) => Some(self.hash(password).await?),
                Err(_weak) => None,
            },
            Match::Right | Match::Wrong => None,
        };
        self.open_for(&user, attempt, rehashed).await
    }

    /// Whether this is the user's password; to be asked again before what matters.
    pub async fn knows_password(
        &self,
        user: &UserRecord,
        typed: Zeroizing<String>,
    ) -> Result<bool, ApiError> {
        Ok(self.hashing.compare(typed, user.password.clone()).await? != Match::Wrong)
    }

    /// Gives a user the password they chose with a setup code, and opens a session for them.
    /// `first` is whether the code is the one for the first user of all.
    pub async fn set_up(
        &self,
        attempt: Attempt<'_>,
        code: &str,
        (password, first): (Password, bool),
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.allow_sign_in()?;
        let hash = token::hash(code);
        if !first {
            let now = self.clock.now();
            let user = self.user(attempt.name).await?;
            let setup = user.and_then(|user| user.setup.filter(|_| !user.disabled));
            if !setup.is_some_and(|setup| token::same(&setup.hash, &hash) && setup.until > now) {
                return Ok(None);
            }
        }
        let password = self.hash(password).await?;
        let act = if first {
            Act::AddFirst { password }
        } else {
            Act::Password { password, proof: Proof::Setup(hash) }
        };
        let by = if first { "the setup code" } else { attempt.name };
        let order = Order { user: attempt.name.to_owned(), act, by: by.to_owned() };
        self.order(order).await?;
        let Some(user) = self.user(attempt.name).await? else { return Ok(None) };
        self.open_for(&user, attempt, None).await
    }

    /// Gives a user another password of their own choice; all their sessions end, and another
    /// one begins.
    pub async fn change_password(
        &self,
        user: &UserRecord,
        attempt: Attempt<'_>,
        password: Password,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        let password = self.hash(password).await?;
        let act = Act::Password { password, proof: Proof::Old(user.generation) };
        self.order(Order { user: user.name.clone(), act, by: user.name.clone() }).await?;
        let Some(user) = self.user(&user.name).await? else { return Ok(None) };
        self.open_for(&user, attempt, None).await
    }

    async fn open_for(
        &self,
        user: &UserRecord,
        attempt: Attempt<'_>,
        rehashed: Option<String>,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        let secret = token::make("").map_err(ApiError::internal)?;
        let mut session = self.record(&user.name, user.role, "session", token::hash(&secret));
        session.expires_at = Some(session.created_at.plus(ABSOLUTE_SECONDS));
        session.generation = Some(user.generation);
        session.source = attempt.source.map(|source| source.to_string());
        match self.kept.sign_in(SignIn { session: session.clone(), rehashed }).await {
            Ok(()) => {}
            // The user was changed between the look at the password and now.
            Err(CommandError::NotPossible(_) | CommandError::UserNotFound) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        }
        self.begin(session).await?;
        Ok(Some(secret))
    }
}
