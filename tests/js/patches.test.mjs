// A manager that changes at random and tells of each thing what differs, over a stream that loses,
// repeats and turns around what it carries: the scene ends as a fresh snapshot shows it.

import assert from "node:assert/strict";
import test from "node:test";
import { fromSnapshot, lists } from "../../static/js/scene.js";
import { Feed } from "../../static/js/sse.js";
import { edge, node, picture, site } from "./fixture.mjs";

// Numbers that look random and are the same every time.
function dice(seed) {
  let at = seed;
  return (below) => {
    at = (at * 1103515245 + 12345) % 2147483648;
    return Math.floor((at / 2147483648) * below);
  };
}

const copy = (value) => JSON.parse(JSON.stringify(value));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// As src/topology/patch.rs: the id and what differs, of ends each by itself; all of what is new.
function differing(before, now) {
  if (!before) return now;
  const change = {};
  for (const name of Object.keys(now)) {
    if (name === "ends") {
      const ends = now.ends.map((end, i) => Object.fromEntries(Object.entries(end).filter(([key, value]) => !same(value, before.ends[i][key]))));
      if (ends.some((end) => Object.keys(end).length > 0)) change.ends = ends;
    } else if (name === "id" || !same(now[name], before[name])) change[name] = now[name];
  }
  return Object.keys(change).length > 1 ? change : null;
}

function part(before, now) {
  const old = new Map(before.map((thing) => [thing.id, thing]));
  const is = new Set(now.map((thing) => thing.id));
  return { set: now.map((thing) => differing(old.get(thing.id), thing)).filter(Boolean), del: [...old.keys()].filter((id) => !is.has(id)) };
}

const patchOf = (before, now) => ({
  from: before.seq, seq: now.seq, t: now.generated_at, alarms: { open: now.alarms_open },
  n: part(before.nodes, now.nodes), e: part(before.edges, now.edges), s: part(before.sites, now.sites),
});

// Every member is always there, if only as null.
const whole = (one) => ({ ...one, ends: one.ends.map((end) => ({ ...end, endpoint: null })) });

// The next state of a fleet.
function changed(map, roll) {
  const now = copy(map);
  now.seq += 1;
  now.generated_at += 1;
  now.alarms_open = roll(4);
  for (const one of now.nodes) {
    if (roll(3) === 0 && one.status) one.status = ["online", "stale", "offline"][roll(3)];
    if (roll(6) === 0) one.x += 1;
    if (roll(6) === 0) one.relay_proof = one.relay_proof ? null : "proven";
  }
  for (const one of now.edges) {
    if (roll(3) === 0) one.state = ["up", "down", "idle"][roll(3)];
    if (roll(3) === 0) one.ends[roll(2)].state = ["up", "overdue", "down"][roll(3)];
    if (roll(6) === 0) one.ends[roll(2)].endpoint = roll(2) ? null : "192.0.2.1:51820";
  }
  for (const one of now.sites) if (roll(4) === 0) one.counts = { ...one.counts, online: roll(5) };
  const gone = (list) => (roll(4) === 0 && list.length > 1 ? list.splice(roll(list.length), 1) : []);
  const left = new Set(gone(now.nodes).map(({ id }) => id));
  now.edges = now.edges.filter(({ source, target }) => !left.has(source) && !left.has(target));
  gone(now.edges);
  // They come under few names, so that who was gone comes back.
  const id = `a:new${roll(4)}`;
  if (roll(2) && !now.nodes.some((one) => one.id === id)) {
    const [{ id: other }] = now.nodes;
    now.nodes.push(node(id, "lab/new"));
    now.edges = [...now.edges.filter((one) => one.id !== `l${id}`), whole(edge(`l${id}`, id, other))];
    if (!now.sites.some((one) => one.id === "lab/new")) now.sites.push(site("lab/new", 900, 0, 50));
  }
  return now;
}

// By id: who came when is told by no snapshot.
const sorted = (map) => new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));

const plain = (scene) => ({ ...scene, lists: null, layoutRev: 0, nodes: sorted(scene.nodes), edges: sorted(scene.edges), sites: sorted(scene.sites) });

async function follow(seed) {
  const roll = dice(seed);
  let map = { ...picture(), edges: picture().edges.map(whole) };
  let snapshots = 0;
  const timers = new Map();
  const stream = { listeners: {}, readyState: 1, addEventListener: (name, run) => (stream.listeners[name] = run), close: () => {} };
  const say = (name, data, id = "") => stream.listeners[name]({ data: JSON.stringify(data), lastEventId: id });
  const feed = new Feed({
    fetchPicture: async () => {
      snapshots += 1;
      return copy(map);
    },
    openStream: () => stream,
    setTimeout: (run) => {
      timers.set(timers.size, run);
      return timers.size - 1;
    },
    clearTimeout: (id) => timers.delete(id),
    now: () => 0,
  }, { scene: () => {}, patch: () => {}, status: () => {} });
  const starting = feed.start();
  const told = [];
  for (let step = 0; step < 30; step += 1) {
    const before = map;
    map = changed(map, roll);
    const patch = patchOf(before, map);
    const fate = roll(8);
    // Lost, told twice, told after the next one, merged with the one before, or simply told.
    if (fate > 0) told.push(patch);
    if (fate === 1) told.push(patch);
    if (fate === 2 && told.length > 1) told.push(told.splice(-2, 1)[0]);
    while (told.length > 0 && roll(3) > 0) {
      const next = copy(told.shift());
      say("patch", next, `one:${next.seq}`);
      if (roll(2)) await new Promise(setImmediate);
    }
    if (feed.scene) lists(feed.scene);
  }
  await starting;
  for (const patch of told) say("patch", copy(patch), `one:${patch.seq}`);
  await new Promise(setImmediate);
  const last = map;
  map = { ...changed(map, roll), seq: map.seq + 1 };
  say("patch", copy(patchOf(last, map)), `one:${map.seq}`);
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  assert.deepEqual(plain(feed.scene), plain(fromSnapshot(copy(map))), `seed ${seed}`);
  const fresh = lists({ ...feed.scene, lists: null });
  assert.deepEqual(lists(feed.scene), fresh, `lists of seed ${seed}`);
  return snapshots;
}

test("whatever a stream loses, repeats or turns around, the scene ends as a snapshot shows it", async () => {
  let snapshots = 0;
  for (let seed = 1; seed <= 300; seed += 1) snapshots += await follow(seed);
  assert.ok(snapshots > 300, "something was lost");
});

test("what a patch does not name stays, of both ends of a link", () => {
  const before = picture();
  const now = copy(before);
  now.seq += 1;
  now.edges[0].ends[1].state = "overdue";
  now.edges[0].state = "down";
  const patch = patchOf(before, now);
  assert.deepEqual(patch.e.set, [{ id: "e1", state: "down", ends: [{}, { state: "overdue" }] }]);
  assert.deepEqual(patch.n.set, []);
});
