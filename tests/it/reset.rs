//! An admin clears what is known of agents: the map forgets, the registration and the proof stay,
//! and the next report restores everything.

use serde_json::{Value, json};

use crate::support::actors::Operator;
use crate::support::fleet::{ALPHA, BETA};
use crate::support::http::post_json;
use crate::support::manager::TestManager;
use crate::support::network::{GAMMA, Network};

/// A triangle of hosts; alpha's uplink is down and it was started again.
async fn troubled() -> Network {
    let mut net = Network::start(3, &[(0, 1), (1, 2), (0, 2)]).await;
    net.rounds(2).await;
    net.hosts[0].eth0_up = false;
    net.hosts[0].boot_id = "boot-alpha-2";
    net.rounds(2).await;
    let open = ["agent.rebooted alpha info active", "iface.down alpha/eth0 major active"];
    assert_eq!(net.alarms().await, open);
    net
}

/// What the map shows, without the times of reports.
async fn map(net: &Network) -> Value {
    let map = net.kattila.operator().topology().await;
    let mut edges = Vec::new();
    for edge in map["edges"].as_array().unwrap() {
        let mut edge = edge.clone();
        for moving in ["reason", "judged_at", "since"] {
            edge.as_object_mut().unwrap().remove(moving);
        }
        for end in edge["ends"].as_array_mut().unwrap() {
            for moving in ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"] {
                end.as_object_mut().unwrap().remove(moving);
            }
        }
        edges.push(edge);
    }
    let mut nodes = map["nodes"].as_array().unwrap().clone();
    for node in &mut nodes {
        node.as_object_mut().unwrap().remove("seen_at");
        node.as_object_mut().unwrap().remove("alarms");
    }
    json!([nodes, edges])
}

async fn agent(net: &Network, id: &str) -> Option<Value> {
    net.kattila.operator().agents().await.into_iter().find(|agent| agent["agent_id"] == id)
}

