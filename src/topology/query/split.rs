//! A query's text as its terms, before anybody asks what their values mean.

use super::{FIELDS, Field, InvalidQuery};

/// One term.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) not: bool,
    pub(super) field: Option<Field>,
    /// In lower case, never empty.
    pub(super) values: Vec<String>,
}

/// A term as far as it has been read.
#[derive(Debug, Default)]
struct Begun {
    not: bool,
    field: Option<Field>,
    values: Vec<String>,
    value: String,
    /// Whether the value has stood in quotes: then it may be what looks like something else.
    quoted: bool,
}

/// The terms of a query.
pub(super) fn split(text: &str) -> Result<Vec<Token>, InvalidQuery> {
    let mut tokens = Vec::new();
    let mut begun = Begun::default();
    let mut in_quotes = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                in_quotes = !in_quotes;
                begun.quoted = true;
            }
            _ if in_quotes => begun.value.push(c),
            c if c.is_whitespace() => tokens.extend(std::mem::take(&mut begun).end()?),
            '-' if begun.is_untouched() => begun.not = true,
            ',' if !begun.value.is_empty() => begun.values.push(std::mem::take(&mut begun.value)),
            ':' if begun.may_name_a_field() && rest.peek() != Some(&':') => begun.name()?,
            c => begun.value.push(c),
        }
    }
    if in_quotes {
        return Err(InvalidQuery("A quote is opened and not closed.".to_owned()));
    }
    tokens.extend(begun.end()?);
    Ok(tokens)
}

impl Begun {
    fn is_untouched(&self) -> bool {
        !self.not && self.field.is_none() && self.is_without_value() && !self.quoted
    }

    fn is_without_value(&self) -> bool {
        self.value.is_empty() && self.values.is_empty()
    }

    /// Whether a colon here ends a field's name: letters stand before it. Addresses begin with
    /// hexadecimal digits, and no field's name is made of those alone.
    fn may_name_a_field(&self) -> bool {
        let word = &self.value;
        self.field.is_none()
            && self.values.is_empty()
            && !self.quoted
            && !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
            && !word.chars().all(|c| c.is_ascii_hexdigit())
    }

    fn name(&mut self) -> Result<(), InvalidQuery> {
        let word = std::mem::take(&mut self.value).to_lowercase();
        self.field = Some(Field::named(&word).ok_or_else(|| {
            let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            InvalidQuery(format!(
                "There is no field `{word}`; there are {names}. Put a text with a colon in quotes."
            ))
        })?);
        Ok(())
    }

    /// The term; nothing if there is none.
    fn end(mut self) -> Result<Option<Token>, InvalidQuery> {
        if !self.value.is_empty() {
            self.values.push(std::mem::take(&mut self.value));
        }
        let values: Vec<String> = self.values.into_iter().map(|text| text.to_lowercase()).collect();
        match (self.field, values.is_empty()) {
            (Some(field), true) => Err(InvalidQuery(format!("Give `{}:` a value.", field.word()))),
            (None, true) => Ok(None),
            (field, false) => Ok(Some(Token { not: self.not, field, values })),
        }
    }
}
