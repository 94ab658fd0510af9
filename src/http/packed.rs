//! The map as browsers take it: written and compressed once for all who ask for the same one,
//! away from the runtime's threads.
//!
//! A layer around the answers would compress it on the threads that take reports in, for each who
//! asks: a second of work for ten thousand nodes, times all the browsers that come back when the
//! manager was started anew. Must not know what a map is.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::error::ApiError;
use crate::model::time::UnixSeconds;

/// What is smaller is compressed where everything is.
const WORTH_BYTES: usize = 64 << 10;

/// For how long values that move with every report may be those of the first who asked. Who has
/// the map already is told that it is the same however old they are.
const SAME_S: i64 = 5;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Bytes of all answers that are kept; the map of ten thousand nodes has some hundred thousand.
const KEPT_BYTES: usize = 16 << 20;

/// Answers that are kept at most, however small.
const KEPT: usize = 256;

/// The last maps and parts of maps that were written, under their tags; the newest last.
#[derive(Debug, Default)]
pub struct Packed(Mutex<Vec<Arc<Kept>>>);

/// One tag. Held locked by whoever writes its answer; the others wait and take it.
#[derive(Debug)]
struct Kept {
    tag: String,
    written: Mutex<Option<Written>>,
}

#[derive(Debug, Clone)]
struct Written {
    at: UnixSeconds,
    bytes: Bytes,
    /// Whether it was worth compressing.
    packed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Packed {
    /// What was written under this tag lately, or what is made now; those who ask for it meanwhile
    /// wait for it. Blocks: away from the runtime's threads only.
    pub fn once(
        &self,
        (tag, now): (&str, UnixSeconds),
        make: impl FnOnce() -> Result<Vec<u8>, ApiError>,
    ) -> Result<Response, ApiError> {
        let kept = self.under(tag);
        let mut written = lock(&kept.written);
        if let Some(known) = written.as_ref()
            && (0..SAME_S).contains(&now.since(known.at))
        {
            return Ok(known.answer());
        }
        let json = make()?;
        let packed = json.len() >= WORTH_BYTES;
        let bytes = if packed { pack(&json)? } else { Bytes::from(json) };
        let new = Written { at: now, bytes, packed };
        let answer = new.answer();
        *written = Some(new);
        drop(written);
        self.make_room();
        Ok(answer)
    }

    fn under(&self, tag: &str) -> Arc<Kept> {
        let mut all = lock(&self.0);
        let known = all.iter().position(|kept| kept.tag == tag).map(|at| all.remove(at));
        let kept = known
            .unwrap_or_else(|| Arc::new(Kept { tag: tag.to_owned(), written: Mutex::default() }));
        all.push(Arc::clone(&kept));
        kept
    }

    /// Forgets the oldest ones that are too many or too large; what is being written counts as
    /// nothing until it is there.
    fn make_room(&self) {
        let mut all = lock(&self.0);
        let size = |kept: &Arc<Kept>| {
            let written = kept.written.try_lock().ok();
            written.and_then(|written| written.as_ref().map(|one| one.bytes.len())).unwrap_or(0)
        };
        let mut left = KEPT_BYTES;
        let fits = all.iter().rev().take(KEPT).take_while(|kept| {
            let (size, had) = (size(kept), left);
            left = left.saturating_sub(size);
            size <= had
        });
        // The newest stays, however large.
        let fits = fits.count().max(1);
        let too_many = all.len().saturating_sub(fits);
        all.drain(..too_many);
    }
}

impl Written {
    fn answer(&self) -> Response {
        let bytes = self.bytes.clone();
        if self.packed { compressed(bytes) } else { plain(bytes) }
    }
}

/// An answer of JSON for one who asks, compressed if that is worth it and wanted.
pub fn json(headers: &HeaderMap, json: Vec<u8>) -> Result<Response, ApiError> {
    let packs = json.len() >= WORTH_BYTES && takes_gzip(headers);
    if packs { pack(&json).map(compressed) } else { Ok(plain(json)) }
}

fn plain(json: impl Into<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, JSON)], json.into()).into_response()
}

fn compressed(bytes: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, JSON),
        (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    (headers, bytes).into_response()
}

