// The networks that allowed IPs and routes lead to: who carries them, their plates, and their rows
// of the legend. Loaded with their layer. Those of routes are asked for (/api/v1/networks) while
// they are drawn; of the past none are kept.

import { byId, getJson } from "./dom.js";
import { plural } from "./format.js";
import { DIM, SMALL } from "./paint.js";

const MOST = 1000;

// How far from the rim of its node or bubble a plate stands at least, in pixels.
const GAP = 22;

// Prefixes of one node or bubble that get a plate of their own.
const NETS = 3;

const isHost = (net) => net.endsWith(net.includes(":") ? "/128" : "/32") || !net.includes("/");

// Which prefixes go to which nodes: those wider than one address that an end lets the other use,
// and those that routes lead to a node for, as `scene.led` says (/api/v1/networks).
// {net -> Map(node -> how many ends say so, 0: routes alone)}, nets in order. Worked out once for
// each state.
export function subnets(scene) {
  if (scene.nets?.seq === scene.seq && scene.nets.led === scene.led) return scene.nets.all;
  const nets = new Map();
  for (const edge of scene.edges.values()) {
    edge.ends.forEach((end, i) => {
      const carrier = i === 0 ? edge.target : edge.source;
      for (const net of end.allowed_ips ?? []) {
        if (isHost(net)) continue;
        if (!nets.has(net)) nets.set(net, new Map());
        const carriers = nets.get(net);
        carriers.set(carrier, (carriers.get(carrier) ?? 0) + 1);
      }
    });
  }
  const outside = new Set();
  for (const { fleet_id: fleet, prefix, inside, by_routes: nodes } of scene.led?.networks ?? []) {
    if (!inside) outside.add(`${fleet}\n${prefix}`);
    for (const node of nodes.filter((id) => scene.nodes.has(id))) {
      if (!nets.has(prefix)) nets.set(prefix, new Map());
      if (!nets.get(prefix).has(node)) nets.get(prefix).set(node, 0);
    }
  }
  scene.nets = { seq: scene.seq, led: scene.led, outside, all: new Map([...nets].sort(([a], [b]) => (a < b ? -1 : 1))) };
  return scene.nets.all;
}

// Whether no host of the fleet reports an address in a prefix: it is known by routes only.
export function beyond(scene, net, fleet) {
  subnets(scene);
  return scene.nets.outside.has(`${fleet}\n${net}`);
}

// How many prefixes hosts report from, and how many are known by routes only.
export function known(scene) {
  const all = subnets(scene);
  const fleetOf = (id) => scene.nodes.get(id)?.fleet_id;
  const outside = [...all].filter(([net, carriers]) => [...carriers.keys()].every((id) => beyond(scene, net, fleetOf(id)))).length;
  return { inside: all.size - outside, outside };
}

// The same by node: node -> its prefixes.
export function carried(scene) {
  const by = new Map();
  for (const [net, carriers] of subnets(scene)) {
    for (const node of carriers.keys()) {
      if (by.has(node)) by.get(node).push(net);
      else by.set(node, [net]);
    }
  }
  return by;
}

// The prefixes that each node or bubble carries, and which of them no host reports from.
export function nets(scene, nodes, bubbles) {
  const by = carried(scene);
  const own = nodes.filter(({ id }) => by.has(id)).map((owner) => ({ owner, nets: by.get(owner.id) }));
  const shared = bubbles.map((owner) => ({ owner, nets: [...new Set(owner.members.flatMap(({ id }) => by.get(id) ?? []))].sort() }));
  const marked = ({ owner, nets }) => ({ owner, nets, beyond: new Set(nets.filter((net) => beyond(scene, net, (owner.node ?? owner.site).fleet_id))) });
  return [...own, ...shared.filter((item) => item.nets.length > 0)].map(marked);
}

// How far a signpost's point sticks out, in pixels.
const POINT = 6;

// The way of a plate with a notch and a point: a network that is known by routes only.
function signpost(g, x, y, w, h) {
  g.moveTo(x, y);
  g.lineTo(x + w - POINT, y);
  g.lineTo(x + w, y + h / 2);
  g.lineTo(x + w - POINT, y + h);
  g.lineTo(x, y + h);
  g.lineTo(x + POINT, y + h / 2);
  g.closePath();
}

