//! Alarms, reports and events of what a query finds: the query selects agents and links on the map
//! of this moment, and the list is narrowed to these.

use super::search::Desk;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::AgentId;
use crate::process::refusals::Refusal;
use crate::store::row::{Things, ToldOf};
use crate::topology::query::{InvalidQuery, Query};
use crate::views::list::Hits;

/// What a list is narrowed to.
#[derive(Debug, Default)]
pub struct Narrowed {
    /// To what is about these; `None`: to nothing.
    pub things: Option<Things>,
    /// Of alarms: or to those that are told in these words.
    pub told: Option<ToldOf>,
    /// Why the query cannot be meant here; then it narrows nothing.
    pub problem: Option<String>,
}

impl Narrowed {
    /// For a list of what agents do, such as reports.
    ///
    /// # Errors
    /// If the map cannot be had.
    pub async fn of_agents(whose: (&AppState, &Lens), text: &str) -> Result<Self, ApiError> {
        Self::of(whose, Query::parse_of_agents(text), false).await
    }

    /// For a list of what is about agents and links.
    ///
    /// # Errors
    /// If the map cannot be had.
    pub async fn of_things(whose: (&AppState, &Lens), text: &str) -> Result<Self, ApiError> {
        Self::of(whose, Query::parse(text), false).await
    }

    /// For alarms: about what the query finds, or about what it finds without its texts, and with
    /// these in their words.
    ///
    /// # Errors
    /// If the map cannot be had.
    pub async fn of_alarms(whose: (&AppState, &Lens), text: &str) -> Result<Self, ApiError> {
        Self::of(whose, Query::parse(text), true).await
    }

    /// The same for a program, which is told what it asked wrong.
    ///
    /// # Errors
    /// If the query cannot be meant.
    pub fn or_refused(self) -> Result<Self, ApiError> {
        match self.problem {
            Some(problem) => Err(ApiError::bad_request(problem)),
            None => Ok(self),
        }
    }

    async fn of(
        (state, lens): (&AppState, &Lens),
        query: Result<Query, InvalidQuery>,
        in_words: bool,
    ) -> Result<Self, ApiError> {
        let query = match query {
            Ok(query) if query.is_empty() => return Ok(Self::default()),
            Ok(query) => query,
            Err(problem) => {
                return Ok(Self { problem: Some(problem.to_string()), ..Self::default() });
            }
        };
        state.gather();
        let (state, lens) = (state.clone(), lens.clone());
        aside(move || Self::found(&Desk::of(&state, &lens), &query, in_words)).await
    }

    fn found(desk: &Desk, query: &Query, in_words: bool) -> Self {
        let (rest, words) = query.without_texts();
        let of = |query: &Query| (!query.is_empty()).then(|| desk.things(query));
        let told = (in_words && !words.is_empty()).then(|| ToldOf { words, of: of(&rest) });
        Self { things: of(query), told, problem: None }
    }

    /// Whether a refused request claimed to be of one of the agents.
    pub fn has(&self, refusal: &Refusal) -> bool {
        self.things.as_ref().is_none_or(|things| {
            let claimed = refusal.agent_id.as_deref();
            things.agents.iter().any(|id| Some(id.as_str()) == claimed)
        })
    }

    /// What a page says of the query.
    pub fn hits(&self) -> Hits<'static> {
        Hits::unread(self.problem.clone())
    }
}

impl Desk {
    /// The agents and links that a query finds.
    fn things(&self, query: &Query) -> Things {
        let found = self.find(query);
        let agent = |id: &str| id.strip_prefix("a:").and_then(|id| id.parse::<AgentId>().ok());
        Things {
            agents: found.nodes.into_iter().filter_map(agent).collect(),
            edges: found.edges.into_iter().filter_map(|id| id.parse().ok()).collect(),
        }
    }
}
