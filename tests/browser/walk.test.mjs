// Every page that the route table has, in every state and guise: axe-core finds nothing, the
// policy is never violated, the console stays silent, and nothing sticks out of a phone. Run by
// tests/it/browser.rs.
//
// KATTILA_TEST_URL      a manager with a demo fleet in which things break, which has refused a
//                       report and has seen a window of maintenance; strangers may look
// KATTILA_TEST_TOKEN    an admin's token
// KATTILA_TEST_MASKED   a token of somebody who is given pseudonyms
// KATTILA_TEST_EMPTY    a manager that nobody has reported to; strangers may look
// KATTILA_TEST_ROUTES   the paths of all pages, as in the route table, separated by blanks

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { findings } from "./axe.mjs";
import { Console, DRAWN, LIVE, artifact, please } from "./console.mjs";
import { topology } from "./mock.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_TOKEN: ADMIN, KATTILA_TEST_MASKED: MASKED, KATTILA_TEST_EMPTY, KATTILA_TEST_ROUTES = "" } = process.env;
const ROUTES = KATTILA_TEST_ROUTES.split(" ").filter(Boolean);

let desk;
let things;

// How the pages are looked at.
const GUISES = {
  light: { reducedMotion: true },
  "phone-dark": { width: 390, height: 844, dark: true, reducedMotion: true },
  forced: { forcedColours: true, reducedMotion: true },
  "without-scripts": { reducedMotion: true },
};

// What there is to be looked at, under the names that a page's reader knows it by.
async function gather(page) {
  const json = (path) => page.read(`fetch("${path}").then((answer) => answer.json())`);
  const map = await page.until(async () => {
    const map = await json("/api/v1/topology");
    return map.alarms_open > 1 && map.edges.some(({ state }) => state === "down") && map;
  }, "something to break");
  const agent = map.nodes.find((node) => node.role === "gateway" && node.alarms > 0) ?? map.nodes.find((node) => node.agent_id);
  const [alarm] = await json("/status/alarms");
  return {
    agents: agent.agent_id,
    links: map.edges.find(({ state }) => state === "down").id,
    alarms: String(alarm.id),
    reports: "1",
    node: agent.id,
    addresses: map.nodes.filter((node) => node.agent_id && node.addresses.length > 0),
    // The first second of which everything is told.
    since: (await json("/api/v1/history")).since,
    at: map.generated_at,
  };
}

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
  things = await gather(await desk.visit("/settings"));
});

after(() => desk?.close());

// The address of a route, and addresses of the same page in other states.
function addresses(route) {
  const kind = /^\/(\w+)\/\{id\}$/.exec(route)?.[1];
  assert.ok(!route.includes("{") || things[kind], `nobody knows what to look at on ${route}: add it to the walk`);
  const path = route.replace("{id}", encodeURIComponent(things[kind]));
  const [one, other] = things.addresses;
  const states = {
    "/map": [`?sel=${encodeURIComponent(`node~${things.node}`)}&r=1`, `?sel=${encodeURIComponent(`edge~${things.links}`)}&p=1`, `?at=${things.at}`],
    "/agents": ["?q=state:down", "?q=nonsense:field", `?at=${things.at}`],
    "/agents/{id}": [`?at=${things.at}`],
    "/links": ["?q=state:down", `?at=${things.at}`],
    "/links/{id}": [`?at=${things.at}`],
    "/paths": [`?from=${one.agent_id}&to=${encodeURIComponent(other.addresses[0].split("/")[0])}`, "?net=10.0.0.0/8", "?networks=1"],
    "/what-if": [`?without=${encodeURIComponent(things.agents)}`],
    "/alarms": ["?state=acknowledged", "?state=cleared"],
    "/reports": ["?range=day"],
    "/settings": ["?late_s=5&down_s=20&handshake_s=10"],
    "/events": [`?agent=${things.agents}`],
    "/api": ["?q=alarms&role=operator", "?q=nothing+like+it"],
    "/changes": [`?from=${things.since}&to=${things.at}`],
  };
  return [path, ...(states[route] ?? []).map((state) => path + state)];
}

const isMap = (path) => /^\/(map)?(\?|$)/.test(path);

// Where nothing is missing and nobody asks for more, nothing is wrong with an answer of 404 or 400
// but that the browser says so.
const told = (text) => /Failed to load resource.* (400|403|404)/.test(text);

async function look(page, path, guise, expected) {
  // The judge is a script, too, and is let in once the page stands without its own.
  const scripts = (value) => guise === "without-scripts" && page.send("Emulation.setScriptExecutionDisabled", { value: !value });
  await scripts(false);
  await page.open(desk.url + path);
  await scripts(true);
  if (isMap(path) && guise !== "without-scripts") {
    await page.until(DRAWN, "the map to be drawn");
    if (!path.includes("at=")) await page.until(LIVE, "the stream to be live");
  }
  await judge(page, `${path} (${guise})`, expected);
}

