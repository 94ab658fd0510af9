// The scripts as they are served (assets.rs drops comment lines and indentation) stay small, and the
// map is drawn before all of them are there. Sizes are of what is packed together; file by file, as it
// travels, it is a sixth more.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FOLDER = fileURLToPath(new URL("../../static/js/", import.meta.url));
// What the map's page loads to draw itself, and to be moved and filtered.
const FIRST = 25 * 1024;
// What is loaded when somebody wants it, and the most that it takes by itself.
const LATER = {
  // Wanted by everybody, once the picture is on its way.
  "words.js": 896, // chips and words
  "panel.js": 2816, // the panel at the side
  "alarms.js": 1536, // the alarms below it
  "time.js": 1984, // the strip of times
  "a11y.js": 2176, // what is told to those who do not see the stage
  "keys.js": 2304, // the keyboard, and what chooses several
  "search.js": 1664,
  "rescue.js": 1152, // what is left when the map cannot be drawn
  "files.js": 1024, // files, pictures and paper
  // Wanted by some.
  "details.js": 3328, // what is chosen, from the first choice on
  "manager.js": 1344, // where reports end
  "groups.js": 1664, // several chosen things, and a prefix
  "outage.js": 2944, // what a dead thing took with it
  "told.js": 768, // what was said at a time of the past
  "networks.js": 2560, // the layer of networks, when it is switched on
  "reach.js": 640, // what is around something
  "tools.js": 5376, // questions: neighbourhood, path, what if
  "arrange.js": 2304, // operators who move things
  "glide.js": 896, // what they moved, on its way
  "png.js": 2816, // a picture as a file
  "share.js": 1920, // operators who share a view
  "columns.js": 640, // maps of many nodes
  "parts.js": 3584, // maps that are too large to be held whole
  "start.js": 512, // a manager without agents
};

const served = (name) => readFileSync(FOLDER + name, "utf8").split("\n").map((line) => line.trim()).map((line) => (line.startsWith("//") ? "" : line)).join("\n");

const packed = (names) => gzipSync(names.map(served).join(""), { level: 9 }).length;

// A script and all that it cannot do without.
function needs(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, other] of served(name).matchAll(/^(?:import|export) [^;]*?from "\.\/([\w.-]+)";/gm)) needs(other, found);
  return found;
}

const first = [...new Set([...needs("map.js"), ...needs("page.js")])].sort();

test("what the map needs to be drawn stays small", () => {
  const size = packed(first);
  assert.ok(size <= FIRST, `${size} bytes: ${first.join(" ")}`);
});

test("everything else is loaded when it is wanted, and each part stays small", () => {
  const later = readdirSync(FOLDER).filter((name) => !first.includes(name)).sort();
  assert.deepEqual(later, Object.keys(LATER).sort());
  for (const [name, most] of Object.entries(LATER)) assert.ok(packed([name]) <= most, `${name}: ${packed([name])} bytes`);
});

test("the page names all that the map cannot do without, so that none of it is asked for after another", () => {
  const page = readFileSync(fileURLToPath(new URL("../../templates/map.html", import.meta.url)), "utf8");
  const named = [...page.matchAll(/rel="modulepreload" href="[^"]*\/js\/([\w.-]+)"/g)].map(([, name]) => name);
  assert.deepEqual(named.sort(), [...needs("map.js")].filter((name) => name !== "map.js").sort());
});
