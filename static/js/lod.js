// What to draw: for every site, whether it is a bubble, its agents, or its agents with their
// interfaces, by its size on screen; then the nodes and links that follow. Pure.

import { bow, boxTouches, halves, toScreen } from "./geometry.js";
import { MANAGER, managerPlace, steps } from "./relays.js";
import { isBadEdge, lists, look, weight } from "./scene.js";

// A site with many agents is readable from 90 px of radius; a small one much sooner, since what
// matters is the room per agent.
export const openRadius = (agents) => Math.min(90, 22 + 12 * Math.sqrt(agents));

// Above this many agents in view, the sites farthest from the middle stay bubbles.
export const MAX_AGENTS = 1500;

// Pixels between neighbours at 100 %; interfaces appear from 190 %.
const COMFORT = 40;
const INTERFACES_FROM = 1.9 * COMFORT;

// Roughly how far apart a site's nodes stand, in world units: its area shared out.
const spacing = (site, agents) => (site.r * 1.5) / Math.sqrt(Math.max(4, agents));

const inside = (x, y, r, rect) => x + r >= rect.x0 && x - r <= rect.x1 && y + r >= rect.y0 && y - r <= rect.y1;

function placeSites(scene, view, size, rect) {
  const { inSite } = lists(scene);
  const sites = [];
  for (const site of scene.sites.values()) {
    const members = inSite.get(site.id);
    const [sx, sy] = toScreen(view, size, site.x, site.y);
    const sr = site.r * view.k;
    const room = spacing(site, members.count) * view.k;
    const large = sr >= openRadius(members.count);
    sites.push({ id: site.id, site, members, sx, sy, sr, room, large, visible: inside(sx, sy, Math.max(sr, 60), rect), open: false });
  }
  const middle = (s) => Math.max(0, Math.hypot(s.sx - size.w / 2, s.sy - size.h / 2) - s.sr);
  const candidates = sites
    .filter((s) => s.visible && s.large)
    .sort((a, b) => middle(a) - middle(b) || (a.id < b.id ? -1 : 1));
  let budget = MAX_AGENTS;
  for (const s of candidates) {
    s.wanted = s.members.rest && s.members.count <= budget;
    if (s.wanted) budget -= s.members.count;
    if (s.members.rest) continue;
    s.placed = s.members.map((node) => {
      const [sx, sy] = toScreen(view, size, node.x, node.y);
      return { id: node.id, node, sx, sy, room: s.room, look: look(node) };
    });
    const shown = s.placed.filter((p) => inside(p.sx, p.sy, 0, rect)).length;
    if (shown <= budget) {
      budget -= shown;
      s.open = true;
    }
  }
  return sites;
}

// Sizes are in pixels and grow little with the zoom: closeness must buy room, not fatness.
export function nodeRadius(role, room) {
  const base = role === "gateway" ? 6.5 : role === "relay" ? 6.5 : role === "external" ? 4.5 : 5;
  return base * Math.min(1.35, Math.max(0.62, room / COMFORT));
}

export const bubbleRadius = (agents, sr) => Math.max(14, Math.min(46, sr * 0.7, 13 + 3.4 * Math.sqrt(agents)));

// So few sites may look as large as they like.
const FEW_SITES = 30;

// The largest bubbles that so many sites leave room for, in pixels, so that hundreds of them do
// not hide each other: a part of the distance between neighbours spread evenly over a disc.
export function crowdRadius(bubbles) {
  if (bubbles.length <= FEW_SITES) return Infinity;
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { sx, sy } of bubbles) [x0, y0, x1, y1] = [Math.min(x0, sx), Math.min(y0, sy), Math.max(x1, sx), Math.max(y1, sy)];
  const side = Math.max(x1 - x0, y1 - y0);
  return Math.max(6, 0.34 * side * Math.sqrt(0.785 / bubbles.length));
}

// How each half is drawn. Where the ends disagree, no half may look healthy.
export function halfStyle(edge, end) {
  const state = edge.ends[end].state;
  if ((edge.state === "one_way" || edge.state === "half_configured") && state !== "down" && state !== "unknown") return "overdue";
  return state === "missing" ? "overdue" : state;
}

export const midMark = (edge) =>
  edge.state === "down" ? "cross"
  : edge.state === "one_way" || edge.state === "half_configured" ? "differ"
  : edge.state === "never" ? "hollow" : null;

// `anchor` tells where a node's links end: at the node, or at the bubble that hides it.
function collect(scene, anchor, rect) {
  const { lane } = lists(scene);
  const edges = [];
  const bundles = new Map();
  for (const edge of scene.edges.values()) {
    const a = anchor(edge.source);
    const b = anchor(edge.target);
    if (!a || !b || a === b) continue;
    if (a.node && b.node) {
      if (!boxTouches(a.sx, a.sy, b.sx, b.sy, rect)) continue;
      const [i, n] = lane.get(edge.id) ?? [0, 1];
      edges.push({ id: edge.id, edge, a, b, curve: halves(a.sx, a.sy, b.sx, b.sy, bow(i, n)) });
      continue;
    }
    const key = a.id < b.id ? `${a.id}\n${b.id}` : `${b.id}\n${a.id}`;
    const bundle = bundles.get(key) ?? { id: key, a, b, count: 0, bad: 0, down: 0, quiet: 0, edges: [] };
    const n = weight(edge);
    bundle.count += n;
    if (edge.state === "down") bundle.down += n;
    if (isBadEdge(edge)) bundle.bad += n;
    else if (edge.state !== "up") bundle.quiet += n;
    bundle.edges.push(edge.id);
    bundles.set(key, bundle);
  }
  const drawn = [...bundles.values()].filter((g) => boxTouches(g.a.sx, g.a.sy, g.b.sx, g.b.sy, rect));
  return { edges, bundles: drawn };
}

