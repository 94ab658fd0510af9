//! A sorted map in one list: it takes the memory of its pairs and little more.
//!
//! The nodes of a tree have room for eleven pairs each, and are half empty when keys come in their
//! order. A host has a handful of interfaces and peers, and there are as many such maps as hosts.
//! Putting a pair between others moves those behind it, which is seldom: reports list things in
//! order.

use std::borrow::Borrow;
use std::ops::RangeFrom;

/// The map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(super) fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|(key, value)| (key, value))
    }

    pub(super) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Answers what stood there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                if self.0.len() == self.0.capacity() {
                    // An eighth more, where a list by itself would double.
                    self.0.reserve_exact(self.0.len() / 8 + 1);
                }
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&K) -> bool) {
        self.0.retain(|(key, _)| stays(key));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(super) fn range(
        &self,
        keys: RangeFrom<K>,
    ) -> impl Iterator<Item = (&K, &V)> + Clone + use<'_, K, V> {
        let (Ok(from) | Err(from)) = self.find(&keys.start);
        self.0.iter().skip(from).map(|(key, value)| (key, value))
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    /// Of pairs with the same key the last counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut list: Vec<_> = pairs.into_iter().collect();
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        list.reverse();
        list.dedup_by(|(a, _), (b, _)| a == b);
        list.reverse();
        list.shrink_to_fit();
        Self(list)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_a_tree_does(steps in prop::collection::vec((any::<bool>(), 0_u8..20, any::<u8>()), 0..80)) {
            let (mut list, mut tree) = (Sorted::default(), BTreeMap::new());
            for (puts, key, value) in &steps {
                if *puts {
                    prop_assert_eq!(list.insert(*key, *value), tree.insert(*key, *value));
                } else {
                    prop_assert_eq!(list.remove(key), tree.remove(key));
                }
                prop_assert_eq!(list.get(key), tree.get(key));
                prop_assert_eq!(list.contains_key(key), tree.contains_key(key));
                prop_assert_eq!(list.get_mut(value), tree.get_mut(value));
                prop_assert_eq!(list.get_key_value(value), tree.get_key_value(value));
                prop_assert!(list.range(*value..).eq(tree.range(*value..)));
            }
            prop_assert!(list.iter().eq(tree.iter()) && list.keys().eq(tree.keys()));
            prop_assert!(list.values().eq(tree.values()) && list.len() == tree.len());
            prop_assert!(list.values_mut().eq(tree.values_mut()));
            let pairs = steps.iter().map(|(_, key, value)| (*key, *value));
            let (mut list, mut tree) = (pairs.clone().collect::<Sorted<_, _>>(), pairs.collect::<BTreeMap<_, _>>());
            prop_assert!(list.iter().eq(tree.iter()));
            list.retain(|key| key % 2 == 0);
            tree.retain(|key, _| key % 2 == 0);
            prop_assert!(list.iter().eq(tree.iter()));
            list.clear();
            prop_assert_eq!(list.len(), 0);
        }
    }

    #[test]
    fn it_takes_an_eighth_more_than_its_pairs_at_most() {
        let mut list = Sorted::default();
        for key in 0..1000_u32 {
            list.insert(key, ());
            assert!(list.0.capacity() <= list.len() + list.len() / 8 + 1);
        }
    }
}
