//! Who this agent is: an Ed25519 key made at its first run, and the id that follows from it.
//!
//! The key never leaves this host and is readable by the agent's user only. The id is a digest
//! of the public half, so nobody else can enrol under it first. It is kept beside the key,
//! because it stays when the key is exchanged.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::model::id::{AgentId, InvalidName};
use crate::sign::ed25519::{SecretKey, agent_id_of};

use super::files::Home;

/// The identity's file.
pub const FILE: &str = "identity";

/// The file of the key that is to take its place.
pub const NEXT: &str = "identity.next";

/// Its first line.
const MAGIC: &str = "kattila-identity-1";

/// Longer is some other file.
const MAX_BYTES: u64 = 4096;

/// Why there is no identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// It cannot be read or written.
    #[error("the agent's identity {path} cannot be used ({source}): let the agent's user own it")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error(
        "the agent's identity {path} can be used by others (mode {mode:04o}), who may report in \
         its name: chmod 600 it, or remove it and enrol anew if they did"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "the agent's identity {0} is damaged: put a copy back, or remove it, and the agent \
         enrols as a new one"
    )]
    Damaged(PathBuf),
    /// The operating system gives no randomness.
    #[error("the operating system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The id of a key is no id.
    #[error("the key gives no id: {0}")]
    Id(#[from] InvalidName),
}

/// This agent's key and id.
pub struct Identity {
    /// The id.
    pub agent_id: AgentId,
    /// The key.
    pub secret: Arc<SecretKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} {})", self.agent_id, self.secret.kid())
    }
}

impl Identity {
    /// Reads the identity, or makes one at the first run.
    pub fn load_or_make(home: &Home) -> Result<Self, IdentityError> {
        match Self::load(home)? {
            Some(identity) => Ok(identity),
            None => {
                let made = Self::make(home, FILE, None)?;
                tracing::info!(agent_id = %made.agent_id, "Made an identity for this host");
                Ok(made)
            }
        }
    }

    /// Reads the identity; `None` if there is none yet.
    pub fn load(home: &Home) -> Result<Option<Self>, IdentityError> {
        Self::load_from(home, FILE)
    }

    /// Reads the key that is to take this one's place, if one was made.
    pub fn next(&self, home: &Home) -> Result<Option<Arc<SecretKey>>, IdentityError> {
        let next = Self::load_from(home, NEXT)?;
        Ok(next.filter(|next| next.agent_id == self.agent_id).map(|next| next.secret))
    }

    /// Makes the key that is to take this one's place. The name stays.
    pub fn make_next(&self, home: &Home) -> Result<Arc<SecretKey>, IdentityError> {
        Ok(Self::make(home, NEXT, Some(self.agent_id.clone()))?.secret)
    }

    fn load_from(home: &Home, name: &str) -> Result<Option<Self>, IdentityError> {
        let path = home.path(name);
        let unusable = |source| IdentityError::Unusable { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error)),
        };
        // The permissions of the file that is read: it cannot be exchanged between.
        let mode = file.metadata().map_err(unusable)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::Exposed { path, mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(unusable)?;
        parse(&text).map(Some).ok_or(IdentityError::Damaged(path))
    }

    fn make(home: &Home, file: &str, name: Option<AgentId>) -> Result<Self, IdentityError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut_slice())?;
        let secret = Arc::new(SecretKey::from_seed(&seed));
        let agent_id = match name {
            Some(name) => name,
            None => agent_id_of(&secret.public()).parse()?,
        };
        let mut encoded = URL_SAFE_NO_PAD.encode(seed.as_slice());
        let text = Zeroizing::new(format!("{MAGIC}\nagent_id {agent_id}\nseed {encoded}\n"));
        encoded.zeroize();
        home.write(file, text.as_bytes())
            .map_err(|source| IdentityError::Unusable { path: home.path(file), source })?;
        Ok(Self { agent_id, secret })
    }
}

fn parse(text: &str) -> Option<Identity> {
    let mut lines = text.lines();
    if lines.next() != Some(MAGIC) {
        return None;
    }
    let agent_id = lines.next()?.strip_prefix("agent_id ")?.parse().ok()?;
    let seed = lines.next()?.strip_prefix("seed ")?;
    let seed = Zeroizing::new(URL_SAFE_NO_PAD.decode(seed).ok()?);
    let secret = SecretKey::from_seed(seed.as_slice().try_into().ok()?);
    Some(Identity { agent_id, secret: Arc::new(secret) })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_is_made_once_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        assert!(Identity::load(&home).unwrap().is_none());
        let made = Identity::load_or_make(&home).unwrap();
        let read = Identity::load_or_make(&home).unwrap();
        assert_eq!(made.agent_id, read.agent_id);
        assert_eq!(made.secret.public(), read.secret.public());
        assert_eq!(made.agent_id.as_str(), agent_id_of(&made.secret.public()));
        let mode = fs::metadata(home.path(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shown = fs::read_to_string(home.path(FILE)).unwrap();
        let seed = shown.lines().last().unwrap().strip_prefix("seed ").unwrap().to_owned();
        assert!(!format!("{made:?}").contains(&seed));
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        Identity::load_or_make(&home).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            fs::set_permissions(home.path(FILE), fs::Permissions::from_mode(mode)).unwrap();
            let error = Identity::load_or_make(&home).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_damaged_one_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        Identity::load_or_make(&home).unwrap();
        let whole = home.read(FILE).unwrap().unwrap();
        // The line feed at the end is no loss.
        for cut in 0..whole.len() - 1 {
            home.write(FILE, &whole[..cut]).unwrap();
            let error = Identity::load_or_make(&home).unwrap_err();
            assert!(matches!(error, IdentityError::Damaged(_)), "cut at {cut}: {error}");
            assert_eq!(home.read(FILE).unwrap().unwrap(), &whole[..cut]);
        }
    }
}
