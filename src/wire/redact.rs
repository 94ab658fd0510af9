//! Takes private and preshared keys out of an envelope before it is stored.
//!
//! Everything else stays byte for byte, so that a person can still see what was sent; the
//! signature of a redacted envelope no longer matches, which its row says.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::data::hunt::{self, Secret};
use super::data::secret::HIDDEN;
use super::frame;

/// The envelope with every private and preshared key inside its data replaced by `(hidden)`.
///
/// `data` is the range of the value of `data` (an object) or `data_b64` (a string with its
/// quotes) in the envelope. In `wg_dump` only the columns that hold keys are replaced.
pub fn redact(envelope: &[u8], data: Range<usize>) -> Vec<u8> {
    let value = envelope.get(data.clone()).unwrap_or_default();
    let cleaned = if value.first() == Some(&b'"') { packed(value) } else { plain(value) };
    let Some(cleaned) = cleaned else { return envelope.to_vec() };
    let mut clean = Vec::with_capacity(envelope.len());
    clean.extend_from_slice(envelope.get(..data.start).unwrap_or_default());
    clean.extend_from_slice(&cleaned);
    clean.extend_from_slice(envelope.get(data.end..).unwrap_or_default());
    clean
}

/// The same of a frame, around its data as decompressed: what is kept of it is never compressed,
/// so that it can be read without a dictionary.
pub fn redact_frame(frame: &[u8], data: &[u8]) -> Vec<u8> {
    let clean = plain(data);
    frame::around(frame, clean.as_deref().unwrap_or(data)).unwrap_or_default()
}

/// The JSON text without its secrets; `None` if it has none.
fn plain(json: &[u8]) -> Option<Vec<u8>> {
    // Bytes that are not UTF-8 are never accepted, so there is nothing to store either.
    let json = std::str::from_utf8(json).ok()?;
    let secrets = hunt::find(json);
    if secrets.is_empty() {
        return None;
    }
    // Never larger than the text: a key is longer than its replacement, and growing would leave
    // no copy of a secret behind anyway, since none is ever written here.
    let mut clean = String::with_capacity(json.len());
    let mut at = 0;
    for Secret { range, whole_value } in secrets {
        clean.push_str(json.get(at..range.start).unwrap_or_default());
        if whole_value {
            clean.push('"');
        }
        clean.push_str(HIDDEN);
        if whole_value {
            clean.push('"');
        }
        at = range.end;
    }
    clean.push_str(json.get(at..).unwrap_or_default());
    Some(clean.into_bytes())
}

