use super::find::{Found, Known, find};
use super::*;
use crate::model::id::AgentId;
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::state::{RelayProof, Scheme};
use crate::model::time::UnixSeconds;
use crate::topology::picture::{Node, NodeKind, Picture, Site, SiteCounts, samples};

const NOW: UnixSeconds = UnixSeconds(1_000_000);

fn agent(name: &str, status: AgentStatus, site: &str, address: &str) -> Node {
    Node {
        agent_id: name.parse().ok(),
        label: name.to_owned(),
        status: Some(status),
        site: site.to_owned(),
        addresses: vec![address.to_owned()],
        seen_at: Some(NOW.minus(20)),
        ..samples::node(&format!("a:{name}"))
    }
}

fn picture() -> Picture {
    let site = |id: &str, label: &str| Site {
        id: id.to_owned(),
        label: label.to_owned(),
        fleet_id: crate::model::id::FleetId::unnamed(),
        x: 0.0,
        y: 0.0,
        r: 1.0,
        counts: SiteCounts::default(),
    };
    let mut gateway = agent("hel-gw1", AgentStatus::Online, "/h", "10.11.0.1");
    gateway.role = "gateway".to_owned();
    let mut down = agent("oul-web1", AgentStatus::Offline, "/o", "10.12.0.7");
    (down.alarms, down.seen_at) = (3, Some(NOW.minus(900)));
    let relays = vec!["hel-gw1".parse().expect("an id")];
    down.relay_path = RelayPath::through(relays, RelayProof::Proven);
    let late = agent("oul-db1", AgentStatus::Stale, "/o", "fd00::12");
    let peer = Node {
        kind: NodeKind::External,
        role: "external".to_owned(),
        label: "BBBBBBBB".to_owned(),
        addresses: vec!["172.16.0.0/16".to_owned()],
        site: "/h".to_owned(),
        ..samples::node("x::phone")
    };
    let mut broken = samples::edge("00aa", ["a:hel-gw1", "a:oul-web1"]);
    (broken.state, broken.reason, broken.since) =
        (EdgeState::Down, "down: no handshake for 9 min".to_owned(), NOW.minus(540));
    let [near, far] = &mut broken.ends;
    (near.interface, near.public_key) = (Some("wg0".to_owned()), Some(WgKey([0; 32])));
    (far.interface, far.public_key) = (Some("wg1".to_owned()), Some(WgKey([0xFF; 32])));
    near.allowed_ips = vec!["10.12.0.0/24".to_owned(), "0.0.0.0/0".to_owned()];
    near.endpoint = Some("203.0.113.40:51820".to_owned());
    let mut odd = samples::edge("00bb", ["a:hel-gw1", "a:oul-db1"]);
    odd.state = EdgeState::HalfConfigured;
    let quiet = samples::edge("00cc", ["a:hel-gw1", "x::phone"]);
    Picture {
        sites: vec![site("/h", "Helsinki"), site("/o", "Oulu 2")],
        nodes: vec![gateway, down, late, peer],
        edges: vec![broken, odd, quiet],
        ..Picture::default()
    }
}

fn known(id: &AgentId) -> Known<'static> {
    match id.as_str() {
        "hel-gw1" => Known {
            version: Some("kattila 1.4.2"),
            scheme: Some(Scheme::V2Ed25519),
            since: Some(NOW.minus(7_200)),
            ..Known::default()
        },
        "oul-web1" => {
            Known { version: Some("1.10.0-rc1"), since: Some(NOW.minus(60)), ..Known::default() }
        }
        _ => Known::default(),
    }
}

/// What a text finds: nodes by label and links by id, in one line.
fn found(text: &str) -> String {
    let picture = picture();
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let Found { nodes, edges } = find(&picture, &query, NOW, known);
    let label =
        |id: &&str| picture.nodes.iter().find(|node| node.id == **id).map(|n| n.label.clone());
    let nodes: Vec<String> = nodes.iter().filter_map(label).collect();
    format!("{} | {}", nodes.join(" "), edges.join(" ")).trim().to_owned()
}

