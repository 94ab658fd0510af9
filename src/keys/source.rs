//! Where keys come from, behind one question: DNS, a file, or the environment.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::keys::dns::{DnsConfig, DnsSource, Outcome};
use crate::keys::record::{Parsed, from_list, from_text, from_txt};
use crate::keys::ring::KeySource;
use crate::model::id::Kid;

/// A key file is three short lines; what is larger is some other file.
const MAX_FILE_BYTES: u64 = 65_536;

/// Which source the settings name. `KATTILA_PSK_FILE` goes before `KATTILA_PSK`, and that
/// before DNS.
#[derive(Clone)]
pub enum SourceConfig {
    /// The TXT record of a name.
    Dns(DnsConfig),
    /// A file with one key per line.
    File(PathBuf),
    /// The elements of `KATTILA_PSK`, the current key first.
    Environment(Vec<Zeroizing<String>>),
}

impl SourceConfig {
    /// Its kind.
    pub fn kind(&self) -> KeySource {
        match self {
            Self::Dns(_) => KeySource::Dns,
            Self::File(_) => KeySource::File,
            Self::Environment(_) => KeySource::Environment,
        }
    }
}

impl SourceConfig {
    /// The only keys to take from it, by their ids; empty takes any.
    pub(in crate::keys) fn pins(&self) -> &[Kid] {
        match self {
            Self::Dns(dns) => &dns.pins,
            // The operator's own word needs no second one.
            Self::File(_) | Self::Environment(_) => &[],
        }
    }
}

impl fmt::Display for SourceConfig {
    /// For pages and messages, like `TXT record of _kattila.fleet.example`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(dns) => match &dns.server {
                Some(server) => write!(f, "TXT record of {} at {server}", dns.name),
                None => write!(f, "TXT record of {}", dns.name),
            },
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(_) => f.write_str("environment variable KATTILA_PSK"),
        }
    }
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceConfig({self})")
    }
}

/// What a source gave.
#[derive(Debug)]
pub(in crate::keys) enum Fetched {
    /// Everything it lists, in its order.
    List {
        parsed: Vec<Parsed>,
        /// Seconds it is good for, where it says so.
        ttl: Option<u32>,
        /// Whether DNSSEC proves it; `None` where that is no question.
        secure: Option<bool>,
    },
    /// It is there, but lists nothing.
    Missing(String),
    /// It could not be read.
    Failed(String),
    /// It was forged.
    Bogus(String),
}

/// A source, ready to be asked.
#[derive(Debug)]
pub(in crate::keys) enum Source {
    Dns(Box<DnsSource>),
    File(PathBuf),
    Environment(EnvironmentSource),
}

impl Source {
    pub(in crate::keys) fn new(config: SourceConfig) -> Self {
        match config {
            SourceConfig::Dns(dns) => Self::Dns(Box::new(DnsSource::new(dns))),
            SourceConfig::File(path) => Self::File(path),
            SourceConfig::Environment(list) => Self::Environment(EnvironmentSource { list }),
        }
    }

    pub(in crate::keys) async fn fetch(&self) -> Fetched {
        match self {
            Self::Dns(dns) => from_dns(dns.ask().await, dns.config()),
            Self::File(path) => from_file(path).await,
            Self::Environment(env) => {
                let parsed = env.list.iter().map(|key| from_text(key.as_bytes())).collect();
                Fetched::List { parsed, ttl: None, secure: None }
            }
        }
    }
}

fn from_dns(outcome: Outcome, config: &DnsConfig) -> Fetched {
    let name = &config.name;
    match outcome {
        Outcome::Answer { texts, ttl, secure } => Fetched::List {
            parsed: texts.iter().map(|text| from_txt(&[text])).collect(),
            ttl: Some(ttl),
            secure: Some(secure),
        },
        Outcome::NoKey { name_exists: true } => {
            Fetched::Missing(format!("{name} has no TXT record; publish the key there"))
        }
        Outcome::NoKey { name_exists: false } => {
            Fetched::Missing(format!("{name} does not exist; publish the key there as TXT record"))
        }
        Outcome::Failed(failure) => Fetched::Failed(failure.to_string()),
        Outcome::Bogus(why) => Fetched::Bogus(format!("the answer for {name} was refused: {why}")),
    }
}

