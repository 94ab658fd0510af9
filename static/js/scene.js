// What the map knows: the fleet as the manager last told it. Pure: no drawing, no network.
// Members are changed in place, so that lists built from them stay true between patches; only
// a change of structure (a member comes, goes or moves) builds those lists anew.

const STATUS_LOOK = { online: "up", stale: "late", offline: "down", pending: "pending", retired: "stale" };

// How a node looks: up, late, down, stale, pending, or none for a peer without an agent.
export const look = (node) => (node.kind === "external" ? "none" : STATUS_LOOK[node.status] ?? "stale");

const NODE_RANK = { down: 0, late: 1, pending: 2, stale: 3, none: 4, up: 5 };
const EDGE_RANK = { down: 0, one_way: 1, half_configured: 2, unknown: 3, never: 4, idle: 5, up: 6 };

// Smaller is worse.
export const nodeRank = (node) => NODE_RANK[look(node)];
export const edgeRank = (edge) => EDGE_RANK[edge.state] ?? 3;

export const isBadEdge = (edge) => edgeRank(edge) <= 2;

const byId = (items) => new Map(items.map((item) => [item.id, item]));

export function fromSnapshot(picture) {
  return {
    epoch: picture.epoch,
    seq: picture.seq,
    layoutRev: picture.layout_rev,
    t: picture.generated_at,
    alarmsOpen: picture.alarms_open ?? 0,
    sites: byId(picture.sites),
    nodes: byId(picture.nodes),
    edges: byId(picture.edges),
    lists: null,
    // Of a map too large to be held whole: what keeps the rest of it (parts.js).
    part: picture.part ?? null,
    // Of the past: the time, since when agents had their states, the changes around it.
    past: picture.at ? { at: picture.at, since: picture.status_since, previous: picture.previous, next: picture.next } : null,
  };
}

// A change tells what differs, of links also end by end; of what is new it tells everything.
function applyPart(scene, members, part, ...structural) {
  for (const change of part?.set ?? []) {
    const old = members.get(change.id) ?? {};
    if (structural.some((name) => name in change && change[name] !== old[name])) scene.lists = null;
    const ends = old.ends?.map((end, i) => Object.assign(end, change.ends?.[i]));
    members.set(change.id, Object.assign(old, change, ends && { ends }));
  }
  for (const id of part?.del ?? []) if (members.delete(id)) scene.lists = null;
}

export function merge(scene, { n, e, s }) {
  applyPart(scene, scene.nodes, n, "site", "x", "y");
  applyPart(scene, scene.edges, e, "source", "target");
  applyPart(scene, scene.sites, s, "x", "y", "r");
}

// "applied", "old" (already known) or "gap" (a snapshot is needed). A patch whose range begins
// before and ends after what is known carries values, so it is applied whole.
export function applyPatch(scene, patch) {
  if (patch.seq <= scene.seq) return "old";
  if (patch.from > scene.seq) return "gap";
  merge(scene, scene.part?.sift(patch) ?? patch);
  scene.seq = patch.seq;
  scene.t = patch.t;
  if (patch.alarms) scene.alarmsOpen = patch.alarms.open;
  return "applied";
}

// For how many a member stands: of what is not held, one stands for all that look the same.
export const weight = ({ n = 1 }) => n;

// Lists by site, by node and by pair, built once per change of structure.
export function lists(scene) {
  if (scene.lists) return scene.lists;
  const inSite = new Map([...scene.sites.keys()].map((id) => [id, Object.assign([], { count: 0 })]));
  for (const node of scene.nodes.values()) {
    const members = inSite.get(node.site);
    if (!members) continue;
    members.push(node);
    members.count += weight(node);
    members.rest ||= "n" in node;
  }
  const atNode = new Map();
  const pairs = new Map();
  const push = (map, key, value) => (map.has(key) ? map.get(key).push(value) : map.set(key, [value]));
  for (const edge of scene.edges.values()) {
    push(atNode, edge.source, edge);
    if (edge.target !== edge.source) push(atNode, edge.target, edge);
    push(pairs, edge.source < edge.target ? `${edge.source}\n${edge.target}` : `${edge.target}\n${edge.source}`, edge);
  }
  const lane = new Map();
  for (const group of pairs.values()) {
    if (group.length > 1) group.forEach((edge, i) => lane.set(edge.id, [i, group.length]));
  }
  scene.lists = { inSite, atNode, lane };
  return scene.lists;
}