/// The same for JSON text packed as a base64url string.
fn packed(value: &[u8]) -> Option<Vec<u8>> {
    let text: Zeroizing<String> = Zeroizing::new(serde_json::from_slice(value).ok()?);
    let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.as_bytes()).ok()?);
    let clean = URL_SAFE_NO_PAD.encode(plain(&json)?);
    Some(["\"", &clean, "\""].concat().into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::wire::data;

    const PRIVATE: &str = "CJ1hWgWvSljdeuJ4DriuwQGRXFHMI+q3S/UyxvldWk4=";
    const PUBLIC: &str = "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=";
    const SHARED: &str = "SUZhBYvQY6sPo/NG81hGzggMrNHvaAFhC0odzmLgC8M=";
    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    /// Puts `data` into an envelope, redacts it, and gives back the data of the result.
    fn through(data: &str) -> String {
        let (head, tail) = ("{\"agent_id\":\"a\", \"data\" : ", " ,\"hmac\":\"00\"}");
        let envelope = [head, data, tail].concat();
        let clean = redact(envelope.as_bytes(), head.len()..head.len() + data.len());
        let clean = String::from_utf8(clean).unwrap();
        serde_json::from_str::<serde_json::Value>(&clean).expect("still JSON");
        clean.strip_prefix(head).unwrap().strip_suffix(tail).unwrap().to_owned()
    }

    #[test]
    fn key_columns_of_a_dump_and_nothing_else() {
        let dump = |private: &str, shared: &str| {
            format!(
                "{{\"wg_dump\":\"wg0\\t{private}\\t{PUBLIC}\\t51820\\toff\\n\
                 wg0\\t{PUBLIC}\\t{shared}\\t(none)\\t10.0.0.1/32\\t0\\t0\\t0\\toff\\n\"}}"
            )
        };
        assert_eq!(through(&dump(PRIVATE, SHARED)), dump(HIDDEN, HIDDEN));
        assert_eq!(through(&dump(PRIVATE, "(none)")), dump(HIDDEN, "(none)"));
        assert_eq!(through(&dump(HIDDEN, HIDDEN)), dump(HIDDEN, HIDDEN));
        // PHP writes a slash like this, others everything like that.
        let escaped = SHARED.replace('/', "\\/").replace('+', "\\u002b");
        assert_eq!(through(&dump(PRIVATE, &escaped)), dump(HIDDEN, HIDDEN));
    }

    #[test]
    fn dumps_in_other_forms() {
        let line = |columns: &[&str]| format!("{{\"wg_dump\":\"{}\"}}", columns.join("\\u0009"));
        assert_eq!(
            through(&line(&[PRIVATE, PUBLIC, "51820", "off"])),
            line(&[HIDDEN, PUBLIC, "51820", "off"])
        );
        let cut = line(&["wg0", PUBLIC, "51820", "off"]);
        assert_eq!(through(&cut), cut);
        let peer = |key| line(&[PUBLIC, key, "(none)", "(none)", "0", "0", "0", "off"]);
        assert_eq!(through(&peer(SHARED)), peer(HIDDEN));
        // A line of no known form loses everything that resembles a key.
        assert_eq!(
            through(&line(&["wg0", PRIVATE, PUBLIC, "51820", "off", "wg0"])),
            line(&["wg0", HIDDEN, HIDDEN, "51820", "off", "wg0"])
        );
    }

    #[test]
    fn members_in_every_place() {
        let data = |key: &str| {
            format!(
                "{{\"interfaces\":[{{\"name\":\"wg0\",\"private_key\": {key},\"public_key\":\"{PUBLIC}\"}}],\
                 \"other\":{{\"wg0\":{{\"privateKey\":{key},\"n\":1.0}}}},\"private\\u005fkey\":{key}}}"
            )
        };
        assert_eq!(through(&data(&format!("\"{PRIVATE}\""))), data("\"(hidden)\""));
        assert_eq!(through(&data("[1,[\"]\"],3]")), data("\"(hidden)\""));
        for harmless in ["null", "true", "\"(none)\"", "\"\"", "[ ]", "{}", "0"] {
            assert_eq!(through(&data(harmless)), data(harmless));
        }
        let zero = data(&format!("\"{ZERO}\""));
        assert_eq!(through(&zero), zero);
    }

    #[test]
    fn packed_data() {
        let pack = |json: &str| format!("\"{}\"", URL_SAFE_NO_PAD.encode(json));
        let json = format!("{{\"wg_peers\":[{{\"preshared_key\":\"{SHARED}\"}}]}}");
        assert_eq!(through(&pack(&json)), pack(&json.replace(SHARED, HIDDEN)));
        let clean = pack("{\"a\":1}");
        assert_eq!(through(&clean), clean);
    }

    #[test]
    fn reading_and_redacting_agree() {
        let key = format!("\"{PRIVATE}\"");
        for (data, secret) in [
            (format!("{{\"private_key\":{key}}}"), true),
            (format!("{{\"x\":[[{{\"psk\":{key}}}]]}}"), true),
            (format!("{{\"interfaces\":[{{\"mtu\":{{\"psk\":{key}}}}}]}}"), true),
            (format!("{{\"interfaces\":[{{\"stats64\":{{\"rx\":{{\"psk\":{key}}}}}}}]}}"), true),
            (format!("{{\"interfaces\":{{\"wg0\":{{\"psk\":{key}}}}}}}"), true),
            (format!("{{\"routes\":[{{\"dst\":\"default\",\"via\":{{\"psk\":{key}}}}}]}}"), true),
            (format!("{{\"wg_peers\":[{{\"preshared-key\":{key}}}]}}"), true),
            (format!("{{\"wg_peers\":[{{\"allowed_ips\":[{{\"psk\":{key}}}]}}]}}"), true),
            (format!("{{\"labels\":{{\"psk\":{key}}}}}"), true),
            (format!("{{\"load\":[1,{{\"psk\":{key}}},3]}}"), true),
            (format!("{{\"labels\":{{\"wg_dump\":{key}}}}}"), true),
            (format!("{{\"wg_dump\":{{\"psk\":{key}}}}}"), true),
            (format!("{{\"x\":{{\"wg_dump\":\"wg0 {PRIVATE} {PUBLIC} 1 off\"}}}}"), true),
            (format!("{{\"wg_dump\":\"{PRIVATE}\"}}"), true),
            (format!("{{\"public_key\":{key}}}"), false),
            ("{\"private_key\":\"(hidden)\",\"psk\":[]}".to_owned(), false),
            (format!("{{\"wg_dump\":\"wg0 (none) {PUBLIC} 1 off\"}}"), false),
        ] {
            let read = data::parse(data.as_bytes()).unwrap();
            assert_eq!(read.had_secrets, secret, "{data}");
            let clean = through(&data);
            assert_eq!(clean != data, secret, "{data}");
            assert!(!secret || !clean.contains(PRIVATE), "{clean}");
            assert!(!data::parse(clean.as_bytes()).unwrap().had_secrets, "{clean}");
            assert!(!format!("{read:?}").contains(PRIVATE), "{read:?}");
        }
    }

    /// Any JSON made of the words that matter here.
    fn anything() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        const NAMES: [&str; 20] = [
            "interfaces",
            "routes",
            "wg_peers",
            "wg_dump",
            "labels",
            "load",
            "private_key",
            "psk",
            "preshared_key",
            "public_key",
            "stats64",
            "rx",
            "via",
            "nexthops",
            "allowed_ips",
            "addr_info",
            "local",
            "dst",
            "mtu",
            "x",
        ];
        let dump = ["wg0", PRIVATE, PUBLIC, "51820", "off", "(none)", "\t", "\n", " ", "\\"];
        let text = prop_oneof![
            select(vec![PRIVATE, PUBLIC, ZERO, HIDDEN, "(none)", "", "\"", "{\"psk\":\"x\"}"])
                .prop_map(str::to_owned),
            vec(select(dump.to_vec()), 0..14).prop_map(|words| words.join("\t")),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                vec((select(NAMES.to_vec()), inner), 0..6).prop_map(|members| {
                    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn reading_and_redacting_agree_on_anything(value in anything()) {
            let json = serde_json::json!({"interfaces": value, "routes": value, "wg_peers": value,
                "wg_dump": value, "labels": value, "load": value, "x": value, "psk": value});
            for (name, _) in json.as_object().into_iter().flatten() {
                let data = serde_json::json!({(name.as_str()): value}).to_string();
                let read = data::parse(data.as_bytes()).expect("odd, but data");
                let clean = through(&data);
                prop_assert_eq!(read.had_secrets, clean != data, "{}", data);
                prop_assert!(!data::parse(clean.as_bytes()).expect("data").had_secrets, "{}", clean);
                prop_assert_eq!(through(&clean), clean);
            }
        }
    }
}
