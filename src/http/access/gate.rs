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
pub(in crate::http) mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use axum::http::HeaderValue;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use crate::config::source::Values;
    use crate::model::time::UnixSeconds;
    use crate::process::handle::CommandError;
    use crate::process::people::{Order, SignIn};
    use crate::store::people::UserRecord;
    use crate::store::share::ShareRecord;

    use super::*;

    /// A shared link that there always is.
    pub(in crate::http) const SHARE_TOKEN: &str = "a-share-token-for-tests";

    pub(in crate::http) const ADMIN_TOKEN: &str = "an-admin-token-for-tests";

    /// Sessions in a map that outlives its gate, as a database does. Nobody is a user there.
    #[derive(Clone, Default)]
    pub(in crate::http) struct Shelf(Arc<Mutex<HashMap<[u8; 32], SessionRecord>>>);

    impl KeepSessions for Shelf {
        fn share(&self, hash: &[u8; 32]) -> Option<ShareRecord> {
            (*hash == token::hash(SHARE_TOKEN)).then(|| ShareRecord {
                token_hash: *hash,
                view: "/map".to_owned(),
                reach: Reach::read(["lab"]).unwrap(),
                made_by: "olga".to_owned(),
                by_user: true,
                named: true,
                created_at: UnixSeconds(0),
                expires_at: UnixSeconds(i64::MAX),
                opened: 0,
                mask: None,
                last_opened_at: None,
            })
        }
        fn find(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<SessionRecord>, ApiError>> {
            let found = self.0.lock().unwrap().get(&hash).cloned();
            async { Ok(found) }.boxed()
        }
        fn list(
            &self,
            filter: SessionFilter,
        ) -> BoxFuture<'_, Result<Vec<SessionRecord>, ApiError>> {
            let all: Vec<_> = self.0.lock().unwrap().values().cloned().collect();
            let wanted = |record: &SessionRecord| {
                filter.name.as_ref().is_none_or(|name| *name == record.name)
                    && filter.kind.is_none_or(|kind| kind == record.kind)
            };
            let found: Vec<_> = all.into_iter().filter(wanted).collect();
            async { Ok(found) }.boxed()
        }
        fn used(&self, hash: [u8; 32], at: UnixSeconds) -> BoxFuture<'_, Result<(), ApiError>> {
            if let Some(record) = self.0.lock().unwrap().get_mut(&hash) {
                record.last_used_at = at;
            }
            async { Ok(()) }.boxed()
        }
        fn users(&self, _name: Option<String>) -> BoxFuture<'_, Result<Vec<UserRecord>, ApiError>> {
            async { Ok(Vec::new()) }.boxed()
        }
        fn order(&self, _order: Order) -> BoxFuture<'_, Result<i64, CommandError>> {
            async { Err(CommandError::UserNotFound) }.boxed()
        }
        fn sign_in(&self, _sign_in: SignIn) -> BoxFuture<'_, Result<(), CommandError>> {
            async { Err(CommandError::UserNotFound) }.boxed()
        }
        fn put(&self, record: SessionRecord) -> BoxFuture<'_, Result<(), ApiError>> {
            self.0.lock().unwrap().insert(record.token_hash, record);
            async { Ok(()) }.boxed()
        }
        fn remove(
            &self,
            hash: [u8; 32],
            _of: Option<&SessionRecord>,
        ) -> BoxFuture<'_, Result<(), ApiError>> {
            self.0.lock().unwrap().remove(&hash);
            async { Ok(()) }.boxed()
        }
    }

    pub(in crate::http) fn gate(pairs: &[(&str, &str)], shelf: &Shelf, clock: &Clock) -> Gate {
        let base = [
            ("KATTILA_PSK", "kattila-test-psk-000000000000000"),
            ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN),
        ];
        let values = Values::from_pairs(base.into_iter().chain(pairs.iter().copied()));
        let config = Config::load(&values).unwrap();
        Gate::new(&config, Box::new(shelf.clone()), (clock.clone(), Guise::of([7; 32])))
    }

    /// From this host.
    pub(in crate::http) fn here() -> Arrival {
        Arrival { source: None, channel: Channel::Local, vouched: None }
    }

    fn clock() -> Clock {
        Clock::manual(UnixSeconds(1_800_000_000))
    }

    fn with(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn bearing(secret: &str) -> HeaderMap {
        with(&[(header::AUTHORIZATION, &format!("Bearer {secret}"))])
    }

    fn cookied(secret: &str) -> HeaderMap {
        with(&[(header::COOKIE, &format!("kattila={secret}"))])
    }

    #[tokio::test]
    async fn strangers_are_nobody_unless_they_may_look() {
        let closed = gate(&[], &Shelf::default(), &clock());
        assert!(closed.admit(&HeaderMap::new(), &here()).await.unwrap().is_none());
        let open = gate(&[("KATTILA_ANONYMOUS_ROLE", "viewer")], &Shelf::default(), &clock());
        let caller = open.admit(&HeaderMap::new(), &here()).await.unwrap().unwrap();
        assert_eq!((caller.role, caller.form_token()), (Role::Viewer, None));
        let wrong = open.admit(&bearing("wrong"), &here()).await.unwrap_err();
        assert_eq!(wrong.code(), ErrorCode::Unauthenticated, "a wrong token is never a stranger");
    }

    #[tokio::test]
    async fn a_token_becomes_a_session_that_survives_a_restart() {
        let (shelf, clock) = (Shelf::default(), clock());
        let first = gate(&[], &shelf, &clock);
        let admin = first.admit(&bearing(ADMIN_TOKEN), &here()).await.unwrap().unwrap();
        assert_eq!((admin.role, admin.way), (Role::Admin, Way::Bearer { token: None }));
        assert!(first.sign_in("wrong", &here()).await.unwrap().is_none());
        let session = first.sign_in(ADMIN_TOKEN, &here()).await.unwrap().unwrap();
        let second = gate(&[], &shelf, &clock);
        let caller = second.admit(&cookied(&session), &here()).await.unwrap().unwrap();
        assert_eq!(caller.role, Role::Admin);
        assert_eq!(caller.form_token(), Some(token::form_token(&session).as_str()));
        assert!(second.still_good(&caller));
        second.sign_out(&cookied(&session), Channel::Local).await.unwrap();
        assert!(second.admit(&cookied(&session), &here()).await.unwrap().is_none());
        assert!(!second.still_good(&caller));
        assert!(
            gate(&[], &shelf, &clock).admit(&cookied(&session), &here()).await.unwrap().is_none()
        );
    }

    #[tokio::test]
    async fn sessions_are_no_tokens_and_tokens_no_sessions() {
        let (shelf, clock) = (Shelf::default(), clock());
        let gate = gate(&[], &shelf, &clock);
        let session = gate.sign_in(ADMIN_TOKEN, &here()).await.unwrap().unwrap();
        assert!(gate.admit(&bearing(&session), &here()).await.is_err());
        assert!(gate.admit(&cookied(ADMIN_TOKEN), &here()).await.unwrap().is_none());
        let (made, record) = token::api_token("ci", Role::Operator, clock.now()).unwrap();
        gate.add_token(record).await.unwrap();
        assert_eq!(
            gate.admit(&bearing(&made), &here()).await.unwrap().unwrap().role,
            Role::Operator
        );
        assert!(gate.admit(&cookied(&made), &here()).await.unwrap().is_none());
        let both = with(&[
            (header::AUTHORIZATION, &format!("Bearer {ADMIN_TOKEN}")),
            (header::COOKIE, &format!("kattila={}", session.as_str())),
        ]);
        assert!(gate.admit(&both, &here()).await.is_err());
    }

    #[tokio::test]
    async fn idle_sessions_end_in_the_store_too() {
        let (shelf, clock) = (Shelf::default(), clock());
        let first = gate(&[], &shelf, &clock);
        let session = first.sign_in(ADMIN_TOKEN, &here()).await.unwrap().unwrap();
        clock.set(clock.now().plus(31 * 60));
        assert!(
            gate(&[], &shelf, &clock).admit(&cookied(&session), &here()).await.unwrap().is_none()
        );
        assert!(shelf.0.lock().unwrap().is_empty());
        assert!(first.admit(&cookied(&session), &here()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn nobody_signs_in_over_plain_http_from_elsewhere() {
        let shelf = Shelf::default();
        let wide = gate(&[("KATTILA_LISTEN", "0.0.0.0:5086")], &shelf, &clock());
        let plain = Arrival { channel: Channel::Plain, ..here() };
        let error = wide.sign_in(ADMIN_TOKEN, &plain).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Forbidden);
        let sealed = Arrival { channel: Channel::Tls, ..here() };
        assert!(wide.sign_in(ADMIN_TOKEN, &sealed).await.unwrap().is_some());
        let consented = gate(&[("KATTILA_INSECURE_HTTP", "1")], &shelf, &clock());
        assert!(consented.sign_in(ADMIN_TOKEN, &plain).await.unwrap().is_some());
        assert!(wide.admit(&bearing(ADMIN_TOKEN), &here()).await.unwrap().is_some());
    }
}
