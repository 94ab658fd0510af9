// What is around the map's picture, in a real browser: what is taken away of it holds what it keeps
// bright, and where it cannot be drawn there is a table. tests/it/browser.rs starts a manager with a
// made-up fleet that has faults.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findings } from "./axe.mjs";
import { Console, DRAWN, LIVE, artifact, healthy, stage } from "./console.mjs";

let desk;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
});

after(() => desk?.close());

async function visit(path, options = {}) {
  const page = await desk.visit(path, { reducedMotion: true, ...options });
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  return page;
}

// How many nodes and links the graph holds that a link of the export menu leads to.
const taken = (page, name) => page.read(`(async () => {
  const menu = document.getElementById("export");
  menu.open = true;
  const link = menu.querySelector("a[href*='/${name}']");
  link.blur();
  link.focus();
  const text = await fetch(link.href).then((r) => r.text());
  if ("${name}" === "map.csv") return text.trimEnd().split("\\n").length - 1;
  const map = JSON.parse(text);
  return [map.nodes.length, map.edges.length].join();
})()`);

const drawn = `[${stage("drawnNodes")}, ${stage("drawnEdges")}].join()`;

test("what is taken away is what the map keeps bright", async () => {
  const live = await visit("/map");
  const map = await live.read(`fetch("/api/v1/topology").then((r) => r.json())`);
  const site = map.sites.find(({ counts }) => counts.online + counts.offline > 4).id;
  const hub = map.nodes.find(({ role }) => role === "gateway").id;
  // A second that does not change, on a stage where every site shows its nodes, with the rest left out.
  const at = map.generated_at;
  const page = await desk.visit(`/map?hide=1&at=${at}`, { reducedMotion: true, width: 2800, height: 2000 });
  await page.until(DRAWN, "the map to be drawn");
  assert.equal(await page.read(stage("drawnSites")), 0, "every site shows its nodes");
  const press = (selector) => page.read(`document.querySelector('${selector}').click()`);
  const cases = [
    [() => press("#problems"), "p=1"],
    [() => press("#problems"), ""],
    [() => press("#legend button[data-look=up]"), "only=up"],
    [() => press("#legend button[data-states=up]"), "only=up%2C-up"],
    [() => press("#problems"), "p=1"],
    ...[`only=-idle&focus=${hub}&hops=2`, `site=${encodeURIComponent(site)}`, "q=kind:gateway", `q=kind:gateway&focus=${hub}&only=-up`].map((query) => [() => page.open(`${desk.url}/map?hide=1&at=${at}&${query}`), query]),
  ];
  const seen = new Set();
  for (const [act, told] of cases) {
    await act();
    await page.until(DRAWN, "the map to be drawn");
    await page.until(async () => (await taken(page, "map.json")) === (await page.read(drawn)), `the graph to hold what is drawn with ${told}`);
    const count = await page.read(drawn);
    assert.equal(await taken(page, "map.csv"), Number(count.split(",")[1]), told);
    if (told.startsWith("only=")) await page.until(`location.search.includes(${JSON.stringify(told.split("&")[0])})`, told);
    seen.add(count);
  }
  assert.ok(seen.size >= 6, `filters that all keep the same prove nothing: ${[...seen].join(" ")}`);
  healthy(page, "exports");
});

const rescued = `document.getElementById("rescue")?.textContent`;
const rows = `document.querySelectorAll(".stage-box tbody tr").length`;

test("a map that stops being drawn gives its place to the table", async () => {
  const page = await visit("/map?q=kind:gateway");
  await page.read(`(() => {
    CanvasRenderingContext2D.prototype.beginPath = () => {
      throw new Error("the canvas is broken");
    };
    document.getElementById("zoom-in").click();
  })()`);
  await page.until(`${rows} > 0`, "the table");
  assert.match(await page.read(rescued), /^The map cannot be drawn: the canvas is broken\. This is the table of agents, as of \d\d:\d\d:\d\d UTC\. Try the map again$/);
  const gateways = await page.read(`fetch("/status/agents?q=kind:gateway").then((r) => r.json()).then((all) => all.length)`);
  assert.equal(await page.read(rows), gateways, "the table asks what the map asked");
  assert.equal(await page.read(`document.getElementById("stage").offsetWidth`), 0, "no empty stage is left");
  assert.equal(await page.read(`document.querySelector("#rescue a").search`), await page.read("location.search"));
  assert.deepEqual(await findings(page), []);
  await page.screenshot(artifact("rescued-1440x900"));
  healthy(page, "rescue");
});

for (const [what, how, reason] of [
  ["without a canvas", (page) => page.send("Page.addScriptToEvaluateOnNewDocument", { source: "HTMLCanvasElement.prototype.getContext = () => null;" }), /^The map cannot be drawn: this browser gives no canvas to draw on\./],
  ["without one of its scripts", (page) => page.send("Network.setBlockedURLs", { urls: ["*/js/lod.js"] }), /^The map cannot be drawn: its scripts did not start\./],
]) {
  test(`${what} there is a table`, async () => {
    const page = await desk.browser.page({});
    await how(page);
    await page.open(`${desk.url}/map`);
    await page.until(`${rows} > 2`, "the table");
    assert.match(await page.read(rescued), reason);
  });
}
