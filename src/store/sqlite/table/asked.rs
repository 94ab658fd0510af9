//! Conditions of a list, and which rows tell of chosen things.
//!
//! However many things are chosen and whatever else is stored, a page costs a look at [`WINDOW`]
//! rows, then one step into an index for each thing and one for each row that is answered: rows of
//! others are not read.

use std::collections::{BinaryHeap, HashSet};

use rusqlite::types::ToSql;
use rusqlite::{Connection, params_from_iter};

use super::reports::row_limit;
use crate::model::id::EdgeId;
use crate::model::state::AlarmKind;
use crate::store::StoreError;
use crate::store::row::Things;
use crate::store::sqlite::cells::{Cells, json};
use crate::store::sqlite::desk::all;

/// Rows that are looked at before things are asked one by one, if there are more things than these:
/// of many things, most rows tell.
const WINDOW: usize = 2_000;

/// Conditions with their values.
#[derive(Default)]
pub(super) struct Where {
    pub(super) sql: String,
    pub(super) values: Vec<Box<dyn ToSql>>,
}

impl Where {
    /// One more condition, if there is a value for it.
    pub(super) fn and(&mut self, condition: &str, value: Option<impl ToSql + 'static>) {
        if let Some(value) = value {
            self.sql.push_str(condition);
            self.values.push(Box::new(value));
        }
    }

    /// One more value for what the text already asks for.
    pub(super) fn with(&mut self, value: impl ToSql + 'static) {
        self.values.push(Box::new(value));
    }

    /// The values, to be bound.
    pub(super) fn bound(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(AsRef::as_ref)
    }
}

/// A table of which every row tells of an agent, or has a subject.
pub(super) struct Rows {
    /// Its name.
    pub(super) name: &'static str,
    /// What its rows are read from, agents as `a`.
    pub(super) from: &'static str,
    /// The letter of its rows there.
    pub(super) row: &'static str,
    /// Its number.
    pub(super) number: &'static str,
    /// How its rows name the link that they tell of.
    pub(super) links: Links,
}

/// How rows name a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// Not at all.
    Never,
    /// Their subject is its id.
    ById,
    /// Likewise, or behind the kind of an alarm about it.
    ByIdOrAlarm,
}

impl Links {
    /// What may stand before the id in a subject.
    fn before(self) -> Vec<String> {
        let alarms = AlarmKind::OF_LINKS.iter().map(|kind| format!("{kind} "));
        match self {
            Self::Never => Vec::new(),
            Self::ById => vec![String::new()],
            Self::ByIdOrAlarm => std::iter::once(String::new()).chain(alarms).collect(),
        }
    }
}

/// Which part of the rows is wanted.
pub(super) struct Part {
    /// Only after this number, in the order of the part.
    pub(super) from: Option<i64>,
    /// Whether the oldest stand first.
    pub(super) oldest_first: bool,
    /// At most this many.
    pub(super) limit: usize,
}

/// What finds the rows of one thing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Agent(i64),
    Subject(String),
}

/// The numbers of the first rows that tell of one of the things and fit the conditions, in the
/// order of the part.
pub(super) fn numbers(
    conn: &Connection,
    rows: &Rows,
    things: &Things,
    (rest, part): (&Where, &Part),
) -> Result<Vec<i64>, StoreError> {
    let search = Search { conn, table: rows, rest, part };
    let agents = search.agents(things)?;
    let start = part.from.unwrap_or(if part.oldest_first { i64::MIN } else { i64::MAX });
    if agents.len() + things.edges.len() > WINDOW {
        let found = search.window(start, (&agents, &things.edges))?;
        if found.len() >= part.limit {
            return Ok(found);
        }
    }
    let mut firsts = search.firsts(start, &Key::Agent(0), &json(rows.name, &agents)?)?;
    let edges = json(rows.name, &things.edges)?;
    for before in rows.links.before() {
        firsts.extend(search.firsts(start, &Key::Subject(before), &edges)?);
    }
    search.merge(firsts)
}

/// One search.
struct Search<'s> {
    conn: &'s Connection,
    table: &'s Rows,
    rest: &'s Where,
    part: &'s Part,
}

