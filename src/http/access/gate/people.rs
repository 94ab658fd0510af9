//! Users at the gate: they sign in by name and password, choose a password with a setup code, and
//! every change about them ends their sessions here as it does in the store.

use zeroize::Zeroizing;

use crate::http::access::factors::{recovery_codes, recovery_digest};
use crate::http::access::sessions::ABSOLUTE_SECONDS;
use crate::http::access::token;
use crate::http::arrival::Arrival;
use crate::http::error::ApiError;
use crate::model::audit::MANAGER;
use crate::model::password::{LEAST_CHARS, Password};
use crate::oidc::settings::Person;
use crate::process::handle::CommandError;
use crate::process::people::{Act, Entry, Order, Proof, Second, SignIn};
use crate::sign::password::Match;
use crate::sign::totp::{self, Secret};
use crate::store::people::{Factor, Foreign, SessionFilter, SessionRecord, UserRecord};

use super::Gate;

/// What came of choosing a password with a setup code.
pub enum SetUp {
    /// The code is not the user's.
    Refused,
    /// It is chosen; the user signs in with it and their second factor.
    Done,
    /// It is chosen, and a session is open: its own token.
    In(Zeroizing<String>),
}

impl std::fmt::Debug for SetUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "Refused",
            Self::Done => "Done",
            Self::In(_) => "In(...)",
        })
    }
}

