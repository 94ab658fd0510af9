//! What takes WireGuard's own time, and what is done meanwhile.

use serde_json::Value;

use super::network::{HOSTS, HUB, Mesh, dns};
use super::relays::cables_of_the_chain_are_cut;
use super::watch::{SOON, TIMERS, Watch, begins, is_up, tell};

/// A host dies, an agent stops while its host lives, and a WireGuard process hangs, all at once.
///
/// This takes about five and a half minutes, nearly all of it waiting: an agent is offline
/// after 180 s, and a link is down when no handshake has come for 210 s (WireGuard refuses a
/// session's keys after 180 s) and one cycle of attempts, 90 s, has failed as well. It runs
/// beside all other tests and does next to nothing meanwhile, so the chain's cables are cut and
/// mended in that time: that takes a minute or two and none of these hosts.
#[test]
fn who_is_silent_and_why() {
    let mesh = Mesh::build();
    tell(&mesh, || async {
        let dns = dns().await;
        let watch = Watch::start(&mesh, &dns).await;
        watch.join(&HOSTS, &dns).await;
        mesh.ping_all();
        watch.all_up().await;
        let ids = watch.ids().await;

        mesh.stop("spoke1", "agent", "TERM");
        mesh.host("spoke2").die();
        mesh.host("mesh2").script("kill -STOP $(pidof wireguard-go)");
        cables_of_the_chain_are_cut(&watch).await;

        let said = |words: &'static str| {
            move |alarm: &Value| alarm["message"].as_str().unwrap().contains(words)
        };
        watch.alarm_that("agent.offline", &ids["spoke1"], said("agent stopped")).await;
        watch.alarm_that("agent.offline", &ids["spoke2"], said("host down")).await;
        let down = |link: &Value| link["state"] == "down";
        for hosts in [[HUB, "spoke2"], ["mesh1", "mesh2"], ["mesh2", "mesh3"]] {
            let link = watch.link(hosts, TIMERS, down).await;
            assert!(begins(&link, "down: last handshake "), "{link:#}");
            assert!(link["reason"].to_string().contains("more than 300 s (T2)"), "{link:#}");
            watch.alarm("edge.down", link["id"].as_str().unwrap(), SOON).await;
        }
        // The stopped agent's host is alive: its peer sees it, and so do we.
        let alive = watch.link([HUB, "spoke1"], SOON, |link| link["state"] == "up").await;
        assert!(!is_up(&alive), "one end is silent: {alive:#}");
        let still = watch.operator.json("/status/alarms").await;
        let offline = super::watch::find_alarm(&still, "agent.offline", &ids["spoke1"]);
        assert!(said("its peers still see handshakes")(offline.unwrap()), "{still:#}");

        mesh.host("mesh2").script("kill -CONT $(pidof wireguard-go)");
        mesh.agent("spoke1", &dns);
        watch.online(&["spoke1"]).await;
        watch.no_alarm("agent.offline", &ids["spoke1"]).await;
        watch.link(["mesh1", "mesh2"], SOON, is_up).await;
    });
}
