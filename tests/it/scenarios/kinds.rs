//! Every kind of the catalogue has scenario files of its own, and every complaint about alarms one.

use std::collections::{BTreeMap, BTreeSet};

use kattila::model::state::AlarmKind;

use super::{files, folder};

fn table() -> String {
    std::fs::read_to_string(folder().join("README.md")).unwrap()
}

/// The complaints of the field that are about alarms, by their numbers there: told or not
/// told, told wrongly, too often, without an end, not to be acknowledged, or forgotten.
const COMPLAINTS: [u32; 17] = [1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 25];

/// The kinds that are open at each look of a file.
fn looks(text: &str) -> Vec<BTreeSet<&str>> {
    let mut looks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with(" only") {
            continue;
        }
        let mut open = BTreeSet::new();
        while let Some(alarm) = lines.next_if(|line| line.starts_with(' ')) {
            open.extend(alarm.split_whitespace().next());
        }
        looks.push(open);
    }
    looks
}

#[test]
fn every_kind_is_raised_and_ends_in_a_file_of_its_own() {
    let files = files();
    let lacking = AlarmKind::ALL.iter().filter(|kind| {
        let name = format!("kind_{}", kind.as_str().replace('.', "_"));
        let own = files.iter().filter(|(file, _)| {
            file.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        });
        let is_whole = |text: &str| {
            let looks = looks(text);
            let from = looks.iter().position(|open| open.contains(kind.as_str()));
            from.is_some_and(|from| looks[from..].iter().any(|open| !open.contains(kind.as_str())))
        };
        !own.into_iter().any(|(_, text)| is_whole(text))
    });
    let lacking: Vec<_> = lacking.map(|kind| kind.as_str()).collect();
    assert!(lacking.is_empty(), "no file kind_NAME in which it comes and goes: {lacking:#?}");
}

#[test]
fn every_complaint_about_alarms_is_in_the_table_with_its_files() {
    let files = files();
    let table = table();
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number: u32 = cells.get(1)?.parse().ok()?;
        let named = cells.get(3)?.split(", ").map(|name| name.trim_matches('`'));
        Some((number, named.collect::<BTreeSet<&str>>()))
    });
    let rows: BTreeMap<u32, BTreeSet<&str>> = rows.collect();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), COMPLAINTS);
    let mut told: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for (name, text) in &files {
        let first = text.lines().next().unwrap_or_default();
        let after = first.split_once("omplaint ").map(|(_, rest)| rest);
        let digits = after.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            told.entry(number).or_default().insert(name);
        }
    }
    assert_eq!(told, rows, "a file whose first line says \"Complaint N\" stands in row N");
}
