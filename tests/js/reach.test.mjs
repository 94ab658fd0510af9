import assert from "node:assert/strict";
import test from "node:test";
import { hit } from "../../static/js/geometry.js";
import { tell } from "../../static/js/a11y.js";
import { only, plan } from "../../static/js/lod.js";
import { Networks, beyond, carried, known, nets, subnets, words } from "../../static/js/networks.js";
import { around, chain, component } from "../../static/js/reach.js";
import { applyPatch, bright, fromSnapshot } from "../../static/js/scene.js";
import { legsAlong, legsOf, marksOf, meant } from "../../static/js/tools.js";
import { read, write } from "../../static/js/url.js";
import { edge, node, picture } from "./fixture.mjs";

const SIZE = { w: 1000, h: 700 };
const VIEW = { x: 200, y: 0, k: 1 };

// A line hel-gw1 - one - two - three, beside the fixture's two sites.
function line() {
  const all = picture();
  all.nodes.push(node("a:one", "lab/hel", { x: -30 }), node("a:two", "lab/hel", { x: -60 }), node("a:three", "lab/oul", { x: 420, y: 30 }));
  all.edges.push(edge("l1", "a:hel-gw1", "a:one"), edge("l2", "a:two", "a:one", "idle"), edge("l3", "a:two", "a:three"), edge("l4", "a:hel-gw1", "a:three", "down"));
  const lets = (id, end, nets) => all.edges.find((item) => item.id === id).ends[end].allowed_ips.push(...nets);
  lets("l1", 0, ["10.1.0.0/16", "10.0.0.2/32"]);
  lets("l2", 0, ["10.1.0.0/16", "fd00::1/128", "fd00::/64"]);
  lets("l3", 1, ["10.2.0.0/24", "0.0.0.0/0"]);
  return fromSnapshot(all);
}

const ids = (set) => [...set].sort();

test("a neighbourhood is as many links wide as asked for, dead links included", () => {
  const scene = line();
  assert.deepEqual(ids(around(scene, "a:three", 1).nodes), ["a:hel-gw1", "a:three", "a:two"]);
  assert.deepEqual(ids(around(scene, "a:two", 1).edges), ["l2", "l3"]);
  assert.deepEqual(ids(around(scene, "a:two", 2).edges), ["l1", "l2", "l3", "l4"]);
  assert.deepEqual(around(scene, "a:nobody", 2), { nodes: new Set(), edges: new Set() });
});

test("the shortest chain goes by links that carry, and none is told as none", () => {
  const scene = line();
  assert.deepEqual(chain(scene, "a:hel-gw1", "a:three"), ["l1", "l2", "l3"]);
  assert.deepEqual(chain(scene, "a:one", "a:one"), []);
  assert.equal(chain(scene, "a:hel-gw1", "a:oul-gw2"), null);
  assert.deepEqual(ids(component(scene, "a:oul-gw2")), ["a:oul-gw2"]);
  assert.equal(component(scene, "a:three").size, 6);
  assert.deepEqual(legsAlong(scene, "a:three", ["l3", "l2"]), [{ from: "a:three", to: "a:two", edge: "l3" }, { from: "a:two", to: "a:one", edge: "l2" }]);
});

test("prefixes belong to the far end of who allows them; single addresses are none", () => {
  const scene = line();
  assert.deepEqual([...subnets(scene)].map(([net, by]) => [net, [...by]]), [
    ["0.0.0.0/0", [["a:two", 1]]], ["10.1.0.0/16", [["a:one", 2]]], ["10.2.0.0/24", [["a:two", 1]]], ["fd00::/64", [["a:one", 1]]],
  ]);
  assert.deepEqual(carried(scene).get("a:two"), ["0.0.0.0/0", "10.2.0.0/24"]);
  applyPatch(scene, { from: 10, seq: 11, t: 1, n: {}, s: {}, e: { set: [], del: ["l3"] } });
  assert.equal(subnets(scene).has("10.2.0.0/24"), false, "a patch changes them");
  assert.equal(tell(scene, { type: "net", id: "10.1.0.0/16" }, []), "Prefix 10.1.0.0/16, carried by one");
  assert.equal(tell(scene, { type: "node", id: "a:one" }, [{ type: "node", id: "a:oul-gw2" }]), "2 chosen, 1 reporting, 1 down");
});

