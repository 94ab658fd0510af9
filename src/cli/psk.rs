//! The pre-shared key of the commands that sign: `sign` and `simulate`. What the manager reads
//! it from, they read it from: a file, the environment, or DNS with all its settings.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config;
use crate::config::mistake::ConfigError;
use crate::config::source::Values;
use crate::keys::dns::DnsConfig;
use crate::keys::keeper::Keeper;
use crate::keys::record::{self, Parsed, RecordProblem};
use crate::keys::source::SourceConfig;
use crate::model::time::UnixSeconds;

/// Flags that say where the key is. There is none for the key itself: every user of a host can
/// read the command lines of all its processes.
#[derive(Debug, Clone, Default, Args)]
pub struct PskArgs {
    /// File with pre-shared keys, one per line, the first signs; without it `KATTILA_PSK_FILE`,
    /// then `KATTILA_PSK`, then the TXT record of `KATTILA_DNS_NAME`
    #[arg(long, value_name = "FILE")]
    pub psk_file: Option<PathBuf>,
}

/// What the environment and `.env` say about keys.
#[derive(Clone, Default)]
pub struct PskSettings {
    /// `KATTILA_PSK`.
    pub psk: Option<Zeroizing<String>>,
    /// `KATTILA_PSK_FILE`.
    pub psk_file: Option<PathBuf>,
    /// What to ask DNS for and whom, or what is wrong with that; `None` if no name is set.
    pub dns: Option<Result<DnsConfig, ConfigError>>,
}

impl PskSettings {
    /// What is set. Mistakes about DNS matter only if DNS is asked.
    pub fn of(values: &Values) -> Self {
        Self {
            psk: values.get("KATTILA_PSK").map(|text| Zeroizing::new(text.to_owned())),
            psk_file: values.get("KATTILA_PSK_FILE").map(PathBuf::from),
            dns: config::dns::load(values).transpose(),
        }
    }
}

impl std::fmt::Debug for PskSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let psk = self.psk.as_ref().map(|_| "(set)");
        f.debug_struct("PskSettings")
            .field("psk", &psk)
            .field("psk_file", &self.psk_file)
            .field("dns", &self.dns)
            .finish()
    }
}

/// Why there is no key to sign with.
#[derive(Debug, Error)]
pub enum PskError {
    /// Nothing was said.
    #[error(
        "no pre-shared key: set KATTILA_PSK (in the environment or .env), name a file with \
         --psk-file or KATTILA_PSK_FILE, or its TXT record with KATTILA_DNS_NAME"
    )]
    Missing,
    /// The file cannot be read.
    #[error("the key file {path} cannot be read ({source}): check its name and permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("the key file {0} can be read by others: chmod 600 it, and change the key if they did")]
    Exposed(PathBuf),
    /// There is no key in what was given.
    #[error("{0} holds no pre-shared key: write one key per line, 16 to 512 bytes")]
    Empty(&'static str),
    /// The settings of DNS are wrong.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// DNS gives no key.
    #[error("the {origin} gives no key to sign with: {problem}")]
    NotFound {
        /// What was asked.
        origin: String,
        /// What came of it.
        problem: String,
    },
    /// The key will not do.
    #[error("the first pre-shared key of {origin} cannot be used: {problem}")]
    Unusable {
        /// Where it is.
        origin: &'static str,
        /// What is wrong with it.
        problem: RecordProblem,
    },
}

/// The key to sign with: the current one of what was given, files before the environment, that
/// before DNS, and flags before all.
///
/// # Errors
/// When there is none, or it must not be used.
pub async fn current(
    args: &PskArgs,
    settings: &PskSettings,
    now: UnixSeconds,
) -> Result<Zeroizing<Vec<u8>>, PskError> {
    if let Some(path) = args.psk_file.as_ref().or(settings.psk_file.as_ref()) {
        first("the key file", &read(path)?)
    } else if let Some(psk) = &settings.psk {
        first("KATTILA_PSK", psk)
    } else {
        match &settings.dns {
            Some(Ok(dns)) => from_dns(dns, now).await,
            Some(Err(mistakes)) => Err(mistakes.clone().into()),
            None => Err(PskError::Missing),
        }
    }
}

