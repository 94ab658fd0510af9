//! Reads one key from what a person wrote into a TXT record, a file or the environment.
//!
//! Pure. What it refuses it names, without ever repeating the text it refused.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::model::hex;
use crate::model::id::Kid;
use crate::model::time::UnixSeconds;
use crate::sign::psk::kid_of_psk;

/// Shorter keys can be guessed from one captured report.
pub const MIN_KEY_BYTES: usize = 16;

/// Longer texts are not keys; also keeps a hostile zone from filling memory.
pub const MAX_KEY_BYTES: usize = 512;

/// A key shorter than this is accepted with a warning: HMAC-SHA256 is as strong as 32 bytes.
pub const ADVISED_KEY_BYTES: usize = 32;

/// Beginnings, in lower case, of TXT records that other services ask people to publish.
const FOREIGN: [&str; 11] = [
    "ms=",
    "docusign=",
    "dropbox-",
    "amazonses:",
    "have-i-been-pwned",
    "keybase-",
    "zoom_verify_",
    "k=rsa",
    "t=y",
    "o=~",
    "o=-",
];

/// A key as its source lists it.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub kid: Kid,
    /// Its bytes.
    pub secret: Zeroizing<Vec<u8>>,
    /// Higher is newer, where the record says so.
    pub seq: Option<i64>,
    /// Not to be used before.
    pub nbf: Option<UnixSeconds>,
    /// Not to be used from then on.
    pub exp: Option<UnixSeconds>,
}

impl Found {
    /// Whether the key is shorter than advised.
    pub fn is_short(&self) -> bool {
        self.secret.len() < ADVISED_KEY_BYTES
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({})", self.kid)
    }
}

/// What one record, line or list element is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A key.
    Key(Found),
    /// Something else that is welcome to be there: another service's record, a comment,
    /// an empty line.
    NotAKey,
    /// Meant as a key, but unusable.
    Problem(RecordProblem),
}

/// Why a text cannot be used as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordProblem {
    /// Too little to guess.
    #[error("a key of {bytes} bytes is too short; use at least 16, better 32 random bytes")]
    TooShort {
        /// Its length.
        bytes: usize,
    },
    /// Too much.
    #[error("a key of {bytes} bytes is too long; use at most 512, 32 random bytes are enough")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Control characters or no UTF-8: agents that read it as text would see something else.
    #[error("a key is not printable text; write binary keys as hex:... or b64:...")]
    NotText,
    /// `hex:` is not followed by hexadecimal.
    #[error("the text after hex: is not hexadecimal; give pairs of 0-9 and a-f")]
    BadHex,
    /// `b64:` or `k=` is not followed by base64.
    #[error("the text after b64: or k= is not base64; give base64url without padding")]
    BadBase64,
    /// A version this manager does not know.
    #[error("the record's version is not kattila1; update the manager or publish v=kattila1")]
    UnknownVersion,
    /// `v=kattila1` without `k`.
    #[error("a v=kattila1 record has no k; write v=kattila1; k=<base64url key>")]
    NoKeyTag,
    /// The same tag twice.
    #[error("a v=kattila1 record has {tag} twice; keep one")]
    Twice {
        /// Which.
        tag: &'static str,
    },
    /// `seq`, `nbf` or `exp` is not a whole number from 0 up.
    #[error("{tag} of a v=kattila1 record is not a whole number; write digits only")]
    BadNumber {
        /// Which.
        tag: &'static str,
    },
    /// It ends before it begins.
    #[error("exp of a v=kattila1 record is not after its nbf; the key would never be valid")]
    NeverValid,
}

/// Reads a TXT record. Its strings (at most 255 bytes each) are joined without separator.
pub fn from_txt(chunks: &[&[u8]]) -> Parsed {
    let joined = Zeroizing::new(chunks.concat());
    from_text(&joined)
}

