//! Small numbers for values that repeat by the hundred thousand: fleets, interface names, keys.
//!
//! Counts its users, so that a value nobody holds any more is forgotten and its number given
//! to the next one. Numbers mean nothing outside the run that gave them.

use std::collections::HashMap;
use std::hash::Hash;

/// A table of values and their numbers.
#[derive(Debug)]
pub(super) struct Interner<T> {
    numbers: HashMap<T, u32>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    value: T,
    users: u32,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), slots: Vec::new(), free: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of a value, if somebody holds it.
    pub(super) fn find<Q>(&self, value: &Q) -> Option<u32>
    where
        T: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.numbers.get(value).copied()
    }

    /// The value of a number that is held.
    pub(super) fn value(&self, number: u32) -> Option<&T> {
        let slot = self.slots.get(usize::try_from(number).ok()?)?;
        (slot.users > 0).then_some(&slot.value)
    }

    /// One more user of this value.
    pub(super) fn hold(&mut self, value: T) -> u32 {
        if let Some(&number) = self.numbers.get(&value) {
            if let Some(slot) = self.slot(number) {
                slot.users += 1;
            }
            return number;
        }
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(slot) = self.slot(number) {
                    *slot = Slot { value: value.clone(), users: 1 };
                }
                number
            }
            None => {
                let number = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
                self.slots.push(Slot { value: value.clone(), users: 1 });
                number
            }
        };
        self.numbers.insert(value, number);
        number
    }

    /// One user less.
    pub(super) fn release(&mut self, number: u32) {
        let Some(slot) = self.slot(number) else { return };
        if slot.users > 1 {
            slot.users -= 1;
        } else if slot.users == 1 {
            slot.users = 0;
            let value = slot.value.clone();
            self.numbers.remove(&value);
            self.free.push(number);
        }
    }

    fn slot(&mut self, number: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_its_users() {
        let mut names: Interner<Box<str>> = Interner::default();
        let wg0 = names.hold("wg0".into());
        assert_eq!(names.hold("wg0".into()), wg0);
        let wg1 = names.hold("wg1".into());
        names.release(wg0);
        assert_eq!(names.find("wg0"), Some(wg0));
        names.release(wg0);
        assert_eq!(names.find("wg0"), None);
        assert_eq!(names.value(wg0), None);
        // The number is used again, the other value is untouched.
        assert_eq!(names.hold("wg2".into()), wg0);
        assert_eq!(names.value(wg1).map(AsRef::as_ref), Some("wg1"));
        assert_eq!(names.slots.len(), 2);
    }
}
