// What lies around a node, the shortest chain of links between two, and who carries which prefix.
// Pure.

import { edgesOf, otherEnd } from "./scene.js";

// Whether packets pass a link in this state as far as anybody knows (as topology/without.rs).
export const carries = (edge) => ["up", "idle", "one_way", "unknown"].includes(edge.state);

// The nodes within so many links of one, and the links among them.
export function around(scene, id, hops) {
  const nodes = new Set(scene.nodes.has(id) ? [id] : []);
  let rim = [...nodes];
  for (let i = 0; i < hops; i += 1) {
    const next = new Set();
    for (const at of rim) for (const edge of edgesOf(scene, at)) if (!nodes.has(otherEnd(edge, at))) next.add(otherEnd(edge, at));
    for (const at of next) nodes.add(at);
    rim = [...next];
  }
  const edges = new Set();
  for (const at of nodes) for (const edge of edgesOf(scene, at)) if (nodes.has(otherEnd(edge, at))) edges.add(edge.id);
  return { nodes, edges };
}

// The shortest chain of links that carry, as the ids of its links in order; null if there is
// none. Of equally short ones that with the smaller ids, so that it does not change by itself.
export function chain(scene, from, to) {
  const came = new Map([[from, null]]);
  let rim = [from];
  while (rim.length > 0 && !came.has(to)) {
    const next = [];
    for (const at of rim) {
      for (const edge of edgesOf(scene, at).filter(carries).sort((a, b) => (a.id < b.id ? -1 : 1))) {
        const beyond = otherEnd(edge, at);
        if (came.has(beyond)) continue;
        came.set(beyond, { edge, at });
        next.push(beyond);
      }
    }
    rim = next;
  }
  if (!came.has(to)) return null;
  const links = [];
  for (let step = came.get(to); step; step = came.get(step.at)) links.unshift(step.edge.id);
  return links;
}

// The nodes that links that carry lead to.
export function component(scene, from) {
  const found = new Set([from]);
  for (const at of found) for (const edge of edgesOf(scene, at)) if (carries(edge)) found.add(otherEnd(edge, at));
  return found;
}

const isHost = (net) => net.endsWith(net.includes(":") ? "/128" : "/32") || !net.includes("/");

// Which prefixes go to which nodes: those wider than one address that an end lets the other use.
// {net -> Map(node -> how many ends say so)}, nets in order. Worked out once for each state.
export function subnets(scene) {
  if (scene.nets?.seq === scene.seq) return scene.nets.all;
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
  scene.nets = { seq: scene.seq, all: new Map([...nets].sort(([a], [b]) => (a < b ? -1 : 1))) };
  return scene.nets.all;
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
