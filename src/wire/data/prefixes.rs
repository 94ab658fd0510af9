//! Lists of addresses and prefixes: texts, one text with commas, or the objects of `ip -j addr`.

use ipnet::IpNet;
use serde::de::{Error as _, MapAccess, SeqAccess};

use super::net;
use super::notes::{Member, Notes, quote};
use super::scalar::{self, Drive, Key, Scalar, Sink};

/// Reads a list of prefixes into a vector.
pub(super) struct Prefixes<'a> {
    pub(super) notes: &'a mut Notes,
    pub(super) path: Member,
    /// What to call the list when it is too long, and how long it may be.
    pub(super) most: (&'static str, usize),
    /// Whether bits after the prefix mean nothing and are cleared, as WireGuard does.
    pub(super) network: bool,
    pub(super) into: &'a mut Vec<IpNet>,
}

impl Prefixes<'_> {
    fn push(&mut self, path: Member, text: &str) -> bool {
        match net::prefix(text.trim()) {
            Ok(_) if self.into.len() >= self.most.1 => return false,
            Ok(prefix) if self.network => self.into.push(prefix.trunc()),
            Ok(prefix) => self.into.push(prefix),
            Err(problem) => self.notes.add(path, format!("{} {problem}", quote(text))),
        }
        true
    }

    /// Reads a text with commas; `Err` if it holds too many.
    pub(super) fn split(&mut self, text: &str) -> Result<(), (&'static str, usize)> {
        for (index, part) in text.split(',').enumerate() {
            if !matches!(part.trim(), "" | "(none)") && !self.push(self.path.nth(index), part) {
                return Err(self.most);
            }
        }
        Ok(())
    }
}

impl<'de> Sink<'de> for Prefixes<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(mut self, value: Scalar<'de>) {
        match value {
            Scalar::Null => {}
            Scalar::Text(text) => {
                if let Err((what, limit)) = self.split(&text) {
                    self.notes.too_many(what, limit);
                }
            }
            other => self.notes.wrong(self.path, "a list", &other),
        }
    }

    fn list<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        let mut full = false;
        while let Some(()) =
            list.next_element_seed(Drive(One { list: &mut self, index, full: &mut full }))?
        {
            if full {
                return Err(A::Error::custom(self.notes.too_many(self.most.0, self.most.1)));
            }
            index += 1;
        }
        Ok(())
    }
}

/// One element of the list.
struct One<'l, 'a> {
    list: &'l mut Prefixes<'a>,
    index: usize,
    full: &'l mut bool,
}

impl<'de> Sink<'de> for One<'_, '_> {
    fn notes(&mut self) -> &mut Notes {
        self.list.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        let path = self.list.path.nth(self.index);
        match &value {
            Scalar::Text(text) => *self.full = !self.list.push(path, text),
            other => self.list.notes.wrong(path, "an address with its prefix length", other),
        }
    }

    /// An element of `addr_info`. An empty one is what iproute2 prints for a filtered address.
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let (mut local, mut length, mut empty) = (None, None, true);
        while let Some(Key(name)) = object.next_key()? {
            empty = false;
            match &*name {
                "local" => local = Some(scalar::value(&mut object, self.list.notes)?),
                "prefixlen" => length = scalar::value(&mut object, self.list.notes)?.whole(),
                other => scalar::skip(&mut object, other, self.list.notes)?,
            }
        }
        let path = self.list.path.nth(self.index);
        match (local, length) {
            _ if empty => {}
            (Some(Scalar::Text(local)), Some(length)) => {
                *self.full = !self.list.push_parts(path, &local, length);
            }
            _ => self.list.notes.add(path, "must have an address in local and its prefixlen"),
        }
        Ok(())
    }
}

impl Prefixes<'_> {
    fn push_parts(&mut self, path: Member, local: &str, length: u64) -> bool {
        let prefix = net::address_of(local)
            .zip(u8::try_from(length).ok())
            .and_then(|(address, length)| IpNet::new(address, length).ok());
        match prefix {
            Some(_) if self.into.len() >= self.most.1 => return false,
            Some(prefix) => self.into.push(prefix),
            None => self.notes.add(path, format!("{}/{length} is not an address", quote(local))),
        }
        true
    }
}
