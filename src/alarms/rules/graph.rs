//! The network as a whole: what hangs on one agent, which sites are one link apart, who is alone.

use crate::model::id::FleetId;
use crate::model::state::AlarmKind;

use super::{AgentFacts, about};
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::Limit;

/// Of fewer, their own alarms tell when they are cut off.
pub const SPOF_BEHIND: Limit = Limit::count(
    "hosts",
    3,
    (1, 1_000_000),
    "hosts that hang on the agent more than they would with all links alive",
);
/// Seconds for which they must.
pub const SPOF_AFTER_S: i64 = 300;
/// Seconds for which a pair of sites must have at most one link left.
pub const REDUNDANCY_AFTER_S: i64 = 120;
/// Of a single one, its own alarm says as much.
pub const ISOLATED_LINKS: Limit =
    Limit::count("links", 2, (1, 1_000), "links that it has, all of them dead");
/// Seconds after the death of its last link: time enough for the interface behind all of them to
/// be told of first.
pub const ISOLATED_AFTER_S: i64 = 60;

/// Names that a message lists.
const NAMES_TOLD: usize = 5;

/// An agent that carries what other ways carried before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threat<'a> {
    /// How many hosts would be cut off without it.
    pub behind: u64,
    /// Their names.
    pub names: &'a [String],
    /// What led round it: links and hosts by name.
    pub lost: &'a [String],
}

/// Has an agent become what others hang on?
pub fn spof<'a>(agent: &AgentFacts<'a>, threat: Option<&Threat<'_>>) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::SpofNew, agent.id.as_str());
    let Some(threat) = threat else { return agent.good(kind, subject) };
    let message = format!(
        "{} has become a single point of failure: without it {} hosts would be cut off ({}); what \
         led round it is dead: {}",
        agent.name,
        threat.behind,
        list(threat.names),
        list(threat.lost)
    );
    agent.bad(kind, subject, message)
}

/// Two sites of a fleet, and the links between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SitePair<'a> {
    /// Their names.
    pub sites: [&'a str; 2],
    /// The link that is left, by the names of its ends.
    pub left: Option<&'a str>,
    /// Those that are dead.
    pub dead: &'a [String],
}

/// Is there only one link left between two sites that had several? `pair` is what there is if so;
/// `subject` names the pair.
pub fn redundancy<'a>(
    fleet: &'a FleetId,
    subject: &'a str,
    pair: Option<&SitePair<'_>>,
) -> Observation<'a> {
    let trouble = pair.map(|pair| {
        let [one, other] = pair.sites;
        let left = match pair.left {
            Some(link) => format!("only one link is left between {one} and {other}: {link}"),
            None => format!("no link is left between {one} and {other}"),
        };
        format!("{left}; dead: {}", list(pair.dead))
    });
    Observation { fleet: Some(fleet), ..about(AlarmKind::RedundancyLost, subject, trouble) }
}

/// Is an agent that reports alone? `dead` is how many links it has, if none of them is alive.
pub fn isolated<'a>(agent: &AgentFacts<'a>, dead: Option<usize>) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::NodeIsolated, agent.id.as_str());
    let Some(links) = dead else { return agent.good(kind, subject) };
    let message = format!(
        "{} is alone: it reports, but all its {links} links are dead; look at what filters its \
         WireGuard packets, at its interfaces and at its address",
        agent.name
    );
    agent.bad(kind, subject, message)
}

/// Where a prefix ends, and who sends it there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim<'a> {
    /// The host it ends at.
    pub owner: &'a str,
    /// Those that send it there.
    pub by: Vec<&'a str>,
}

