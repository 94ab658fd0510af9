// A made-up fleet in the shapes of the API, for looking at the map without a manager.
// The same seed always makes the same fleet.

const PLACES = ["Helsinki DC", "Tampere", "Oulu", "Frankfurt", "Stockholm", "Edge & field", "Riga", "Turku", "Lahti", "Vaasa"];
const ROLES = ["app", "db", "web", "ci", "nas", "k8s", "mon"];

function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const NONE = { online: 0, stale: 0, offline: 0, pending: 0, external: 0 };

const key = (n) => Buffer.from(String(n).padStart(32, "k")).toString("base64");

// `shape`: "small" (60 nodes), "large" (5,000 nodes) or "empty".
export function topology(shape, now) {
  const picture = { v: 1, epoch: "mock", seq: 1, layout_rev: 1, generated_at: now, sites: [], nodes: [], edges: [], alarms_open: 3 };
  if (shape === "empty") return { ...picture, alarms_open: 0 };
  const rnd = random(7);
  const plan = shape === "large"
    ? Array.from({ length: 50 }, (_, i) => [`${PLACES[i % 10]} ${1 + Math.floor(i / 10)}`, 100])
    : [["Helsinki DC", 18], ["Tampere", 9], ["Oulu", 8], ["Frankfurt", 12], ["Stockholm", 8], ["Edge & field", 5]];
  const columns = Math.ceil(Math.sqrt(plan.length * 1.5));
  const gateways = [];
  let edgeNumber = 0;
  const addEdge = (a, b, states, state, reason) => {
    edgeNumber += 1;
    const end = (node, shown) => ({
      agent_id: node.agent_id, interface: node.agent_id ? `wg${edgeNumber % 2}` : null, public_key: key(edgeNumber), state: shown,
      latest_handshake: node.agent_id ? (shown === "never" ? 0 : now - 40 - (shown === "down" ? 5400 : 0)) : null,
      rx_bytes: node.agent_id ? Math.floor(rnd() * 1e9) : null, tx_bytes: node.agent_id ? Math.floor(rnd() * 1e9) : null,
      endpoint: node.agent_id ? "203.0.113.40:51820" : null, allowed_ips: ["10.13.0.0/16"], persistent_keepalive: node.agent_id ? 25 : null, measured_at: node.agent_id ? now - 5 : null,
    });
    picture.edges.push({
      id: edgeNumber.toString(16).padStart(16, "0"), source: a.id, target: b.id, edge_type: "wireguard",
      state, reason, since: now - 4000, ends: [end(a, states[0]), end(b, states[1])],
    });
  };
  const link = (a, b) => {
    if (a.status === "offline" && b.status === "offline") addEdge(a, b, ["unknown", "unknown"], "unknown", "Neither end has fresh evidence.");
    else if (b.status === "offline") addEdge(a, b, ["down", "unknown"], "down", `No handshake for 91 min while ${a.label} sends.`);
    else if (a.status === "offline") addEdge(a, b, ["unknown", "down"], "down", `No handshake for 91 min while ${b.label} sends.`);
    else if (b.kind === "external") addEdge(a, b, ["idle", "unknown"], "idle", "Nothing expects it alive.");
    else {
      const dice = rnd();
      if (dice < 0.02) addEdge(a, b, ["overdue", "up"], "up", "One end's handshake is overdue.");
      else if (dice < 0.03) addEdge(a, b, ["up", "missing"], "half_configured", `${b.label} does not list ${a.label}.`);
      else if (dice < 0.05) addEdge(a, b, ["idle", "idle"], "idle", "Nothing expects it alive.");
      else if (dice < 0.06) addEdge(a, b, ["never", "never"], "never", "There has never been a handshake.");
      else addEdge(a, b, ["up", "up"], "up", "Handshake 42 s ago.");
    }
  };
  plan.forEach(([label, size], index) => {
    const short = label.toLowerCase().replace(/[^a-z]/g, "").slice(0, 3) + (shape === "large" ? index : "");
    const r = 46 + 22 * Math.sqrt(size);
    const pitch = shape === "large" ? 560 : 330;
    const site = {
      id: `lab/${short}`, label, fleet_id: "lab", counts: { ...NONE },
      x: (index % columns) * pitch + rnd() * 40, y: Math.floor(index / columns) * pitch + ((index % columns) % 2) * 70, r,
    };
    picture.sites.push(site);
    const members = [];
    for (let i = 0; i < size; i += 1) {
      const role = i === 0 || (i === 1 && size > 7) ? "gateway" : i === 2 && size > 9 ? "relay" : "agent";
      const external = role === "agent" && i === size - 1;
      const name = external ? `phone-${index}` : role === "gateway" ? `${short}-gw${i + 1}` : role === "relay" ? `${short}-relay1` : `${short}-${ROLES[i % 7]}${String(i).padStart(2, "0")}`;
      const dice = rnd();
      const status = external ? null : name === "oul-gw2" ? "offline" : role !== "agent" ? "online" : dice < 0.03 ? "offline" : dice < 0.06 ? "stale" : dice < 0.065 ? "pending" : "online";
      const ring = i < 3 ? 0 : 1 + Math.floor(Math.log2(1 + (i - 3) / 9));
      const angle = i * 2.399963 + index;
      const far = i < 3 ? (i === 0 ? 12 : 20) : (r - 24) * Math.sqrt((i - 1) / size);
      const node = {
        id: external ? `x:lab:${key(i)}` + index : `a:${name}`, kind: external ? "external" : "agent", role: external ? "external" : role,
        agent_id: external ? null : name, label: name, status, fleet_id: "lab", site: site.id,
        x: site.x + far * Math.cos(angle), y: site.y + far * Math.sin(angle) + ring * 0,
        seen_at: external ? null : now - (status === "offline" ? 7300 : status === "stale" ? 120 : 12),
        alarms: status === "offline" ? 1 : 0, addresses: [`10.${11 + (index % 200)}.${Math.floor(i / 250)}.${i % 250}`],
        relay_path: [], relay_proof: null,
      };
      site.counts[status ?? "external"] += 1;
      members.push(node);
      picture.nodes.push(node);
    }
    const own = members.filter((node) => node.role === "gateway");
    for (const node of members) if (node.role !== "gateway") own.forEach((gateway, i) => (i === 0 || rnd() < 0.5) && link(gateway, node));
    if (own.length > 1) {
      link(own[0], own[1]);
      link(own[0], own[1]);
    }
    for (const before of gateways) if (shape !== "large" || rnd() < 0.12) for (const gateway of own) if (rnd() < 0.7) link(before, gateway);
    gateways.push(own[0]);
    // Some report through their site's gateway and a gateway elsewhere, one only says so.
    const relays = [own[0], gateways[0]].filter((relay, i) => i === 0 || relay !== own[0]).map((relay) => relay.agent_id);
    members.filter((node) => node.role === "agent").slice(0, 2).forEach((node, i) => Object.assign(node, { relay_path: relays, relay_proof: i === 0 ? "proven" : "claimed" }));
  });
  return picture;
}

