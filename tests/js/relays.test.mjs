import assert from "node:assert/strict";
import test from "node:test";
import { hit } from "../../static/js/geometry.js";
import { only, plan } from "../../static/js/lod.js";
import { arrivals, line } from "../../static/js/manager.js";
import { managerPlace, steps, way } from "../../static/js/relays.js";
import { applyPatch, fromSnapshot } from "../../static/js/scene.js";
import { read, write } from "../../static/js/url.js";
import { node, picture, site } from "./fixture.mjs";

const SIZE = { w: 1000, h: 700 };

const by = (relays, proof, more = {}) => ({ relay_path: relays, relay_proof: proof, ...more });

// hel-far reports through hel-db1 and hel-gw1, hel-near through hel-gw1, oul-old says so itself.
const relayed = () => {
  const all = picture();
  all.nodes.push(
    node("a:hel-far", "lab/hel", by(["hel-db1", "hel-gw1"], "proven", { x: -40, y: -30 })),
    node("a:hel-near", "lab/hel", by(["hel-gw1"], "proven", { x: -20, y: 60 })),
    node("a:oul-old", "lab/oul", by(["gone", "hel-gw1"], "claimed", { x: 420 })),
    node("a:oul-new", "lab/oul", by(["hel-gw1"], "proven", { x: 440 })),
  );
  return fromSnapshot(all);
};

const told = (scene) => steps(scene).map(({ from, to, proven }) => `${from.slice(2)} > ${to.replace("a:", "")} ${proven ? "proven" : "claimed"}`).sort();

test("each step is told once, the last to the manager, and unknown relays are passed over", () => {
  assert.deepEqual(told(relayed()), ["hel-db1 > hel-gw1 proven", "hel-far > hel-db1 proven", "hel-gw1 > manager proven", "hel-near > hel-gw1 proven", "oul-new > hel-gw1 proven", "oul-old > hel-gw1 claimed"]);
  assert.deepEqual(told(fromSnapshot(picture())), []);
});

test("a step that anybody proved is proven", () => {
  const scene = relayed();
  Object.assign(scene.nodes.get("a:hel-db1"), by(["hel-gw1"], "claimed"));
  assert.ok(told(scene).includes("hel-db1 > hel-gw1 proven"));
  scene.nodes.delete("a:hel-far");
  assert.ok(told(scene).includes("hel-db1 > hel-gw1 claimed"));
});

test("a patch moves a path", () => {
  const scene = relayed();
  const straight = { ...scene.nodes.get("a:hel-near"), relay_path: [], relay_proof: null };
  const patch = { from: 10, seq: 11, t: 1001, n: { set: [straight], del: [] }, e: { set: [], del: [] }, s: { set: [], del: [] } };
  assert.equal(applyPatch(scene, patch), "applied");
  assert.ok(!told(scene).some((step) => step.startsWith("hel-near")));
});

test("paths are in the plan only if asked for, and bow beside the links", () => {
  const view = { x: 200, y: 0, k: 1 };
  assert.deepEqual(plan(relayed(), view, SIZE).relays, []);
  const near = plan(relayed(), view, SIZE, 0, { wireguard: true, relays: true });
  assert.equal(near.relays.length, 6);
  const [last] = near.relays.filter(({ to }) => to === "manager");
  assert.deepEqual([last.a.id, last.b.id, near.manager.id], ["a:hel-gw1", "manager", "manager"]);
  const step = near.relays.find(({ from }) => from === "a:hel-near");
  assert.deepEqual([step.a.id, step.b.id], ["a:hel-near", "a:hel-gw1"]);
  assert.equal(step.curve.straight, false);
  // The arrow points from the agent to its relay.
  const [dx, dy] = [step.b.sx - step.a.sx, step.b.sy - step.a.sy];
  assert.ok(step.curve.along[0] * dx + step.curve.along[1] * dy > 0);
});

test("between bubbles a path joins the sites, within one it does not show", () => {
  const far = plan(relayed(), { x: 200, y: 0, k: 0.2 }, SIZE, 0, { wireguard: true, relays: true });
  assert.deepEqual(far.relays.map(({ a, b, proven }) => [a.id, b.id, proven]), [["lab/hel", "manager", true], ["lab/oul", "lab/hel", true]]);
  const alone = { ...picture(), sites: [site("lab/hel", 0, 0, 100)] };
  assert.deepEqual(plan(fromSnapshot(alone), { x: 0, y: 0, k: 1 }, SIZE, 0, { wireguard: true, relays: true }).relays, []);
});

test("the manager stands above all sites, and only where reports come by relays", () => {
  const scene = relayed();
  const place = managerPlace(scene.sites.values());
  assert.ok([...scene.sites.values()].every(({ y, r }) => place.y < y - r));
  const layers = { wireguard: true, relays: true };
  const view = { x: 200, y: 0, k: 1 };
  const near = plan(scene, view, SIZE, 0, layers);
  assert.deepEqual([near.manager.sx, near.manager.sy], [place.x - 200 + 500, place.y + 350]);
  assert.equal(plan(fromSnapshot(picture()), view, SIZE, 0, layers).manager, null);
  assert.equal(plan(scene, view, SIZE).manager, null);
  const bright = { nodes: new Set(["a:hel-gw1"]), edges: new Set() };
  assert.deepEqual(only(near, bright).relays.map(({ from, to }) => [from, to]), [["a:hel-gw1", "manager"]]);
});

test("a path in words", () => {
  const scene = relayed();
  assert.equal(way(scene, by(["hel-db1", "gone"], "proven")), "via hel-db1, gone (not on this map) (proven)");
  assert.equal(way(scene, by([], null)), "direct");
});

test("the layer is in the address", () => {
  const state = read("?r=1");
  assert.equal(state.layers.has("relays"), true);
  assert.equal(write({ ...state, view: null }), "?layers=wireguard%2Crelays");
  assert.equal(read("").layers.has("relays"), false);
});

test("how reports came to the manager", () => {
  const scene = relayed();
  const { direct, relayed: through, hidden, unseen, last } = arrivals(scene);
  assert.deepEqual({ direct, through, hidden, unseen, last }, { direct: 3, through: 4, hidden: 1, unseen: ["gone"], last: [["a:hel-gw1", 4]] });
  assert.equal(line(scene), "Manager, 3 agents report straight to it, 4 through relays, 1 of them through relays that are not on this map");
  assert.equal(line(fromSnapshot({ ...picture(), nodes: [] })), "Manager, 0 agents report straight to it, 0 through relays");
});

test("the manager is under the pixel where it stands", () => {
  const { manager, ...rest } = plan(relayed(), { x: 200, y: 0, k: 0.5 }, SIZE, 0, { wireguard: true, relays: true });
  assert.deepEqual(hit({ ...rest, manager }, manager.sx + 3, manager.sy, 0), { type: "manager", id: "manager" });
  assert.equal(hit({ ...rest, manager: null }, manager.sx, manager.sy, 0), null);
  const chosen = read("?sel=node~a:x,manager~manager");
  assert.deepEqual([chosen.selected, chosen.more], [{ type: "node", id: "a:x" }, [{ type: "manager", id: "manager" }]]);
});