/// Reads a list: one key per line or comma, the current one first. Lines that are empty or
/// begin with `# ` are passed over. A key with a comma in it must be written as `b64:`.
pub fn from_list(list: &str) -> Vec<Parsed> {
    list.lines()
        .filter(|line| !is_comment(line.trim_ascii()))
        .flat_map(|line| line.split(','))
        .map(|element| from_text(element.as_bytes()))
        .collect()
}

fn is_comment(line: &str) -> bool {
    line == "#" || line.starts_with("# ")
}

/// Reads one key: surrounding white space and then one pair of quotes (as some DNS panels store
/// them) do not belong to it.
pub fn from_text(text: &[u8]) -> Parsed {
    let text = unquoted(text.trim_ascii());
    if text.is_empty() {
        return Parsed::NotAKey;
    }
    if text.len() > 4 * MAX_KEY_BYTES {
        return Parsed::Problem(RecordProblem::TooLong { bytes: text.len() });
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Parsed::Problem(RecordProblem::NotText);
    };
    if text.chars().any(char::is_control) {
        return Parsed::Problem(RecordProblem::NotText);
    }
    let parsed = match tagged(text) {
        Tagged::Ours => from_tags(text),
        Tagged::Foreign => return Parsed::NotAKey,
        Tagged::UnknownVersion => Err(RecordProblem::UnknownVersion),
        Tagged::No => decoded(text).and_then(|secret| found(secret, None, None, None)),
    };
    match parsed {
        Ok(key) => Parsed::Key(key),
        Err(problem) => Parsed::Problem(problem),
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

enum Tagged {
    Ours,
    UnknownVersion,
    Foreign,
    No,
}

fn tagged(text: &str) -> Tagged {
    let lower = text.to_ascii_lowercase();
    if let Some(after) = lower.strip_prefix("v=") {
        let version = after.split([';', ' ']).next().unwrap_or_default();
        return match version {
            "kattila1" => Tagged::Ours,
            other if other.starts_with("kattila") => Tagged::UnknownVersion,
            _ => Tagged::Foreign,
        };
    }
    let label = lower.split(['=', ':']).next().unwrap_or_default();
    let names_a_check = label.len() < lower.len()
        && (label.ends_with("-verification") || label.ends_with("-verify"));
    if names_a_check || FOREIGN.iter().any(|start| lower.starts_with(start)) {
        Tagged::Foreign
    } else {
        Tagged::No
    }
}

/// A bare key: the bytes of the text, or what `hex:` or `b64:` stands for.
fn decoded(text: &str) -> Result<Zeroizing<Vec<u8>>, RecordProblem> {
    if let Some(digits) = text.strip_prefix("hex:") {
        hex::decode(digits).map(Zeroizing::new).ok_or(RecordProblem::BadHex)
    } else if let Some(digits) = text.strip_prefix("b64:") {
        from_base64(digits)
    } else {
        Ok(Zeroizing::new(text.as_bytes().to_vec()))
    }
}

/// Reads base64url, and plain base64 too, with or without padding.
fn from_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, RecordProblem> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let text = Zeroizing::new(text.replace('+', "-").replace('/', "_"));
    // The cause is dropped on purpose: it would name bytes of the key.
    ENGINE.decode(text.as_bytes()).map(Zeroizing::new).or(Err(RecordProblem::BadBase64))
}

/// `v=kattila1; k=...; seq=...; nbf=...; exp=...` in any order; unknown tags are for later
/// versions and passed over.
fn from_tags(text: &str) -> Result<Found, RecordProblem> {
    let (mut k, mut seq, mut nbf, mut exp) = (None, None, None, None);
    for part in text.split(';') {
        let Some((tag, value)) = part.trim_ascii().split_once('=') else { continue };
        let value = value.trim_ascii();
        match tag.trim_ascii().to_ascii_lowercase().as_str() {
            "k" => set("k", &mut k, from_base64(value)?)?,
            "seq" => set("seq", &mut seq, number("seq", value)?)?,
            "nbf" => set("nbf", &mut nbf, number("nbf", value)?)?,
            "exp" => set("exp", &mut exp, number("exp", value)?)?,
            _ => {}
        }
    }
    if let (Some(nbf), Some(exp)) = (nbf, exp)
        && exp <= nbf
    {
        return Err(RecordProblem::NeverValid);
    }
    let secret = k.ok_or(RecordProblem::NoKeyTag)?;
    found(secret, seq, nbf.map(UnixSeconds), exp.map(UnixSeconds))
}

fn set<T>(tag: &'static str, slot: &mut Option<T>, value: T) -> Result<(), RecordProblem> {
    match slot.replace(value) {
        Some(_) => Err(RecordProblem::Twice { tag }),
        None => Ok(()),
    }
}

fn number(tag: &'static str, text: &str) -> Result<i64, RecordProblem> {
    if text.bytes().all(|b| b.is_ascii_digit())
        && let Ok(value) = text.parse()
    {
        Ok(value)
    } else {
        Err(RecordProblem::BadNumber { tag })
    }
}

fn found(
    secret: Zeroizing<Vec<u8>>,
    seq: Option<i64>,
    nbf: Option<UnixSeconds>,
    exp: Option<UnixSeconds>,
) -> Result<Found, RecordProblem> {
    let bytes = secret.len();
    if bytes < MIN_KEY_BYTES {
        return Err(RecordProblem::TooShort { bytes });
    }
    if bytes > MAX_KEY_BYTES {
        return Err(RecordProblem::TooLong { bytes });
    }
    Ok(Found { kid: kid_of_psk(&secret), secret, seq, nbf, exp })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] = b"kattila-test-psk-000000000000000";

    fn key(text: &[u8]) -> Found {
        let Parsed::Key(found) = from_text(text) else { panic!("{:?}", from_text(text)) };
        found
    }

    fn problem(text: &[u8]) -> RecordProblem {
        let Parsed::Problem(problem) = from_text(text) else { panic!("{:?}", from_text(text)) };
        problem
    }

    #[test]
    fn chunks_are_joined_without_separator_and_wrapping_is_removed() {
        let whole = from_txt(&[BARE]);
        assert!(matches!(&whole, Parsed::Key(found) if found.kid.as_str() == "45819852fbdfc69a"));
        assert_eq!(from_txt(&[b"kattila-test-psk-", b"", b"000000000000000"]), whole);
        assert_eq!(from_txt(&[b"  \"kattila-test-psk-000000000000000\" "]), whole);
        let twice = key(b"\"\"kattila-test-psk-000000000000000\"\"");
        assert_eq!(twice.secret.len(), BARE.len() + 2, "one pair of quotes only");
    }

    #[test]
    fn every_way_of_writing_one_key_gives_the_same_bytes() {
        for text in [
            "hex:6b617474696c612d746573742d70736b2d303030303030303030303030303030",
            "hex:6B617474696C612D746573742D70736B2D303030303030303030303030303030",
            "b64:a2F0dGlsYS10ZXN0LXBzay0wMDAwMDAwMDAwMDAwMDA",
            "b64:a2F0dGlsYS10ZXN0LXBzay0wMDAwMDAwMDAwMDAwMDA=",
            "v=kattila1; k=a2F0dGlsYS10ZXN0LXBzay0wMDAwMDAwMDAwMDAwMDA",
            "V=Kattila1;K=a2F0dGlsYS10ZXN0LXBzay0wMDAwMDAwMDAwMDAwMDA;later=1;",
        ] {
            assert_eq!(key(text.as_bytes()).secret.as_slice(), BARE, "{text}");
        }
        assert_eq!(
            key(b"b64:-_-_-_-_-_-_-_-_-_-_-_-_").secret,
            key(b"b64:+/+/+/+/+/+/+/+/+/+/+/+/").secret
        );
    }

    #[test]
    fn tags_are_read_and_their_mistakes_named() {
        let k = "k=a2F0dGlsYS10ZXN0LXBzay0wMDAwMDAwMDAwMDAwMDA";
        let full = key(format!("v=kattila1; {k}; seq=7; nbf=100; exp=200").as_bytes());
        assert_eq!(
            (full.seq, full.nbf, full.exp),
            (Some(7), Some(UnixSeconds(100)), Some(UnixSeconds(200)))
        );
        for (text, expected) in [
            ("v=kattila1".to_owned(), RecordProblem::NoKeyTag),
            (format!("v=kattila1; {k}; {k}"), RecordProblem::Twice { tag: "k" }),
            (format!("v=kattila1; {k}; seq=-1"), RecordProblem::BadNumber { tag: "seq" }),
            (format!("v=kattila1; {k}; exp="), RecordProblem::BadNumber { tag: "exp" }),
            (format!("v=kattila1; {k}; nbf=2; exp=2"), RecordProblem::NeverValid),
            (format!("v=kattila2; {k}"), RecordProblem::UnknownVersion),
            ("v=kattila1; k=%%%".to_owned(), RecordProblem::BadBase64),
            ("v=kattila1; k=AAAA".to_owned(), RecordProblem::TooShort { bytes: 3 }),
        ] {
            assert_eq!(problem(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn lengths_are_bounded_after_decoding() {
        assert_eq!(problem(&[b'x'; 15]), RecordProblem::TooShort { bytes: 15 });
        assert!(key(&[b'x'; 16]).is_short());
        assert!(!key(&[b'x'; 32]).is_short());
        assert_eq!(key(&[b'x'; 512]).secret.len(), 512);
        assert_eq!(problem(&[b'x'; 513]), RecordProblem::TooLong { bytes: 513 });
        assert_eq!(problem(&[b'x'; 65_536]), RecordProblem::TooLong { bytes: 65_536 });
        assert_eq!(
            problem(b"hex:00112233445566778899aabbccddee"),
            RecordProblem::TooShort { bytes: 15 }
        );
        assert_eq!(problem(b"hex:0"), RecordProblem::BadHex);
        assert_eq!(problem(b"a key with \x07 in it, long enough"), RecordProblem::NotText);
        assert_eq!(problem(b"\xff\xfe not text, but long enough"), RecordProblem::NotText);
    }

    #[test]
    fn other_services_records_are_passed_over() {
        for text in [
            "",
            "\"\"",
            "v=spf1 include:_spf.example.net ~all",
            "v=DMARC1; p=none",
            "google-site-verification=0123456789abcdef0123456789abcdef",
            "atlassian-domain-verification=0123456789abcdef",
            "MS=ms01234567890123456789",
            "k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB",
            "amazonSES:0123456789abcdef0123456789",
        ] {
            assert_eq!(from_text(text.as_bytes()), Parsed::NotAKey, "{text}");
        }
    }

    #[test]
    fn a_list_is_split_at_commas_and_lines_and_keeps_its_order() {
        let list = "# the keys\nkattila-test-psk-000000000000000\r\n\nsecond-key-of-16-bytes,third-key-of-16-bytes\n";
        let keys: Vec<_> = from_list(list)
            .into_iter()
            .filter_map(|parsed| {
                let Parsed::Key(found) = parsed else { return None };
                Some(String::from_utf8(found.secret.to_vec()).unwrap())
            })
            .collect();
        assert_eq!(
            keys,
            ["kattila-test-psk-000000000000000", "second-key-of-16-bytes", "third-key-of-16-bytes"]
        );
    }

    #[test]
    fn neither_debug_nor_problems_show_the_key() {
        let shown = format!("{:?}", from_text(BARE));
        assert!(!shown.contains("test-psk"), "{shown}");
        assert!(!problem(b"v=kattila1; k=topsecret!").to_string().contains("topsecret"));
    }
}
