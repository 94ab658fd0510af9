use std::collections::BTreeMap;

use super::*;

#[test]
fn names_and_flags_are_unique_and_alike() {
    for (index, setting) in all().enumerate() {
        assert!(setting.env.starts_with("KATTILA_"));
        assert!(all().skip(index + 1).all(|other| other.env != setting.env));
        if let Some(flag) = setting.flag {
            let from_env = setting.env["KATTILA_".len()..].to_lowercase().replace('_', "-");
            assert_eq!(flag, from_env);
        }
    }
}

#[test]
fn what_is_shared_is_there() {
    assert!(SHARED.iter().all(|name| SETTINGS.iter().any(|setting| setting.env == *name)));
    assert_eq!(of_agent().count(), AGENT.len() + SHARED.len());
}

#[test]
fn a_slip_of_the_hand_finds_the_name() {
    assert_eq!(nearest("KATTILA_LISTNE"), Some("KATTILA_LISTEN"));
    assert_eq!(nearest("KATTILA_PSKFILE"), Some("KATTILA_PSK_FILE"));
    assert_eq!(nearest("KATTILA_ADMIN_TOKN"), Some("KATTILA_ADMIN_TOKEN"));
}

/// `.env.example` is documentation: every setting once, in any order, with its default, and
/// those without a default commented out or empty.
#[test]
fn the_example_file_lists_every_setting_with_its_default() {
    let text = include_str!("../../../.env.example");
    let mut listed = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim_start_matches(['#', ' ']);
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.starts_with("KATTILA_") && !name.contains(' ') {
            assert!(listed.insert(name, value.trim()).is_none(), "{name} is listed twice");
        }
    }
    for setting in all() {
        let Some(value) = listed.remove(setting.env) else {
            panic!("{} is missing from .env.example", setting.env)
        };
        if let Some(default) = setting.default {
            assert_eq!(value, default, "{}", setting.env);
        }
    }
    assert!(listed.is_empty(), "unknown in .env.example: {listed:?}");
}
