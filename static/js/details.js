// The panel's view of what is chosen: an agent or peer, a link, a site, the manager, several things, a prefix. Loaded
// when something is chosen for the first time.

import { h } from "./dom.js";
import { ago, plural, span } from "./format.js";
import { net, several } from "./groups.js";
import { manager } from "./manager.js";
import { outage } from "./outage.js";
import { MANY, code, edgeChip, nodeChip, silence, time } from "./panel.js";
import { way } from "./relays.js";
import { edgeRank, edgesOf, endOf, lists, nameOf, nodeRank, otherEnd, pageOf } from "./scene.js";
import { handshakeOf, peerOf } from "./told.js";
import { EDGE_CHIP, EDGE_WORDS, CHIP_MARK, END_WORDS, because, bytes, signed } from "./words.js";

export { carriersOf } from "./groups.js";
export { said } from "./told.js";

// Nobody is told of alarms about what is in maintenance.
const upkeep = (...nodes) => nodes.some((node) => node?.maintenance_until) && [" ", h("span", { class: "chip chip-stale" }, "◇ Maintenance")];

// A state in one sign, where a chip would not fit.
const sign = (edge) => h("span", { class: `sign sign-${EDGE_CHIP[edge.state]}`, role: "img", "aria-label": EDGE_WORDS[edge.state], title: EDGE_WORDS[edge.state] }, CHIP_MARK[EDGE_CHIP[edge.state]]);

const rows = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

const table = (heads, body, kind = "") =>
  h("table", { class: `compact ${kind}` },
    h("thead", {}, h("tr", {}, heads.map((head) => (head === "" ? h("td") : h("th", { scope: "col" }, head))))),
    h("tbody", {}, body));

function gone(panel) {
  return [panel.back(), h("h2", {}, "Not on the map"), h("p", {}, "What was selected is not on this map. Events tell when it came and went.")];
}

function node(panel, scene, node) {
  const now = panel.verbs.now();
  const told = scene.past && panel.details?.told;
  const d = scene.past ? null : panel.details;
  const site = scene.sites.get(node.site);
  const links = edgesOf(scene, node.id).slice().sort((a, b) => edgeRank(a) - edgeRank(b) || (nameOf(scene, otherEnd(a, node.id)) < nameOf(scene, otherEnd(b, node.id)) ? -1 : 1));
  const peers = new Map((d?.peers ?? []).map((peer) => [peer.edge_id, peer]));
  const role = node.kind === "external" ? "peer without an agent" : node.role;
  const page = node.agent_id && pageOf(scene, "agents", node.agent_id);
  const since = d?.status_since ?? scene.past?.since[node.id];
  return [
    panel.back(),
    h("h2", {}, node.label),
    h("p", { class: "verdict" }, nodeChip(node), upkeep(node), ` ${role}, `, site ? panel.choose("site", site.id, site.label) : node.site),
    outage(panel, scene, "node", node),
    h("p", { class: "actions" },
      page && h("a", { class: "button small", href: page, "data-focus": "open" }, "Open agent"),
      panel.button("Show on map", () => panel.verbs.zoomTo({ type: "node", id: node.id })),
      panel.button("Neighbourhood", () => panel.verbs.focus(node.id)),
      node.agent_id && panel.button("Path from here", () => panel.verbs.path(node.id)),
      panel.button("What if without", () => panel.verbs.without([node.id]))),
    panel.trouble(),
    rows([
      ["Address", told ? told.addresses.flatMap((address, i) => [i > 0 && h("br"), code(address)]).filter(Boolean) : node.addresses.length > 0 ? node.addresses.slice(0, 3).map((address, i) => [i > 0 && h("br"), code(address)]).flat().filter(Boolean) : null],
      ["Last report", node.kind === "agent" && !scene.past ? time(d?.last_seen_at ?? node.seen_at, now) : null],
      ["Said", told ? time(told.measured_at, now, scene.past) : null],
      ["State since", since ? time(since, now, scene.past) : null],
      ["Report path", d && way(scene, d)],
      ["Step by step", d?.relay_delays?.length > 0 ? d.relay_delays.map((s) => span(s)).join(", ") : null],
      ["Agent version", d?.agent_version ?? null],
      ["Clock offset", d ? signed(d.clock_offset) : null],
      ["Signed with", d?.kid ? [code(d.kid), d.key_generation ? ` (${d.key_generation})` : ""] : null],
      ["Fleet", node.fleet_id],
      ["Open alarms", node.alarms > 0 ? String(node.alarms) : null],
    ].map(([name, value]) => [name, Array.isArray(value) ? h("span", {}, value) : value])),
    d?.problems?.length > 0 && h("p", { class: "notice" }, `${plural(d.problems.length, "part")} of the last report could not be understood; the agent's page lists them.`),
    scene.past && panel.details && !told && h("p", { class: "muted" }, "Addresses and counters of then are not known: no report of the time is kept."),
    h("h3", {}, `WireGuard links (${links.length})`),
    links.length > 0 && table(["Peer", "Interface", "Handshake"], links.slice(0, MANY).map((edge) => {
      const end = edge.ends[endOf(edge, node.id)];
      return h("tr", {},
        h("td", {}, sign(edge), panel.choose("edge", edge.id, nameOf(scene, otherEnd(edge, node.id)))),
        h("td", {}, code(end.interface ?? "—")),
        h("td", { class: "number" }, peers.has(edge.id) ? panel.age(peers.get(edge.id).latest_handshake) : told ? handshakeOf(told, peerOf(told, edge, endOf(edge, node.id))) : "—"));
    })),
    links.length > MANY && h("p", {}, h("a", { href: page ?? `/links?q=${encodeURIComponent(node.label)}` }, `All ${links.length} links`)),
  ];
}

