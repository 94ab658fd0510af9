// The console in a real browser: `node --test tests/browser/map.test.mjs`.
//
// KATTILA_TEST_URL     a running manager with at least two agents, whose map changes when asked
//                      or by itself within a minute (`kattila demo --faults` does); without it
//                      the preview with made-up data stands in, for which
//                      `cargo test --lib views` keeps the pages
// KATTILA_TEST_TOKEN   signs in, for managers that strangers may not look at
//
// Pictures go to artifacts/, which git ignores.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, DRAWN, LIVE, artifact, healthy, please, stage } from "./console.mjs";
import { preview } from "./preview.mjs";

const TOKEN = process.env.KATTILA_TEST_TOKEN ?? null;

let desk;
let server;
let url;

before(async () => {
  server = process.env.KATTILA_TEST_URL ? null : await preview("small", 0, 1000);
  desk = await Console.open(process.env.KATTILA_TEST_URL ?? server.url);
  url = desk.url;
});

after(async () => {
  await desk?.close();
  server?.close();
});

const visit = (path, options) => desk.visit(path, { token: TOKEN, ...options });

async function picture(name, options, path = "/map") {
  const page = await visit(path, options);
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  await page.screenshot(artifact(name));
  return page;
}

test("the map draws the fleet that the API tells", async () => {
  const page = await picture("map-light-1440x900", {});
  // The fleet may grow between two questions, so both are asked until they agree.
  await page.until(async () => {
    const known = await page.read(`fetch("/api/v1/topology").then((r) => r.json()).then((p) => p.nodes.length)`);
    return known >= 2 && new RegExp(`\\b${known}\\b`).test(await page.read(`document.getElementById("level").textContent`));
  }, "the map to count the nodes that the API tells");
  const colours = await page.read(`(() => {
    const c = document.getElementById("stage");
    const data = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer);
    return new Set(data).size;
  })()`);
  assert.ok(colours > 20, `only ${colours} colours on the stage: it is blank`);
  healthy(page, "map");
});

test("a change arrives over the stream without a reload", async () => {
  const page = await visit("/map");
  await page.until(DRAWN, "the map to be drawn");
  const [seq, loads] = [await page.read(stage("seq")), page.loads];
  please("change the map");
  await page.until(`${stage("seq")} > ${seq}`, "a patch");
  assert.equal(page.loads, loads);
  healthy(page, "live map");
});

test("the map is walked by keyboard and says where one is", async () => {
  const page = await visit("/map", { reducedMotion: true });
  await page.until(DRAWN, "the map to be drawn");
  for (let i = 0; i < 40 && !(await page.read(`document.activeElement?.id === "stage"`)); i += 1) await page.press("Tab");
  assert.equal(await page.read("document.activeElement.id"), "stage", "Tab must reach the stage");
  await page.press("ArrowRight");
  const first = await page.until(`document.getElementById("stage").dataset.selected`, "a selection");
  await page.until(`document.querySelector("#detail h2").textContent !== "Fleet"`, "the details of what is chosen");
  assert.ok(await page.read(`document.getElementById("chosen").textContent`), "the live line must speak");
  assert.match(await page.read("location.search"), /sel=/);
  const moves = ["ArrowLeft", "ArrowUp", "ArrowDown", "ArrowRight"];
  let moved = false;
  for (const key of moves) {
    await page.press(key);
    moved ||= (await page.read(`new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(document.getElementById("stage").dataset.selected))))`)) !== first;
  }
  assert.ok(moved, "arrows must lead on");
  if ((await page.read(`document.getElementById("stage").dataset.level`)) === "sites") {
    await page.press("Enter");
    await page.until(`${stage("drawnNodes")} > 0`, "the site to open");
  }
  await page.press("+");
  await page.press("0");
  await page.press("Escape");
  await page.until(`document.querySelector("#detail h2").textContent === "Fleet"`, "Escape to lead back to the fleet");
  healthy(page, "keyboard");
});

