import assert from "node:assert/strict";
import test from "node:test";
import { bars, readTime } from "../../static/js/time.js";
import { read, write } from "../../static/js/url.js";

const NOW = Date.parse("2026-11-27T14:02:11Z") / 1000;

test("a time is written as people do", () => {
  const at = (text) => Date.parse(text) / 1000;
  const table = [
    ["-90m", at("2026-11-27T12:32:11Z")],
    ["-2h", at("2026-11-27T12:02:11Z")],
    ["-1 d", at("2026-11-26T14:02:11Z")],
    ["13:59", at("2026-11-27T13:59:00Z")],
    ["9:05:07", at("2026-11-27T09:05:07Z")],
    // What has not come yet today was yesterday.
    ["14:03", at("2026-11-26T14:03:00Z")],
  ];
  for (const [text, seconds] of table) assert.equal(readTime(text, NOW), String(seconds), text);
  // The rest is for the manager to read or to refuse.
  for (const text of ["2026-11-20 14:02", "1795214300", "yesterday", "29:99"]) assert.equal(readTime(` ${text}`, NOW), text);
});

test("every change has its bar, in its place, however few they are beside the most", () => {
  const found = bars({ from: 1000, to: 2000, buckets: [{ at: 1000, count: 1, worst: "info" }, { at: 1500, count: 4000, worst: "major" }, { at: 1990, count: 9, worst: "warning" }] });
  assert.deepEqual(found.map(({ x, look }) => [x, look]), [[0, "stale"], [50, "down"], [99, "late"]]);
  assert.ok(found.every(({ height }) => height > 12 && height <= 100));
  assert.equal(found[1].height, 100);
  assert.deepEqual(bars({ from: 0, to: 10, buckets: [] }), []);
});

test("a time of the past is part of the address", () => {
  const state = read("?at=1795214300&p=1");
  assert.equal(state.at, 1795214300);
  assert.match(write(state), /at=1795214300/);
  assert.equal(read("?at=never").at, null);
});
