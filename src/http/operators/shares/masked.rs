//! The address of a view under the pseudonyms of its link. Pure.
//!
//! Must never pass on what may name something real: parts that are not known to be harmless, and that
//! have no pseudonym here, are left out.

use axum::extract::Query;
use axum::http::Uri;

use crate::mask::Guise;
use crate::model::id::AgentId;
use crate::views::text::encode;

/// Parts of a query that name nothing.
const HARMLESS: [&str; 14] = [
    "p", "layers", "r", "only", "hide", "hops", "at", "x", "y", "k", "sort", "state", "range",
    "severity",
];

/// Fields of the search that ask for states and counts.
const STATES: [&str; 4] = ["state", "alarm", "kind", "links"];

/// The same view, under pseudonyms.
pub fn view(real: &str, guise: &Guise) -> String {
    let (path, query) = real.split_once('?').unwrap_or((real, ""));
    let path = match path.rsplit_once('/') {
        Some(("/agents", id)) => format!("/agents/{}", encode(&agent(&plain(id), guise))),
        Some(("/links", id)) => format!("/links/{}", encode(&guise.short_id(&plain(id)))),
        Some(_) | None => path.to_owned(),
    };
    let told = pairs(query).into_iter().filter_map(|(name, value)| {
        let value = part(&name, &value, guise).filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", encode(&value)))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { path } else { format!("{path}?{}", told.join("&")) }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let uri = format!("/?{query}").parse::<Uri>().ok();
    let found = uri.and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    found.map(|Query(found)| found).unwrap_or_default()
}

fn plain(part: &str) -> String {
    let found = pairs(&format!("part={part}")).pop();
    found.map(|(_, text)| text).unwrap_or_default()
}

fn agent(id: &str, guise: &Guise) -> String {
    id.parse::<AgentId>().map_or_else(|_odd| String::new(), |id| guise.agent(&id).to_string())
}

fn is_node(id: &str) -> bool {
    id.starts_with("a:") || id.starts_with("x:")
}

/// One part of a query under pseudonyms; `None` if it is left out.
fn part(name: &str, value: &str, guise: &Guise) -> Option<String> {
    match name {
        "focus" => Some(guise.node_id(value)),
        "without" => Some(every(value, |id| thing(id, guise))),
        "sel" => Some(every(value, |item| chosen(item, guise))),
        // Both ends, or the question is another one.
        "path" => {
            let (from, to) = value.split_once(',')?;
            let both = is_node(from) && is_node(to);
            both.then(|| format!("{},{}", guise.node_id(from), guise.node_id(to)))
        }
        "q" => value.split_whitespace().all(is_state).then(|| value.to_owned()),
        _ if HARMLESS.contains(&name) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || ",.-_:".contains(c);
            value.chars().all(plain).then(|| value.to_owned())
        }
        _ => None,
    }
}

/// Whether a word of the search asks for a state or a count.
fn is_state(word: &str) -> bool {
    let (field, text) = word.trim_start_matches('-').split_once(':').unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_<>=.".contains(c);
    STATES.contains(&field) && text.chars().all(plain)
}

fn every(list: &str, each: impl Fn(&str) -> Option<String>) -> String {
    list.split(',').filter_map(each).collect::<Vec<_>>().join(",")
}

/// One choice on the map.
fn chosen(item: &str, guise: &Guise) -> Option<String> {
    let (kind, id) = item.split_once('~')?;
    match kind {
        "node" => Some(format!("node~{}", guise.node_id(id))),
        "edge" => Some(format!("edge~{}", guise.short_id(id))),
        "site" => Some(format!("site~{}", guise.site_id(id))),
        _ => None,
    }
}

/// A node, an agent or a link.
fn thing(id: &str, guise: &Guise) -> Option<String> {
    if is_node(id) {
        return Some(guise.node_id(id));
    }
    let is_link = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_link { Some(guise.short_id(id)) } else { Some(agent(id, guise)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_stays_chosen_under_its_pseudonym_and_nothing_real_is_left() {
        let guise = Guise::of([7; 32]);
        let gw = guise.node_id("a:gw-1");
        let id = encode(&gw[2..]);
        let link = guise.short_id("43a9f729f8e5bf65");
        let both = encode(&format!("{gw},{gw}"));
        let chosen = encode(&format!("node~{gw},edge~{link}"));
        for (real, shown) in [
            (
                "/map?sel=node%7Ea%3Agw-1,edge~43a9f729f8e5bf65,net~10.0.0.0%2F8&at=1795000000",
                format!("/map?sel={chosen}&at=1795000000"),
            ),
            ("/map?focus=a:gw-1&hops=2", format!("/map?focus={}&hops=2", encode(&gw))),
            ("/map?path=a:gw-1,a:gw-1", format!("/map?path={both}")),
            ("/map?path=a:gw-1,10.0.0.1", "/map".to_owned()),
            ("/what-if?without=gw-1", format!("/what-if?without={id}")),
            ("/agents/gw-1?range=day", format!("/agents/{id}?range=day")),
            ("/links/43a9f729f8e5bf65", format!("/links/{link}")),
            ("/alarms/7", "/alarms/7".to_owned()),
            (
                "/links?q=state:down+-kind:external",
                "/links?q=state%3Adown%20-kind%3Aexternal".into(),
            ),
        ] {
            assert_eq!(view(real, &guise), shown, "{real}");
        }
        let hidden = [
            "q=gw-1",
            "q=ip:10.0.0.0/8",
            "q=state:down+gw-1",
            "agent=gw-1",
            "net=::/0",
            "sort=gw%201",
        ];
        for hidden in hidden {
            assert_eq!(view(&format!("/agents?{hidden}"), &guise), "/agents", "{hidden}");
        }
    }
}
