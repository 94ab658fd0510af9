// The scripts as they are served (assets.rs drops comment lines and indentation) stay small.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FOLDER = fileURLToPath(new URL("../../static/js/", import.meta.url));
// 25 KB for the map as it was drawn up, and what each layer on top of it takes.
const LAYERS = { relays: 1024, time: 2048, "what was said then": 1024, exports: 256, subnets: 1536, "questions (path, what if, neighbourhood)": 6656, "several chosen": 2048, arranging: 2560 };
const LIMIT = 25 * 1024 + Object.values(LAYERS).reduce((sum, bytes) => sum + bytes);

const served = (name) => readFileSync(FOLDER + name, "utf8").split("\n").map((line) => line.trim()).map((line) => (line.startsWith("//") ? "" : line)).join("\n");

test("all scripts together are at most 25 KB compressed, and a little for each layer", () => {
  const all = readdirSync(FOLDER).sort().map(served).join("");
  const size = gzipSync(all, { level: 9 }).length;
  assert.ok(size <= LIMIT, `${size} bytes`);
});