test("search finds an agent and selects it", async () => {
  const page = await visit("/map");
  await page.until(DRAWN, "the map to be drawn");
  const label = await page.read(`fetch("/api/v1/topology").then((r) => r.json()).then((p) => p.nodes.find((n) => n.kind === "agent").label)`);
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("/");
  await page.until(`document.activeElement.id === "q"`, "the search to have the focus");
  await page.type(label);
  await page.until(`document.querySelectorAll("#hits [role=option]").length > 0`, "hits");
  await page.press("Enter");
  await page.until(`document.querySelector("#detail h2").textContent === ${JSON.stringify(label)}`, "the agent in the panel");
  await page.until(`document.querySelector("#detail .facts") !== null`, "its facts");
  await page.screenshot(artifact("map-selected-1440x900"));
  await page.read(`document.getElementById("q").focus(), document.getElementById("q").select()`);
  await page.type("kind:gateway state:up");
  await page.until(`[...document.querySelectorAll("#hits li")].some((line) => /^\\d+ links?$/.test(line.textContent))`, "the links that a query finds");
  await page.until(`location.search.includes("kind%3Agateway")`, "the query in the address");
  healthy(page, "search");
  await page.read(`document.getElementById("q").select()`);
  await page.type("nobody-is-called-so");
  await page.until(`/^No agent or link matches nobody-is-called-so\.Clear the search$/.test(document.getElementById("bar").textContent)`, "that nothing matches");
  await page.loading(() => page.read(`document.querySelector("#bar a").click()`), "the map without the search");
  await page.until(DRAWN, "the map to be drawn");
  await page.until(`!location.search.includes("q=") && document.getElementById("q").value === ""`, "the search to be cleared");
  await page.read(`document.getElementById("q").focus()`);
  await page.type("stat:up");
  await page.until(`/There is no field/.test(document.getElementById("hits").textContent)`, "what is wrong with the query");
});

test("the map moves by wheel and drag and is shown whole again", async () => {
  const page = await visit("/map", { reducedMotion: true });
  await page.until(DRAWN, "the map to be drawn");
  const where = () => page.read("location.search");
  await page.wheel(600, 450, -400);
  await page.until("/k=/.test(location.search)", "the zoom in the address");
  const zoomed = await where();
  await page.drag(600, 450, 80, 40);
  await page.until(`location.search !== ${JSON.stringify(zoomed)}`, "the pan in the address");
  await page.read(`document.getElementById("zoom-fit").click()`);
  await page.until("!/k=/.test(location.search)", "the whole map");
  // Also where the view glides to its place, it is in the address.
  const gliding = await visit("/map");
  await gliding.until(DRAWN, "the map to be drawn");
  await gliding.read(`document.getElementById("zoom-in").click()`);
  await gliding.until("/k=/.test(location.search)", "the place of a view that glides in the address");
  healthy(page, "pointer");
});

test("the map goes to another time and back, by key, by the address and by hand", async () => {
  const page = await visit("/map", { reducedMotion: true });
  await page.until(LIVE, "the stream to be live");
  please("change the map");
  await page.until(`!document.getElementById("time").hidden`, "the strip, once there is a history");
  await page.until(`document.querySelectorAll("#time rect").length > 0`, "its bars");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("[");
  await page.until(`${stage("at")} > 0`, "a time of the past");
  await page.until(`/as it was at/.test(document.getElementById("bar").textContent)`, "the bar that says so");
  const at = await page.read(stage("at"));
  await page.until(`location.search.includes("at=${at}")`, "the time in the address");
  // The search goes on there, in the same language; what the history does not tell is said.
  await page.read(`document.getElementById("q").focus()`);
  await page.type("kind:agent");
  await page.until(`document.querySelectorAll("#hits [aria-selected]").length > 0`, "what was found then");
  await page.until(`location.search.includes("q=kind%3Aagent") && location.search.includes("at=")`, "both in the address");
  await page.read(`document.getElementById("q").select()`);
  await page.type("version:<1");
  await page.until(`/cannot be asked of the past/.test(document.getElementById("hits").textContent)`, "the refusal");
  await page.press("Escape");
  await page.screenshot(artifact("map-past-1440x900"));
  // The address alone leads there, and nothing that changes now changes the picture.
  const other = await visit(`/map?at=${at}`);
  await other.until(`${stage("at")} === ${at}`, "the same time in another window");
  please("change the map");
  assert.equal(await other.read(stage("at")), at);
  assert.equal(await other.read(`document.getElementById("live-state").textContent`), "Past");
  // A time before all history is refused in words, and the map stays where it was.
  await page.read(`(() => { const field = document.getElementById("time-at"); field.value = "2001-01-01 00:00"; field.form.requestSubmit(); })()`);
  await page.until(`/history begins/.test(document.getElementById("bar").textContent)`, "the refusal");
  assert.equal(await page.read(stage("at")), at);
  await page.read(`document.querySelector("#bar a").click()`);
  await page.until(`${stage("at")} === 0`, "the present");
  await page.until(LIVE, "the stream to be live again");
  assert.equal(await page.read(`document.getElementById("bar").hidden`), true);
  await page.until(`!location.search.includes("at=")`, "the address of the present");
  const refused = (text) => /400/.test(text);
  assert.deepEqual(page.complaints.filter((text) => !refused(text)), []);
  healthy(other, "past");
});

