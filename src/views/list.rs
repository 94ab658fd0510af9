//! Lists that are filtered, sorted and paged by their address alone: `?q=`, `?sort=`, `?after=`.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;
use crate::topology::picture::Picture;
use crate::topology::query::find::{Found, Known, find};
use crate::topology::query::{FIELDS, Query};

use super::text::encode;

/// Rows on one page: a screenful or three, and a page stays under 100 kB.
pub const PAGE_ROWS: usize = 100;

/// What the reader asked of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// What is asked for, in the language of [`crate::topology::query`].
    pub q: String,
    /// A column's name, with `-` in front for descending; empty for the list's own order.
    pub sort: String,
    /// The id of the last row of the page before.
    pub after: Option<String>,
    /// The second that the list shows; `None`: the present.
    pub at: Option<UnixSeconds>,
    /// What stands before the names of its order, if it is not the page's only list.
    pub which: &'static str,
}

/// A column's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its words.
    pub label: &'static str,
    /// The address that sorts by it; `None` if it cannot be sorted by.
    pub href: Option<String>,
    /// `ascending`, `descending`, or nothing.
    pub sorted: Option<&'static str>,
    /// Classes of its cells.
    pub class: &'static str,
}

/// A column: name in the address, words, classes.
pub type Column = (&'static str, &'static str, &'static str);

/// One page of rows and the way to the next.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// The address of the next page, if there is one.
    pub next: Option<String>,
    /// The address of the first page, if this is another.
    pub first: Option<String>,
    /// How many rows match in all.
    pub total: usize,
}

/// A list that the store pages by its numbers: newest first, or oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Numbered<'a> {
    /// Its path.
    pub path: &'a str,
    /// The agent it is narrowed to; empty: none.
    pub agent: &'a str,
    /// What it is narrowed to, as it was asked for.
    pub q: &'a str,
    /// Whether the oldest stand first.
    pub oldest_first: bool,
    /// Whether this is another page than the first.
    pub goes_on: bool,
    /// Rows on one page; a full page means that there may be another.
    pub limit: usize,
}

/// The word that asks for the oldest first.
pub const OLDEST_FIRST: &str = "time";

/// A path with the values that there are, added to the query that it has.
fn address<'v>(path: &str, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    let mut all = path.to_owned();
    for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
        let begins = if all.contains('?') { '&' } else { '?' };
        all += &format!("{begins}{name}={}", encode(value));
    }
    all
}

impl Numbered<'_> {
    fn address(&self, more: &[(&str, &str)]) -> String {
        let kept = [("agent", self.agent), ("q", self.q)];
        address(self.path, kept.into_iter().chain(more.iter().copied()))
    }

    /// Whether all that there is is asked for.
    pub fn is_whole(&self) -> bool {
        self.agent.is_empty() && self.q.is_empty()
    }

    /// The head of the column of times.
    pub fn head(&self, label: &'static str) -> Head {
        let (other, sorted) = match self.oldest_first {
            true => ("", "ascending"),
            false => (OLDEST_FIRST, "descending"),
        };
        let href = Some(self.address(&[("sort", other)]));
        Head { label, href, sorted: Some(sorted), class: "" }
    }

    /// The first page, and the next one after the last of so many rows.
    pub fn ways(&self, rows: usize, last: Option<i64>) -> (Option<String>, Option<String>) {
        let order = if self.oldest_first { OLDEST_FIRST } else { "" };
        let first = self.goes_on.then(|| self.address(&[("sort", order)]));
        let from = if self.oldest_first { "after" } else { "before" };
        let next = last
            .filter(|_| rows >= self.limit)
            .map(|last| self.address(&[("sort", order), (from, &last.to_string())]));
        (first, next)
    }

    /// The same rows under a path of the API.
    pub fn export(&self, path: &str, newest: bool) -> String {
        let before =
            if newest && !self.oldest_first { i64::MAX.to_string() } else { String::new() };
        address(path, [("agent_id", self.agent), ("q", self.q), ("before", &before)])
    }
}

