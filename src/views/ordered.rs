//! Tables of what is held in memory: sorted by their heads and paged by the last row of the page
//! before, as the page's own address asks.

use std::collections::BTreeMap;

use super::list::{Column, Head, ListQuery, Page};
use crate::model::time::UnixSeconds;

/// How the address of a page asks for its tables: `sort` and `after`, of a second table with a word
/// in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders(BTreeMap<String, String>);

/// What rows are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Nothing: before everything else.
    Nothing,
    /// A number, a time, or a place in an order.
    Number(i64),
    /// Words, whatever their case.
    Words(String),
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table<T> {
    /// Its heads.
    pub heads: Vec<Head>,
    /// Its rows.
    pub page: Page<T>,
}

impl Orders {
    /// What stands in a query.
    pub fn of(parts: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_order = |name: &str| name.ends_with("sort") || name.ends_with("after");
        Self(parts.into_iter().filter(|(name, _)| is_order(name)).collect())
    }

    /// A table at `path`, which keeps what else the address says. `which` is the word of the table; `key`
    /// is told a column's name; without one the rows stay in the order in which they come.
    pub fn table<T>(
        &self,
        (which, path): (&'static str, &str),
        columns: &[Column],
        rows: Vec<T>,
        (id, key): (impl Fn(&T) -> String, impl Fn(&str, &T) -> Key),
    ) -> Table<T> {
        let asked = |name: &str| self.0.get(&format!("{which}{name}")).cloned();
        let query = ListQuery {
            sort: asked("sort").unwrap_or_default(),
            after: asked("after"),
            which,
            ..ListQuery::default()
        };
        let rows: Vec<(usize, T)> = rows.into_iter().enumerate().collect();
        let compare = |by: &str, (i, a): &(usize, T), (j, b): &(usize, T)| match by {
            "" => i.cmp(j),
            by => key(by, a).cmp(&key(by, b)),
        };
        let Page { rows, next, first, total } = query.page(path, rows, |(_, row)| id(row), compare);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Table { heads: query.heads(path, columns), page: Page { rows, next, first, total } }
    }
}

/// Columns of which the last one, with forms, is only for who may act.
pub fn acting(columns: &[Column], may_act: bool) -> &[Column] {
    match columns.split_last() {
        Some((_, others)) if !may_act => others,
        _ => columns,
    }
}

impl From<&str> for Key {
    fn from(words: &str) -> Self {
        Self::Words(words.to_lowercase())
    }
}

impl From<UnixSeconds> for Key {
    fn from(at: UnixSeconds) -> Self {
        Self::Number(at.0)
    }
}

impl From<usize> for Key {
    fn from(count: usize) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Key {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<T: Into<Key>> From<Option<T>> for Key {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [("name", "Name", ""), ("", "Act", "")];

    fn shown(orders: &Orders) -> Table<&'static str> {
        let rows = vec!["b", "C", "a"];
        let key = |_: &str, row: &&str| Key::from(*row);
        orders.table(("t_", "/x?q=1"), &COLUMNS, rows, (|row: &&str| (*row).to_owned(), key))
    }

    fn asked(parts: &[(&str, &str)]) -> Orders {
        Orders::of(parts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn each_table_of_a_page_has_an_order_of_its_own() {
        let own = shown(&asked(&[("sort", "-name"), ("other", "x")]));
        assert_eq!(own.page.rows, ["b", "C", "a"], "another table's");
        assert_eq!(own.heads[0].href.as_deref(), Some("/x?q=1&t_sort=name"));
        let sorted = shown(&asked(&[("t_sort", "name"), ("t_after", "a")]));
        assert_eq!(sorted.page.rows, ["b", "C"]);
        assert_eq!(sorted.heads[0].sorted, Some("ascending"));
        assert_eq!(sorted.page.first.as_deref(), Some("/x?q=1&t_sort=name"));
    }

    #[test]
    fn what_there_is_not_comes_first() {
        let keys = [Key::from(None::<i64>), Key::from(2_usize), Key::from("A"), Key::from("b")];
        assert!(keys.is_sorted());
    }
}
