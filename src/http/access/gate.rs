//! Tells who a caller is, from a bearer token or a session cookie, never from both.

pub mod people;

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::arrival::{Arrival, Channel};
use crate::http::error::ApiError;
use crate::mask::{Guise, Lens};
use crate::model::access::{ADMIN_NAME, Role, STRANGER_NAME};
use crate::model::reach::Reach;
use crate::process::shares::id_of;
use crate::store::people::{SessionFilter, SessionRecord};
use crate::wire::codes::ErrorCode;

use super::factors::Enrolling;
use super::hashing::Hashing;
use super::keep::KeepSessions;
use super::sessions::{ABSOLUTE_SECONDS, Known, Sessions, is_over};
use super::{Caller, Way, cookie, share, token};

/// Sessions of one name that are looked at when a further one begins.
const LISTED: usize = 100;

/// The gate.
pub struct Gate {
    admin: Option<[u8; 32]>,
    anonymous: Option<Role>,
    insecure_http: bool,
    /// Roles that see under pseudonyms, and what those are made of.
    masked: (Vec<Role>, Guise),
    known: Sessions,
    kept: Box<dyn KeepSessions>,
    hashing: Hashing,
    enrolling: Enrolling,
    clock: Clock,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("anonymous", &self.anonymous).finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate as the settings say.
    pub fn new(
        config: &Config,
        kept: Box<dyn KeepSessions>,
        (clock, pseudonyms): (Clock, Guise),
    ) -> Self {
        Self {
            admin: config.access.admin_token.as_ref().map(|secret| token::hash(secret)),
            anonymous: config.access.anonymous,
            insecure_http: config.access.insecure_http,
            masked: (config.access.masked.clone(), pseudonyms),
            known: Sessions::default(),
            kept,
            hashing: Hashing::default(),
            enrolling: Enrolling::default(),
            clock,
        }
    }

    /// Who sends these headers; `None` for nobody in particular, where strangers see nothing.
    pub async fn admit(
        &self,
        headers: &HeaderMap,
        arrival: &Arrival,
    ) -> Result<Option<Caller>, ApiError> {
        match (bearer(headers)?, cookie::session(headers, arrival.channel)) {
            (Some(_), Some(_)) => Err(ApiError::new(
                ErrorCode::Unauthenticated,
                "Send a bearer token or a session cookie, not both.",
            )),
            (Some(secret), None) => match self.by_token(secret).await? {
                Some(record) => {
                    let hash = record.token_hash;
                    let token = (!self.is_configured(&hash)).then_some(hash);
                    self.caller(&record, Way::Bearer { token }).map(Some)
                }
                None => Err(ApiError::new(
                    ErrorCode::Unauthenticated,
                    "This token is not known here, or it has ended.",
                )),
            },
            (None, secret) => {
                let shared = cookie::share(headers, arrival.channel);
                if let Some(visitor) = shared.and_then(|token| self.by_share(token)) {
                    return Ok(Some(visitor));
                }
                let known = match secret {
                    Some(secret) => self.by_session(secret).await?,
                    None => None,
                };
                let known = known.filter(|caller| is_theirs(caller, arrival));
                match known.or_else(|| self.stranger()) {
                    None if shared.is_some() => Err(share::over()),
                    known => Ok(known),
                }
            }
        }
    }

    fn stranger(&self) -> Option<Caller> {
        let role = self.anonymous?;
        let (name, way) = (STRANGER_NAME.to_owned(), Way::Anonymous);
        let lens = self.lens(role, (Reach::Whole, false));
        Some(Caller { name, user: false, role, lens, way })
    }

    /// How somebody of a role sees: under pseudonyms if that is said of them or of their role.
    fn lens(&self, role: Role, (reach, masked): (Reach, bool)) -> Lens {
        let (roles, pseudonyms) = &self.masked;
        let masked = role != Role::Admin && (masked || roles.contains(&role));
        Lens { reach, guise: masked.then(|| pseudonyms.clone()) }
    }

