//! In which shape reports are sent: JSON, frames, or compressed frames (PROTOCOL 1.10).
//!
//! A manager that takes frames says so in its answers, and names its dictionary; before it has, and
//! after it has refused one, reports go as JSON, which every manager takes. The dictionary is kept on
//! disk. Must never decide about a report that was sealed already: that one goes as it is.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::id::FrameDictId;
use crate::pack::dictionary::Dictionary;
use crate::sign::digest::sha256;
use crate::wire::answer::Receipt;

use super::files::Home;

/// The file that holds the dictionary.
const FILE: &str = "dictionary";

/// Largest dictionary that is fetched, in bytes; managers make them of 16 KiB.
pub const MOST_BYTES: usize = 128 * 1024;

/// A dictionary that could not be had is asked for again after this long.
const ASK_APART_MS: i64 = 600_000;

/// For how long JSON is sent after relays did not understand a frame.
const JSON_FOR_MS: i64 = 300_000;

/// For how long JSON is sent after the manager did not, whatever it says: something between may
/// spoil frames.
const JSON_LONG_MS: i64 = 3_600_000;

/// What an operator wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preference {
    /// What costs the manager least: frames, uncompressed, since it packs those better than anybody
    /// who does not know what came before.
    #[default]
    Auto,
    /// JSON.
    Json,
    /// Compressed frames, for links that are thin or paid for.
    Framed,
}

/// A dictionary with its name.
pub type Known = (FrameDictId, Dictionary);

/// How data is put into the next envelope.
#[derive(Debug, Clone)]
pub enum Packing {
    /// As a member of a JSON object.
    Json,
    /// Behind the head of a frame, as it is.
    Identity,
    /// The same compressed, with the dictionary if there is one.
    Zstd(Option<Arc<Known>>),
}

/// Knows what the manager takes.
#[derive(Debug)]
pub struct Shapes {
    home: Arc<Home>,
    preference: Preference,
    /// Whether the manager's last word was that it takes frames.
    framed: bool,
    /// The dictionary that it named last.
    told: Option<FrameDictId>,
    /// The one that is here.
    known: Option<Arc<Known>>,
    /// No dictionary is asked for before this, by the pulse.
    ask_from: i64,
    /// JSON is sent until this, by the pulse.
    json_until: i64,
}

impl Shapes {
    /// Begins with the dictionary of the last run. One that cannot be read is fetched again.
    pub fn load(home: Arc<Home>, preference: Preference) -> Self {
        let kept = home.read(FILE).ok().flatten();
        let known = kept.and_then(|bytes| made(bytes.into())).map(Arc::new);
        let (ask_from, json_until) = (i64::MIN, i64::MIN);
        Self { home, preference, framed: false, told: None, known, ask_from, json_until }
    }

    /// Takes over another wish; the manager may be another one, too.
    pub fn reload(&mut self, preference: Preference) {
        self.preference = preference;
        (self.framed, self.told) = (false, None);
        (self.ask_from, self.json_until) = (i64::MIN, i64::MIN);
    }

    /// How the next report is put into its envelope; `pulse` is now.
    pub fn next(&self, pulse: i64) -> Packing {
        if !self.framed || self.json_until > pulse {
            return Packing::Json;
        }
        match self.preference {
            Preference::Json => Packing::Json,
            Preference::Auto => Packing::Identity,
            Preference::Framed => match (&self.told, &self.known) {
                (Some(told), Some(known)) if *told == known.0 => {
                    Packing::Zstd(Some(Arc::clone(known)))
                }
                // What is refused for its dictionary goes uncompressed next; with none, too little
                // is gained by compression to begin with it before the right one is here.
                (Some(_), _) => Packing::Identity,
                (None, _) => Packing::Zstd(None),
            },
        }
    }

    /// What the manager said when it took a report.
    pub fn heed(&mut self, receipt: &Receipt) {
        self.framed = receipt.framed;
        if self.told != receipt.dict {
            self.ask_from = i64::MIN;
        }
        self.told.clone_from(&receipt.dict);
    }

    /// The dictionary that should be fetched now, if one should.
    pub fn wanted(&mut self, pulse: i64) -> Option<FrameDictId> {
        if self.preference != Preference::Framed || self.ask_from > pulse {
            return None;
        }
        let told = self.told.as_ref()?;
        if self.known.as_ref().is_some_and(|known| known.0 == *told) {
            return None;
        }
        self.ask_from = pulse.saturating_add(ASK_APART_MS);
        Some(told.clone())
    }