// The past of it: a change every ten minutes since three hours ago.
const STEP_S = 600;

export function past(picture, at, now) {
  const since = now - 18 * STEP_S;
  const text = String(at);
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (Number.isNaN(time)) return { status: 400, detail: `"${text}" is no time; write Unix seconds or a time such as 2026-11-20T14:02:11Z.` };
  if (time < since) return { status: 400, detail: `The history begins at ${since}; ask for a time from then on.` };
  const turn = Math.floor((time - since) / STEP_S);
  const nodes = picture.nodes.map((node, i) => ({ ...node, seen_at: null, addresses: [], alarms: 0, status: node.status && (i + turn) % 11 === 0 ? "offline" : node.status && "online" }));
  return {
    ...picture, nodes, at: time, since, status_since: Object.fromEntries(nodes.map((node) => [node.id, since])), learnt_later: {},
    previous: turn > 0 ? since + (turn - 1) * STEP_S : null, next: time + STEP_S < now ? since + (turn + 1) * STEP_S : null,
  };
}

export function history({ from, to, at }, now) {
  const since = now - 18 * STEP_S;
  const times = Array.from({ length: 18 }, (_, i) => since + i * STEP_S);
  return {
    since, from, to, step: 360, previous: times.filter((time) => time < at).at(-1) ?? null, next: times.find((time) => time > at) ?? null,
    buckets: times.filter((time) => time >= from && time < to).map((time, i) => ({ at: time, count: 1 + ((i * 5) % 9), worst: ["info", "warning", "major"][i % 3], kinds: {} })),
  };
}

export function agentDetail(picture, id, now) {
  const node = picture.nodes.find((candidate) => candidate.agent_id === id);
  if (!node) return null;
  const edges = picture.edges.filter((edge) => edge.source === node.id || edge.target === node.id);
  return {
    agent_id: id, hostname: id, fleet_id: node.fleet_id, agent_version: "1.4.2", status: node.status, status_since: now - 7100,
    last_seen_at: node.seen_at, clock_offset: 1, relay_path: node.relay_path, relay_proof: node.relay_proof, kid: "45819852fbdfc69a", key_generation: "current", problems: [],
    peers: edges.map((edge, i) => ({ edge_id: edge.id, latest_handshake: edge.state === "never" ? 0 : now - 7 * (i + 1) })),
  };
}

export const alarms = (picture, now) =>
  picture.nodes.filter((node) => node.alarms > 0).slice(0, 8).map((node, i) => ({
    id: i + 1, kind: "agent.offline", severity: i % 3 === 2 ? "warning" : "major", state: i === 1 ? "acknowledged" : "active", fleet_id: "lab",
    agent_id: node.agent_id, subject: node.agent_id, message: `${node.label} has not reported for 2 h.`, raised_at: now - 7000 - i, acknowledged_at: null,
  }));
