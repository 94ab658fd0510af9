// A map that is too large to be held whole, in a real browser: sites first, then what is in those that
// open; what is searched for or chosen anywhere; and all of it once a question needs it.
// tests/it/large.rs starts a manager with the fleet, whose numbers it hands over, and this script.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sound } from "./axe.mjs";
import { Console, DRAWN, LIVE, healthy, please, stage } from "./console.mjs";

const SITES = Number(process.env.KATTILA_TEST_SITES);
const EACH = Number(process.env.KATTILA_TEST_EACH);
const ALL = SITES * EACH;
const id = (site, host) => `a:${(site * 1000 + host).toString(16).padStart(32, "0")}`;
const name = (site, host) => `h-${site}-${host}`;

let desk;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
});

after(() => desk?.close());

// Opens the map; `maps` are the maps and parts that it asks for.
async function visit(path, options = {}) {
  const page = await desk.visit("/login", { reducedMotion: true, ...options });
  page.maps = [];
  page.listeners.add((method, params) => method === "Network.requestWillBeSent" && params.request.url.includes("/api/v1/topology") && page.maps.push(new URL(params.request.url).search));
  await page.open(desk.url + path);
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  return page;
}

const of = (page, site) => page.maps.filter((search) => new URLSearchParams(search).get("site") === site);
const counted = `[...document.querySelectorAll("#legend [data-look] .count")].reduce((sum, { textContent }) => sum + Number(textContent.replace(/\\D/g, "")), 0)`;
const panel = `document.getElementById("detail").innerText`;
const chosen = (node) => `document.getElementById("stage").dataset.selected === ${JSON.stringify(node)}`;

test("sites come first, with the counts of all, and no node travels", async () => {
  const page = await visit("/map");
  await page.until(`${counted} === ${ALL}`, "the legend's counts");
  assert.deepEqual(page.maps, ["?shape=auto"]);
  assert.equal(await page.read(stage("drawnSites")), SITES);
  assert.equal(await page.read(stage("drawnNodes")), 0);
  await page.until(async () => (await page.read(panel)).includes(`${ALL.toLocaleString("en").replaceAll(",", "")} agents`) || (await page.read(panel)).includes(`${ALL.toLocaleString("en")} agents`), "the panel's counts");
  await sound(page, "large-sites-light-1440x900");
  await sound(await visit("/map", { width: 390, height: 844, dark: true }), "large-sites-phone-dark-390x844");
});

test("a site that opens brings its nodes, which then live", async () => {
  const page = await visit("/map");
  const site = await page.read(`fetch("/api/v1/search?ids=${id(7, 5)}").then((r) => r.json()).then(({ sites }) => sites[0])`);
  await page.read(`document.getElementById("q").value = "host:${name(7, 5)}"; document.getElementById("q").dispatchEvent(new Event("input"))`);
  await page.until(`document.querySelector("#search [role=option]")?.innerText.includes("${name(7, 5)}")`, "the hit");
  await page.read(`document.getElementById("search").requestSubmit()`);
  await page.until(`${chosen(id(7, 5))} && ${stage("drawnNodes")} > 0`, "its site to open");
  assert.equal(of(page, site).length, 1, `one part is asked for once: ${page.maps}`);
  assert.ok(page.maps.every((search) => search !== "?shape=columns"), "the whole is not asked for");
  assert.equal(await page.read(counted), ALL);
  await page.until(async () => (await page.read(panel)).includes("WireGuard links (1)"), "its panel");
  await sound(page, "large-site-open-light-1440x900");
  please(`rename ${7} ${5}`);
  await page.until(async () => (await page.read(panel)).includes("turncoat"), "the patch in the panel");
  assert.equal(of(page, site).length, 1);
});

test("coming nearer opens the sites in the middle, no more than can be read, and each once", async () => {
  const page = await visit("/map");
  for (let i = 0; i < 4; i += 1) await page.read(`document.getElementById("zoom-in").click()`);
  await page.until(`${stage("drawnNodes")} > ${EACH}`, "sites to open");
  const sites = page.maps.map((search) => new URLSearchParams(search).get("site")).filter(Boolean);
  assert.equal(new Set(sites).size, sites.length, `each once: ${sites}`);
  // Each step of the way shows others; of what is on the stage in the end, no more are open than can be read.
  const drawn = await page.read(stage("drawnNodes"));
  assert.ok(drawn <= 1500, `${drawn} nodes are more than can be read`);
  assert.ok((await page.read(stage("drawnSites"))) > 0, "the rest stay bubbles");
  assert.equal(await page.read(counted), ALL);
  await sound(page, "large-near-light-1440x900");
});

test("a link to anything leads to it, and to what is nowhere says so", async () => {
  const page = await visit(`/map?sel=${encodeURIComponent(`node~${id(30, 2)}`)}`);
  await page.until(`${chosen(id(30, 2))} && ${stage("drawnNodes")} > 0`, "the chosen node and its site");
  const edge = await page.read(`fetch("/api/v1/edges?q=host:${name(12, 9)}").then((r) => r.json()).then(([edge]) => edge.id)`);
  const link = await visit(`/map?sel=${encodeURIComponent(`edge~${edge}`)}`);
  await link.until(async () => (await link.read(panel)).includes(name(12, 9)), "the link's panel");
  const none = await visit(`/map?sel=${encodeURIComponent("node~a:nobody")}`);
  await none.until(`/not on this map and left out/.test(document.getElementById("bar").innerText)`, "the notice");
  for (const visited of [page, link, none]) healthy(visited, "links");
});

test("a question that needs all of the map has it come whole", async () => {
  const page = await visit(`/map?path=${encodeURIComponent(`${id(3, 4)},${id(9, 8)}`)}`);
  await page.until(`document.querySelectorAll("#tool ol.hops li").length >= 8`, "the way by links: a host, seven hubs and a host");
  assert.equal(page.maps[0], "?shape=columns");
  const other = await visit("/map");
  await other.read(`document.getElementById("relays").click()`);
  await other.until(() => other.maps.includes("?shape=columns"), "the whole map");
  await other.until(`${counted} === ${ALL}`, "its counts");
  assert.deepEqual(other.maps, ["?shape=auto", "?shape=columns"]);
  for (const visited of [page, other]) healthy(visited, "questions");
});

test("the past comes in parts, too", async () => {
  const page = await visit("/map");
  await page.until(`!document.getElementById("time").hidden`, "the strip, once there is a history");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("[");
  await page.until(`Number(document.getElementById("stage").dataset.at) > 0`, "a time of the past");
  assert.match(page.maps.at(-1), /^\?shape=auto&at=\d+$/);
  healthy(page, "the past");
});
