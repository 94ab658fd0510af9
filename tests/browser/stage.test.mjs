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
    let last = "";
    await page.until(async () => {
      const [held, shown] = [await taken(page, "map.json"), await page.read(drawn)];
      last = `${held} and ${shown}`;
      if (held === shown) return true;
      // A page of the past has the places as they were when it was opened.
      await page.open(await page.read("location.href"));
      await page.until(DRAWN, "the map to be drawn anew");
      return false;
    }, `the graph to hold what is drawn with ${told}`).catch((error) => {
      throw new Error(`${error.message}: ${last}`);
    });
    const count = await page.read(drawn);
    assert.equal(await taken(page, "map.csv"), Number(count.split(",")[1]), told);
    if (told.startsWith("only=")) await page.until(`location.search.includes(${JSON.stringify(told.split("&")[0])})`, told);
    seen.add(count);
  }
  assert.ok(seen.size >= 6, `filters that all keep the same prove nothing: ${[...seen].join(" ")}`);
  healthy(page, "exports");
});

test("on a tablet nothing of the bars is out of sight", async () => {
  for (const [width, height] of [[820, 1100], [1024, 768], [1200, 800]]) {
    const page = await visit("/map", { width, height });
    const out = await page.read(`[...document.querySelectorAll(".top a, .top button, .top summary, .toolbar a, .toolbar button, .toolbar input")]
      .filter((part) => part.checkVisibility() && part.getBoundingClientRect().width > 1).filter((part) => part.getBoundingClientRect().right > innerWidth || part.getBoundingClientRect().left < 0).map(({ textContent }) => textContent)`);
    assert.deepEqual(out, [], `${width} wide`);
    assert.equal(await page.read(`document.getElementById("legend").open`), width > 1000, `the legend at ${width}`);
    await page.read(`document.querySelector(".more summary")?.click()`);
    assert.deepEqual(await findings(page), [], `${width} wide`);
    await page.screenshot(artifact(`tablet-${width}x${height}`));
    healthy(page, "tablet");
  }
});

