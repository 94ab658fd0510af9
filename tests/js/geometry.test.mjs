import assert from "node:assert/strict";
import test from "node:test";
import { bow, distanceToCurve, fit, halves, hit, pointOnHalf, stepTo, toScreen, toWorld, zoomAt } from "../../static/js/geometry.js";

const SIZE = { w: 800, h: 600 };

const near = (a, b, what) => assert.ok(Math.abs(a - b) < 1e-6, `${what}: ${a} is not ${b}`);

test("screen and world are each other's inverse", () => {
  const view = { x: 12, y: -7, k: 2.5 };
  const [x, y] = toWorld(view, SIZE, ...toScreen(view, SIZE, 31, 44));
  near(x, 31, "x");
  near(y, 44, "y");
});

test("zooming keeps the point under the pointer", () => {
  const view = { x: 5, y: 6, k: 1 };
  const before = toWorld(view, SIZE, 700, 90);
  const after = toWorld(zoomAt(view, SIZE, 700, 90, 3, { min: 0.1, max: 10 }), SIZE, 700, 90);
  near(before[0], after[0], "x");
  near(before[1], after[1], "y");
  assert.equal(zoomAt(view, SIZE, 1, 1, 1000, { min: 0.1, max: 10 }).k, 10);
});

test("fitting shows every circle inside the insets", () => {
  const circles = [{ x: -300, y: 0, r: 50 }, { x: 900, y: 400, r: 120 }];
  const inset = { left: 200, right: 20, top: 30, bottom: 40 };
  const view = fit(circles, SIZE, inset, 100);
  for (const { x, y, r } of circles) {
    const [sx, sy] = toScreen(view, SIZE, x, y);
    assert.ok(sx - r * view.k >= inset.left - 0.01 && sx + r * view.k <= SIZE.w - inset.right + 0.01);
    assert.ok(sy - r * view.k >= inset.top - 0.01 && sy + r * view.k <= SIZE.h - inset.bottom + 0.01);
  }
  assert.deepEqual(fit([], SIZE, inset, 2), { x: 0, y: 0, k: 1 });
});

test("both halves of a link meet, straight or bowed", () => {
  for (const bend of [0, 20, -13]) {
    const curve = halves(10, 20, 200, 120, bend);
    assert.deepEqual(pointOnHalf(curve, 0, 1), curve.mid);
    assert.deepEqual(pointOnHalf(curve, 1, 1), curve.mid);
    assert.deepEqual(pointOnHalf(curve, 0, 0), [10, 20]);
    assert.ok(distanceToCurve(...curve.mid, curve) < 1);
  }
});

test("parallel links bow apart, whichever end is named first", () => {
  const there = halves(0, 0, 100, 0, bow(0, 2)).mid;
  const back = halves(100, 0, 0, 0, bow(1, 2)).mid;
  assert.ok(Math.abs(there[1] - back[1]) >= 13, `${there} and ${back}`);
  assert.equal(bow(0, 1), 0);
  assert.equal(bow(1, 3), 0);
});

test("a hit prefers nodes to links and misses what is far", () => {
  const curve = halves(100, 100, 300, 100, 0);
  const plan = { nodes: [{ id: "n", sx: 100, sy: 100, r: 5 }], bubbles: [{ id: "s", sx: 500, sy: 300, sr: 30 }], circles: [], edges: [{ id: "e", curve }] };
  assert.deepEqual(hit(plan, 103, 102, 0), { type: "node", id: "n" });
  assert.deepEqual(hit(plan, 200, 103, 0), { type: "edge", id: "e" });
  assert.deepEqual(hit(plan, 510, 310, 0), { type: "site", id: "s" });
  assert.equal(hit(plan, 200, 120, 0), null);
  assert.deepEqual(hit(plan, 200, 112, 10), { type: "edge", id: "e" });
});

test("a step goes to the nearest in that direction and nowhere else", () => {
  const from = { id: "o", sx: 0, sy: 0 };
  const items = [from, { id: "far", sx: 100, sy: 0 }, { id: "close", sx: 40, sy: 10 }, { id: "above", sx: 5, sy: -30 }, { id: "behind", sx: -10, sy: 0 }];
  assert.equal(stepTo(items, from, "right").id, "close");
  assert.equal(stepTo(items, from, "up").id, "above");
  assert.equal(stepTo(items, from, "left").id, "behind");
  assert.equal(stepTo(items, from, "down"), null);
});
