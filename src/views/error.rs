//! The page of everything that went wrong: what, what to do, and the number to quote.

use askama::Template;

use super::page::PageContext;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    ctx: &'a PageContext,
    status: u16,
    heading: &'a str,
    detail: &'a str,
}

/// The page. `heading` says what is wrong in a few words, `detail` what to do.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    status: u16,
    heading: &str,
    detail: &str,
) -> Result<String, askama::Error> {
    ErrorPage { ctx, status, heading, detail }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    #[test]
    fn an_error_can_be_quoted() {
        let ctx = context("Not found", Nav::Nowhere);
        let html =
            page(&ctx, 404, "There is no such agent", "Look in the list.").expect("rendered");
        assert!(
            html.contains("404") && html.contains("req-1") && html.contains("Look in the list.")
        );
    }
}