/// Does a prefix end at several hosts? `subject` is `FLEET/PREFIX`; no claims: it does not any
/// more.
pub fn claimed_twice<'a>(
    fleet: &'a FleetId,
    subject: &'a str,
    claims: &[Claim<'_>],
) -> Observation<'a> {
    let trouble = (!claims.is_empty()).then(|| {
        let net = subject.split_once('/').map_or(subject, |(_, net)| net);
        let claim = |claim: &Claim<'_>| {
            let by: Vec<String> = claim.by.iter().map(|by| (*by).to_owned()).collect();
            format!("{} (for {})", claim.owner, list(&by))
        };
        let claims: Vec<String> = claims.iter().map(claim).collect();
        format!(
            "{net} ends at {} hosts: {}; correct the allowed ips, or give the hosts one label `ha` \
             or `site` if they stand in for each other",
            claims.len(),
            list(&claims)
        )
    });
    Observation { fleet: Some(fleet), ..about(AlarmKind::RouteConflict, subject, trouble) }
}

/// The first few of some names, and how many more there are.
fn list(names: &[String]) -> String {
    let told: Vec<&str> = names.iter().take(NAMES_TOLD).map(String::as_str).collect();
    match names.len().saturating_sub(NAMES_TOLD) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::{Sample, T};

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_new_single_point_of_failure_is_told_after_five_minutes_with_what_hangs_on_it() {
        let sample = Sample::new();
        let (behind, lost) = (names(&["a", "b", "c", "d", "e", "f", "g"]), names(&["x ⇄ y"]));
        let threat = Threat { behind: 7, names: &behind, lost: &lost };
        let mut book = Book::default();
        let seen = spof(&sample.agent(), Some(&threat));
        assert_eq!(
            seen.message,
            "gw1 has become a single point of failure: without it 7 hosts would be cut off (a, b, \
             c, d, e and 2 more); what led round it is dead: x ⇄ y"
        );
        assert_eq!(book.observe(&seen, T).unwrap().step, Step::Noted);
        assert!(book.tick(T.plus(299)).is_empty());
        assert_eq!(book.tick(T.plus(300))[0].step, Step::Raised);
        let over = book.observe(&spof(&sample.agent(), None), T.plus(400)).unwrap();
        assert_eq!(over.step, Step::Cleared);
    }

    #[test]
    fn the_last_link_between_two_sites_is_named() {
        let fleet: FleetId = "lab".parse().unwrap();
        let dead = names(&["c ⇄ d"]);
        let pair = SitePair { sites: ["hel", "oul"], left: Some("a ⇄ b"), dead: &dead };
        let seen = redundancy(&fleet, "lab/hel|oul", Some(&pair));
        assert_eq!(seen.message, "only one link is left between hel and oul: a ⇄ b; dead: c ⇄ d");
        assert_eq!((seen.fleet, seen.agent), (Some(&fleet), None));
        let none = SitePair { left: None, ..pair };
        let seen = redundancy(&fleet, "lab/hel|oul", Some(&none));
        assert!(seen.message.starts_with("no link is left between hel and oul; dead: c"));
        assert!(!redundancy(&fleet, "lab/hel|oul", None).holds);
    }

    #[test]
    fn a_prefix_in_two_places_is_told_with_who_sends_it_where() {
        let fleet: FleetId = "lab".parse().unwrap();
        let claims =
            [Claim { owner: "gw1", by: vec!["a", "b"] }, Claim { owner: "gw2", by: vec!["c"] }];
        let seen = claimed_twice(&fleet, "lab/192.168.2.0/24", &claims);
        let told = "192.168.2.0/24 ends at 2 hosts: gw1 (for a, b), gw2 (for c); correct";
        assert!(seen.holds && seen.message.starts_with(told), "{}", seen.message);
        assert!(!claimed_twice(&fleet, "lab/192.168.2.0/24", &[]).holds);
    }

    #[test]
    fn who_is_alone_is_told_after_a_minute() {
        let sample = Sample::new();
        let mut book = Book::default();
        let alone = isolated(&sample.agent(), Some(4));
        assert!(alone.message.contains("all its 4 links are dead"), "{}", alone.message);
        assert_eq!(book.observe(&alone, T).unwrap().step, Step::Noted);
        assert_eq!(book.tick(T.plus(60))[0].step, Step::Raised);
        assert!(!isolated(&sample.agent(), None).holds);
    }
}
