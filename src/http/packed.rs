//! The map as browsers take it: written and compressed once for all who ask for the same one,
//! away from the runtime's threads.
//!
//! A layer around the answers would compress it on the threads that take reports in, for each who
//! asks: a second of work for ten thousand nodes, times all the browsers that come back when the
//! manager was started anew. Must not know what a map is.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

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

/// The last map that was compressed, under its tag.
#[derive(Debug, Default)]
pub struct Packed(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    tag: String,
    at: UnixSeconds,
    bytes: Bytes,
}

impl Packed {
    /// What was compressed under this tag lately, or what is made now; those who ask meanwhile
    /// wait for it. Blocks: away from the runtime's threads only.
    pub fn once(
        &self,
        (tag, now): (&str, UnixSeconds),
        make: impl FnOnce() -> Result<Vec<u8>, ApiError>,
    ) -> Result<Response, ApiError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref()
            && kept.tag == tag
            && (0..SAME_S).contains(&now.since(kept.at))
        {
            return Ok(compressed(kept.bytes.clone()));
        }
        let json = make()?;
        if json.len() < WORTH_BYTES {
            return Ok(plain(json));
        }
        let bytes = pack(&json)?;
        *kept = Some(Kept { tag: tag.to_owned(), at: now, bytes: bytes.clone() });
        Ok(compressed(bytes))
    }
}

/// An answer of JSON for one who asks, compressed if that is worth it and wanted.
pub fn json(headers: &HeaderMap, json: Vec<u8>) -> Result<Response, ApiError> {
    let packs = json.len() >= WORTH_BYTES && takes_gzip(headers);
    if packs { pack(&json).map(compressed) } else { Ok(plain(json)) }
}

fn plain(json: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, JSON)], json).into_response()
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
