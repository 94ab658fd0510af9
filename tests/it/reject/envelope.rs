//! Bodies that are no envelope, or not one that may pass (PROTOCOL 1.1, 1.2, 1.6).

use hyper::Method;

use super::{Case, NEW, OLD, accept, new, old, patient, refuse};
use crate::support::manager::START;
use crate::support::seal::{Seal, object};

const MALFORMED: (u16, &str) = (400, "malformed_json");
const DUPLICATE: (u16, &str) = (400, "duplicate_key");
const MISSING: (u16, &str) = (400, "missing_field");
const INVALID: (u16, &str) = (400, "invalid_field");
const DEEP: (u16, &str) = (400, "depth_exceeded");
const VERSION: (u16, &str) = (400, "unsupported_version");
const DATA_LARGE: (u16, &str) = (413, "data_too_large");

const DATA_BYTES: usize = 256 * 1024;

/// The envelope with one member's value replaced.
fn with(mut members: Vec<(&'static str, String)>, name: &'static str, value: &str) -> String {
    let place = members.iter_mut().find(|(other, _)| *other == name);
    value.clone_into(&mut place.unwrap().1);
    object(&members)
}

/// The envelope with a further member at its end.
fn and(mut members: Vec<(&'static str, String)>, name: &'static str, value: &str) -> String {
    members.push((name, value.to_owned()));
    object(&members)
}

/// `data` that is nested so deep; the object itself is level 1.
fn nested(levels: usize) -> String {
    format!("{{\"x\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_json() {
    let kattila = patient(&[]).await;
    let honest = old("json").v1();
    let mut latin = honest.clone().into_bytes();
    *latin.iter_mut().rev().find(|byte| **byte == b'w').unwrap() = 0xe9;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("a space", b" ".to_vec()),
        ("half an object", b"{".to_vec()),
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("two envelopes", format!("{honest}{honest}").into()),
        ("something after the end", format!("{honest},").into()),
        ("a byte order mark", format!("\u{feff}{honest}").into()),
        ("no UTF-8", latin),
        ("UTF-16", honest.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("a number that JSON does not have", with(old("json").members_v1(), "data", "NaN").into()),
        ("a leading zero", with(old("json").members_v1(), "timestamp", "01795214286").into()),
        ("a comma too many", honest.replace("}", ",}").into()),
        ("single quotes", honest.replace('"', "'").into()),
        ("a control character", honest.replace("gw-1", "gw\u{0}1").into()),
        ("a comment", honest.replacen('{', "{/* */", 1).into()),
        ("a form", b"agent_id=gw-1&data=%7B%7D".to_vec()),
        ("base64 of something else", new("json").data("{").v2_base64().into()),
    ];
    let cases: Vec<_> =
        cases.into_iter().map(|(name, body)| Case::report(name, MALFORMED, body)).collect();
    refuse(&kattila, &cases).await;
    accept(&kattila, "the honest one", honest).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_given_twice() {
    let kattila = patient(&[]).await;
    let twice = |name, body: String| Case::report(name, DUPLICATE, body);
    let inner = |data: &str| old("twin").data(data).v1();
    refuse(
        &kattila,
        &[
            twice("at the top", and(old("twin").members_v1(), "nonce", "\"another-nonce\"")),
            twice("data twice", and(old("twin").members_v1(), "data", "{}")),
            twice("at the top, escaped", and(old("twin").members_v1(), r"n\u006fnce", "\"n\"")),
            twice("an unknown member", {
                let mut members = old("twin").members_v1();
                members.extend([("x", "1".to_owned()), ("x", "2".to_owned())]);
                object(&members)
            }),
            twice("at the top of version 2", and(new("twin").members_v2(), "tick", "7")),
            twice("in data", inner(r#"{"a":1,"a":1}"#)),
            twice("in data, escaped", inner(r#"{"a":1,"\u0061":2}"#)),
            twice("in data, both escaped", inner(r#"{"\u00e9":1,"é":2}"#)),
            twice("deep in data", inner(r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#)),
            twice("in a map", inner(r#"{"labels":{"site":"a","site":"b"}}"#)),
            twice("in base64", new("twin").data(r#"{"a":1,"a":1}"#).v2_base64()),
        ],
    )
    .await;
    // Names that only look alike are different members.
    accept(&kattila, "other case", inner(r#"{"a":1,"A":2}"#)).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_missing() {
    let kattila = patient(&[]).await;
    let mut cases = vec![Case::report("an empty object", MISSING, "{}")];
    for members in [old("gone").members_v1(), new("gone").members_v2()] {
        for (gone, _) in &members {
            let rest: Vec<_> = members.iter().filter(|(name, _)| name != gone).cloned().collect();
            // Without `v` it is a whole envelope of version 1, whose signature does not hold.
            let expected = if *gone == "v" { (401, "signature_invalid") } else { MISSING };
            cases.push(Case::report(&format!("without {gone}"), expected, object(&rest)));
        }
    }
    let register = Case::report("an announcement without nonce", MISSING, "{\"agent_id\":\"a\"}");
    cases.push(register.to(Method::POST, "/status/register"));
    assert_eq!(cases.len(), 17);
    refuse(&kattila, &cases).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_out_of_their_syntax() {
    let kattila = patient(&[]).await;
    let long = format!("\"{}\"", "n".repeat(129));
    let first: &[(&str, &[&str])] = &[
        ("agent_id", &["\"\"", "\"a b\"", "\"a/b\"", "7", "null", "\"\u{e9}\""]),
        ("timestamp", &["\"soon\"", "null", "[]", "1e99", "-1e16", "true"]),
        ("nonce", &["\"\"", "7", "\"\\n\"", "\"\u{e9}\"", &long]),
        ("hmac", &["\"00\"", "null", "\"xyz\"", "7"]),
    ];
    let second: &[(&str, &[&str])] = &[
        ("alg", &["\"none\"", "\"HMAC-SHA256\"", "\"ed25519\"", "7"]),
        ("kid", &["\"45\"", "\"45819852FBDFC69A\"", "7", "null"]),
        ("fleet_id", &["\"\"", "\"Fleet\"", "\"-a\"", "\"a_b\"", "7"]),
        ("agent_id", &["\"gw-1\"", "\"0123456789ABCDEF\"", "\"0123456789abcde\"", "7"]),
        ("tick", &["0", "-1", "1.0", "1e3", "9007199254740992", "\"1\"", "null"]),
        ("timestamp", &["1795214286.5", "-1", "\"1795214286\"", "1e9", "9007199254740992"]),
        ("nonce", &["\"short\"", "\"AAECAwQFBgcICQoLDA0O.w\"", "7"]),
        ("sig", &["\"00\"", "null", "7"]),
    ];
    let mut cases = Vec::new();
    for (members, table) in
        [(old("syntax").members_v1(), first), (new("syntax").members_v2(), second)]
    {
        for (name, values) in table {
            for value in *values {
                let body = with(members.clone(), name, value);
                cases.push(Case::report(&format!("{name}={value:.40}"), INVALID, body));
            }
        }
    }
    refuse(&kattila, &cases).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_too_many_or_too_long() {
    let kattila = patient(&[]).await;
    let upper = new("syntax").members_v2();
    let sig = upper.iter().find(|(name, _)| *name == "sig").unwrap().1.to_uppercase();
    let more = |name, body: String| Case::report(name, INVALID, body);
    let cases = [
        more("an uppercase signature of version 2", with(upper, "sig", &sig)),
        more("a member that version 2 does not know", and(new("syntax").members_v2(), "x", "1")),
        more("data in both forms", and(new("syntax").members_v2(), "data_b64", "\"e30\"")),
        more("two signatures", and(old("syntax").members_v1(), "sig", "\"00\"")),
        more("a relay path that is no list", and(old("syntax").members_v1(), "relay_path", "7")),
        more("base64 with padding", {
            let mut members = new("syntax").members_v2();
            members.pop();
            and(members, "data_b64", "\"e30=\"")
        }),
        more("a string too long for its place", {
            and(old("syntax").members_v1(), "x", &format!("\"{}\"", "x".repeat(1025)))
        }),
        more(
            "a name too long",
            and(old("syntax").members_v1(), String::leak("n".repeat(1025)), "1"),
        ),
        more("too many members at the top", {
            let mut members = old("syntax").members_v1();
            members.extend((0..60).map(|n| (&*String::leak(format!("m{n}")), "1".to_owned())));
            object(&members)
        }),
        more("too many members in data", old("syntax").data(wide("x", 65)).v1()),
        more("a fraction in the middle of nowhere", {
            with(old("syntax").members_v1(), "timestamp", "\"1795214286.5\"")
        }),
    ];
    refuse(&kattila, &cases).await;
    kattila.stop().await;
}

/// `data` whose member `name` is an object of so many members.
fn wide(name: &str, count: usize) -> String {
    let members: Vec<_> = (0..count).map(|n| format!("\"m{n}\":\"{n}\"")).collect();
    format!("{{\"{name}\":{{{}}}}}", members.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_depths_up_to_their_limits() {
    let kattila = patient(&[]).await;
    let filled = |bytes: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8));
    let case = |name, expected, body: String| Case::report(name, expected, body);
    let deep_member = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    refuse(
        &kattila,
        &[
            case("data of 17 levels", DEEP, old("deep").data(nested(17)).v1()),
            case("the same in base64", DEEP, new("deep").data(nested(17)).v2_base64()),
            case("33 levels", DEEP, and(old("deep").members_v1(), "x", &deep_member(32))),
            case("a hundred thousand levels", DEEP, format!("{{\"data\":{}", "[".repeat(100_000))),
            case("data too large", DATA_LARGE, old("large").data(filled(DATA_BYTES + 1)).v1()),
            case("the same in version 2", DATA_LARGE, {
                new("large").data(filled(DATA_BYTES + 1)).v2()
            }),
            case("the same in base64", DATA_LARGE, {
                new("large").data(filled(DATA_BYTES + 1)).v2_base64()
            }),
        ],
    )
    .await;
    let levels = and(old("fits-1").members_v1(), "x", &deep_member(31));
    accept(&kattila, "16 levels", old("fits-2").data(nested(16)).v1()).await;
    accept(&kattila, "32 levels", levels).await;
    accept(&kattila, "64 members", old("fits-3").data(wide("x", 64)).v1()).await;
    accept(&kattila, "many labels", old("fits-4").data(wide("labels", 200)).v1()).await;
    accept(&kattila, "256 KiB", old("fits-5").data(filled(DATA_BYTES)).v1()).await;
    let (tick, data) = (START.0 * 1000 + 1, filled(DATA_BYTES));
    accept(&kattila, "256 KiB in base64", new("fits-6").tick(tick).data(data).v2_base64()).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_relays_that_are_not_spoken() {
    let kattila = patient(&[]).await;
    let version = |name, value: &str| {
        let mut members = vec![("v", value.to_owned())];
        members.extend(old("version").members_v1());
        Case::report(name, VERSION, object(&members))
    };
    let path = |name, expected, list: &str| {
        Case::report(name, expected, and(old("path").members_v1(), "relay_path", list))
    };
    let enrol = format!(r#"{{"v":2,"fleet_id":"fleet-a","agent_id":"{NEW}","public_key":"x"}}"#);
    let register =
        |name, body: String| Case::report(name, INVALID, body).to(Method::POST, "/status/register");
    refuse(
        &kattila,
        &[
            version("version 3", "3"),
            version("version 0", "0"),
            version("a version in quotes", "\"1\""),
            version("a fractional version", "1.0"),
            version("a version that is null", "null"),
            Case::report("by its other name", VERSION, {
                and(old("version").members_v1(), "version", "9")
            }),
            register("an enrolment with a key that is none", enrol),
            register("a report where an announcement should be", new("version").v2()),
            Case::report("a relay envelope without its signature", (400, "missing_field"), {
                r#"{"v":2,"kind":"relay","alg":"hmac-sha256","relay_id":"r","hop":1}"#
            }),
            Case::report("another kind", INVALID, r#"{"v":2,"kind":"other"}"#),
            path("four relays", (422, "relay_too_deep"), r#"["a","b","c","d"]"#),
            path("a relay twice", (422, "relay_loop"), r#"["a","b","a"]"#),
            path("the agent as its own relay", (422, "relay_loop"), &format!("[\"{OLD}\"]")),
        ],
    )
    .await;
    let three = and(old("path").members_v1(), "relay_path", r#"["a","b","c"]"#);
    accept(&kattila, "three relays", three).await;
    let list = kattila.operator().json(&format!("/api/v1/agents/{OLD}")).await;
    assert_eq!(list["relay_path"], serde_json::json!(["a", "b", "c"]));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_no_report_may_hold() {
    let kattila = patient(&[]).await;
    let invalid = |name: &str, seal: &Seal, body: fn(&Seal) -> String| {
        Case::report(name, (422, "data_invalid"), body(seal))
    };
    let mut cases = Vec::new();
    for data in ["[]", "7", "\"text\"", "null", "true", "[{}]"] {
        cases.push(invalid(&format!("data is {data}"), &old("data").data(data), Seal::v1));
        cases.push(invalid(&format!("data is {data}"), &new("data").data(data), Seal::v2));
        cases.push(invalid(&format!("data is {data}"), &new("data").data(data), Seal::v2_base64));
    }
    let other = old("data").data(r#"{"agent_id":"gw-2","hostname":"x"}"#);
    cases.push(invalid("data of another agent", &other, Seal::v1));
    refuse(&kattila, &cases).await;
    // What was refused has spent neither nonce nor tick.
    accept(&kattila, "version 1", old("data").data(r#"{"agent_id":"gw-1"}"#).v1()).await;
    accept(&kattila, "version 2", new("data").v2()).await;
    kattila.stop().await;
}