/// Which rows a list shows, by id.
#[derive(Debug, Default)]
pub struct Hits<'a> {
    /// Nodes and links together, since their ids differ; `None`: all of them.
    only: Option<HashSet<&'a str>>,
    /// Why the question cannot be meant; then all rows are shown.
    pub problem: Option<String>,
}

impl<'a> Hits<'a> {
    /// Of a list that is narrowed elsewhere: only why its question cannot be meant.
    pub fn unread(problem: Option<String>) -> Self {
        Self { only: None, problem }
    }

    /// Looks through a picture; `known` tells what it does not.
    pub fn of(
        picture: &'a Picture,
        text: &str,
        now: UnixSeconds,
        known: impl Fn(&AgentId) -> Known<'a>,
    ) -> Self {
        match Query::parse(text) {
            Ok(query) if query.is_empty() => Self::default(),
            Ok(query) => {
                let Found { nodes, edges } = find(picture, &query, now, known);
                Self { only: Some(nodes.into_iter().chain(edges).collect()), problem: None }
            }
            Err(error) => Self { only: None, problem: Some(error.to_string()) },
        }
    }

    /// The same of a map of the past; `since` tells how long agents had their states.
    pub fn of_then(
        picture: &'a Picture,
        text: &str,
        at: UnixSeconds,
        since: impl Fn(&AgentId) -> Option<UnixSeconds>,
    ) -> Self {
        match Query::parse_then(text) {
            Ok(_) => {
                Self::of(picture, text, at, |id| Known { since: since(id), ..Known::default() })
            }
            Err(error) => Self { only: None, problem: Some(error.to_string()) },
        }
    }

    /// Whether the node or link is shown.
    pub fn has(&self, id: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(id))
    }

    /// What can be asked, for people: fields with what they ask.
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        FIELDS
    }
}