// The wide rectangle of a prefix, tied to who carries it by a thin line; a dashed signpost if
// no host reports from it.
export function plate({ g, palette }, plan, { net, pointed, dim, strong, x, y, gap, bx, by, w, h }) {
  plan.nets.push({ id: net, x: bx, y: by, w, h });
  g.globalAlpha = dim ? DIM : 1;
  g.lineWidth = strong ? 2.5 : 1;
  g.strokeStyle = strong ? palette.accent : palette[pointed ? "ink-2" : "stale"];
  g.setLineDash(pointed ? [3, 2] : []);
  g.beginPath();
  const end = [Math.min(bx + w, Math.max(bx, x)), Math.min(by + h, Math.max(by, y))];
  // From the rim of what it belongs to, so that the count in a bubble stays readable.
  const part = (gap - GAP) / Math.hypot(end[0] - x, end[1] - y);
  g.moveTo(x + (end[0] - x) * part, y + (end[1] - y) * part);
  g.lineTo(...end);
  g.stroke();
  g.beginPath();
  if (pointed) signpost(g, bx, by, w, h);
  else g.rect(bx, by, w, h);
  g.fillStyle = palette[pointed ? "map" : "surface"];
  g.fill();
  g.stroke();
  g.setLineDash([]);
  g.lineWidth = 3.5;
  g.strokeStyle = palette.map;
}

// The first prefixes of each node or bubble; the last plate counts the others.
export function labels(painter, plan, { bright, selected }) {
  return plan.subnets.flatMap(({ owner, nets, beyond: outside }) => {
    const first = nets.length > NETS + 1 ? nets.slice(0, NETS) : nets;
    const shown = selected?.type === "net" && nets.includes(selected.id) && !first.includes(selected.id) ? [selected.id, ...first.slice(1)] : first;
    const lit = !bright || (owner.node ? bright.nodes.has(owner.id) : owner.members.some(({ id }) => bright.nodes.has(id)));
    const plates = shown.map((net) => [net, net]);
    if (first.length < nets.length) plates.push([`+${nets.length - first.length}`, nets[first.length]]);
    return plates.map(([text, net], i) => {
      const strong = selected?.id === net;
      const label = painter.label(`${owner.id}\n${i}`, [[text, "ink"]], owner.sx, owner.sy, (owner.sr ?? owner.r) + GAP, strong ? 0 : owner.node ? 2 : 3, SMALL);
      const pointed = text === net && outside.has(net);
      return { ...label, w: label.w + 10 + (pointed ? 2 * POINT : 0), tied: true, net, pointed, dim: !lit, strong };
    });
  });
}

// The rows of the legend: networks by how they are known, and why some are missing.
export function legend(root, scene) {
  const { inside, outside } = known(scene);
  const counts = root.querySelectorAll(".count");
  [inside, outside].forEach((count, i) => {
    counts[i].textContent = String(count);
  });
  const left = scene.led?.left_out ?? 0;
  const why = scene.past ? "None are kept of the past" : scene.led?.failed ? `Not all: ${scene.led.failed}` : left > 0 ? `${left} more are left out` : "";
  const note = root.querySelector(".note");
  note.hidden = !why;
  note.textContent = why;
}

// How many there are, in words.
export function words(scene) {
  if (scene.past) return "Subnets: none are kept of the past";
  const { outside } = known(scene);
  const some = outside > 0 ? `, ${outside} known by routes only` : "";
  const left = scene.led?.left_out > 0 ? `, ${scene.led.left_out} more left out` : "";
  return `Subnets: ${plural(subnets(scene).size, "prefix", "prefixes")}${some}${left}`;
}

export class Networks {
  // `verbs`: scene(), whether they are wanted(), say(text), legend(), changed() when they are there.
  constructor(verbs, fetchAll = () => getJson(`/api/v1/networks?limit=${MOST}`)) {
    this.verbs = verbs;
    this.fetchAll = fetchAll;
    this.asked = null;
  }

  all(scene) {
    return subnets(scene);
  }

  // Asks for them if they are wanted and not there, or again. What could not be read anew stays.
  async ask(again = false) {
    const scene = this.verbs.scene();
    if (!scene || scene.past || !this.verbs.wanted() || (scene.led && !again)) return;
    this.asked ??= this.fetchAll().catch((error) => ({ networks: scene.led?.networks ?? [], left_out: 0, failed: error.message }));
    const found = await this.asked;
    this.asked = null;
    const now = this.verbs.scene();
    if (now.past) return;
    now.led = found;
    this.verbs.changed();
  }

  // The layer was switched on.
  async begin() {
    this.verbs.changed();
    await this.ask(true);
    this.verbs.say(words(this.verbs.scene()));
  }

  // Brings the legend up to date.
  tell() {
    if (this.verbs.wanted()) legend(this.verbs.legend(), this.verbs.scene());
  }
}

export function networksOf(page) {
  page.painter.nets = { labels, nets, plate };
  const networks = new Networks({
    scene: () => page.scene,
    wanted: () => page.drawsNets(),
    say: (text) => page.say(text),
    legend: () => byId("nets"),
    changed: () => {
      page.prune();
      networks.tell();
      page.showPanel();
      page.dirty();
    },
  });
  return networks;
}