#[test]
fn each_field_finds_what_it_says() {
    for (text, wanted) in [
        ("", "BBBBBBBB hel-gw1 oul-db1 oul-web1 | 00aa 00bb 00cc"),
        ("OUL", "oul-db1 oul-web1 | 00aa 00bb"),
        // Beginnings of names come first.
        ("web", "oul-web1 | 00aa"),
        ("gw1 hel", "hel-gw1 | 00aa 00bb 00cc"),
        ("\"no handshake\"", "| 00aa"),
        ("half conf", "| 00bb"),
        ("reporting", "hel-gw1 |"),
        ("state:down", "oul-web1 | 00aa"),
        ("state:late,none", "BBBBBBBB oul-db1 |"),
        ("state:half-configured", "| 00bb"),
        ("state:bad", "oul-db1 oul-web1 | 00aa 00bb"),
        ("-state:bad", "BBBBBBBB hel-gw1 | 00cc"),
        ("host:db", "oul-db1 | 00bb"),
        ("id:oul", "oul-db1 oul-web1 |"),
        ("id:00a", "| 00aa"),
        ("site:\"oulu 2\"", "oul-db1 oul-web1 | 00aa 00bb"),
        ("-site:oulu", "BBBBBBBB hel-gw1 | 00cc"),
        ("kind:gateway", "hel-gw1 | 00aa 00bb 00cc"),
        ("kind:agent", "hel-gw1 oul-db1 oul-web1 | 00aa 00bb 00cc"),
        ("kind:external", "BBBBBBBB | 00cc"),
        ("ip:10.11.0.0/16", "hel-gw1 |"),
        ("ip:10.12.0.7", "oul-web1 | 00aa"),
        ("ip:172.16.4.4", "BBBBBBBB |"),
        ("ip:fd00::/16", "oul-db1 |"),
        ("ip:203.0.113.40", "| 00aa"),
        ("fd00::12", "oul-db1 |"),
        ("key:////", "oul-web1 | 00aa"),
        ("key:AAAA", "hel-gw1 | 00aa"),
        ("iface:wg1", "| 00aa"),
        ("relay:any", "oul-web1 | 00aa"),
        ("relay:none", "hel-gw1 oul-db1 | 00aa 00bb 00cc"),
        ("relay:gw1", "oul-web1 | 00aa"),
        ("scheme:v2-ed25519", "hel-gw1 | 00aa 00bb 00cc"),
        ("version:<1.5", "hel-gw1 | 00aa 00bb 00cc"),
        ("version:>=1.10", "oul-web1 | 00aa"),
        ("version:1.4", "hel-gw1 | 00aa 00bb 00cc"),
        ("links:>2", "hel-gw1 | 00aa 00bb 00cc"),
        ("links:1", "BBBBBBBB oul-db1 oul-web1 | 00aa 00bb 00cc"),
        ("down:>=1", "hel-gw1 oul-web1 | 00aa 00bb 00cc"),
        ("alarm:open", "oul-web1 | 00aa"),
        ("alarm:>3", "|"),
        ("alarm:none kind:agent", "hel-gw1 oul-db1 | 00aa 00bb 00cc"),
        ("seen:>5m", "oul-web1 | 00aa"),
        ("since:<10m", "oul-web1 | 00aa"),
        ("since:>1h", "hel-gw1 | 00bb 00cc"),
        ("state:down site:hel", "| 00aa"),
    ] {
        assert_eq!(found(text), wanted.trim(), "{text}");
    }
}

#[test]
fn what_cannot_be_meant_is_told() {
    for (text, wanted) in [
        ("stat:down", "There is no field `stat`"),
        ("state:dwon", "There is no state `dwon`"),
        ("site:", "Give `site:` a value."),
        ("ip:10.300.0.1", "`10.300.0.1` is no address or prefix"),
        ("links:many", "`links:many` is no number"),
        ("links:1,2", "Give `links:` one value."),
        ("seen:>5", "`seen:>5` is no time span"),
        ("seen:>5 m", "`seen:>5` is no time span"),
        ("since:m", "`since:m` is no time span"),
        ("version:<new", "`version:new` is no version"),
        ("site:\"oulu", "A quote is opened and not closed."),
    ] {
        let error = Query::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(wanted), "{text}: {error}");
    }
    assert!(Query::parse(&"a ".repeat(21)).is_err());
    assert!(Query::parse(&"ä".repeat(501)).is_err());
    assert!(Query::parse(&"ä".repeat(500)).is_ok());
}

#[test]
fn a_colon_is_text_where_it_names_no_field() {
    for text in ["fe80::1", "aa:bb:cc:dd:ee:ff", "\"wlan: x\"", "10.0.0.1:51820", "::1"] {
        assert_eq!(Query::parse(text).expect(text).terms.len(), 1, "{text}");
    }
    assert!(Query::parse("  ").expect("nothing").is_empty());
    assert!(Query::parse("\"\" -").expect("nothing").is_empty());
}

#[test]
fn every_field_is_told_to_people_and_read() {
    for (word, about) in FIELDS {
        assert!(!about.is_empty());
        assert_eq!(Field::named(word).map(Field::word), Some(*word));
    }
    assert_eq!(FIELDS.len(), 17);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z:,<>=\"0-9. -]{0,60}") {
        if let Ok(query) = Query::parse(&text) {
            let picture = picture();
            let all = find(&picture, &query, NOW, known);
            proptest::prop_assert!(all.nodes.len() <= 4 && all.edges.len() <= 3);
        }
    }
}

#[test]
fn what_the_history_does_not_tell_cannot_be_asked_of_it() {
    for (text, field) in [
        ("state:down ip:10.0.0.0/8", "ip"),
        ("version:<1.4", "version"),
        ("-scheme:v1", "scheme"),
        ("seen:>5m", "seen"),
    ] {
        assert!(Query::parse(text).is_ok(), "{text}");
        let error = Query::parse_then(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{field}:` cannot be asked of the past")), "{error}");
    }
    for text in ["", "hel state:down site:hel since:<1h links:>2 alarm:open key:abcd iface:wg0"] {
        assert_eq!(Query::parse_then(text), Query::parse(text));
    }
}

#[test]
fn what_no_agent_is_cannot_be_asked_of_what_agents_do() {
    for text in ["state:idle", "-state:one_way,never", "hel state:none", "kind:external"] {
        assert!(Query::parse(text).is_ok(), "{text}");
        let error = Query::parse_of_agents(text).unwrap_err().to_string();
        assert!(
            error.contains("states are up, ") && error.contains("seen, since, and text"),
            "{error}"
        );
    }
    for text in ["", "state:down,idle kind:gateway,external", "links:>2 alarm:open iface:wg0 text"]
    {
        assert_eq!(Query::parse_of_agents(text), Query::parse(text));
    }
}

#[test]
fn texts_are_taken_out_of_a_query_and_what_must_not_be_there_stays() {
    let query = Query::parse("uplink,eth0 state:down -quiet \"two words\"").unwrap();
    let (rest, texts) = query.without_texts();
    assert_eq!(rest, Query::parse("state:down -quiet").unwrap());
    let texts: Vec<Vec<&str>> =
        texts.iter().map(|any| any.iter().map(String::as_str).collect()).collect();
    assert_eq!(texts, [vec!["uplink", "eth0"], vec!["two words"]]);
}
