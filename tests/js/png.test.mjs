import assert from "node:assert/strict";
import test from "node:test";
import { asked, fileName, flow } from "../../static/js/png.js";
import { fromSnapshot } from "../../static/js/scene.js";
import { read } from "../../static/js/url.js";
import { picture } from "./fixture.mjs";

const scene = fromSnapshot(picture());

test("the foot of a picture tells what was asked", () => {
  assert.deepEqual(asked(scene, read(""), [], false), ["Layers: WireGuard"]);
  const state = read("?q=state:down&p=1&hide=1&layers=relays,subnets&focus=a:hel-gw1&hops=2");
  assert.deepEqual(asked(scene, state, ["Late", "Down"], true), [
    "Layers: subnets, relay paths", "Search: state:down", "Only: Late, Down", "Problems only", "The rest is left out",
    "Neighbourhood: hel-gw1, 2 links wide", "Names and addresses are pseudonyms",
  ]);
  const [link] = scene.edges.values();
  const ends = [link.source, link.target].map((id) => scene.nodes.get(id).label).join(" - ");
  assert.equal(asked(scene, read(`?without=a:hel-gw1,${link.id}`), [], false)[1], `Without: hel-gw1, ${ends}`);
  assert.equal(asked(scene, read("?path=a:hel-gw1,10.0.0.1&layers="), [], false).join("; "), "Layers: none; Path: hel-gw1 to 10.0.0.1");
});

test("a picture's file is named after its time, and how fine it is", () => {
  assert.equal(fileName(1795761739.6, 1), "kattila-map-20261127T064219Z.png");
  assert.equal(fileName(1795761739.6, 2), "kattila-map-20261127T064219Z@2x.png");
});

test("what the foot says runs over into more lines", () => {
  const items = [100, 200, 300, 100].map((w) => ({ w }));
  const { placed, lines } = flow(items, 350);
  assert.deepEqual(placed.map(({ x, line }) => [x, line]), [[0, 0], [122, 0], [0, 1], [0, 2]]);
  assert.equal(lines, 3);
  assert.equal(flow([], 350).lines, 0);
  assert.equal(flow([{ w: 900 }], 350).lines, 1);
});
