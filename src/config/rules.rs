//! The rules file of the alarms, and who owns it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::notify::open;
use crate::alarms::file;
use crate::alarms::tuning::Tuning;
use crate::form::Mistake;

/// What the operator changed of the catalogue of alarms.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The file, to be read again.
    pub file: PathBuf,
    /// What it said.
    pub tuning: Arc<Tuning>,
}

/// Reads the file, or everything that is wrong with it.
pub fn read(path: &Path) -> Result<Tuning, Vec<String>> {
    let text = open(path).map_err(|problem| vec![problem])?;
    let told = |mistake: &Mistake| format!("{}: {mistake}", path.display());
    file::parse(&text).map_err(|mistakes| mistakes.iter().map(told).collect())
}

/// On whose behalf a file is read: `start (rules.toml of alice)`.
pub fn on_behalf(occasion: &str, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let uid = std::fs::metadata(path).map(|meta| meta.uid());
    match uid {
        Ok(uid) => format!("{occasion} ({name} of {})", user(uid)),
        Err(_) => format!("{occasion} ({name})"),
    }
}

/// A user's name, as far as this host tells it in `/etc/passwd` (passwd(5)).
fn user(uid: u32) -> String {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = known.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, id) = (parts.next()?, parts.nth(1)?);
        (id == uid.to_string()).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| format!("user {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_the_file_and_the_change_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rules.toml");
        assert!(read(&file).unwrap_err()[0].contains("rules.toml cannot be read"));
        std::fs::write(&file, "[[rule]]\nkinds = \"edge.gone\"\nenabled = false\n").unwrap();
        let told = read(&file).unwrap_err();
        assert!(
            told[0].contains("rules.toml: line 2: rule.kinds \"edge.gone\" fits no"),
            "{told:?}"
        );
        std::fs::write(&file, "[[rule]]\nkinds = \"edge.down\"\nenabled = false\n").unwrap();
        assert!(!read(&file).unwrap().is_empty());
        let owner = std::fs::metadata(&file).unwrap().uid();
        let by = on_behalf("start", &file);
        assert!(by.starts_with("start (rules.toml of ") && by.contains(&user(owner)), "{by}");
        assert_eq!((user(0).as_str(), user(4_000_000_000).as_str()), ("root", "user 4000000000"));
        assert_eq!(on_behalf("hangup", &dir.path().join("gone")), "hangup (gone)");
    }
}
