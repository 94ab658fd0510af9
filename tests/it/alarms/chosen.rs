//! Agents that are ticked on their page, and their open alarms acknowledged at once.

use serde_json::{Value, json};

use super::GRACE;
use crate::support::browser::Tab;
use crate::support::fleet::{ALPHA, BETA};
use crate::support::network::Network;

const PASSWORD: &str = "four white horses at noon";

#[tokio::test(flavor = "multi_thread")]
async fn the_open_alarms_of_chosen_agents_are_acknowledged_and_no_others() {
    let mut net = Network::start(3, &[]).await;
    net.rounds(GRACE).await;
    net.kattila.advance(200).await;
    assert_eq!(net.alarms().await.len(), 6, "each is late and down");
    let operator = net.kattila.operator();
    let per = json!({"name": "per", "role": "operator", "password": PASSWORD});
    assert_eq!(operator.post("/api/v1/users", &per).await.status, 201);
    let mut tab = Tab::signed_in(net.kattila.addr(), "per", PASSWORD).await;
    let page = tab.get("/agents").await.text();
    assert!(page.contains("6 open alarms on this page"), "{page}");
    assert_eq!(page.matches("form=\"bulk\" name=\"agent\"").count(), 3);

    let fields = format!("agent={ALPHA}&agent={BETA}&agent={BETA}&note=storm&q=state:down&sort=");
    let answer = tab.post("/agents/acknowledge", &fields).await;
    let back = "/agents?q=state%3Adown&sort=";
    assert_eq!((answer.status, answer.header("location")), (303, Some(back)));
    let page = tab.get(back).await.text();
    assert!(page.contains("Acknowledged 4 alarms of 2 agents."), "{page}");
    let again = tab.get(back).await.text();
    assert!(!again.contains("id=\"told\""), "it is told once");
    let crafted = tab.get("/agents?acknowledged=9&of=9&more=1").await.text();
    assert!(!crafted.contains("Acknowledged"), "an address tells nothing");
    let lines = net.alarms().await;
    let gamma: Vec<_> = lines.iter().filter(|line| line.ends_with(" active")).collect();
    assert_eq!((lines.len(), gamma.len()), (6, 2));
    assert!(gamma.iter().all(|line| line.contains(" gamma ")), "{lines:?}");
    let told = net.told().await;
    assert_eq!(told.iter().filter(|line| line.starts_with("alarm.acknowledged")).count(), 4);

    // Nothing is left of them, and nobody has none.
    let answer = tab.post("/agents/acknowledge", &fields).await;
    assert_eq!(answer.status, 303);
    let other = Tab::signed_in(net.kattila.addr(), "per", PASSWORD).await.get(back).await.text();
    assert!(!other.contains("id=\"told\""), "another session is told nothing");
    let page = tab.get("/agents").await.text();
    assert!(page.contains("No alarm of 2 agents was left to acknowledge."), "{page}");
    let all = net.kattila.operator().json("/status/alarms").await;
    let by_per = |alarm: &&Value| {
        (&alarm["note"], &alarm["acknowledged_by"]) == (&json!("storm"), &json!("per"))
    };
    assert_eq!(all.as_array().unwrap().iter().filter(by_per).count(), 4, "{all}");
    for bad in ["note=x", "agent=%20", "agent="] {
        assert_eq!(tab.post("/agents/acknowledge", bad).await.status, 400, "{bad}");
    }
    let then = tab.get(&format!("/agents?at={}", net.now())).await.text();
    assert!(!then.contains("id=\"bulk\""), "the past is not acted on");
    net.kattila.stop().await;
}
