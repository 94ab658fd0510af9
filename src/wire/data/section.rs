//! What the lists of interfaces, routes and peers have in common.

use serde::de::{Error as _, MapAccess, SeqAccess};

use super::notes::{At, Notes};
use super::scalar::{self, Drive, Scalar, Sink};

/// An element of such a list.
pub(super) trait Row: Sized {
    /// The member of `data`.
    const SECTION: &'static str;
    /// What the elements are called.
    const WHAT: &'static str;
    /// How many are taken.
    const MOST: usize;
    /// Whether more are cut off; otherwise the report is refused.
    const CUT: bool;

    /// Reads one element; it may become any number of rows. `false` if it had no members, which
    /// is what iproute2 prints for something filtered out.
    fn read<'de, A: MapAccess<'de>>(
        object: A,
        at: At,
        notes: &mut Notes,
        into: &mut Vec<Self>,
    ) -> Result<bool, A::Error>;
}

/// Reads a section.
pub(super) struct Section<'a, T> {
    pub(super) notes: &'a mut Notes,
    /// Stays `None` if there is no list, or nothing in it makes sense: a list of rubbish proves
    /// nothing about the host.
    pub(super) into: &'a mut Option<Vec<T>>,
}

impl<'de, T: Row> Sink<'de> for Section<'_, T> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong(T::SECTION, "a list", &value);
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut rows = Vec::with_capacity(list.size_hint().unwrap_or(16).min(16));
        let (mut index, mut told) = (0, false);
        while rows.len() < T::MOST {
            let at = At { section: T::SECTION, index };
            let element = Element { at, notes: &mut *self.notes, rows: &mut rows, told: &mut told };
            if list.next_element_seed(Drive(element))?.is_none() {
                break;
            }
            index += 1;
        }
        if rows.len() >= T::MOST {
            let mut more = rows.len() > T::MOST;
            while scalar::element(&mut list, self.notes)?.is_some() {
                more = true;
            }
            if more && !T::CUT {
                return Err(A::Error::custom(self.notes.too_many(T::WHAT, T::MOST)));
            }
            self.notes.routes_cut |= more;
            rows.truncate(T::MOST);
        }
        if !rows.is_empty() || !told {
            *self.into = Some(rows);
        }
        Ok(())
    }
}

struct Element<'a, T> {
    at: At,
    notes: &'a mut Notes,
    rows: &'a mut Vec<T>,
    /// Whether any element had something to say.
    told: &'a mut bool,
}

impl<'de, T: Row> Sink<'de> for Element<'_, T> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        *self.told = true;
        self.notes.wrong(self.at, "an object", &value);
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        *self.told |= T::read(object, self.at, self.notes, self.rows)?;
        Ok(())
    }
}
