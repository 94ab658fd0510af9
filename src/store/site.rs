//! Sites that people give to agents, in place of what their hosts say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::change::AgentRecord;
use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;

/// The label that names a host's site.
pub const SITE: &str = "site";

/// A site that somebody gave to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSet {
    /// The site.
    pub site: String,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: UnixSeconds,
    /// What the host itself says.
    pub told: Option<String>,
}

/// Which agents are to be given which site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteWish {
    /// The agents.
    pub agents: Vec<AgentId>,
    /// The site; `None`: the one back that each host says.
    pub site: Option<String>,
    /// Who wishes it.
    pub by: String,
}

impl AgentRecord {
    /// Takes over the labels that the host tells; a site that somebody gave stays.
    pub fn take_labels(&mut self, told: &BTreeMap<String, String>) {
        self.labels.clone_from(told);
        if let Some(set) = &mut self.site_set {
            set.told = told.get(SITE).cloned();
            self.labels.insert(SITE.to_owned(), set.site.clone());
        }
    }

    /// Whether the host tells what is known of its labels already.
    pub fn has_labels(&self, told: &BTreeMap<String, String>) -> bool {
        let Some(set) = &self.site_set else { return self.labels == *told };
        let others = |labels: &BTreeMap<String, String>| {
            let others = labels.iter().filter(|(name, _)| *name != SITE);
            others.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        set.told.as_ref() == told.get(SITE) && others(&self.labels) == others(told)
    }

    /// Gives it a site, or the one back that its host says; `by` and `at` tell who and when.
    pub fn set_site(&mut self, site: Option<&str>, (by, at): (&str, UnixSeconds)) {
        let told = match self.site_set.take() {
            Some(set) => set.told,
            None => self.labels.get(SITE).cloned(),
        };
        match (site, told) {
            (Some(site), told) => {
                self.labels.insert(SITE.to_owned(), site.to_owned());
                let (site, by) = (site.to_owned(), by.to_owned());
                self.site_set = Some(SiteSet { site, by, at, told });
            }
            (None, Some(told)) => {
                self.labels.insert(SITE.to_owned(), told);
            }
            (None, None) => {
                self.labels.remove(SITE);
            }
        }
    }
}