async fn from_dns(dns: &DnsConfig, now: UnixSeconds) -> Result<Zeroizing<Vec<u8>>, PskError> {
    let keeper = Keeper::new(SourceConfig::Dns(dns.clone()), Vec::new());
    let refresh = keeper.refresh(now).await;
    let ring = keeper.ring();
    match ring.usable(now).next() {
        Some(psk) => Ok(psk.secret.clone()),
        None => Err(PskError::NotFound {
            origin: refresh.health.described,
            problem: refresh.health.unexpected.first().cloned().unwrap_or_else(|| {
                refresh.outcome.problem().unwrap_or("no key is valid now").to_owned()
            }),
        }),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, PskError> {
    let unreadable = |source| PskError::Unreadable { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(PskError::Exposed(path.to_owned()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable)
}

fn first(origin: &'static str, list: &str) -> Result<Zeroizing<Vec<u8>>, PskError> {
    let meant = record::from_list(list).into_iter().find(|parsed| *parsed != Parsed::NotAKey);
    match meant {
        Some(Parsed::Key(found)) => Ok(found.secret),
        Some(Parsed::Problem(problem)) => Err(PskError::Unusable { origin, problem }),
        Some(Parsed::NotAKey) | None => Err(PskError::Empty(origin)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const KEY: &str = "kattila-test-psk-000000000000000";

    fn in_environment(text: &str) -> PskSettings {
        PskSettings { psk: Some(Zeroizing::new(text.to_owned())), ..PskSettings::default() }
    }

    #[tokio::test]
    async fn the_first_key_of_the_strongest_source_signs() {
        let none = PskArgs::default();
        let listed = in_environment(&format!("{KEY},another-key-of-enough-bytes"));
        assert_eq!(current(&none, &listed, NOW).await.unwrap().as_slice(), KEY.as_bytes());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# the demo's key\nhex:{}", "ab".repeat(32)).unwrap();
        let args = PskArgs { psk_file: Some(file.path().to_owned()) };
        assert_eq!(current(&args, &listed, NOW).await.unwrap().as_slice(), [0xab; 32]);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_named_and_never_shown() {
        let none = PskArgs::default();
        assert!(matches!(
            current(&none, &PskSettings::default(), NOW).await,
            Err(PskError::Missing)
        ));
        let short = current(&none, &in_environment("sesame"), NOW).await.unwrap_err();
        assert!(!short.to_string().contains("sesame"), "{short}");
        assert!(matches!(short, PskError::Unusable { .. }));
        assert!(matches!(current(&none, &in_environment(" "), NOW).await, Err(PskError::Empty(_))));
        let settings = format!("{:?}", in_environment(KEY));
        assert!(!settings.contains(KEY), "{settings}");
    }

    #[tokio::test]
    async fn a_key_file_that_others_can_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), KEY).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let args = PskArgs { psk_file: Some(file.path().to_owned()) };
        assert!(matches!(
            current(&args, &PskSettings::default(), NOW).await,
            Err(PskError::Exposed(_))
        ));
        let args = PskArgs { psk_file: Some(file.path().with_extension("gone")) };
        let missing = current(&args, &PskSettings::default(), NOW).await;
        assert!(matches!(missing, Err(PskError::Unreadable { .. })));
    }

    #[tokio::test]
    async fn mistakes_about_dns_matter_only_if_dns_is_asked() {
        let values = |psk: &str| {
            Values::from_pairs([
                ("KATTILA_DNS_NAME", "_kattila.example.net"),
                ("KATTILA_DNS_TLS_NAME", "dns.example.net"),
                ("KATTILA_PSK", psk),
            ])
        };
        let none = PskArgs::default();
        let asked = current(&none, &PskSettings::of(&values("")), NOW).await.unwrap_err();
        assert!(asked.to_string().contains("KATTILA_DNS_TLS_NAME: needs"), "{asked}");
        assert!(current(&none, &PskSettings::of(&values(KEY)), NOW).await.is_ok());
    }
}
