//! `/login`: one field, one sentence for every failure.

use askama::Template;

use super::page::PageContext;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    ctx: &'a PageContext,
    failed: Option<&'a str>,
    next: &'a str,
}

/// The page. `failed` is the one sentence for a refused sign-in (or for too many of them);
/// `next` the page wanted, which is used only if it is a path on this host.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, failed: Option<&str>, next: &str) -> Result<String, askama::Error> {
    LoginPage { ctx, failed, next: local_path(next) }.render()
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
        let html = page(&ctx, Some("This token is not accepted."), "/alarms").expect("rendered");
        assert_eq!(html.matches("This token is not accepted.").count(), 1);
        assert!(html.contains("autocomplete=\"current-password\""));
        assert!(html.contains("name=\"next\" value=\"/alarms\""));
        assert!(html.contains("not encrypted") && !html.contains("<nav"));
    }
}
