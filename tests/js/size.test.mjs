// The scripts as they are served (assets.rs drops comment lines and indentation) stay small, and the
// map is drawn before all of them are there.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FOLDER = fileURLToPath(new URL("../../static/js/", import.meta.url));
// What the map's page loads to draw itself and to be moved, searched and filtered.
const FIRST = 33 * 1024;
// What is loaded when somebody wants it, and the most that it takes by itself.
const LATER = {
  "details.js": 3840, // what is chosen, from the first choice on
  "groups.js": 2048, // several chosen things, and a prefix
  "told.js": 1024, // what was said at a time of the past
  "tools.js": 6144, // questions: neighbourhood, path, what if
  "arrange.js": 2560, // operators who move things
  "share.js": 1792, // operators who share a view
  "start.js": 640, // a manager without agents
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
