//! The manager's settings about how much people see, about proxies and about signing in elsewhere.

use super::{Setting, setting};

/// The settings, in the order of the documentation.
pub const SIGN_IN: &[Setting] = &[
    setting(
        "KATTILA_SHARE_DAYS",
        Some("share-days"),
        "DAYS",
        Some("90"),
        "How long a shared link may work at most; 0 lets nobody share any",
    ),
    setting(
        "KATTILA_PASSWORD_MIN",
        Some("password-min"),
        "CHARS",
        Some("12"),
        "Fewest characters of a password that is chosen from now on, 8 to 64",
    ),
    setting(
        "KATTILA_MASK_ROLES",
        Some("mask-roles"),
        "ROLE,..",
        None,
        "Roles that are given pseudonyms instead of names and addresses: viewer, operator",
    ),
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
    setting(
        "KATTILA_OIDC_ISSUER",
        Some("oidc-issuer"),
        "URL",
        None,
        "OpenID provider where people can sign in as well",
    ),
    setting(
        "KATTILA_OIDC_CLIENT_ID",
        Some("oidc-client-id"),
        "ID",
        None,
        "Who this manager is to the provider",
    ),
    setting(
        "KATTILA_OIDC_CLIENT_SECRET",
        None,
        "SECRET",
        None,
        "What proves that to the provider; none for a public client",
    ),
    setting(
        "KATTILA_OIDC_CLIENT_SECRET_FILE",
        Some("oidc-client-secret-file"),
        "FILE",
        None,
        "File that holds that secret",
    ),
    setting(
        "KATTILA_OIDC_ROLES",
        Some("oidc-roles"),
        "VALUE=ROLE[,...]",
        None,
        "Which values of the role claim mean viewer, operator or admin; * for anybody, and nobody else comes in",
    ),
    setting(
        "KATTILA_OIDC_FLEETS",
        Some("oidc-fleets"),
        "VALUE=FLEET[,...]",
        None,
        "Which fleets those values let people see, at each sign-in; * for anybody, and for all fleets",
    ),
    setting(
        "KATTILA_OIDC_ROLE_CLAIM",
        Some("oidc-role-claim"),
        "CLAIM",
        Some("groups"),
        "Claim that tells what somebody may do; dots lead into others",
    ),
    setting(
        "KATTILA_OIDC_NAME_CLAIM",
        Some("oidc-name-claim"),
        "CLAIM",
        Some("preferred_username"),
        "Claim that becomes the user's name",
    ),
    setting(
        "KATTILA_OIDC_SCOPES",
        Some("oidc-scopes"),
        "SCOPES",
        Some("openid profile"),
        "What is asked of the provider",
    ),
    setting(
        "KATTILA_OIDC_CA",
        Some("oidc-ca"),
        "FILE",
        None,
        "Authorities (PEM) of the provider's certificate instead of the system's",
    ),
    setting(
        "KATTILA_PUBLIC_URL",
        Some("public-url"),
        "URL",
        None,
        "Address of this manager as the provider sends browsers back to it; unset, what browsers ask for",
    ),
];