async fn reports_of(net: &Network, id: &str) -> usize {
    let path = format!("/api/v1/reports?agent_id={id}&limit=500");
    let reports = net.kattila.operator().json(&path).await;
    reports.as_array().or_else(|| reports["reports"].as_array()).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_is_cleared_counted_and_restored_by_its_next_report() {
    for restart in [false, true] {
        let mut net = troubled().await;
        if restart {
            net = net.restarted().await;
        }
        let (shown, registered) = (map(&net).await, agent(&net, ALPHA).await.unwrap());
        let (reports, events) =
            (reports_of(&net, ALPHA).await, net.kattila.operator().events().await);
        let cleared = net.kattila.admin().reset_agent(ALPHA).await;
        let expected =
            json!({ "status": "ok", "agents": 1, "interfaces": 2, "edges": 2, "alarms": 2 });
        assert_eq!(cleared, expected, "restart: {restart}");
        net.kattila.advance(0).await;

        let left = agent(&net, ALPHA).await.unwrap();
        assert_eq!((&left["interfaces"], &left["peers"]), (&json!([]), &json!(0)));
        assert_eq!(left["registered_at"], registered["registered_at"]);
        let detail = net.kattila.operator().json(&format!("/api/v1/agents/{ALPHA}")).await;
        for section in ["interfaces", "routes"] {
            assert_eq!(detail[section], json!([]), "{section}");
        }
        assert_eq!(reports_of(&net, ALPHA).await, reports);
        let later = net.kattila.operator().events().await;
        assert_eq!(later[..events.len()], events, "the history is kept");
        assert!(later.contains(&format!("agent.reset {ALPHA}")), "{later:?}");
        assert!(net.alarms().await.is_empty());
        let past = net.kattila.operator().json("/status/alarms?state=cleared").await;
        let causes: Vec<_> = past.as_array().unwrap().iter().map(|a| &a["clear_cause"]).collect();
        assert_eq!(causes, [&json!("reset"), &json!("reset")]);

        net.round().await;
        assert_eq!(map(&net).await, shown, "restart: {restart}");
        let back = agent(&net, ALPHA).await.unwrap();
        for same in ["interfaces", "peers", "registered_at", "status", "hostname"] {
            assert_eq!(back[same], registered[same], "{same}");
        }
        assert!(net.alarms().await.is_empty(), "what was so before the reset is no news");
        net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleared_agent_stays_cleared_over_a_restart() {
    let mut net = troubled().await;
    net.kattila.admin().reset_agent(ALPHA).await;
    net = net.restarted().await;
    let left = agent(&net, ALPHA).await.unwrap();
    assert_eq!((&left["interfaces"], &left["peers"]), (&json!([]), &json!(0)));
    let again = net.kattila.admin().reset_agent(ALPHA).await;
    let nothing = json!({ "status": "ok", "agents": 1, "interfaces": 0, "edges": 0, "alarms": 0 });
    assert_eq!(again, nothing);
    net.round().await;
    assert_eq!(agent(&net, ALPHA).await.unwrap()["peers"], 2);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_and_everybody() {
    let mut net = troubled().await;
    let mut elsewhere = net.kattila.agent("e15e00000000e15e");
    elsewhere.fleet = "fleet-b".to_owned();
    elsewhere.report(&json!({ "interfaces": [{ "name": "lo" }] })).await;
    let admin = net.kattila.admin();
    let fleet = admin.reset(&json!({ "fleet_id": "fleet-b" })).await;
    let expected = json!({ "status": "ok", "agents": 1, "interfaces": 1, "edges": 0, "alarms": 0 });
    assert_eq!((fleet.status, fleet.json()), (200, expected));
    assert_eq!(agent(&net, ALPHA).await.unwrap()["peers"], 2, "another fleet is left alone");

    let shown = map(&net).await;
    let all = admin.reset(&json!({ "all": true })).await.json();
    let expected = json!({ "status": "ok", "agents": 4, "interfaces": 6, "edges": 6, "alarms": 2 });
    assert_eq!(all, expected);
    net.kattila.advance(0).await;
    assert_eq!(map(&net).await[1], json!([]), "no link is left");
    net.round().await;
    assert_eq!(map(&net).await[1], shown[1]);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_manager_has_nothing_to_clear() {
    let kattila = TestManager::start().await;
    let all = kattila.admin().reset(&json!({ "all": true })).await;
    let nothing = json!({ "status": "ok", "agents": 0, "interfaces": 0, "edges": 0, "alarms": 0 });
    assert_eq!((all.status, all.json()), (200, nothing));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_have_a_pace_of_their_own() {
    let kattila = TestManager::start().await;
    let all = json!({ "all": true });
    for _ in 0..100 {
        assert_eq!(kattila.admin().reset(&all).await.status, 200);
    }
    let refused = kattila.admin().reset(&all).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(kattila.admin().reset(&json!({})).await.status, 400, "what is wrong costs nothing");
    let other = json!({ "name": "other", "role": "admin" });
    let other = kattila.operator().post("/api/v1/tokens", &other).await.json();
    let other = Operator::new(kattila.addr(), other["token"].as_str().unwrap());
    assert_eq!(
        other.post("/status/admin/reset", &all).await.status,
        200,
        "nobody pays for another"
    );
    kattila.clock.set(kattila.clock.now().plus(1));
    assert_eq!(kattila.admin().reset(&all).await.status, 200);
    assert_eq!(kattila.admin().reset(&all).await.status, 429);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_and_only_with_exactly_one_target() {
    let net = troubled().await;
    let (addr, shown) = (net.kattila.addr(), map(&net).await);
    let admin = net.kattila.admin();
    for body in [
        json!({}),
        json!({ "all": false }),
        json!({ "forget": true }),
        json!({ "agent_id": ALPHA, "fleet_id": "fleet-a" }),
        json!({ "agent_id": ALPHA, "all": true }),
        json!({ "fleet_id": "fleet-a", "all": true }),
        json!({ "agent_id": ALPHA, "fleet_id": "fleet-a", "all": true }),
        json!({ "agent_id": ALPHA, "unknown": 1 }),
        json!({ "agent_id": 7 }),
        json!([]),
    ] {
        let answer = admin.reset(&body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    for body in [json!({ "agent_id": "nobody" }), json!({ "fleet_id": "nowhere" })] {
        let answer = admin.reset(&body).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "agent_not_found"), "{body}");
    }
    let body = json!({ "agent_id": ALPHA });
    for authorization in ["", "Bearer", "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "Bearer kat_x"] {
        let headers = [("authorization", authorization)];
        let answer = post_json(addr, "/status/admin/reset", &headers, body.to_string()).await;
        assert_eq!(answer.status, 401, "{authorization:?}");
    }
    let path = "/status/admin/reset";
    assert_eq!(post_json(addr, path, &[], body.to_string()).await.status, 401);
    for role in ["viewer", "operator"] {
        let wanted = json!({ "name": role, "role": role });
        let made = net.kattila.operator().post("/api/v1/tokens", &wanted).await.json();
        let small = Operator::new(addr, made["token"].as_str().unwrap());
        let answer = small.post(path, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{role}");
    }
    assert_eq!(map(&net).await, shown, "no refused request changed anything");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_viewer_looks_and_does_not_touch() {
    let kattila = TestManager::start_with(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    kattila.agent(ALPHA).report(&json!({})).await;
    let body = json!({ "all": true }).to_string();
    let answer = post_json(kattila.addr(), "/status/admin/reset", &[], body).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_agent_is_gone_until_it_reports_again() {
    let mut net = troubled().await;
    let data = net.data(1).to_string();
    let spent = net.agents[1].seal_v2(&data);
    assert_eq!(net.agents[1].send(&spent).await.status, 200);
    let reports = reports_of(&net, BETA).await;
    let answer = net.kattila.admin().reset(&json!({ "agent_id": BETA, "forget": true })).await;
    assert_eq!((answer.status, &answer.json()["agents"]), (200, &json!(1)));
    net.kattila.advance(0).await;
    assert!(agent(&net, BETA).await.is_none());
    assert_eq!(reports_of(&net, BETA).await, reports, "the proof is kept");
    let gone = net.kattila.admin().reset(&json!({ "agent_id": BETA })).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "agent_not_found"));
    net = net.restarted().await;
    assert!(agent(&net, BETA).await.is_none(), "forgotten over a restart");
    // What was spent stays spent: a recorded report does not bring it back as something new.
    let replay = net.agents[1].send(&spent).await;
    assert_eq!(replay.json()["status"], "duplicate", "{}", replay.text());
    assert!(agent(&net, BETA).await.is_none());

    net.round().await;
    let back = agent(&net, BETA).await.unwrap();
    assert_eq!(back["registered_at"], net.now());
    assert_eq!(back["peers"], 2);
    assert_eq!(net.edge("alpha-beta").await["state"], "up");
    assert!(agent(&net, GAMMA).await.is_some());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpinned_identity_may_start_over() {
    let kattila = TestManager::start().await;
    let mut agent = kattila.agent(ALPHA);
    agent.report(&json!({})).await;
    let refused = agent.seal_v1("{}");
    let answer = agent.send(&refused).await;
    assert_eq!(answer.code(), "version_downgrade", "{}", answer.text());
    let reset = kattila.admin().reset(&json!({ "agent_id": ALPHA })).await;
    assert_eq!(reset.status, 200);
    assert_eq!(
        agent.send(&refused).await.code(),
        "version_downgrade",
        "a reset alone unpins nothing"
    );
    let reset = kattila.admin().reset(&json!({ "agent_id": ALPHA, "identity": true })).await;
    assert_eq!(reset.status, 200);
    agent.report_v1(&json!({})).await;
    kattila.stop().await;
}
