import assert from "node:assert/strict";
import test from "node:test";
import { place } from "../../static/js/labels.js";

const label = (owner, x, y, priority, more = {}) => ({ owner, x, y, w: 60, h: 16, gap: 6, priority, ...more });

const overlap = (a, b) => a.bx < b.bx + b.w && b.bx < a.bx + a.w && a.by < b.by + b.h && b.by < a.by + a.h;

test("placed labels never overlap each other or a node", () => {
  const wanted = [];
  const nodes = [];
  for (let i = 0; i < 200; i += 1) {
    const [x, y] = [(i * 37) % 400, (i * 91) % 300];
    wanted.push(label(`n${i}`, x, y, i % 5));
    nodes.push({ owner: `n${i}`, x: x - 5, y: y - 5, w: 10, h: 10 });
  }
  const placed = place(wanted, nodes);
  assert.ok(placed.length > 20);
  placed.forEach((a, i) => {
    for (const b of placed.slice(i + 1)) assert.ok(!overlap(a, b), `${a.owner} over ${b.owner}`);
    for (const n of nodes) if (n.owner !== a.owner) assert.ok(!overlap(a, { bx: n.x, by: n.y, ...n }), `${a.owner} over node ${n.owner}`);
  });
});

test("the more important one wins the place, whatever the order asked", () => {
  const fixed = { fixed: true };
  const placed = place([label("b", 0, 0, 2, fixed), label("a", 0, 0, 1, fixed)], []);
  assert.deepEqual(placed.map((l) => l.owner), ["a"]);
});

test("a label moves aside, then shrinks, then is left out", () => {
  const block = { owner: "block", x: -40, y: 6, w: 80, h: 20 };
  assert.ok(place([label("a", 0, 0, 1)], [block])[0].by < 0, "above instead of below");
  const walls = [block, { ...block, y: -30, h: 26 }, { owner: "w", x: -90, y: -30, w: 84, h: 60 }, { owner: "w", x: 40, y: -30, w: 90, h: 60 }];
  assert.deepEqual(place([label("a", 0, 0, 1)], walls), []);
  const less = label("a", 0, 0, 1, { w: 20, h: 4 });
  assert.equal(place([label("a", 0, 0, 1, { less })], walls)[0].w, 20);
});

test("no label is cut by the stage's edge: it moves sideways under its point, or is left out", () => {
  const stage = { w: 390, h: 600 };
  const at = (x, y, more = {}) => place([label("a", x, y, 1, more)], [], stage).map(({ bx, by }) => [bx, by]);
  assert.deepEqual(at(380, 300), [[330, 306]], "to the left, below its point");
  assert.deepEqual(at(4, 300, { upright: true }), [[0, 306]]);
  assert.deepEqual(at(200, 595), [[170, 573]], "above, where there is no room below");
  assert.deepEqual(at(385, 300, { fixed: true }), [], "what stands on its point is left out");
  assert.deepEqual(at(-10, 300, { upright: true }), [], "what belongs to a point beside the stage does not lean in");
  assert.deepEqual(at(500, 300), [[470, 306]], "what is wholly beside it waits there for who drags the map");
  assert.deepEqual(at(200, 300, { w: 500 }), [], "what is wider than the stage");
});