impl Search<'_> {
    /// The numbers of the agents.
    fn agents(&self, things: &Things) -> Result<Vec<i64>, StoreError> {
        const SQL: &str = "SELECT w.agent_no FROM json_each(?1) j CROSS JOIN agents w
            ON w.agent_id = j.value";
        let ids = json(self.table.name, &things.agents)?;
        all(self.conn, self.table.name, SQL, [ids], |row| Cells::new(self.table.name, row).take())
    }

    fn signs(&self) -> (char, &'static str) {
        if self.part.oldest_first { ('>', "ASC") } else { ('<', "DESC") }
    }

    /// The first row of a thing after a number: a bound, then the conditions' values.
    fn first(&self, which: &str) -> String {
        let (sign, order) = self.signs();
        let Rows { from, row, number, .. } = self.table;
        format!(
            "SELECT {row}.{number} FROM {from} WHERE {which} AND {row}.{number} {sign} ?{}
            ORDER BY {row}.{number} {order} LIMIT 1",
            self.rest.sql
        )
    }

    fn column(&self, key: &Key) -> String {
        let column = match key {
            Key::Agent(_) => "agent_no",
            Key::Subject(_) => "subject",
        };
        format!("{}.{column}", self.table.row)
    }

    /// Of each thing of a kind its first row; of these, as many as are wanted at all: no other thing
    /// can have a row among the first ones. `kind` has what stands before the keys.
    fn firsts(&self, start: i64, kind: &Key, keys: &str) -> Result<Vec<(i64, Key)>, StoreError> {
        let column = self.column(kind);
        let keyed = match kind {
            Key::Agent(_) => "(SELECT w.value AS key FROM json_each(?) w) k",
            Key::Subject(_) => "(SELECT ? || w.value AS key FROM json_each(?) w) k",
        };
        let first = self.first(&format!("{column} = k.key"));
        let sql = format!(
            "WITH firsts (key, number) AS MATERIALIZED (SELECT k.key, ({first}) FROM {keyed})
            SELECT key, number FROM firsts WHERE number IS NOT NULL ORDER BY number {} LIMIT ?",
            self.signs().1
        );
        let limit = row_limit(self.part.limit);
        let mut values: Vec<&dyn ToSql> = vec![&start];
        values.extend(self.rest.bound());
        if let Key::Subject(before) = kind {
            values.push(before);
        }
        values.extend([&keys as &dyn ToSql, &limit]);
        all(self.conn, self.table.name, &sql, params_from_iter(values), |row| {
            let mut cells = Cells::new(self.table.name, row);
            let key = match kind {
                Key::Agent(_) => Key::Agent(cells.take()?),
                Key::Subject(_) => Key::Subject(cells.take()?),
            };
            Ok((cells.take()?, key))
        })
    }

    /// The first rows of all, each thing's next one looked up when its turn has come.
    fn merge(&self, firsts: Vec<(i64, Key)>) -> Result<Vec<i64>, StoreError> {
        let rank = |number: i64| if self.part.oldest_first { !number } else { number };
        let mut waiting: BinaryHeap<(i64, Key)> =
            firsts.into_iter().map(|(number, key)| (rank(number), key)).collect();
        let mut found: Vec<i64> = Vec::new();
        while let Some((ranked, key)) = waiting.pop() {
            let number = rank(ranked);
            // A row may tell of two things.
            if found.last() != Some(&number) {
                if found.len() >= self.part.limit {
                    break;
                }
                found.push(number);
            }
            waiting.extend(self.next(&key, number)?.map(|next| (rank(next), key)));
        }
        Ok(found)
    }

    fn next(&self, key: &Key, after: i64) -> Result<Option<i64>, StoreError> {
        let sql = self.first(&format!("{} = ?", self.column(key)));
        let key: &dyn ToSql = match key {
            Key::Agent(no) => no,
            Key::Subject(subject) => subject,
        };
        let values = [key, &after].into_iter().chain(self.rest.bound());
        let found = all(self.conn, self.table.name, &sql, params_from_iter(values), |row| {
            Cells::new(self.table.name, row).take()
        })?;
        Ok(found.into_iter().next())
    }

    /// Those among the next rows, whoever they tell of.
    fn window(
        &self,
        start: i64,
        (agents, edges): (&[i64], &[EdgeId]),
    ) -> Result<Vec<i64>, StoreError> {
        let (sign, order) = self.signs();
        let Rows { name, from, row, number, links } = self.table;
        let subject = if *links == Links::Never { "NULL" } else { "subject" };
        let before = links.before();
        let sql = format!(
            "SELECT {row}.{number}, {row}.agent_no, {subject} FROM {from} WHERE {row}.{number} IN
                (SELECT i.{number} FROM {name} i WHERE i.{number} {sign} ?
                ORDER BY i.{number} {order} LIMIT {WINDOW}){}
            ORDER BY {row}.{number} {order}",
            self.rest.sql
        );
        let values = [&start as &dyn ToSql].into_iter().chain(self.rest.bound());
        let agents: HashSet<i64> = agents.iter().copied().collect();
        let edges: HashSet<&str> = edges.iter().map(EdgeId::as_str).collect();
        type Row = (i64, Option<i64>, Option<String>);
        let rows: Vec<Row> = all(self.conn, name, &sql, params_from_iter(values), |row| {
            let mut cells = Cells::new(name, row);
            Ok((cells.take()?, cells.take()?, cells.take()?))
        })?;
        let is_of = |subject: &str| {
            let edge = |before: &String| subject.strip_prefix(before.as_str());
            before.iter().filter_map(edge).any(|edge| edges.contains(edge))
        };
        let tells = |(_, agent, subject): &Row| {
            agent.is_some_and(|no| agents.contains(&no)) || subject.as_deref().is_some_and(is_of)
        };
        let found = rows.into_iter().filter(tells).map(|(number, ..)| number);
        Ok(found.take(self.part.limit).collect())
    }
}