fn pack(json: &[u8]) -> Result<Bytes, ApiError> {
    let mut packer = GzEncoder::new(Vec::with_capacity(json.len() / 8), Compression::fast());
    packer.write_all(json).map_err(ApiError::internal)?;
    packer.finish().map(Bytes::from).map_err(ApiError::internal)
}

/// Whether `Accept-Encoding` names gzip, or everything, and does not rule it out (RFC 9110 section
/// 12.5.3).
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let name = name.trim();
        let is_meant = name.eq_ignore_ascii_case("gzip") || name == "*";
        let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
        is_meant && !matches!(weight, Some(Ok(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::body::to_bytes;
    use flate2::read::GzDecoder;

    use super::*;

    const T: UnixSeconds = UnixSeconds(1_790_000_000);

    fn large(digit: u8) -> Vec<u8> {
        vec![digit; WORTH_BYTES]
    }

    async fn opened(answer: Response) -> Vec<u8> {
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let mut whole = Vec::new();
        GzDecoder::new(&*bytes).read_to_end(&mut whole).unwrap();
        whole
    }

    #[tokio::test]
    async fn one_map_is_made_for_all_who_ask_within_seconds() {
        let packed = Packed::default();
        let mut made = 0;
        let mut ask = |tag, at| {
            let make = || {
                made += 1;
                Ok(large(b'0' + made))
            };
            packed.once((tag, at), make).unwrap()
        };
        assert_eq!(opened(ask("a", T)).await, large(b'1'));
        assert_eq!(opened(ask("a", T.plus(SAME_S - 1))).await, large(b'1'));
        assert_eq!(opened(ask("b", T)).await, large(b'2'), "another map");
        assert_eq!(opened(ask("b", T.plus(SAME_S))).await, large(b'3'), "too old");
        assert_eq!(opened(ask("b", T)).await, large(b'4'), "the clock was set back");
        assert_eq!(opened(ask("a", T.plus(1))).await, large(b'1'), "kept beside the other");
    }

    #[tokio::test]
    async fn what_is_small_or_not_wanted_in_gzip_is_sent_as_it_is() {
        let wants = HeaderMap::from_iter([(header::ACCEPT_ENCODING, "gzip".parse().unwrap())]);
        for (headers, bytes) in [(&wants, vec![b'1'; 9]), (&HeaderMap::new(), large(b'1'))] {
            let answer = json(headers, bytes.clone()).unwrap();
            assert!(answer.headers().get(header::CONTENT_ENCODING).is_none());
            assert_eq!(to_bytes(answer.into_body(), usize::MAX).await.unwrap(), bytes);
        }
        assert_eq!(opened(json(&wants, large(b'1')).unwrap()).await, large(b'1'));
        let small = Packed::default().once(("a", T), || Ok(vec![b'1'])).unwrap();
        assert!(small.headers().get(header::CONTENT_ENCODING).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded_and_a_failure_is_not_kept() {
        let packed = Packed::default();
        for i in 0..2 * KEPT {
            packed.once((&format!("{i}"), T), || Ok(vec![b'1'; 9])).unwrap();
        }
        assert_eq!(lock(&packed.0).len(), KEPT);
        for i in 0..3 {
            // What cannot be made smaller; two of them are too large.
            let mut state = 1_u64;
            let byte = |_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            };
            let bytes: Vec<u8> = (0..=KEPT_BYTES / 2).map(byte).collect();
            let noise = || Ok(bytes);
            packed.once((&format!("large {i}"), T), noise).unwrap();
        }
        assert_eq!(lock(&packed.0).len(), 1, "the newest alone");
        assert!(packed.once(("b", T), || Err(ApiError::internal("no"))).is_err());
        assert!(packed.once(("b", T), || Ok(Vec::new())).is_ok());
    }

    #[test]
    fn gzip_is_taken_as_the_header_says() {
        let takes = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]))
        };
        for yes in ["gzip", "br, GZIP;q=0.5", "deflate, gzip, zstd", "*"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "identity", "br;q=1.0, gzip;q=0", "x-gzipped", "gzip; q=0.0"] {
            assert!(!takes(no), "{no}");
        }
    }
}