test("a network that routes lead to is drawn where they lead, and told from one that hosts are in", () => {
  const scene = line();
  const led = (prefix, inside, nodes, fleet = "lab") => ({ fleet_id: fleet, prefix, inside, by_routes: nodes, by_allowed_ips: [] });
  const before = subnets(scene);
  scene.led = { networks: [led("10.1.0.0/16", false, []), led("10.9.0.0/16", false, ["a:three", "a:gone"]), led("10.2.0.0/24", true, ["a:one"]), led("fd00::/64", false, [], "other")], left_out: 2 };
  assert.notEqual(subnets(scene), before, "what comes later is taken in");
  assert.deepEqual([...subnets(scene).get("10.9.0.0/16")], [["a:three", 0]], "on the map, and by no peer");
  assert.deepEqual([...subnets(scene).get("10.2.0.0/24")], [["a:two", 1], ["a:one", 0]]);
  assert.deepEqual([beyond(scene, "10.9.0.0/16", "lab"), beyond(scene, "10.2.0.0/24", "lab"), beyond(scene, "fd00::/64", "lab")], [true, false, false], "fleet by fleet");
  assert.deepEqual(known(scene), { inside: 3, outside: 2 });
  assert.equal(words(scene), "Subnets: 5 prefixes, 2 known by routes only, 2 more left out");
  assert.equal(tell(scene, { type: "net", id: "10.9.0.0/16" }, []), "Prefix 10.9.0.0/16, known by routes only, carried by three");
  const drawn = plan(scene, VIEW, SIZE, 0, { subnets: nets }).subnets;
  assert.deepEqual(drawn.map(({ owner, beyond: far }) => [owner.id, ids(far)]), [["a:one", ["10.1.0.0/16"]], ["a:two", []], ["a:three", ["10.9.0.0/16"]]]);
  const far = plan(scene, { ...VIEW, k: 0.1 }, SIZE, 0, { subnets: nets }).subnets;
  assert.deepEqual(far.map(({ owner, beyond: outside }) => [owner.id, ids(outside)]), [["lab/hel", ["10.1.0.0/16"]], ["lab/oul", ["10.9.0.0/16"]]]);
});

test("networks are asked for while they are wanted, once at a time, and what fails is said", async () => {
  const scene = line();
  const answers = [{ networks: [1], left_out: 0 }, null, { networks: [2], left_out: 0 }];
  let [wanted, asked, changed] = [false, 0, 0];
  const networks = new Networks({ scene: () => scene, wanted: () => wanted, changed: () => (changed += 1) }, async () => {
    const answer = answers[asked++];
    if (!answer) throw new Error("busy");
    return answer;
  });
  await networks.ask(true);
  assert.equal(asked, 0, "nobody wants them");
  wanted = true;
  await networks.ask();
  await networks.ask();
  assert.deepEqual([asked, changed, scene.led.networks], [1, 1, [1]]);
  await networks.ask(true);
  assert.deepEqual([scene.led.networks, scene.led.failed], [[1], "busy"], "what was known stays");
  await Promise.all([networks.ask(true), networks.ask(true)]);
  assert.deepEqual([asked, scene.led], [3, { networks: [2], left_out: 0 }]);
  scene.past = { at: 1 };
  await networks.ask(true);
  assert.equal(asked, 3, "of the past there are none");
});

test("layers are drawn when they are asked for; prefixes of a bubble are those of its nodes", () => {
  const bare = plan(line(), VIEW, SIZE, 0, {});
  assert.deepEqual([bare.edges, bare.subnets, bare.relays, bare.legs], [[], [], [], []]);
  const near = plan(line(), VIEW, SIZE, 0, { wireguard: true, subnets: nets });
  assert.equal(near.edges.length, 8);
  assert.deepEqual(near.subnets.map(({ owner, nets }) => [owner.id, nets]), [["a:one", ["10.1.0.0/16", "fd00::/64"]], ["a:two", ["0.0.0.0/0", "10.2.0.0/24"]]]);
  const far = plan(line(), { ...VIEW, k: 0.1 }, SIZE, 0, { subnets: nets });
  assert.deepEqual(far.subnets.map(({ owner, nets }) => [owner.id, nets.length]), [["lab/hel", 4]]);
  assert.deepEqual(hit({ ...near, nets: [{ id: "10.2.0.0/24", x: 5, y: 5, w: 80, h: 16 }] }, 20, 10, 0), { type: "net", id: "10.2.0.0/24" });
});

