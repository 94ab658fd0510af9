//! Collects what is odd about a report while it is read, and turns loose values into strict
//! ones, noting those that do not fit.

use std::fmt::{self, Display};

use crate::model::key::WgKey;
use crate::model::report::Problem;

use super::DataInvalid;
use super::scalar::Scalar;
use crate::wire::limits::STRING_BYTES;

/// Problems kept per report: enough to see the pattern, too few to fill a disk with.
const MAX_PROBLEMS: usize = 64;

/// How much of an odd value a problem quotes, in characters.
const QUOTED_CHARS: usize = 48;

/// What was noticed so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    problems: Vec<Problem>,
    left_out: usize,
    /// A private or preshared key stands in the report.
    pub(super) had_secrets: bool,
    /// Some routes were left out.
    pub(super) routes_cut: bool,
    refusal: Option<DataInvalid>,
}

/// One item of a section, such as `routes[3]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) section: &'static str,
    pub(super) index: usize,
}

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.section, self.index)
    }
}

impl At {
    /// A member of the item.
    pub(super) fn dot(self, member: &'static str) -> Member {
        Member { at: self, member, index: None }
    }
}

/// A member of an item, or an element of that member, such as `routes[3].nexthops[1]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    at: At,
    member: &'static str,
    index: Option<usize>,
}

impl Member {
    /// An element of the member's list.
    pub(super) fn nth(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.member)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

impl Notes {
    /// Notes a problem.
    pub(super) fn add(&mut self, path: impl Display, detail: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { path: path.to_string(), detail: detail.into() });
        } else {
            self.left_out += 1;
        }
    }

    /// Notes a value of the wrong kind. `wanted` continues the sentence "must be ...".
    pub(super) fn wrong(&mut self, path: impl Display, wanted: &str, value: &Scalar<'_>) {
        self.add(path, format!("must be {wanted}, not {}", describe(value)));
    }

    /// How many problems there are, to be given to [`Notes::rename`].
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    /// Names an item by what it is instead of where it stood, in its problems since `from`: the
    /// order of a list changes from report to report, its items' names do not.
    pub(super) fn rename<N: Display>(&mut self, from: usize, at: At, name: impl FnOnce() -> N) {
        if self.problems.len() == from {
            return;
        }
        let (old, section, name) = (at.to_string(), at.section, name());
        for problem in self.problems.iter_mut().skip(from) {
            if let Some(rest) = problem.path.strip_prefix(&old) {
                problem.path = format!("{section}[{name}]{rest}");
            }
        }
    }

    /// Ends the reading: a list is longer than its limit. Returns what the reader's error says,
    /// which nobody sees.
    pub(super) fn too_many(&mut self, what: &'static str, limit: usize) -> &'static str {
        self.refusal.get_or_insert(DataInvalid::TooMany { what, limit });
        "too many"
    }

    /// Ends the reading: `data` is no object.
    pub(super) fn not_an_object(&mut self, found: &'static str) {
        self.refusal.get_or_insert(DataInvalid::NotAnObject { found });
    }

    /// Why the reading ended early, if it did.
    pub(super) fn refusal(&mut self) -> Option<DataInvalid> {
        self.refusal.take()
    }

    /// All problems, in a stable order.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| (&a.path, &a.detail).cmp(&(&b.path, &b.detail)));
        self.problems.dedup();
        if self.left_out > 0 {
            self.problems.push(Problem {
                path: "data".into(),
                detail: format!("has {} more problems, not listed", self.left_out),
            });
        }
        self.problems
    }

    /// A whole number from a number or digits; fractions are cut off.
    pub(super) fn whole(&mut self, path: impl Display, value: &Scalar<'_>) -> Option<u64> {
        let number = value.whole();
        if number.is_none() && !value.is_absent() {
            self.wrong(path, "a whole number", value);
        }
        number
    }

    /// A whole number that fits `T`.
    pub(super) fn fitting<T: TryFrom<u64>>(
        &mut self,
        path: impl Display,
        wanted: &str,
        value: &Scalar<'_>,
    ) -> Option<T> {
        let number = value.whole().and_then(|number| T::try_from(number).ok());
        if number.is_none() && !value.is_absent() {
            self.wrong(path, wanted, value);
        }
        number
    }

    /// A text without control characters, cut to [`STRING_BYTES`] bytes.
    pub(super) fn text(&mut self, path: impl Display, value: Scalar<'_>) -> Option<String> {
        match value {
            Scalar::Text(text) if holds_control(&text) => {
                self.add(path, "holds control characters");
                None
            }
            Scalar::Text(text) if text.len() > STRING_BYTES => {
                self.add(path, format!("is longer than {STRING_BYTES} bytes and was cut"));
                Some(
                    text.get(..text.floor_char_boundary(STRING_BYTES))
                        .unwrap_or_default()
                        .to_owned(),
                )
            }
            Scalar::Text(text) if text.is_empty() => None,
            Scalar::Text(text) => Some(text.into_owned()),
            Scalar::Null => None,
            other => {
                self.wrong(path, "text", &other);
                None
            }
        }
    }

    /// A name: like a text, but cutting it would make it another name.
    pub(super) fn name(
        &mut self,
        path: impl Display,
        most: usize,
        value: Scalar<'_>,
    ) -> Option<String> {
        if let Scalar::Text(text) = &value
            && text.len() > most
        {
            self.add(path, format!("is longer than {most} bytes"));
            return None;
        }
        self.text(path, value)
    }

    /// A WireGuard public key. The value is never quoted: it may be the wrong key.
    pub(super) fn key(&mut self, path: impl Display, text: &str) -> Option<WgKey> {
        match text.parse() {
            Ok(key) => Some(key),
            Err(refusal) => {
                self.add(path, format!("is not a public key: {refusal}"));
                None
            }
        }
    }
}

/// Whether a text holds control characters; quick for texts without anything special.
fn holds_control(text: &str) -> bool {
    let is_plain = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    !is_plain && text.chars().any(char::is_control)
}

fn describe(value: &Scalar<'_>) -> String {
    match value {
        Scalar::Null => "null".into(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Unsigned(value) => value.to_string(),
        Scalar::Signed(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Text(text) => quote(text),
        Scalar::Nested { .. } => "a list or an object".into(),
    }
}

/// The beginning of a text, made harmless for logs and terminals.
pub(super) fn quote(text: &str) -> String {
    let start: String = text.chars().take(QUOTED_CHARS).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("\"{}{more}\"", start.escape_debug())
}
