//! The last keys from DNS, in the agent's directory: a host that is not enrolled can report
//! after a restart while DNS is down.
//!
//! The file is mode 0600 and goes once the host signs with a key of its own. What is kept is
//! what the source listed; it counts for that source alone, and its times hold.

use std::fmt::Write as _;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::agent::files::Home;
use crate::keys::ring::{KeyRing, StoredKey};
use crate::keys::source::SourceConfig;
use crate::model::time::UnixSeconds;
use crate::sign::psk::kid_of_psk;

/// The file.
pub const FILE: &str = "keys";

/// Its first line.
const MAGIC: &str = "kattila-keys-1";

/// What stands for "none".
const NONE: &str = "-";

/// Room for one line, so that writing it leaves no copies behind.
const LINE_BYTES: usize = 1024;

/// Where keys are kept between runs.
#[derive(Debug)]
pub struct Kept {
    home: Arc<Home>,
    /// Whether the file may be there.
    is_there: bool,
}

impl Kept {
    /// Keeps keys in a directory.
    pub fn new(home: Arc<Home>) -> Self {
        Self { home, is_there: true }
    }

    /// The keys of the last run, if they came from this source. What cannot be read is no key.
    pub fn load(&self, source: &SourceConfig) -> Vec<StoredKey> {
        let SourceConfig::Dns(dns) = source else { return Vec::new() };
        match self.home.read(FILE).map(|content| content.map(Zeroizing::new)) {
            Ok(Some(content)) => parse(&content, &dns.name.to_string()).unwrap_or_else(|| {
                tracing::warn!("The kept keys are damaged or of another source; they do not count");
                Vec::new()
            }),
            Ok(None) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "The kept keys cannot be read");
                Vec::new()
            }
        }
    }

    /// Keeps the keys in force.
    pub fn save(&mut self, source: &SourceConfig, ring: &KeyRing) {
        let SourceConfig::Dns(dns) = source else { return };
        self.is_there = true;
        let written = text(&dns.name.to_string(), ring)
            .map_err(io::Error::other)
            .and_then(|text| self.home.write(FILE, text.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "The keys cannot be kept for a start while DNS is down");
        }
    }

    /// Forgets them: they are not needed any more, or not to be kept.
    pub fn forget(&mut self) {
        if !self.is_there {
            return;
        }
        match self.home.remove(FILE) {
            Ok(()) => self.is_there = false,
            Err(error) => tracing::warn!(%error, "The kept keys cannot be removed"),
        }
    }
}

fn text(name: &str, ring: &KeyRing) -> Result<Zeroizing<String>, std::fmt::Error> {
    let keys: Vec<StoredKey> = ring.active().map(StoredKey::from).collect();
    let room = (keys.len() + 1).saturating_mul(LINE_BYTES);
    let mut out = Zeroizing::new(String::with_capacity(room));
    writeln!(out, "{MAGIC}\nname {name}")?;
    for key in keys {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.secret.as_slice()));
        let word = |value: Option<i64>| value.map_or(NONE.to_owned(), |value| value.to_string());
        let second = |value: Option<UnixSeconds>| word(value.map(|value| value.0));
        writeln!(
            out,
            "key {} {} {} {} {} {} {} {}",
            secret.as_str(),
            key.state,
            key.first_seen.0,
            key.last_seen.0,
            word(key.seq),
            second(key.nbf),
            second(key.exp),
            second(key.left_at)
        )?;
    }
    Ok(out)
}

fn parse(content: &[u8], name: &str) -> Option<Vec<StoredKey>> {
    let mut lines = std::str::from_utf8(content).ok()?.lines();
    if lines.next() != Some(MAGIC) || lines.next()?.strip_prefix("name ") != Some(name) {
        return None;
    }
    lines.map(key).collect()
}

fn key(line: &str) -> Option<StoredKey> {
    let mut words = line.strip_prefix("key ")?.split(' ');
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(words.next()?).ok()?);
    let state = words.next()?.to_owned();
    let mut number = || words.next().map(|word| (word != NONE).then(|| i64::from_str(word)));
    let mut optional = || number()?.transpose().ok();
    let (first_seen, last_seen) = (optional()??, optional()??);
    let (seq, nbf, exp, left_at) = (optional()?, optional()?, optional()?, optional()?);
    Some(StoredKey {
        kid: kid_of_psk(&secret),
        secret,
        source: "dns".to_owned(),
        first_seen: UnixSeconds(first_seen),
        last_seen: UnixSeconds(last_seen),
        state,
        seq,
        nbf: nbf.map(UnixSeconds),
        exp: exp.map(UnixSeconds),
        left_at: left_at.map(UnixSeconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(byte: u8, state: &str) -> StoredKey {
        let secret = Zeroizing::new(vec![byte; 32]);
        StoredKey {
            kid: kid_of_psk(&secret),
            secret,
            source: "dns".to_owned(),
            first_seen: UnixSeconds(1),
            last_seen: UnixSeconds(2),
            state: state.to_owned(),
            seq: Some(3),
            nbf: None,
            exp: Some(UnixSeconds(4)),
            left_at: None,
        }
    }

    #[test]
    fn what_is_kept_is_what_was_listed_by_that_name() {
        let keys = vec![stored(1, "current"), stored(2, "previous"), stored(3, "retired")];
        let ring = KeyRing::from_stored(keys.clone());
        let kept = text("_kattila.a.example", &ring).unwrap();
        let read = parse(kept.as_bytes(), "_kattila.a.example").unwrap();
        assert_eq!(read, keys[..2], "a retired key signs nothing");
        assert!(parse(kept.as_bytes(), "_kattila.b.example").is_none());
        // A line feed at the end is no loss; every other cut is noticed or leaves whole keys.
        for cut in 0..kept.len() {
            let part = parse(&kept.as_bytes()[..cut], "_kattila.a.example");
            let whole = |part: &Vec<StoredKey>| part.iter().all(|key| key.secret.len() == 32);
            assert!(part.as_ref().is_none_or(whole), "{cut}");
        }
    }
}