test("dark, phone and wide screens", async () => {
  for (const [name, options] of [["map-dark-1920x1080", { dark: true, width: 1920, height: 1080 }], ["map-phone-390x844", { width: 390, height: 844, scale: 2 }]]) {
    const page = await picture(name, options);
    // On a phone the legend is the first line of the sheet, not over the map; fingers need 44 px.
    const small = options.width === 390;
    assert.equal(await page.read(`document.getElementById("legend").parentElement.matches(".side")`), small, name);
    if (small) {
      await page.read(`document.getElementById("legend").open = true`);
      const low = await page.read(`[...document.querySelectorAll("#legend button, #legend summary, .toolbar input[type=search], .toolbar > .button, .zoom button, .chips button")].map((e) => [e.id || e.textContent, e.getBoundingClientRect().height]).filter(([, high]) => high > 0 && high < 44)`);
      assert.deepEqual(low, [], "targets for fingers");
      assert.ok(await page.read(`document.querySelector(".side").getBoundingClientRect().height <= 0.38 * innerHeight + 1`), "the sheet leaves the map room");
      await page.screenshot(artifact("map-phone-legend-390x844"));
    }
    assert.equal(await page.read("document.documentElement.scrollWidth <= innerWidth"), true, `${name} must not scroll sideways`);
    healthy(page, name);
  }
});

test("a breach of the policy and an error in a script would be noticed here", async () => {
  const page = await visit("/agents");
  await page.read(`document.body.setAttribute("style", "color: red")`);
  await page.until(() => page.complaints.some((text) => text.includes("Content Security Policy")), "the refused style");
  await page.read(`setTimeout(() => { throw new Error("on purpose"); })`);
  await page.until(() => page.complaints.some((text) => text.includes("on purpose")), "the error");
});

test("every page works without scripts", async () => {
  const page = await visit("/map", { scripts: false });
  assert.match(await page.read("document.body.innerText"), /agents/i);
  assert.ok(await page.read(`document.querySelector('noscript a[href="/agents"]') !== null || document.querySelector(".fallback a") !== null`));
  for (const path of ["/agents", "/links", "/paths", "/alarms", "/reports", "/events", "/settings"]) {
    await page.open(url + path);
    assert.ok(await page.read(`document.querySelector("h1") !== null && document.querySelector("main") !== null`), path);
    assert.equal(await page.read(`document.querySelector("nav [aria-current=page]")?.getAttribute("href")`), path);
    healthy(page, path);
  }
  await page.open(`${url}/agents?sort=agent`);
  // The preview's pages are kept ones and cannot be sorted.
  if (!server) assert.equal(await page.read(`document.querySelector("th[aria-sort]")?.getAttribute("aria-sort")`), "ascending");
  const href = await page.read(`document.querySelector("tbody a[href^='/agents/']").getAttribute("href")`);
  await page.open(url + href);
  assert.match(await page.read("document.body.innerText"), /Interfaces/);
  await page.screenshot(artifact("agent-no-scripts"));
});
