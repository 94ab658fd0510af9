// Questions that are put to the map, in a real browser: layers, neighbourhood, path, what if,
// several chosen, and all of it in the address. tests/it/browser.rs starts a manager with a
// made-up fleet and this script; without KATTILA_TEST_URL the preview stands in.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sound } from "./axe.mjs";
import { Console, DRAWN, LIVE, healthy, stage } from "./console.mjs";
import { preview } from "./preview.mjs";

let desk;
let server;

before(async () => {
  server = process.env.KATTILA_TEST_URL ? null : await preview("small", 0, 0);
  desk = await Console.open(process.env.KATTILA_TEST_URL ?? server.url);
});

after(async () => {
  await desk?.close();
  server?.close();
});

async function visit(path, options = {}) {
  const page = await desk.visit(path, { reducedMotion: true, ...options });
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  return page;
}

const topology = (page) => page.read(`fetch("/api/v1/topology").then((r) => r.json())`);
const focusStage = (page) => page.read(`document.getElementById("stage").focus()`);
const said = `document.getElementById("chosen").textContent`;
const tool = `document.getElementById("tool").innerText`;

// A gateway, and two agents that have a link with it that is up.
async function hub(page) {
  for (;;) {
    const { nodes, edges } = await topology(page);
    for (const gateway of nodes.filter(({ role, status }) => role === "gateway" && status === "online")) {
      const up = edges.filter(({ source, target, state }) => state === "up" && [source, target].includes(gateway.id));
      const ends = up.map(({ source, target }) => (source === gateway.id ? target : source)).filter((id) => nodes.find((node) => node.id === id)?.role === "agent");
      if (ends.length >= 2) return { gateway, ends };
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test("layers are switched by key and button, counted by the legend and kept in the address", async () => {
  const page = await visit("/map");
  await hub(page);
  assert.equal(await page.read(stage("drawnNets")), 0);
  await focusStage(page);
  await page.press("s");
  await page.until(`${stage("drawnNets")} > 0`, "the prefixes");
  await page.until(async () => /^Subnets: \d+ prefixes, 1 known by routes only$/.test(await page.read(said)), "the networks that routes lead to");
  const counts = await page.read(`[...document.querySelectorAll("#nets .count")].map(({ textContent }) => Number(textContent))`);
  assert.ok(counts[0] > 0 && counts[1] === 1, `the legend counts ${counts}`);
  await page.until(`location.search === "?layers=wireguard%2Csubnets"`, "the layers in the address");
  await page.read(`document.getElementById("wireguard").click()`);
  await page.until(`${stage("drawnEdges")} === 0`, "the links to go");
  await page.until(`location.search === "?layers=subnets"`, "the address");
  await sound(page, "subnets-light-1440x900");
});

test("a network that only routes lead to is told from the others, by the address alone and as a table", async () => {
  const page = await visit(`/map?layers=subnets&sel=${encodeURIComponent("net~10.201.0.0/16")}`);
  const panel = `document.getElementById("detail").innerText`;
  await page.until(async () => /Known by routes only: no host reports an address in it/.test(await page.read(panel)), "the panel");
  assert.match(await page.read(panel), /border/);
  await page.until(`[...document.querySelectorAll("#detail .list")].some(({ innerText }) => innerText.includes("has a route to it"))`, "who reports what of it");
  await sound(page, "network-light-1440x900");
  const other = await visit(`/map?sel=${encodeURIComponent("net~10.202.0.0/15")}`);
  await other.until(async () => /border/.test(await other.read(panel)), "the panel without the layer");
  assert.doesNotMatch(await other.read(panel), /Known by routes only/);
  const table = await desk.visit("/paths?networks=1", { reducedMotion: true });
  const line = await table.read(`[...document.querySelectorAll("#networks tr")].find(({ innerText }) => innerText.includes("10.201.0.0/16")).innerText`);
  assert.match(line, /by routes and allowed IPs only\s+border by routes/);
});

test("a path is told hop by hop and drawn over the map; the address alone leads to it", async () => {
  const page = await visit("/map");
  const { gateway, ends: [from, to] } = await hub(page);
  for (const [name, options] of [["path-light-1440x900", {}], ["path-dark-1440x900", { dark: true }], ["path-phone-390x844", { width: 390, height: 844 }]]) {
    const other = await visit(`/map?path=${encodeURIComponent(`${from},${to}`)}`, options);
    await other.until(`${stage("drawnLegs")} > 0 || document.querySelectorAll("#tool .hops li").length > 0`, "the path");
    assert.ok((await other.read(`document.querySelectorAll("#tool .hops li").length`)) >= 1);
    await sound(other, name);
  }
  // By hand: p begins at what is chosen, and ends at the next.
  await page.open(`${desk.url}/map?sel=${encodeURIComponent(`node~${from}`)}`);
  await page.until(LIVE, "the stream to be live");
  await page.until(`document.querySelector("#detail .facts") !== null`, "the agent");
  await focusStage(page);
  await page.press("p");
  await page.until(`/choose where it is to go/.test(${said})`, "the question");
  await page.read(`document.querySelector('#tool input[name="to"]').value = ${JSON.stringify(gateway.label)}; document.querySelector("#tool form").requestSubmit()`);
  await page.until(`document.querySelectorAll("#tool .hops li").length > 0`, "its hops");
  await page.until(`location.search.includes("path=")`, "the path in the address");
  await page.read(`document.querySelector("#tool [aria-label^=Close]").click()`);
  await page.until(`document.getElementById("tool").hidden && !location.search.includes("path=")`, "the path to end");
  healthy(page, "path");
});

test("what would be lost is asked by key, counted, marked and taken back", async () => {
  const page = await visit("/map");
  const { gateway } = await hub(page);
  await page.open(`${desk.url}/map?sel=${encodeURIComponent(`node~${gateway.id}`)}`);
  await page.until(LIVE, "the stream to be live");
  await focusStage(page);
  await page.press("w");
  await page.until(`/cut off/i.test(${tool}) && /new single points/i.test(${tool})`, "the answer");
  await page.until(`/^Without 1 thing: \\d+ nodes? cut off/.test(${said})`, "the answer in words");
  const cut = Number(/: (\d+)/.exec(await page.read(said))[1]);
  await page.until(`${stage("lost")} === ${cut}`, "their rings");
  await page.until(`location.search.includes("without=")`, "the question in the address");
  await sound(page, "what-if-light-1440x900");
  await page.press("Escape");
  await page.press("Escape");
  await page.until(`document.getElementById("tool").hidden && document.getElementById("stage").dataset.lost === ""`, "the map as it was");
  // Nothing chosen: what can least be spared is listed without asking.
  await page.press("w");
  await page.until(`/least afford|Nothing hangs/.test(${tool})`, "the weakest points");
  healthy(page, "what if");
  const phone = await visit(`/map?without=${encodeURIComponent(gateway.id)}`, { width: 390, height: 844, dark: true });
  await phone.until(`/cut off/i.test(${tool})`, "the answer");
  await sound(phone, "what-if-phone-dark-390x844");
});

test("a neighbourhood grows by key, hides the rest, and going back takes it back", async () => {
  const page = await visit("/map");
  const { gateway } = await hub(page);
  await page.open(`${desk.url}/map?sel=${encodeURIComponent(`node~${gateway.id}`)}`);
  await page.until(LIVE, "the stream to be live");
  await focusStage(page);
  await page.press("f");
  await page.until(`location.search.includes("focus=")`, "the neighbourhood in the address");
  const few = Number(/(\d+) node/.exec(await page.read(said))[1]);
  await page.press("F");
  await page.until("/hops=2/.test(location.search)", "a wider one");
  assert.ok(Number(/(\d+) node/.exec(await page.read(said))[1]) >= few);
  await page.read(`document.getElementById("hide").click()`);
  await page.until("/hide=1/.test(location.search)", "the rest to be hidden");
  await sound(page, "focus-light-1440x900");
  await page.read("history.back()");
  await page.until("!/hops=/.test(location.search) && /focus=/.test(location.search)", "the step before");
  healthy(page, "focus");
});

test("several are chosen by Shift, by a box and by Space", async () => {
  const page = await visit("/map");
  await hub(page);
  const box = await page.read(`document.getElementById("stage").getBoundingClientRect().toJSON()`);
  await page.drag(box.x + box.width * 0.24, box.y + 12, box.width * 0.72, box.height * 0.9, 8);
  await page.until(`/^\\d+ chosen$/.test(document.querySelector("#detail h2").textContent)`, "several in the panel");
  assert.match(await page.read(said), /^\d+ chosen/);
  await page.until("/sel=.*%2C/.test(location.search)", "all of them in the address");
  await sound(page, "several-light-1440x900");
  await focusStage(page);
  await page.press("Escape");
  await page.until(`document.querySelector("#detail h2").textContent === "Fleet"`, "the fleet");
  await page.press("ArrowRight");
  await page.press(" ");
  await page.until(`/^Kept, 1/.test(${said})`, "the first to be kept");
  await page.press("ArrowLeft");
  await page.until(`/^2 chosen$/.test(document.querySelector("#detail h2").textContent) || /^Nothing further/.test(${said})`, "the second beside it");
  healthy(page, "several");
});

test("what the map does not have is left out, and that is said", async () => {
  const page = await visit("/map?sel=node~a:nobody,edge~0000&focus=a:nobody&without=a:nobody");
  await page.until(`/^4 things that the address names are not on this map/.test(document.getElementById("bar").textContent)`, "the notice");
  await page.until(`!location.search.includes("nobody")`, "the address without them");
  healthy(page, "unknown");
});
