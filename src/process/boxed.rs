//! A sorted map whose values stand in places of their own. The nodes of a tree are half empty when
//! keys come in their order, as those of agents do: with a value of hundreds of bytes in each place,
//! most of the memory would hold nothing.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The map.
#[derive(Debug)]
pub(super) struct Boxed<K, V>(BTreeMap<K, Box<V>>);

impl<K: Ord, V> Boxed<K, V> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map(|value| &**value)
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key).map(|value| &mut **value)
    }

    /// Answers what stood there.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, Box::new(value)).map(|old| *old)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.keys()
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.0.values().map(|value| &**value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.values_mut().map(|value| &mut **value)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, &**value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_sorted_map() {
        let mut map = Boxed::new();
        for key in [3, 1, 2] {
            assert_eq!(map.insert(key, key * 10), None);
        }
        assert_eq!(map.insert(2, 21), Some(20));
        *map.get_mut(&1).unwrap() = 11;
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&1, &11), (&2, &21), (&3, &30)]);
        assert_eq!((map.get(&3), map.get(&4), map.len()), (Some(&30), None, 3));
        map.values_mut().for_each(|value| *value += 1);
        assert!(map.keys().copied().eq([1, 2, 3]) && map.values().copied().eq([12, 22, 31]));
    }
}
