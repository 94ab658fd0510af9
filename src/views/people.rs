//! `/users`, `/account` and `/setup`: who may sign in, and one's own sessions and password.

use askama::Template;
use serde::Serialize;

use crate::model::access::Role;
use crate::model::id::FleetId;
use crate::model::time::UnixSeconds;

use super::list::Column;
use super::ordered::{Key, Table};
use super::page::PageContext;
use super::qr::Qr;
use super::text::{Chip, Moment};

/// The roles, the smallest first.
const ROLES: &[&str] = &[Role::Viewer.as_str(), Role::Operator.as_str(), Role::Admin.as_str()];

/// A user.
#[derive(Debug, Clone)]
pub struct UserItem {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Which fleets they see; none: all.
    pub fleets: Vec<FleetId>,
    /// Whether they are given pseudonyms, whatever their role.
    pub masked: bool,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether they have a password.
    pub has_password: bool,
    /// Whether they need a code beside it.
    pub second_factor: bool,
    /// The OpenID provider where they sign in instead.
    pub provider: Option<String>,
    /// When their setup code ends, if they have one.
    pub setup_until: Option<UnixSeconds>,
    /// Sessions they have open.
    pub sessions: usize,
    /// When they last signed in, and from where.
    pub last_sign_in: Option<(UnixSeconds, String)>,
    /// When they were added.
    pub created_at: UnixSeconds,
    /// Who added them.
    pub created_by: String,
}

/// Fleets in one text; nothing for all.
fn listed(fleets: &[FleetId]) -> String {
    fleets.iter().map(FleetId::as_str).collect::<Vec<_>>().join(", ")
}

/// A user as the page shows them.
struct UserLine<'a> {
    item: &'a UserItem,
    state: Chip,
    last: Option<(Moment, &'a str)>,
    added: Moment,
    fleets: String,
}

impl<'a> UserLine<'a> {
    fn of(item: &'a UserItem, now: UnixSeconds) -> Self {
        let coded = item.setup_until.is_some_and(|until| until > now);
        let comes_in = item.has_password || item.provider.is_some();
        let state = match (item.disabled, comes_in, coded) {
            (true, _, _) => Chip::plain("down", "Disabled"),
            (false, true, _) => Chip::plain("up", "Active"),
            (false, false, true) => Chip::plain("late", "Has a setup code"),
            (false, false, false) => Chip::plain("stale", "Needs a setup code"),
        };
        let last = item.last_sign_in.as_ref();
        Self {
            item,
            state,
            last: last.map(|(at, from)| (Moment::ago(*at, now), from.as_str())),
            added: Moment::ago(item.created_at, now),
            fleets: listed(&item.fleets),
        }
    }
}

/// A setup code that was made now; shown this once.
#[derive(Clone)]
pub struct MadeCode {
    /// Whose.
    pub name: String,
    /// The code.
    pub code: String,
    /// When it ends.
    pub until: UnixSeconds,
}

impl std::fmt::Debug for MadeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeCode({} until {})", self.name, self.until)
    }
}

/// What was done just now, told on the page.
#[derive(Clone)]
pub enum News {
    /// Nothing.
    None,
    /// A setup code was made; shown this once.
    Code(MadeCode),
    /// A token was made; shown this once.
    Token {
        /// Whose it is.
        name: String,
        /// The token.
        token: String,
    },
    /// It could not be done, and why.
    Failed(String),
}

impl std::fmt::Debug for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Code(_) => "Code(...)",
            Self::Token { .. } => "Token(...)",
            Self::Failed(_) => "Failed",
        })
    }
}

/// A token of a program; what is known of it.
#[derive(Debug, Clone, Serialize)]
pub struct TokenItem {
    /// Names it.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// Which fleets it sees; none: all.
    pub fleets: Vec<FleetId>,
    /// Whether it is given pseudonyms, whatever its role.
    pub masked: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Who made it, if that is known.
    pub made_by: Option<String>,
    /// When it was last used, to the minute; `null`: never.
    pub last_used_at: Option<UnixSeconds>,
    /// When it ends; `null`: it does not.
    pub expires_at: Option<UnixSeconds>,
}

