// A small picture in the shape of the API: two sites, a hub, a dead host, a peer without agent.

export const node = (id, site, more = {}) => ({
  id, kind: "agent", role: "agent", agent_id: id.slice(2), label: id.slice(2), status: "online", fleet_id: "lab", site,
  x: 0, y: 0, seen_at: 1000, alarms: 0, addresses: [], relay_path: [], relay_proof: null, ...more,
});

export const edge = (id, source, target, state = "up", ends = ["up", "up"], keys = [null, null]) => ({
  id, source, target, edge_type: "wireguard", state, reason: "", since: 900,
  ends: ends.map((shown, i) => ({ agent_id: null, interface: `wg${i}`, public_key: keys[i], state: shown, latest_handshake: 990, allowed_ips: [] })),
});

export const site = (id, x, y, r, counts = {}) => ({
  id, label: id.split("/")[1], fleet_id: "lab", x, y, r, counts: { online: 0, stale: 0, offline: 0, pending: 0, external: 0, ...counts },
});

export const picture = () => ({
  v: 1, epoch: "one", seq: 10, layout_rev: 1, generated_at: 1000, alarms_open: 1,
  sites: [site("lab/hel", 0, 0, 100, { online: 2, external: 1 }), site("lab/oul", 400, 0, 100, { offline: 1 })],
  nodes: [
    node("a:hel-gw1", "lab/hel", { role: "gateway", addresses: ["10.11.0.1"] }),
    node("a:hel-db1", "lab/hel", { x: 50, status: "stale" }),
    node("x:lab:phone", "lab/hel", { kind: "external", role: "external", agent_id: null, status: null, label: "phone", y: 50 }),
    node("a:oul-gw2", "lab/oul", { x: 400, status: "offline", role: "gateway", alarms: 1 }),
  ],
  edges: [
    edge("e1", "a:hel-gw1", "a:hel-db1"),
    edge("e2", "a:hel-gw1", "a:oul-gw2", "down", ["down", "unknown"], ["AAAAbbbb", "CCCCdddd"]),
    edge("e3", "a:oul-gw2", "a:hel-gw1", "down", ["unknown", "down"]),
    edge("e4", "a:hel-gw1", "x:lab:phone", "idle", ["idle", "unknown"]),
  ],
});
