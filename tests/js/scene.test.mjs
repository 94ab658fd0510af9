import assert from "node:assert/strict";
import test from "node:test";
import { unfold } from "../../static/js/columns.js";
import { applyPatch, bright, counts, edgesOf, fromSnapshot, lists, look, worstFirst } from "../../static/js/scene.js";
import { edge, node, picture } from "./fixture.mjs";

const patch = (from, seq, more) => ({ from, seq, t: 1100, n: { set: [], del: [] }, e: { set: [], del: [] }, s: { set: [], del: [] }, alarms: { open: 4 }, ...more });

test("a patch that follows is applied, an old one ignored, a later one is a gap", () => {
  const scene = fromSnapshot(picture());
  assert.equal(applyPatch(scene, patch(9, 10, {})), "old");
  assert.equal(applyPatch(scene, patch(11, 12, {})), "gap");
  assert.equal(scene.seq, 10);
  assert.equal(applyPatch(scene, patch(10, 11, { n: { set: [{ id: "a:hel-db1", status: "online" }], del: [] } })), "applied");
  assert.deepEqual([scene.seq, scene.t, scene.alarmsOpen], [11, 1100, 4]);
  assert.equal(look(scene.nodes.get("a:hel-db1")), "up");
  assert.equal(scene.nodes.get("a:hel-db1").label, "hel-db1");
});

test("a merged patch whose range overlaps what is known is applied whole, and twice does no harm", () => {
  const scene = fromSnapshot(picture());
  const merged = patch(7, 14, { e: { set: [{ id: "e1", state: "down" }], del: ["e4"] } });
  assert.equal(applyPatch(scene, merged), "applied");
  assert.equal(applyPatch(scene, merged), "old");
  assert.equal(scene.edges.get("e1").state, "down");
  assert.equal(scene.edges.size, 3);
});

test("lists stay through changes of state and follow changes of structure", () => {
  const scene = fromSnapshot(picture());
  const before = lists(scene);
  applyPatch(scene, patch(10, 11, { e: { set: [{ id: "e1", state: "down" }], del: [] } }));
  assert.equal(lists(scene), before);
  assert.equal(edgesOf(scene, "a:hel-db1")[0].state, "down");
  applyPatch(scene, patch(11, 12, { n: { set: [node("a:new", "lab/oul")], del: ["a:hel-db1"] }, e: { set: [edge("e9", "a:new", "a:oul-gw2")], del: ["e1"] } }));
  assert.deepEqual(lists(scene).inSite.get("lab/oul").map((n) => n.id), ["a:oul-gw2", "a:new"]);
  assert.deepEqual(edgesOf(scene, "a:new").map((e) => e.id), ["e9"]);
  assert.deepEqual(edgesOf(scene, "a:hel-db1"), []);
});

test("links between the same two nodes get lanes", () => {
  const { lane } = lists(fromSnapshot(picture()));
  assert.deepEqual([lane.get("e2"), lane.get("e3"), lane.get("e1")], [[0, 2], [1, 2], undefined]);
});

test("counting and ordering put trouble first", () => {
  const scene = fromSnapshot(picture());
  const { nodes, edges, agents } = counts(scene);
  assert.deepEqual([agents, nodes.up, nodes.late, nodes.down, nodes.none], [3, 1, 1, 1, 1]);
  assert.deepEqual([edges.up, edges.down, edges.idle], [1, 2, 1]);
  assert.deepEqual(worstFirst(scene, 9).worst.map((n) => n.label), ["oul-gw2", "hel-db1"]);
});

test("filters dim what they do not name and combine", () => {
  const scene = fromSnapshot(picture());
  const none = { looks: new Set(), states: new Set() };
  assert.equal(bright(scene, { filter: none, found: null, problems: false }), null);
  const problems = bright(scene, { filter: none, found: null, problems: true });
  assert.deepEqual([...problems.nodes].sort(), ["a:hel-db1", "a:hel-gw1", "a:oul-gw2"]);
  assert.deepEqual([...problems.edges].sort(), ["e2", "e3"]);
  const idle = bright(scene, { filter: { looks: new Set(), states: new Set(["idle"]) }, found: null, problems: false });
  assert.deepEqual([...idle.nodes].sort(), ["a:hel-gw1", "x:lab:phone"]);
  const found = bright(scene, { filter: none, found: { nodes: ["a:oul-gw2"], edges: ["e2"] }, problems: true });
  assert.deepEqual([[...found.nodes], [...found.edges]], [["a:oul-gw2"], []]);
  const links = bright(scene, { filter: none, found: { nodes: [], edges: ["e2", "gone"] }, problems: false });
  assert.deepEqual([[...links.nodes].sort(), [...links.edges]], [["a:hel-gw1", "a:oul-gw2"], ["e2"]]);
  const nothing = bright(scene, { filter: none, found: { nodes: [], edges: [] }, problems: false });
  assert.deepEqual([nothing.nodes.size, nothing.edges.size], [0, 0]);
});

// What the manager makes of a picture when columns are asked for (src/topology/shape.rs).
function inColumns(picture) {
  const texts = [];
  const number = (text) => {
    if (text === null) return null;
    if (!texts.includes(text)) texts.push(text);
    return texts.indexOf(text);
  };
  const header = (thing) => Object.keys(thing ?? {}).map((name) => (["id", "role", "label", "site", "source", "target", "interface", "public_key", "agent_id"].includes(name) ? `#${name}` : name));
  const columns = { nodes: header(picture.nodes[0]), edges: header(picture.edges[0]), ends: header(picture.edges[0]?.ends[0]) };
  const row = (names) => (thing) => names.map((name) => (name[0] === "#" ? number(thing[name.slice(1)]) : name === "ends" ? thing.ends.map(row(columns.ends)) : thing[name]));
  return { ...picture, columns, nodes: picture.nodes.map(row(columns.nodes)), edges: picture.edges.map(row(columns.edges)), texts };
}

// Numbers that look random and are the same every time.
function dice(seed) {
  let at = seed;
  return (below) => {
    at = (at * 1103515245 + 12345) % 2147483648;
    return Math.floor((at / 2147483648) * below);
  };
}

test("a picture in columns makes the same scene as one with names", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const roll = dice(seed);
    const all = picture();
    const nodes = all.nodes.filter(() => roll(4) > 0).map((node) => ({ ...node, alarms: roll(3), status: node.status && ["online", "stale", "offline"][roll(3)] }));
    const edges = all.edges.filter(() => roll(4) > 0).map((edge) => ({ ...edge, ends: edge.ends.map((end) => ({ ...end, rx_bytes: roll(2) ? roll(1e6) : null, allowed_ips: roll(2) ? ["10.0.0.0/8"] : [] })) }));
    const keyed = { ...all, nodes, edges };
    assert.deepEqual(fromSnapshot(unfold(JSON.parse(JSON.stringify(inColumns(keyed))))), fromSnapshot(keyed), `seed ${seed}`);
  }
});
