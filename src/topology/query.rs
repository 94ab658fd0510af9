//! The one language in which lists, the map and programs ask for agents and links:
//! `state:down site:hel ip:10.11.0.0/16 version:<1.4 -kind:relay "two words"`.
//!
//! A query is terms between blanks, and all of them must hold. A term is a text, or a field with a
//! value; a comma separates values of which one is enough, a minus in front turns the term round,
//! quotes hold a value together. What cannot be meant is refused with a sentence, never guessed.

use ipnet::IpNet;
use std::net::IpAddr;
use thiserror::Error;

use crate::model::state::{AgentStatus, EdgeState};
use crate::model::version::version;

pub mod find;
mod split;

/// Characters of a query: more than anybody types.
const LONGEST: usize = 500;

/// Terms of a query.
const MOST_TERMS: usize = 20;

/// What was asked cannot be meant; the sentence says what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidQuery(String);

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    not: bool,
    test: Test,
}

/// One thing to hold; of several values, one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// Anything that names or tells of the thing contains it.
    Text(Vec<String>),
    /// A field that holds words contains, is or begins with one.
    Words(Field, Vec<String>),
    /// The state is one of these.
    State(Vec<StateWord>),
    /// An address lies in one of these, or one of these in a network that is routed there.
    Net(Vec<IpNet>),
    /// A number stands in this relation to one.
    Number(Field, Compare, i64),
    /// The version stands in this relation to one.
    Version(Compare, Vec<u64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Less,
    AtMost,
    Same,
    AtLeast,
    More,
}

/// A word for states, of agents, links or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StateWord {
    agents: &'static [AgentStatus],
    links: &'static [EdgeState],
    /// Peers without an agent, too.
    peers: bool,
}

