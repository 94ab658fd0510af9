//! Sentences and values of the history under pseudonyms.
//!
//! A sentence is made by this program of words of its own and of what hosts and people said. The
//! words of its own are listed (`words.txt`); numbers, times and the usual names of interfaces tell
//! nothing; addresses, keys and ids have pseudonyms by their form. Every other word becomes one, too,
//! whatever it is: a name that nobody knows any more, a word that a person wrote.
//!
//! Must never let a word through because it is not known.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::faces::Faces;
use super::{Guise, address, short};
use crate::model::id::{AgentId, FleetId};
use crate::model::key::{IdentityKey, WgKey};

/// What stands where people wrote something.
pub const HIDDEN: &str = "(not shown)";

/// Words of this program's sentences and members, in lower case.
static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("words.txt").split_ascii_whitespace().collect());

/// Beginnings of interfaces' names that kernels and tools give by themselves.
const KINDS: [&str; 12] =
    ["lo", "wg", "eth", "wlan", "bond", "br", "tun", "tap", "veth", "dummy", "ppp", "team"];

/// Beginnings of names that tell where a card sits (systemd.net-naming-scheme(7)).
const PLACED: [&str; 6] = ["eno", "ens", "enp", "wlp", "wls", "wwp"];

/// What may stand around a word and is no part of it.
const AROUND: [char; 20] = [
    '"', '\'', '(', ')', ',', ';', '.', '!', '?', '“', '”', '‘', '’', '<', '>', '{', '}', '[', ']',
    ':',
];

/// Endings of numbers: units.
const UNITS: [&str; 14] =
    ["s", "ms", "min", "h", "d", "x", "B", "kB", "KiB", "MiB", "GiB", "%", "th", "st"];

/// Whether a name of an interface tells nothing of its own.
fn is_usual(name: &str) -> bool {
    let digits = |rest: &str| rest.len() <= 3 && rest.bytes().all(|b| b.is_ascii_digit());
    let place = |rest: &str| {
        let letters = |b: u8| b.is_ascii_digit() || matches!(b, b's' | b'p' | b'f' | b'n' | b'd');
        (1..=8).contains(&rest.len()) && rest.bytes().all(letters)
    };
    KINDS.iter().any(|kind| name.strip_prefix(kind).is_some_and(digits))
        || PLACED.iter().any(|kind| name.strip_prefix(kind).is_some_and(place))
}

/// Whether a word is a number, with or without a unit, or a time of day.
fn is_number(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-', '<', '>', '=', '#', 'v']);
    let bare = UNITS.iter().find_map(|unit| word.strip_suffix(unit)).unwrap_or(word);
    let parts: Vec<&str> = bare.split(['.', ',', ':', '/']).collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    // Four parts would be an address.
    (1..=3).contains(&parts.len()) && parts.iter().all(digits)
}

/// Whether a word is a time as RFC 3339 writes it; its shape is enough, since every letter and
/// digit has its place.
fn is_time(word: &str) -> bool {
    let shape: String =
        word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    matches!(shape.as_str(), "0000-00-00T00:00:00Z" | "0000-00-00" | "0000-00-00T00:00Z")
}

/// Whether a word is the program's own; one of several parts is listed whole.
fn is_own(word: &str) -> bool {
    let word = word.to_lowercase();
    let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(&word);
    WORDS.contains(word) || UNITS.contains(&word)
}

impl Guise {
    /// An interface's name; `wg0` tells nothing, `wg-acme` does.
    pub fn interface(&self, real: &str) -> String {
        if is_usual(real) { real.to_owned() } else { self.named("if", real) }
    }

    /// The version of an agent's program, if it looks like one.
    pub fn version(&self, real: &str) -> Option<String> {
        (is_number(real) && real.len() <= 24).then(|| real.to_owned())
    }

