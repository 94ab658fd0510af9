//! Made-up users and sessions.

use crate::model::access::Role;
use crate::views::people::{SessionItem, TokenItem, UserItem};

use super::NOW;

pub(in crate::views) fn people() -> Vec<UserItem> {
    let user = |name: &str, role, sessions| UserItem {
        name: name.to_owned(),
        role,
        fleets: Vec::new(),
        masked: false,
        disabled: false,
        has_password: true,
        second_factor: sessions > 1,
        provider: None,
        setup_until: None,
        sessions,
        last_sign_in: (sessions > 0).then(|| (NOW.minus(4_000), "192.0.2.7".to_owned())),
        created_at: NOW.minus(90 * 86_400),
        created_by: "the setup code".to_owned(),
    };
    let gone = UserItem { disabled: true, ..user("gustav", Role::Operator, 0) };
    let new = UserItem {
        has_password: false,
        setup_until: Some(NOW.plus(80_000)),
        masked: true,
        fleets: ["lab", "office-north"].iter().filter_map(|name| name.parse().ok()).collect(),
        ..user("kim", Role::Viewer, 0)
    };
    let late = UserItem { setup_until: Some(NOW.minus(1)), name: "late".to_owned(), ..new.clone() };
    let foreign = UserItem {
        has_password: false,
        provider: Some("https://id.example.org".to_owned()),
        ..user("ida", Role::Operator, 1)
    };
    vec![gone, foreign, new, late, user("olga@example.org", Role::Admin, 2)]
}

pub(in crate::views) fn tokens() -> Vec<TokenItem> {
    let token = |id: &str, name: &str, role: &str| TokenItem {
        id: id.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        fleets: Vec::new(),
        masked: false,
        created_at: NOW.minus(90 * 86_400),
        made_by: None,
        last_used_at: None,
        expires_at: None,
    };
    let used = TokenItem {
        made_by: Some("olga@example.org".to_owned()),
        last_used_at: Some(NOW.minus(70)),
        fleets: "lab".parse().into_iter().collect(),
        masked: true,
        expires_at: Some(NOW.plus(80 * 86_400)),
        ..token("71d0000000000001", "grafana", "viewer")
    };
    vec![used, token("00c9f2d4a81b66e0", "admin", "admin")]
}

pub(in crate::views) fn sessions() -> Vec<SessionItem> {
    let session = |id: &str, current, source: Option<&str>, ago| SessionItem {
        id: id.to_owned(),
        current,
        source: source.map(str::to_owned),
        created_at: NOW.minus(4_000 + ago),
        last_used_at: NOW.minus(ago),
        expires_at: Some(NOW.plus(39_200 - ago)),
    };
    vec![
        session("9f31c0de00aa17e2", true, Some("192.0.2.7"), 0),
        session("00b7a1d5e2c94f60", false, Some("2001:db8::17"), 900),
        session("71d0000000000001", false, None, 1_200),
    ]
}
