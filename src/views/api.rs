//! `/api`: the description of the API for people, to be read and searched without scripts.

use askama::Template;

use crate::model::access::Role;

use super::page::PageContext;

/// Something that stands in a path or a query.
#[derive(Debug, Clone)]
pub struct ParameterItem {
    /// Its name.
    pub name: String,
    /// `path` or `query`.
    pub place: String,
    /// What it does.
    pub about: String,
    /// `string` or `integer`.
    pub kind: String,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Everybody.
    Anybody,
    /// An agent, by its signature.
    Agent,
    /// People and tokens of this role, and of greater ones.
    Role(Role),
}

impl Asker {
    /// In a word or two.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Agent => "agents, by signature",
            Self::Role(role) => role.as_str(),
        }
    }
}

/// One operation.
#[derive(Debug, Clone)]
pub struct OperationItem {
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// The path, variables in braces.
    pub path: String,
    /// Who may ask.
    pub asker: Asker,
    /// What it does, in one line.
    pub summary: String,
    /// What it can be told in path and query.
    pub parameters: Vec<ParameterItem>,
    /// An example of the body that it takes.
    pub takes: Option<String>,
    /// The status of its answer.
    pub status: String,
    /// The type of its answer.
    pub kind: String,
    /// An example of its answer.
    pub answer: String,
}

impl OperationItem {
    /// What names it on the page.
    fn anchor(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let path: String = self.path.chars().map(plain).collect();
        format!("{}{path}", self.method.to_lowercase())
    }

    /// Whether all words stand somewhere in what is told of it.
    fn has(&self, words: &[String]) -> bool {
        let names = self.parameters.iter().map(|one| one.name.as_str());
        let all = [self.method.as_str(), &self.path, &self.summary];
        let text = all.into_iter().chain(names).collect::<Vec<_>>().join(" ").to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }

    /// Whether somebody with this role may ask.
    fn is_for(&self, role: Option<Role>) -> bool {
        match (role, self.asker) {
            (None, _) | (Some(_), Asker::Anybody) => true,
            (Some(_), Asker::Agent) => false,
            (Some(own), Asker::Role(least)) => own >= least,
        }
    }
}

/// A reason for a refusal.
#[derive(Debug, Clone)]
pub struct CodeItem {
    /// The word on the wire.
    pub code: &'static str,
    /// The status that it comes with.
    pub status: u16,
    /// The same for a person.
    pub title: &'static str,
}

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// Words that all must be there.
    pub q: String,
    /// What somebody of this role may ask.
    pub role: Option<Role>,
}

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage<'a> {
    ctx: &'a PageContext,
    looked: &'a Looked,
    roles: [&'static str; 3],
    operations: Vec<&'a OperationItem>,
    count: usize,
    codes: Vec<&'a CodeItem>,
    version: &'a str,
}

impl ApiPage<'_> {
    fn is_chosen(&self, role: &str) -> bool {
        self.looked.role.is_some_and(|chosen| chosen.as_str() == role)
    }
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    (operations, codes): (&[OperationItem], &[CodeItem]),
    looked: &Looked,
) -> Result<String, askama::Error> {
    let words: Vec<String> = looked.q.split_whitespace().map(str::to_lowercase).collect();
    let fits = |one: &&OperationItem| one.has(&words) && one.is_for(looked.role);
    let named = |one: &&CodeItem| {
        let text = format!("{} {} {}", one.code, one.status, one.title.to_lowercase());
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let page = ApiPage {
        ctx,
        looked,
        roles: [Role::Viewer.as_str(), Role::Operator.as_str(), Role::Admin.as_str()],
        operations: operations.iter().filter(fits).collect(),
        count: operations.len(),
        codes: codes.iter().filter(named).collect(),
        version: &ctx.version,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;
    use crate::views::samples::manager::api;

    fn shown(q: &str, role: Option<Role>) -> String {
        let (operations, codes) = api();
        let looked = Looked { q: q.to_owned(), role };
        page(&context("API", Nav::Settings), (&operations, &codes), &looked).expect("rendered")
    }

    #[test]
    fn words_and_role_narrow_what_is_shown() {
        let all = shown("", None);
        assert!(all.contains("id=\"get-api-v1-agents--id-\"") && all.contains("/status/updates"));
        assert!(all.contains("rate_limited") && all.contains("&quot;") || all.contains("&#34;"));
        let agents = shown("AGENTS get", None);
        assert!(agents.contains("/api/v1/agents/{id}") && !agents.contains("/status/updates"));
        let mine = shown("", Some(Role::Viewer));
        assert!(mine.contains("/api/v1/agents/{id}") && !mine.contains("/api/v1/users"));
        assert!(!mine.contains("/status/updates"), "that takes an agent's signature");
        let none = shown("<script>", None);
        assert!(none.contains("Nothing") && !none.contains("<script>"), "{none}");
    }
}