export const nameOf = (scene, nodeId) => scene.nodes.get(nodeId)?.label ?? nodeId;

// The page of an agent or a link, as of the time that is shown.
export const pageOf = (scene, kind, id) => `/${kind}/${encodeURIComponent(id)}${scene.past ? `?at=${scene.past.at}` : ""}`;

export const edgesOf = (scene, nodeId) => lists(scene).atNode.get(nodeId) ?? [];

export const otherEnd = (edge, nodeId) => (edge.source === nodeId ? edge.target : edge.source);

export const endOf = (edge, nodeId) => (edge.source === nodeId ? 0 : 1);

export function neighbours(scene, nodeId) {
  return new Set(edgesOf(scene, nodeId).map((edge) => otherEnd(edge, nodeId)));
}

// How many nodes wear each look and how many links are in each state.
export function counts(scene) {
  const nodes = { up: 0, late: 0, down: 0, stale: 0, pending: 0, none: 0 };
  const edges = { up: 0, idle: 0, down: 0, one_way: 0, half_configured: 0, never: 0, unknown: 0 };
  let [all, links] = [0, 0];
  for (const node of scene.nodes.values()) [nodes[look(node)], all] = [nodes[look(node)] + weight(node), all + weight(node)];
  for (const edge of scene.edges.values()) [edges[edge.state], links] = [(edges[edge.state] ?? 0) + weight(edge), links + weight(edge)];
  return { nodes, edges, all, links, agents: all - nodes.none };
}

// The first of the nodes in trouble, worst first (state, then open alarms, then name), and how
// many there are.
export function worstFirst(scene, limit) {
  const worst = scene.part?.worst ?? [...scene.nodes.values()]
    .filter((node) => nodeRank(node) < NODE_RANK.stale || node.alarms > 0)
    .sort((a, b) => nodeRank(a) - nodeRank(b) || b.alarms - a.alarms || (a.label < b.label ? -1 : 1));
  return { worst: worst.slice(0, limit), all: worst.length };
}

// What stays bright: null for everything, else {nodes, edges} as sets of ids.
// `filter` is {looks, states} as sets, `found` the search's {nodes, edges} by id, or null, `within`
// sets {nodes, edges} of which all must hold. Where no node is found, those at the ends of the
// links that are stay bright with them.
export function bright(scene, { filter, found, problems, within = [] }) {
  const filtered = filter && (filter.looks.size > 0 || filter.states.size > 0);
  if (!found && !problems && !filtered && within.length === 0) return null;
  let nodes = new Set(scene.nodes.keys());
  let edges = new Set(scene.edges.keys());
  const keep = (wantNode, wantEdge) => {
    edges = new Set([...edges].filter((id) => wantEdge(scene.edges.get(id))));
    nodes = new Set([...nodes].filter((id) => wantNode(scene.nodes.get(id))));
  };
  if (problems) {
    const ends = new Set();
    for (const edge of scene.edges.values()) if (isBadEdge(edge)) ends.add(edge.source).add(edge.target);
    keep((node) => ["down", "late"].includes(look(node)) || node.alarms > 0 || ends.has(node.id), isBadEdge);
  }
  if (filtered) {
    keep((node) => filter.looks.has(look(node)), (edge) => filter.states.has(edge.state));
    for (const id of edges) {
      const edge = scene.edges.get(id);
      nodes.add(edge.source).add(edge.target);
    }
  }
  if (found) {
    const links = found.edges.map((id) => scene.edges.get(id)).filter(Boolean);
    const ids = new Set(found.nodes.length > 0 ? found.nodes : links.flatMap((edge) => [edge.source, edge.target]));
    const wanted = new Set(found.edges);
    keep((node) => ids.has(node.id), (edge) => wanted.has(edge.id) && ids.has(edge.source) && ids.has(edge.target));
  }
  for (const part of within) keep((node) => part.nodes.has(node.id), (edge) => part.edges.has(edge.id));
  return { nodes, edges };
}
