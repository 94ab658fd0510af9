//! The page of everything that went wrong: what, what to do, and the number to quote.

use askama::Template;

use super::page::PageContext;
use super::text::encode;

/// What went wrong.
#[derive(Debug, Clone, Copy)]
pub struct Wrong<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a few words.
    pub heading: &'a str,
    /// Why, and what to do.
    pub detail: &'a str,
    /// Seconds after which it may be tried again, if that helps.
    pub retry_after: Option<u32>,
    /// What was asked for, its query included.
    pub path: &'a str,
    /// Whether a form was sent there.
    pub is_form: bool,
}

/// A way on.
struct Onward {
    href: String,
    words: String,
}

/// Pages that forms are on; what stands below one of them leads back there.
const FORMS_ON: [&str; 8] = [
    "/agents",
    "/alarms",
    "/users",
    "/account",
    "/shares",
    "/settings",
    "/maintenance",
    "/notifications",
];

/// The page that a form was on: that of the agent or alarm it was about, or a list.
fn page_of(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').skip(1);
    let list = format!("/{}", parts.next().unwrap_or_default());
    let thing = parts.next().filter(|_| parts.next().is_some());
    match (list.as_str(), thing) {
        ("/agents" | "/alarms", Some(thing)) => format!("{list}/{thing}"),
        ("/tokens", _) => "/users".to_owned(),
        (known, _) if FORMS_ON.contains(&known) => list,
        _ => "/map".to_owned(),
    }
}

impl Wrong<'_> {
    /// What to do, beyond what the detail says.
    fn advice(&self) -> Option<&'static str> {
        match self.status {
            403 => {
                Some("An admin can give you another role, or more fleets, on the page of users.")
            }
            409 => Some(
                "Nothing was changed. Something is otherwise by now than the page you came from \
                 showed it: open it anew, see how it is, and decide again.",
            ),
            500 if self.is_form => {
                Some("Look whether it was done before you try again: it may have been.")
            }
            _ => None,
        }
    }

    /// Where to go from here.
    fn onward(&self, ctx: &PageContext) -> Vec<Onward> {
        let mut ways = Vec::new();
        let mut way =
            |href: String, words: &str| ways.push(Onward { href, words: words.to_owned() });
        match self.status {
            403 if ctx.visit.is_none() => {
                let next = if self.is_form { page_of(self.path) } else { self.path.to_owned() };
                way(format!("/login?next={}", encode(&next)), "Sign in as somebody else");
            }
            409 => way(page_of(self.path), "Open the page anew"),
            429 | 500 | 503 if !self.is_form && !self.path.starts_with("//") => {
                way(self.path.to_owned(), "Try again")
            }
            404 if ctx.role.is_none() => way("/login".to_owned(), "Sign in"),
            _ => {}
        }
        if self.is_form && !matches!(self.status, 403 | 409) {
            way(page_of(self.path), "Back to the page");
        }
        ways
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    ctx: &'a PageContext,
    wrong: &'a Wrong<'a>,
    advice: Option<&'static str>,
    onward: Vec<Onward>,
    /// Whether to offer a search for what is not here.
    searches: bool,
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, wrong: &Wrong<'_>) -> Result<String, askama::Error> {
    let (advice, onward) = (wrong.advice(), wrong.onward(ctx));
    let searches = ctx.role.is_some() && matches!(wrong.status, 404 | 410);
    ErrorPage { ctx, wrong, advice, onward, searches }.render()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::access::Role;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    pub(crate) fn wrong(status: u16) -> Wrong<'static> {
        let (heading, detail) = match status {
            403 => ("Not allowed", "This needs the role admin; yours is viewer."),
            404 => ("There is nothing here", "There is no such agent."),
            409 => ("Not possible as things are", "The agent is approved already."),
            500 => {
                ("Internal error", "The manager failed; its log tells why under this request id.")
            }
            _ => ("Storage is unavailable", "The database does not answer; try again soon."),
        };
        let (path, is_form) = ("/agents/oul-gw2/approve", status == 409);
        let retry_after = (status == 503).then_some(5);
        Wrong { status, heading, detail, retry_after, path, is_form }
    }

    fn html(status: u16) -> String {
        page(&context("Wrong", Nav::Nowhere), &wrong(status)).expect("rendered")
    }

    #[test]
    fn an_error_can_be_quoted_and_says_what_to_do() {
        for (status, wanted) in [
            (403, "An admin can give you another role"),
            (403, "href=\"/login?next=%2Fagents%2Foul-gw2%2Fapprove\""),
            (404, "action=\"/agents\""),
            (409, "Nothing was changed."),
            (409, "<a class=\"button primary\" href=\"/agents/oul-gw2\">Open the page anew</a>"),
            (500, ">Try again</a>"),
            (503, "Worth another try in 5 s."),
        ] {
            let html = html(status);
            assert!(html.contains(wanted), "{status} {wanted}: {html}");
            assert!(html.contains(&status.to_string()) && html.contains("req-1"));
            assert!(html.contains(wrong(status).detail));
        }
        assert!(!html(403).contains("action=\"/agents\""), "what is refused is not searched for");
    }

    #[test]
    fn strangers_are_not_offered_what_they_may_not_see() {
        let mut ctx = context("Wrong", Nav::Nowhere);
        (ctx.role, ctx.signed_in) = (None, false);
        let html = page(&ctx, &wrong(404)).expect("rendered");
        assert!(!html.contains("action=\"/agents\"") && !html.contains("<nav"));
        assert!(html.contains("href=\"/login\">Sign in</a>"));
        ctx.role = Some(Role::Viewer);
        let html = page(&ctx, &wrong(404)).expect("rendered");
        assert!(html.contains("action=\"/agents\"") && html.contains("<nav"));
    }

    #[test]
    fn another_try_never_leads_to_another_host() {
        let elsewhere = Wrong { path: "//evil.example/x", ..wrong(503) };
        let html = page(&context("Wrong", Nav::Nowhere), &elsewhere).expect("rendered");
        assert!(!html.contains("evil.example"), "{html}");
    }

    #[test]
    fn a_form_leads_back_to_its_page() {
        for (path, back) in [
            ("/agents/a%20b/reset", "/agents/a%20b"),
            ("/agents/acknowledge", "/agents"),
            ("/alarms/7/ack?x=1", "/alarms/7"),
            ("/settings/keys/00/revoke", "/settings"),
            ("/tokens/abc/revoke", "/users"),
            ("//evil.example/x", "/map"),
            ("/nowhere", "/map"),
        ] {
            assert_eq!(page_of(path), back, "{path}");
        }
    }
}
