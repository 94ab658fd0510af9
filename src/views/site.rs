//! The page between choosing agents and giving them a site: whom it means, and what it does.

use askama::Template;

use crate::model::id::AgentId;

use super::page::PageContext;
use super::text::plural;

/// What was chosen.
#[derive(Debug)]
pub struct Chosen<'a> {
    /// The agents.
    pub agents: &'a [AgentId],
    /// The site; empty: as each host says.
    pub site: String,
    /// How the list was asked for that they were chosen from.
    pub q: String,
    /// In which order.
    pub sort: String,
}

#[derive(Template)]
#[template(path = "site.html")]
struct SitePage<'a> {
    ctx: &'a PageContext,
    chosen: &'a Chosen<'a>,
    count: String,
    names: Vec<(String, String)>,
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, chosen: &Chosen<'_>) -> Result<String, askama::Error> {
    let names = chosen.agents.iter().map(|id| ctx.names.link(id)).collect();
    SitePage { ctx, chosen, count: plural(chosen.agents.len(), "agent"), names }.render()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    /// The page of two agents.
    pub(in crate::views) fn sample() -> Result<String, askama::Error> {
        let agents = ["hel-gw1", "oul-gw2"].map(|id| id.parse().unwrap());
        let (site, q) = ("<hel>".to_owned(), "state:down".to_owned());
        let chosen = Chosen { agents: &agents, site, q, sort: String::new() };
        page(&context("Site of agents", Nav::Agents), &chosen)
    }

    #[test]
    fn the_form_names_how_many_whom_and_what_it_does() {
        let html = sample().unwrap();
        assert!(html.contains("Give 2 agents the site &#60;hel&#62;"), "{html}");
        assert_eq!(html.matches("name=\"agent\" value=").count(), 2);
        assert!(
            html.contains("name=\"q\" value=\"state:down\"")
                && html.contains("whatever their hosts say")
        );
    }
}
