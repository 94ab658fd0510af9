//! `kattila restore`: a backup put in place, or the database made again as it was at a time.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::archive;
use crate::config::source::Values;
use crate::model::time::UnixSeconds;
use crate::store::sqlite;
use crate::store::sqlite::archive::catalog::{self, Stretch};
use crate::store::sqlite::archive::rebuild::{Rebuilt, Wanted, rebuild};
use crate::wire::time::rfc3339;

use super::speak::complain;
use super::{DONE, Database, USAGE, report, verify};

/// What is restored.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(required_unless_present_any = ["to", "list"], conflicts_with_all = ["to", "list"])]
    file: Option<PathBuf>,
    /// Make the database as it was at this time, from the archive: 2026-11-27T19:00:00Z, or seconds
    /// since 1970
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "list")]
    to: Option<UnixSeconds>,
    /// Tell between which times the archive can go back
    #[arg(long)]
    list: bool,
    /// The archive; without it `KATTILA_ARCHIVE_DIR`
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    archive: Option<PathBuf>,
    /// Go back in this timeline, as --list names it; without it, in the last that had begun by then
    #[arg(long, value_name = "NAME", requires = "to")]
    timeline: Option<String>,
    #[command(flatten)]
    database: Database,
}

fn time(text: &str) -> Result<UnixSeconds, String> {
    let seconds = || text.parse().ok().map(UnixSeconds);
    let advice = || "is no time; write it like 2026-11-27T19:00:00Z".to_owned();
    rfc3339(text).or_else(seconds).ok_or_else(advice)
}

/// Restores, or tells what could be.
pub fn run(args: &RestoreArgs, values: &Values) -> u8 {
    let database = args.database.file(values);
    if let Some(file) = &args.file {
        let restored = sqlite::backup::restore(file, &database);
        let done = format!("{} was checked and is now {}.", file.display(), database.display());
        return report(restored.map(|()| done));
    }
    let Some(dir) = args.archive.clone().or_else(|| set(values)) else {
        complain("Name the archive with --archive or KATTILA_ARCHIVE_DIR.");
        return USAGE;
    };
    match args.to {
        Some(at) => {
            let timeline = args.timeline.clone();
            go_back(&Wanted { archive: dir, at, timeline }, &database)
        }
        None => report(catalog::list(&dir).map(|all| table(&all))),
    }
}

/// The directory in the settings; what is wrong with the others is not asked here.
fn set(values: &Values) -> Option<PathBuf> {
    archive::load(values).ok().flatten().map(|archive| archive.dir)
}

fn go_back(wanted: &Wanted, database: &Path) -> u8 {
    let made = rebuild(wanted, database);
    let code = report(made.map(|made| sentence(&made, database)));
    if code == DONE { verify::audit_of(database) } else { code }
}

fn sentence(made: &Rebuilt, database: &Path) -> String {
    let mut told = format!(
        "{} is the database as it was at {}, commit {}, of timeline {}; it was checked.",
        database.display(),
        made.at.to_rfc3339(),
        made.commit,
        made.timeline
    );
    if !made.is_followed {
        told.push_str(
            "\nThis is the end of that timeline: what was committed later is not archived.",
        );
    }
    if made.torn_bytes > 0 {
        let torn = made.torn_bytes;
        told +=
            &format!("\nThe last {torn} bytes of it cannot be read: torn by a crash, or damaged.");
    }
    told
}

fn table(all: &[Stretch]) -> String {
    let time = |at: Option<UnixSeconds>| at.map_or("-".to_owned(), UnixSeconds::to_rfc3339);
    let mut lines =
        vec![format!("{:<22}{:<22}{:<22}{:>6}{:>16}", "TIMELINE", "FROM", "TO", "COPIES", "BYTES")];
    lines.extend(all.iter().map(|one| {
        format!(
            "{:<22}{:<22}{:<22}{:>6}{:>16}",
            one.name,
            time(one.from),
            time(one.to),
            one.bases,
            one.bytes
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_ways() {
        assert_eq!(time("2026-11-27T19:00:00Z"), Ok(UnixSeconds(1_795_806_000)));
        assert_eq!(time("1795806000"), Ok(UnixSeconds(1_795_806_000)));
        assert!(time("yesterday").unwrap_err().contains("2026-"));
    }

    #[test]
    fn a_backup_that_is_none_is_refused_and_nothing_appears() {
        let dir = tempfile::tempdir().unwrap();
        let (database, copy) = (dir.path().join("k.db"), dir.path().join("copy.db"));
        std::fs::write(&copy, "no database").unwrap();
        let args = RestoreArgs {
            file: Some(copy),
            to: None,
            list: false,
            archive: None,
            timeline: None,
            database: Database { db: Some(database.clone()) },
        };
        assert_ne!(run(&args, &Values::default()), DONE);
        assert!(!database.exists());
    }
}
