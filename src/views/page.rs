//! What all pages share: the bar at the top, the theme, and who is looking.

use std::collections::BTreeMap;

use crate::model::access::Role;
use crate::model::id::{AlarmId, FleetId, ReportId};
use crate::model::time::UnixSeconds;

use super::assets;
use super::names::Names;
use super::ordered::Orders;
use super::text::Moment;
use super::then::Viewing;

/// The entry of the top bar a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// The map.
    Map,
    /// Agents and their pages.
    Agents,
    /// Links and their pages.
    Links,
    /// Ways through the network.
    Paths,
    /// Alarms.
    Alarms,
    /// Stored and refused reports.
    Reports,
    /// The history.
    Events,
    /// Settings.
    Settings,
    /// None of them: sign-in and errors.
    Nowhere,
}

/// Light, dark, or as the reader's system is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The theme that the cookie `kattila_theme` names; anything unknown is [`Theme::Auto`].
    pub fn from_cookie(value: &str) -> Self {
        match value {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// The word in `data-theme`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// What every page is told beside its own content.
#[derive(Debug, Clone)]
pub struct PageContext {
    /// The page's name, before " - Kattila".
    pub title: String,
    /// Its place in the top bar.
    pub nav: Nav,
    /// What the reader may do; `None` for strangers, who see pages without the bar's entries.
    pub role: Option<Role>,
    /// Whether the reader signed in (and so can sign out).
    pub signed_in: bool,
    /// The name they signed in by.
    pub who: String,
    /// The token every form must bring back; `None` for readers who cannot change anything.
    pub form_token: Option<String>,
    /// Whether the reader sees everything, the manager itself included.
    pub whole: bool,
    /// Whether names and addresses on the page are pseudonyms.
    pub masked: bool,
    /// Colours.
    pub theme: Theme,
    /// Alarms that are active and not acknowledged.
    pub alarms_open: usize,
    /// Channels that do not take the messages about alarms.
    pub channels_failing: Vec<String>,
    /// The present second.
    pub now: UnixSeconds,
    /// `/static/HASH`, before the path of every asset.
    pub asset_base: String,
    /// The manager's version.
    pub version: String,
    /// Names this answer in the log.
    pub request_id: String,
    /// The second that the page shows, if that is not the present.
    pub then: Option<Viewing>,
    /// Open alarms whose witnesses are silent, and since when.
    pub unheard: BTreeMap<AlarmId, UnixSeconds>,
    /// Names of the agents that the page tells of.
    pub names: Names,
    /// Whether to warn that passwords travel unencrypted.
    pub plain_http_warning: bool,
    /// The shared link that the reader came by, if they did.
    pub visit: Option<Visit>,
    /// For how many days a link can be shared; none: not at all.
    pub share_days: u32,
    /// What came of the form that led here.
    pub told: Option<String>,
    /// How the address asks for the tables of the page.
    pub orders: Orders,
    /// Fewest characters of a password that is chosen.
    pub password_min: usize,
}

/// A shared link, as its visitors are told of it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who made it, if that is to be told.
    pub by: Option<String>,
    /// What it shows.
    pub fleets: Vec<FleetId>,
    /// When it ends.
    pub until: UnixSeconds,
}

impl Visit {
    /// The fleets in words.
    pub fn fleets(&self) -> String {
        let names: Vec<&str> = self.fleets.iter().map(FleetId::as_str).collect();
        let word = if names.len() == 1 { "fleet" } else { "fleets" };
        format!("{word} {}", names.join(", "))
    }
}

/// One entry of the top bar.
#[derive(Debug, Clone, Copy)]
pub struct NavItem {
    /// Where it leads.
    pub href: &'static str,
    /// Its word.
    pub label: &'static str,
    /// Whether the reader is there.
    pub current: bool,
    /// Whether it carries the count of open alarms.
    pub counts_alarms: bool,
    /// Whether it stands behind "More" where there is no room for all.
    pub minor: bool,
}

impl PageContext {
    /// What a page is told that is for nobody known, of a manager of which nothing is known.
    pub fn of_nobody(title: impl Into<String>, now: UnixSeconds) -> Self {
        Self {
            title: title.into(),
            nav: Nav::Nowhere,
            role: None,
            signed_in: false,
            who: String::new(),
            form_token: None,
            whole: false,
            masked: false,
            theme: Theme::Auto,
            alarms_open: 0,
            channels_failing: Vec::new(),
            now,
            asset_base: assets::base().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            request_id: String::new(),
            then: None,
            unheard: BTreeMap::new(),
            names: Names::default(),
            plain_http_warning: false,
            visit: None,
            share_days: 0,
            told: None,
            orders: Orders::default(),
            password_min: 0,
        }
    }

    /// Where a report is shown; nowhere for who is given pseudonyms, since it is shown as signed.
    pub fn report_href(&self, id: ReportId) -> Option<String> {
        (!self.masked).then(|| format!("/reports/{id}"))
    }

    /// The entries of the top bar, for readers who may see anything at all.
    pub fn nav_items(&self) -> Vec<NavItem> {
        if self.role.is_none() {
            return Vec::new();
        }
        [
            (Nav::Map, "/map", "Map"),
            (Nav::Agents, "/agents", "Agents"),
            (Nav::Links, "/links", "Links"),
            (Nav::Paths, "/paths", "Paths"),
            (Nav::Alarms, "/alarms", "Alarms"),
            (Nav::Reports, "/reports", "Reports"),
            (Nav::Events, "/events", "Events"),
            (Nav::Settings, "/settings", "Settings"),
        ]
        .into_iter()
        .filter(|(nav, ..)| self.whole || *nav != Nav::Settings)
        .filter(|(nav, ..)| self.visit.is_none() || *nav != Nav::Reports)
        .map(|(nav, href, label)| NavItem {
            href,
            label,
            current: nav == self.nav,
            counts_alarms: nav == Nav::Alarms,
            minor: matches!(nav, Nav::Paths | Nav::Reports | Nav::Events | Nav::Settings),
        })
        .collect()
    }

    /// Whether this page is one of those behind "More" where there is no room for all.
    pub fn in_more(&self) -> bool {
        self.nav_items().iter().any(|item| item.minor && item.current)
    }

    /// The query that leads to other pages about the same time; nothing for the present.
    pub fn at(&self) -> String {
        self.then.as_ref().map(|then| format!("?at={}", then.at)).unwrap_or_default()
    }

    /// When what this page shows of a node or link was learnt, if that was later than the time.
    pub fn learnt(&self, id: &str) -> Option<Moment> {
        self.then.as_ref()?.learnt(id, self.now)
    }

    /// Whether the reader may acknowledge and clear alarms on this page.
    pub fn can_act(&self) -> bool {
        self.role >= Some(Role::Operator) && self.form_token.is_some()
    }

    /// Whether the reader may share a link on this page.
    pub fn can_share(&self) -> bool {
        self.can_act() && self.share_days > 0 && !self.masked
    }

    /// Whether the reader may approve and reset agents on this page.
    pub fn can_admin(&self) -> bool {
        self.role == Some(Role::Admin) && self.form_token.is_some()
    }

    /// Whether to offer signing in: not on the sign-in page itself or on errors before it.
    pub fn offers_sign_in(&self) -> bool {
        !self.signed_in && self.nav != Nav::Nowhere
    }

    /// The form token, or nothing.
    pub fn token(&self) -> &str {
        self.form_token.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::samples::context;

    #[test]
    fn strangers_see_no_entries_and_viewers_cannot_act() {
        let mut ctx = context("Map", Nav::Map);
        assert!(ctx.can_act() && ctx.can_admin());
        assert_eq!(ctx.nav_items().iter().filter(|item| item.current).count(), 1);
        ctx.whole = false;
        assert!(ctx.nav_items().iter().all(|item| item.href != "/settings"), "they are not theirs");
        ctx.role = Some(Role::Operator);
        assert!(ctx.can_act() && !ctx.can_admin());
        ctx.role = Some(Role::Viewer);
        assert!(!ctx.can_act());
        ctx.role = None;
        assert!(ctx.nav_items().is_empty());
    }

    #[test]
    fn an_unknown_theme_follows_the_system() {
        assert_eq!(Theme::from_cookie("dark").as_str(), "dark");
        assert_eq!(Theme::from_cookie("\"><script>").as_str(), "auto");
    }
}
