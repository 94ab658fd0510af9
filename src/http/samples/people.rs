//! Samples of users, sessions and tokens.

use serde_json::json;

use crate::http::operators::OK;
use crate::http::operators::people::{Coded, UserView};
use crate::http::operators::sessions::SessionView;
use crate::http::operators::shares::{MadeShare, ShareView};
use crate::http::operators::tokens::MadeToken;
use crate::model::id::FleetId;
use crate::views::people::TokenItem;

use super::{JSON, LIMIT, LIMITED, NOW, Parameter, Sample, list, text, value};

const SESSION_QUERY: &[Parameter] =
    &[text("name", "Only of this name; for admins, others have their own"), LIMIT];

/// The sample of a route about who may come in.
pub(super) fn of(method: &str, path: &str) -> Option<Sample> {
    let none: &[Parameter] = &[];
    let (summary, query, body, status, answer) = match (method, path) {
        ("GET", "/api/v1/users") => ("Users, by name", none, None, "200", list(&user())),
        ("GET", "/api/v1/users/{id}") => {
            ("One user; the id is their name", none, None, "200", value(&user()))
        }
        ("POST", "/api/v1/users") => (
            "Add a user; without a password a setup code is made",
            none,
            Some(json!({"name": "kim", "role": "viewer", "fleets": ["lab"], "masked": true})),
            "201",
            value(&coded()),
        ),
        ("GET", "/api/v1/sessions") => {
            ("One's own sessions; for admins all", SESSION_QUERY, None, "200", list(&session()))
        }
        ("DELETE", "/api/v1/sessions/{id}") => {
            ("End a session: one's own, or for admins any", none, None, "200", value(&OK))
        }
        ("GET", "/api/v1/tokens") => {
            ("Tokens of programs, newest first", LIMITED, None, "200", list(&known_token()))
        }
        ("POST", "/api/v1/tokens") => (
            "Make a token; without for_s it works until it is revoked",
            none,
            Some(
                json!({"name": "ci", "role": "viewer", "fleets": ["lab"], "masked": false, "for_s": 7_776_000}),
            ),
            "201",
            value(&token()),
        ),
        ("GET", "/api/v1/shares") => (
            "Shared links that show what the caller sees, newest first",
            LIMITED,
            None,
            "200",
            list(&share()),
        ),
        ("POST", "/api/v1/shares") => (
            "Share a view with whoever holds the link; its path is told this once",
            none,
            Some(
                json!({"view": "/map?q=state:down", "fleets": ["lab"], "for_s": 604_800, "named": true, "masked": false}),
            ),
            "201",
            value(&made_share()),
        ),
        ("DELETE", "/api/v1/shares/{id}") => {
            ("Take a shared link back", none, None, "200", value(&OK))
        }
        ("DELETE", "/api/v1/tokens/{id}") => ("Revoke a token", none, None, "200", value(&OK)),
        ("DELETE", "/api/v1/users/{id}") => ("Forget a user", none, None, "200", value(&OK)),
        ("POST", path) => return about_user(path),
        _ => return None,
    };
    Some(Sample { summary, query, body, status, kind: JSON, answer })
}

fn about_user(path: &str) -> Option<Sample> {
    let (summary, body, answer) = match path {
        "/api/v1/users/{id}/role" => {
            ("Give a user a role", Some(json!({"role": "operator"})), value(&OK))
        }
        "/api/v1/users/{id}/fleets" => (
            "Say which fleets a user sees; none: all",
            Some(json!({"fleets": ["lab", "office"]})),
            value(&OK),
        ),
        "/api/v1/users/{id}/mask" => (
            "Give a user pseudonyms instead of names and addresses, or not any more",
            Some(json!({"masked": true})),
            value(&OK),
        ),
        "/api/v1/users/{id}/disable" => ("Keep a user out", None, value(&OK)),
        "/api/v1/users/{id}/enable" => ("Let a user in again", None, value(&OK)),
        "/api/v1/users/{id}/end-sessions" => ("End a user's sessions", None, value(&OK)),
        "/api/v1/users/{id}/drop-factor" => ("Take a user's second factor away", None, value(&OK)),
        "/api/v1/users/{id}/reset" => {
            ("Take a user's password away and make a setup code, told once", None, value(&coded()))
        }
        "/api/v1/users/{id}/password" => (
            "Give a user a password",
            Some(json!({"password": "(at least 12 characters)"})),
            value(&OK),
        ),
        _ => return None,
    };
    let query: &[Parameter] = &[];
    Some(Sample { summary, query, body, status: "200", kind: JSON, answer })
}

fn fleets() -> Vec<FleetId> {
    "lab".parse().into_iter().collect()
}

fn user() -> UserView {
    UserView {
        name: "olga".to_owned(),
        role: "admin",
        fleets: Vec::new(),
        masked: false,
        disabled: false,
        password_at: Some(NOW),
        second_factor: false,
        provider: Some("https://id.example.org".to_owned()),
        setup_until: None,
        sessions: 1,
        created_at: NOW,
        created_by: "the setup code".to_owned(),
        last_sign_in_at: Some(NOW),
        last_sign_in_from: Some("192.0.2.7".to_owned()),
    }
}

fn coded() -> Coded {
    Coded {
        name: "kim".to_owned(),
        setup_code: Some("setup_(shown once)".to_owned()),
        setup_until: Some(NOW.plus(86_400)),
    }
}

fn token() -> MadeToken {
    MadeToken {
        id: "71d0000000000001".to_owned(),
        name: "ci".to_owned(),
        role: "viewer",
        fleets: fleets(),
        masked: false,
        expires_at: Some(NOW.plus(7_776_000)),
        token: "kat_(shown once)".to_owned(),
    }
}

fn known_token() -> TokenItem {
    TokenItem {
        id: "71d0000000000001".to_owned(),
        name: "ci".to_owned(),
        role: "viewer".to_owned(),
        fleets: fleets(),
        masked: false,
        created_at: NOW,
        made_by: Some("olga".to_owned()),
        last_used_at: Some(NOW),
        expires_at: Some(NOW.plus(7_776_000)),
    }
}

fn share() -> ShareView {
    ShareView {
        id: "5aa5e00000000001".to_owned(),
        view: "/map?q=state:down".to_owned(),
        fleets: fleets(),
        made_by: "olga".to_owned(),
        named: true,
        masked: false,
        created_at: NOW,
        expires_at: NOW.plus(604_800),
        opened: 2,
        last_opened_at: Some(NOW),
    }
}

fn made_share() -> MadeShare {
    MadeShare {
        id: "5aa5e00000000001".to_owned(),
        path: "/s/(shown once)".to_owned(),
        view: "/map?q=state:down".to_owned(),
        fleets: fleets(),
        expires_at: NOW.plus(604_800),
    }
}

fn session() -> SessionView {
    SessionView {
        id: "9f31c0de00aa17e2".to_owned(),
        name: "olga".to_owned(),
        user: true,
        role: "admin".to_owned(),
        fleets: Vec::new(),
        source: Some("192.0.2.7".to_owned()),
        created_at: NOW,
        last_used_at: NOW,
        expires_at: Some(NOW.plus(43_200)),
        current: true,
    }
}
