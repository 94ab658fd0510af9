// The map of the real WireGuard network that tests/it/mesh builds, in a real browser on its hub:
//   cargo test --test it mesh::events && cp artifacts/mesh.png docs/img/
//
// KATTILA_TEST_URL is the manager, at which all hosts report and all links are up.

import assert from "node:assert/strict";
import { Console, DRAWN, LIVE, artifact, healthy, stage } from "./console.mjs";

const HOSTS = ["hub", "spoke1", "spoke2", "mesh1", "mesh2", "mesh3", "chain1", "chain2", "six"];

const desk = await Console.open(process.env.KATTILA_TEST_URL);
try {
  const page = await desk.visit("/map?r=1", { width: 1280, height: 800, reducedMotion: true });
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  await page.until(`document.getElementById("level").textContent.includes("${HOSTS.length}")`, "the map to count all hosts");
  await page.until(`${stage("drawnRelays")} > 0`, "the path of the far end's reports");
  const shown = await page.read(`fetch("/api/v1/topology").then((answer) => answer.json())`);
  assert.deepEqual(shown.nodes.map((node) => node.label).sort(), [...HOSTS].sort());
  assert.deepEqual(new Set(shown.edges.map((edge) => edge.state)), new Set(["up"]));
  assert.doesNotMatch(await page.read(`document.getElementById("alarm-list").textContent`), /identity/, "new keys were looked at");
  await page.screenshot(artifact("mesh"), "#main");
  healthy(page, "map");
} finally {
  await desk.close();
}
