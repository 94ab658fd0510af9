//! A sorted list that mostly has one item, and then takes no memory of its own.

/// The list. Empty ones are many of nothing.
#[derive(Debug)]
pub(super) enum Few<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T: Copy + Ord> Few<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }

    /// `false` if it was there.
    pub(super) fn insert(&mut self, item: T) -> bool {
        let Err(at) = self.as_slice().binary_search(&item) else { return false };
        match self {
            Self::One(other) => {
                *self = Self::Many(if at == 0 { vec![item, *other] } else { vec![*other, item] });
            }
            Self::Many(items) if items.is_empty() => *self = Self::One(item),
            Self::Many(items) => {
                // Two become three and four, where a list by itself would double.
                items.reserve_exact(usize::from(items.len() < 4));
                items.insert(at, item);
            }
        }
        true
    }

    /// `false` if it was not there.
    pub(super) fn remove(&mut self, item: &T) -> bool {
        let Ok(at) = self.as_slice().binary_search(item) else { return false };
        match self {
            Self::One(_) => *self = Self::default(),
            Self::Many(items) => {
                items.remove(at);
                if let [last] = items[..] {
                    *self = Self::One(last);
                }
            }
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<'a, T: Copy + Ord> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_a_set_does(steps in prop::collection::vec((any::<bool>(), 0_u8..6), 0..40)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for (puts, item) in steps {
                if puts {
                    prop_assert_eq!(few.insert(item), set.insert(item));
                } else {
                    prop_assert_eq!(few.remove(&item), set.remove(&item));
                }
                prop_assert!(few.into_iter().eq(&set) && few.is_empty() == set.is_empty());
            }
        }
    }

    #[test]
    fn one_item_takes_no_memory_of_its_own() {
        let mut few = Few::default();
        few.insert([1_u64, 2]);
        assert!(matches!(few, Few::One(_)) && size_of::<Few<[u64; 2]>>() == size_of::<Vec<u8>>());
    }
}
