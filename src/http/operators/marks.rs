//! What the map's address asks of it beside a search, for the picture of it.
//!
//! The neighbourhood of a node, a way, what would be lost, rows of the legend. What is not on the
//! map is passed over, as the page does.

use std::collections::HashSet;

use serde::Deserialize;

use super::paths::{self, PathQuery};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::topology::chain::{self, Leg};
use crate::topology::picture::Picture;
use crate::topology::without::{Taken, without};
use crate::views::drawing::question::{Lost, Question, around, legs, rows};

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
    /// From and to, by a comma.
    path: Option<String>,
    /// Nodes and links that are taken away, by commas.
    #[serde(default)]
    without: String,
}

fn words(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

impl Marks {
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

    /// What is marked on a picture, with the legs of a way.
    pub fn on(&self, picture: &Picture, legs: Vec<Leg>) -> Question {
        let mut question = Question { legs, ..Question::default() };
        let known = |id: &&str| picture.nodes.iter().find(|node| node.id == **id);
        let label = |id: &str| known(&id).map_or(id, |node| node.label.as_str()).to_owned();
        let only = words(&self.only);
        if !only.is_empty() {
            question.within.push(rows(picture, &only));
            question.words.push(format!("only {}", only.join(", ").replace('-', "link ")));
        }
        if let Some(id) = self.focus.as_deref().filter(|id| known(id).is_some()) {
            let hops = self.hops.as_deref().and_then(|hops| hops.parse().ok()).unwrap_or(1);
            let hops = MOST_HOPS.min(hops).max(1);
            question.within.push(around(picture, id, hops));
            question.words.push(format!("{hops} links around {}", label(id)));
        }
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
        question
    }
}
