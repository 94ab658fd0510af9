// What agents said at a time of the past, read back by the manager from the reports that it keeps.

import { getJson } from "./dom.js";
import { span } from "./format.js";

const told = (scene, agent) => (agent ? getJson(`/api/v1/agents/${encodeURIComponent(agent)}/told?at=${scene.past.at}`).catch((error) => {
  // Of what is not kept any more nothing is told.
  if (error.status === 404) return null;
  throw error;
}) : null);

// What was said of the other end of a link.
export function peerOf({ peers }, edge, end) {
  const { interface: name } = edge.ends[end];
  const { public_key: key } = edge.ends[1 - end];
  return peers?.find((peer) => peer.interface === name && peer.public_key === key) ?? null;
}

// The age of a handshake when it was read.
export const handshakeOf = (said, peer) => (peer ? (peer.latest_handshake === 0 ? "never" : span(said.measured_at - peer.latest_handshake)) : "—");

// Of a node {told}, with its addresses on WireGuard interfaces; of a link {ends}, filled.
export async function said(scene, type, id) {
  if (type === "node") {
    const all = await told(scene, scene.nodes.get(id)?.agent_id);
    const addresses = all?.interfaces?.filter(({ public_key: key }) => key).flatMap((own) => own.addresses) ?? [];
    return { told: all && { ...all, addresses } };
  }
  const edge = type === "edge" ? scene.edges.get(id) : null;
  if (!edge) return {};
  const both = await Promise.all(edge.ends.map(({ agent_id: agent }) => told(scene, agent)));
  if (!both.some(Boolean)) return {};
  return { ends: edge.ends.map((end, i) => ({ ...end, ...(both[i] && { ...peerOf(both[i], edge, i), interface: end.interface, public_key: end.public_key, measured_at: both[i].measured_at }) })) };
}
