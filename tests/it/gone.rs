//! An interface vanishes from a host that still reports: its links are down, at once and by
//! name, and its peers' entries still mean this host.

use serde_json::{Value, json};

use crate::support::actors::Agent;
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::manager::TestManager;
use crate::support::network::{DELTA, DELTA_KEY, Network};

const GONE: &str = "down: wg0 is gone on alpha";

/// Nodes of the map that no agent is.
async fn strangers(net: &Network) -> usize {
    let map = net.kattila.operator().topology().await;
    map["nodes"].as_array().unwrap().iter().filter(|node| node["kind"] == "external").count()
}

/// The state and the sentence of a link.
async fn told(net: &mut Network, ends: &str) -> [String; 2] {
    let edge = net.edge(ends).await;
    ["state", "reason"].map(|name| edge[name].as_str().unwrap().to_owned())
}

/// What an end of a link shows.
fn shown(edge: &Value, agent: &str) -> String {
    let ends = edge["ends"].as_array().unwrap();
    let end = ends.iter().find(|end| end["agent_id"] == agent).unwrap();
    end["state"].as_str().unwrap().to_owned()
}

/// One host reports, and the map shows it.
async fn report(net: &mut Network, host: usize, data: &Value) {
    net.agents[host].report(data).await;
    net.kattila.advance(1).await;
}

/// Three hosts in a ring whose links live, and alpha without its tunnel.
async fn without_a_tunnel() -> Network {
    let mut net = Network::start(3, &[(0, 1), (1, 2), (0, 2)]).await;
    net.rounds(6).await;
    net.without.insert((0, "wg0"));
    let data = net.data(0);
    report(&mut net, 0, &data).await;
    net
}

