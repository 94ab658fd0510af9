// Measures the map in headless Chromium beside cytoscape.js that draws the same picture in the same
// run: first paint, frames while panning, a whole repaint, a patch of 200 changes, heap, bytes.
//
//   cargo test --lib views                                  keeps the page that is measured
//   npm ci --prefix tests                                   brings cytoscape.js
//   node tests/browser/bench.mjs [--nodes 50,500,2000] [--rounds 3] [--seconds 2]
//
// Numbers are medians of the rounds. It measures and asserts nothing: times are the machine's.

import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { Console, DRAWN, LIVE } from "./console.mjs";
import { preview } from "./preview.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const CYTOSCAPE = here("../node_modules/cytoscape/dist/cytoscape.min.js");
const FILES = { "/bench/cytoscape.html": here("cytoscape.html"), "/bench/cytoscape.css": here("cytoscape.css"), "/bench/cytoscape.min.js": CYTOSCAPE, "/bench/cytoscape-map.js": here("cytoscape-map.js") };

const { values } = parseArgs({ options: { nodes: { type: "string", default: "50,500,1000,2000,5000,10000" }, rounds: { type: "string", default: "3" }, seconds: { type: "string", default: "2" } } });
const CHANGES = 200;

// Put into the page before its own scripts: notes when a patch came and when it was on the stage.
const PROBE = `(() => {
  window.bench = { patched: [] };
  const Plain = window.EventSource;
  window.EventSource = class extends Plain {
    addEventListener(name, run, ...more) {
      super.addEventListener(name, name !== "patch" ? run : (event) => {
        window.bench.came = performance.now();
        run(event);
      }, ...more);
    }
  };
  addEventListener("DOMContentLoaded", () => {
    const stage = document.getElementById("stage");
    if (!stage) return;
    new MutationObserver(() => {
      window.bench.first ??= performance.now();
      if (window.bench.came) window.bench.patched.push(performance.now() - window.bench.came);
      window.bench.came = null;
    }).observe(stage, { attributes: true, attributeFilter: ["data-seq", "data-drawn-nodes"] });
  });
})()`;

// Frames per second while \`step\` moves the picture a little in each of them.
const panning = (step, seconds) => `new Promise((resolve) => {
  const began = performance.now();
  let frames = 0;
  const frame = () => {
    frames += 1;
    (${step})(Math.floor(frames / 60) % 2 === 0 ? 7 : -7);
    if (performance.now() - began < ${seconds * 1000}) requestAnimationFrame(frame);
    else resolve((frames - 1) / ((performance.now() - began) / 1000));
  };
  requestAnimationFrame(frame);
})`;

// Milliseconds of the frame that draws everything after \`ask\`.
const drawing = (ask) => `new Promise((resolve) => requestAnimationFrame(() => {
  let from;
  requestAnimationFrame(() => { from = performance.now(); });
  (${ask})();
  requestAnimationFrame(() => resolve(performance.now() - from));
}))`;

const DRAG = `(by) => {
  const stage = document.getElementById("stage");
  const at = (window.bench.x = (window.bench.x ?? 500) + by);
  const tell = (type) => stage.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: at, clientY: 450, button: 0, bubbles: true }));
  if (!window.bench.held) {
    stage.setPointerCapture = () => {};
    tell("pointerdown");
    window.bench.held = true;
  }
  tell("pointermove");
}`;

async function heap(page) {
  await page.send("HeapProfiler.collectGarbage");
  const { metrics } = await page.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "JSHeapUsedSize").value / 1e6;
}

async function open(desk, path) {
  const page = await desk.browser.page({ reducedMotion: true });
  await page.send("Performance.enable");
  await page.send("Page.addScriptToEvaluateOnNewDocument", { source: PROBE });
  await page.open(desk.url + path);
  return page;
}

