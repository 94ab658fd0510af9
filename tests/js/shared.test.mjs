// The page's plan against the one that /map.svg is drawn from: the manager's tests
// (src/views/drawing/tests.rs) keep the same files true from their side.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { fit } from "../../static/js/geometry.js";
import { halfStyle, midMark, plan } from "../../static/js/lod.js";
import { nets } from "../../static/js/networks.js";
import { around, inside } from "../../static/js/reach.js";
import { bright, fromSnapshot } from "../../static/js/scene.js";

const file = (name) => readFileSync(fileURLToPath(new URL(`../fixtures/map/${name}`, import.meta.url)), "utf8");
const SIZE = { w: 1000, h: 700 };
const picture = JSON.parse(file("picture.json"));
const scene = () => fromSnapshot(structuredClone(picture));
const n = (number) => (Math.abs(number) < 0.0005 ? 0 : number).toFixed(3);
const at = ([x, y]) => `${n(x)},${n(y)}`;
const way = ({ a, ca, mid, b }) => [a, ca, mid, b].map(at).join(" ");

function told(view) {
  const p = plan(scene(), view, SIZE, 0, { wireguard: true, relays: true, subnets: nets });
  const round = (kind) => ({ site, sx, sy, sr }) => `${kind} ${site.id} ${at([sx, sy])} ${n(sr)}`;
  return [
    `level ${p.level}`,
    ...p.circles.map(round("circle")),
    ...p.bubbles.map(round("bubble")),
    ...p.nodes.map((node) => `node ${node.id} ${node.look} ${at([node.sx, node.sy])} ${n(node.r)} ${node.interfaces}`),
    ...p.edges.map(({ id, edge, curve }) => `edge ${id} ${way(curve)} ${halfStyle(edge, 0)} ${halfStyle(edge, 1)} ${midMark(edge) ?? "-"}`),
    ...p.bundles.map((b) => `bundle ${b.id.replace("\n", " ")} ${b.count} ${b.bad} ${b.down} ${b.quiet}`),
    ...p.subnets.map(({ owner, nets }) => `subnet ${owner.id} ${nets.join(" ")}`),
    ...p.relays.map(({ from, to, proven, curve }) => `relay ${from} ${to} ${proven} ${way(curve)}`),
  ].sort((a, b) => (a < b ? -1 : 1));
}

test("the page draws the same things in the same places as the picture", () => {
  const lines = file("plan.txt").trimEnd().split("\n");
  const views = lines.filter((line) => line.startsWith("view "));
  assert.ok(views.length >= 5);
  for (const view of views) {
    const [, name, x, y, k] = view.split(" ");
    const from = lines.indexOf(view) + 1;
    const until = lines.findIndex((line, i) => i >= from && /^(view|bright) /.test(line));
    assert.deepEqual(told({ x: Number(x), y: Number(y), k: Number(k) }), lines.slice(from, until), name);
  }
  const [, , x, y, k] = views[0].split(" ").map(Number);
  const widest = Math.max(...picture.sites.map((site) => site.r));
  assert.deepEqual(fit(picture.sites, SIZE, { left: 20, right: 20, top: 38, bottom: 20 }, (2.2 * 160) / widest), { k, x, y });
});

test("what stays bright is the same", () => {
  const kept = Object.fromEntries(file("plan.txt").split("\n").filter((line) => line.startsWith("bright ")).map((line) => [line.split(" ")[1], line.split(" ").slice(2).filter(Boolean)]));
  const found = { nodes: ["a:hel-0", "a:oul-0"], edges: ["0000000000000000"] };
  const rows = (looks, states = []) => ({ looks: new Set(looks), states: new Set(states) });
  const [near, within] = [around(scene(), "a:hel-0", 2), inside(scene(), "lab/hel")];
  const asked = { problems: { problems: true }, found: { found }, both: { found, problems: true }, links: { found: { nodes: [], edges: ["0000000000000002"] } },
    down: { filter: rows(["down"]) }, row: { filter: rows(["none"], ["up"]) }, differ: { filter: rows([], ["one_way", "half_configured"]) },
    troubled: { problems: true, filter: rows(["up"], ["up"]) }, near: { within: [near] }, inside: { problems: true, filter: rows(["late"], ["down"]), within: [within] },
    all: { found, problems: true, filter: rows(["down"], ["down"]), within: [near, within] } };
  assert.deepEqual(Object.keys(asked).sort(), Object.keys(kept).sort());
  for (const [name, how] of Object.entries(asked)) {
    const { nodes, edges } = bright(scene(), how);
    assert.deepEqual([...nodes, ...edges].sort(), kept[name], name);
  }
});
