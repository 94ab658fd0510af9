// The map while its manager goes away and comes back. Run by tests/it/browser.rs, which does
// what the script asks for.
//
// KATTILA_TEST_URL     a manager that keeps its address over a restart; strangers may look

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, DRAWN, LIVE, please, stage } from "./console.mjs";

let desk;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
});

after(() => desk?.close());

// While the manager is away the browser reports requests that fail; nothing else may go wrong.
const expected = (text) => /net::ERR_|Failed to load resource/.test(text);

test("the map survives a restart and goes on by itself", async () => {
  const page = await desk.visit("/map");
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  const epoch = await page.read(`document.getElementById("stage").dataset.epoch`);
  const loads = page.loads;
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("ArrowRight");
  const selected = await page.until(`document.getElementById("stage").dataset.selected`, "a selection");
  please("restart the manager");
  await page.until(`document.getElementById("stage").dataset.epoch !== ${JSON.stringify(epoch)}`, "the map of the new run");
  await page.until(LIVE, "the stream to be live again");
  assert.equal(await page.read(`document.getElementById("stage").dataset.selected`), selected, "what was chosen stays chosen");
  assert.ok(await page.read(DRAWN), "what was drawn is drawn again");
  assert.equal(await page.read(`document.getElementById("bar").hidden`), true, "no warning stays behind");
  const seq = await page.read(stage("seq"));
  please("change the map");
  await page.until(`${stage("seq")} > ${seq}`, "a patch of the new run");
  assert.equal(page.loads, loads, "nothing was reloaded");
  assert.deepEqual(page.complaints.filter((text) => !expected(text)), []);
});
