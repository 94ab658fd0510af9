//! `/login`: a name and a password, or a token; one sentence for every failure.

use askama::Template;

use super::page::PageContext;

/// What the form is like.
#[derive(Debug, Clone, Copy)]
pub struct LoginForm<'a> {
    /// Whether there are users; without any, only a token opens the door.
    pub users: bool,
    /// Whether the first user can be made with a setup code.
    pub setup: bool,
    /// Whether a token was tried, rather than a name.
    pub with_token: bool,
    /// The name that was tried.
    pub name: &'a str,
    /// The page wanted, which is used only if it is a path on this host.
    pub next: &'a str,
    /// Whom a trusted proxy has let in; empty for a name that can be nobody's here.
    pub vouched: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    ctx: &'a PageContext,
    form: &'a LoginForm<'a>,
    failed: Option<&'a str>,
    next: &'a str,
}

/// The page. `failed` is the one sentence for a refused sign-in, or for too many of them.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    form: &LoginForm<'_>,
    failed: Option<&str>,
) -> Result<String, askama::Error> {
    LoginPage { ctx, form, failed, next: local_path(form.next) }.render()
}

/// `next` if it leads to a page of this manager, else the map. A second slash (or a backslash,
/// which browsers read as one) would lead to another host.
pub fn local_path(next: &str) -> &str {
    let mut characters = next.chars();
    let rooted = characters.next() == Some('/');
    let second = characters.next();
    let foreign = matches!(second, Some('/' | '\\')) || next.contains(char::is_control);
    if rooted && !foreign { next } else { "/map" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    #[test]
    fn sign_in_leads_to_pages_of_this_manager_only() {
        for bad in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb"] {
            assert_eq!(local_path(bad), "/map", "{bad}");
        }
        assert_eq!(local_path("/agents?q=a"), "/agents?q=a");
    }

    #[test]
    fn a_failure_is_told_once_and_nothing_is_prefilled() {
        let mut ctx = context("Sign in", Nav::Nowhere);
        ctx.role = None;
        ctx.plain_http_warning = true;
        let form = LoginForm {
            users: false,
            setup: false,
            with_token: true,
            name: "",
            next: "/alarms",
            vouched: None,
        };
        let html = page(&ctx, &form, Some("This token is not accepted.")).expect("rendered");
        assert_eq!(html.matches("This token is not accepted.").count(), 1);
        assert!(html.contains("autocomplete=\"current-password\""));
        assert!(html.contains("name=\"next\" value=\"/alarms\""));
        assert!(html.contains("not encrypted") && !html.contains("<nav"));
    }

    #[test]
    fn whom_a_proxy_let_in_continues_by_a_button() {
        let ctx = context("Sign in", Nav::Nowhere);
        let form = LoginForm {
            users: true,
            setup: false,
            with_token: false,
            name: "",
            next: "/alarms",
            vouched: Some("olga"),
        };
        let html = page(&ctx, &form, None).expect("rendered");
        assert!(html.contains("action=\"/login/proxy\"") && html.contains("Continue as olga"));
        let nobody = page(&ctx, &LoginForm { vouched: Some(""), ..form }, None).expect("rendered");
        assert!(!nobody.contains("/login/proxy") && nobody.contains("cannot be one"));
    }

    #[test]
    fn people_sign_in_by_name_and_tokens_stay_at_hand() {
        let mut ctx = context("Sign in", Nav::Nowhere);
        ctx.role = None;
        let form = LoginForm {
            users: true,
            setup: false,
            with_token: false,
            name: "olga",
            next: "/",
            vouched: None,
        };
        let html = page(&ctx, &form, Some("no")).expect("rendered");
        assert!(html.contains("name=\"name\" value=\"olga\""));
        assert!(html.contains("autocomplete=\"username\"") && html.contains("name=\"token\""));
        let first = LoginForm { users: false, setup: true, name: "", ..form };
        assert!(page(&ctx, &first, None).expect("rendered").contains("href=\"/setup\""));
    }
}