macro_rules! fields {
    ($($variant:ident = $word:literal, $about:literal;)+) => {
        /// A field that a term may name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Field { $($variant),+ }

        impl Field {
            fn named(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        /// Every field with what it asks, for help texts.
        pub const FIELDS: &[(&str, &str)] = &[$(($word, $about)),+];
    };
}

fields!(
    State = "state", "an agent's state (up, late, down, pending, none) or a link's (up, idle, down, one_way, half_configured, never, unknown); bad: anything in trouble";
    Host = "host", "part of the host name";
    Id = "id", "beginning of an agent's or a link's id";
    Site = "site", "part of the site's name";
    Fleet = "fleet", "the fleet";
    Kind = "kind", "agent, gateway, relay or external";
    Ip = "ip", "an address, or a prefix that holds it";
    Key = "key", "beginning of a WireGuard key";
    Iface = "iface", "the name of an interface";
    Relay = "relay", "part of the name of an agent that passes the reports on; none: straight; any: through somebody";
    Scheme = "scheme", "how reports are signed: v1, v2-hmac or v2-ed25519";
    Version = "version", "the agent program's version, also <1.4, >=1.4";
    Links = "links", "how many links, also >10";
    Down = "down", "how many links that are down, also >2";
    Alarm = "alarm", "open, none, or how many open alarms, also >2";
    Seen = "seen", "how long ago the last report was received: >5m, <1h";
    Since = "since", "how long the state has lasted: <1h, >2d";
);

const STATES: &[(&str, StateWord)] = {
    const fn word(agents: &'static [AgentStatus], links: &'static [EdgeState]) -> StateWord {
        StateWord { agents, links, peers: false }
    }
    use AgentStatus as A;
    use EdgeState as E;
    &[
        ("up", word(&[A::Online], &[E::Up])),
        ("online", word(&[A::Online], &[])),
        ("reporting", word(&[A::Online], &[])),
        ("late", word(&[A::Stale], &[])),
        ("stale", word(&[A::Stale], &[])),
        ("down", word(&[A::Offline], &[E::Down])),
        ("offline", word(&[A::Offline], &[])),
        ("pending", word(&[A::Pending], &[])),
        ("retired", word(&[A::Retired], &[])),
        ("none", StateWord { agents: &[], links: &[], peers: true }),
        ("idle", word(&[], &[E::Idle])),
        ("one_way", word(&[], &[E::OneWay])),
        ("half_configured", word(&[], &[E::HalfConfigured])),
        ("never", word(&[], &[E::Never])),
        ("unknown", word(&[], &[E::Unknown])),
        ("bad", word(&[A::Offline, A::Stale], &[E::Down, E::OneWay, E::HalfConfigured])),
    ]
};

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// If it cannot be meant.
    pub fn parse(text: &str) -> Result<Self, InvalidQuery> {
        if text.chars().count() > LONGEST {
            return Err(InvalidQuery(format!("Ask with {LONGEST} characters at most.")));
        }
        let tokens = split::split(text)?;
        if tokens.len() > MOST_TERMS {
            return Err(InvalidQuery(format!("Ask with {MOST_TERMS} terms at most.")));
        }
        let terms = tokens.into_iter().map(Term::read).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Reads a query that is put to the map of a time of the past.
    ///
    /// # Errors
    /// If it cannot be meant, or asks for what the history does not tell.
    pub fn parse_then(text: &str) -> Result<Self, InvalidQuery> {
        let query = Self::parse(text)?;
        match query.untold() {
            Some(field) => Err(InvalidQuery(format!(
                "`{field}:` cannot be asked of the past: the history does not tell it. Ask without \
                 it, or of now."
            ))),
            None => Ok(query),
        }
    }

    /// Reads a query that is put to a list of what agents alone do.
    ///
    /// # Errors
    /// If it cannot be meant, or asks for what no agent is.
    pub fn parse_of_agents(text: &str) -> Result<Self, InvalidQuery> {
        let query = Self::parse(text)?;
        let of_agents = |test: &Test| match test {
            Test::State(states) => states.iter().any(|state| !state.agents.is_empty()),
            Test::Words(Field::Kind, words) => words.iter().any(|word| word != "external"),
            Test::Text(_)
            | Test::Words(..)
            | Test::Net(_)
            | Test::Number(..)
            | Test::Version(..) => true,
        };
        let Some(term) = query.terms.iter().find(|term| !of_agents(&term.test)) else {
            return Ok(query);
        };
        let word = if let Test::State(_) = term.test { "state" } else { "kind" };
        let states = STATES.iter().filter(|(_, state)| !state.agents.is_empty());
        let states: Vec<&str> = states.map(|(name, _)| *name).collect();
        let fields: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        Err(InvalidQuery(format!(
            "This list is of what agents do, and no agent is what this `{word}:` asks for. Agents' \
             states are {}, their kinds agent, gateway and relay. Terms that select agents: {}, and text.",
            states.join(", "),
            fields.join(", ")
        )))
    }

    /// The same without the texts that it looks for; and these, each as a list of which one is
    /// enough. A text that must not be there stays.
    pub fn without_texts(&self) -> (Self, Vec<Vec<String>>) {
        let mut texts = Vec::new();
        let mut terms = Vec::new();
        for term in &self.terms {
            match &term.test {
                Test::Text(any) if !term.not => texts.push(any.clone()),
                Test::Text(_)
                | Test::Words(..)
                | Test::State(_)
                | Test::Net(_)
                | Test::Number(..)
                | Test::Version(..) => terms.push(term.clone()),
            }
        }
        (Self { terms }, texts)
    }

    /// The first field it asks for that the history does not tell.
    fn untold(&self) -> Option<&'static str> {
        self.terms.iter().find_map(|term| match term.test {
            Test::Net(_) => Some(Field::Ip.word()),
            Test::Version(..) => Some(Field::Version.word()),
            Test::Number(field @ Field::Seen, ..) | Test::Words(field @ Field::Scheme, _) => {
                Some(field.word())
            }
            Test::Text(_) | Test::Words(..) | Test::State(_) | Test::Number(..) => None,
        })
    }

    /// Whether everything is asked for.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl Term {
    fn read(token: split::Token) -> Result<Self, InvalidQuery> {
        let split::Token { not, field, values } = token;
        let test = match field {
            None => Test::Text(values),
            Some(field) => test(field, values)?,
        };
        Ok(Self { not, test })
    }
}

fn test(field: Field, values: Vec<String>) -> Result<Test, InvalidQuery> {
    match field {
        Field::State => {
            values.iter().map(|word| state(word)).collect::<Result<_, _>>().map(Test::State)
        }
        Field::Ip => values.iter().map(|text| net(text)).collect::<Result<_, _>>().map(Test::Net),
        Field::Alarm => {
            let number = match only(field, &values)? {
                "open" => (Compare::AtLeast, 1),
                "none" => (Compare::Same, 0),
                text => number(field, text)?,
            };
            Ok(Test::Number(field, number.0, number.1))
        }
        Field::Links | Field::Down => {
            let (compare, number) = number(field, only(field, &values)?)?;
            Ok(Test::Number(field, compare, number))
        }
        Field::Seen | Field::Since => {
            let (compare, seconds) = age(field, only(field, &values)?)?;
            Ok(Test::Number(field, compare, seconds))
        }
        Field::Version => {
            let (compare, rest) = comparison(only(field, &values)?);
            match version(rest) {
                Some(parts) => Ok(Test::Version(compare, parts)),
                None => Err(InvalidQuery(format!(
                    "`version:{rest}` is no version: give numbers, such as version:<1.4."
                ))),
            }
        }
        Field::Host
        | Field::Id
        | Field::Site
        | Field::Fleet
        | Field::Kind
        | Field::Key
        | Field::Iface
        | Field::Relay
        | Field::Scheme => Ok(Test::Words(field, values)),
    }
}

fn only(field: Field, values: &[String]) -> Result<&str, InvalidQuery> {
    match values {
        [value] => Ok(value),
        _ => Err(InvalidQuery(format!("Give `{}:` one value.", field.word()))),
    }
}

fn state(word: &str) -> Result<StateWord, InvalidQuery> {
    let plain = word.replace(['-', ' '], "_");
    let known = STATES.iter().find(|(name, _)| *name == plain);
    known.map(|(_, state)| *state).ok_or_else(|| {
        let names: Vec<&str> = STATES.iter().map(|(name, _)| *name).collect();
        InvalidQuery(format!("There is no state `{word}`; there are {}.", names.join(", ")))
    })
}

fn net(text: &str) -> Result<IpNet, InvalidQuery> {
    let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.map(|net: IpNet| net.trunc()).ok_or_else(|| {
        InvalidQuery(format!("`{text}` is no address or prefix, such as ip:10.1.0.0/16."))
    })
}

/// Takes the relation off a value.
fn comparison(text: &str) -> (Compare, &str) {
    let signs = [
        ("<=", Compare::AtMost),
        (">=", Compare::AtLeast),
        ("<", Compare::Less),
        (">", Compare::More),
        ("=", Compare::Same),
    ];
    let found = signs.iter().find_map(|(sign, is)| Some((*is, text.strip_prefix(sign)?)));
    found.unwrap_or((Compare::Same, text))
}

fn number(field: Field, text: &str) -> Result<(Compare, i64), InvalidQuery> {
    let (compare, rest) = comparison(text);
    let number: u32 = rest.parse().map_err(|_no_number| {
        let word = field.word();
        InvalidQuery(format!("`{word}:{text}` is no number, such as {word}:>2."))
    })?;
    Ok((compare, number.into()))
}

/// A time span in seconds: `90s`, `5m`, `2h`, `7d`.
fn age(field: Field, text: &str) -> Result<(Compare, i64), InvalidQuery> {
    let (compare, rest) = comparison(text);
    let word = field.word();
    let wrong = || {
        InvalidQuery(format!("`{word}:{text}` is no time span, such as {word}:>5m, <2h or >7d."))
    };
    let unit = match rest.chars().last().ok_or_else(wrong)? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let digits = rest.get(..rest.len() - 1).unwrap_or_default();
    let number: u32 = digits.parse().map_err(|_no_number| wrong())?;
    Ok((compare, i64::from(number) * unit))
}

impl Compare {
    fn holds<T: Ord + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Same => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}

#[cfg(test)]
mod tests;
