// Who passes on whose reports, as steps between nodes, each towards the manager. Pure.

// Where all paths end; no node has such an id.
export const MANAGER = "manager";

// How far above the sites the manager stands: a part of their extent.
const ABOVE = 0.08;

// The manager's place {x, y}: in the middle above all sites. It is no site, so it has none of its own.
export function managerPlace(sites) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, r } of sites) [x0, y0, x1, y1] = [Math.min(x0, x - r), Math.min(y0, y - r), Math.max(x1, x + r), Math.max(y1, y + r)];
  return { x: (x0 + x1) / 2, y: y0 - ABOVE * Math.max(x1 - x0, y1 - y0) };
}

// Every step that some agent's last report took, once, the last to the manager. Who reports straight has none. Relays that are not on the map are left
// out of the way. A step is proven if a relay signed for it on any path.
export function steps(scene) {
  const found = new Map();
  for (const { id, relay_path: relays, relay_proof: proof } of scene.nodes.values()) {
    if (!relays?.length) continue;
    const path = [id, ...relays.map((relay) => `a:${relay}`)].filter((node) => scene.nodes.has(node));
    path.push(MANAGER);
    for (let i = 1; i < path.length; i += 1) {
      const [from, to] = path.slice(i - 1);
      const step = found.get(`${from}\n${to}`) ?? { from, to, proven: false };
      step.proven ||= proof === "proven";
      found.set(`${from}\n${to}`, step);
    }
  }
  return [...found.values()];
}

// The names of the relays an agent's report came through; "direct" if there are none.
export function way(scene, { relay_path: relays, relay_proof: proof }) {
  const names = (relays ?? []).map((id) => scene.nodes.get(`a:${id}`)?.label ?? `${id} (not on this map)`);
  return names.length > 0 ? `via ${names.join(", ")} (${proof})` : "direct";
}