/// `KATTILA_PSK`.
pub(in crate::keys) struct EnvironmentSource {
    list: Vec<Zeroizing<String>>,
}

impl fmt::Debug for EnvironmentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvironmentSource")
    }
}

/// Reads the file anew. The permissions are looked at on the file that is read: opened first,
/// so that it cannot be exchanged between.
async fn from_file(path: &Path) -> Fetched {
    match read_private(path).await {
        Ok(list) => Fetched::List { parsed: from_list(&list), ttl: None, secure: None },
        Err(problem) => Fetched::Failed(format!("key file {}: {problem}", path.display())),
    }
}

async fn read_private(path: &Path) -> Result<Zeroizing<String>, String> {
    let file = tokio::fs::File::open(path).await.map_err(|e| e.to_string())?;
    check(&file.metadata().await.map_err(|e| e.to_string())?)?;
    let mut list = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut list).await.map_err(|e| e.to_string())?;
    Ok(list)
}

fn check(meta: &Metadata) -> Result<(), String> {
    let mode = meta.mode() & 0o7777;
    if !meta.is_file() {
        return Err("is not a regular file; name the file that holds the keys".to_owned());
    }
    if mode & 0o077 != 0 {
        return Err(format!(
            "others than its owner may use it (mode {mode:04o}); run chmod 600 on it"
        ));
    }
    if meta.size() > MAX_FILE_BYTES {
        return Err(format!("{} bytes are no list of keys; name the right file", meta.size()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &str = "kattila-test-psk-000000000000000";

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    fn source(mode: u32) -> (tempfile::TempDir, PathBuf, Source) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("psk");
        fs::write(&path, format!("{KEY}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let source = Source::new(SourceConfig::File(path.clone()));
        (dir, path, source)
    }

    fn listed(fetched: &Fetched) -> usize {
        let Fetched::List { parsed, .. } = fetched else { panic!("{fetched:?}") };
        parsed.len()
    }

    #[test]
    fn a_file_is_read_anew_every_time() {
        let (_dir, path, source) = source(0o600);
        runtime().block_on(async {
            assert_eq!(listed(&source.fetch().await), 1);
            fs::write(&path, format!("{KEY}\n{KEY}1\n")).unwrap();
            assert_eq!(listed(&source.fetch().await), 2);
        });
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o660, 0o610] {
            let (_dir, path, source) = source(mode);
            runtime().block_on(async {
                let Fetched::Failed(message) = source.fetch().await else { panic!("{mode:o}") };
                assert!(message.contains("chmod 600"), "{message}");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
                assert_eq!(listed(&source.fetch().await), 1);
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                assert!(matches!(source.fetch().await, Fetched::Failed(_)), "looked at every time");
            });
        }
    }

    #[test]
    fn what_is_not_a_key_file_is_refused() {
        let (dir, path, source) = source(0o600);
        runtime().block_on(async {
            let directory = Source::new(SourceConfig::File(dir.path().to_owned()));
            assert!(matches!(directory.fetch().await, Fetched::Failed(_)));
            fs::write(&path, vec![b'x'; 65_537]).unwrap();
            assert!(matches!(source.fetch().await, Fetched::Failed(_)));
            fs::remove_file(&path).unwrap();
            assert!(matches!(source.fetch().await, Fetched::Failed(_)));
        });
    }

    #[test]
    fn a_source_never_shows_its_keys() {
        let config = SourceConfig::Environment(vec![Zeroizing::new(KEY.to_owned())]);
        let shown = format!("{config} {config:?} {:?}", Source::new(config.clone()));
        assert!(!shown.contains("test-psk"), "{shown}");
    }
}
