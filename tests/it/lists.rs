//! Lists that the store pages by numbers: from either end, and narrowed by what people call a host.

use crate::support::fleet::{ALPHA, BETA, Host};
use crate::support::manager::TestManager;

/// The numbers of the reports on a page, from top to bottom.
fn listed(page: &str) -> Vec<u32> {
    let links = page.split("<tr><td><a href=\"/reports/").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_events_are_read_from_either_end_and_by_a_host_name() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    for _ in 0..60 {
        assert_eq!(alpha.report(&Host::alpha().data()).await.status, 200);
        assert_eq!(beta.report(&Host::beta().data()).await.status, 200);
        kattila.advance(1).await;
    }
    let operator = kattila.operator();
    let newest = operator.get("/reports").await.text();
    assert_eq!(listed(&newest), (21..=120).rev().collect::<Vec<_>>());
    assert!(newest.contains("aria-sort=\"descending\"><a href=\"/reports?sort=time\""), "{newest}");
    let oldest = operator.get("/reports?sort=time").await.text();
    assert_eq!(listed(&oldest), (1..=100).collect::<Vec<_>>());
    assert!(oldest.contains("rel=\"next\" href=\"/reports?sort=time&#38;after=100\""), "{oldest}");
    let rest = operator.get("/reports?sort=time&after=100").await.text();
    assert_eq!(listed(&rest), (101..=120).collect::<Vec<_>>());

    let by_name = operator.get("/reports?agent=beta").await.text();
    let by_id = operator.get(&format!("/reports?agent={BETA}")).await.text();
    assert_eq!(listed(&by_name), listed(&by_id));
    assert_eq!(listed(&by_name).len(), 60);
    let nobody = operator.get("/reports?agent=nobody").await.text();
    assert!(nobody.contains("No report has been accepted from nobody yet."), "{nobody}");
    assert_eq!(operator.get("/events?agent=no%20id").await.status, 400);

    let events = operator.get("/events?agent=beta&sort=time").await.text();
    assert!(events.contains("aria-sort=\"ascending\""), "{events}");
    let events = events.split_once("<tbody>").unwrap().1;
    assert!(events.find("agent.registered") < events.find("interface.added"), "{events}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_several_hosts_have_is_asked_about() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    assert_eq!(alpha.report(&Host::alpha().data()).await.status, 200);
    assert_eq!(beta.report(&Host::alpha().data()).await.status, 200);
    let operator = kattila.operator();
    let asked = operator.get("/events?agent=alpha").await;
    assert_eq!(asked.status, 400);
    assert!(asked.text().contains("Several agents are called"), "{}", asked.text());
    kattila.stop().await;
}
