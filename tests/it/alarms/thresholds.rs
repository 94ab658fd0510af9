//! Thresholds that somebody tries on the page of the settings.

use super::GRACE;
use crate::support::network::Network;

/// The numbers beside a state: now, and with what is tried.
fn row(page: &str, label: &str) -> Vec<usize> {
    let (_, rest) = page.split_once(&format!("<tr><td>{label}</td>")).expect(label);
    let (cells, _) = rest.split_once("</tr>").unwrap();
    cells
        .split("<td>")
        .skip(1)
        .map(|cell| cell.trim_end_matches("</td>").parse().unwrap())
        .collect()
}

const IN_TIME: &str = "Agents that report in time";
const LATE: &str = "Agents that are late";
const DOWN: &str = "Agents that are down";
const YOUNG: &str = "Links with a young handshake";
const OLD: &str = "Links whose handshake is too old";

#[tokio::test(flavor = "multi_thread")]
async fn other_thresholds_are_counted_beside_those_in_force_and_change_nothing() {
    let mut net = Network::start(3, &[(0, 1), (1, 2)]).await;
    net.rounds(GRACE).await;
    net.silent.insert(2);
    net.rounds(3).await;
    let operator = net.kattila.operator();
    let page = operator.get("/settings").await.text();
    for text in [
        "In force now; it marks 0 agents late",
        "in force: 100 s",
        "in force: 180 s",
        "in force: 210 s",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!((row(&page, IN_TIME), row(&page, YOUNG)), (vec![3], vec![2]));

    // Gamma has been silent for 90 s; the handshakes are 5 s old on their hosts' clocks.
    let tried = operator.get("/settings?late_s=89&down_s=180&handshake_s=210").await.text();
    assert!(tried.contains("This would mark 1 agent late, 0 down, and the handshakes of 0 links"));
    assert_eq!((row(&tried, IN_TIME), row(&tried, LATE)), (vec![3, 2], vec![0, 1]));
    let tried = operator.get("/settings?late_s=90&handshake_s=").await.text();
    assert_eq!(row(&tried, LATE), [0, 0], "it must be silent for longer");
    let tried = operator.get("/settings?late_s=60&down_s=90&handshake_s=4").await.text();
    assert_eq!((row(&tried, LATE), row(&tried, DOWN)), (vec![0, 0], vec![0, 1]));
    assert_eq!((row(&tried, YOUNG), row(&tried, OLD)), (vec![2, 0], vec![0, 2]));
    assert!(net.alarms().await.is_empty(), "asking changes nothing");

    // What is in force marks by itself, and more patience would not.
    net.links[0].alive = false;
    net.rounds(8).await;
    let operator = net.kattila.operator();
    let tried = operator.get("/settings?late_s=600&down_s=900&handshake_s=900").await.text();
    assert_eq!((row(&tried, IN_TIME), row(&tried, DOWN)), (vec![2, 3], vec![1, 0]));
    assert_eq!(row(&tried, OLD), [1, 0], "{tried}");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_that_cannot_be_are_refused() {
    let net = Network::start(1, &[]).await;
    let operator = net.kattila.operator();
    for bad in
        ["late_s=0", "late_s=x", "down_s=31536001", "late_s=200&down_s=200", "handshake_s=-1"]
    {
        assert_eq!(operator.get(&format!("/settings?{bad}")).await.status, 400, "{bad}");
    }
    net.kattila.stop().await;
}