// What is wrong with the pages of one test, all of it at once; each finding with its first page.
let wrong = new Map();

beforeEach(() => {
  wrong = new Map();
});

async function judge(page, what, expected = () => false) {
  // Not innerWidth: on a phone that grows with what sticks out.
  const wide = await page.read("document.documentElement.scrollWidth > document.documentElement.clientWidth");
  for (const finding of [...(await findings(page)), ...page.complaints.filter((text) => !expected(text)), ...(wide ? [`wider than its window: ${what}`] : [])]) {
    if (!wrong.has(finding)) wrong.set(finding, what);
  }
  page.complaints.length = 0;
}

const nothingWrong = () => assert.deepEqual([...wrong].map(([finding, what]) => `${what}: ${finding}`), []);

test("the walk knows the route table", () => {
  assert.ok(ROUTES.length > 15, `the runner names ${ROUTES.length} pages only`);
});

for (const [guise, options] of Object.entries(GUISES)) {
  test(`every page in every state, ${guise}`, async () => {
    const page = await desk.visit("/settings", options);
    for (const route of ROUTES) for (const path of addresses(route)) await look(page, path, guise);
    nothingWrong();
  });
}

test("what an admin sees", async () => {
  const page = await desk.visit("/settings", { token: ADMIN, reducedMotion: true });
  for (const route of ROUTES) {
    await look(page, addresses(route)[0], "admin");
    await page.screenshot(artifact(`walk/admin${route.replace(/\W+/g, "-")}`));
  }
  const phone = await desk.visit("/settings", { token: ADMIN, ...GUISES["phone-dark"] });
  for (const route of ROUTES) {
    await look(phone, addresses(route)[0], "admin on a phone");
    await phone.screenshot(artifact(`walk/phone${route.replace(/\W+/g, "-")}`));
  }
  nothingWrong();
});

test("what somebody sees who is given pseudonyms", async () => {
  const page = await desk.visit("/settings", { token: MASKED, ...GUISES["phone-dark"] });
  const real = things;
  things = await gather(page);
  assert.notEqual(things.agents, real.agents, "pseudonyms");
  // Bytes of reports are shown to nobody under pseudonyms, and keys to nobody who sees some fleets only.
  const shown = ROUTES.filter((route) => !/^\/reports\/|^\/setup/.test(route));
  for (const route of shown) for (const path of addresses(route)) {
    await look(page, path, "pseudonyms", told);
    if (path === addresses(route)[0]) await page.screenshot(artifact(`walk/masked${route.replace(/\W+/g, "-")}`));
  }
  // Pseudonyms are longer than most names: on a small desktop, too, nothing may stick out.
  const desktop = await desk.visit("/settings", { token: MASKED, width: 1280, height: 800, reducedMotion: true });
  for (const route of shown) await look(desktop, addresses(route)[0], "pseudonyms on a desktop", told);
  things = real;
  nothingWrong();
});

// The map as it would be with another answer of the manager: `answer` takes the manager's own and
// gives another, or null for none at all.
async function visitWith(url, answer, options) {
  const page = await url.visit("/settings", options);
  const own = await page.read(`fetch("/api/v1/topology").then((response) => response.json())`);
  const told = answer(own);
  await page.send("Fetch.enable", { patterns: [{ urlPattern: "*/api/v1/topology*" }] });
  page.listeners.add((method, { requestId }) => {
    if (method !== "Fetch.requestPaused" || told === null) return;
    const body = Buffer.from(JSON.stringify(told)).toString("base64");
    page.send("Fetch.fulfillRequest", { requestId, responseCode: 200, responseHeaders: [{ name: "Content-Type", value: "application/json" }], body });
  });
  await page.open(`${url.url}/map`);
  return page;
}

for (const count of [5000, 10000]) {
  test(`the map of ${count} nodes`, async () => {
    const empty = await Console.open(KATTILA_TEST_EMPTY);
    try {
      for (const guise of ["light", "phone-dark"]) {
        const many = (own) => ({ ...topology(count, own.generated_at), epoch: own.epoch, seq: own.seq, layout_rev: own.layout_rev });
        const page = await visitWith(empty, many, GUISES[guise]);
        await page.until(DRAWN, "the map to be drawn");
        assert.equal(await page.read(`document.getElementById("stage").dataset.level`), "sites", "sites first");
        await judge(page, `${count} nodes (${guise})`);
        await page.screenshot(artifact(`walk/map-${count}-${guise}`));
      }
    } finally {
      await empty.close();
    }
    nothingWrong();
  });
}

test("the map while it waits for the manager's answer", async () => {
  const page = await visitWith(desk, () => null, GUISES["phone-dark"]);
  assert.match(await page.read(`document.getElementById("level").textContent`), /^Loading \d+ agents$/);
  await judge(page, "the map that is loading");
  await page.screenshot(artifact("walk/map-loading"));
  nothingWrong();
});

