use super::*;
use crate::config::mistake::Mistake;

const KEY: &str = "kattila-test-psk-000000000000000";
const TWO: [(&str, &str); 2] =
    [("KATTILA_MANAGER", "https://m.example.org/"), ("KATTILA_PSK", KEY)];

fn load(more: &[(&str, &str)]) -> Result<AgentConfig, ConfigError> {
    let pairs = TWO.iter().chain(more).copied();
    AgentConfig::load(&Values::from_pairs(pairs))
}

fn mistakes(values: &Values) -> Vec<Mistake> {
    match AgentConfig::load(values) {
        Err(ConfigError::Mistakes(all)) => all,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_settings_are_enough() {
    let config = load(&[]).unwrap();
    assert_eq!(config.manager, "https://m.example.org");
    assert_eq!(config.dir, PathBuf::from("/var/lib/kattila-agent"));
    assert_eq!(config.preview.fleet_id, FleetId::unnamed());
    assert_eq!(config.spool_bytes, 64 * 1024 * 1024);
    assert_eq!(config.proxy, ProxyConfig::Direct);
    assert!(config.ca.is_none() && config.client.is_none());
}

#[test]
fn every_mistake_is_told_at_once() {
    let all = mistakes(&Values::from_pairs([
        ("KATTILA_MANAGER", "m.example.org"),
        ("KATTILA_FLEET_ID", "Fleet"),
        ("KATTILA_LABELS", "site"),
        ("KATTILA_CA", "/nowhere/ca.pem"),
        ("KATTILA_CLIENT_KEY", "/dev/null"),
        ("KATTILA_PROXY", "ftp://p"),
        ("KATTILA_SPOOL_BYTES", "1"),
        ("KATTILA_SPOOL_AGE", "1"),
        ("KATTILA_MANAGR", "x"),
        ("KATTILA_RELAY", "10.0.0.1"),
        ("KATTILA_AGENT_TOKEN", "short"),
    ]));
    for name in [
        "KATTILA_MANAGER",
        "KATTILA_FLEET_ID",
        "KATTILA_LABELS",
        "KATTILA_CA",
        "KATTILA_CLIENT_CERT",
        "KATTILA_PROXY",
        "KATTILA_SPOOL_BYTES",
        "KATTILA_SPOOL_AGE",
        "KATTILA_MANAGR",
        "KATTILA_RELAY",
        "KATTILA_AGENT_TOKEN",
        "KATTILA_DNS_NAME",
    ] {
        assert!(all.iter().any(|mistake| mistake.name == name), "{name} in {all:#?}");
    }
    let slip = all.iter().find(|mistake| mistake.name == "KATTILA_MANAGR").unwrap();
    assert!(slip.problem.contains("KATTILA_MANAGER"));
}

#[test]
fn nothing_at_all_tells_how_to_get_going() {
    let error = AgentConfig::load(&Values::default()).unwrap_err();
    assert!(error.to_string().contains("KATTILA_MANAGER="), "{error}");
}

#[test]
fn one_env_file_may_serve_manager_and_agent() {
    assert!(load(&[("KATTILA_DB", "x.db"), ("KATTILA_LISTEN", "[::]:5086")]).is_ok());
}

#[test]
fn addresses() {
    let ok = |text| url(text, "x").is_ok();
    for good in ["http://h", "https://h:8443/k", "http://[::1]:5086", "http://10.0.0.1:1"] {
        assert!(ok(good), "{good}");
    }
    for bad in [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://h:0",
        "http://h:x",
        "http://h:",
        "http://u@h",
        "http://h/?q",
        "http://h/#f",
        "http://h i",
        "http://[::1",
        "http://[x]",
    ] {
        assert!(!ok(bad), "{bad}");
    }
}

#[test]
fn the_door_is_on_wireguard_addresses_unless_told_otherwise() {
    assert_eq!(load(&[]).unwrap().shape, ReportShape::Auto);
    let words = [ReportShape::Auto, ReportShape::Json, ReportShape::Framed];
    assert_eq!(["auto", "json", "framed"].map(shape), words.map(Ok));
    assert!(shape("zstd").unwrap_err().contains("auto, json or framed"));
    assert_eq!(load(&[]).unwrap().relay, RelayConfig::WireGuard);
    assert_eq!(relay("off"), Ok(RelayConfig::Off));
    let two = ["10.0.0.1:5087", "[fd00::1]:7"].map(|text| text.parse().unwrap()).to_vec();
    assert_eq!(relay("10.0.0.1:5087, [fd00::1]:7"), Ok(RelayConfig::At(two)));
    for bad in ["", "on", ",", "10.0.0.1", "off,10.0.0.1:1"] {
        assert!(relay(bad).is_err(), "{bad}");
    }
    let token = "reset-token-of-this-test-00000000";
    let config = load(&[("KATTILA_AGENT_TOKEN", token)]).unwrap();
    assert!(config.token.is_some() && !format!("{config:?}").contains(token));
}

#[test]
fn labels_are_pairs() {
    let read = labels("site=vienna, role = gateway,").unwrap();
    assert_eq!(read["site"], "vienna");
    assert_eq!(read["role"], "gateway");
    for bad in ["site", "=x", "a=1,a=2"] {
        assert!(labels(bad).is_err(), "{bad}");
    }
    assert_eq!(labels("expr=a=b").unwrap()["expr"], "a=b");
}

#[test]
fn the_proxy_of_the_environment_is_found_and_never_shown() {
    let mut values = Values::from_pairs(TWO);
    values.set_foreign("HTTPS_PROXY", "http://u:hunter2@p.example:3128");
    values.set_foreign("NO_PROXY", "10.0.0.0/8");
    let config = AgentConfig::load(&values).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let ProxyConfig::Through { except, .. } = &config.proxy else { panic!("direct") };
    assert_eq!(except.as_deref(), Some("10.0.0.0/8"));
    values.add([("KATTILA_PROXY".to_owned(), "off".to_owned())]);
    assert_eq!(AgentConfig::load(&values).unwrap().proxy, ProxyConfig::Direct);

    let mut values = Values::from_pairs(TWO);
    values.set_foreign("HTTPS_PROXY", "socks5://u:hunter2@p");
    let all = mistakes(&values);
    assert!(all[0].name == "HTTPS_PROXY" && !all[0].problem.contains("hunter2"));
}

#[test]
fn the_state_directory_of_systemd_goes_before_the_default() {
    let mut values = Values::from_pairs(TWO);
    values.set_foreign("STATE_DIRECTORY", "/var/lib/private/k:/other");
    let dir = AgentConfig::load(&values).unwrap().dir;
    assert_eq!(dir, PathBuf::from("/var/lib/private/k"));
    values.add([("KATTILA_AGENT_DIR".to_owned(), "/srv/k".to_owned())]);
    assert_eq!(AgentConfig::load(&values).unwrap().dir, PathBuf::from("/srv/k"));
}

#[test]
fn a_preview_needs_neither_manager_nor_key() {
    let values = Values::from_pairs([("KATTILA_LABELS", "site=a")]);
    assert_eq!(Preview::load(&values).unwrap().labels["site"], "a");
    assert!(Preview::load(&Values::from_pairs([("KATTILA_FLEET_ID", "A")])).is_err());
}