function link(panel, scene, edge) {
  const now = panel.verbs.now();
  const full = panel.details?.ends ? panel.details : edge;
  const names = [nameOf(scene, edge.source), nameOf(scene, edge.target)];
  const list = (values) => (values?.length > 0 ? values.join(", ") : "—");
  const handshake = (end) => (end.latest_handshake === null || end.latest_handshake === undefined ? "—"
    : end.latest_handshake === 0 ? "never" : `${span((end.measured_at ?? now) - end.latest_handshake)} before`);
  const lines = [
    ["State", (end) => END_WORDS[end.state] ?? end.state, true],
    ["Interface", (end) => end.interface ?? "—"],
    ["Handshake", handshake],
    ["Endpoint", (end) => end.endpoint ?? "—"],
    ["Sent", (end) => bytes(end.tx_bytes)],
    ["Received", (end) => bytes(end.rx_bytes)],
    ["Keepalive", (end) => (end.persistent_keepalive === null || end.persistent_keepalive === undefined ? "—" : end.persistent_keepalive === 0 ? "off" : `${end.persistent_keepalive} s`), true],
    ["Allowed IPs", (end) => list(end.allowed_ips)],
    ["Read", (end) => (end.measured_at ? ago(end.measured_at, now) : "—")],
  ];
  return [
    panel.back(),
    h("h2", {}, `${names[0]} ⇄ ${names[1]}`),
    h("p", { class: "verdict" }, edgeChip(edge), upkeep(scene.nodes.get(edge.source), scene.nodes.get(edge.target)), " ", because(edge.reason)),
    outage(panel, scene, "edge", edge),
    h("p", { class: "actions" },
      h("a", { class: "button small", href: pageOf(scene, "links", edge.id), "data-focus": "open" }, "Open link"),
      panel.button("Show on map", () => panel.verbs.zoomTo({ type: "edge", id: edge.id })),
      panel.button("What if without", () => panel.verbs.without([edge.id]))),
    panel.trouble(),
    h("p", { class: "muted" }, "So since ", time(edge.since, now, scene.past), ", judged ", time(edge.judged_at, now, scene.past), scene.past ? (full === edge ? ". Endpoints and counters of then are not known." : "; below is what the ends said then.") : "; below is what the ends say now."),
    (!scene.past || full !== edge) && table(["", panel.choose("node", edge.source, names[0]), panel.choose("node", edge.target, names[1])], lines.map(([name, of, compared]) => {
      const [a, b] = full.ends.map(of);
      const differs = compared && a !== b && a !== "—" && b !== "—";
      return h("tr", { class: differs ? "differs" : null }, h("th", { scope: "row" }, differs ? `≠ ${name}` : name), h("td", {}, a), h("td", {}, b));
    }), "ends"),
  ];
}

function site(panel, scene, site) {
  const now = panel.verbs.now();
  const there = lists(scene).inSite.get(site.id);
  const { count, rest } = there;
  const members = rest ? [] : [...there].sort((a, b) => nodeRank(a) - nodeRank(b) || (a.label < b.label ? -1 : 1));
  const { online, stale, offline, pending, external } = site.counts;
  const parts = [[offline, "down", "down"], [stale, "late", "late"], [pending, "stale", "waiting"], [online, "up", "reporting"], [external, "stale", "no agent"]];
  return [
    panel.back(),
    h("h2", {}, site.label),
    h("p", { class: "muted" }, `Site of fleet ${site.fleet_id}, ${plural(count, "node")}`),
    h("p", { class: "chips" }, parts.filter(([count]) => count > 0).map(([count, kind, word]) => h("span", { class: `chip chip-${kind}` }, `${count} ${word}`))),
    h("p", { class: "actions" }, panel.button("Show on map", () => panel.verbs.zoomTo({ type: "site", id: site.id })), panel.button("Only this site", () => panel.verbs.site(site.id))),
    rest && h("p", { class: "muted" }, "Its nodes are being fetched."),
    h("ul", { class: "list" }, members.slice(0, 60).map((node) => h("li", {},
      nodeChip(node), h("span", { class: "grow" }, panel.choose("node", node.id, node.label)),
      h("span", { class: "age" }, silence(node, now))))),
    count > 60 && h("p", {}, h("a", { href: `/agents?q=${encodeURIComponent(site.label)}` }, `All ${count}`)),
  ];
}

// What of the panel there is about what is chosen.
export function show(panel, scene, selected, more) {
  if (more.length > 0) return several(panel, scene, [selected, ...more]);
  if (selected.type === "manager") return manager(panel, scene);
  if (selected.type === "net") return net(panel, scene, selected.id);
  const member = { node: scene.nodes, edge: scene.edges, site: scene.sites }[selected.type]?.get(selected.id);
  if (!member) return gone(panel);
  return { node, edge: link, site }[selected.type](panel, scene, member);
}