    fn caller(&self, record: &SessionRecord, way: Way) -> Result<Caller, ApiError> {
        let role = Role::from_word(&record.role)
            .ok_or_else(|| ApiError::internal(format!("{} has an unknown role", record.name)))?;
        let lens = self.lens(role, (record.reach.clone(), record.masked));
        let (name, user) = (record.name.clone(), record.generation.is_some());
        Ok(Caller { name, user, role, lens, way })
    }

    /// The record behind a token with rights of its own; for the configured admin token, one
    /// that is stored nowhere.
    async fn by_token(&self, secret: &str) -> Result<Option<SessionRecord>, ApiError> {
        let hash = token::hash(secret);
        if self.is_configured(&hash) {
            return Ok(Some(self.record(ADMIN_NAME, Role::Admin, "token", hash)));
        }
        Ok(self.find(hash).await?.filter(|record| record.kind == "token"))
    }

    /// Whether this is the configured admin token.
    fn is_configured(&self, hash: &[u8; 32]) -> bool {
        self.admin.is_some_and(|admin| token::same(&admin, hash))
    }

    async fn by_session(&self, secret: &str) -> Result<Option<Caller>, ApiError> {
        let hash = token::hash(secret);
        let Some(record) = self.find(hash).await? else { return Ok(None) };
        if record.kind != "session" {
            return Ok(None);
        }
        let form_token = token::form_token(secret);
        self.caller(&record, Way::Session { hash, form_token }).map(Some)
    }

    /// Whoever holds the token of a shared link that still shows something.
    pub fn by_share(&self, secret: &str) -> Option<Caller> {
        let found = self.kept.share(&token::hash(secret))?;
        let share = Some(found).filter(|share| share.is_live(self.clock.now()))?;
        let name = format!("share {}", id_of(&share.token_hash));
        // Where viewers are given pseudonyms, visitors are, too.
        let viewer = self.lens(Role::Viewer, (share.reach.clone(), false));
        let guise = share.mask.map(Guise::of).or(viewer.guise);
        let lens = Lens { guise, ..viewer };
        let way = Way::Share(Arc::new(share));
        Some(Caller { name, user: false, role: Role::Viewer, lens, way })
    }

    async fn find(&self, hash: [u8; 32]) -> Result<Option<SessionRecord>, ApiError> {
        let now = self.clock.now();
        match self.known.used(&hash, now) {
            Known::Live { record, store: false } => Ok(Some(record)),
            Known::Live { record, store: true } => {
                // The time of the last use matters after a restart only; a failure to store it
                // must not keep anybody out.
                if let Err(error) = self.kept.used(hash, now).await {
                    tracing::debug!(cause = ?error.cause, "last use of a session not stored");
                }
                Ok(Some(record))
            }
            Known::Ended => Ok(None),
            Known::Unknown => {
                let Some(record) = self.kept.find(hash).await? else { return Ok(None) };
                if is_over(&record, now) {
                    self.kept.remove(hash, None).await?;
                    return Ok(None);
                }
                let learnt = self.known.learn(record.clone(), now);
                self.drop_surplus(learnt.surplus).await?;
                Ok(learnt.live.then_some(record))
            }
        }
    }

    /// Opens a session for who holds a token: the session's own token, or `None` if that token
    /// opens nothing.
    pub async fn sign_in(
        &self,
        secret: &str,
        arrival: &Arrival,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        self.allow_sign_in(arrival.channel)?;
        let Some(rights) = self.by_token(secret).await? else { return Ok(None) };
        let session = token::make("").map_err(ApiError::internal)?;
        let role = Role::from_word(&rights.role)
            .ok_or_else(|| ApiError::internal("a stored token has an unknown role"))?;
        let mut record = self.record(&rights.name, role, "session", token::hash(&session));
        record.expires_at = Some(record.created_at.plus(ABSOLUTE_SECONDS));
        record.source = arrival.source.map(|source| source.to_string());
        (record.reach, record.masked) = (rights.reach, rights.masked);
        self.kept.put(record.clone()).await?;
        self.begin(record).await?;
        Ok(Some(session))
    }

