import assert from "node:assert/strict";
import test from "node:test";
import { crowdRadius, MAX_AGENTS, halfStyle, midMark, openRadius, plan } from "../../static/js/lod.js";
import { fromSnapshot } from "../../static/js/scene.js";
import { edge, node, picture, site } from "./fixture.mjs";

const SIZE = { w: 1000, h: 700 };
const at = (k, x = 200, y = 0) => plan(fromSnapshot(picture()), { x, y, k }, SIZE);

test("far away there are bubbles and one line between two sites", () => {
  const far = at(0.2);
  assert.equal(far.level, "sites");
  assert.equal(far.bubbles.length, 2);
  assert.deepEqual([far.nodes.length, far.edges.length], [0, 0]);
  assert.deepEqual(far.bundles.map((b) => [b.count, b.bad, b.down]), [[2, 2, 2]]);
});

test("nearer there are agents and each link by itself", () => {
  const near = at(1);
  assert.equal(near.level, "agents");
  assert.deepEqual([near.nodes.length, near.edges.length, near.bundles.length], [4, 4, 0]);
});

test("close up there are interfaces", () => {
  assert.equal(at(6, 0, 0).level, "interfaces");
});

test("a link to a site beyond the edge of the stage keeps its halves", () => {
  const hel = at(3, 0, 0);
  assert.equal(hel.bubbles.length, 0);
  const link = hel.edges.find((item) => item.id === "e2");
  assert.ok(link.b.sx > SIZE.w, "its far end is out of sight");
  assert.equal(hel.bundles.length, 0);
});

test("small sites open sooner than large ones", () => {
  assert.ok(openRadius(3) < openRadius(20));
  assert.equal(openRadius(5000), 90);
});

test("never more agents at once than can be read", () => {
  const huge = { ...picture(), sites: [site("lab/a", 0, 0, 300), site("lab/b", 700, 0, 300)], nodes: [], edges: [] };
  for (const name of ["lab/a", "lab/b"]) {
    for (let i = 0; i < 1000; i += 1) huge.nodes.push(node(`a:${name}${i}`, name, { x: (name === "lab/a" ? 0 : 700) + (i % 30), y: i / 30 }));
  }
  const scene = fromSnapshot(huge);
  const both = plan(scene, { x: 300, y: 0, k: 0.6 }, SIZE);
  assert.ok(both.shown <= MAX_AGENTS);
  assert.deepEqual([both.circles.map((s) => s.id), both.bubbles.map((s) => s.id)], [["lab/a"], ["lab/b"]]);
});

test("each half is drawn by its own end, and ends that disagree never look healthy", () => {
  const down = edge("e", "a", "b", "down", ["down", "unknown"]);
  assert.deepEqual([halfStyle(down, 0), halfStyle(down, 1), midMark(down)], ["down", "unknown", "cross"]);
  const half = edge("e", "a", "b", "half_configured", ["up", "missing"]);
  assert.deepEqual([halfStyle(half, 0), halfStyle(half, 1), midMark(half)], ["overdue", "overdue", "differ"]);
  const late = edge("e", "a", "b", "up", ["overdue", "up"]);
  assert.deepEqual([halfStyle(late, 0), halfStyle(late, 1), midMark(late)], ["overdue", "up", null]);
  assert.equal(midMark(edge("e", "a", "b", "never", ["never", "never"])), "hollow");
});

test("bubbles shrink when there are hundreds of sites", () => {
  const grid = (n, pitch) => Array.from({ length: n * n }, (_, i) => ({ sx: (i % n) * pitch, sy: Math.floor(i / n) * pitch }));
  assert.equal(crowdRadius(grid(1, 100)), Infinity);
  assert.ok(crowdRadius(grid(25, 30)) < 15, "neighbours 30 px apart must not touch");
  assert.ok(crowdRadius(grid(3, 200)) > 46, "a few sites have all the room");
  assert.equal(crowdRadius(grid(40, 1)), 6);
});
