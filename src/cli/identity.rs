//! The file with an agent's own key, for `kattila sign`.
//!
//! A line `seed` with the 32 secret bytes in base64url, and a line `agent_id` where the name is
//! not the one that is made of the key. Other lines are for the agent.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::sign::ed25519::{SecretKey, agent_id_of};

/// Why there is no key.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("the identity {path} cannot be read ({source}): check its name and permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("the identity {0} can be read by others: chmod 600 it, and rotate the key if they did")]
    Exposed(PathBuf),
    /// There is no key in it.
    #[error("the identity {0} holds no key: a line \"seed\" with 32 bytes in base64url is needed")]
    NoKey(PathBuf),
}

/// An agent's own key and name.
#[derive(Debug)]
pub struct IdentityFile {
    /// The name.
    pub agent_id: String,
    /// The key.
    pub secret: SecretKey,
}

impl IdentityFile {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, others can read it, or it holds no key.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let unreadable = |source| IdentityError::Unreadable { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(IdentityError::Exposed(path.to_owned()));
        }
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable)?;
        parse(&text).ok_or_else(|| IdentityError::NoKey(path.to_owned()))
    }
}

fn parse(text: &str) -> Option<IdentityFile> {
    let of = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(word, _)| *word == name).map(|(_, value)| value.trim())
    };
    let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(of("seed")?).ok()?);
    let secret = SecretKey::from_seed(seed.as_slice().try_into().ok()?);
    let agent_id = of("agent_id").map_or_else(|| agent_id_of(&secret.public()), str::to_owned);
    Some(IdentityFile { agent_id, secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_be_told_or_follows_from_the_key() {
        let seed = "seed AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let told = parse(&format!("kattila-identity-1\nagent_id gw-1\n{seed}\n")).unwrap();
        assert_eq!(told.agent_id, "gw-1");
        let made = parse(seed).unwrap();
        assert_eq!(made.agent_id, agent_id_of(&made.secret.public()));
        assert!(!format!("{made:?}").contains("AAECAwQF"));
        for bad in ["", "seed", "seed AA", "agent_id gw-1"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let refused = IdentityFile::read(file.path());
        assert!(matches!(refused, Err(IdentityError::Exposed(_))));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(IdentityFile::read(file.path()), Err(IdentityError::NoKey(_))));
    }
}