    /// A word by its form: addresses, keys, digests.
    fn formed(&self, word: &str) -> Option<String> {
        let key = self.key();
        if let Some(masked) = address::masked(key, word).or_else(|| address::endpoint(key, word)) {
            return Some(masked);
        }
        if let Some(masked) = self.mac(word) {
            return Some(masked);
        }
        if let Ok(key) = word.parse::<WgKey>() {
            return Some(self.key_of(&key).to_string());
        }
        if let Ok(key) = word.parse::<IdentityKey>() {
            return Some(self.identity_key(&key).to_string());
        }
        // A peer that no agent is, as alarms about it are named.
        if let Some(key) = word.strip_prefix("key:").and_then(|key| key.parse::<WgKey>().ok()) {
            return Some(format!("key:{}", self.key_of(&key)));
        }
        if short(word).is_some() {
            return Some(self.short_id(word));
        }
        let hex = word.len() >= 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
        (hex && word.len() == 64).then(|| self.digest(word))
    }
}

impl Faces {
    /// A text of which every word is the program's own or has a pseudonym.
    pub fn text(&self, real: &str) -> String {
        let mut out = String::with_capacity(real.len());
        for piece in real.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end_matches(char::is_whitespace);
            out.push_str(&self.word(word));
            // Other blanks than the usual ones could hold something.
            out.extend(piece.get(word.len()..).unwrap_or_default().chars().map(|c| match c {
                '\n' => '\n',
                _ => ' ',
            }));
        }
        out
    }

    fn word(&self, word: &str) -> String {
        if word.is_empty() {
            return String::new();
        }
        if let Some(masked) = self.guise().formed(word) {
            return masked;
        }
        let bare = word.trim_matches(AROUND);
        let Some(start) = word.find(bare).filter(|_| !bare.is_empty()) else {
            return word.chars().map(|c| if c.is_alphanumeric() { '?' } else { c }).collect();
        };
        let (before, after) =
            (word.get(..start).unwrap_or_default(), word.get(start + bare.len()..));
        // An address of version 6 may end with colons.
        let colons = bare.len() + after.unwrap_or_default().len()
            - after.unwrap_or_default().trim_start_matches(':').len();
        let longer = word.get(start..start + colons).unwrap_or(bare);
        if longer.len() > bare.len()
            && let Some(masked) = self.guise().formed(longer)
        {
            let rest = word.get(start + longer.len()..).unwrap_or_default();
            return format!("{before}{masked}{rest}");
        }
        format!("{before}{}{}", self.core(bare), after.unwrap_or_default())
    }

    /// A word without what stands around it.
    fn core(&self, word: &str) -> String {
        let guise = self.guise();
        if !word.chars().any(char::is_alphanumeric) {
            return word.chars().filter(char::is_ascii).collect();
        }
        if self.is_agent(word) {
            return guise.named("agent", word);
        }
        if let Some(masked) = guise.formed(word) {
            return masked;
        }
        if self.is_host(word) {
            return guise.host(word);
        }
        if let Some(fleet) = word.parse().ok().filter(|fleet| self.is_fleet(fleet)) {
            return guise.fleet(&fleet).to_string();
        }
        if is_own(word) || is_number(word) || is_time(word) || is_usual(word) {
            return word.to_owned();
        }
        // Two words with a sign between them, such as an agent and its interface, or a fleet and a
        // key, which may have signs of its own.
        let sign = |c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_' | ':' | '-'));
        let Some(at) = word.find('|').or_else(|| word.find(sign)) else { return guise.host(word) };
        let (left, rest) = word.split_at(at);
        let mut rest = rest.chars();
        let between: String = rest.next().into_iter().collect();
        let between = if between.is_ascii() { between } else { " ".to_owned() };
        let left = if left.is_empty() { String::new() } else { self.core(left) };
        let right = rest.as_str();
        let right = if right.is_empty() { String::new() } else { self.word(right) };
        format!("{left}{between}{right}")
    }

    /// A value of the history.
    pub fn value(&self, real: &Value) -> Value {
        self.member("", real)
    }

    fn member(&self, name: &str, real: &Value) -> Value {
        match real {
            Value::String(text) => Value::String(self.named_text(name, text)),
            Value::Array(all) => all.iter().map(|one| self.member(name, one)).collect(),
            Value::Object(all) if name == "labels" => Value::Object(self.labels(all)),
            Value::Object(all) => {
                let of = |(name, value): (&String, &Value)| {
                    (self.member_name(name), self.member(name, value))
                };
                Value::Object(all.iter().map(of).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => real.clone(),
        }
    }

    fn member_name(&self, name: &str) -> String {
        if is_own(name) { name.to_owned() } else { self.word(name) }
    }

    /// The text of a member, by what its name says it is.
    fn named_text(&self, name: &str, text: &str) -> String {
        let guise = self.guise();
        match name {
            "hostname" => guise.host(text),
            "site" => guise.site(text),
            "role" => guise.role(text).to_owned(),
            "fleet" | "fleet_id" => match text.parse::<FleetId>() {
                Ok(fleet) => guise.fleet(&fleet).to_string(),
                Err(_odd) => guise.named("fleet", text),
            },
            "agent_id" | "agent" | "relay" | "relays" | "relay_path" | "members" => {
                match text.parse::<AgentId>() {
                    Ok(agent) => guise.agent(&agent).to_string(),
                    Err(_odd) => guise.named("agent", text),
                }
            }
            "interface" | "dev" => guise.interface(text),
            "by" | "acknowledged_by" => guise.person(text),
            "note" | "shelve_reason" => HIDDEN.to_owned(),
            "boot_id" | "nonce" => guise.digits(text),
            _ => self.text(text),
        }
    }

    fn labels(&self, real: &Map<String, Value>) -> Map<String, Value> {
        let text = |name: &str, value: &Value| match value {
            Value::String(text) => Value::String(self.guise().label_value(name, text)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => self.member("", value),
        };
        let of =
            |(name, value): (&String, &Value)| (self.guise().label_name(name), text(name, value));
        real.iter().map(of).collect()
    }
}

impl Guise {
    /// The name of a label: those that shape the map stay.
    pub(super) fn label_name(&self, real: &str) -> String {
        match real {
            "site" | "role" => real.to_owned(),
            _ => self.named("label", real),
        }
    }

    /// The value of a label.
    pub(super) fn label_value(&self, name: &str, real: &str) -> String {
        match name {
            "site" => self.site(real),
            "role" => self.role(real).to_owned(),
            _ => self.named("value", real),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: &str = "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=";

    fn faces() -> Faces {
        let ids: [AgentId; 2] =
            ["a1fa0000000000000000000000000001", "gw-1"].map(|id| id.parse().unwrap());
        let fleet: FleetId = "acme".parse().unwrap();
        let hosts = [Some("silent"), None];
        let agents = ids.iter().zip(hosts).map(|(id, host)| (id, host, &fleet));
        Faces::of(Guise::of([3; 32]), agents)
    }

    #[test]
    fn words_of_the_program_stay_and_all_others_become_pseudonyms() {
        let faces = faces();
        let told = faces.text(&format!(
            "alpha.acme.example (a1fa0000000000000000000000000001) has sent no report for 412 s; \
             {KEY} at 81.2.69.142:51820, fd00:77::1/64 and 10.20.30.0/24 of wg-acme, wg0."
        ));
        for secret in ["acme", "alpha", "a1fa", "81.2.69", "fd00:77", "10.20.30", "m4veB"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
        assert!(told.contains("has sent no report for 412 s; "), "{told}");
        assert!(told.contains(" wg0.") && told.contains("/64 and ") && told.contains(":51820,"));
        assert!(told.contains("(agent-"), "{told}");
    }

    proptest! {
        #[test]
        fn a_name_that_is_no_word_of_ours_never_stays(
            name in "[a-zA-Z]{2,9}[-_.]?[a-z0-9]{2,9}([.][a-z]{2,6}){0,2}",
            around in "[(\"'<\\[]?", after in "[)\"'>\\],.;:]{0,2}",
        ) {
            let usual = is_own(&name) || is_usual(&name) || is_number(&name);
            prop_assume!(!usual);
            let told = faces().text(&format!("peer {around}{name}{after} is down"));
            prop_assert!(!told.contains(&name), "{name} in {told}");
            prop_assert!(told.starts_with("peer ") && told.ends_with(" is down"), "{told}");
        }

        #[test]
        fn any_text_at_all_can_be_told(text: String) {
            let told = faces().text(&text);
            prop_assert!(told.chars().all(|c| c.is_ascii() || AROUND.contains(&c)
                || !c.is_alphanumeric()), "{told}");
        }
    }

    #[test]
    fn a_host_that_is_called_like_a_word_is_hidden_all_the_same() {
        let told = faces().text("silent is silent; gw-1/wg0 <-> is half_configured");
        assert_eq!(told.matches("host-").count(), 2, "{told}");
        assert!(
            told.contains("; agent-") && told.ends_with("/wg0 <-> is half_configured"),
            "{told}"
        );
    }

    #[test]
    fn what_people_write_is_not_known_and_so_not_shown() {
        let told = faces().text("Springfield\u{2003}is—mine 10-0-0-1 1.2.3.4.5 \u{e9}");
        for secret in ["Spring", "mine", "10-0", "1.2.3", "\u{2003}", "\u{e9}"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
    }

    #[test]
    fn pseudonyms_are_the_same_in_sentences_and_by_themselves() {
        let faces = faces();
        let guise = faces.guise();
        assert_eq!(faces.text("00000000000000aa"), guise.short_id("00000000000000aa"));
        assert_eq!(faces.text(KEY), guise.key_of(&KEY.parse().unwrap()).to_string());
        assert_eq!(faces.text("moritz"), guise.host("moritz"));
        let key = guise.key_of(&KEY.parse().unwrap());
        let fleet = guise.fleet(&"acme".parse().unwrap());
        assert_eq!(faces.text(&format!("acme|{KEY}")), format!("{fleet}|{key}"));
        assert_eq!(faces.text(&format!("acme|key:{KEY}")), format!("{fleet}|key:{key}"));
        assert!(!faces.text(&format!("key:{}", &KEY[1..])).contains(&KEY[1..12]));
        let id: AgentId = "gw-1".parse().unwrap();
        assert_eq!(faces.text("gw-1"), guise.agent(&id).as_str());
        assert_eq!(faces.agent(&guise.agent(&id)), Some(&id));
        assert_eq!(faces.agent(&id), None, "a real name leads nowhere");
        let node = format!("x:acme:{KEY}");
        assert_eq!(faces.node_id(&guise.node_id(&node)).as_deref(), Some(node.as_str()));
        assert_eq!(faces.node_id(&node), None);
    }

    #[test]
    fn values_go_by_the_names_of_their_members() {
        let faces = faces();
        let guise = faces.guise();
        let told = faces.value(&json!({
            "hostname": "moritz", "labels": {"site": "hel", "customer": "acme", "role": "relay"},
            "relay_path": ["gw-1"], "state": "down", "count": 7, "springfield": ["02:77:00:00:00:01"],
        }));
        assert_eq!(told["hostname"], json!(guise.host("moritz")));
        assert_eq!(told["labels"]["site"], json!(guise.site("hel")));
        assert_eq!((&told["state"], &told["count"]), (&json!("down"), &json!(7)));
        assert_eq!(told["labels"]["role"], json!("relay"));
        assert_eq!(told["relay_path"][0], json!(guise.agent(&"gw-1".parse().unwrap())));
        let text = told.to_string();
        for secret in ["acme", "customer", "springfield", "02:77", "moritz", "hel\""] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
