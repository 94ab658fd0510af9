// What lies around a node, and the shortest chain of links between two. Pure.

import { edgesOf, lists, otherEnd } from "./scene.js";

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

// The nodes of a site, and the links among them.
export function inside(scene, site) {
  const nodes = new Set(lists(scene).inSite.get(site)?.map(({ id }) => id));
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
