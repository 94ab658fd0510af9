//! Static files, embedded in the binary and served under a path that names their content, so
//! that a browser may keep them for ever and never mixes two versions.

use std::borrow::Cow;
use std::sync::OnceLock;

use rust_embed::RustEmbed;

use crate::model::hex;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// A static file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
    /// Its `Content-Type`.
    pub mime: &'static str,
    /// Its `ETag`, quotes included.
    pub etag: String,
}

/// The file at `path` below the hash, such as `js/map.js`.
pub fn get(path: &str) -> Option<Asset> {
    let file = Files::get(path)?;
    let digest = hex::encode(&file.metadata.sha256_hash());
    let etag = format!("\"{}\"", digest.get(..32)?);
    Some(Asset { bytes: file.data, mime: mime(path)?, etag })
}

/// `/static/HASH`: the hash changes when any file or name does.
pub fn base() -> &'static str {
    static BASE: OnceLock<String> = OnceLock::new();
    BASE.get_or_init(|| format!("/static/{}", fingerprint()))
}

/// FNV-1a, 64 bits, over names and SHA-256 digests: it tells versions apart and guards nothing.
fn fingerprint() -> String {
    let mut names: Vec<Cow<'static, str>> = Files::iter().collect();
    names.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for name in names {
        eat(name.as_bytes());
        if let Some(file) = Files::get(&name) {
            eat(&file.metadata.sha256_hash());
        }
    }
    format!("{hash:016x}")
}

/// Types of the kinds of files there are; others are not served.
fn mime(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_file_can_be_served() {
        let names: Vec<_> = Files::iter().collect();
        assert!(names.iter().any(|name| name == "js/map.js"));
        for name in names {
            assert!(get(&name).is_some(), "{name} has no type");
        }
        assert!(get("js/../css/app.css").is_none());
        assert!(get("nothing.js").is_none());
    }

    #[test]
    fn the_base_names_the_content() {
        assert_eq!(base().len(), "/static/".len() + 16);
        assert_eq!(base(), format!("/static/{}", fingerprint()));
    }

    #[test]
    fn no_file_reaches_outside_or_builds_markup_from_text() {
        for name in Files::iter() {
            let Some(asset) = get(&name) else { panic!("{name}") };
            let text = String::from_utf8_lossy(&asset.bytes).into_owned();
            for banned in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
            {
                assert!(!text.contains(banned), "{name} uses {banned}");
            }
            let outside = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!outside.contains("http://") && !outside.contains("https://"), "{name}");
        }
    }
}
