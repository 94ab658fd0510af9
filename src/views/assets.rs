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
    let bytes = if path.ends_with(".js") { lean(file.data) } else { file.data };
    Some(Asset { bytes, mime: mime(path)?, etag })
}

/// A script without its comment lines and indentation, a sixth of what would travel.
///
/// Lines keep their numbers, so that an error in a browser's console is found in the source.
/// A test makes sure that no template literal spans lines, where indentation would matter.
fn lean(script: Cow<'static, [u8]>) -> Cow<'static, [u8]> {
    let Ok(text) = std::str::from_utf8(&script) else { return script };
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim();
        if !line.starts_with("//") {
            out.push_str(line);
        }
        out.push('\n');
    }
    Cow::Owned(out.into_bytes())
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
    // The way scripts are served is the version's.
    eat(env!("CARGO_PKG_VERSION").as_bytes());
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
    fn scripts_lose_comment_lines_and_keep_line_numbers() {
        let source = "// one\n  a(); // two\n\n    // three\n\tb();\n";
        let lean = lean(Cow::Borrowed(source.as_bytes()));
        assert_eq!(String::from_utf8_lossy(&lean), "\na(); // two\n\n\nb();\n");
        for name in Files::iter().filter(|name| name.ends_with(".js")) {
            let file = Files::get(&name).expect("listed");
            let text = String::from_utf8_lossy(&file.data).into_owned();
            for line in text.lines().filter(|line| !line.trim().starts_with("//")) {
                assert_eq!(line.matches('`').count() % 2, 0, "{name}: {line}");
                assert!(!line.contains("/*") && !line.ends_with('\\'), "{name}: {line}");
            }
        }
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
