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