    /// What was fetched under a name; whether it is that.
    pub fn fetched(&mut self, id: &FrameDictId, bytes: Vec<u8>) -> bool {
        let Some(known) = made(bytes.into()).filter(|known| known.0 == *id) else { return false };
        if let Err(error) = self.home.write(FILE, known.1.bytes()) {
            tracing::warn!(%error, "The manager's dictionary cannot be kept on disk");
        }
        self.known = Some(Arc::new(known));
        self.ask_from = i64::MIN;
        true
    }

    /// The manager does not know the dictionary that a report was compressed with: what is known
    /// means nothing there, and it is told anew with the next answer.
    pub fn forget_dictionary(&mut self) {
        self.known = None;
    }

    /// The manager took no frame: it is an older one than answered last, or what stands between
    /// makes something else of it.
    pub fn only_json(&mut self, pulse: i64) {
        self.json_until = pulse.saturating_add(JSON_LONG_MS);
    }

    /// Relays on the way take no frames; others may.
    pub fn json_for_a_while(&mut self, pulse: i64) {
        self.json_until = pulse.saturating_add(JSON_FOR_MS);
    }
}

fn made(bytes: Bytes) -> Option<Known> {
    let id = FrameDictId::of_digest(&sha256(&bytes));
    Dictionary::new(bytes).ok().map(|made| (id, made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::ReportId;
    use crate::model::time::UnixSeconds;
    use crate::wire::answer::Taken;

    fn receipt(framed: bool, dict: Option<&FrameDictId>) -> Receipt {
        Receipt {
            status: Taken::Ok,
            report_id: ReportId(1),
            server_time: UnixSeconds(1),
            interval: 30,
            framed,
            dict: dict.cloned(),
        }
    }

    fn word(packing: &Packing) -> &'static str {
        match packing {
            Packing::Json => "json",
            Packing::Identity => "identity",
            Packing::Zstd(None) => "zstd",
            Packing::Zstd(Some(_)) => "zstd with a dictionary",
        }
    }

    #[test]
    fn frames_begin_when_the_manager_says_so_and_end_when_it_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let home = Arc::new(Home::open(dir.path()).unwrap());
        let (bytes, other) = (b"a dictionary".to_vec(), b"another".to_vec());
        let id = FrameDictId::of_digest(&sha256(&bytes));
        for (preference, words) in [
            (Preference::Json, ["json"; 4]),
            (Preference::Auto, ["json", "identity", "identity", "identity"]),
            (Preference::Framed, ["json", "zstd", "identity", "zstd with a dictionary"]),
        ] {
            let mut shapes = Shapes::load(Arc::clone(&home), preference);
            let mut seen = vec![word(&shapes.next(0))];
            shapes.heed(&receipt(true, None));
            seen.push(word(&shapes.next(0)));
            shapes.heed(&receipt(true, Some(&id)));
            seen.push(word(&shapes.next(0)));
            let wanted = shapes.wanted(0);
            assert_eq!(wanted.is_some(), preference == Preference::Framed);
            assert_eq!(shapes.wanted(ASK_APART_MS - 1), None, "not at once again");
            if let Some(wanted) = wanted {
                assert!(!shapes.fetched(&wanted, other.clone()));
                assert!(shapes.fetched(&wanted, bytes.clone()));
                assert_eq!(shapes.wanted(ASK_APART_MS), None);
            }
            seen.push(word(&shapes.next(0)));
            assert_eq!(seen, words, "{preference:?}");
            shapes.json_for_a_while(0);
            assert_eq!(word(&shapes.next(JSON_FOR_MS - 1)), "json");
            assert_eq!(word(&shapes.next(JSON_FOR_MS)), words[3]);
            shapes.only_json(0);
            shapes.heed(&receipt(true, Some(&id)));
            assert_eq!(word(&shapes.next(JSON_LONG_MS - 1)), "json", "whatever it says");
            assert_eq!(word(&shapes.next(JSON_LONG_MS)), words[3]);
            shapes.forget_dictionary();
            assert_eq!(word(&shapes.next(JSON_LONG_MS)), words[2]);
        }
        // The next run has it at once.
        let mut shapes = Shapes::load(home, Preference::Framed);
        shapes.heed(&receipt(true, Some(&id)));
        assert_eq!((word(&shapes.next(0)), shapes.wanted(0)), ("zstd with a dictionary", None));
    }
}
