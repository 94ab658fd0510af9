//! Who reports through whom while cables of the chain are cut and mended.

use serde_json::json;

use super::network::FAR;
use super::watch::{SOON, Watch, collected_at};

/// The far end of the chain reaches the manager through its neighbour only. Then that one's
/// uplink is dropped and its reports come through the next one, those of the far end through
/// both. Then the cable to that one is cut as well: nobody is reached, and both keep what they
/// see. Everything comes once, and the straight way as soon as it is there again.
///
/// A request that is under way when the cable is cut ends after 20 s; an attempt to connect over
/// a cut cable after 5 s.
pub(super) async fn cables_of_the_chain_are_cut(watch: &Watch<'_>) {
    let (mesh, near) = (watch.mesh, "chain1");
    watch.comes_through(FAR, &[near]).await;
    watch.comes_through(near, &[]).await;

    mesh.uplink(near, "down");
    watch.comes_through(near, &["mesh3"]).await;
    watch.comes_through(FAR, &[near, "mesh3"]).await;
    let ids = watch.ids().await;
    watch.alarm("agent.relay_only", &ids[near], SOON).await;

    mesh.cable(["mesh3", near], "down");
    let kept = watch.until_spooled(&[near, FAR]).await;
    mesh.cable(["mesh3", near], "up");
    let arrived = watch.arrived_once(&kept).await;
    for (host, path) in [(near, &["mesh3"][..]), (FAR, &[near, "mesh3"])] {
        // One that was under way when the cable was cut may have come before; the last one kept
        // was read after that.
        let last = kept[host].last().copied();
        let report = arrived[host].iter().find(|report| collected_at(report) == last).unwrap();
        let path: Vec<_> = path.iter().map(|relay| &ids[*relay]).collect();
        assert_eq!(report["relay_path"], json!(path), "{host}: {report:#}");
    }

    mesh.uplink(near, "up");
    watch.comes_through(near, &[]).await;
    watch.comes_through(FAR, &[near]).await;
    watch.no_alarm("agent.relay_only", &ids[near]).await;
    for host in watch.arrived_once(&kept).await.into_keys() {
        let agent = watch.operator.json(&format!("/api/v1/agents/{}", ids[host])).await;
        assert_eq!(agent["problems"], json!([]), "{host} has lost something");
    }
}
