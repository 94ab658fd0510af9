import assert from "node:assert/strict";
import test from "node:test";
import { applyLayout, glide } from "../../static/js/glide.js";
import { applyPatch, fromSnapshot } from "../../static/js/scene.js";
import { picture } from "./fixture.mjs";

test("a layout moves nodes unless it is older than the one known", () => {
  const scene = fromSnapshot(picture());
  assert.equal(applyLayout(scene, { layout_rev: 2, moved: [["a:hel-gw1", 7, 8], ["lab/oul", 1, 2]] }), true);
  assert.deepEqual([scene.nodes.get("a:hel-gw1").x, scene.sites.get("lab/oul").y, scene.layoutRev], [7, 2, 2]);
  assert.equal(applyLayout(scene, { layout_rev: 1, moved: [] }), false);
});

// A page whose frames come when they are asked for.
function page() {
  const p = { scene: fromSnapshot(picture()), patches: 0, drawn: 0, resyncs: 0, frames: [] };
  p.patched = () => (p.patches += 1);
  p.dirty = () => (p.drawn += 1);
  p.feed = { resync: () => (p.resyncs += 1) };
  p.glide = (layout, still = false) => glide(p, layout, (step) => p.frames.push(step), still);
  p.frame = (now) => p.frames.splice(0).forEach((step) => step(now));
  p.at = (id) => [p.scene.nodes.get(id) ?? p.scene.sites.get(id)].map(({ x, y }) => [x, y])[0];
  return p;
}

const move = (moved, rev = 2) => ({ layout_rev: rev, moved });

test("what was moved glides there in a quarter of a second, nodes and sites", () => {
  const p = page();
  p.glide(move([["a:hel-db1", 150, 100], ["lab/oul", 500, 0], ["a:hel-gw1", 0, 0], ["a:gone", 1, 1]]));
  assert.deepEqual([p.at("a:hel-db1"), p.patches, p.frames.length, p.scene.layoutRev], [[50, 0], 1, 1, 2]);
  p.frame(1000);
  assert.deepEqual(p.at("a:hel-db1"), [50, 0]);
  p.frame(1125);
  assert.deepEqual([p.at("a:hel-db1"), p.at("lab/oul")], [[125, 75], [475, 0]]);
  p.frame(1250);
  assert.deepEqual([p.at("a:hel-db1"), p.at("lab/oul"), p.frames.length, p.drawn], [[150, 100], [500, 0], 0, 3]);
});

test("who wants no motion sees it there at once, and what did not move draws no frame", () => {
  const p = page();
  p.glide(move([["a:hel-db1", 150, 100]]), true);
  assert.deepEqual([p.at("a:hel-db1"), p.patches, p.frames.length], [[150, 100], 1, 0]);
  p.glide(move([["a:hel-db1", 150, 100]], 3));
  assert.deepEqual([p.frames.length, p.scene.layoutRev], [0, 3]);
});

test("the patch that tells the same does not cut it short, another place does", () => {
  const p = page();
  p.glide(move([["a:hel-db1", 150, 100], ["a:hel-gw1", 80, 80]]));
  p.frame(1000);
  p.frame(1125);
  const told = (id, x, y) => ({ from: p.scene.seq, seq: p.scene.seq + 1, t: 1, n: { set: [{ id, x, y }], del: [] } });
  applyPatch(p.scene, told("a:hel-db1", 150, 100));
  applyPatch(p.scene, told("a:hel-gw1", 7, 7));
  p.frame(1130);
  assert.notDeepEqual(p.at("a:hel-db1"), [150, 100]);
  p.frame(1250);
  assert.deepEqual([p.at("a:hel-db1"), p.at("a:hel-gw1"), p.frames.length], [[150, 100], [7, 7], 0]);
});

test("a layout that cannot be followed, and a scene that was fetched anew", () => {
  const p = page();
  p.glide(move([["a:hel-db1", 1, 1]], 0));
  assert.deepEqual([p.resyncs, p.at("a:hel-db1"), p.frames.length], [1, [50, 0], 0]);
  p.glide(move([["a:hel-db1", 150, 100]]));
  p.scene = fromSnapshot(picture());
  p.frame(1000);
  assert.deepEqual([p.at("a:hel-db1"), p.frames.length, p.drawn], [[50, 0], 0, 0]);
});