const MANAGER_RADIUS = 11;

// How far a step of a report's path bows out, in pixels, so that it does not hide a link.
const RELAY_BOW = 44;

// The steps of reports' paths, one line between two nodes or bubbles; within a bubble none shows.
function relays(taken, anchor, rect) {
  const drawn = new Map();
  for (const step of taken) {
    const [a, b] = [anchor(step.from), anchor(step.to)];
    if (!a || !b || a === b || !boxTouches(a.sx, a.sy, b.sx, b.sy, rect)) continue;
    const key = `${a.id}\n${b.id}`;
    const bend = Math.min(RELAY_BOW, 0.4 * Math.hypot(a.sx - b.sx, a.sy - b.sy));
    const line = drawn.get(key) ?? { ...step, a, b, curve: halves(a.sx, a.sy, b.sx, b.sy, bend) };
    line.proven ||= step.proven;
    drawn.set(key, line);
  }
  return [...drawn.values()];
}

// The legs of a way, {from, to, edge id or null}: along its link where that is drawn.
function way(legs, anchor, edges) {
  const drawn = new Map(edges.map((item) => [item.id, item.curve]));
  return legs.flatMap(({ from, to, edge }) => {
    const [a, b] = [anchor(from), anchor(to)];
    if (!a || !b || a === b) return [];
    const curve = drawn.get(edge) ?? halves(a.sx, a.sy, b.sx, b.sy, 0);
    const forth = Math.hypot(curve.a[0] - a.sx, curve.a[1] - a.sy) < 1;
    return [{ curve, along: forth ? curve.along : curve.along.map((part) => -part), linked: Boolean(edge) }];
  });
}

const NO_LINKS = { edges: [], bundles: [] };

// The plan for one picture. `margin` is how many pixels beyond the stage are drawn too, `layers`
// what is drawn beside nodes (`subnets` as networks.js gathers them), `legs` a way to draw over them.
export function plan(scene, view, size, margin = 0, layers = { wireguard: true }, legs = []) {
  const rect = { x0: -margin, y0: -margin, x1: size.w + margin, y1: size.h + margin };
  const sites = placeSites(scene, view, size, rect);
  const at = new Map();
  const home = new Map(sites.map((s) => [s.id, s]));
  const nodes = [];
  let interfaces = false;
  for (const s of sites) {
    if (!s.open) continue;
    s.interfaces = s.room >= INTERFACES_FROM;
    interfaces ||= s.interfaces;
    for (const p of s.placed) {
      p.r = nodeRadius(p.node.role, s.room);
      p.interfaces = s.interfaces;
      at.set(p.id, p);
      if (inside(p.sx, p.sy, 40, rect)) nodes.push(p);
    }
  }
  const circles = sites.filter((s) => s.open);
  const bubbles = sites.filter((s) => !s.open && s.visible && s.members.count > 0);
  const most = crowdRadius(bubbles);
  for (const s of bubbles) s.sr = Math.min(most, bubbleRadius(s.members.count, s.sr));
  // A site beyond the stage's edge may be large without being drawn; its links go to its nodes.
  const taken = layers.relays ? steps(scene) : [];
  let manager = null;
  if (taken.length > 0 && scene.sites.size > 0) {
    const place = managerPlace(scene.sites.values());
    const [sx, sy] = toScreen(view, size, place.x, place.y);
    manager = { id: MANAGER, sx, sy, r: MANAGER_RADIUS };
    at.set(MANAGER, manager);
  }
  const anchor = (id) => {
    if (at.has(id)) return at.get(id);
    const node = scene.nodes.get(id);
    const s = home.get(node?.site);
    if (!s || s.visible || !s.large) return s;
    const [sx, sy] = toScreen(view, size, node.x, node.y);
    const place = { id, node, sx, sy, r: 5 };
    at.set(id, place);
    return place;
  };
  const links = layers.wireguard ? collect(scene, anchor, rect) : NO_LINKS;
  const onStage = nodes.filter((p) => inside(p.sx, p.sy, 0, { x0: 0, y0: 0, x1: size.w, y1: size.h }));
  return {
    level: circles.length === 0 ? "sites" : interfaces ? "interfaces" : "agents",
    // Sites that would be open if they were held.
    wanted: sites.filter((s) => s.wanted).map(({ id }) => id),
    size, margin, circles, bubbles, nodes, onStage, shown: onStage.length,
    ...links,
    relays: relays(taken, anchor, rect),
    manager,
    subnets: layers.subnets ? layers.subnets(scene, nodes, bubbles) : [],
    legs: way(legs, anchor, links.edges),
  };
}

// The plan without what is not bright.
export function only(plan, bright) {
  const has = ({ id }) => bright.nodes.has(id);
  return {
    ...plan,
    nodes: plan.nodes.filter(has),
    shown: plan.onStage.filter(has).length,
    bubbles: plan.bubbles.filter((site) => site.members.some(has)),
    circles: plan.circles.filter((site) => site.members.some(has)),
    edges: plan.edges.filter(({ id }) => bright.edges.has(id)),
    bundles: plan.bundles.filter(({ edges }) => edges.some((id) => bright.edges.has(id))),
    relays: plan.relays.filter(({ from, to }) => bright.nodes.has(from) && (to === MANAGER || bright.nodes.has(to))),
    subnets: plan.subnets.filter(({ owner }) => (owner.node ? has(owner) : owner.members.some(has))),
  };
}
