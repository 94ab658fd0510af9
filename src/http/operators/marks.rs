//! What the map's address asks of it beside a search, for the picture of it.
//!
//! The neighbourhood of a node, a site, a way, what would be lost, rows of the legend. What narrows
//! the map down must be on it, lest somebody takes all of it for a part; of a way and of what is taken
//! away, what is not on the map is passed over, as the page does.

use std::collections::HashSet;

use serde::Deserialize;

use super::paths::{self, PathQuery};
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::topology::chain::{self, Leg};
use crate::topology::picture::Picture;
use crate::topology::without::{Taken, without};
use crate::views::drawing::question::{Lost, Question, Rows, around, inside, legs};
use crate::wire::codes::ErrorCode;

/// Links from a node that a neighbourhood is wide at most, as on the page (`url.js`).
const MOST_HOPS: usize = 3;

/// The parts of the map's address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Marks {
    /// Rows of the legend, by commas.
    #[serde(default)]
    only: String,
    /// The node in the middle of a neighbourhood.
    focus: Option<String>,
    /// How many links it is wide.
    hops: Option<String>,
    /// The site that alone is wanted, by id.
    site: Option<String>,
    /// From and to, by a comma.
    path: Option<String>,
    /// Nodes and links that are taken away, by commas.
    #[serde(default)]
    without: String,
}

fn off_the_map(what: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("There is no {what} on this map."))
}

fn words(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

impl Marks {
    /// Whether something of it narrows the map down.
    pub fn is_narrow(&self) -> bool {
        let asks = |of: &Option<String>| of.as_deref().is_some_and(|of| !of.is_empty());
        !self.only.is_empty() || [&self.focus, &self.site, &self.path].into_iter().any(asks)
    }

    /// The two ends of the way that is asked for.
    fn ends(&self) -> Option<(&str, &str)> {
        self.path.as_deref()?.split_once(',')
    }

    /// The legs of the way that is asked for, by links alone: of the past no routes are kept.
    pub fn along(&self, picture: &Picture) -> Vec<Leg> {
        let ends = self.ends().and_then(|(from, to)| {
            Some((chain::meant(picture, from)?, chain::meant(picture, to)?))
        });
        ends.map(|(from, to)| chain::chain(picture, &from.id, &to.id)).unwrap_or_default()
    }

    /// The legs of the way that is asked for, by what hosts report now; none if there is no way.
    pub async fn legs(&self, (state, lens): (&AppState, &Lens)) -> Vec<Leg> {
        let Some((from, to)) = self.ends() else {
            return Vec::new();
        };
        let Ok(picture) = state.map(lens).await else { return Vec::new() };
        let named = |text: &str| {
            chain::meant(&picture, text)
                .and_then(chain::known_by)
                .unwrap_or_else(|| text.to_owned())
        };
        let query = PathQuery { from: named(from), to: named(to), source: String::new() };
        match paths::find((state, lens), &query).await {
            Ok(found) => legs(&picture, &found.there),
            Err(_no_way) => Vec::new(),
        }
    }

    /// How wide the neighbourhood is.
    fn hops(&self) -> Result<usize, ApiError> {
        let hops = self.hops.as_deref().unwrap_or("1").parse();
        hops.ok().filter(|hops| (1..=MOST_HOPS).contains(hops)).ok_or_else(|| {
            ApiError::bad_request(format!("`hops` takes 1 to {MOST_HOPS}, as a whole number."))
        })
    }

    /// The rows, the neighbourhood and the site that narrow a picture down.
    fn narrowed(&self, picture: &Picture) -> Result<Question, ApiError> {
        let mut question = Question::default();
        let only = words(&self.only);
        question.rows = Rows::parse(&only).map_err(ApiError::bad_request)?;
        if !only.is_empty() {
            question.words.push(format!("only {}", only.join(", ").replace('-', "link ")));
        }
        let hops = self.hops()?;
        if let Some(id) = self.focus.as_deref().filter(|id| !id.is_empty()) {
            let node = picture.nodes.iter().find(|node| node.id == id);
            let node = node.ok_or_else(|| off_the_map(&format!("node {id:?} for `focus`")))?;
            question.within.push(around(picture, id, hops));
            let links = if hops == 1 { "link" } else { "links" };
            question.words.push(format!("{hops} {links} around {}", node.label));
        }
        if let Some(id) = self.site.as_deref().filter(|id| !id.is_empty()) {
            let site = picture.sites.iter().find(|site| site.id == id);
            let site = site.ok_or_else(|| off_the_map(&format!("site {id:?}")))?;
            question.within.push(inside(picture, id));
            question.words.push(format!("site {}", site.label));
        }
        Ok(question)
    }

    /// What is marked on a picture, with the legs of a way.
    pub fn on(&self, picture: &Picture, legs: Vec<Leg>) -> Result<Question, ApiError> {
        let mut question = Question { legs, ..self.narrowed(picture)? };
        let known = |id: &&str| picture.nodes.iter().find(|node| node.id == **id);
        let label = |id: &str| known(&id).map_or(id, |node| node.label.as_str()).to_owned();
        if let (Some(first), Some(last)) = (question.legs.first(), question.legs.last()) {
            question.words.push(format!(
                "the way from {} to {}",
                label(&first.from),
                label(&last.to)
            ));
            question.within.push(
                question
                    .legs
                    .iter()
                    .flat_map(|leg| [Some(&leg.from), Some(&leg.to), leg.edge.as_ref()])
                    .flatten()
                    .cloned()
                    .collect(),
            );
        }
        let words = words(&self.without).into_iter();
        let words: Vec<&str> =
            words.filter(|word| Taken::named(picture, &[*word]).is_ok()).collect();
        if let (false, Ok(taken)) = (words.is_empty(), Taken::named(picture, &words)) {
            let gone: HashSet<String> = taken.nodes.iter().chain(&taken.edges).cloned().collect();
            question.words.push(format!(
                "without {}",
                words.iter().map(|id| label(id)).collect::<Vec<_>>().join(", ")
            ));
            question.lost = Some(Lost::of(gone, &without(picture, &taken)));
        }
        Ok(question)
    }
}
