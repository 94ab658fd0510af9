// Takes the pictures of the documentation from a fresh demo:
//   node tests/browser/pictures.mjs
// It builds kattila, runs `kattila demo --faults`, waits until something is broken, and writes
// docs/img/*.png.

import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Console, DRAWN, LIVE } from "./console.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const IMAGES = join(ROOT, "docs/img");

// Pictures are read with every clone, so they stay small.
const MOST_BYTES = 300000;

async function startDemo() {
  const child = spawn("cargo", ["run", "--quiet", "--", "demo", "--faults", "--listen", "127.0.0.1:0"], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^listening on (\S+)$/.exec(line)?.[1];
    if (url) return { child, url };
  }
  throw new Error("the demo ended before it listened");
}

async function take(page, name) {
  const path = join(IMAGES, `${name}.png`);
  await page.screenshot(path);
  const { size } = statSync(path);
  if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes, more than ${MOST_BYTES}`);
  console.log(`${path}: ${size} bytes`);
}

async function drawn(desk, path, options) {
  const page = await desk.visit(path, options);
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  return page;
}

const picture = (page) => page.read(`fetch("/api/v1/topology").then((answer) => answer.json())`);

const { child, url } = await startDemo();
const desk = await Console.open(url);
try {
  const size = { width: 1280, height: 800, reducedMotion: true };
  const first = await drawn(desk, "/map", size);
  // The first faults come with the demo; by then every link has been judged.
  await first.until(async () => (await picture(first)).nodes.filter((node) => node.kind === "agent").length >= 40, "the whole fleet");
  await first.until(async () => (await picture(first)).alarms_open >= 8, "some alarms");
  await first.until(`document.querySelectorAll("#alarm-list li").length >= 8`, "the alarms beside the map");
  await take(first, "map-light");
  const map = await picture(first);
  const gateway = map.nodes.find((node) => node.role === "gateway" && node.alarms > 0) ?? map.nodes[0];
  const chosen = await drawn(desk, `/map?sel=${encodeURIComponent(`node~${gateway.id}`)}`, { ...size, dark: true });
  await chosen.until(`document.querySelector("#detail .facts") !== null`, "the agent's facts");
  await chosen.until(`document.getElementById("stage").dataset.level !== "sites"`, "the view to come to rest");
  await take(chosen, "map-dark");
  const down = map.edges.find((edge) => edge.state === "down");
  const link = await desk.visit(`/links/${down.id}`, size);
  await take(link, "link");
  // What would be lost without that gateway, and the map as it was before.
  const without = await drawn(desk, `/map?without=${encodeURIComponent(gateway.id)}`, size);
  await without.until(`/New single points/.test(document.getElementById("tool").innerText)`, "the answer");
  await take(without, "what-if");
  const past = await drawn(desk, "/map", size);
  await past.until(`!document.getElementById("time").hidden`, "the strip");
  await past.read(`document.getElementById("stage").focus()`);
  await past.press("[");
  await past.until(`Number(document.getElementById("stage").dataset.at) > 0`, "a time of the past");
  await take(past, "time");
  const [alarm] = await first.read(`fetch("/api/v1/alarms?kind=edge.down").then((answer) => answer.json())`);
  const page = await desk.visit(`/alarms/${alarm.id}`, size);
  await take(page, "alarm");
  const phone = await drawn(desk, "/map", { width: 390, height: 844, scale: 1, reducedMotion: true });
  await take(phone, "map-phone");
} finally {
  await desk.close();
  // Cargo has become the program it was told to run, so the signal reaches the demo.
  child.kill("SIGINT");
}
