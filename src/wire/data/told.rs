//! Problems that the agent tells itself: what it could not read on its host, and why.
//!
//! They stand beside what the manager did not understand, so both are bounded: nobody can fill
//! a page or a disk with them.

use serde::de::{MapAccess, SeqAccess};

use super::notes::{At, Notes};
use super::scalar::{self, Drive, Key, Scalar, Sink};
use crate::wire::limits::{NAME_BYTES, STRING_BYTES, TOLD_PROBLEMS};

/// The member of `data`.
pub(super) const SECTION: &str = "problems";

/// Reads the list.
pub(super) struct Told<'a> {
    pub(super) notes: &'a mut Notes,
}

impl<'de> Sink<'de> for Told<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong(SECTION, "a list", &value);
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for index in 0..TOLD_PROBLEMS {
            let one = One { notes: &mut *self.notes, at: At { section: SECTION, index } };
            if list.next_element_seed(Drive(one))?.is_none() {
                return Ok(());
            }
        }
        let mut more = 0_usize;
        while scalar::element(&mut list, self.notes)?.is_some() {
            more += 1;
        }
        if more > 0 {
            let detail = format!("are more than {TOLD_PROBLEMS}; {more} were left out");
            self.notes.add(SECTION, detail);
        }
        Ok(())
    }
}

/// Reads one problem.
struct One<'a> {
    notes: &'a mut Notes,
    at: At,
}

impl<'de> Sink<'de> for One<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        self.notes.wrong(self.at, "an object with path and detail", &value);
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { notes, at } = self;
        let (from, mut path, mut detail) = (notes.count(), None, None);
        while let Some(Key(key)) = object.next_key()? {
            match &*key {
                "path" => {
                    let value = scalar::value(&mut object, notes)?;
                    path = notes.name(at.dot("path"), NAME_BYTES, value);
                }
                "detail" => {
                    let value = cut(scalar::value(&mut object, notes)?);
                    detail = notes.text(at.dot("detail"), value);
                }
                other => scalar::skip(&mut object, other, notes)?,
            }
        }
        match (path, detail) {
            (Some(path), Some(detail)) => notes.add(path, detail),
            _ if notes.count() == from => notes.add(at, "needs a path and a detail"),
            _ => {}
        }
        Ok(())
    }
}

/// Cuts a text without a further problem about it: one item makes one problem at most.
fn cut(value: Scalar<'_>) -> Scalar<'_> {
    match value {
        Scalar::Text(text) if text.len() > STRING_BYTES => {
            let end = text.floor_char_boundary(STRING_BYTES);
            Scalar::Text(text.get(..end).unwrap_or_default().to_owned().into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::data::tests::{clean, paths, read};

    #[test]
    fn what_the_agent_tells_is_kept() {
        let detail = "of wg0 cannot be read: give the agent CAP_NET_ADMIN";
        let report = read(&json!({"problems": [
            {"path": "wg_peers", "detail": detail, "since": [1, {"a": 2}]},
        ]}));
        let told: Vec<_> = report.problems.iter().map(|p| (&*p.path, &*p.detail)).collect();
        assert_eq!(told, [("wg_peers", detail)]);
        for nothing in [json!([]), Value::Null, json!("")] {
            clean(&json!({"problems": nothing}));
        }
    }

    #[test]
    fn odd_problems() {
        let report = read(&json!({"problems": [
            5, {}, {"path": "x"}, {"path": "a\u{7}", "detail": "b"}, {"path": "x", "detail": ["y"]},
            {"path": "p".repeat(200), "detail": "b"}, [[]],
        ]}));
        assert_eq!(
            paths(&report),
            [
                "problems[0]",
                "problems[1]",
                "problems[2]",
                "problems[3].path",
                "problems[4].detail",
                "problems[5].path",
                "problems[6]",
            ]
        );
        assert_eq!(paths(&read(&json!({"problems": {"path": "x"}}))), ["problems"]);
    }

    #[test]
    fn a_flood_is_bounded() {
        let flood: Vec<Value> = (0..5000)
            .map(|n| json!({"path": format!("x{n}"), "detail": "é".repeat(5000)}))
            .collect();
        let report = read(&json!({"problems": flood, "hostname": 5}));
        assert!(report.problems.len() <= 65, "{}", report.problems.len());
        assert!(report.problems.iter().any(|problem| problem.path == "hostname"));
        assert!(report.problems.iter().all(|problem| problem.detail.len() <= STRING_BYTES));
        let left_out = report.problems.iter().find(|problem| problem.path == SECTION).unwrap();
        assert_eq!(left_out.detail, "are more than 32; 4968 were left out");
    }

    #[test]
    fn keys_in_a_problem_are_noticed() {
        let key = "CJ1hWgWvSljdeuJ4DriuwQGRXFHMI+q3S/UyxvldWk4=";
        let report = read(&json!({"problems": [
            {"path": "x", "detail": "y", "private_key": key},
        ]}));
        assert!(report.had_secrets);
        assert!(!format!("{:?}", report.problems).contains(key));
    }
}