test("paper is white, also for who looks in the dark, and tables repeat their heads", async () => {
  const page = await desk.visit("/agents", GUISES["phone-dark"]);
  const looks = `(({ body, head, bar }) => [body.backgroundColor, body.color, head.display, bar.display])({
    body: getComputedStyle(document.body), head: getComputedStyle(document.querySelector("thead")), bar: getComputedStyle(document.querySelector("header.top")) })`;
  assert.notEqual((await page.read(looks))[0], "rgb(255, 255, 255)");
  await page.send("Emulation.setEmulatedMedia", { media: "print", features: [{ name: "prefers-color-scheme", value: "dark" }] });
  assert.deepEqual(await page.read(looks), ["rgb(255, 255, 255)", "rgb(23, 32, 43)", "table-header-group", "none"]);
});

test("of the map the manager's picture is printed: light, with legend, time and what was asked", async () => {
  const page = await desk.visit(`/map?q=state:up&sel=${encodeURIComponent(`node~${things.node}`)}`, GUISES["phone-dark"]);
  await page.until(DRAWN, "the map to be drawn");
  // What prints it is loaded once the map is drawn; then one listener more sees what is on the paper.
  await page.until(`performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/files.js"))`, "what prints it");
  await page.read(`addEventListener("beforeprint", () => {
    const paper = document.getElementById("paper");
    window.printed = { text: paper.textContent, shapes: paper.querySelectorAll("circle, rect, path").length, ground: paper.querySelector("rect")?.getAttribute("fill") };
  })`);
  const { data } = await page.send("Page.printToPDF", { preferCSSPageSize: true, printBackground: true });
  const printed = await page.read("window.printed");
  for (const words of ["Reporting \\d", "Links: \\d+ up", "asked for: state:up", /\d{4}-\d\d-\d\dT\d\d:\d\d/]) assert.match(printed.text, new RegExp(words));
  assert.ok(printed.shapes > 20, `${printed.shapes} shapes`);
  assert.match(printed.ground, /^#f/i, "light, also for who looks in the dark");
  const pdf = Buffer.from(data, "base64");
  assert.match(pdf.toString("latin1"), /\/MediaBox \[0 0 7\d\d\.?\d* 6\d\d/, "one sheet on its side");
  mkdirSync(dirname(artifact("map-printed")), { recursive: true });
  writeFileSync(artifact("map-printed").replace(/png$/, "pdf"), pdf);
  assert.equal(await page.read(`document.getElementById("paper").childElementCount`), 0, "the page is as it was");
});

test("the open list of keys, and the sign-in page that refuses", async () => {
  const page = await desk.visit("/map", GUISES.light);
  await page.until(DRAWN, "the map to be drawn");
  await page.read(`document.getElementById("keys").click()`);
  await judge(page, "the list of keys");
  await page.read(`document.getElementById("help").close(), document.getElementById("export").open = true`);
  await page.until(`document.getElementById("picture").search.includes("w=")`, "the addresses of the menu");
  await judge(page, "the menu of exports");
  await page.screenshot(artifact("map-export-1440x900"));
  await page.open(await page.read(`document.getElementById("picture").href`));
  await judge(page, "the picture");
  await page.screenshot(artifact("map-svg-1440x900"));
  await page.open(`${desk.url}/login`);
  await desk.tryToken(page, "not-a-token");
  page.complaints.length = 0;
  await judge(page, "a refused sign-in");
  nothingWrong();
});

test("errors", async () => {
  const page = await desk.visit("/settings", GUISES["phone-dark"]);
  for (const path of ["/nowhere", "/agents/nobody", "/links/0000000000000000", "/alarms/999999", "/reports/999999", "/agents?at=nonsense", "/changes?from=nonsense"]) {
    await page.open(desk.url + path);
    await judge(page, path, told);
  }
  nothingWrong();
});

test("a manager that nobody has reported to", async () => {
  const empty = await Console.open(KATTILA_TEST_EMPTY);
  try {
    for (const guise of ["light", "phone-dark"]) {
      const page = await empty.visit("/map", GUISES[guise]);
      await page.until(LIVE, "the stream to be live");
      await judge(page, `the empty map (${guise})`);
      for (const route of ROUTES.filter((route) => !route.includes("{"))) {
        await page.open(empty.url + route);
        await judge(page, `${route} of an empty manager (${guise})`);
      }
    }
  } finally {
    await empty.close();
  }
  nothingWrong();
});

test("the map that has lost its manager", async () => {
  const page = await desk.visit("/map", GUISES.light);
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  please("end the stream");
  await page.until(`document.getElementById("live-state").className.includes("live-lost")`, "the loss to be told");
  assert.match(await page.read(`document.getElementById("live-state").textContent`), /^Reconnecting, data from /);
  await judge(page, "a lost stream", (text) => /net::ERR_|Failed to load resource/.test(text));
  nothingWrong();
});
