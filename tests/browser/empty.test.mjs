// The first minutes of a newcomer. Run by tests/it/browser.rs, which does what the script asks
// for.
//
// KATTILA_TEST_URL     a manager that nobody has reported to; strangers may look

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, DRAWN, LIVE, artifact, healthy, please } from "./console.mjs";

let desk;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
});

after(() => desk?.close());

test("a newcomer is told what to do, what was refused, and sees the first report arrive", async () => {
  const page = await desk.visit("/map");
  const text = () => page.read(`document.getElementById("empty").innerText`);
  await page.until(LIVE, "the stream to be live");
  assert.match(await text(), /None has been refused/);
  assert.ok((await text()).includes(`KATTILA_URL=${desk.url}`), "the command names this manager");
  await page.screenshot(artifact("map-empty-1440x900"));
  please("send a forged report");
  await page.until(async () => /Last refused/.test(await text()), "the refusal to be told");
  await page.screenshot(artifact("map-empty-refused-1440x900"));
  const loads = page.loads;
  please("report");
  await page.until(DRAWN, "the first agent to be drawn");
  assert.equal(await page.read(`document.getElementById("empty").hidden`), true);
  assert.equal(page.loads, loads, "without a reload");
  healthy(page, "first report");
});
