use super::*;

#[test]
fn names_are_absolute_whatever_their_last_character() {
    for name in ["_kattila.fleet.example", "_kattila.fleet.example."] {
        assert_eq!(name.parse::<DnsName>().unwrap().to_string(), "_kattila.fleet.example");
    }
    for bad in ["", ".", "a..b", &format!("{}.example", "x".repeat(64))] {
        let message = bad.parse::<DnsName>().unwrap_err().to_string();
        assert!(message.contains("is not a DNS name"), "{message}");
    }
}

#[test]
fn dnssec_words_round_trip() {
    for word in ["off", "opportunistic", "require"] {
        assert_eq!(word.parse::<Dnssec>().unwrap().to_string(), word);
    }
    assert!("yes".parse::<Dnssec>().is_err());
    assert_eq!(Dnssec::default(), Dnssec::Opportunistic);
}
