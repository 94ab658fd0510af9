// Who passes on whose reports, as steps between nodes, each towards the manager. Pure.

// Every step that some agent's last report took, once. Relays that are not on the map are left
// out of the way. A step is proven if a relay signed for it on any path.
export function steps(scene) {
  const found = new Map();
  for (const { id, relay_path: relays, relay_proof: proof } of scene.nodes.values()) {
    if (!relays?.length) continue;
    const path = [id, ...relays.map((relay) => `a:${relay}`)].filter((node) => scene.nodes.has(node));
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
  const names = (relays ?? []).map((id) => scene.nodes.get(`a:${id}`)?.label ?? id);
  return names.length > 0 ? `via ${names.join(", ")} (${proof})` : "direct";
}
