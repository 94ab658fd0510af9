//! The members of `data` itself.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};
use serde_json::value::RawValue;

use crate::model::report::{Interface, Peer, ReportData, Route};
use crate::model::time::UnixSeconds;

use super::dump::{self, Dump};
use super::notes::{Notes, quote};
use super::scalar::{self, Drive, Key, Scalar, Sink};
use super::section::Section;
use super::told::{self, Told};
use super::{DataInvalid, secret};
use crate::wire::limits::{LABELS, NAME_BYTES, STRING_BYTES};

/// Longest host name in bytes (RFC 1035, 2.3.4, without the final dot).
const MAX_HOSTNAME: usize = 253;

/// What was read, before the dump is merged into it and everything is sorted.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The plain members; its lists are still empty.
    pub(super) plain: ReportData,
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) routes: Option<Vec<Route>>,
    pub(super) peers: Option<Vec<Peer>>,
    pub(super) dump: Option<Dump>,
}

/// Reads the text of `data`.
pub(super) fn read(text: &str, notes: &mut Notes) -> Result<Draft, DataInvalid> {
    let mut draft = Draft::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let outcome = Drive(Top { draft: &mut draft, notes: &mut *notes })
        .deserialize(&mut reader)
        .and_then(|()| reader.end());
    match (notes.refusal(), outcome) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) => Err(DataInvalid::Malformed { detail: error.to_string() }),
        (None, Ok(())) => Ok(draft),
    }
}

struct Top<'a> {
    draft: &'a mut Draft,
    notes: &'a mut Notes,
}

impl<'de> Sink<'de> for Top<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        self.notes.not_an_object(match value {
            Scalar::Null => "null",
            Scalar::Bool(_) => "true or false",
            Scalar::Unsigned(_) | Scalar::Signed(_) | Scalar::Float(_) => "a number",
            Scalar::Text(_) => "text",
            Scalar::Nested { .. } => "a list",
        });
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { draft, notes } = self;
        while let Some(Key(key)) = object.next_key()? {
            match &*key {
                "interfaces" => {
                    object.next_value_seed(Drive(Section { notes, into: &mut draft.interfaces }))?
                }
                "routes" => {
                    object.next_value_seed(Drive(Section { notes, into: &mut draft.routes }))?;
                }
                "wg_peers" => {
                    object.next_value_seed(Drive(Section { notes, into: &mut draft.peers }))?;
                }
                secret::DUMP_MEMBER => {
                    let raw: &'de RawValue = object.next_value()?;
                    draft.dump = dump::read(raw.get(), notes).map_err(serde::de::Error::custom)?;
                }
                "load" => {
                    let into = &mut draft.plain.load;
                    object.next_value_seed(Drive(Load { notes, into }))?;
                }
                told::SECTION => object.next_value_seed(Drive(Told { notes }))?,
                "labels" => {
                    let into = &mut draft.plain.labels;
                    object.next_value_seed(Drive(Labels { notes, into }))?;
                }
                plain if is_plain(plain) => {
                    let value = scalar::value(&mut object, notes)?;
                    member(&mut draft.plain, plain, value, notes);
                }
                other => scalar::skip(&mut object, other, notes)?,
            }
        }
        Ok(())
    }
}

/// Whether [`member`] knows what to do with a member.
fn is_plain(key: &str) -> bool {
    matches!(
        key,
        "agent_id"
            | "hostname"
            | "uptime_seconds"
            | "boot_id"
            | "collected_at"
            | "agent_version"
            | "fleet_id"
            | "routes_truncated"
            | "interfaces_truncated"
    )
}

