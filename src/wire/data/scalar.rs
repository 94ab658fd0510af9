//! JSON values of unknown kind, read without ever failing on the kind.
//!
//! [`Scalar`] holds whatever stands where a plain value should; [`Sink`] and [`Drive`] let a
//! reader say what to do with a value, a list and an object, in place of one `serde` visitor
//! per shape.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::notes::Notes;
use super::{dump, hunt, secret};

/// A value that should be plain.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'de> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(Cow<'de, str>),
    /// A list or an object, skipped.
    Nested {
        /// Whether a private or preshared key stands in it.
        secret: bool,
    },
}

impl Scalar<'_> {
    /// Whether the value says "nothing", which is no problem anywhere.
    pub(super) fn is_absent(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// Whether a private or preshared key stands somewhere inside.
    pub(super) fn hides_secret(&self) -> bool {
        matches!(self, Self::Nested { secret: true })
    }

    /// A number of at least 0, fractions cut off; digits in a text count.
    pub(super) fn whole(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Float(value) => floor(*value).and_then(|value| u64::try_from(value).ok()),
            Self::Text(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            Self::Null | Self::Bool(_) | Self::Signed(_) | Self::Text(_) | Self::Nested { .. } => {
                None
            }
        }
    }

    /// A number, negative ones included, fractions rounded down.
    pub(super) fn signed(&self) -> Option<i64> {
        match self {
            Self::Signed(value) => Some(*value),
            Self::Float(value) => floor(*value),
            _ => i64::try_from(self.whole()?).ok(),
        }
    }
}

/// The next whole number down, if every whole number of that size has a float of its own
/// (below 2^53); larger floats are rounded already and not worth believing.
fn floor(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "within 2^53, checked")]
    (value.abs() <= EXACT).then(|| value.floor() as i64)
}

/// What a reader does with a value, whatever its kind; lists and objects it does not expect
/// arrive skipped, as [`Scalar::Nested`].
pub(super) trait Sink<'de>: Sized {
    /// Where to note what is found.
    fn notes(&mut self) -> &mut Notes;

    /// Takes a plain value.
    fn scalar(self, value: Scalar<'de>);

    /// Takes a list.
    fn list<A: SeqAccess<'de>>(mut self, list: A) -> Result<(), A::Error> {
        let value = skim_list(list)?;
        self.notes().had_secrets |= value.hides_secret();
        self.scalar(value);
        Ok(())
    }

    /// Takes an object.
    fn object<A: MapAccess<'de>>(mut self, object: A) -> Result<(), A::Error> {
        let value = skim_object(object)?;
        self.notes().had_secrets |= value.hides_secret();
        self.scalar(value);
        Ok(())
    }
}

/// Reads one value into a [`Sink`].
pub(super) struct Drive<S>(pub(super) S);

impl<'de, S: Sink<'de>> DeserializeSeed<'de> for Drive<S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

/// The visitor methods of a type to which all plain values are alike.
macro_rules! plain_values {
    ($to:ident) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON value")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Null))
        }
        fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Bool(value)))
        }
        fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Unsigned(value)))
        }
        fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Signed(value)))
        }
        fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Float(value)))
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Text(Cow::Borrowed(text))))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(self.$to(Scalar::Text(Cow::Owned(text.to_owned()))))
        }
    };
}

impl<'de, S: Sink<'de>> Drive<S> {
    fn take(self, value: Scalar<'de>) {
        self.0.scalar(value);
    }
}

impl<'de, S: Sink<'de>> Visitor<'de> for Drive<S> {
    type Value = ();
    plain_values!(take);
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.0.list(list)
    }
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.object(object)
    }
}

struct ScalarVisitor;

impl ScalarVisitor {
    #[expect(clippy::unused_self, reason = "called by the macro shared with Drive")]
    fn take<'de>(self, value: Scalar<'de>) -> Scalar<'de> {
        value
    }
}

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;
    plain_values!(take);
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Scalar<'de>, A::Error> {
        skim_list(list)
    }
    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Scalar<'de>, A::Error> {
        skim_object(object)
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

/// A member's name, borrowed from the input where it has no escapes.
pub(super) struct Key<'de>(pub(super) Cow<'de, str>);

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(KeyVisitor)
    }
}

/// Reads a member's value that should be plain.
pub(super) fn value<'de, A: MapAccess<'de>>(
    object: &mut A,
    notes: &mut Notes,
) -> Result<Scalar<'de>, A::Error> {
    let value: Scalar<'de> = object.next_value()?;
    notes.had_secrets |= value.hides_secret();
    Ok(value)
}

/// Reads an element that should be plain.
pub(super) fn element<'de, A: SeqAccess<'de>>(
    list: &mut A,
    notes: &mut Notes,
) -> Result<Option<Scalar<'de>>, A::Error> {
    let value: Option<Scalar<'de>> = list.next_element()?;
    notes.had_secrets |= value.as_ref().is_some_and(Scalar::hides_secret);
    Ok(value)
}

/// Skips the value of the member `name`.
pub(super) fn skip<'de, A: MapAccess<'de>>(
    object: &mut A,
    name: &str,
    notes: &mut Notes,
) -> Result<(), A::Error> {
    notes.had_secrets |= skim_member(object, name)?;
    Ok(())
}

/// Skips what is left of a list.
fn skim_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Scalar<'de>, A::Error> {
    let mut secret = false;
    while let Some(raw) = list.next_element::<&'de RawValue>()? {
        secret |= holds_secrets(raw.get());
    }
    Ok(Scalar::Nested { secret })
}

/// Skips what is left of an object.
fn skim_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Scalar<'de>, A::Error> {
    let mut secret = false;
    while let Some(Key(name)) = object.next_key()? {
        secret |= skim_member(&mut object, &name)?;
    }
    Ok(Scalar::Nested { secret })
}

/// Skips the value of the member `name`; says whether a key stands in it.
fn skim_member<'de, A: MapAccess<'de>>(object: &mut A, name: &str) -> Result<bool, A::Error> {
    let raw = object.next_value::<&'de RawValue>()?.get();
    Ok(if secret::is_secret_name(name) {
        secret::is_secret_value(raw)
    } else if name == secret::DUMP_MEMBER {
        dump::holds_secrets(raw)
    } else {
        holds_secrets(raw)
    })
}

/// Whether a key stands somewhere in the JSON text of a value.
fn holds_secrets(json: &str) -> bool {
    matches!(json.as_bytes().first(), Some(b'[' | b'{')) && !hunt::find(json).is_empty()
}