async function own(desk, server) {
  const page = await open(desk, "/map");
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  const first = await page.read(`window.bench.first - performance.getEntriesByType("resource").find(({ name }) => name.includes("/api/v1/topology")).responseEnd`);
  const pan = await page.read(panning(DRAG, Number(values.seconds)));
  await page.read(`document.getElementById("zoom-fit").click()`);
  const repaint = await page.read(drawing(`() => document.dispatchEvent(new Event("kattila:theme"))`));
  await page.read("window.bench.patched = []");
  server.change(CHANGES);
  const patch = await page.until("window.bench.patched[0]", "the patch to be drawn");
  return { first, pan, repaint, patch, heap: await heap(page) };
}

async function other(desk, server) {
  const page = await open(desk, "/bench/cytoscape.html");
  const { first } = await page.read("window.ready");
  const pan = await page.read(panning("(by) => window.cy.panBy({ x: by, y: 0 })", Number(values.seconds)));
  // Its own loop may draw before or after anything that is asked for here, so it is asked directly.
  const repaint = await page.read(`(() => {
    const renderer = window.cy.renderer();
    const from = performance.now();
    renderer.data.canvasNeedsRedraw.fill(true);
    renderer.render({});
    return performance.now() - from;
  })()`);
  const agents = server.picture.nodes.filter(({ role }) => role === "agent").slice(0, CHANGES);
  const ids = new Set(agents.map(({ id }) => id));
  const edges = server.picture.edges.filter(({ source, target }) => ids.has(source) || ids.has(target));
  const change = JSON.stringify({ n: { set: agents.map(({ id }) => ({ id, status: "stale" })) }, e: { set: edges.map(({ id, ends }) => ({ id, ends: ends.map(({ state }) => ({ state })) })) } });
  const patch = await page.read(`new Promise((resolve) => { const from = performance.now(); window.cy.one("render", () => resolve(performance.now() - from)); window.patch(${change}); })`);
  return { first, pan, repaint, patch, heap: await heap(page) };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function line(name, nodes, edges, rounds) {
  const of = (what, digits = 0) => median(rounds.map((round) => round[what])).toFixed(digits);
  console.log(`| ${nodes} / ${edges} | ${name} | ${of("first")} | ${of("pan")} | ${of("repaint", 1)} | ${of("patch", 1)} | ${of("heap", 1)} |`);
}

const served = (name) => readFileSync(here(`../../static/js/${name}`), "utf8").split("\n").map((text) => text.trim()).map((text) => (text.startsWith("//") ? "" : text)).join("\n");
const zipped = (text) => (gzipSync(text, { level: 9 }).length / 1000).toFixed(1);
// What the page names beside its first script is what it needs for its first picture.
const first = ["map.js", "page.js", "theme.js", ...[...readFileSync(here("../../templates/map.html"), "utf8").matchAll(/modulepreload" href="[^"]*\/js\/([\w.-]+)"/g)].map(([, name]) => name)];
console.log(`JavaScript, gzip: the map ${zipped(first.sort().map(served).join(""))} kB for its first picture, ${zipped(readdirSync(here("../../static/js")).sort().map(served).join(""))} kB in all, cytoscape.js ${zipped(readFileSync(CYTOSCAPE))} kB\n`);
console.log("| nodes / links | drawn by | first paint, ms | pan, frames/s | repaint, ms | patch of 200, ms | heap, MB |\n|---|---|---|---|---|---|---|");

for (const nodes of values.nodes.split(",")) {
  const server = await preview(nodes, 0, 0, FILES);
  const rounds = { own: [], other: [] };
  for (let i = 0; i < Number(values.rounds); i += 1) {
    // A browser of its own for each, so that none finds the other's memory.
    for (const [kind, measure] of [["own", own], ["other", other]]) {
      const desk = await Console.open(server.url);
      try {
        rounds[kind].push(await measure(desk, server));
      } finally {
        await desk.close();
      }
    }
  }
  line("Kattila", nodes, server.picture.edges.length, rounds.own);
  line("cytoscape.js", nodes, server.picture.edges.length, rounds.other);
  server.close();
}