/// Takes a plain value.
fn member(data: &mut ReportData, key: &str, value: Scalar<'_>, notes: &mut Notes) {
    match key {
        "agent_id" => data.agent_id = parsed("agent_id", value, notes),
        "fleet_id" => data.fleet_id = parsed("fleet_id", value, notes),
        "hostname" => data.hostname = notes.name("hostname", MAX_HOSTNAME, value),
        "boot_id" => data.boot_id = notes.name("boot_id", NAME_BYTES, value),
        "agent_version" => data.agent_version = notes.text("agent_version", value),
        "uptime_seconds" => data.uptime_seconds = notes.whole("uptime_seconds", &value),
        "collected_at" => {
            data.collected_at = value.signed().map(UnixSeconds);
            if data.collected_at.is_none() && !value.is_absent() {
                notes.wrong("collected_at", "a time in Unix seconds", &value);
            }
        }
        "interfaces_truncated" => {
            if flag("interfaces_truncated", &value, notes) {
                notes.add("interfaces", "were cut to fit into the report");
            }
        }
        _ => data.routes_truncated = flag("routes_truncated", &value, notes),
    }
}

/// Whether a list was cut.
fn flag(path: &'static str, value: &Scalar<'_>, notes: &mut Notes) -> bool {
    match value {
        Scalar::Bool(truncated) => *truncated,
        Scalar::Null => false,
        other => {
            notes.wrong(path, "true or false", other);
            false
        }
    }
}

/// A name with a rule of its own.
fn parsed<T: FromStr>(path: &'static str, value: Scalar<'_>, notes: &mut Notes) -> Option<T>
where
    T::Err: ToString,
{
    match value {
        Scalar::Text(text) => {
            text.parse().map_err(|refusal: T::Err| notes.add(path, refusal.to_string())).ok()
        }
        Scalar::Null => None,
        other => {
            notes.wrong(path, "text", &other);
            None
        }
    }
}

/// Reads the three load averages.
struct Load<'a> {
    notes: &'a mut Notes,
    into: &'a mut Option<[f64; 3]>,
}

impl<'de> Sink<'de> for Load<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong("load", "a list of three numbers", &value);
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut load = [None; 3];
        for place in &mut load {
            *place = scalar::element(&mut list, self.notes)?.and_then(|value| average(&value));
        }
        let mut more = false;
        while scalar::element(&mut list, self.notes)?.is_some() {
            more = true;
        }
        match (load, !more) {
            ([Some(one), Some(five), Some(fifteen)], true) => {
                *self.into = Some([one, five, fifteen]);
            }
            _ => self.notes.add("load", "must be a list of three numbers of at least 0"),
        }
        Ok(())
    }
}

fn average(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Float(value) if *value >= 0.0 => Some(*value),
        // No load needs more than 32 bits.
        Scalar::Unsigned(value) => u32::try_from(*value).ok().map(f64::from),
        Scalar::Text(text) => {
            text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)
        }
        _ => None,
    }
}

/// Reads labels.
struct Labels<'a> {
    notes: &'a mut Notes,
    into: &'a mut BTreeMap<String, String>,
}

impl<'de> Sink<'de> for Labels<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong("labels", "an object of texts", &value);
        }
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { notes, into } = self;
        let mut left_out = 0_usize;
        while let Some(Key(key)) = object.next_key()? {
            if secret::is_secret_name(&key) || key == secret::DUMP_MEMBER {
                scalar::skip(&mut object, &key, notes)?;
                notes.add("labels", "hold what is no label; it was dropped");
                continue;
            }
            let value = scalar::value(&mut object, notes)?;
            let fits =
                (1..=STRING_BYTES).contains(&key.len()) && !key.chars().any(char::is_control);
            let path = format_args!("labels.{}", quote(&key));
            if into.len() >= LABELS {
                left_out += 1;
            } else if !fits {
                notes.add(path, "is not a name for a label");
            } else if let Some(text) = notes.text(path, value) {
                into.insert(key.into_owned(), text);
            }
        }
        if left_out > 0 {
            notes.add("labels", format!("are more than {LABELS}; {left_out} were left out"));
        }
        Ok(())
    }
}
