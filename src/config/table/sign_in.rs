//! The manager's settings about proxies and about signing in elsewhere.

use super::{Setting, setting};

/// The settings, in the order of the documentation.
pub const SIGN_IN: &[Setting] = &[
    setting(
        "KATTILA_TRUSTED_PROXIES",
        Some("trusted-proxies"),
        "CIDR[,CIDR...]",
        None,
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed",
    ),
    setting(
        "KATTILA_PROXY_USER_HEADER",
        Some("proxy-user-header"),
        "NAME",
        None,
        "Header in which those proxies name the user whom they have let in, such as Remote-User",
    ),
];
