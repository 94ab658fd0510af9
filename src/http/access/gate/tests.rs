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
    fn list(&self, filter: SessionFilter) -> BoxFuture<'_, Result<Vec<SessionRecord>, ApiError>> {
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
    let base =
        [("KATTILA_PSK", "kattila-test-psk-000000000000000"), ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN)];
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
    assert!(gate(&[], &shelf, &clock).admit(&cookied(&session), &here()).await.unwrap().is_none());
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
    assert_eq!(gate.admit(&bearing(&made), &here()).await.unwrap().unwrap().role, Role::Operator);
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
    assert!(gate(&[], &shelf, &clock).admit(&cookied(&session), &here()).await.unwrap().is_none());
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