test("while the map is loading its sites are there, and the words", async () => {
  const page = await desk.browser.page({});
  await page.send("Network.setBlockedURLs", { urls: ["*/api/v1/topology*", "*/js/map.js", "*/js/rescue.js"] });
  await page.open(`${desk.url}/map`);
  assert.match(await page.read(`document.getElementById("level").textContent`), /^Loading \d+ agents$/);
  const [sites, inSight] = await page.read(`(() => {
    const stage = document.querySelector(".stage-box").getBoundingClientRect();
    const all = [...document.querySelectorAll("#skeleton circle")].map((circle) => circle.getBoundingClientRect());
    return [all.length, all.filter((box) => box.width > 4 && box.left >= stage.left && box.right <= stage.right && box.top >= stage.top && box.bottom <= stage.bottom).length];
  })()`);
  assert.ok(sites > 2 && inSight === sites, `${inSight} of ${sites} circles in sight`);
  await page.screenshot(artifact("loading-1440x900"));
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

const focusStage = (page) => page.read(`document.getElementById("stage").focus()`);
const chosen = `document.getElementById("stage").dataset.selected`;
const said = `document.getElementById("chosen").textContent`;
const address = `location.search`;
const pressed = (id) => `document.getElementById("${id}").getAttribute("aria-pressed")`;

// A gateway with at least two links.
const hub = (page) => page.read(`fetch("/api/v1/topology").then((r) => r.json()).then(({ nodes, edges }) =>
  nodes.filter(({ role }) => role === "gateway").find(({ id }) => edges.filter(({ source, target }) => source === id || target === id).length > 2).id)`);

// What each key of the help does, told by what can be seen of it. `a`, `u` and Shift with an arrow are
// for operators: arrange.test.mjs.
const KEYS = {
  "←": async (page) => {
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
      const before = await page.read(chosen);
      await page.press(key);
      await page.until(`${chosen} && (${chosen} !== ${JSON.stringify(before)} || ${said} === "Nothing further in that direction")`, `another to be chosen by ${key}`);
    }
  },
  n: async (page, at) => {
    await page.press("n");
    const next = await page.until(`${chosen} !== ${JSON.stringify(at)} && ${chosen}`, "a neighbour");
    await page.press("n");
    await page.until(`${chosen} !== ${JSON.stringify(next)}`, "the next one");
    await page.press("N", 8);
    await page.until(`${chosen} === ${JSON.stringify(next)}`, "the one before");
  },
  Enter: async (page) => {
    await page.until(`document.querySelector("#detail [data-focus=open]")`, "the details");
    await page.press("Enter");
    assert.equal(await page.read("document.activeElement.textContent"), "Open agent");
  },
  Esc: async (page) => {
    await page.press("Escape");
    await page.until(`${chosen} === ""`, "nothing to be chosen");
  },
  "+": async (page) => {
    const k = `Number(new URLSearchParams(${address}).get("k"))`;
    const before = await page.until(k, "a view in the address");
    await page.press("+");
    await page.until(`${k} > ${before}`, "it to be nearer");
    await page.press("-");
    await page.press("-");
    await page.until(`${k} < ${before}`, "it to be farther");
    await page.press("0");
    await page.until(`${k} === 0`, "everything");
  },
  "/": async (page) => {
    await page.press("/");
    assert.equal(await page.read("document.activeElement.id"), "q");
  },
  "[": async (page) => {
    await page.press("[");
    const at = await page.until(`document.getElementById("stage").dataset.at`, "the past");
    await page.press("[");
    await page.until(`Number(document.getElementById("stage").dataset.at) < ${at}`, "the change before");
    await page.press("]");
    await page.until(`Number(document.getElementById("stage").dataset.at) === ${at}`, "the change after");
  },
  Space: async (page, at) => {
    await page.press(" ");
    await page.until(`${said} === "Kept, 1 so far"`, "it to be kept");
    await page.press("n");
    await page.until(`/^2 chosen/.test(${said})`, "two to be chosen");
    assert.match(await page.read(`decodeURIComponent(${address})`), new RegExp(`sel=node~[^,]+,node~${at}`));
  },
  f: async (page, at) => {
    await page.press("f");
    await page.until(`new URLSearchParams(${address}).get("focus") === ${JSON.stringify(at)}`, "the neighbourhood");
    await page.press("F", 8);
    await page.until(`${address}.includes("hops=2")`, "a wider one");
    await page.press("f");
    await page.until(`!${address}.includes("focus=")`, "everything again");
  },
  p: async (page, at) => {
    await page.press("p");
    await page.until(`${said}.startsWith("Path from ")`, "a path to begin");
    await page.press("n");
    await page.until(`${chosen} !== ${JSON.stringify(at)}`, "another to be chosen");
    await page.press("p");
    await page.until(`new URLSearchParams(${address}).get("path") === ${JSON.stringify(at)} + "," + ${chosen}`, "the path to end there");
  },
  w: async (page, at) => {
    await page.press("w");
    await page.until(`new URLSearchParams(${address}).get("without") === ${JSON.stringify(at)}`, "it to be taken away");
    await page.until(`/^Without 1 thing: /.test(${said})`, "what would be lost");
  },
  l: async (page) => {
    await page.press("l");
    assert.equal(await page.read("document.activeElement.id"), "wireguard");
    await focusStage(page);
    for (const [key, id] of [["s", "subnets"], ["r", "relays"]]) {
      await page.press(key);
      await page.until(`${pressed(id)} === "true"`, id);
      await page.press(key);
      await page.until(`${pressed(id)} === "false"`, `${id} no longer`);
    }
  },
  t: async (page) => {
    await page.loading(() => page.press("t"), "the table");
    assert.equal(await page.read("location.pathname"), "/agents");
  },
  c: async (page) => {
    await page.press("c");
    await page.until(`/^Changes are read out/.test(${said})`, "that changes are read out");
    await page.press("c");
    await page.until(`${said} === "Changes are no longer read out"`, "that they are not");
  },
  "?": async (page) => {
    await page.press("?");
    assert.equal(await page.read(`document.getElementById("help").open`), true);
    await page.press("Escape");
    await page.until(`!document.getElementById("help").open`, "the list to close");
  },
};

test("every key of the help does what it says", async () => {
  const page = await visit("/map");
  const at = await hub(page);
  const told = await page.read(`[...document.querySelectorAll("#help dt kbd:first-child")].map(({ textContent }) => textContent)`);
  assert.deepEqual(told.filter((key) => key !== "a").sort(), Object.keys(KEYS).sort(), "each key of the help is tried here");
  for (const [key, does] of Object.entries(KEYS)) {
    await page.open(`${desk.url}/map?sel=node~${at}`);
    await page.until(DRAWN, "the map to be drawn");
    await page.until(`!document.getElementById("time").hidden`, "the strip of times");
    await focusStage(page);
    await page.until(`${chosen} === ${JSON.stringify(at)}`, `the gateway to be chosen before ${key}`);
    await does(page, at);
    healthy(page, key);
  }
});

test("letters do nothing while the stage has no focus", async () => {
  const page = await visit("/map");
  const at = await hub(page);
  await page.open(`${desk.url}/map?sel=node~${at}`);
  await page.until(DRAWN, "the map to be drawn");
  for (const where of [`document.getElementById("problems").focus()`, `document.activeElement.blur()`, `document.getElementById("q").focus()`]) {
    await page.read(where);
    const before = await page.read(`[${address}, location.pathname]`);
    for (const key of ["s", "r", "f", "w", "p", "c", "n", "t", "["]) await page.press(key);
    const after = await page.read(`new Promise((done) => requestAnimationFrame(() => done([${address}, location.pathname])))`);
    assert.deepEqual([after[1], await page.read(pressed("subnets")), await page.read(pressed("relays")), await page.read(chosen)], [before[1], "false", "false", at], where);
    for (const name of ["focus=", "without=", "path=", "at="]) assert.ok(!after[0].includes(name), `${where}: ${after[0]}`);
  }
  healthy(page, "letters");
});

// What cannot be hit: links, buttons and fields that are seen, less than 24 pixels wide or so many high.
const small = (most) => `[...document.querySelectorAll("main a, main button, .toolbar a, .toolbar button, .toolbar label, nav a, nav summary, main input, main select, main summary")]
  .filter((part) => part.checkVisibility() && !part.matches(".visually-hidden")).map((part) => [part.textContent.trim().slice(0, 30), part.getBoundingClientRect()])
  .filter(([, { width, height }]) => width > 0 && (width < 24 || height < ${most})).map(([text, { width, height }]) => text + " " + width + " by " + height)`;

test("on a phone everything can be hit by a finger, and the tab bar fits", async () => {
  const page = await visit("/map", { width: 390, height: 844 });
  assert.ok((await page.read(stage("drawnSites"))) > 0, "sites come first");
  const map = await page.read(`fetch("/api/v1/topology").then((r) => r.json())`);
  const at = await hub(page);
  const bad = map.edges.find(({ state }) => state === "down" || state === "one_way") ?? map.edges[0];
  for (const query of ["", `?sel=node~${at}&focus=${at}&without=${at}`, `?sel=edge~${bad.id}&path=${at},${bad.source}`, `?sel=site~${encodeURIComponent(map.sites[0].id)}&site=${encodeURIComponent(map.sites[0].id)}`]) {
    await page.open(`${desk.url}/map${query}`);
    await page.until(DRAWN, "the map to be drawn");
    await page.until(`document.getElementById("alarm-list").childElementCount > 0 && (${JSON.stringify(query)} === "" || document.querySelector("#detail .crumb"))`, "the sheet");
    await page.read(`document.getElementById("legend").open = true, document.getElementById("export").open = true`);
    assert.deepEqual(await page.read(small(44)), [], query);
    assert.equal(await page.read("document.documentElement.scrollWidth <= innerWidth"), true, `${query} must not scroll sideways`);
  }
  const wide = await visit(`/map?sel=node~${at}&focus=${at}&without=${at}&path=${at},${at}`);
  await wide.until(`document.querySelector("#detail .crumb")`, "the details");
  assert.deepEqual(await wide.read(small(24)), [], "with a mouse");
  healthy(wide, "targets");
  const tabs = `[...document.querySelectorAll(".top nav > ul > li > a, .top nav .more[class] > details > summary")].filter((tab) => tab.checkVisibility())`;
  assert.deepEqual(await page.read(`${tabs}.map((tab) => tab.textContent.trim().split(/\\s/)[0])`), ["Map", "Agents", "Links", "Alarms", "More"]);
  assert.ok(await page.read(`${tabs}.every((tab) => tab.getBoundingClientRect().left >= 0 && tab.getBoundingClientRect().right <= innerWidth)`), "every tab is in sight");
  await page.read(`document.getElementById("export").open = false, document.querySelector(".more summary").click()`);
  assert.deepEqual(await page.read(`[...document.querySelectorAll(".more a")].filter((link) => link.checkVisibility()).map(({ textContent }) => textContent)`), ["Paths", "Reports", "Events", "Settings"]);
  await page.screenshot(artifact("phone-more-390x844"));
  assert.deepEqual(await findings(page), []);
  healthy(page, "phone");
});