/// A token as the page shows it.
struct TokenLine<'a> {
    item: &'a TokenItem,
    made: Moment,
    used: Option<Moment>,
    ends: Option<Moment>,
    fleets: String,
}

impl<'a> TokenLine<'a> {
    fn of(item: &'a TokenItem, now: UnixSeconds) -> Self {
        let moment = |at| Moment::ago(at, now);
        Self {
            item,
            made: moment(item.created_at),
            used: item.last_used_at.map(moment),
            ends: item.expires_at.map(moment),
            fleets: listed(&item.fleets),
        }
    }
}

/// How long a token may work, as offered: seconds and words.
const LIVES: &[(&str, &str)] = &[
    ("2592000", "30 days"),
    ("7776000", "90 days"),
    ("31536000", "a year"),
    ("", "until revoked"),
];

const USERS: [Column; 7] = [
    ("name", "Name", ""),
    ("role", "Role", ""),
    ("state", "State", ""),
    ("last", "Last sign-in", "optional"),
    ("sessions", "Sessions", "optional"),
    ("added", "Added", "optional"),
    ("", "Change", ""),
];

fn user_key(by: &str, line: &UserLine<'_>) -> Key {
    let item = line.item;
    match by {
        "role" => item.role.as_str().into(),
        "state" => line.state.word().into(),
        "last" => item.last_sign_in.as_ref().map(|(at, _)| *at).into(),
        "sessions" => item.sessions.into(),
        "added" => item.created_at.into(),
        _ => item.name.as_str().into(),
    }
}

const TOKENS: [Column; 6] = [
    ("name", "Name", ""),
    ("role", "Role", ""),
    ("used", "Last used", "optional"),
    ("ends", "Ends", "optional"),
    ("made", "Made", "optional"),
    ("", "Revoke", ""),
];

fn token_key(by: &str, TokenLine { item, .. }: &TokenLine<'_>) -> Key {
    match by {
        "role" => item.role.as_str().into(),
        "used" => item.last_used_at.into(),
        "ends" => item.expires_at.into(),
        "made" => item.created_at.into(),
        _ => item.name.as_str().into(),
    }
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage<'a> {
    ctx: &'a PageContext,
    users: Table<UserLine<'a>>,
    tokens: Table<TokenLine<'a>>,
    roles: &'static [&'static str],
    lives: &'static [(&'static str, &'static str)],
    news: &'a News,
}

/// The page of users and tokens.
///
/// # Errors
/// If the template cannot be rendered.
pub fn users(
    ctx: &PageContext,
    (users, tokens): (&[UserItem], &[TokenItem]),
    news: &News,
) -> Result<String, askama::Error> {
    let users: Vec<_> = users.iter().map(|user| UserLine::of(user, ctx.now)).collect();
    let tokens: Vec<_> = tokens.iter().map(|token| TokenLine::of(token, ctx.now)).collect();
    let by_name = |line: &UserLine<'_>| line.item.name.clone();
    let users = ctx.orders.table(("", "/users"), &USERS, users, (by_name, user_key));
    let by_id = |line: &TokenLine<'_>| line.item.id.clone();
    let tokens = ctx.orders.table(("tokens_", "/users"), &TOKENS, tokens, (by_id, token_key));
    UsersPage { ctx, users, tokens, roles: ROLES, lives: LIVES, news }.render()
}

/// A session of the reader.
#[derive(Debug, Clone)]
pub struct SessionItem {
    /// Its id.
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// The address it was opened from.
    pub source: Option<String>,
    /// When it began.
    pub created_at: UnixSeconds,
    /// When it was last used.
    pub last_used_at: UnixSeconds,
    /// When it ends at the latest.
    pub expires_at: Option<UnixSeconds>,
}

struct SessionLine<'a> {
    id: &'a str,
    current: bool,
    from: &'a str,
    began: Moment,
    used: Moment,
    ends: Option<Moment>,
    at: [UnixSeconds; 2],
    expires_at: Option<UnixSeconds>,
}

