// A made-up fleet in the shapes of the API, for looking at the map without a manager.
// The same seed always makes the same fleet.

import { chain, component } from "../../static/js/reach.js";
import { fromSnapshot } from "../../static/js/scene.js";
import { legsAlong, meant } from "../../static/js/tools.js";

const PLACES = ["Helsinki DC", "Tampere", "Oulu", "Frankfurt", "Stockholm", "Edge & field", "Riga", "Turku", "Lahti", "Vaasa"];
const ROLES = ["app", "db", "web", "ci", "nas", "k8s", "mon"];

function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

const scene = (picture) => fromSnapshot(structuredClone(picture));

// The answers of the API to questions, as far as the page shows them.

export function search(picture, text) {
  const nodes = picture.nodes.filter(({ label }) => label.includes(text)).map(({ id }) => id);
  return { epoch: "mock", seq: picture.seq, nodes, edges: picture.edges.filter(({ source, target }) => nodes.includes(source) || nodes.includes(target)).map(({ id }) => id) };
}

export function way(picture, from, to) {
  const [a, b] = [from, to].map((text) => meant(scene(picture), text) ?? picture.nodes.find(({ addresses }) => addresses.includes(text))?.id);
  const links = (b && chain(scene(picture), a, b)) ?? [];
  const places = [a, ...legsAlong(scene(picture), a, links).map(({ to: next }) => next)];
  const named = (id) => picture.nodes.find((node) => node.id === id);
  const hops = places.map((id, i) => ({ agent_id: named(id).agent_id ?? id, label: named(id).label, route: { dst: "10.0.0.0/8" }, interface: "wg0", next: null, peer: null, allowed_ip: i < links.length ? "10.13.0.0/16" : null, edge_id: links[i] ?? null, edge_state: links[i] ? "up" : null, notes: i === 1 ? ["whether it forwards is not reported"] : [] }));
  const there = { from, to, source: null, hops, outcome: links.length > 0 ? "delivered" : "stopped", reason: links.length > 0 ? `${hops.at(-1).label} has it on wg0` : `${hops[0].label} has no route to it` };
  return { there, back: links.length > 0 ? { ...there, hops: hops.toReversed() } : null };
}

export function loss(picture, words) {
  const map = scene(picture);
  for (const word of words) {
    map.nodes.delete(word);
    map.edges.delete(word);
  }
  for (const edge of [...map.edges.values()]) if (words.includes(edge.source) || words.includes(edge.target)) map.edges.delete(edge.id);
  const parts = [];
  const seen = new Set();
  for (const id of map.nodes.keys()) {
    if (seen.has(id)) continue;
    const part = component(map, id);
    part.forEach((other) => seen.add(other));
    parts.push([...part].map((other) => ({ id: other, label: map.nodes.get(other).label })));
  }
  parts.sort((x, y) => y.length - x.length);
  return {
    taken: [], taken_links: [], cut_off: parts.slice(1).map((nodes) => ({ nodes, loses: map.nodes.size - nodes.length })),
    weak_nodes: picture.nodes.filter(({ role }) => role === "relay").slice(0, 1), weak_links: [], reports_lost: picture.nodes.filter(({ relay_path: relays }) => relays.some((id) => words.includes(`a:${id}`))),
  };
}

export function weakest(picture) {
  const hosts = picture.nodes.filter(({ role }) => role === "gateway").map(({ id, label }, i) => ({ id, label, cut_off: 9 - i, added: 0 }));
  return { hosts_total: hosts.length, hosts, links_total: 0, links: [] };
}

export const networks = (picture) => {
  const ends = picture.nodes.filter(({ role }) => role === "gateway").slice(0, 3);
  return { networks: ends.map(({ id, fleet_id }, i) => ({ fleet_id, prefix: `10.20${i}.0.0/16`, inside: i === 2, by_routes: [id], by_allowed_ips: [] })), left_out: 0 };
};

export const carriers = (picture, net) => picture.nodes.filter(({ role }) => role === "gateway").slice(0, 3).map((node, i) => ({ agent_id: node.agent_id, hostname: node.label, fleet_id: "lab", kind: ["address", "route", "allowed_ip"][i], prefix: net, interface: "wg0", route: null, public_key: null }));

const NONE = { online: 0, stale: 0, offline: 0, pending: 0, external: 0 };

const key = (n) => Buffer.from(String(n).padStart(32, "k")).toString("base64");

// `shape`: "small" (60 nodes), "large" (5,000 nodes), "empty", or how many nodes.
export function topology(asked, now) {
  const count = asked === "large" ? 5000 : Number(asked);
  const shape = count > 0 ? "large" : asked;
  const picture = { v: 1, epoch: "mock", seq: 1, layout_rev: 1, generated_at: now, sites: [], nodes: [], edges: [], alarms_open: 3 };
  if (shape === "empty") return { ...picture, alarms_open: 0 };
  const rnd = random(7);
  const plan = shape === "large"
    ? Array.from({ length: Math.ceil(count / 100) }, (_, i) => [`${PLACES[i % 10]} ${1 + Math.floor(i / 10)}`, Math.min(100, count - 100 * i)])
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
      endpoint: node.agent_id ? "203.0.113.40:51820" : null, allowed_ips: [node.role === "gateway" ? `10.11.1.${edgeNumber % 250}/32` : "10.13.0.0/16"], persistent_keepalive: node.agent_id ? 25 : null, measured_at: node.agent_id ? now - 5 : null,
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

// What an agent said at a time.
export function told(picture, id, at) {
  const node = picture.nodes.find((candidate) => candidate.agent_id === id);
  if (!node) return { status: 404, detail: "There is no such agent." };
  const own = picture.edges.filter((edge) => edge.source === node.id || edge.target === node.id).map((edge) => {
    const end = edge.source === node.id ? 0 : 1;
    return { ...edge.ends[end], public_key: edge.ends[1 - end].public_key, latest_handshake: at - 61, endpoint: "203.0.113.9:51820" };
  });
  return { agent_id: id, report_id: 7, received_at: at - 9, measured_at: at - 10, interfaces: [{ name: "wg0", public_key: "own", addresses: node.addresses.map((address) => `${address}/24`) }], routes: [], peers: own };
}

export const alarms = (picture, now) =>
  picture.nodes.filter((node) => node.alarms > 0).slice(0, 8).map((node, i) => ({
    id: i + 1, kind: "agent.offline", severity: i % 3 === 2 ? "warning" : "major", state: i === 1 ? "acknowledged" : "active", fleet_id: "lab",
    agent_id: node.agent_id, subject: node.agent_id, message: `${node.label} has not reported for 2 h.`, raised_at: now - 7000 - i, acknowledged_at: null,
  }));

// What differs between a day ago and a time, and what a host told of itself.
export function diff(picture, to) {
  const down = picture.edges.filter(({ state }) => state === "down").slice(0, 3);
  const name = (id) => picture.nodes.find((node) => node.id === id).label;
  return {
    from: to - 86400, to, summary: "3 links lost", complete: true, agents: [], alarms_cleared: [], alarms_raised: [],
    links: down.map(({ id, source, target }, i) => ({ id, labels: [name(source), name(target)], fate: "lost", before: "up", after: "down", at: [to - 30 * (i + 1)] })),
  };
}