#[tokio::test(flavor = "multi_thread")]
async fn its_links_are_down_at_once_and_up_when_it_is_back() {
    let mut net = without_a_tunnel().await;
    for ends in ["alpha-beta", "alpha-gamma"] {
        assert_eq!(told(&mut net, ends).await, ["down", GONE]);
    }
    let edge = net.edge("alpha-beta").await;
    assert_eq!((shown(&edge, ALPHA), shown(&edge, BETA)), ("down".into(), "up".into()));
    let since = edge["since"].clone();
    assert_eq!(told(&mut net, "beta-gamma").await[0], "up");
    assert_eq!(strangers(&net).await, 0);
    // Its second report makes the cause known, then the links' ends confirm what follows.
    net.rounds(2).await;
    let open = [
        "edge.down alpha-beta major active",
        "edge.down alpha-gamma major active",
        "iface.gone alpha/wg0 major active",
    ];
    assert_eq!(net.alarms().await, open);
    let lines = net.told().await;
    assert_eq!(lines[0], "alarm.raised iface.gone alpha/wg0 major", "the cause first: {lines:?}");
    let messages = net.kattila.operator().json("/status/alarms").await;
    let down = messages.as_array().unwrap().iter().find(|alarm| alarm["kind"] == "edge.down");
    assert!(down.unwrap()["message"].as_str().unwrap().ends_with(GONE), "{messages}");
    assert_eq!(net.edge("alpha-beta").await["since"], since, "it is the same link all the time");

    net.without.clear();
    net.round().await;
    assert_eq!(told(&mut net, "alpha-beta").await[0], "up");
    assert!(net.alarms().await.is_empty());
    assert_eq!(strangers(&net).await, 0);
    let events = net.kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
    let of_edges = |event: &&Value| event["kind"].as_str().unwrap().starts_with("edge.");
    let of_edges = events.as_array().unwrap().iter().filter(of_edges);
    let added = of_edges.clone().filter(|event| event["kind"] == "edge.added").count();
    let removed = of_edges.filter(|event| event["kind"] == "edge.removed").count();
    // Those that were to hosts which had not reported yet came and went in the first round.
    assert_eq!(added - removed, net.links.len(), "{events}");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing_of_it() {
    let net = without_a_tunnel().await;
    let mut net = net.restarted().await;
    assert_eq!(told(&mut net, "alpha-beta").await, ["down", GONE]);
    // Beta gives its entry up and lists the host anew: gamma's still says whose key that is.
    let mut without = net.data(1);
    without["wg_peers"] = json!([]);
    report(&mut net, 1, &without).await;
    net.rounds(2).await;
    assert_eq!(told(&mut net, "alpha-beta").await, ["down", GONE]);
    assert_eq!(strangers(&net).await, 0);
    assert!(net.alarms().await.iter().all(|alarm| !alarm.starts_with("peer.unknown")));
    let mut net = net.restarted().await;
    net.without.clear();
    net.round().await;
    assert_eq!(told(&mut net, "alpha-beta").await[0], "up");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_or_unread_does_not_say_so() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(6).await;
    net.without.insert((0, "wg0"));
    let whole = net.data(0);
    let cut = |how: fn(&mut Value)| {
        let mut data = whole.clone();
        how(&mut data);
        data
    };
    for data in [
        cut(|data| data["interfaces_truncated"] = json!(true)),
        cut(|data| data["problems"] = json!([{ "path": "interfaces", "detail": "were cut" }])),
        cut(|data| data["interfaces"].as_array_mut().unwrap().push(json!("rubbish"))),
        cut(|data| data["interfaces"] = Value::Null),
    ] {
        report(&mut net, 0, &data).await;
        let [state, reason] = told(&mut net, "alpha-beta").await;
        assert_ne!(state, "down", "{reason} after {data}");
        assert_eq!((strangers(&net).await, net.alarms().await.len()), (0, 0), "{data}");
    }
    report(&mut net, 0, &whole).await;
    assert_eq!(told(&mut net, "alpha-beta").await, ["down", GONE]);
    // Once said, it stays said while nobody can look.
    let unread = cut(|data| {
        data["interfaces"] = Value::Null;
        data["problems"] = json!([{ "path": "interfaces", "detail": "cannot be read" }]);
    });
    report(&mut net, 0, &unread).await;
    assert_eq!(told(&mut net, "alpha-beta").await, ["down", GONE]);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_are_not_told_went_with_their_interface() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(6).await;
    net.without.insert((0, "wg0"));
    let mut data = net.data(0);
    data["wg_peers"] = Value::Null;
    report(&mut net, 0, &data).await;
    assert_eq!(told(&mut net, "alpha-beta").await, ["down", GONE]);
    let agents = net.kattila.operator().agents().await;
    assert_eq!(agents[0]["peers"], 0);
    net.kattila.stop().await;
}

/// Alpha with another name or key for its tunnel.
fn renamed(net: &Network, name: &str, key: &str) -> Value {
    let mut data = net.data(0);
    data["interfaces"][1]["name"] = json!(name);
    data["interfaces"][1]["public_key"] = json!(key);
    for peer in data["wg_peers"].as_array_mut().unwrap() {
        peer["interface"] = json!(name);
    }
    data
}

fn ends(map: &Value) -> Vec<(String, String)> {
    let edge = &map["edges"].as_array().unwrap()[0];
    let ends = edge["ends"].as_array().unwrap().iter();
    let name = |end: &Value, member: &str| end[member].as_str().unwrap_or("-").to_owned();
    let mut ends: Vec<_> =
        ends.map(|end| (name(end, "agent_id"), name(end, "interface"))).collect();
    ends.sort();
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_follows_its_key_to_another_interface() {
    for pause in [false, true] {
        let mut net = Network::start(2, &[(0, 1)]).await;
        net.rounds(6).await;
        if pause {
            net.without.insert((0, "wg0"));
            let data = net.data(0);
            report(&mut net, 0, &data).await;
            assert_eq!(told(&mut net, "alpha-beta").await, ["down", GONE]);
            net.without.clear();
        }
        let data = renamed(&net, "wg1", ALPHA_KEY);
        report(&mut net, 0, &data).await;
        let map = net.kattila.operator().topology().await;
        assert_eq!(map["edges"].as_array().unwrap().len(), 1, "{map}");
        assert_eq!(ends(&map), [(ALPHA.into(), "wg1".into()), (BETA.into(), "wg0".into())]);
        assert_eq!((&map["edges"][0]["state"], strangers(&net).await), (&json!("up"), 0));
        net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_comes_back_with_another_key_is_another_peer() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(6).await;
    net.without.insert((0, "wg0"));
    let data = net.data(0);
    report(&mut net, 0, &data).await;
    net.without.clear();
    // Beta's entry is found by the address: the same link, under a key that is not used.
    let data = renamed(&net, "wg0", DELTA_KEY);
    report(&mut net, 0, &data).await;
    let reason = "half configured: beta lists a key that alpha does not use";
    assert_eq!(told(&mut net, "alpha-beta").await, ["half_configured", reason]);
    // Under another address as well nothing is left by which beta's entry could mean alpha.
    let mut data = data;
    data["interfaces"][1]["addresses"] = json!(["10.99.0.1/24"]);
    report(&mut net, 0, &data).await;
    assert_eq!(strangers(&net).await, 1);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_the_key_is_the_other_end() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(6).await;
    net.without.insert((0, "wg0"));
    let data = net.data(0);
    report(&mut net, 0, &data).await;
    let heir = Host { name: "delta", key: Some(ALPHA_KEY), number: 4, ..Host::alpha() };
    let now = net.now();
    let data = heir.with_peer(BETA_KEY, 2, now, 10).data();
    let mut delta: Agent = net.kattila.agent(DELTA);
    delta.report(&data).await;
    net.kattila.advance(1).await;
    let map = net.kattila.operator().topology().await;
    assert_eq!(ends(&map), [(BETA.into(), "wg0".into()), (DELTA.into(), "wg0".into())]);
    assert_eq!((&map["edges"][0]["state"], strangers(&net).await), (&json!("up"), 0));
    // It goes without a trace: alpha is not what the key means any more.
    net.kattila.admin().reset_agent(DELTA).await;
    net.kattila.advance(0).await;
    assert_eq!(strangers(&net).await, 1);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_nobody_lists_any_more_is_no_link() {
    let mut net = without_a_tunnel().await;
    net.without.extend([(1, "wg0"), (2, "wg0")]);
    net.round().await;
    let map = net.kattila.operator().topology().await;
    assert_eq!(map["edges"].as_array().unwrap().len(), 0, "{map}");
    // Beta's tunnel is back, and the keys of the other two are not told any more.
    net.without.remove(&(1, "wg0"));
    net.round().await;
    assert_eq!(strangers(&net).await, 2);
    net.without.clear();
    net.round().await;
    assert_eq!((strangers(&net).await, told(&mut net, "alpha-beta").await[0].as_str()), (0, "up"));
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_reset_is_not_known_by_its_key() {
    for restart in [false, true] {
        let mut net = without_a_tunnel().await;
        if restart {
            net = net.restarted().await;
        }
        net.kattila.admin().reset_agent(ALPHA).await;
        net.kattila.advance(0).await;
        assert_eq!(strangers(&net).await, 1, "restart: {restart}");
        net = net.restarted().await;
        net.kattila.advance(0).await;
        assert_eq!(strangers(&net).await, 1, "restart: {restart}");
        net.kattila.stop().await;
    }
}

/// The host's agent falls silent as well: what it said last holds until its peers know better.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_fell_silent_is_believed_until_a_peer_shakes_hands_with_it() {
    let mut net = without_a_tunnel().await;
    net.silent.insert(0);
    (net.links[0].alive, net.links[2].alive) = (false, false);
    net.rounds(5).await;
    let reason = "down: wg0 was gone on alpha when it last reported";
    assert_eq!(told(&mut net, "alpha-beta").await, ["down", reason]);
    net.rounds(4).await;
    let offline = net.alarm("agent.offline").await;
    let cannot_tell = "alpha is down or cut off";
    assert!(offline["message"].as_str().unwrap().starts_with(cannot_tell), "{offline}");
    net.links[0].alive = true;
    net.round().await;
    let [state, reason] = told(&mut net, "alpha-beta").await;
    assert_eq!(state, "up", "{reason}");
    net.kattila.stop().await;
}

/// A host whose WireGuard hangs reports on without its peers: after a while what it last said of
/// them is no evidence any more, and the other end speaks for both.
#[tokio::test(flavor = "multi_thread")]
async fn peers_that_are_not_told_for_long_are_no_evidence() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(6).await;
    net.extra.insert(0, ("wg_peers", Value::Null));
    // The last reports with peers were those of the round before.
    net.rounds(3).await;
    let edge = net.edge("alpha-beta").await;
    assert_eq!((shown(&edge, ALPHA), shown(&edge, BETA)), ("up".into(), "up".into()));
    net.kattila.advance(11).await;
    let data = net.data(0);
    report(&mut net, 0, &data).await;
    let edge = net.edge("alpha-beta").await;
    assert_eq!(shown(&edge, ALPHA), "unknown", "three intervals and more than 10 s");
    assert_eq!((edge["state"].clone(), shown(&edge, BETA)), (json!("up"), "up".into()));
    // Alpha's last word was a young handshake; beta knows that there has been none since.
    net.links[0].alive = false;
    net.rounds(10).await;
    let edge = net.edge("alpha-beta").await;
    assert_eq!((edge["state"].clone(), shown(&edge, BETA)), (json!("down"), "down".into()));
    assert!(net.alarms().await.iter().all(|alarm| alarm.starts_with("edge.down")));
    net.extra.clear();
    net.links[0].alive = true;
    net.round().await;
    let edge = net.edge("alpha-beta").await;
    assert_eq!((shown(&edge, ALPHA), shown(&edge, BETA)), ("up".into(), "up".into()));
    net.kattila.stop().await;
}

/// An interface that is there and tells no key for a while: as when its daemon hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_told_for_a_while_stays_known() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    let now = kattila.clock.now().0;
    let of_beta = Host::beta().with_peer(ALPHA_KEY, 1, now - 10, 10);
    let mut listed = of_beta.data();
    listed["wg_peers"][0]["allowed_ips"] = json!(["0.0.0.0/0"]);
    let data = Host::alpha().with_peer(BETA_KEY, 2, now - 10, 10).data();
    alpha.report(&data).await;
    beta.report(&listed).await;
    let mut hangs = data.clone();
    hangs["interfaces"][1]["public_key"] = Value::Null;
    hangs["wg_peers"] = Value::Null;
    alpha.report(&hangs).await;
    kattila.advance(1).await;
    let map = kattila.operator().topology().await;
    assert_eq!(map["nodes"].as_array().unwrap().len(), 2, "{map}");
    assert_eq!(map["edges"].as_array().unwrap().len(), 1, "{map}");
    assert_eq!(map["edges"][0]["state"], "up");
    let kattila = kattila.restart().await;
    kattila.advance(0).await;
    let map = kattila.operator().topology().await;
    assert_eq!(map["nodes"].as_array().unwrap().len(), 2, "{map}");
    let mut beta = beta.moved(kattila.addr());
    beta.report(&listed).await;
    kattila.advance(1).await;
    let map = kattila.operator().topology().await;
    assert_eq!(map["nodes"].as_array().unwrap().len(), 2, "{map}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_report_tells_when_the_interface_was_gone() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(6).await;
    net.kattila.advance(400).await;
    assert_eq!(told(&mut net, "alpha-beta").await[0], "unknown");
    net.round().await;
    let before = told(&mut net, "alpha-beta").await;
    assert_eq!(before[0], "up");
    // Nobody could tell anything of the link at the time.
    net.without.insert((0, "wg0"));
    let mut late = net.data(0);
    let then = net.now() - 20;
    late["collected_at"] = json!(then);
    report(&mut net, 0, &late).await;
    assert_eq!(told(&mut net, "alpha-beta").await, before, "the present is what it was");
    assert!(net.alarms().await.iter().all(|alarm| !alarm.starts_with("edge.down")));
    let events = net.kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
    let learnt = events.as_array().unwrap().iter().filter(|event| {
        event["kind"] == "edge.state" && event["cause"] == "learnt later" && event["at"] == then
    });
    let learnt: Vec<_> = learnt.map(|event| &event["after"]).collect();
    assert_eq!(learnt, [&json!({ "state": "down", "reason": GONE })]);
    net.kattila.stop().await;
}