const SESSIONS: [Column; 6] = [
    ("id", "Session", ""),
    ("from", "From", "optional"),
    ("began", "Began", "optional"),
    ("used", "Last used", ""),
    ("ends", "Ends", "optional"),
    ("", "End", ""),
];

/// The reader's account.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    /// Whether they are a user, and so have a password.
    pub user: bool,
    /// What they may do.
    pub role: Role,
    /// Which fleets they see, in words.
    pub fleets: &'a str,
    /// Whether they are given pseudonyms.
    pub masked: bool,
    /// Their sessions.
    pub sessions: &'a [SessionItem],
    /// How many recovery codes are left, for who has a second factor.
    pub factor: Option<usize>,
    /// What could not be done.
    pub failed: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    ctx: &'a PageContext,
    user: bool,
    role: Role,
    fleets: &'a str,
    masked: bool,
    sessions: Table<SessionLine<'a>>,
    factor: Option<usize>,
    failed: Option<&'a str>,
}

/// The page of the reader's account.
///
/// # Errors
/// If the template cannot be rendered.
pub fn account(ctx: &PageContext, account: &Account<'_>) -> Result<String, askama::Error> {
    let moment = |at| Moment::ago(at, ctx.now);
    let lines = account.sessions.iter().map(|item| SessionLine {
        id: &item.id,
        current: item.current,
        from: item.source.as_deref().unwrap_or("not known"),
        began: moment(item.created_at),
        used: moment(item.last_used_at),
        ends: item.expires_at.map(moment),
        at: [item.created_at, item.last_used_at],
        expires_at: item.expires_at,
    });
    let Account { user, role, fleets, masked, factor, failed, .. } = *account;
    let id = |line: &SessionLine<'_>| line.id.to_owned();
    let key = |by: &str, line: &SessionLine<'_>| match by {
        "from" => line.from.into(),
        "began" => line.at[0].into(),
        "used" => line.at[1].into(),
        "ends" => line.expires_at.into(),
        _ => line.id.into(),
    };
    let sessions = ctx.orders.table(("", "/account"), &SESSIONS, lines.collect(), (id, key));
    AccountPage { ctx, user, role, fleets, masked, sessions, factor, failed }.render()
}

/// Where somebody stands on the way to a second factor.
#[derive(Clone)]
pub enum FactorStep {
    /// The secret is shown, and its first code asked for.
    Enrol {
        /// The secret as people type it.
        secret: String,
        /// The same for an app.
        uri: String,
        /// That as a QR code.
        qr: Option<Qr>,
        /// Why the code was not taken.
        failed: Option<String>,
    },
    /// It is in use; the recovery codes are shown.
    Enrolled(Vec<String>),
}

impl std::fmt::Debug for FactorStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Enrol { .. } => "Enrol(...)",
            Self::Enrolled(_) => "Enrolled(...)",
        })
    }
}

#[derive(Template)]
#[template(path = "factor.html")]
struct FactorPage<'a> {
    ctx: &'a PageContext,
    step: &'a FactorStep,
}

/// The page of the way to a second factor.
///
/// # Errors
/// If the template cannot be rendered.
pub fn factor(ctx: &PageContext, step: &FactorStep) -> Result<String, askama::Error> {
    FactorPage { ctx, step }.render()
}

/// The form with which a password is chosen.
#[derive(Debug, Clone, Copy)]
pub struct SetupForm<'a> {
    /// Whether there may be no user yet.
    pub first: bool,
    /// Whose it is.
    pub name: &'a str,
    /// Why it was not taken.
    pub failed: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage<'a> {
    ctx: &'a PageContext,
    form: &'a SetupForm<'a>,
}

/// The page where a password is chosen.
///
/// # Errors
/// If the template cannot be rendered.
pub fn set_up(ctx: &PageContext, form: &SetupForm<'_>) -> Result<String, askama::Error> {
    SetupPage { ctx, form }.render()
}

#[cfg(test)]
mod tests;