/// Who wants in, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The user's name, as `model::access::user_name` gives it.
    pub name: &'a str,
    /// How they came here.
    pub arrival: &'a Arrival,
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

    /// Opens a session for a user whose password this is, with a code if they need one: the
    /// session's own token. Who is not a user, is kept out or has no password costs the same time
    /// and gets the same answer.
    pub async fn sign_in_user(
        &self,
        attempt: Attempt<'_>,
        typed: Zeroizing<String>,
        code: &str,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.allow_sign_in(attempt.arrival.channel)?;
        let user = self.user(attempt.name).await?.filter(|user| !user.disabled);
        let stored = user.as_ref().and_then(|user| user.password.clone());
        let matched = self.hashing.compare(typed.clone(), stored).await?;
        let (Some(user), Match::Right | Match::Outdated) = (user, matched) else { return Ok(None) };
        let Some(second) = self.second(&user, code) else { return Ok(None) };
        let rehashed = match matched {
            // What is weak by today's rules cannot be hashed anew; it goes on as it is. How long new
            // ones must be is no matter of old ones.
            Match::Outdated => match Password::chosen(typed, &user.name, LEAST_CHARS) {
                Ok(password) => Some(self.hash(password).await?),
                Err(_weak) => None,
            },
            Match::Right | Match::Wrong => None,
        };
        self.open_for(&user, attempt, (rehashed, second)).await
    }

    /// What a code is, if it can be one of the user's; whether it was used is seen when it is spent.
    fn second(&self, user: &UserRecord, code: &str) -> Option<Second> {
        let Some(factor) = &user.factor else { return Some(Second::Nothing) };
        if let Some(step) = totp::matching(&factor.secret, code, self.clock.now().0) {
            return Some(Second::Code(step));
        }
        let digest = recovery_digest(code);
        factor.recovery.contains(&digest).then_some(Second::Recovery(digest))
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
    /// `first` is whether the code is the one for the first user of all. Who has a second factor
    /// signs in with it afterwards.
    pub async fn set_up(
        &self,
        attempt: Attempt<'_>,
        code: &str,
        (password, first): (Password, bool),
    ) -> Result<SetUp, ApiError> {
        self.allow_sign_in(attempt.arrival.channel)?;
        let hash = token::hash(code);
        if !first {
            let now = self.clock.now();
            let user = self.user(attempt.name).await?;
            let setup = user.and_then(|user| user.setup.filter(|_| !user.disabled));
            if !setup.is_some_and(|setup| token::same(&setup.hash, &hash) && setup.until > now) {
                return Ok(SetUp::Refused);
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
        let Some(user) = self.user(attempt.name).await? else { return Ok(SetUp::Refused) };
        if user.factor.is_some() {
            return Ok(SetUp::Done);
        }
        let session = self.open_for(&user, attempt, (None, Second::Nothing)).await?;
        Ok(session.map_or(SetUp::Refused, SetUp::In))
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
        self.renew(user, attempt, act).await
    }

    /// Does what a signed-in user wants of their own account; all their sessions end, and another
    /// one begins.
    async fn renew(
        &self,
        user: &UserRecord,
        attempt: Attempt<'_>,
        act: Act,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.order(Order { user: user.name.clone(), act, by: user.name.clone() }).await?;
        let Some(user) = self.user(&user.name).await? else { return Ok(None) };
        self.open_for(&user, attempt, (None, Second::Session)).await
    }

    /// A new secret for the second factor of who has this session.
    pub fn begin_factor(&self, session: [u8; 32]) -> Result<Secret, ApiError> {
        self.enrolling.begin(session, self.clock.now()).map_err(ApiError::internal)
    }

    /// The secret that was made for this session and waits for its first code.
    pub fn waiting_factor(&self, session: &[u8; 32]) -> Option<Secret> {
        self.enrolling.of(session, self.clock.now())
    }

    /// Has a user asked for codes of a secret from now on, if this is one: the new session's own
    /// token and the recovery codes, which are told this once.
    pub async fn add_factor(
        &self,
        user: &UserRecord,
        attempt: Attempt<'_>,
        (session, secret, code): ([u8; 32], Secret, &str),
    ) -> Result<Option<(Zeroizing<String>, Vec<String>)>, ApiError> {
        let Some(step) = totp::matching(&secret, code, self.clock.now().0) else { return Ok(None) };
        let codes = recovery_codes().map_err(ApiError::internal)?;
        let (codes, recovery) = codes.into_iter().unzip();
        let factor = Factor { secret, step, recovery };
        let act = Act::Factor { factor, generation: user.generation };
        let renewed = self.renew(user, attempt, act).await?;
        self.enrolling.end(&session);
        Ok(renewed.map(|session| (session, codes)))
    }

    /// Has a user asked for no codes any more.
    pub async fn drop_factor(
        &self,
        user: &UserRecord,
        attempt: Attempt<'_>,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.renew(user, attempt, Act::DropFactor(Proof::Old(user.generation))).await
    }

    /// Opens a session for a user whom a trusted proxy has let in: the session's own token. Neither
    /// password nor code is asked for; those are the proxy's matter.
    pub async fn sign_in_vouched(
        &self,
        attempt: Attempt<'_>,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.allow_sign_in(attempt.arrival.channel)?;
        let Some(user) = self.user(attempt.name).await?.filter(|user| !user.disabled) else {
            return Ok(None);
        };
        self.open_for(&user, attempt, (None, Second::Vouched)).await
    }

    /// Opens a session for somebody whom the OpenID provider has let in: their name here and the
    /// session's own token. Who has not been here before becomes a user; whose role has changed at
    /// the provider has the new one from now on. `None` for who is kept out here.
    pub async fn sign_in_foreign(
        &self,
        (issuer, person): (&str, Person),
        arrival: &Arrival,
    ) -> Result<Option<(String, Zeroizing<String>)>, ApiError> {
        self.allow_sign_in(arrival.channel)?;
        let foreign = Foreign { issuer: issuer.to_owned(), subject: person.subject };
        let known = self.users().await?;
        let known = known.into_iter().find(|user| user.foreign.as_ref() == Some(&foreign));
        let (name, acts) = match known {
            Some(user) if user.disabled => return Ok(None),
            Some(user) => {
                // Where the provider says nothing of fleets, an admin here does.
                let reach = person.reach.filter(|reach| *reach != user.reach).map(Act::Reach);
                let role = (user.role != person.role).then_some(Act::Role(person.role));
                (user.name, [reach, role])
            }
            None => {
                let (entry, reach) = (Entry::Foreign(foreign), person.reach.unwrap_or_default());
                let act = Act::Add { role: person.role, entry, reach, masked: false };
                (person.name, [Some(act), None])
            }
        };
        for act in acts.into_iter().flatten() {
            self.order(Order { user: name.clone(), act, by: MANAGER.to_owned() }).await?;
        }
        let Some(user) = self.user(&name).await? else { return Ok(None) };
        let attempt = Attempt { name: &name, arrival };
        let session = self.open_for(&user, attempt, (None, Second::Vouched)).await?;
        Ok(session.map(|session| (name, session)))
    }

    async fn open_for(
        &self,
        user: &UserRecord,
        attempt: Attempt<'_>,
        (rehashed, second): (Option<String>, Second),
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        let secret = token::make("").map_err(ApiError::internal)?;
        let mut session = self.record(&user.name, user.role, "session", token::hash(&secret));
        session.expires_at = Some(session.created_at.plus(ABSOLUTE_SECONDS));
        session.generation = Some(user.generation);
        session.source = attempt.arrival.source.map(|source| source.to_string());
        (session.reach, session.masked) = (user.reach.clone(), user.masked);
        match self.kept.sign_in(SignIn { session: session.clone(), rehashed, second }).await {
            Ok(()) => {}
            // The user was changed between the look at the password and now, or the code was used.
            Err(CommandError::NotPossible(_) | CommandError::UserNotFound) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        }
        self.begin(session).await?;
        Ok(Some(secret))
    }
}
