//! The way a report took, in words: straight, or through which agents and how sure that is.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::model::path::RelayPath;
use crate::model::state::RelayProof;

use super::names::Names;

/// A path as lists show it: `direct`, or the relays with links to their pages.
#[derive(Template)]
#[template(path = "path.html")]
pub(super) struct Way {
    /// The relays' names and pages, next to the origin first.
    pub(super) relays: Vec<(String, String)>,
    /// `proven` or `claimed`.
    pub(super) proof: &'static str,
}

/// Made by a template of its own, which escapes.
impl HtmlSafe for Way {}

impl Way {
    /// A path for people.
    pub(super) fn new(names: &Names, path: &RelayPath) -> Self {
        Self {
            relays: path.relays().iter().map(|id| names.link(id)).collect(),
            proof: path.proof().map_or("", RelayProof::as_str),
        }
    }

    /// What the last report's way says, as a sentence.
    pub(super) fn sentence(path: &RelayPath) -> &'static str {
        match path.proof() {
            None => "Its last report came straight to the manager.",
            Some(RelayProof::Proven) => {
                "Its last report came through other agents, and each of them signed for it."
            }
            Some(RelayProof::Claimed) => {
                "Its last report names agents that it came through. That is its own claim: \
                 version 1 does not sign it."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_relays_and_says_how_sure_it_is() {
        let ids = ["r1", "r2"].map(|id| id.parse().unwrap());
        let names = Names::of(&ids, |id| (id.as_str() == "r1").then(|| "<hel>".to_owned()));
        let told = |path: &RelayPath| Way::new(&names, path).to_string();
        assert_eq!(told(&RelayPath::direct()), "direct");
        let text = told(&RelayPath::through(ids.to_vec(), RelayProof::Proven));
        assert_eq!(
            text,
            "via <a href=\"/agents/r1\">&#60;hel&#62;</a>, <a href=\"/agents/r2\">r2</a> (proven)"
        );
        let text = told(&RelayPath::through(ids[1..].to_vec(), RelayProof::Claimed));
        assert_eq!(text, "via <a href=\"/agents/r2\">r2</a> (claimed)");
    }
}