test("a way follows its links, points where it goes, and leaves the rest dim", () => {
  const scene = line();
  const legs = legsAlong(scene, "a:three", ["l3", "l2"]);
  const drawn = plan(scene, VIEW, SIZE, 0, { wireguard: true }, [...legs, { from: "a:one", to: "a:hel-db1", edge: null }]).legs;
  assert.deepEqual(drawn.map(({ linked }) => linked), [true, true, false]);
  // From oul to hel, so to the left.
  assert.ok(drawn[0].along[0] < 0);
  const lit = bright(scene, { within: [around(scene, "a:two", 1), { nodes: new Set(["a:two", "a:one"]), edges: new Set(["l2"]) }] });
  assert.deepEqual([ids(lit.nodes), ids(lit.edges)], [["a:one", "a:two"], ["l2"]]);
  const kept = only(plan(scene, VIEW, SIZE, 0, { wireguard: true, subnets: nets }), lit);
  assert.deepEqual([ids(kept.nodes.map(({ id }) => id)), kept.edges.map(({ id }) => id), kept.circles.map(({ id }) => id)], [["a:one", "a:two"], ["l2"], ["lab/hel"]]);
});

test("a journey's legs are those between its hosts and to the peer it leaves for", () => {
  const scene = line();
  const hops = [{ agent_id: "two", edge_id: "l2" }, { agent_id: "one", edge_id: null }, { agent_id: "hel-gw1", edge_id: "e4" }];
  assert.deepEqual(legsOf(scene, { hops }), [
    { from: "a:two", to: "a:one", edge: "l2" }, { from: "a:one", to: "a:hel-gw1", edge: null }, { from: "a:hel-gw1", to: "x:lab:phone", edge: "e4" },
  ]);
});

test("an end is meant by id, by agent or by name, if that is one", () => {
  const scene = line();
  assert.deepEqual(["a:one", "one", "ONE", "phone", "10.1.2.3", "two "].map((text) => meant(scene, text)), ["a:one", "a:one", "a:one", "x:lab:phone", null, null]);
});

test("what would be lost is marked by kind", () => {
  const named = (id) => ({ id, label: id });
  const marks = marksOf(["a:one", "l1"], { cut_off: [{ nodes: [named("a:two")], loses: 3 }], reports_lost: [named("a:three")], weak_nodes: [], weak_links: [named("l4")] });
  assert.deepEqual([ids(marks.gone.nodes), ids(marks.lost), ids(marks.reports), ids(marks.weakLinks)], [["a:one", "l1"], ["a:two"], ["a:three"], ["l4"]]);
  assert.equal(marksOf([], null).lost.size, 0);
});

test("every question is in the address and comes back from it", () => {
  const state = read("?sel=node~a:one,edge~l1,site~lab/A, B,net~10.1.0.0/16&layers=subnets,relays&only=down,-idle&hide=1&focus=a:two&hops=9&path=a:one,10.1.2.3&without=a:one,l1&anon=1&at=99&q=x");
  assert.deepEqual([state.selected, ...state.more].map(({ type, id }) => `${type} ${id}`), ["node a:one", "edge l1", "site lab/A, B", "net 10.1.0.0/16"]);
  assert.deepEqual([[...state.layers], state.focus, state.path, state.without, state.only], [["subnets", "relays"], { id: "a:two", hops: 3 }, { from: "a:one", to: "10.1.2.3" }, ["a:one", "l1"], ["down", "-idle"]]);
  assert.deepEqual(read(write(state)), state);
  assert.deepEqual(read("?path=&without=").path, { from: "", to: "" });
  assert.deepEqual(read("?without=").without, []);
});