impl ListQuery {
    /// The column to sort by, and whether descending.
    fn order(&self) -> (&str, bool) {
        match self.sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (&self.sort, false),
        }
    }

    fn address(&self, path: &str, sort: &str, after: Option<&str>) -> String {
        let at = self.at.map(|at| at.to_string()).unwrap_or_default();
        let after = after.unwrap_or_default();
        let [by, from] = ["sort", "after"].map(|name| format!("{}{name}", self.which));
        let parts = [("q", self.q.as_str()), (&*by, sort), (&*from, after), ("at", &*at)];
        address(path, parts)
    }

    /// The address of the same rows as CSV.
    pub fn export(&self, list: &str) -> String {
        self.under(&format!("/api/v1/export/{list}.csv"))
    }

    /// The address of the same rows as JSON, under a path of the API; of the past, that of the map.
    pub fn json(&self, path: &str) -> String {
        self.under(if self.at.is_some() { "/api/v1/export/map.json" } else { path })
    }

    fn under(&self, path: &str) -> String {
        Self { sort: String::new(), ..self.clone() }.address(path, "", None)
    }

    /// The heads of a list at `path`; a column without a name cannot be sorted by.
    pub fn heads(&self, path: &str, columns: &[Column]) -> Vec<Head> {
        let (by, descending) = self.order();
        columns
            .iter()
            .map(|(name, label, class)| {
                let here = !name.is_empty() && *name == by;
                let wanted =
                    if here && !descending { format!("-{name}") } else { (*name).to_owned() };
                Head {
                    label,
                    href: (!name.is_empty()).then(|| self.address(path, &wanted, None)),
                    sorted: here.then_some(if descending { "descending" } else { "ascending" }),
                    class,
                }
            })
            .collect()
    }

    /// Sorts `rows` by `compare`, which is told the column's name, then by id, and cuts out the
    /// page after the row `after`. A row that went away since starts the list again.
    pub fn page<T>(
        &self,
        path: &str,
        rows: Vec<T>,
        id: impl Fn(&T) -> String,
        compare: impl Fn(&str, &T, &T) -> Ordering,
    ) -> Page<T> {
        self.page_of(path, (rows, PAGE_ROWS), id, compare)
    }

    /// The same with pages of so many rows.
    pub fn page_of<T>(
        &self,
        path: &str,
        (mut rows, limit): (Vec<T>, usize),
        id: impl Fn(&T) -> String,
        compare: impl Fn(&str, &T, &T) -> Ordering,
    ) -> Page<T> {
        let (by, descending) = self.order();
        rows.sort_by(|a, b| {
            let order = compare(by, a, b);
            let order = if descending { order.reverse() } else { order };
            order.then_with(|| id(a).cmp(&id(b)))
        });
        let total = rows.len();
        let start = self
            .after
            .as_deref()
            .and_then(|after| rows.iter().position(|row| id(row) == after))
            .map_or(0, |last| last + 1);
        let rows: Vec<T> = rows.into_iter().skip(start).take(limit).collect();
        let more = start + rows.len() < total;
        let last = if more { rows.last().map(&id) } else { None };
        Page {
            next: last.map(|last| self.address(path, &self.sort, Some(&last))),
            first: (start > 0).then(|| self.address(path, &self.sort, None)),
            rows,
            total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_number(_: &str, a: &u32, b: &u32) -> Ordering {
        a.cmp(b)
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let rows: Vec<u32> = (0..250).collect();
        let mut query = ListQuery { sort: "-n".into(), ..ListQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = query.page("/x", rows.clone(), u32::to_string, by_number);
            assert_eq!(page.total, 250);
            seen.extend(page.rows.clone());
            let Some(next) = page.next else { break };
            query.after = next.split("after=").nth(1).map(str::to_owned);
        }
        assert_eq!(seen, (0..250).rev().collect::<Vec<u32>>());
    }

    #[test]
    fn a_list_by_numbers_is_turned_round_and_pages_the_way_it_is_shown() {
        let newest = Numbered {
            path: "/x",
            agent: "a b",
            q: "",
            oldest_first: false,
            goes_on: false,
            limit: 2,
        };
        let head = newest.head("When");
        assert_eq!(head.href.as_deref(), Some("/x?agent=a%20b&sort=time"));
        assert_eq!(head.sorted, Some("descending"));
        assert_eq!(newest.ways(2, Some(7)), (None, Some("/x?agent=a%20b&before=7".into())));
        assert_eq!(newest.ways(1, Some(7)), (None, None));
        let oldest = Numbered { agent: "", oldest_first: true, goes_on: true, ..newest };
        assert_eq!(oldest.head("When").href.as_deref(), Some("/x"));
        let (first, next) = oldest.ways(2, Some(7));
        assert_eq!(first.as_deref(), Some("/x?sort=time"));
        assert_eq!(next.as_deref(), Some("/x?sort=time&after=7"));
        assert_eq!(newest.export("/api", false), "/api?agent_id=a%20b");
        let asked = Numbered { agent: "", q: "state:down", ..newest };
        assert_eq!(asked.head("When").href.as_deref(), Some("/x?q=state%3Adown&sort=time"));
        assert_eq!(asked.export("/api", false), "/api?q=state%3Adown");
    }

    #[test]
    fn a_head_turns_the_order_round_and_keeps_the_filter() {
        let query = ListQuery {
            q: "a&b".into(),
            sort: "name".into(),
            after: Some("9".into()),
            ..ListQuery::default()
        };
        let heads =
            query.heads("/x", &[("name", "Name", ""), ("age", "Age", "number"), ("", "", "")]);
        assert_eq!(heads[0].href.as_deref(), Some("/x?q=a%26b&sort=-name"));
        assert_eq!(heads[0].sorted, Some("ascending"));
        assert_eq!(heads[1].href.as_deref(), Some("/x?q=a%26b&sort=age"));
        assert_eq!((heads[2].href.clone(), heads[2].sorted), (None, None));
    }

    #[test]
    fn a_row_that_went_away_starts_the_list_again() {
        let query = ListQuery { after: Some("gone".into()), ..ListQuery::default() };
        let page = query.page("/x", vec![2, 1], u32::to_string, by_number);
        assert_eq!((page.rows, page.next, page.first), (vec![1, 2], None, None));
    }
}