    /// Whether anybody may sign in over this channel.
    pub fn allow_sign_in(&self, channel: Channel) -> Result<(), ApiError> {
        if channel != Channel::Plain || self.insecure_http {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::Forbidden,
            "Signing in would send the password or token unencrypted: set KATTILA_TLS_CERT and \
             KATTILA_TLS_KEY, let a proxy of KATTILA_TRUSTED_PROXIES speak TLS and send \
             X-Forwarded-Proto, or accept the risk with KATTILA_INSECURE_HTTP=1.",
        ))
    }

    /// A session that is stored begins: it counts among those of its name, those included that
    /// only the store knows.
    async fn begin(&self, record: SessionRecord) -> Result<(), ApiError> {
        let now = self.clock.now();
        let others =
            SessionFilter { name: Some(record.name.clone()), kind: Some("session"), limit: LISTED };
        for other in self.kept.list(others).await? {
            if !is_over(&other, now) {
                self.drop_surplus(self.known.learn(other, now).surplus).await?;
            }
        }
        self.drop_surplus(self.known.learn(record, now).surplus).await
    }

    /// Ends the session of this cookie, if it is one.
    pub async fn sign_out(&self, headers: &HeaderMap, channel: Channel) -> Result<(), ApiError> {
        let Some(secret) = cookie::session(headers, channel) else { return Ok(()) };
        let hash = token::hash(secret);
        match self.find(hash).await? {
            Some(record) if record.kind == "session" => self.end_session(&record).await,
            Some(_) | None => Ok(()),
        }
    }

    /// A session or token that the store has no more opens nothing from now on.
    pub fn forget(&self, record: &SessionRecord) {
        self.known.end(record);
    }

    /// Ends a session for good.
    pub async fn end_session(&self, record: &SessionRecord) -> Result<(), ApiError> {
        self.known.end(record);
        self.kept.remove(record.token_hash, Some(record)).await
    }

    /// Stores a token that was made for somebody else.
    pub async fn add_token(&self, record: SessionRecord) -> Result<(), ApiError> {
        self.kept.put(record).await
    }

    /// Whether what let a caller in still would: asked by streams, which outlive requests.
    pub fn still_good(&self, caller: &Caller) -> bool {
        match &caller.way {
            Way::Anonymous | Way::Bearer { token: None } => true,
            Way::Bearer { token: Some(hash) } | Way::Session { hash, .. } => {
                self.known.is_live(hash, self.clock.now())
            }
            // One that shows less by now is opened anew.
            Way::Share(opened) => self.kept.share(&opened.token_hash).is_some_and(|share| {
                share.is_live(self.clock.now()) && share.reach == opened.reach
            }),
        }
    }

    async fn drop_surplus(&self, surplus: Vec<[u8; 32]>) -> Result<(), ApiError> {
        for hash in surplus {
            self.kept.remove(hash, None).await?;
        }
        Ok(())
    }

    fn record(&self, name: &str, role: Role, kind: &str, hash: [u8; 32]) -> SessionRecord {
        let now = self.clock.now();
        SessionRecord {
            token_hash: hash,
            name: name.to_owned(),
            role: role.as_str().to_owned(),
            kind: kind.to_owned(),
            form_token: None,
            created_at: now,
            last_used_at: now,
            expires_at: None,
            generation: None,
            source: None,
            made_by: None,
            reach: Reach::Whole,
            masked: false,
        }
    }
}

/// Whether a session is that of whom a proxy has let in, where one says whom.
fn is_theirs(caller: &Caller, arrival: &Arrival) -> bool {
    arrival.vouched.as_ref().is_none_or(|name| caller.user && caller.name == *name)
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(secret.trim())),
        Some(_) | None => Err(ApiError::new(
            ErrorCode::Unauthenticated,
            "Send the header as: Authorization: Bearer TOKEN.",
        )),
    }
}

#[cfg(test)]
pub(in crate::http) mod tests;
