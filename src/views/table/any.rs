//! Any list of the API as CSV: a row for each thing, a column for each of its members.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{plain, text};

/// A thing, its members in the order in which they were told.
struct Row(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Row, M::Error> {
                let mut row = Vec::new();
                while let Some(member) = map.next_entry()? {
                    row.push(member);
                }
                Ok(Row(row))
            }
        }
        from.deserialize_map(Members)
    }
}

/// The list that an object holds beside other things.
struct Within<'m>(&'m str);

impl<'de> serde::de::DeserializeSeed<'de> for Within<'_> {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Row>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.0)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Vec<Row>, M::Error> {
        let mut found = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.0 {
                found = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The rows of a JSON list, or of the list that a JSON object has as this member.
///
/// A list inside a row is its values between blanks, an object inside it is JSON; `null` is
/// nothing. What hosts tell is never a formula.
///
/// # Errors
/// If that is no list of objects, or if the writer fails, which memory does not.
pub fn of_json(body: &[u8], member: &str) -> Result<Vec<u8>, String> {
    let rows: Vec<Row> = if member.is_empty() {
        serde_json::from_slice(body).map_err(|error| error.to_string())?
    } else {
        let mut json = serde_json::Deserializer::from_slice(body);
        serde::de::DeserializeSeed::deserialize(Within(member), &mut json)
            .map_err(|error| error.to_string())?
    };
    let mut heads: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    for (name, _) in rows.iter().flat_map(|Row(row)| row) {
        if known.insert(name.as_str()) {
            heads.push(name.clone());
        }
    }
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let cells = rows.iter().map(|Row(row)| {
        let of = |head: &String| row.iter().find(|(name, _)| name == head);
        heads
            .iter()
            .map(|head| of(head).map(|(_, value)| cell(value)).unwrap_or_default())
            .collect()
    });
    plain(&heads, cells).map_err(|error| error.to_string())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(words) => text(words),
        Value::Array(all) if !all.iter().any(|one| one.is_object() || one.is_array()) => {
            let words: Vec<String> = all.iter().map(bare).collect();
            text(&words.join(" "))
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: &str, member: &str) -> String {
        String::from_utf8(of_json(json.as_bytes(), member).unwrap()).unwrap()
    }

    #[test]
    fn a_list_is_told_in_the_order_of_its_members() {
        let json = r#"[{"name":"=1","n":2,"on":true,"at":null,"many":["b","a"]},
            {"name":"x","more":{"k":[1]}}]"#;
        let wanted = "name,n,on,at,many,more\n'=1,2,true,,b a,\nx,,,,,\"{\"\"k\"\":[1]}\"\n";
        assert_eq!(table(json, ""), wanted);
        let within = format!(r#"{{"next":null,"rows":{json},"left":3}}"#);
        assert_eq!(table(&within, "rows"), wanted);
        assert_eq!(table("[]", ""), "", "nothing has no members");
        assert!(of_json(b"{}", "").is_err() && of_json(b"[1]", "").is_err());
    }
}
