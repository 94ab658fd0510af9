use super::*;

#[test]
fn a_failed_signature_tells_the_sender_nothing() {
    let rejection = |kid: Option<&str>, may_be_new_key| Rejection::SignatureInvalid {
        agent: "gw-1".parse().unwrap(),
        scheme: Scheme::V2Hmac,
        kid: kid.map(|kid| kid.parse().unwrap()),
        may_be_new_key,
    };
    let (known, unknown) = (rejection(Some("45819852fbdfc69a"), false), rejection(None, true));
    assert_eq!(known.detail(), unknown.detail());
    assert_eq!(known.code(), ErrorCode::SignatureInvalid);
    assert!(known.to_string().contains("45819852fbdfc69a"));
    assert!(!known.wants_new_keys() && unknown.wants_new_keys());
    assert!(!known.is_authenticated());
    assert_eq!(known.agent().unwrap().as_str(), "gw-1");
}
